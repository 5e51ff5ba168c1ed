// A dialog over the page: focus stays within, Escape closes it. And the dialog that asks for a reason.

import { html, useEffect, useRef, useSignal } from "../core/dom.js";
import { t } from "../core/texts.js";

export function Dialog({ title, onClose, wide = false, children }) {
  const element = useRef(null);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const onClick = (event) => event.target === element.current && onClose();
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-label=${title} onCancel=${onClose} onClick=${onClick}>
    <article>
      <header>
        <h2>${title}</h2>
        <button type="button" class="close" aria-label=${t("action.close")} onClick=${onClose}>×</button>
      </header>
      ${children}
    </article>
  </dialog>`;
}

// Asks whether an action is meant, and why. `act(reason)` does it; its refusal is shown.
export function Confirm({ title, children, action, danger = false, needsReason = true, act, onClose }) {
  const reason = useSignal("");
  const state = useSignal({ busy: false, error: null });
  async function submit(event) {
    event.preventDefault();
    state.value = { busy: true, error: null };
    try {
      await act(reason.value.trim());
      onClose();
    } catch (error) {
      state.value = { busy: false, error };
    }
  }
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${submit}>
      ${children}
      ${needsReason && html`<label>${t("action.why")}
        <input name="why" maxlength="500" required autocomplete="off" value=${reason.value}
          onInput=${(event) => (reason.value = event.target.value)} /></label>`}
      ${state.value.error && html`<div class="refused" role="alert"><p>${state.value.error.message || t("state.failed")}</p>
        ${(state.value.error.problem?.errors ?? []).map((it) => html`<p key=${it.parameter}><code>${it.parameter}</code>: ${it.allowed}</p>`)}</div>`}
      <footer>
        <button type="button" class="secondary" onClick=${onClose}>${t("action.cancel")}</button>
        <button class=${danger ? "danger" : ""} aria-busy=${state.value.busy} disabled=${state.value.busy}>${action}</button>
      </footer>
    </form>
  <//>`;
}
