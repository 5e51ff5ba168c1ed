// The figures of the floor: those of the window before a moment, by the filters that figures have.

import { get } from "./api.js";
import { now, second } from "./clock.js";
import { useEffect, useSignal } from "./dom.js";
import { MINUTE } from "./format.js";
import { version } from "./live.js";

export const WINDOW_MS = 30 * MINUTE;
const EVERY_MS = 5_000; // while something changes
const REST_MS = 30_000; // the window goes on where nothing does

export const figureFilters = ({ orgId, teamId, queueId, channelType }) => ({ orgId, teamId, queueId, channelType });

export const readSummary = (filters, times = {}, options = {}) =>
  get("/api/v1/summary", { ...times, ...figureFilters(filters), window: WINDOW_MS }, options);

// Those of now: read again when something has changed, and when the window has gone on. Figures of
// other filters are never left standing. {value, to}: null until they have come.
export function useLiveSummary(filters) {
  const state = useSignal({ value: null, to: 0, key: null, changes: 0 });
  const asked = useSignal(0);
  const key = JSON.stringify(figureFilters(filters));
  const changes = version.value;
  const age = second.value - asked.value;
  const isOther = state.value.key !== key;
  const isDue = isOther || age > REST_MS || (age > EVERY_MS && state.value.changes !== changes);
  useEffect(() => {
    if (!isDue) return;
    asked.value = now();
    if (isOther) state.value = { value: null, to: 0, key, changes };
    readSummary(filters).then(
      (value) => {
        if (state.value.key === key) state.value = { value, to: now(), key, changes };
      },
      () => {}, // the badge says that the service does not answer
    );
  }, [isDue, key]);
  return isOther ? { value: null, to: 0 } : state.value;
}
