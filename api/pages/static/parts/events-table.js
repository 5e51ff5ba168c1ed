// The events of an agent or a task: by time or in the order of recording, late ones marked.

import { query, setQuery } from "../core/address.js";
import { dayName } from "../core/days.js";
import { html, useMemo } from "../core/dom.js";
import { duration, Moment, number } from "../core/format.js";
import { agentHref, Named, taskHref } from "../core/names.js";
import { t } from "../core/texts.js";
import { Empty, Failure } from "./states.js";
import { Table } from "./table.js";

// `log`: the load of core/subject-log.js.
export function Events({ log, shown, isZoomed, names, subject, times, onOpen, openKey }) {
  const order = query.value.get("order") === "recorded" ? "recorded" : "created";
  const found = log.value;
  const events = useMemo(() => {
    const inSpan = (found?.events ?? []).filter((it) => !isZoomed || (it.time >= shown.from && it.time < shown.to));
    return order === "recorded" ? inSpan.sort((a, b) => a.position - b.position) : inSpan;
  }, [found, order, isZoomed && shown.from, isZoomed && shown.to]);
  const other = subject.kind === "agent" ? "task" : "agent";
  const columns = [
    { id: "time", title: t("event.happened"), align: "number", isHead: true, cell: (it) => html`<button type="button" class="link" onClick=${() => onOpen(it)}>
      <${Moment} time=${it.time} ms withDate=${dayName(it.time) !== dayName(shown.from)} /></button>` },
    { id: "type", title: t("event.type"), cell: (it) => html`<code>${it.type}</code>` },
    { id: "other", title: t(other === "task" ? "column.task" : "column.name"), cell: (it) => (other === "task"
      ? it.taskId && html`<a class="id" title=${it.taskId} href=${taskHref(it.taskId, it.orgId, times)}>${it.taskId}</a>`
      : it.agentId && html`<${Named} names=${names} kind="agent" id=${it.agentId} href=${agentHref(it.agentId, it.orgId, times)} />`) },
    { id: "recorded", title: t("event.recorded"), cell: (it) => html`<small>${t("event.later", { duration: duration(it.recordedTime - it.time) })}</small>
      ${found.latePositions.has(it.position) && html` <span class="tag late">${t("effect.late")}</span>`}
      ${it.origin !== "webhook" && html` <span class="tag">${t(`origin.${it.origin}`)}</span>`}
      ${it.restates !== null && html` <span class="tag">${t("effect.restatement")}</span>`}` },
    { id: "position", title: t("event.position"), align: "number", cell: (it) => it.position },
  ];
  return html`<section aria-labelledby="events">
    <h2 id="events">${t("lanes.events")} <span class="total">${found && number(events.length)}</span></h2>
    <div class="bar"><label class="inline">${t("lanes.order")}
      <select onChange=${(event) => setQuery({ order: event.target.value === "recorded" ? "recorded" : null })}>
        ${["created", "recorded"].map((it) => html`<option key=${it} value=${it} selected=${it === order}>${t(`order.${it}`)}</option>`)}
      </select></label>
      ${found?.latePositions.size > 0 && html`<span class="tag late">${t("lanes.late-count", { count: found.latePositions.size })}</span>`}
    </div>
    ${log.error && html`<${Failure} error=${log.error} retry=${log.reload} />`}
    ${found?.isCut && html`<p class="note-line">${t("lanes.events-cut", { count: found.events.length })}</p>`}
    ${found && events.length === 0 && html`<${Empty} title=${t("lanes.no-events")} />`}
    ${events.length > 0 && html`<${Table} label=${t("lanes.events")} columns=${columns} rows=${events} keyOf=${(it) => it.position}
      rowClass=${(it) => (found.latePositions.has(it.position) ? "late-row" : "")} onRow=${onOpen} openKey=${openKey} />`}
  </section>`;
}
