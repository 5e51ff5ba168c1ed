// One report: a row for each period and queue or agent, what they add up to, and a chart of a figure.

import { query, setQuery } from "../../core/address.js";
import { now } from "../../core/clock.js";
import { html } from "../../core/dom.js";
import { HOUR, NOTHING, utc } from "../../core/format.js";
import { agentHref, Named, nameOf } from "../../core/names.js";
import { figureOf, figuresOf, isMoment, periodsOf, pointsOf, totalOf, valueOf } from "../../core/reports.js";
import { t, word } from "../../core/texts.js";
import { fieldIn, momentIn } from "../../core/zones.js";
import { Download } from "../../parts/download.js";
import { Choice } from "../../parts/filters.js";
import { Paged, usePaged } from "../../parts/paged.js";
import { PeriodsChart } from "../../parts/periods-chart.js";
import { MomentField } from "../../parts/span.js";
import { Empty } from "../../parts/states.js";
import { Table } from "../../parts/table.js";

const STEP = 5_000; // rows that are read at once
const WHOSE = { queues: ["queue", "channel"], agents: ["agent", "team"] };
const USUAL = {
  queues: [
    "offered", "answered", "answeredInTime", "abandoned", "serviceLevel", "asaMs", "maxWaitMs", "handled", "ahtMs", "doubtful",
  ],
  agents: [
    "loggedInMs", "firstLogin", "lastLogout", "occupancy", "handled", "offersRefused", "statusMs.available", "statusMs.idle", "talkMs",
    "wrapUpMs",
  ],
};
const SHORTEST_DAY = 23 * HOUR; // where the clock is set forward
const FIRST_FIGURE = { queues: "offered", agents: "occupancy" };

export function Report({ scene }) {
  const { report, span, interval, zone, asked } = scene;
  const params = query.value;
  const knownAt = Number(params.get("knownAt")) || null;
  const question = { ...asked, knownAt };
  const to = `/api/v1/reports/${report}`;
  const list = usePaged(to, { ...question, names: true }, { step: STEP });
  return html`
    <div class="bar">
      <${MomentField} name="knownAt" label=${t("reports.known-at")} time=${knownAt} zone=${zone} />
      ${knownAt
        ? html`<button type="button" class="secondary" onClick=${() => setQuery({ knownAt: null })}>${t("reports.known-now")}</button>`
        : html`<button type="button" class="secondary" onClick=${list.reload}>${t("reports.again")}</button>`}
      <${Columns} report=${report} rows=${list.rows ?? []} names=${list.names} />
    </div>
    ${knownAt && html`<p class="note-line">${t("reports.as-known", { time: momentIn(knownAt, zone) })}</p>`}
    <${Download} to=${to} params=${question} name=${fileName(report, span, zone)} />
    <${Paged} list=${list}>${(rows) => rows.length === 0
      ? html`<${Empty} title=${t("reports.nothing")} />`
      : html`<${Chart} scene=${scene} list=${list} />
        <${Rows} scene=${scene} list=${list} />`}<//>`;
}

export const fileName = (report, { from, to }, zone) =>
  ["report", report, ...[from, to].map((it) => fieldIn(it, zone).replace(":", "")), zone].join("_");

const chosenFigures = (report, rows) => {
  const all = figuresOf(report, rows);
  const chosen = (query.value.get("cols") ?? "").split(",").filter((it) => all.includes(it));
  return chosen.length ? chosen : USUAL[report].filter((it) => all.includes(it));
};

export const titleOf = (report, id, names, directory = []) => {
  if (id.startsWith("statusMs.")) return word("status", id.slice(9));
  if (!id.startsWith("idleMs.")) return t(`${report}.${id}`);
  const code = id.slice(7);
  const name = code === "none" ? t("agents.no-code")
    : (names?.idleCode?.[code] ?? directory.find((it) => it.kind === "idleCode" && it.id === code)?.name ?? code);
  return t("agents.idle-code", { name });
};

function Columns({ report, rows, names }) {
  const all = figuresOf(report, rows);
  return html`<${Choice} label=${t("filter.columns")} chosen=${chosenFigures(report, rows)}
    options=${all.map((value) => ({ value, text: titleOf(report, value, names) }))}
    onChange=${(values) => setQuery({ cols: values.length === 0 ? null : all.filter((it) => values.includes(it)).join(",") })} />`;
}

function Chart({ scene, list }) {
  const { report, span, interval, zone } = scene;
  const figures = figuresOf(report, list.rows).filter((it) => figureOf(report, it));
  const asked = query.value.get("figure");
  const id = figures.includes(asked) ? asked : FIRST_FIGURE[report];
  const { show } = figureOf(report, id);
  const starts = periodsOf(span, interval, zone);
  if (starts.length < 2 || !list.isWhole) return null;
  const points = pointsOf(report, list.rows, id, { starts, to: span.to }, now());
  if (points.length === 0) return null;
  const title = titleOf(report, id, list.names);
  const isRunning = starts[points.length] <= now();
  return html`<section class="chart" aria-labelledby="chart">
    <h2 id="chart">${t("reports.chart")}</h2>
    <div class="bar"><select aria-label=${t("reports.figure")} onChange=${(event) => setQuery({ figure: event.target.value })}>
      ${figures.map((it) => html`<option key=${it} value=${it} selected=${it === id}>${titleOf(report, it, list.names)}</option>`)}
    </select></div>
    ${points.some(([, value]) => value !== null) && html`<${PeriodsChart} points=${points} show=${show} zone=${zone} title=${title}
      label=${t("reports.chart-label", { figure: title, count: points.length, ...extremes(points, show) })} />`}
    ${isRunning && html`<p class="note-line">${t("reports.running-left-out")}</p>`}
  </section>`;
}

