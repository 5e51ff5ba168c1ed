// The floor as the page shows it: which rows a filter leaves, their order, and what tiles count. Pure.

import { AGENT_STATUSES, statusRank } from "./status.js";
import { keyOf, nameOf } from "./names.js";

const ATTENTION = "attention"; // the order that nobody has to choose

// The filters of the floor, as the address has them.
export const FILTERS = ["orgId", "teamId", "queueId", "channelType", "status"];

export function filtersOf(query) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.getAll(name)]));
  return { ...filters, text: (query.get("q") ?? "").trim().toLowerCase() };
}

const fits = (values, value) => values.length === 0 || values.includes(value ?? "");

export function fitsAgent(agent, filters, names) {
  return (
    fits(filters.orgId, agent.orgId) &&
    fits(filters.teamId, agent.teamId) &&
    fits(filters.status, agent.status) &&
    (filters.queueId.length === 0 ||
      [agent.queueId, ...agent.interactions.map((it) => it.queueId)].some((it) => filters.queueId.includes(it))) &&
    (filters.channelType.length === 0 ||
      channelTypesOf(agent).some((it) => filters.channelType.includes(it))) &&
    (filters.text === "" || textOf(agent, names).includes(filters.text))
  );
}

// The teams of agents by organization and id.
export const teamsOf = (agents) => new Map(agents.map((it) => [keyOf(it), it.teamId]));

// A task is a team's where one of its agents takes part in it, as for the service's own figures.
export function fitsTask(task, filters, teams) {
  return (
    fits(filters.orgId, task.orgId) && fits(filters.queueId, task.queueId) && fits(filters.channelType, task.channelType) &&
    (filters.teamId.length === 0 ||
      task.participants.some((it) => filters.teamId.includes(teams.get(keyOf({ orgId: task.orgId, agentId: it.agentId })))))
  );
}

const channelTypesOf = (agent) => [
  ...Object.keys(agent.channels),
  ...agent.interactions.map((it) => it.channelType).filter(Boolean),
];

function textOf(agent, names) {
  return [
    nameOf(names, "agent", agent.agentId),
    agent.agentId,
    nameOf(names, "team", agent.teamId),
    agent.taskId,
    nameOf(names, "queue", agent.queueId),
    reasonOf(agent, names),
  ]
    .join("\n")
    .toLowerCase();
}

export const reasonOf = (agent, names) =>
  agent.status === "idle" ? (agent.idleCodeName ?? nameOf(names, "idleCode", agent.idleCodeId)) : null;

// The task that the status is of, where the agent is in it.
export const shownInteraction = (agent) => agent.interactions.find((it) => it.taskId === agent.taskId) ?? null;

export const otherInteractions = (agent) => agent.interactions.filter((it) => it.taskId !== agent.taskId);

const SORT_KEYS = {
  name: (agent, names) => nameOf(names, "agent", agent.agentId).toLowerCase(),
  status: (agent) => statusRank(agent.status),
  time: (agent) => -(agent.statusSince ?? Infinity),
  reason: (agent, names) => reasonOf(agent, names) ?? "",
  team: (agent, names) => (agent.teamId === null ? "" : nameOf(names, "team", agent.teamId).toLowerCase()),
  queue: (agent, names) => (agent.queueId === null ? "" : nameOf(names, "queue", agent.queueId).toLowerCase()),
  others: (agent) => agent.interactions.length,
  event: (agent) => agent.lastEvent?.createdTime ?? agent.lastEvent?.recordedTime ?? 0,
  organisation: (agent) => agent.orgId,
};

const LEVELS = ["red", "amber"];

export const isSortable = (id) => id in SORT_KEYS;

export const sortOf = (query) => {
  const text = query.get("sort") ?? ATTENTION;
  return { id: text.replace(/^-/, ""), descending: text.startsWith("-") };
};

// By the chosen column, then by name: so rows that are alike keep their places. Who is logged out comes
// last. By attention: red rows, then amber ones, then the others by status.
export function inOrder(agents, sort, names, levelOf) {
  const sign = sort.descending ? -1 : 1;
  const key = SORT_KEYS[sort.id] ?? ((agent) => attention(levelOf(agent)) * 100 + statusRank(agent.status));
  return agents
    .map((agent) => [key(agent, names), SORT_KEYS.name(agent, names), agent])
    .sort(([a, an, one], [b, bn, other]) =>
      other.loggedIn - one.loggedIn || sign * compare(a, b) || compare(an, bn) || compare(one.agentId, other.agentId))
    .map(([, , agent]) => agent);
}

const attention = (level) => (LEVELS.includes(level) ? LEVELS.indexOf(level) : LEVELS.length);

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// [status, number] of each status that agents usually have, also where nobody has it, so that nothing
// moves when somebody gets it; of others where somebody has one.
export function countsByStatus(agents) {
  const counts = new Map(AGENT_STATUSES.filter((it) => it !== "unknown").map((it) => [it, 0]));
  for (const { status } of agents) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => statusRank(a) - statusRank(b) || compare(a, b));
}

// The tasks that wait, by organisation, queue and channel type; the longest wait first.
export function waitingByQueue(tasks) {
  const queues = new Map();
  for (const task of tasks) {
    if (task.waitingSince === null) continue;
    const key = `${task.orgId}\n${task.queueId}\n${task.channelType}`;
    const queue = queues.get(key) ?? {
      key, orgId: task.orgId, queueId: task.queueId, channelType: task.channelType, waiting: 0, since: Infinity, taskId: null,
    };
    queue.waiting += 1;
    if (task.waitingSince < queue.since) Object.assign(queue, { since: task.waitingSince, taskId: task.taskId });
    queues.set(key, queue);
  }
  return [...queues.values()].sort((a, b) => a.since - b.since || compare(a.key, b.key));
}
