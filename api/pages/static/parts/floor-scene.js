// What the floor shows of a moment: tiles, figures, who waits, and a row for each agent.

import { who } from "../core/api.js";
import { href, query, setQuery } from "../core/address.js";
import { html, useEffect, useSignal } from "../core/dom.js";
import {
  countsByStatus, filtersOf, fitsAgent, fitsTask, inOrder, reasonOf, sortOf, teamsOf, waitingByQueue,
} from "../core/floor.js";
import { MINUTE, moment, number } from "../core/format.js";
import * as live from "../core/live.js";
import { repeated } from "../core/load.js";
import { keyOf, nameOf } from "../core/names.js";
import { WINDOW_MS } from "../core/summary.js";
import { t, word } from "../core/texts.js";
import { agentLevel, highest, queueLevel, readRules, waitLevel } from "../core/thresholds.js";
import { AgentsTable, COLUMNS } from "./agents-table.js";
import { Alarm } from "./alarm.js";
import { Choice, optionsOf } from "./filters.js";
import { FloorPanel } from "./floor-panel.js";
import { MostAreProvisional } from "./provisional.js";
import { QueuesTable } from "./queues-table.js";
import { SavedViews } from "./saved-views.js";
import { Empty } from "./states.js";
import { FigureTiles, StatusTiles } from "./tiles.js";
import { Trend } from "./trend.js";

const RULES_EVERY_MS = 5 * MINUTE;

// `floor`: {names, now, isLive}; live: {isOld}; of the past: {times, known, isCut}. `marked` are the
// agents that two knowledges show differently.
export function FloorScene({ floor, agents, tasks, marked = new Map(), summary }) {
  const params = query.value;
  const filters = filtersOf(params);
  const sort = sortOf(params);
  const panel = useSignal(null);
  const columns = chosenColumns(params);
  useEffect(() => repeated(readRules, RULES_EVERY_MS), []);

  const fitting = agents.filter((it) => fitsAgent(it, { ...filters, status: [] }, floor.names));
  const isOnly = params.has("differing");
  const fits = (it) => fitsAgent(it, filters, floor.names) && (!isOnly || marked.has(keyOf(it)));
  const levelOf = (agent) => agentLevel(agent, floor.now);
  const shown = inOrder(fitting.filter(fits), sort, floor.names, levelOf);
  const teams = teamsOf(agents);
  const open = tasks.filter((it) => fitsTask(it, filters, teams));
  const queues = waitingByQueue(open);
  const levelOfQueue = (queue) => queueLevel(queue, floor.now);
  const levels = [...shown.map(levelOf), ...queues.map(levelOfQueue)];
  const toggle = (status) => setQuery({ status: toggled(filters.status, status) });
  const onSort = (id) => setQuery({ sort: sort.id === id && !sort.descending ? `-${id}` : id });
  const longest = queues.length ? floor.now - queues[0].since : null;
  const organisations = new Set(agents.map((it) => it.orgId)).size;
  const span = { from: (summary.to || floor.now) - WINDOW_MS, to: summary.to || floor.now };
  const marks = {
    has: (agent) => marked.has(keyOf(agent)),
    open: (agent) => (panel.value = { kind: "difference", agent }),
    text: (agent) => differenceText(marked.get(keyOf(agent)), floor),
  };

  return html`
    ${floor.isCut && html`<p class="warning" role="alert">${t("floor.cut")}</p>`}
    ${floor.isOld && html`<p class="warning" role="alert">${t("floor.old", { since: moment(live.connection.value.since) })}</p>`}
    ${agents.length === 0 && tasks.length === 0 ? html`<${NobodyYet} times=${floor.times} />` : html`
    <div class="overview">
      <${StatusTiles} counts=${countsByStatus(fitting)} chosen=${filters.status} onChoose=${toggle} />
      <${FigureTiles} waiting=${queues.reduce((sum, it) => sum + it.waiting, 0)} longestWait=${longest}
        waitLevel=${highest(queues.map((it) => waitLevel(it, floor.now)))}
        summary=${summary.value} onOpen=${(id) => (panel.value = { kind: "figure", id })} />
      <${Trend} to=${floor.isLive ? null : floor.now} knownAt=${floor.times?.knownAt} filters=${filters} />
    </div>
    <div class="bar">
      <input type="search" class="find" aria-label=${t("filter.text")} placeholder=${t("filter.text")} value=${params.get("q") ?? ""}
        onInput=${(event) => setQuery({ q: event.target.value })} />
      <${Filter} name="teamId" label=${t("column.team")} chosen=${filters.teamId}
        options=${() => optionsOf(agents, (it) => it.teamId, (id) => nameOf(floor.names, "team", id))} />
      <${Filter} name="queueId" label=${t("column.queue")} chosen=${filters.queueId}
        options=${() => optionsOf([...agents, ...tasks], queueIds, (id) => nameOf(floor.names, "queue", id))} />
      <${Filter} name="channelType" label=${t("column.channel")} chosen=${filters.channelType}
        options=${() => optionsOf([...agents, ...tasks], channelTypes, (type) => word("channel", type))} />
      <${Filter} name="status" label=${t("column.status")} chosen=${filters.status}
        options=${() => optionsOf(fitting, (it) => it.status, (status) => word("status", status))} />
      ${organisations > 1 && html`<${Filter} name="orgId" label=${t("column.organisation")} chosen=${filters.orgId}
        options=${() => optionsOf(agents, (it) => it.orgId)} />`}
      <${Choice} label=${t("filter.columns")} chosen=${columns}
        options=${COLUMNS.filter((it) => it !== "name").map((value) => ({ value, text: t(`column.${value}`) }))}
        onChange=${(values) => setQuery({ cols: values.length === 0 || values.length >= COLUMNS.length ? null
          : COLUMNS.filter((it) => it === "name" || values.includes(it)).join(",") })} />
      <${SavedViews} />
      <${Alarm} levels=${levels} isLive=${floor.isLive} />
    </div>
    <div class="floor">
    <section class="queues" aria-labelledby="queues">
      <h2 id="queues">${t("floor.queues")}</h2>
      <${QueuesTable} queues=${queues} names=${floor.names} now=${floor.now} levelOf=${levelOfQueue} params=${floor.params} />
    </section>
    <section class="agents" aria-labelledby="agents">
      <div class="titled">
        <h2 id="agents">${t("floor.agents")} <span class="total">${total(shown.length, agents.length)}</span></h2>
        <${MostAreProvisional} rows=${shown} />
      </div>
      ${marked.size > 0 && html`<p><button type="button" class="mark" aria-pressed=${isOnly} title=${t("floor.differing-only")}
        onClick=${() => setQuery({ differing: isOnly ? null : "1" })}>${t("floor.differing", { count: marked.size })}</button></p>`}
      ${shown.length === 0 ? html`<${Empty} title=${t("floor.no-fit")} />` : html`
      <${AgentsTable} floor=${{ ...floor, marks }} agents=${shown} columns=${columns} sort=${sort} onSort=${onSort}
        levelOf=${levelOf} severalOrganisations=${organisations > 1}
        onWhy=${(agent) => (panel.value = { kind: "why", agent })} />`}
    </section></div>`}
    <${FloorPanel} panel=${panel} floor=${floor} summary=${summary} span=${span} filters=${filters} queues=${queues} levelOfQueue=${levelOfQueue} />`;
}

