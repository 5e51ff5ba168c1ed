// The floor: who does what, who waits and for how long, live or at any moment of the past.

import { get, who } from "../core/api.js";
import { query, setQuery } from "../core/address.js";
import { now, second } from "../core/clock.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../core/dom.js";
import { MINUTE, moment, number } from "../core/format.js";
import {
  countBy, filtersOf, fitsAgent, fitsTask, inOrder, reasonOf, sortOf, teamsOf, waitingByQueue,
} from "../core/floor.js";
import * as live from "../core/live.js";
import { useLoad } from "../core/load.js";
import { nameOf } from "../core/names.js";
import { differences, floorAt, learnedBetween } from "../core/past.js";
import { statusRank } from "../core/status.js";
import { t, word } from "../core/texts.js";
import { agentLevel, queueLevel, readRules } from "../core/thresholds.js";
import { AgentsTable, COLUMNS } from "../parts/agents-table.js";
import { Alarm } from "../parts/alarm.js";
import { Choice, optionsOf } from "../parts/filters.js";
import { FigurePanel } from "../parts/figure-panel.js";
import { Corrections, EventList, Explanation, Panel } from "../parts/panel.js";
import { QueuesTable } from "../parts/queues-table.js";
import { SavedViews } from "../parts/saved-views.js";
import { Scrubber, timesOf } from "../parts/scrubber.js";
import { Empty, Failure, Loaded, Loading } from "../parts/states.js";
import { FigureTiles, StatusTiles } from "../parts/tiles.js";
import { Trend } from "../parts/trend.js";

const WINDOW_MS = 30 * MINUTE;
const FIGURES_EVERY_MS = 5_000; // while something changes
const FIGURES_REST_MS = 30_000; // the window goes on where nothing does

export default function Floor() {
  const times = timesOf(query.value);
  const busy = useRef(false); // whether a moment of the past is on its way
  return html`
    <h1 class="hidden">${t("page.floor")}</h1>
    <${Scrubber} isBusy=${() => busy.current} />
    ${times ? html`<${PastFloor} times=${times} busy=${busy} />` : html`<${LiveFloor} />`}`;
}

function LiveFloor() {
  useEffect(() => live.follow(), []);
  const summary = useSummary();
  live.version.value;
  const state = live.connection.value.state;
  const isEmpty = live.agents.size === 0 && live.tasks.size === 0;
  if (isEmpty && state === "connecting") return html`<${Loading} what=${t("floor.loading")} />`;
  return html`<${Scene}
    floor=${{ names: live.names, now: second.value, isLive: true, isOld: state === "lost", params: "" }}
    agents=${[...live.agents.values()]} tasks=${[...live.tasks.values()]}
    summary=${summary} />`;
}

// The figures: read again when something has changed, and when the window has gone on.
function useSummary() {
  const state = useSignal({ value: null, at: 0 });
  const asked = useSignal(0);
  const filters = figureFilters(filtersOf(query.value));
  const key = JSON.stringify(filters);
  const changes = live.version.value;
  const age = second.value - asked.value;
  const isDue = age > FIGURES_REST_MS || (age > FIGURES_EVERY_MS && state.value.changes !== changes) || state.value.key !== key;
  useEffect(() => {
    if (!isDue) return;
    asked.value = now();
    get("/api/v1/summary", { ...filters, window: WINDOW_MS }).then(
      (value) => (state.value = { value, key, changes, at: now() }),
      // Figures of another filter are not left standing.
      () => (state.value = { ...state.value, value: state.value.key === key ? state.value.value : null, key }),
    );
  }, [isDue, key]);
  return { value: state.value.value, to: state.value.at };
}

const figureFilters = ({ orgId, teamId, queueId, channelType }) => ({ orgId, teamId, queueId, channelType });

