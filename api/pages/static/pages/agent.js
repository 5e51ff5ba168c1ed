// An agent: what is shown of them and why, and their day as lanes, with what came late or is missing.

import { get } from "../core/api.js";
import { query, setQuery } from "../core/address.js";
import { now as clockNow } from "../core/clock.js";
import { dayName, dayNamed, dayOf, spansOf } from "../core/days.js";
import { html, useMemo } from "../core/dom.js";
import { duration, Moment, NOTHING, number, percent, SECOND, Since, zone } from "../core/format.js";
import { agentLanes } from "../core/lane-layout.js";
import { useLoad } from "../core/load.js";
import { Named, taskHref } from "../core/names.js";
import { viewsTime } from "../core/service-status.js";
import { Status, statusRank } from "../core/status.js";
import { readTimeline } from "../core/subject-log.js";
import { t, word } from "../core/texts.js";
import { Fields, Figures, Past, SubjectPage } from "../parts/subject-page.js";
import { reasonOf } from "../parts/span-words.js";
import { Empty, Failure, Loaded, Loading } from "../parts/states.js";
import { Timeline } from "../parts/timeline.js";

export default function Agent({ id }) {
  return html`<${SubjectPage} kind="agent" id=${id}>${(found) => html`<${Day} ...${found} />`}<//>`;
}

function Day({ subject, view, names, times, version }) {
  const now = times?.at ?? viewsTime();
  const { day, shown, whole, isZoomed } = spansOf(query.value, now);
  const fresh = whole.from <= now ? version : 0; // of a day to come, nothing changes
  const inputs = [subject.orgId, subject.id, whole.from, whole.to, times?.at, times?.knownAt, fresh];
  const lanes = useLoad(
    (signal) => get(`/api/v1/agents/${encodeURIComponent(subject.id)}/timeline`,
      { orgId: subject.orgId, from: whole.from, to: whole.to, ...times, names: true }, { signal }),
    inputs,
  );
  const log = useLoad((signal) => readTimeline(subject, whole, times, signal), inputs);
  const all = { ...names, ...lanes.value?.names };
  const drawn = useMemo(() => agentLanes(lanes.value?.data ?? []), [lanes.value]);
  return html`
    <div class="heading">
      <h1><${Named} names=${names} kind="agent" id=${subject.id} /></h1>
      <${Status} status=${view.status} />
      <span class="since"><${Since} time=${view.statusSince} now=${now} /></span>
      ${!view.settled && html`<span class="provisional" title=${t("provisional.one")}>${t("reports.provisional")}</span>`}
    </div>
    <${Past} times=${times} />
    <${DayBar} day=${day} now=${times ? clockNow() : now} isLive=${times === null} />
    ${lanes.error && html`<${Failure} error=${lanes.error} retry=${lanes.reload} />`}
    ${!lanes.value && !lanes.error && html`<${Loading} />`}
    ${lanes.value && html`<${Timeline} subject=${subject} lanes=${drawn} log=${log} scene=${{ shown, isZoomed, now, names: all, times }}
        whole=${t("agent.whole-day")} lookedFrom=${lanes.value.meta.lookedFrom} lookedTo=${lanes.value.meta.lookedTo}>
      <${View} view=${view} names=${names} now=${now} subject=${subject} times=${times} />
      <${Report} subject=${subject} span=${whole} times=${times} version=${fresh} />
    <//>`}`;
}

// Without a day in the address, a live page goes on to the next day at midnight.
function DayBar({ day, now, isLive }) {
  const today = dayOf(now);
  const choose = (time) => {
    const isUsual = isLive && time >= today.from && time < today.to;
    setQuery({ day: isUsual ? null : dayName(time), from: null, to: null }, { replace: false });
  };
  const onDate = (event) => {
    const found = dayNamed(event.target.value);
    if (found) choose(found.from);
  };
  return html`<div class="bar days">
    <button type="button" class="secondary" onClick=${() => choose(day.from - 1)}>← ${t("agent.previous-day")}</button>
    <input type="date" aria-label=${t("agent.day")} value=${dayName(day.from)} onChange=${onDate} />
    <button type="button" class="secondary" onClick=${() => choose(day.to)}>${t("agent.next-day")} →</button>
    <button type="button" class="secondary" disabled=${day.from === today.from} onClick=${() => choose(today.from)}>${t("agent.today")}</button>
    <small>${t("agent.zone", { zone: zone() })}</small>
  </div>`;
}

