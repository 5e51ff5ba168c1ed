// What the log and its ledgers say of one agent or task: its events, what came late and changed what
// had been shown, and where something is missing.

import { mergeNames, rows } from "./api.js";
import { lateEvents } from "./lane-layout.js";

const EVENTS_AT_MOST = 5_000;
const LEDGER_AT_MOST = 1_000;

// `subject`: {kind, id, orgId}; `span`: {from, to}, or null for all that there is; `times` as of which.
// Anomalies have no times of knowledge: they are those that are known now.
export async function readTimeline(subject, span, times, signal) {
  const from = span?.from;
  const to = times ? Math.min(span?.to ?? Infinity, times.at + 1) : span?.to;
  const params = { ...ofSubject(subject), from, to, names: true };
  const [events, corrections, anomalies] = await Promise.all([
    rows("/api/v1/events", { ...params, recordedTo: times?.knownAt }, { signal, atMost: EVENTS_AT_MOST }),
    rows("/api/v1/corrections", params, { signal, atMost: LEDGER_AT_MOST }),
    rows("/api/v1/anomalies", params, { signal, atMost: LEDGER_AT_MOST }),
  ]);
  const names = {};
  for (const answer of [events, corrections, anomalies]) mergeNames(names, answer.names);
  const known = corrections.data.filter((it) => !times?.knownAt || it.recordedTime <= times.knownAt);
  const late = lateEvents(events.data);
  return {
    names,
    events: events.data,
    isCut: events.isCut,
    corrections: known,
    anomalies: anomalies.data,
    late,
    latePositions: new Set(late.map((it) => it.position)),
  };
}

const ofSubject = ({ kind, id, orgId }) => ({ orgId, [`${kind}Id`]: id });

// The events of a subject of one millisecond, such as the one that began a span.
export async function eventsAt(subject, time, signal) {
  const answer = await rows("/api/v1/events", { ...ofSubject(subject), from: time, to: time + 1 }, { signal, atMost: 100 });
  return answer.data;
}
