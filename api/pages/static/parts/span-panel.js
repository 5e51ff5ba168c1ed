// What is behind a span of a lane: what it is, from when to when, the event that began it with its
// body, and why the view showed this.

import { html, useSignal } from "../core/dom.js";
import { duration, Moment } from "../core/format.js";
import { useLoad } from "../core/load.js";
import { agentHref, Named, taskHref } from "../core/names.js";
import { Status } from "../core/status.js";
import { eventsAt } from "../core/subject-log.js";
import { t, word } from "../core/texts.js";
import { Corrections, EventBody, Explanation, Panel } from "./panel.js";
import { reasonOf } from "./span-words.js";
import { Empty, Loaded } from "./states.js";

const PLURAL = { agent: "agents", task: "tasks" };

// `subject`: {kind, id, orgId}; `wordOf(span)` says what it is.
export function SpanPanel({ span, subject, names, times, now, wordOf, onClose }) {
  const title = `${t(`lane.${span.kind}`)}: ${wordOf(span)}`;
  return html`<${Panel} title=${title} onClose=${onClose}><${Content} key=${span.key} ...${{ span, subject, names, times, now, wordOf }} /><//>`;
}

function Content(props) {
  const { span, subject, times } = props;
  if (span.kind === "late") return html`<p>${t("lanes.late-hint")}</p><${EventBody} position=${span.row.position} />`;
  if (span.kind === "correction") return html`<p>${t("lanes.correction-hint")}</p><${Corrections} rows=${[span.row]} />`;
  if (span.kind === "anomaly") return html`<${Anomaly} ...${props} />`;
  return html`
    <${Facts} ...${props} />
    <${Drill} title=${t("span.event")}><${BeginEvents} span=${span} subject=${subject} /><//>
    ${span.kind !== "capture" && html`<${Drill} title=${t("span.why")}>
      <p><small>${t("span.why-hint")} <${Moment} time=${span.from} ms /></small></p>
      <${Explanation} kind=${PLURAL[subject.kind]} id=${subject.id} orgId=${subject.orgId} times=${{ at: span.from, knownAt: times?.knownAt }} />
    <//>`}`;
}

// What is read only when it is asked for.
function Drill({ title, children }) {
  const isOpen = useSignal(false);
  return html`<details class="drill" open=${isOpen.value} onToggle=${(event) => (isOpen.value = event.target.open)}>
    <summary>${title}</summary>${isOpen.value && children}</details>`;
}

function Facts({ span, subject, names, times, now }) {
  const { row } = span;
  const { orgId } = subject;
  const task = subject.kind === "agent" && row.taskId;
  const sums = ["talkMs", "holdMs", "consultMs", "wrapUpMs"].filter((it) => row[it] !== undefined);
  return html`<dl>
    ${span.status !== span.kind && html`<dt>${t("span.state")}</dt><dd><${Status} status=${span.status} /></dd>`}
    ${row.outcome && html`<dt>${t("span.outcome")}</dt><dd>${word("outcome", row.outcome)}</dd>`}
    ${row.doubtful && html`<dt>${t("span.doubtful")}</dt><dd>${t("span.doubtful-hint")}</dd>`}
    <dt>${t("span.from")}</dt><dd><${Moment} time=${span.from} withDate ms /></dd>
    ${span.to !== span.from && html`<dt>${t("span.to")}</dt><dd>${span.to === null
      ? t("span.goes-on") : html`<${Moment} time=${span.to} withDate ms />`}${row.byTime && html` <small>${t("span.by-time")}</small>`}</dd>
      <dt>${t("span.duration")}</dt><dd>${duration((span.to ?? now) - span.from)}</dd>`}
    ${row.agentId && html`<dt>${t("column.name")}</dt>
      <dd><${Named} names=${names} kind="agent" id=${row.agentId} href=${agentHref(row.agentId, orgId, times)} /></dd>`}
    ${row.agents?.length > 0 && html`<dt>${t("span.agents")}</dt><dd>${row.agents.map((it) => html`<div key=${it.agentId}>
      <${Named} names=${names} kind="agent" id=${it.agentId} href=${agentHref(it.agentId, orgId, times)} />
      ${it.handled === false && html` <small>${t("span.consulted")}</small>`}</div>`)}</dd>`}
    ${row.teamId && html`<dt>${t("column.team")}</dt><dd><${Named} names=${names} kind="team" id=${row.teamId} /></dd>`}
    ${task && html`<dt>${t("column.task")}</dt><dd><a class="task-link" href=${taskHref(task, orgId, times)}>${task}</a></dd>`}
    ${row.channelType && html`<dt>${t("column.channel")}</dt><dd>${word("channel", row.channelType)}</dd>`}
    ${row.direction && html`<dt>${t("task.direction")}</dt><dd>${word("direction", row.direction)}</dd>`}
    ${row.queueId && html`<dt>${t("column.queue")}</dt><dd><${Named} names=${names} kind="queue" id=${row.queueId} /></dd>`}
    ${(row.idleCodeId || row.idleCodeName) && html`<dt>${t("column.reason")}</dt><dd><bdi>${reasonOf(row, names)}</bdi></dd>`}
    ${row.loggedOutBy && html`<dt>${t("span.logged-out-by")}</dt><dd><bdi>${row.loggedOutBy}</bdi></dd>`}
    ${row.profileType && html`<dt>${t("span.profile")}</dt><dd><bdi>${row.profileType}</bdi></dd>`}
    ${row.filePath && html`<dt>${t("span.file")}</dt><dd><code>${row.filePath}</code></dd>`}
    ${sums.map((it) => html`<dt key=${it}>${t(`duration.${it}`)}</dt><dd>${duration(row[it])}</dd>`)}
  </dl>`;
}

function Anomaly({ span, now }) {
  const { row } = span;
  return html`<p>${t(`anomaly-hint.${row.kind}`)}</p>
    <dl>
      <dt>${t("span.from")}</dt><dd>${row.from === null ? t("span.begin-unknown") : html`<${Moment} time=${row.from} withDate ms />`}</dd>
      <dt>${t("span.to")}</dt><dd><${Moment} time=${row.to} withDate ms /></dd>
      ${row.from !== null && html`<dt>${t("span.duration")}</dt><dd>${duration((row.to ?? now) - row.from)}</dd>`}
    </dl>
    ${row.position === null ? html`<p>${t("span.raised-by-time")}</p>`
      : html`<${Drill} title=${t("span.raised-by")}><${EventBody} position=${row.position} /><//>`}`;
}

// The event that began a span. Where a row does not name it, those of its subject at that time.
function BeginEvents({ span, subject }) {
  const { row } = span;
  const load = useLoad(
    (signal) => (row.eventId === null ? Promise.resolve([]) : eventsAt(subject, span.from, signal)),
    [span.key],
  );
  if (row.eventId === null) return html`<${Empty} title=${t("span.no-event")} />`;
  return html`<${Loaded} load=${load}>${(events) => {
    const named = events.filter((it) => (row.eventId ? it.id === row.eventId : !row.agentId || it.agentId === row.agentId));
    const found = named.length ? named : row.eventId ? [] : events;
    return found.length === 0 ? html`<${Empty} title=${t("span.no-event")} />`
      : found.map((it) => html`<${EventBody} key=${it.position} position=${it.position} />`);
  }}<//>`;
}
