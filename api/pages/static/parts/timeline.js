// The timeline of an agent or a task: its lanes, the same spans as a table, and its events.

import { query, setQuery } from "../core/address.js";
import { dayName } from "../core/days.js";
import { html, useMemo, useSignal } from "../core/dom.js";
import { duration, Moment, moment, number } from "../core/format.js";
import { ledgerLanes, place } from "../core/lanes.js";
import { agentHref, Named, nameOf, taskHref } from "../core/names.js";
import { Status } from "../core/status.js";
import { t, word } from "../core/texts.js";
import { Lanes, ZoomBar } from "./lanes.js";
import { EventBody, Panel } from "./panel.js";
import { reason, SpanPanel } from "./span-panel.js";
import { Empty, Failure } from "./states.js";
import { Table } from "./table.js";

// Which words are of statuses, and which are of kinds.
const OF_STATUS = new Set(["status", "leg", "channel", "stretch"]);

const ALWAYS_SHOWN = new Set(["session", "status"]);

const zoomTo = ({ from, to }) => setQuery({ from, to }, { replace: false });
const zoomOut = () => setQuery({ from: null, to: null }, { replace: false });

// `subject`: {kind, id, orgId}; `lanes`: of core/lanes.js; `log`: the load of core/timeline.js;
// `scene`: {shown, isZoomed, now, names, times}. `children` stand beside the tables.
export function Timeline({ subject, lanes, log, scene, whole, lookedFrom, lookedTo, children }) {
  const { shown, isZoomed, now, times } = scene;
  const panel = useSignal(null);
  const found = log.value;
  const names = useMemo(() => merged(scene.names, found?.names), [scene.names, found]);
  const all = useMemo(() => [...lanes, ...(found ? ledgerLanes(found) : [])], [lanes, found]);
  const inSight = useMemo(
    () => all.map((lane) => ({ ...lane, spans: lane.spans.filter((it) => place(it, shown, now)) }))
      .filter((lane) => lane.spans.length > 0 || ALWAYS_SHOWN.has(lane.kind)),
    [all, shown.from, shown.to],
  );
  const spans = useMemo(() => inSight.flatMap((lane) => lane.spans.map((span) => ({ lane, span }))), [inSight]);
  // Times of the day at which the shown span begins need no date.
  const when = (time) => html`<${Moment} time=${time} withDate=${dayName(time) !== dayName(shown.from)} />`;
  const words = wordsOf(names);
  const open = (span) => (panel.value = { span });
  const onClose = () => (panel.value = null);
  return html`
    <${ZoomBar} shown=${shown} isZoomed=${isZoomed} onZoom=${zoomTo} onWhole=${zoomOut} whole=${whole} />
    <${Lanes} label=${t("lanes.title")} lanes=${inSight} shown=${shown} now=${now} bands=${found?.anomalies ?? []}
      titleOf=${words.title} wordOf=${words.word} textOf=${words.text} onOpen=${open} onZoom=${zoomTo} openKey=${panel.value?.span?.key} />
    ${spans.length === 0 && html`<${Empty} title=${t("lanes.nothing")} />`}
    ${lookedFrom != null && lookedFrom > shown.from && html`<p class="note-line">${t("lanes.looked-from")} <${Moment} time=${lookedFrom} /></p>`}
    ${lookedTo != null && html`<p class="note-line">${t("lanes.looked-to")} <${Moment} time=${lookedTo} /></p>`}
    ${times?.knownAt && found?.anomalies.length > 0 && html`<p class="note-line">${t("lanes.anomalies-now")}</p>`}
    <div class="split">
      <aside class="facts">${children}</aside>
      <div class="lists">
        <section aria-labelledby="spans">
          <h2 id="spans">${t("lanes.table")} <span class="total">${number(spans.length)}</span></h2>
          <${SpansTable} spans=${spans} names=${names} words=${words} subject=${subject} times=${times} now=${now} when=${when} onOpen=${open} openKey=${panel.value?.span?.key} />
        </section>
        <${Events} log=${log} shown=${shown} isZoomed=${isZoomed} names=${names} subject=${subject} times=${times}
          onOpen=${(event) => (panel.value = { event })} openKey=${panel.value?.event?.position} />
      </div>
    </div>
    ${panel.value?.span && html`<${SpanPanel} span=${panel.value.span} subject=${subject} names=${names} times=${times} now=${now}
      wordOf=${words.word} onClose=${onClose} />`}
    ${panel.value?.event && html`<${Panel} title=${panel.value.event.type} onClose=${onClose}>
      <${EventBody} position=${panel.value.event.position} /><//>`}`;
}

