// What is different in a report between two moments of knowledge, and the events that made it so.

import { query, setQuery } from "../../core/address.js";
import { now } from "../../core/clock.js";
import { html, useSignal } from "../../core/dom.js";
import { HOUR, Moment } from "../../core/format.js";
import { agentHref, Named, taskHref } from "../../core/names.js";
import { figureOf, isMoment } from "../../core/reports.js";
import { t } from "../../core/texts.js";
import { midnight, momentIn } from "../../core/zones.js";
import { Download } from "../../parts/download.js";
import { Paged, usePaged } from "../../parts/paged.js";
import { EventBody, Panel } from "../../parts/panel.js";
import { MomentField } from "../../parts/span.js";
import { Empty } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { fileName, Period, titleOf, whoseColumns } from "./report.js";

const STEP = 100; // rows that are read at once: the service looks for the events behind each of them
const MAILED_HOUR = 18; // when reports of a day are usually sent

export function Differences({ scene }) {
  const { report, span, zone, asked, directory } = scene;
  const [earlier, later] = momentsOf(span);
  const open = useSignal(null);
  const question = { ...asked, report, knownAt: [earlier, later] };
  const to = "/api/v1/reports/differences";
  const list = usePaged(to, { ...question, names: true }, { step: STEP });
  const set = (first, second) => setQuery({ knownAt: [first ?? earlier, second] });
  const names = list.names;
  const figures = (list.rows ?? []).flatMap((row) => {
    const changes = Object.entries(row.changes).filter(([id, change]) => isVisible(report, id, change, zone));
    const isSaid = changes.length > 0 || kindOf(row) === "changed";
    return (isSaid ? changes : [[null, null]]).map(([id, change]) => ({ row, id, change }));
  });
  const visible = new Set(figures.map(({ row }) => row)).size;
  const columns = [
    { id: "from", title: t("reports.period"), align: "wide", isHead: true, cell: ({ row }) => html`<${Period} row=${row} zone=${zone} />` },
    ...whoseColumns(report, names).filter((it) => it.id !== "team").map((it) => ({ ...it, cell: ({ row }) => it.cell(row) })),
    { id: "row", title: t("differences.row"), cell: ({ row }) => t(`differences.${kindOf(row)}`) },
    { id: "figure", title: t("reports.figure"), cell: ({ id }) => id && titleOf(report, id, names, directory) },
    ...["before", "after", "difference"].map((field) => ({
      id: field, title: t(`differences.${field}`), align: "number",
      cell: ({ id, change }) => change && shown(report, id, change[field], zone, field === "difference"),
    })),
    { id: "why", title: t("differences.why"), cell: ({ row }) => html`<button type="button" class="link"
      onClick=${() => (open.value = row)}>${row.byTime ? t("differences.by-time") : t("differences.corrections", { count: row.correctionCount })}</button>` },
  ];
  return html`
    <div class="bar">
      <${MomentField} name="earlier" label=${t("differences.earlier")} time=${earlier} zone=${zone}
        onChange=${(time) => set(time, later)} />
      <${MomentField} name="later" label=${t("differences.later")} time=${later} zone=${zone}
        onChange=${(time) => set(earlier, time)} />
      ${usualMoments(span, zone).map(({ id, time }) => html`<button key=${id} type="button" class="secondary"
        onClick=${() => set(time, null)}>${t(`differences.${id}`)}</button>`)}
    </div>
    <p class="note-line">${t(later === null ? "differences.compared-now" : "differences.compared", {
      earlier: momentIn(earlier, zone), later: momentIn(later, zone) })}</p>
    <${Download} to=${to} params=${question} name=${`differences-${fileName(report, span, zone)}`} />
    <${Paged} list=${list} what=${t("differences.loading")}>${(rows) => visible === 0
      ? html`<${Empty} title=${t(rows.length === 0 ? "differences.none" : "differences.too-small")} />`
      : html`<h2>${list.isWhole ? t("differences.title", { count: visible }) : t("reports.differences")}</h2>
        <${Table} label=${t("reports.differences")} columns=${columns} rows=${figures}
          keyOf=${({ row, id }) => [row.from, row.orgId, row.queueId, row.channelType, row.agentId, id].join("\n")} />`}<//>
    ${open.value && html`<${Why} row=${open.value} names=${names} onClose=${() => (open.value = null)} />`}`;
}

const kindOf = (row) => (!row.existed ? "new" : !row.exists ? "gone" : "changed");

// The two moments of the address; without one, as it was known when the span had ended.
function momentsOf(span) {
  const given = query.value.getAll("knownAt").map(Number).filter((it) => Number.isSafeInteger(it) && it > 0);
  if (given.length) return [given[0], given[1] ?? null];
  const hour = Math.floor((now() - HOUR) / HOUR) * HOUR;
  return [Math.min(span.to, hour), null];
}

function usualMoments(span, zone) {
  const moments = [
    { id: "at-end", time: span.to },
    { id: "mailed", time: midnight(now(), zone, -1) + MAILED_HOUR * HOUR },
    { id: "hour-ago", time: Math.floor(now() / 60_000) * 60_000 - HOUR },
  ];
  return moments.filter((it) => it.time < now());
}

function shown(report, id, value, zone, isDifference) {
  if (value === null || value === undefined) return html`<span class="none">–</span>`;
  const figure = figureOf(report, id);
  if (isMoment(id) && !isDifference) return momentIn(value, zone);
  const text = figure || isMoment(id) ? (figure ?? figureOf(report, "loggedInMs")).show(value) : String(value);
  return isDifference && value > 0 ? `+${text}` : text;
}

// A figure that differs by nothing, such as 0 in a row that is new, or by less than is shown says nothing.
function isVisible(report, id, { before, after, difference }, zone) {
  if (difference === 0) return false;
  const [one, other] = [before, after].map((it) => shown(report, id, it, zone, false));
  return typeof one !== "string" || typeof other !== "string" || one !== other;
}

function Why({ row, names, onClose }) {
  const open = useSignal(null);
  const rest = row.correctionCount - row.corrections.length;
  return html`<${Panel} title=${t("differences.why")} onClose=${onClose}>
    ${row.byTime && html`<p>${t("differences.by-time-hint")}</p>`}
    <ul class="corrections">${row.corrections.map((it) => html`<li key=${`${it.position} ${it.agentId} ${it.taskId}`}>
      <p><strong><${Subject} of=${it} orgId=${row.orgId} names=${names} /></strong>
        <small> ${t("event.recorded")} <${Moment} time=${it.recordedTime} withDate /></small></p>
      ${it.events.map((event) => html`<p key=${event.position}><button type="button" class="link"
        onClick=${() => (open.value = event.position)}><code>${event.type}</code>, <${Moment} time=${event.time} ms /></button></p>`)}
      ${it.events.some((event) => event.position === open.value) && html`<${EventBody} position=${open.value} />`}
    </li>`)}</ul>
    ${rest > 0 && html`<p>${t("differences.more", { count: rest })}</p>`}
  <//>`;
}

function Subject({ of: { agentId, taskId }, orgId, names }) {
  if (agentId !== null) return html`<${Named} names=${names} kind="agent" id=${agentId} href=${agentHref(agentId, orgId)} />`;
  if (taskId === null) return t("differences.hidden");
  return html`${t("page.task")} <a class="id" href=${taskHref(taskId, orgId)} title=${taskId}>${taskId}</a>`;
}