function extremes(points, show) {
  const values = points.map(([, value]) => value).filter((it) => it !== null);
  return values.length ? { low: show(Math.min(...values)), high: show(Math.max(...values)) } : { low: show(null), high: show(null) };
}

function Rows({ scene, list }) {
  const { report, zone } = scene;
  const { rows, names } = list;
  const figures = chosenFigures(report, rows);
  const organisations = new Set(rows.map((it) => it.orgId)).size;
  const sort = sortOf();
  const shown = inOrder(rows, sort, names);
  const columns = [
    { id: "from", title: t("reports.period"), align: "wide", isHead: true, cell: (row) => html`<${Period} row=${row} zone=${zone} />` },
    ...(organisations > 1 ? [{ id: "orgId", title: t("column.organisation"), cell: (row) => html`<bdi>${row.orgId}</bdi>` }] : []),
    ...whoseColumns(report, names),
    ...figures.map((id) => ({
      id, title: titleOf(report, id, names), align: "number", cell: (row) => cellOf(report, row, id, zone),
    })),
    { id: "settled", title: t("reports.settled"), cell: (row) => html`<${Settled} isSettled=${row.settled} />` },
  ];
  const foot = list.isWhole && {
    from: t("reports.total"),
    settled: html`<${Settled} isSettled=${rows.every((it) => it.settled)} />`,
    ...Object.fromEntries(figures.map((id) => [id, figureOf(report, id)?.show(totalOf(report, rows, id))])),
  };
  return html`<h2>${t(`reports.${report}`)}</h2>
    ${!list.isWhole && !list.loading && html`<p class="note-line">${t("reports.part")}</p>`}
    <${Table} label=${t(`reports.${report}`)} columns=${columns} rows=${shown} foot=${foot}
      keyOf=${(row) => [row.from, row.orgId, row.queueId, row.channelType, row.agentId].join("\n")}
      sort=${sort} onSort=${(id) => setQuery({ sort: sort.id === id && !sort.descending ? `-${id}` : id })} />
    <p class="note-line">${t("reports.totals-hint")}</p>`;
}

export const Period = ({ row, zone }) =>
  html`<time datetime=${new Date(row.from).toISOString()} title=${`${utc(row.from)} – ${utc(row.to)}`}>${momentIn(row.from, zone)} – ${
    momentIn(row.to, zone, { withDate: row.to - row.from >= SHORTEST_DAY })}</time>`;

const Settled = ({ isSettled }) =>
  html`<span class="settled ${isSettled ? "" : "provisional"}" title=${t(isSettled ? "settled.yes" : "settled.no")}>${
    t(isSettled ? "reports.final" : "reports.provisional")}</span>`;

export function whoseColumns(report, names) {
  if (report === "queues") {
    return [
      { id: "queue", title: t("column.queue"), cell: (row) => html`<${Named} names=${names} kind="queue" id=${row.queueId} />` },
      { id: "channel", title: t("column.channel"), cell: (row) => (row.channelType === null ? NOTHING : word("channel", row.channelType)) },
    ];
  }
  return [
    { id: "agent", title: t("column.name"), cell: ({ agentId, orgId }) =>
      html`<${Named} names=${names} kind="agent" id=${agentId} href=${agentHref(agentId, orgId)} />` },
    { id: "team", title: t("column.team"), cell: (row) => html`<${Named} names=${names} kind="team" id=${row.teamId} />` },
  ];
}

const cellOf = (report, row, id, zone) =>
  isMoment(id)
    ? row[id] !== null && html`<time datetime=${new Date(row[id]).toISOString()} title=${utc(row[id])}>${
        momentIn(row[id], zone, { withDate: false })}</time>`
    : figureOf(report, id).show(valueOf(row, id));

export function sortOf(usual = "from") {
  const text = query.value.get("sort") ?? usual;
  return { id: text.replace(/^-/, ""), descending: text.startsWith("-") };
}

const KEYS = {
  queue: (row, names) => nameOf(names, "queue", row.queueId ?? "").toLowerCase(),
  channel: (row) => row.channelType ?? "",
  agent: (row, names) => nameOf(names, "agent", row.agentId).toLowerCase(),
  team: (row, names) => nameOf(names, "team", row.teamId ?? "").toLowerCase(),
};

// By the chosen column; rows that are alike stay in the order of the report.
function inOrder(rows, sort, names) {
  const key = KEYS[sort.id] ?? ((row) => valueOf(row, sort.id) ?? -Infinity);
  const sign = sort.descending ? -1 : 1;
  return rows
    .map((row) => [key(row, names), row])
    .sort(([a], [b]) => sign * (a < b ? -1 : a > b ? 1 : 0))
    .map(([, row]) => row);
}