const Filter = ({ name, label, options, chosen }) =>
  html`<${Choice} label=${label} options=${options} chosen=${chosen} onChange=${(values) => setQuery({ [name]: values })} />`;

const NobodyYet = ({ times }) =>
  times
    ? html`<${Empty} title=${t(times.isThen ? "floor.nobody-known" : "floor.nobody-then")} />`
    : html`<${Empty} title=${t("floor.nobody")}>
        <p>${who.value.teamIds === null ? t("floor.nobody-hint") : t("floor.nobody-team")}</p>
        ${who.value.teamIds === null && html`<p><code>make demo</code></p>`}
      <//>`;

const toggled = (values, value) => (values.includes(value) ? values.filter((it) => it !== value) : [...values, value]);
const total = (shown, all) => (shown === all ? number(all) : t("floor.of", { shown: number(shown), all: number(all) }));
const queueIds = (row) => [row.queueId, ...(row.interactions ?? []).map((it) => it.queueId)];
const channelTypes = (row) =>
  row.interactions ? [...Object.keys(row.channels), ...row.interactions.map((it) => it.channelType)] : [row.channelType];

function chosenColumns(params) {
  const chosen = (params.get("cols") ?? "").split(",").filter((it) => COLUMNS.includes(it));
  return chosen.length ? chosen : COLUMNS;
}

function differenceText({ other }, { times, names }) {
  const shown = other === null ? t("floor.unknown-then")
    : [word("status", other.status), reasonOf(other, names)].filter(Boolean).join(", ");
  return t(times?.isThen ? "floor.known-now" : "floor.shown-then", { shown });
}
