// What the tabs of Operations have in common: what came of an action, and who may not do it.

import { html, useEffect } from "../../core/dom.js";
import { useLoad } from "../../core/load.js";
import { t } from "../../core/texts.js";
import { Failure } from "../../parts/states.js";

export const NotAllowed = ({ why }) => html`<${Failure} error=${{ status: 403, message: why }} />`;

// The outcome of the last action, told to screen readers too. `done`: a signal of a text or null.
export const Outcome = ({ done }) =>
  html`<p class=${done.value ? "outcome" : "hidden"} role="status">${done.value}</p>`;

export const Fact = ({ name, children }) => html`<dt>${t(name)}</dt><dd>${children}</dd>`;

// A load that is made again some time after each answer, as long as `isDue(value)` says so.
export function usePolled(read, inputs, everyMs, isDue = () => true) {
  const load = useLoad(read, inputs);
  const isNext = !load.loading && (load.error !== null || isDue(load.value));
  useEffect(() => {
    if (!isNext) return undefined;
    const timer = setTimeout(load.reload, everyMs);
    return () => clearTimeout(timer);
  }, [isNext, load.value, load.error]);
  return load;
}