function merged(...maps) {
  const all = {};
  for (const map of maps) {
    for (const [kind, byId] of Object.entries(map ?? {})) all[kind] = { ...all[kind], ...byId };
  }
  return all;
}

// What lanes and spans are called.
function wordsOf(names) {
  const wordOf = (span) => {
    const { row } = span;
    if (span.kind === "anomaly") return word("anomaly", row.kind);
    if (span.kind === "correction") return `${statuses(row.before)} → ${statuses(row.after)}`;
    if (span.kind === "late") return row.type;
    if (span.kind === "capture") return row.filePath?.split("/").at(-1) ?? t("lane.capture");
    if (["wait", "offer"].includes(span.kind)) return row.outcome ? word("outcome", row.outcome) : t("span.goes-on");
    if (span.kind === "contact") return row.agents.map((it) => nameOf(names, "agent", it.agentId)).join(", ") || t("lane.contact");
    if (!OF_STATUS.has(span.kind)) return t(`lane.${span.kind}`);
    const code = span.status === "idle" || span.kind === "channel" ? reason(row, names) : null;
    return [word("status", span.status), code].filter(Boolean).join(", ");
  };
  const titleOf = (lane) => {
    const name = lane.kind === "participant" ? nameOf(names, "agent", lane.of)
      : lane.kind === "leg" || lane.kind === "channel" ? word("channel", lane.of ?? t("channel.none")) : null;
    const title = name === null ? t(`lane.${lane.kind}`) : lane.kind === "participant" ? name : t(`lane.${lane.kind}-of`, { name });
    return lane.number ? `${title} ${lane.number}` : title;
  };
  const textOf = (span) => {
    const from = span.from === null ? t("span.begin-unknown") : moment(span.from);
    const when = span.to === span.from ? from : `${from} – ${span.to === null ? t("span.goes-on") : moment(span.to)}`;
    const length = span.to !== null && span.from !== null && span.to !== span.from ? duration(span.to - span.from) : null;
    return [wordOf(span), when, length].filter(Boolean).join(", ");
  };
  return { word: wordOf, title: titleOf, text: textOf };
}

const statuses = (intervals) => intervals.map((it) => word("status", it.status)).join(", ") || t("corrections.nothing");

function SpansTable({ spans, names, words, subject, times, now, when, onOpen, openKey }) {
  const byTime = useMemo(() => [...spans].sort((a, b) => (a.span.from ?? 0) - (b.span.from ?? 0)), [spans]);
  if (byTime.length === 0) return html`<${Empty} title=${t("lanes.nothing")} />`;
  const columns = [
    { id: "from", title: t("span.from"), align: "number", isHead: true, cell: ({ span }) => html`<button type="button" class="link" onClick=${() => onOpen(span)}>
      ${span.from === null ? t("span.begin-unknown") : when(span.from)}</button>` },
    { id: "to", title: t("span.to"), align: "number", cell: ({ span }) => (span.to === null ? t("span.goes-on") : when(span.to)) },
    { id: "duration", title: t("span.duration"), align: "number", cell: ({ span }) => (span.from === null || span.to === span.from ? "" : duration((span.to ?? now) - span.from)) },
    { id: "lane", title: t("lanes.lane"), cell: ({ lane }) => words.title(lane) },
    { id: "what", title: t("lanes.what"), cell: ({ span }) => (OF_STATUS.has(span.kind)
      ? html`<${Status} status=${span.status} /> ${span.status === "idle" ? reason(span.row, names) : ""}` : words.word(span)) },
    { id: "queue", title: t("column.queue"), cell: ({ span }) => span.row.queueId && html`<${Named} names=${names} kind="queue" id=${span.row.queueId} />` },
    subject.kind === "agent" && { id: "task", title: t("column.task"), cell: ({ span }) => span.row.taskId
      && html`<a class="id" title=${span.row.taskId} href=${taskHref(span.row.taskId, subject.orgId, times)}>${span.row.taskId}</a>` },
  ].filter(Boolean);
  return html`<${Table} label=${t("lanes.table")} columns=${columns} rows=${byTime} keyOf=${({ span }) => span.key} openKey=${openKey}
    onRow=${({ span }) => onOpen(span)} />`;
}

function Events({ log, shown, isZoomed, names, subject, times, onOpen, openKey }) {
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