function PastFloor({ times, busy }) {
  const load = useLoad((signal) => floorAt(times, signal), [times.at, times.knownAt]);
  busy.current = load.loading;
  const filters = figureFilters(filtersOf(query.value));
  const figures = useLoad(
    (signal) => get("/api/v1/summary", { at: times.at, knownAt: times.knownAt, ...filters, window: WINDOW_MS }, { signal }),
    [times.at, times.knownAt, JSON.stringify(filters)],
  );
  // The other knowledge of the same time: what was shown then, or what is known today.
  const latest = useSignal(times.isThen ? null : times.knownAt);
  useEffect(() => {
    if (!times.isThen) latest.value = times.knownAt;
  }, [times.knownAt]);
  const otherKnown = times.isThen ? latest.value : times.at;
  const other = useLoad(
    (signal) => floorAt({ at: times.at, knownAt: otherKnown }, signal),
    [times.at, otherKnown],
  );
  const marked = useMemo(
    () => (load.value && other.value && other.value.at === load.value.at
      ? differences(load.value.agents, other.value.agents) : new Map()),
    [load.value, other.value],
  );
  if (load.error && !load.value) return html`<${Failure} error=${load.error} retry=${load.reload} />`;
  if (!load.value) return html`<${Loading} what=${t("floor.loading")} />`;
  return html`<${Scene}
    floor=${{ names: load.value.names, now: load.value.at, isLive: false, times, known: [times.knownAt, otherKnown], params: timesOfLinks(times) }}
    agents=${load.value.agents} tasks=${load.value.tasks} marked=${marked}
    summary=${{ value: figures.value, to: times.at }} />`;
}

