// Numbers, lengths of time and moments as people read them, in the viewer's zone and language.

import { html } from "./dom.js";
import { language, t } from "./texts.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOTHING = "–";

const formats = new Map();
function format(Type, options) {
  const key = `${Type.name} ${language.value} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Type(language.value, options));
  return formats.get(key);
}

export const number = (value) => (value == null ? NOTHING : format(Intl.NumberFormat, {}).format(value));

export const percent = (share) =>
  share == null
    ? NOTHING
    : format(Intl.NumberFormat, { style: "percent", maximumFractionDigits: 1 }).format(share);

// 0:05, 12:34, 1:02:03, 2 d 3 h: as clocks count, and days where seconds no longer matter.
export function duration(ms) {
  if (ms == null) return NOTHING;
  const seconds = Math.floor(Math.max(0, ms) / SECOND);
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  if (days) return `${number(days)} ${t("unit.day")} ${hours} ${t("unit.hour")}`;
  const two = (part) => String(part).padStart(2, "0");
  const rest = `${two(seconds % 60)}`;
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

// The length in ms of what `duration` writes, NaN where it is none: seconds, m:ss or h:mm:ss.
export function parseDuration(text) {
  if (!/^\d+(:\d\d){0,2}$/.test(text)) return NaN;
  return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * SECOND;
}

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

// A moment: today's without a date.
export function moment(time, { withDate = null, ms = false } = {}) {
  if (time == null) return NOTHING;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return `${time} ms`;
  const isToday = date.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  if (ms) options.fractionalSecondDigits = 3;
  if (withDate ?? !isToday) Object.assign(options, { year: "numeric", month: "2-digit", day: "2-digit" });
  return format(Intl.DateTimeFormat, options).format(date);
}

// The time of a day, as an axis has it.
export const clock = (time, { seconds = false } = {}) =>
  format(Intl.DateTimeFormat, {
    hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }), hourCycle: "h23",
  }).format(new Date(time));

export function utc(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? `${time} ms` : `${date.toISOString().replace("T", " ").slice(0, 23)} UTC`;
}

// A moment in the viewer's zone, in UTC on hover.
export const Moment = ({ time, ...options }) =>
  time == null
    ? html`<span class="none">${NOTHING}</span>`
    : html`<time datetime=${isoOf(time)} title=${utc(time)}>${moment(time, options)}</time>`;

// How long since a moment.
export const Since = ({ time, now }) =>
  time == null
    ? html`<span class="none">${NOTHING}</span>`
    : html`<time datetime=${isoOf(time)} title=${utc(time)}>${duration(now - time)}</time>`;

const isoOf = (time) => (Number.isNaN(new Date(time).getTime()) ? undefined : new Date(time).toISOString());

// The value of a datetime-local field, and back.
export function localField(time) {
  const date = new Date(time);
  return new Date(time - date.getTimezoneOffset() * MINUTE).toISOString().slice(0, 19);
}
export const fromLocalField = (text) => new Date(text).getTime();

export { SECOND, MINUTE, HOUR, DAY, NOTHING };
