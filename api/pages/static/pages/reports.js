// Reports of queues and agents: a table with totals, a chart, and what late events have changed in them
// since somebody read them.

import { query, setQuery } from "../core/address.js";
import { choicesOf, useDirectory } from "../core/directory.js";
import { html } from "../core/dom.js";
import { zone as ownZone } from "../core/format.js";
import { FILTERS, intervalParam, INTERVALS, REPORTS, usualInterval } from "../core/reports.js";
import { isSound, spanOf } from "../core/spans.js";
import { t, word } from "../core/texts.js";
import { isZone } from "../core/zones.js";
import { Choice } from "../parts/filters.js";
import { SpanPicker, useToday, ZonePicker } from "../parts/span.js";
import { Empty } from "../parts/states.js";
import { Tabs } from "../parts/tabs.js";
import { Differences } from "./reports/differences.js";
import { Report } from "./reports/report.js";

const USUAL_SPAN = "today";
const CHANNELS = ["telephony", "chat", "email", "social", "workItem"];
const DIRECTIONS = ["INBOUND", "OUTBOUND"];

export default function Reports() {
  const params = query.value;
  const report = REPORTS.includes(params.get("report")) ? params.get("report") : "queues";
  const isComparison = params.get("view") === "differences";
  const zone = zoneOf(params);
  const span = spanOf(params, zone, useToday(zoneOf), USUAL_SPAN);
  const interval = INTERVALS.includes(params.get("interval")) ? params.get("interval") : usualInterval(span);
  const isWhole = span.from !== null && span.to !== null && isSound(span);
  const directory = useDirectory(["queue", "agent", "team", "idleCode"]);
  const filters = Object.fromEntries(FILTERS.map((name) => [name, params.getAll(name)]));
  const asked = { from: span.from, to: span.to, interval: isWhole ? intervalParam(interval, span) : null, tz: zone, ...filters };
  const scene = { report, span, interval, zone, asked, directory };
  return html`
    <h1>${t("page.reports")}</h1>
    <${Tabs} label=${t("reports.which")} name="report" chosen=${report} usual="queues"
      tabs=${REPORTS.map((id) => ({ id, text: t(`reports.${id}`) }))} changes=${{ sort: null, cols: null, figure: null }} />
    <div class="bar">
      <${SpanPicker} span=${span} zone=${zone} usual=${USUAL_SPAN} />
      <select aria-label=${t("reports.interval")} onChange=${(event) => setQuery({ interval: event.target.value })}>
        ${INTERVALS.map((it) => html`<option key=${it} value=${it} selected=${it === interval}>${t(`interval.${it}`)}</option>`)}
      </select>
      <${ZonePicker} zone=${zone} own=${ownZone()} />
      <${Filters} filters=${filters} directory=${directory} />
      <${Tabs} label=${t("reports.view")} name="view" chosen=${isComparison ? "differences" : "figures"} usual="figures"
        tabs=${["figures", "differences"].map((id) => ({ id, text: t(`reports.${id}`) }))}
        changes=${{ sort: null, knownAt: null }} />
    </div>
    ${!isWhole ? html`<${Empty} title=${t("reports.no-span")} />`
      : isComparison ? html`<${Differences} scene=${scene} />`
      : html`<${Report} key=${report} scene=${scene} />`}`;
}

const zoneOf = (params) => (isZone(params.get("tz") ?? "") ? params.get("tz") : ownZone());

function Filters({ filters, directory }) {
  const words = (values, kind) => values.map((value) => ({ value, text: word(kind, value) }));
  const options = {
    teamId: choicesOf(directory, "team", { chosen: filters.teamId }),
    queueId: choicesOf(directory, "queue", { chosen: filters.queueId }),
    channelType: words([...new Set([...CHANNELS, ...filters.channelType])], "channel"),
    direction: words([...new Set([...DIRECTIONS, ...filters.direction])], "direction"),
    agentId: choicesOf(directory, "agent", { chosen: filters.agentId }),
  };
  return Object.entries(options).map(([name, its]) => html`<${Choice} key=${name} label=${t(`filter.${name}`)} options=${its}
    chosen=${filters[name]} onChange=${(values) => setQuery({ [name]: values })} />`);
}
