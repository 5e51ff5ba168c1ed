// The agents of the floor: a row each, with what a supervisor asks first.

import { html } from "../core/dom.js";
import { Moment, Since } from "../core/format.js";
import { isSortable, otherInteractions, reasonOf, shownInteraction } from "../core/floor.js";
import { agentHref, keyOf, Named, taskHref } from "../core/names.js";
import { Shape, Status } from "../core/status.js";
import { t, word } from "../core/texts.js";
import { areMarked, Mark } from "./provisional.js";
import { Table } from "./table.js";

export const COLUMNS = ["name", "status", "time", "reason", "team", "queue", "task", "others", "channels", "event"];

// `floor`: {names, now, marks, areMarked}; `marks` says which agents two knowledges show differently,
// `areMarked` whether provisional ones are marked.
function cells(floor, onWhy) {
  const { names, now, params } = floor;
  return {
    organisation: (agent) => html`<bdi class="id" title=${agent.orgId}>${agent.orgId}</bdi>`,
    name: (agent) => html`<${Named} names=${names} kind="agent" id=${agent.agentId} href=${`${agentHref(agent.agentId, agent.orgId)}${params}`} />`,
    status: (agent) => html`<button type="button" class="plain" title=${t("floor.why")} onClick=${() => onWhy(agent)}>
      <${Status} status=${agent.status} /></button>
      ${floor.areMarked && html`<${Mark} row=${agent} />`}
      ${agent.anomalyCount > 0 && html`<span class="odd" title=${t("floor.anomalies", { count: agent.anomalyCount })} aria-label=${t("floor.anomalies", { count: agent.anomalyCount })}>!</span>`}
      ${floor.marks?.has(agent) && html`<button type="button" class="mark" onClick=${() => floor.marks.open(agent)}>${floor.marks.text(agent)}</button>`}`,
    time: (agent) => html`<${Since} time=${agent.statusSince} now=${now} />`,
    reason: (agent) => html`<bdi>${reasonOf(agent, names) ?? ""}</bdi>`,
    team: (agent) => html`<${Named} names=${names} kind="team" id=${agent.teamId} />`,
    queue: (agent) => html`<${Named} names=${names} kind="queue" id=${agent.queueId} />`,
    task: (agent) => agent.taskId !== null && html`<a href=${`${taskHref(agent.taskId, agent.orgId)}${params}`} class="id" title=${agent.taskId}>
      ${word("channel", shownInteraction(agent)?.channelType ?? t("channel.none"))}</a>`,
    others: (agent) => otherInteractions(agent).map((it) => html`<a key=${it.taskId} href=${`${taskHref(it.taskId, agent.orgId)}${params}`} class="interaction" title=${it.taskId}>
      <${Shape} status=${it.state} /> ${word("channel", it.channelType ?? t("channel.none"))} ${word("status", it.state)}</a> `),
    channels: (agent) => Object.entries(agent.channels).map(([type, it]) => html`<span key=${type} class="channel" title=${`${word("channel", type)}: ${word("status", it.currentState)}`}>
      <${Shape} status=${it.currentState} /> ${word("channel", type)}<span class="hidden">: ${word("status", it.currentState)}</span></span> `),
    event: (agent) => agent.lastEvent && html`<${Moment} time=${agent.lastEvent.createdTime ?? agent.lastEvent.recordedTime} />`,
  };
}

const ALIGN = { time: "number", event: "number" };

export function AgentsTable({ floor, agents, columns, sort, onSort, onWhy, levelOf, severalOrganisations }) {
  const draw = cells({ ...floor, areMarked: areMarked(agents) }, onWhy);
  const shown = severalOrganisations ? ["organisation", ...columns] : columns;
  return html`<${Table}
    label=${t("floor.agents")}
    columns=${shown.map((id) => ({
      id, title: t(`column.${id}`), cell: draw[id], align: ALIGN[id], isHead: id === "name", sortable: isSortable(id),
    }))}
    rows=${agents}
    keyOf=${keyOf}
    rowClass=${(agent) => [levelOf(agent), floor.marks?.has(agent) && "differs", !agent.loggedIn && "away-row"].filter(Boolean).join(" ")}
    sort=${sort} onSort=${onSort} />`;
}
