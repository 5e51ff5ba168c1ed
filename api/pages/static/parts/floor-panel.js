// The panel of the floor: why an agent is shown so, what a late event made of it, what a figure counts.

import { href } from "../core/address.js";
import { html } from "../core/dom.js";
import { useLoad } from "../core/load.js";
import { nameOf } from "../core/names.js";
import { learnedBetween } from "../core/past.js";
import { t } from "../core/texts.js";
import { FigurePanel } from "./figure-panel.js";
import { Corrections, EventList, Explanation, Panel } from "./panel.js";
import { QueuesTable } from "./queues-table.js";
import { Loaded } from "./states.js";

export function FloorPanel({ panel, floor, summary, span, filters, queues, levelOfQueue }) {
  const onClose = () => (panel.value = null);
  const open = panel.value;
  const times = { at: floor.times?.at, knownAt: floor.times?.knownAt };
  if (open === null) return null;
  if (open.kind === "why" || open.kind === "difference") {
    const { agent } = open;
    const title = nameOf(floor.names, "agent", agent.agentId);
    return html`<${Panel} title=${title} onClose=${onClose}>
      ${open.kind === "difference" && html`<h3>${t("floor.correction")}</h3>
        <${Learned} agent=${agent} at=${floor.now} known=${floor.known} />`}
      <h3>${t("explain.title")}</h3>
      <${Explanation} kind="agents" id=${agent.agentId} orgId=${agent.orgId} times=${times} />
    <//>`;
  }
  if (open.id === "waiting" || open.id === "longestWait") {
    return html`<${Panel} title=${t(`figure.${open.id}`)} onClose=${onClose}>
      <p>${t(`formula.${open.id}`)}</p>
      <${QueuesTable} queues=${queues} names=${floor.names} now=${floor.now} levelOf=${levelOfQueue} params=${floor.params} />
      <p><a href=${href("/tasks", { ...times, queueId: filters.queueId, channelType: filters.channelType })}>${t("floor.to-tasks")}</a></p>
      <p><a href=${href("/tasks", { ...times, show: "stale" })}>${t("floor.to-stale")}</a></p>
    <//>`;
  }
  return html`<${FigurePanel} id=${open.id} summary=${summary.value} span=${span} times=${times} filters=${filters} onClose=${onClose} />`;
}

function Learned({ agent, at, known }) {
  const load = useLoad((signal) => learnedBetween(agent, at, known, signal), [agent.agentId, at, ...known]);
  return html`<${Loaded} load=${load}>${({ events, corrections }) => html`
    ${corrections.length > 0 && html`<${Corrections} rows=${corrections} />`}
    ${corrections.length === 0 && html`<p>${t("floor.only-later")}</p><${EventList} rows=${events} />`}`}<//>`;
}
