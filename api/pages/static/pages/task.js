// A task: the customer's journey as lanes, a lane for each who took part, and the view with its reasons.

import { get } from "../core/api.js";
import { query } from "../core/address.js";
import { zoomIn } from "../core/days.js";
import { html, useMemo } from "../core/dom.js";
import { duration, Moment, number, SECOND, Since } from "../core/format.js";
import { taskLanes } from "../core/lane-layout.js";
import { useLoad } from "../core/load.js";
import { agentHref, Named } from "../core/names.js";
import { viewsTime } from "../core/service-status.js";
import { Status } from "../core/status.js";
import { readTimeline } from "../core/subject-log.js";
import { t, word } from "../core/texts.js";
import { Fields, Figures, Past, SubjectPage } from "../parts/subject-page.js";
import { Failure, Loading } from "../parts/states.js";
import { Timeline } from "../parts/timeline.js";

export default function Task({ id }) {
  return html`<${SubjectPage} kind="task" id=${id}>${(found) => html`<${Journey} ...${found} />`}<//>`;
}

function Journey({ subject, view, names, times, version }) {
  const now = times?.at ?? viewsTime();
  const inputs = [subject.orgId, subject.id, times?.at, times?.knownAt, version];
  const journey = useLoad(
    (signal) => get(`/api/v1/tasks/${encodeURIComponent(subject.id)}/journey`, { orgId: subject.orgId, ...times, names: true }, { signal }),
    inputs,
  );
  const log = useLoad((signal) => readTimeline(subject, null, times, signal), inputs);
  const rows = journey.value?.data;
  const lanes = useMemo(() => taskLanes(rows ?? [], view.captures), [rows, JSON.stringify(view.captures)]);
  const zoom = zoomIn(query.value);
  const all = { ...names, ...journey.value?.names };
  const scene = { shown: zoom ?? wholeOf(rows ?? [], view, now), isZoomed: zoom !== null, now, names: all, times };
  return html`
    <div class="heading">
      <h1>${t("page.task")} <bdi class="id" title=${subject.id}>${subject.id}</bdi></h1>
      <${Status} status=${view.status} />
      <span>${[view.channelType && word("channel", view.channelType), view.direction && word("direction", view.direction)].filter(Boolean).join(", ")}</span>
      ${view.queueId !== null && html`<span><${Named} names=${names} kind="queue" id=${view.queueId} /></span>`}
      ${view.waitingSince !== null && html`<span class="since">${t("task.waits")} <${Since} time=${view.waitingSince} now=${now} /></span>`}
      ${view.stale && html`<span class="tag">${t("task.stale")}</span>`}
    </div>
    <${Past} times=${times} />
    ${journey.error && html`<${Failure} error=${journey.error} retry=${journey.reload} />`}
    ${!journey.value && !journey.error && html`<${Loading} />`}
    ${journey.value && html`<${Timeline} subject=${subject} lanes=${lanes} log=${log} scene=${scene} whole=${t("task.whole")}
        lookedFrom=${journey.value.meta.lookedFrom}>
      <${View} view=${view} names=${names} subject=${subject} times=${times} />
      <${Sums} view=${view} now=${now} />
      <${Participants} view=${view} names=${all} orgId=${subject.orgId} times=${times} now=${now} />
    <//>`}`;
}

// From the first to the last of a journey, with a margin. While it goes on, the end is ahead of now,
// and moves by a step at a time.
function wholeOf(rows, view, now) {
  const times = [
    view.createdTime, view.endedTime, view.completedTime, view.stateSince,
    ...rows.flatMap((it) => [it.from, it.to]), ...view.captures.map((it) => it.createdTime),
  ].filter((it) => it !== null);
  const from = Math.min(...times, now);
  const last = Math.max(...times.filter((it) => it <= now), from);
  const goesOn = view.open || rows.some((it) => it.to === null);
  const length = Math.max((goesOn ? Math.max(now, last) : last) - from, 10 * SECOND);
  const step = Math.max(SECOND, 2 ** Math.ceil(Math.log2(length / 16)));
  return { from: from - Math.ceil(length / 50), to: from + (goesOn ? (Math.floor(length / step) + 1) * step : Math.ceil(length * 1.02)) };
}

function View({ view, names, subject, times }) {
  const field = (name, value, label = t(`field.${name}`)) => ({ name, label, value });
  const time = (name) => view[name] !== null && field(name, html`<${Moment} time=${view[name]} />`);
  const last = view.lastEvent;
  const text = (name) => view[name] !== null && field(name, html`<bdi>${view[name]}</bdi>`);
  const fields = [
    field("status", html`<${Status} status=${view.status} />`),
    field("currentState", html`<${Status} status=${view.currentState} />`),
    time("stateSince"),
    field("queueId", html`<${Named} names=${names} kind="queue" id=${view.queueId} />`, t("column.queue")),
    view.channelType !== null && field("channelType", word("channel", view.channelType), t("column.channel")),
    view.direction !== null && field("direction", word("direction", view.direction), t("task.direction")),
    text("outboundType"), text("origin"), text("destination"),
    ...["createdTime", "queuedTime", "offeredTime", "connectedTime", "endedTime", "completedTime"].map(time),
    text("terminatingParty"), text("reason"),
    field("lastEvent", last && html`<code>${last.type}</code> <${Moment} time=${last.createdTime ?? last.recordedTime} />`),
    field("anomalyCount", number(view.anomalyCount)),
  ].filter(Boolean);
  return html`<${Fields} title=${t(times ? "subject.then" : "subject.now")} fields=${fields} subject=${subject} times=${times} />`;
}

const Sums = ({ view, now }) => html`<section aria-labelledby="sums">
  <h2 id="sums">${t("task.figures")}</h2>
  <${Figures} rows=${[
    [t("task.waits-now"), view.waitingSince === null ? null : duration(now - view.waitingSince)],
    ...Object.entries(view.durations).map(([name, ms]) => [t(`duration.${name}`), duration(ms)]),
    ...Object.entries(view.counts).map(([name, count]) => [t(`count.${name}`), number(count)]),
  ]} />
</section>`;

const Participants = ({ view, names, orgId, times, now }) => view.participants.length > 0 && html`<section aria-labelledby="participants">
  <h2 id="participants">${t("task.participants")}</h2>
  <ul class="participants">${view.participants.map((it) => html`<li key=${it.agentId}>
    <${Named} names=${names} kind="agent" id=${it.agentId} href=${agentHref(it.agentId, orgId, times)} />
    <${Status} status=${it.state} />
    ${it.open ? html`<small><${Since} time=${it.since} now=${now} /></small>` : html`<small>${t("task.left")} <${Moment} time=${it.since} /></small>`}
    <small>${t("task.joined")} <${Moment} time=${it.joinedTime} /></small>
  </li>`)}</ul>
</section>`;
