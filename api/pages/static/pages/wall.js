// The wall: large, without controls, its views taking turns. It looks after itself: it comes back when
// the service was away, and loads itself anew after an upgrade and each night.

import { query } from "../core/address.js";
import { now, second } from "../core/clock.js";
import { html, useEffect, useRef, useSignal } from "../core/dom.js";
import { filtersOf, fitsAgent, fitsTask, countsByStatus, inOrder, reasonOf, teamsOf, waitingByQueue } from "../core/floor.js";
import { duration, HOUR, MINUTE, moment, number, percent, SECOND, Since } from "../core/format.js";
import * as live from "../core/live.js";
import { repeated } from "../core/load.js";
import { nameOf } from "../core/names.js";
import { serviceStatus, viewsTime, watchStatus } from "../core/service-status.js";
import { Shape, Status, tone } from "../core/status.js";
import { readSummary } from "../core/summary.js";
import { t, word } from "../core/texts.js";
import { agentLevel, highest, queueLevel, readRules, waitLevel } from "../core/thresholds.js";
import { freshness } from "../parts/badge.js";
import { Loading } from "../parts/states.js";

const TURN_MS = 15 * SECOND; // by default; `?turn=` seconds
const FIGURES_EVERY_MS = 10 * SECOND;
const RULES_EVERY_MS = 5 * MINUTE;
const LOADED_ANEW_AFTER_MS = 24 * HOUR;
const QUEUES_AT_MOST = 12;
const AGENTS_AT_MOST = 40;

const VIEWS = [Figures, Queues, Attention];

export default function Wall() {
  const summary = useSignal(null);
  const began = useRef(second.peek());
  const filters = filtersOf(query.value);
  const key = JSON.stringify(filters);
  useEffect(() => live.follow(), []);
  useEffect(watchStatus, []);
  useEffect(() => renewed(), []);
  useEffect(() => repeated(readRules, RULES_EVERY_MS), []);
  useEffect(() => {
    summary.value = null;
    return repeated(async () => {
      summary.value = await readSummary(filters);
    }, FIGURES_EVERY_MS);
  }, [key]);

  live.version.value;
  const turn = (Number(query.value.get("turn")) || TURN_MS / SECOND) * SECOND;
  const View = VIEWS[Math.floor((second.value - began.current) / turn) % VIEWS.length] ?? Figures;
  const all = [...live.agents.values()];
  const agents = all.filter((it) => fitsAgent(it, filters, live.names));
  const teams = teamsOf(all);
  const queues = waitingByQueue([...live.tasks.values()].filter((it) => fitsTask(it, filters, teams)));
  const { kind, text } = freshness();
  const isOld = kind === "lost";
  const title = nameOfFloor(filters);
  useEffect(() => {
    document.title = `${title} · ${t("page.wall")} · ${t("product")}`;
  }, [title, live.version.value > 0]);
  const waits = live.connection.value.state === "connecting" && live.agents.size === 0;
  return html`<main class="wall ${isOld ? "old" : ""}" id="main">
    <header>
      <h1>${title}</h1>
      <p class="badge ${kind}" role="status"><span class="dot" aria-hidden="true"></span>${text}</p>
      <p class="clock"><time>${moment(second.value)}</time></p>
    </header>
    ${waits ? html`<${Loading} what=${t("floor.loading")} />` : html`<${View} agents=${agents} queues=${queues} summary=${summary.value} now=${viewsTime()} />`}
  </main>`;
}

const nameOfFloor = ({ teamId, queueId }) =>
  [...teamId.map((id) => nameOf(live.names, "team", id)), ...queueId.map((id) => nameOf(live.names, "queue", id))].join(", ") ||
  t("wall.title");

// A number that is long is smaller, and never broken.
const Count = ({ text }) => html`<span class="count ${text.length > 6 ? "long" : ""}">${text}</span>`;

