// Tasks as their page shows them: which ones a filter leaves, and their order. Pure.

import { nameOf } from "./names.js";
import { TASK_STATUSES } from "./status.js";

// Which tasks: those that are open are kept live; the others are read when they are asked for.
export const WHICH = ["open", "over", "stale", "all"];
const ASKED = { open: { open: true }, over: { open: false, stale: false }, stale: { stale: true }, all: {} };
// The filters of the page, as the address and the API have them.
export const FILTERS = ["orgId", "status", "queueId", "channelType", "direction", "agentId"];

export function choiceOf(params) {
  const which = WHICH.includes(params.get("show")) ? params.get("show") : "open";
  const filters = Object.fromEntries(FILTERS.map((name) => [name, params.getAll(name)]));
  return { which, filters, text: (params.get("q") ?? "").trim().toLowerCase() };
}

export const paramsOf = ({ which, filters }) => ({ ...ASKED[which], ...filters });

const fits = (values, value) => values.length === 0 || values.includes(value ?? "");

export const fitsFilters = (task, filters) =>
  fits(filters.orgId, task.orgId) &&
  fits(filters.status, task.status) &&
  fits(filters.queueId, task.queueId) &&
  fits(filters.channelType, task.channelType) &&
  fits(filters.direction, task.direction) &&
  (filters.agentId.length === 0 || task.participants.some((it) => filters.agentId.includes(it.agentId)));

export const fitsText = (task, text, names) => text === "" || textOf(task, names).includes(text);

const textOf = (task, names) =>
  [
    task.taskId, task.origin, task.destination, task.queueId, nameOf(names, "queue", task.queueId),
    ...task.participants.flatMap((it) => [it.agentId, nameOf(names, "agent", it.agentId)]),
  ]
    .join("\n")
    .toLowerCase();

// Ids of this length are shown by their beginning.
const WHOLE_ID = 13;
export const shortId = (id) => (id.length <= WHOLE_ID ? id : `${id.slice(0, 8)}…`);

const rank = (status) => (TASK_STATUSES.indexOf(status) + TASK_STATUSES.length + 1) % (TASK_STATUSES.length + 1);
const SORT_KEYS = {
  organisation: (task) => task.orgId,
  task: (task) => task.taskId,
  channel: (task) => task.channelType ?? "",
  direction: (task) => task.direction ?? "",
  status: (task) => rank(task.status),
  time: (task) => task.stateSince ?? Infinity,
  waiting: (task) => task.waitingSince ?? Infinity,
  queue: (task, names) => (task.queueId === null ? "" : nameOf(names, "queue", task.queueId).toLowerCase()),
  participants: (task) => -openOnes(task).length,
  offers: (task) => -task.counts.offers,
  rona: (task) => -task.counts.rona,
  created: (task) => -(task.createdTime ?? 0),
};
const openOnes = (task) => task.participants.filter((it) => it.open);

export const sortOf = (params) => {
  const text = params.get("sort") ?? "waiting";
  const id = text.replace(/^-/, "");
  return { id: id in SORT_KEYS ? id : "waiting", descending: text.startsWith("-") };
};

// By the chosen column, then by creation and id: so rows that are alike keep their places.
export function inOrder(tasks, sort, names) {
  const key = SORT_KEYS[sort.id];
  const sign = sort.descending ? -1 : 1;
  return tasks
    .map((task) => [key(task, names), task])
    .sort(([a, one], [b, other]) => sign * compare(a, b) ||
      compare(SORT_KEYS.created(one), SORT_KEYS.created(other)) || compare(one.taskId, other.taskId))
    .map(([, task]) => task);
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