function Scene({ floor, agents, tasks, marked = new Map(), summary }) {
  const params = query.value;
  const filters = filtersOf(params);
  const sort = sortOf(params);
  const panel = useSignal(null);
  const columns = chosenColumns(params);
  useEffect(() => {
    readRules().catch(() => {});
  }, []);

  const fitting = agents.filter((it) => fitsAgent(it, { ...filters, status: [] }, floor.names));
  const isOnly = params.has("differing");
  const fits = (it) => fitsAgent(it, filters, floor.names) && (!isOnly || marked.has(keyOf(it)));
  const levelOf = (agent) => agentLevel(agent, floor.now);
  const shown = inOrder(fitting.filter(fits), sort, floor.names, levelOf);
  const open = tasks.filter((it) => fitsTask(it, filters, teamsOf(agents)));
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
    ${floor.isOld && html`<p class="warning" role="alert">${t("floor.old", { since: moment(live.connection.value.since) })}</p>`}
    ${agents.length === 0 && tasks.length === 0 ? html`<${NobodyYet} isPast=${!floor.isLive} />` : html`
    <div class="overview">
      <${StatusTiles} counts=${statusCounts(fitting)} chosen=${filters.status} onChoose=${toggle} />
      <${FigureTiles} waiting=${queues.reduce((sum, it) => sum + it.waiting, 0)} longestWait=${longest}
        waitLevel=${queues.length ? levelOfQueue(queues[0]) : null}
        summary=${summary.value} onOpen=${(id) => (panel.value = { kind: "figure", id })} />
      <${Trend} to=${floor.isLive ? null : floor.now} knownAt=${floor.times?.knownAt} filters=${filters} />
    </div>
    <div class="bar">
      <input type="search" class="find" aria-label=${t("filter.text")} placeholder=${t("filter.text")} value=${params.get("q") ?? ""}
        onInput=${(event) => setQuery({ q: event.target.value })} />
      <${Filter} name="teamId" label=${t("column.team")} chosen=${filters.teamId}
        options=${optionsOf(agents, (it) => it.teamId, (id) => nameOf(floor.names, "team", id))} />
      <${Filter} name="queueId" label=${t("column.queue")} chosen=${filters.queueId}
        options=${optionsOf([...agents, ...tasks], queueIds, (id) => nameOf(floor.names, "queue", id))} />
      <${Filter} name="channelType" label=${t("column.channel")} chosen=${filters.channelType}
        options=${optionsOf([...agents, ...tasks], channelTypes, (type) => word("channel", type))} />
      <${Filter} name="status" label=${t("column.status")} chosen=${filters.status}
        options=${optionsOf(fitting, (it) => it.status, (status) => word("status", status))} />
      ${organisations > 1 && html`<${Filter} name="orgId" label=${t("column.organisation")} chosen=${filters.orgId}
        options=${optionsOf(agents, (it) => it.orgId)} />`}
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
      <h2 id="agents">${t("floor.agents")} <span class="total">${total(shown.length, agents.length)}</span></h2>
      ${marked.size > 0 && html`<p><button type="button" class="mark" aria-pressed=${isOnly} title=${t("floor.differing-only")}
        onClick=${() => setQuery({ differing: isOnly ? null : "1" })}>${t("floor.differing", { count: marked.size })}</button></p>`}
      ${shown.length === 0 ? html`<${Empty} title=${t("floor.no-fit")} />` : html`
      <${AgentsTable} floor=${{ ...floor, marks }} agents=${shown} columns=${columns} sort=${sort} onSort=${onSort}
        levelOf=${levelOf} severalOrganisations=${organisations > 1}
        onWhy=${(agent) => (panel.value = { kind: "why", agent })} />`}
    </section></div>`}
    <${Side} panel=${panel} floor=${floor} summary=${summary} span=${span} filters=${filters} queues=${queues} levelOfQueue=${levelOfQueue} />`;
}

function Side({ panel, floor, summary, span, filters, queues, levelOfQueue }) {
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
      <p><a href="/tasks?open=true">${t("floor.to-tasks")}</a></p>
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

const Filter = ({ name, label, options, chosen }) =>
  html`<${Choice} label=${label} options=${options} chosen=${chosen} onChange=${(values) => setQuery({ [name]: values })} />`;

const NobodyYet = ({ isPast }) =>
  isPast
    ? html`<${Empty} title=${t("floor.nobody-then")} />`
    : html`<${Empty} title=${t("floor.nobody")}>
        <p>${who.value.teamIds === null ? t("floor.nobody-hint") : t("floor.nobody-team")}</p>
        ${who.value.teamIds === null && html`<p><code>make demo</code></p>`}
      <//>`;

const keyOf = (agent) => `${agent.orgId}\n${agent.agentId}`;
// What links to agents and tasks end with, so that they lead to the same moment.
const timesOfLinks = ({ at, knownAt }) => `&at=${at}${knownAt === null ? "" : `&knownAt=${knownAt}`}`;
const toggled = (values, value) => (values.includes(value) ? values.filter((it) => it !== value) : [...values, value]);
const total = (shown, all) => (shown === all ? number(all) : t("floor.of", { shown: number(shown), all: number(all) }));
const queueIds = (row) => [row.queueId, ...(row.interactions ?? []).map((it) => it.queueId)];
const channelTypes = (row) =>
  row.interactions ? [...Object.keys(row.channels), ...row.interactions.map((it) => it.channelType)] : [row.channelType];

function chosenColumns(params) {
  const chosen = (params.get("cols") ?? "").split(",").filter((it) => COLUMNS.includes(it));
  return chosen.length ? chosen : COLUMNS;
}

// Every status that somebody has, in the order of the tiles; those that are always asked for, too.
function statusCounts(agents) {
  const counts = countBy(agents, "status");
  for (const status of ["available", "connected", "idle"]) if (!counts.has(status)) counts.set(status, 0);
  return [...counts].sort(([a], [b]) => statusRank(a) - statusRank(b) || (a < b ? -1 : 1));
}

function differenceText({ other }, { times, names }) {
  const shown = other === null ? t("floor.unknown-then")
    : [word("status", other.status), reasonOf(other, names)].filter(Boolean).join(", ");
  return t(times?.isThen ? "floor.known-now" : "floor.shown-then", { shown });
}