function Figures({ agents, queues, summary, now: time }) {
  const waiting = queues.reduce((sum, it) => sum + it.waiting, 0);
  const figures = [
    ["waiting", number(waiting)],
    ["longestWait", queues.length ? duration(time - queues[0].since) : "–"],
    ["serviceLevel", percent(summary?.serviceLevel.value)],
    ["asaMs", duration(summary?.asaMs.value)],
    ["ahtMs", duration(summary?.ahtMs.value)],
    ["abandonment", percent(summary?.abandonment.value)],
  ];
  const level = highest(queues.map((it) => waitLevel(it, time)));
  return html`<section aria-label=${t("floor.figures")}>
    <ul class="large">${figures.map(([id, text]) => html`<li key=${id} class=${id === "longestWait" ? (level ?? "") : ""}>
      <${Count} text=${text} /><span class="what">${t(`figure.${id}`)}</span></li>`)}</ul>
    <ul class="large" aria-label=${t("floor.by-status")}>${countsByStatus(agents).map(([it, count]) => html`<li key=${it} class=${count === 0 ? "" : tone(it)}>
      <${Count} text=${number(count)} /><span class="what"><${Shape} status=${it} /> ${word("status", it)}</span></li>`)}</ul>
  </section>`;
}

// Queues in alarm come first: they must not be those that find no place.
function Queues({ queues: all, now: time }) {
  const rank = (queue) => ["red", "amber", null].indexOf(queueLevel(queue, time));
  const queues = [...all].sort((a, b) => rank(a) - rank(b) || a.since - b.since);
  return html`<section aria-labelledby="queues"><h2 id="queues">${t("floor.queues")}</h2>
    ${queues.length === 0 ? html`<p class="big">${t("floor.nobody-waits")}</p>` : html`<table><thead><tr>
      <th scope="col">${t("column.queue")}</th><th scope="col">${t("column.channel")}</th>
      <th scope="col" class="number">${t("column.waiting")}</th><th scope="col" class="number">${t("column.longest")}</th></tr></thead>
      <tbody>${queues.slice(0, QUEUES_AT_MOST).map((it) => html`<tr key=${it.key} class=${queueLevel(it, time) ?? ""}>
        <th scope="row"><bdi>${nameOf(live.names, "queue", it.queueId) ?? "–"}</bdi></th><td>${word("channel", it.channelType ?? t("channel.none"))}</td>
        <td class="number">${number(it.waiting)}</td><td class="number"><${Since} time=${it.since} now=${time} /></td></tr>`)}</tbody></table>
      ${queues.length > QUEUES_AT_MOST && html`<p>${t("wall.more", { count: queues.length - QUEUES_AT_MOST })}</p>`}`}
  </section>`;
}

// Who needs a supervisor: rows that are red, then amber, the longest in their status first.
function Attention({ agents, now: time }) {
  const levels = { red: 0, amber: 1 };
  const rows = inOrder(agents, { id: "time", descending: false }, live.names)
    .map((agent) => [agentLevel(agent, time), agent])
    .filter(([level]) => level !== null)
    .sort(([a], [b]) => levels[a] - levels[b]);
  return html`<section aria-labelledby="attention"><h2 id="attention">${t("wall.attention")}</h2>
    ${rows.length === 0 ? html`<p class="big">${t("wall.calm")}</p>` : html`<ul class="people">
      ${rows.slice(0, AGENTS_AT_MOST).map(([level, agent]) => html`<li key=${`${agent.orgId} ${agent.agentId}`} class=${level}>
        <bdi class="name">${nameOf(live.names, "agent", agent.agentId)}</bdi>
        <span><${Status} status=${agent.status} /> <bdi>${reasonOf(agent, live.names) ?? ""}</bdi></span>
        <${Since} time=${agent.statusSince} now=${time} /></li>`)}
    </ul>`}
  </section>`;
}

// Loads the document anew when the service has another version, and each day: no leak lasts a week.
// While the service does not answer, the last floor stays.
function renewed() {
  const began = now();
  let version = null;
  const timer = setInterval(() => {
    const found = serviceStatus.value.value?.versions;
    const text = found && JSON.stringify(found);
    version ??= text;
    const isDue = text !== version || now() - began > LOADED_ANEW_AFTER_MS;
    if (text && isDue && live.connection.value.state === "live") location.reload();
  }, MINUTE);
  return () => clearInterval(timer);
}
