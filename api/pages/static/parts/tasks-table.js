// Tasks, a row each; the row leads to the task.

import { go } from "../core/address.js";
import { html } from "../core/dom.js";
import { Moment, number, Since } from "../core/format.js";
import { agentHref, Named, nameOf, taskHref } from "../core/names.js";
import { Shape, Status } from "../core/status.js";
import { shortId } from "../core/tasks.js";
import { t, word } from "../core/texts.js";
import { areMarked, Mark } from "./provisional.js";
import { Table } from "./table.js";

export const COLUMNS = [
  "task", "channel", "direction", "status", "time", "waiting", "queue", "participants", "offers", "rona", "created",
];
const ALIGN = { time: "number", waiting: "number", offers: "number", rona: "number", created: "number", participants: "wide" };
const PARTICIPANTS_SHOWN = 3;

// `scene`: {names, now, times}; `times` are added to the links, so that they lead to the same moment.
function cells({ names, now, times }, marked) {
  return {
    organisation: (task) => html`<bdi class="id" title=${task.orgId}>${task.orgId}</bdi>`,
    task: ({ taskId, orgId }) => html`<a href=${withTimes(taskHref(taskId, orgId), times)} title=${taskId}>
      <bdi>${shortId(taskId)}</bdi></a>`,
    channel: (task) => word("channel", task.channelType ?? t("channel.none")),
    direction: (task) => (task.direction === null ? "" : word("direction", task.direction)),
    status: (task) => html`<${Status} status=${task.status} />
      ${task.stale && html`<span class="odd" title=${t("tasks.stale-hint")}>${t("tasks.stale")}</span>`}
      ${marked && html`<${Mark} row=${task} />`}
      ${task.anomalyCount > 0 && html`<${Odd} text=${t("floor.anomalies", { count: task.anomalyCount })} />`}`,
    time: (task) => task.open
      ? html`<${Since} time=${task.stateSince} now=${now} />`
      : html`<${Moment} time=${task.stateSince} />`,
    waiting: (task) => task.waitingSince !== null && html`<${Since} time=${task.waitingSince} now=${now} />`,
    queue: (task) => html`<${Named} names=${names} kind="queue" id=${task.queueId} />`,
    participants: (task) => html`<${Participants} task=${task} names=${names} times=${times} />`,
    offers: (task) => number(task.counts.offers),
    rona: (task) => number(task.counts.rona),
    created: (task) => html`<${Moment} time=${task.createdTime} />`,
  };
}

const Odd = ({ text }) => html`<span class="odd" title=${text} aria-label=${text}>!</span>`;

// Those who take part first; of the others some are told on hover.
function Participants({ task, names, times }) {
  const all = [...task.participants].sort((a, b) => Number(b.open) - Number(a.open));
  const [shown, rest] = [all.slice(0, PARTICIPANTS_SHOWN), all.slice(PARTICIPANTS_SHOWN)];
  return html`${shown.map((it) => html`<span key=${it.agentId} class="participant ${it.open ? "" : "gone"}">
      <${Shape} status=${it.state} />
      <${Named} names=${names} kind="agent" id=${it.agentId} href=${withTimes(agentHref(it.agentId, task.orgId), times)} />
      <small>${word("status", it.state)}</small></span> `)}
    ${rest.length > 0 && html`<span title=${rest.map((it) => nameOf(names, "agent", it.agentId)).join(", ")}>+${rest.length}</span>`}`;
}

export function withTimes(to, times) {
  if (!times) return to;
  const text = new URLSearchParams(Object.entries(times).filter(([, value]) => value !== null)).toString();
  return `${to}${to.includes("?") ? "&" : "?"}${text}`;
}

export function TasksTable({ scene, tasks, columns, sort, onSort, severalOrganisations }) {
  const draw = cells(scene, areMarked(tasks));
  const shown = severalOrganisations ? ["organisation", ...columns] : columns;
  const open = (task) => {
    const [to, text] = withTimes(taskHref(task.taskId, task.orgId), scene.times).split("?");
    go(to, new URLSearchParams(text));
  };
  return html`<${Table}
    label=${t("page.tasks")}
    columns=${shown.map((id) => ({ id, title: t(`column.${id}`), cell: draw[id], align: ALIGN[id], isHead: id === "task" }))}
    rows=${tasks}
    keyOf=${(task) => `${task.orgId}\n${task.taskId}`}
    rowClass=${(task) => (task.open ? "linked" : "linked away-row")}
    sort=${sort} onSort=${onSort} onRow=${open} />`;
}
