// Days and spans of time in the viewer's zone, as the address names them. Pure.

import { now } from "./clock.js";
import { DAY, SECOND } from "./format.js";

const SHORTEST_MS = SECOND; // of what can be zoomed into
const LONGEST_MS = 7 * DAY; // of a timeline, by the API

// The day around a moment: from midnight to midnight, 23 or 25 hours where clocks change.
export function dayOf(time) {
  const date = new Date(time);
  return dayFrom(date.getFullYear(), date.getMonth(), date.getDate());
}

const dayFrom = (year, month, day) => ({
  from: new Date(year, month, day).getTime(),
  to: new Date(year, month, day + 1).getTime(),
});

// The name of a day, as date fields have it, and back; null where it is none.
export function dayName(time) {
  const date = new Date(time);
  const two = (part) => String(part).padStart(2, "0");
  return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function dayNamed(name) {
  const [, year, month, day] = (/^(\d{4})-(\d\d)-(\d\d)$/.exec(name ?? "") ?? []).map(Number);
  const found = year ? dayFrom(year, month - 1, day) : null;
  return found && found.from > 0 && dayName(found.from) === name ? found : null;
}

// The two times of the address, null where it has none. What was shown then is as of then, too.
export function timesIn(params) {
  const at = moment(params.get("at"));
  const knownAt = moment(params.get("knownAt"));
  if ((at ?? knownAt) === null || (at ?? knownAt) > now()) return null;
  return { at: at ?? knownAt, knownAt };
}

// The span that the address zooms to; null where it names none.
export function zoomIn(params) {
  const from = moment(params.get("from"));
  const to = moment(params.get("to"));
  if (from === null || to === null || to <= from) return null;
  return { from, to: Math.min(Math.max(to, from + SHORTEST_MS), from + LONGEST_MS) };
}

function moment(text) {
  const time = Number(text);
  return text && Number.isSafeInteger(time) && time > 0 && time < 8.64e15 ? time : null;
}

// What an agent's page reads and shows: `day` is the chosen one, `whole` what is read, and `shown` the
// part that is drawn.
export function spansOf(params, now) {
  const times = timesIn(params);
  const zoom = zoomIn(params);
  const day = dayNamed(params.get("day")) ?? dayOf(zoom?.from ?? times?.at ?? now);
  const shown = zoom ?? day;
  const isWithin = shown.from >= day.from && shown.to <= day.to;
  return { day, shown, whole: isWithin ? day : shown, isZoomed: zoom !== null };
}

// A span moved or made longer by a factor around its middle, within what the API answers.
export function zoomed({ from, to }, factor) {
  const length = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (to - from) * factor));
  return moved({ from: (from + to - length) / 2, to: (from + to + length) / 2 }, 0);
}

export function moved({ from, to }, share) {
  const by = (to - from) * share;
  return { from: Math.max(1, Math.floor(from + by)), to: Math.ceil(to + by) };
}
