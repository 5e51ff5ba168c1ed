// The figures of the reports: how each is shown, which add up over rows, and which are divided again
// from sums by their formula (docs/figures.md). Pure.

import { number, percent } from "./format.js";
import { AGENT_STATUSES } from "./status.js";
import { midnight, wall } from "./zones.js";
import { DAY, HOUR, MINUTE, NOTHING } from "./format.js";

export const REPORTS = ["queues", "agents"];
export const FILTERS = ["orgId", "teamId", "queueId", "channelType", "direction", "agentId"];
export const INTERVALS = ["15m", "30m", "1h", "1d", "1w", "all"];

// Hours, minutes and seconds, however many hours: a sum of times is read to the second.
export function clock(ms) {
  if (ms == null) return NOTHING;
  const seconds = Math.round(Math.abs(ms) / 1000);
  const two = (part) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${ms < 0 ? "−" : ""}${hours ? `${number(hours)}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}

const sum = (rows, id) => rows.reduce((total, row) => total + (valueOf(row, id) ?? 0), 0);
const quotient = (dividend, divisor) => (divisor ? dividend / divisor : null);
const longest = (rows, id) => {
  const values = rows.map((row) => row[id]).filter((it) => it !== null);
  return values.length ? Math.max(...values) : null;
};
const AT_WORK = ["connected", "on-hold", "consulting", "conferencing", "wrapup"];
const work = (rows) => AT_WORK.reduce((total, status) => total + sum(rows, `statusMs.${status}`), 0);
const ended = (rows) => sum(rows, "answered") + sum(rows, "abandoned");
const spent = (rows) => ["talkMs", "holdMs", "consultMs", "wrapUpMs"].reduce((total, id) => total + sum(rows, id), 0);

const count = { show: number, total: sum };
const time = { show: clock, total: sum };
const ratio = (dividend, divisor, show) => ({ show, total: (rows) => quotient(dividend(rows), divisor(rows)) });
const FIGURES = {
  queues: {
    offered: count, answered: count, answeredInTime: count, abandoned: count, shortAbandoned: count,
    unanswered: count, moved: count, unknown: count,
    serviceLevel: ratio((rows) => sum(rows, "answeredInTime"), ended, percent),
    abandonment: ratio((rows) => sum(rows, "abandoned"), ended, percent),
    asaMs: ratio((rows) => sum(rows, "waitMs"), (rows) => sum(rows, "answered"), clock),
    maxWaitMs: { show: clock, total: longest },
    waitMs: time, abandonedWaitMs: time, handled: count,
    ahtMs: ratio(spent, (rows) => sum(rows, "handled"), clock),
    talkMs: time, holdMs: time, consultMs: time, wrapUpMs: time, doubtful: count,
  },
  agents: {
    loggedInMs: time,
    // Null where the report is of a queue: nobody knows which agents serve it.
    occupancy: {
      show: percent,
      total: (rows) => rows.every((it) => it.occupancy === null)
        ? null : quotient(work(rows), work(rows) + sum(rows, "statusMs.available")),
    },
    offersAccepted: count, offersRefused: count, handled: count,
    talkMs: time, holdMs: time, consultMs: time, wrapUpMs: time, doubtfulMs: time,
  },
};
const MOMENTS = ["firstLogin", "lastLogout"];

// A figure by its name: also the time in a status or with an idle code, as `statusMs.idle`.
export const figureOf = (report, id) => FIGURES[report][id] ?? (/^(status|idle)Ms\./.test(id) ? time : null);
export const isMoment = (id) => MOMENTS.includes(id);

export function valueOf(row, id) {
  const dot = id.indexOf(".");
  return dot < 0 ? row[id] : (row[id.slice(0, dot)]?.[id.slice(dot + 1)] ?? 0);
}

export const totalOf = (report, rows, id) => figureOf(report, id)?.total(rows, id) ?? null;

// The figures of the rows in their order; of agents also each status and idle code that somebody had.
export function figuresOf(report, rows) {
  const own = Object.keys(FIGURES[report]);
  if (report === "queues") return own;
  const keys = (field) => [...new Set(rows.flatMap((row) => Object.keys(row[field])))];
  const rank = (status) => (AGENT_STATUSES.includes(status) ? AGENT_STATUSES.indexOf(status) : AGENT_STATUSES.length);
  return [
    "loggedInMs", "firstLogin", "lastLogout",
    ...keys("statusMs").sort((a, b) => rank(a) - rank(b)).map((it) => `statusMs.${it}`),
    ...keys("idleMs").sort().map((it) => `idleMs.${it}`),
    ...own.filter((it) => it !== "loggedInMs"),
  ];
}

export const usualInterval = ({ from, to }) => (to - from <= 2 * DAY ? "1h" : "1d");
export const intervalParam = (interval, { from, to }) => (interval === "all" ? Math.max(1000, to - from) : interval);

// The beginnings of the periods, as the service cuts them.
export function periodsOf({ from, to }, interval, zone) {
  const fixed = { "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR }[interval];
  const starts = [from];
  const next = (start) => {
    if (fixed) return start + fixed;
    if (interval === "1d") return midnight(start, zone, 1);
    if (interval === "1w") return midnight(start, zone, 7 - ((new Date(wall(start, zone)).getUTCDay() + 6) % 7));
    return to;
  };
  for (let start = next(from); start < to; start = next(start)) starts.push(start);
  return starts;
}

// A point for each period that is over: [beginning, figure of all its rows]. One that still runs would
// look like a fall. `starts` are of periods up to `to`.
export function pointsOf(report, rows, id, { starts, to }, now) {
  const isOver = (_, index) => (starts[index + 1] ?? to) <= now;
  const byPeriod = new Map(starts.filter(isOver).map((it) => [it, []]));
  for (const row of rows) byPeriod.get(row.from)?.push(row);
  return [...byPeriod].map(([start, own]) => [start, totalOf(report, own, id)]);
}
