// Lanes: which spans of time stand in which line, and where. Pure: it knows no page and no words.
//
// A lane is {key, kind, of, number, spans}. A span is {key, kind, from, to, status, row}: `to` is null
// while it goes on and equals `from` for a moment, `from` is null where the begin is not known, and
// `status` says how it looks.

import { DAY, HOUR, MINUTE, SECOND } from "./format.js";

const TICKS_MS = [
  SECOND, 5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
];
const CLOCK_CHANGE_MS = 2 * HOUR; // no change is longer
const LEDGER_LINES = 3; // of corrections, and of gaps

const span = (kind, row, status, { from = row.from, to = row.to, key = keyOf(kind, row) } = {}) => ({
  key, kind, from, to, status, row,
});
const keyOf = (kind, row) =>
  [kind, row.from, row.to, (kind === "channel" ? row.channelType : (row.taskId ?? row.agentId)) ?? ""].join(" ");

// --- which lanes there are ---

// The rows of an agent's timeline: sign-in, status, the tasks of each channel type, the channel types.
export function agentLanes(rows) {
  const of = (kind) => rows.filter((it) => it.kind === kind);
  const channels = groupBy(of("channel"), (it) => it.channelType);
  return [
    lane("session", of("session").map((it) => span("session", it, "session"))),
    lane("status", of("status").map((it) => span("status", it, it.status))),
    ...legLanes(of("leg")),
    ...[...channels].map(([type, its]) => lane("channel", its.map((it) => span("channel", it, it.state)), type)),
  ];
}

// Legs of one channel type stand in as few lanes as their overlaps allow, each leg in one of them.
function legLanes(rows) {
  const legs = [...groupBy(rows, (it) => it.taskId).values()].flatMap(contiguous).map((its) => ({
    type: its.findLast((it) => it.channelType !== null)?.channelType ?? null, // the first may not tell
    from: its[0].from,
    to: its.at(-1).to,
    rows: its,
  }));
  return [...groupBy(legs, (it) => it.type)].flatMap(([type, its]) =>
    packed(its).map((line, index, lines) =>
      lane(
        "leg",
        line.flatMap((leg) => leg.rows.map((row, at) => ({ ...span("leg", row, row.state), isFirst: at === 0 }))),
        type,
        lines.length > 1 ? index + 1 : null,
      ),
    ),
  );
}

// The rows of a leg, cut where the agent was out of the task for a while.
function contiguous(rows) {
  const parts = [];
  for (const row of rows) {
    const last = parts.at(-1);
    if (last && last.at(-1).to === row.from) last.push(row);
    else parts.push([row]);
  }
  return parts;
}

const FACT_STATUS = { wait: "queued", offer: "offered", contact: "connected" };
const LOST_OUTCOMES = { abandoned: "abandoned", unanswered: "unanswered", refused: "not-responding" };

// The rows of a task's journey: waits, offers, contacts, a lane for each participant, captures.
export function taskLanes(rows, captures) {
  const facts = ["wait", "offer", "contact"].flatMap((kind) => {
    const its = rows.filter((it) => it.kind === kind);
    const spans = its.map((it, index) =>
      span(kind, it, LOST_OUTCOMES[it.outcome] ?? FACT_STATUS[kind], { key: `${kind} ${it.from} ${index}` }));
    return packed(spans).map((line, index, lines) => lane(kind, line, null, lines.length > 1 ? index + 1 : null));
  });
  const agents = groupBy(rows.filter((it) => it.kind === "stretch"), (it) => it.agentId);
  const moments = captures.filter((it) => it.createdTime !== null);
  return [
    ...facts,
    ...[...agents].map(([id, its]) => lane("participant", its.map((it) => span("stretch", it, it.state)), id)),
    lane("capture", moments.map((it, index) =>
      span("capture", it, "capture", { from: it.createdTime, to: it.createdTime, key: `capture ${index}` }))),
  ].filter((it) => it.spans.length > 0);
}

