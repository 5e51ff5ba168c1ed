// Days and moments in a time zone that the viewer has chosen. The browser knows the zones; it has no
// way back from a wall clock to a moment, so that is here.

import { DAY, MINUTE, NOTHING, SECOND } from "./format.js";
import { language } from "./texts.js";

export const zoneNames = () => [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])];
export const isZone = (name) => {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
};

const formats = new Map();
function format(tag, options) {
  const key = `${tag} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(tag, options));
  return formats.get(key);
}

const CLOCK = {
  year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23",
};

// What a clock on a wall of the zone shows, as the UTC time that reads the same.
export function wall(time, zone) {
  const parts = format("en", { ...CLOCK, timeZone: zone }).formatToParts(time);
  const { year, month, day, hour, minute, second } = Object.fromEntries(parts.map((it) => [it.type, Number(it.value)]));
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

const ahead = (time, zone) => wall(time, zone) - Math.floor(time / SECOND) * SECOND;

// The first moment at which the wall shows this or more: a clock that is set forward skips some times.
export function fromWall(shown, zone) {
  const [before, after] = [ahead(shown - DAY, zone), ahead(shown + DAY, zone)];
  for (const offset of [before, after]) {
    if (ahead(shown - offset, zone) === offset) return shown - offset;
  }
  let [low, high] = [shown - after, shown - before];
  while (high - low > SECOND) {
    const middle = Math.floor((low + high) / 2 / SECOND) * SECOND;
    if (ahead(middle, zone) === before) low = middle;
    else high = middle;
  }
  return high;
}

// Midnight of the day of a moment, or of another day as many days later.
export const midnight = (time, zone, days = 0) => fromWall(Math.floor(wall(time, zone) / DAY) * DAY + days * DAY, zone);

// A moment as the zone's clocks show it; without seconds where there are none.
export function momentIn(time, zone, { withDate = true } = {}) {
  if (time == null) return NOTHING;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return `${time} ms`;
  const options = { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (time % MINUTE) options.second = "2-digit";
  if (withDate) Object.assign(options, { year: "numeric", month: "2-digit", day: "2-digit" });
  return format(language.value, options).format(date);
}

export const clockIn = (time, zone) =>
  format(language.value, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(time);
export const dateIn = (time, zone) =>
  format(language.value, { timeZone: zone, weekday: "short", month: "2-digit", day: "2-digit" }).format(time);

// The value of a datetime-local field, and back.
export const fieldIn = (time, zone) => new Date(wall(time, zone)).toISOString().slice(0, 16);
export const fromFieldIn = (text, zone) => fromWall(new Date(`${text}Z`).getTime(), zone);