function View({ view, names, now, subject, times }) {
  const channels = Object.entries(view.channels);
  const field = (name, value, label = t(`field.${name}`)) => ({ name, label, value });
  const task = (id, text) => html`<a class="id" title=${id} href=${taskHref(id, subject.orgId, times)}>${text}</a>`;
  const since = (time) => html`<small><${Since} time=${time} now=${now} /></small>`;
  const { session, lastEvent } = view;
  const fields = [
    field("status", html`<${Status} status=${view.status} />`),
    field("statusSince", html`<${Moment} time=${view.statusSince} />`),
    view.status === "idle" && field(view.idleCodeId === null ? "idleCodeName" : "idleCodeId",
      html`<bdi>${reasonOf(view, names) ?? NOTHING}</bdi>`, t("column.reason")),
    field("currentState", html`<${Status} status=${view.currentState} />`),
    field("loggedIn", view.loggedIn ? t("agent.signed-in") : t("agent.signed-out")),
    field("session", html`<${Moment} time=${session.loginTime} /> – ${session.logoutTime !== null && html`<${Moment} time=${session.logoutTime} />`}`),
    field("teamId", html`<${Named} names=${names} kind="team" id=${view.teamId} />`, t("column.team")),
    field("queueId", html`<${Named} names=${names} kind="queue" id=${view.queueId} />`, t("column.queue")),
    field("taskId", view.taskId === null ? NOTHING : task(view.taskId, view.taskId), t("column.task")),
    field("interactions", view.interactions.length === 0 ? NOTHING : view.interactions.map((it) => html`<div key=${it.taskId}>
      <${Status} status=${it.state} /> ${task(it.taskId, word("channel", it.channelType ?? t("channel.none")))} ${since(it.since)}</div>`)),
    field("channels", channels.length === 0 ? NOTHING : channels.map(([type, it]) => html`<div key=${type}>
      ${word("channel", type)} <${Status} status=${it.currentState} /> ${since(it.since)}</div>`)),
    field("lastEvent", lastEvent && html`<code>${lastEvent.type}</code> <${Moment} time=${lastEvent.createdTime ?? lastEvent.recordedTime} />`),
    field("anomalyCount", number(view.anomalyCount)),
  ].filter(Boolean);
  return html`<${Fields} title=${t(times ? "subject.then" : "subject.now")} fields=${fields} subject=${subject} times=${times} />`;
}

// The report of the day, by /api/v1/reports/agents. Its figures are of all that is known; of the past it
// is therefore cut to what had happened by then.
function Report({ subject, span, times, version }) {
  const to = times ? Math.min(span.to, Math.max(span.from + SECOND, times.at + 1)) : span.to;
  const load = useLoad(
    (signal) => get("/api/v1/reports/agents",
      { orgId: subject.orgId, agentId: subject.id, from: span.from, to, tz: zone(), interval: "1d", ...times, names: true }, { signal }),
    [subject.orgId, subject.id, span.from, to, times?.at, times?.knownAt, version],
  );
  return html`<section aria-labelledby="report">
    <h2 id="report">${t(times ? "agent.report-then" : "agent.report")}</h2>
    <${Loaded} load=${load}>${({ data, names }) => (data.length === 0
      ? html`<${Empty} title=${t("agent.no-report")} />`
      : data.map((row) => html`<div key=${row.from}>
          ${data.length > 1 && html`<h3><${Moment} time=${row.from} withDate /></h3>`}
          <${ReportRow} row=${row} names=${names ?? {}} /></div>`))}<//>
  </section>`;
}

function ReportRow({ row, names }) {
  const statuses = Object.entries(row.statusMs).sort(([a], [b]) => statusRank(a) - statusRank(b) || (a < b ? -1 : 1));
  const codes = Object.entries(row.idleMs);
  return html`
    <${Figures} rows=${[
      [t("figure.loggedInMs"), duration(row.loggedInMs)],
      [t("figure.occupancy"), row.occupancy === null ? null : percent(row.occupancy?.value ?? row.occupancy)],
      [t("count.handled"), number(row.handled)],
      [t("count.offersAccepted"), number(row.offersAccepted)],
      [t("count.offersRefused"), number(row.offersRefused)],
      [t("duration.talkMs"), duration(row.talkMs)],
      [t("duration.holdMs"), duration(row.holdMs)],
      [t("duration.consultMs"), duration(row.consultMs)],
      [t("duration.wrapUpMs"), duration(row.wrapUpMs)],
      [t("figure.firstLogin"), row.firstLogin && html`<${Moment} time=${row.firstLogin} />`],
      [t("figure.lastLogout"), row.lastLogout && html`<${Moment} time=${row.lastLogout} />`],
      [t("figure.doubtfulMs"), row.doubtfulMs > 0 ? duration(row.doubtfulMs) : null],
      [t("figure.settled"), row.settled ? t("settled.yes") : t("settled.no")],
    ]} />
    ${statuses.length > 0 && html`<h3>${t("agent.by-status")}</h3>
      <dl class="shares">${statuses.map(([status, ms]) => html`<div key=${status}>
        <dt><${Status} status=${status} /></dt><dd>${duration(ms)} <small>${percent(row.loggedInMs ? ms / row.loggedInMs : null)}</small></dd></div>`)}</dl>`}
    ${codes.length > 0 && html`<h3>${t("agent.by-code")}</h3>
      <dl class="shares">${codes.map(([code, ms]) => html`<div key=${code}>
        <dt>${code === "none" ? t("agent.no-code") : html`<${Named} names=${names} kind="idleCode" id=${code} />`}</dt>
        <dd>${duration(ms)}</dd></div>`)}</dl>`}`;
}