// What was found out about the log: late events, what they corrected, and where something was lost.
export function ledgerLanes({ late, corrections, anomalies }) {
  // What was not over when the late event came was shown otherwise until then.
  const changed = corrections.map((it) =>
    span("correction", it, "correction", {
      to: it.to ?? Math.max(it.from, it.recordedTime), key: `correction ${it.subject} ${it.position} ${it.from}`,
    }));
  const gaps = anomalies.map((it) =>
    span("anomaly", it, "anomaly", { key: `anomaly ${it.subject} ${it.kind} ${it.from} ${it.to}` }));
  const moments = late.map((it) => span("late", it, "late", { from: it.time, to: it.time, key: `late ${it.position}` }));
  return [
    lane("late", moments),
    ...packed(changed, LEDGER_LINES).map((line, index) => lane("correction", line, null, index ? index + 1 : null)),
    ...packed(gaps, LEDGER_LINES).map((line, index) => lane("anomaly", line, null, index ? index + 1 : null)),
  ].filter((it) => it.spans.length > 0);
}

const lane = (kind, spans, of = null, number = null) => ({
  key: [kind, of ?? "", number ?? ""].join(" "), kind, of, number, spans,
});

function groupBy(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (groups.has(key)) groups.get(key).push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

// What overlaps, in as few lines as possible: each goes to the first line that is free. Beyond `most`
// lines the last one takes it all, and the shorter lies on top.
export function packed(spans, most = Infinity) {
  const lines = [];
  for (const it of [...spans].sort((a, b) => (a.from ?? 0) - (b.from ?? 0))) {
    const free = lines.find((line) => {
      const { from, to } = line.at(-1);
      return to !== null && to <= (it.from ?? 0) && from !== it.from;
    });
    if (free) free.push(it);
    else if (lines.length < most) lines.push([it]);
    else lines.at(-1).push(it);
  }
  return lines;
}

// --- where they stand ---

// The part of a span within [from, to), as shares of the width; null where there is none. What goes on
// has lasted until `now`.
export function place(it, { from, to }, now) {
  const begin = it.from ?? Math.min(from, it.to ?? from);
  const end = it.to ?? Math.max(now, begin);
  const isMoment = it.to !== null && end === begin;
  if (begin >= to || end < from || (end === from && begin < from)) return null;
  const left = Math.max(0, (begin - from) / (to - from));
  const width = Math.min(1, (end - from) / (to - from)) - left;
  return {
    left, width, isMoment,
    isCut: (it.from ?? -1) < from ? (end > to ? "both" : "left") : end > to ? "right" : "",
  };
}

// The times of an axis, at most `most` of them, at round hours and minutes of the viewer's zone.
export function ticks({ from, to }, most) {
  const length = to - from;
  const step = TICKS_MS.find((it) => length / it <= most) ?? Math.ceil(length / most / DAY) * DAY;
  const start = new Date(from);
  const [year, month, day] = [start.getFullYear(), start.getMonth(), start.getDate()];
  const midnight = new Date(year, month, day).getTime();
  const times = new Set(); // where clocks change, two steps may be one moment
  for (let index = Math.max(0, Math.floor((from - midnight - CLOCK_CHANGE_MS) / step)); ; index++) {
    const time = new Date(year, month, day, 0, 0, 0, index * step).getTime();
    if (time >= to) return { step, times: [...times] };
    if (time >= from) times.add(time);
  }
}

// Which of a subject's events came late: after an event that happened later. By time.
export function lateEvents(events) {
  const late = [];
  let first = Infinity; // the first position of those that happened later
  let tick = []; // the events of one time
  for (const event of [...events].sort((a, b) => b.time - a.time)) {
    if (tick.length && tick[0].time !== event.time) {
      first = Math.min(first, ...tick.map((it) => it.position));
      tick = [];
    }
    tick.push(event);
    if (event.position > first) late.push(event);
  }
  return late.reverse();
}
