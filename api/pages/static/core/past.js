// The floor as of two times, read by the public lists: what had happened by `at`, as known at `knownAt`.

import { get, mergeNames, rows } from "./api.js";
import { now } from "./clock.js";
import { keyOf } from "./names.js";

const AGENTS_AT_MOST = 5_000;
const TASKS_AT_MOST = 5_000;

export async function floorAt({ at, knownAt }, signal) {
  const times = { at, knownAt, names: true };
  const [agents, tasks] = await Promise.all([
    rows("/api/v1/agents", times, { signal, atMost: AGENTS_AT_MOST }),
    rows("/api/v1/tasks", { ...times, open: true }, { signal, atMost: TASKS_AT_MOST }),
  ]);
  return {
    at, knownAt, agents: agents.data, tasks: tasks.data, isCut: agents.isCut || tasks.isCut,
    names: mergeNames(mergeNames({}, agents.names), tasks.names),
  };
}

// What a supervisor reads of an agent: if two knowledges differ in it, the row is marked.
const READ = ["status", "currentState", "taskId", "queueId", "idleCodeId", "loggedIn", "teamId"];

// The agents that two knowledges of one time show differently: key to {fields, other}; a null `other`
// was not known.
export function differences(shown, other) {
  const found = new Map();
  const others = new Map(other.map((it) => [keyOf(it), it]));
  for (const agent of shown) {
    const before = others.get(keyOf(agent)) ?? null;
    others.delete(keyOf(agent));
    const fields = before === null ? ["status"] : READ.filter((name) => before[name] !== agent[name]);
    if (fields.length) found.set(keyOf(agent), { fields, other: before });
  }
  for (const [key, agent] of others) found.set(key, { fields: ["status"], other: agent, isMissing: true });
  return found;
}

// What tells two knowledges of an agent at a moment apart: the events of the time up to it that were
// recorded in between, and the corrections that they made.
// A knowledge that is null is that of today.
export async function learnedBetween(agent, at, known, signal) {
  const times = known.map((it) => it ?? now());
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const of = { orgId: agent.orgId, agentId: agent.agentId };
  const [events, corrections] = await Promise.all([
    get("/api/v1/events", { ...of, to: at + 1, recordedFrom: from + 1, recordedTo: to, limit: 100 }, { signal }),
    get("/api/v1/corrections", { ...of, from: at, to: at + 1, limit: 100 }, { signal }),
  ]);
  return {
    events: events.data,
    corrections: corrections.data.filter((it) => it.recordedTime > from && it.recordedTime <= to),
  };
}
