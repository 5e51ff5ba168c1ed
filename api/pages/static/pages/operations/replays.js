// Replays: subjects folded again from the log, what that changes, and the event behind each change.

import { rows, send, who } from "../../core/api.js";
import { html, useSignal } from "../../core/dom.js";
import { duration, fromLocalField, Moment, number } from "../../core/format.js";
import { useLoad } from "../../core/load.js";
import { agentHref, taskHref } from "../../core/names.js";
import { t } from "../../core/texts.js";
import { Confirm } from "../../parts/dialog.js";
import { EventBody } from "../../parts/panel.js";
import { Empty, Loaded } from "../../parts/states.js";
import { Fact } from "./action.js";
import { idsOf, isGoing, Progress, Runs } from "./runs.js";

const PATH = "/api/v1/replays";
const EVENTS_AT_MOST = 20_000; // of a subject, among which an id is looked for

const KIND = {
  name: "replays",
  path: PATH,
  progress: (run) => html`<${Progress} done=${run.processed} total=${run.total} label=${t("run.column.progress")} />`,
  columns: [
    { id: "scope", sortable: false, cell: (it) => scopeText(it) },
    { id: "dry", cell: (it) => t(it.dryRun ? "yes" : "no") },
    { id: "changed", align: "number", cell: (it) => number(it.changed.count) },
  ],
  Start,
  Report,
};

export const Replays = () => html`<${Runs} kind=${KIND} />`;

function scopeText(run) {
  const parts = [
    run.orgIds && t("replays.of-orgs", { ids: run.orgIds.join(", ") }),
    run.agentIds.length > 0 && t("replays.agents", { count: run.agentIds.length, ids: run.agentIds.join(", ") }),
    run.taskIds.length > 0 && t("replays.tasks", { count: run.taskIds.length, ids: run.taskIds.join(", ") }),
    (run.from !== null || run.to !== null) && t("replays.some-time"),
    run.parked && t("replays.parked"),
  ].filter(Boolean);
  const text = parts.join("; ") || t("replays.everything");
  return html`<bdi title=${text}>${text}</bdi>`;
}

function Start({ onClose, onStarted }) {
  const fields = useSignal({ orgId: "", agentIds: "", taskIds: "", from: "", to: "", parked: false, dryRun: true });
  const set = (name, property = "value") => (event) => (fields.value = { ...fields.value, [name]: event.target[property] });
  const { orgId, agentIds, taskIds, from, to, parked, dryRun } = fields.value;
  const isAll = !agentIds.trim() && !taskIds.trim() && !from && !to && !parked;
  const act = async (why) => {
    const body = { agentIds: idsOf(agentIds), taskIds: idsOf(taskIds), parked, dryRun, why };
    if (orgId) body.orgId = orgId;
    if (from) body.from = fromLocalField(from);
    if (to) body.to = fromLocalField(to);
    onStarted(await send("POST", PATH, body));
  };
  return html`<${Confirm} title=${t("replays.start")} action=${t(dryRun ? "replays.go-dry" : "replays.go")} act=${act} onClose=${onClose}>
    <p>${t("replays.fields-hint")}</p>
    ${organisations() ? html`<label>${t("column.organisation")}
      <select onChange=${set("orgId")}><option value="">${t("replays.all-own")}</option>
        ${organisations().map((it) => html`<option key=${it} value=${it}>${it}</option>`)}</select></label>`
      : html`<label>${t("column.organisation")}<input name="orgId" autocomplete="off" value=${orgId} onInput=${set("orgId")} /></label>`}
    <div class="pair">
      <label>${t("replays.agent-ids")}<textarea name="agentIds" rows="2" value=${agentIds} onInput=${set("agentIds")}></textarea></label>
      <label>${t("replays.task-ids")}<textarea name="taskIds" rows="2" value=${taskIds} onInput=${set("taskIds")}></textarea></label>
      <label>${t("run.from")}<input type="datetime-local" step="1" name="from" value=${from} onInput=${set("from")} /></label>
      <label>${t("run.to")}<input type="datetime-local" step="1" name="to" value=${to} onInput=${set("to")} /></label>
    </div>
    <label><input type="checkbox" name="parked" checked=${parked} onChange=${set("parked", "checked")} /> ${t("replays.parked")}</label>
    <label><input type="checkbox" name="dryRun" checked=${dryRun} onChange=${set("dryRun", "checked")} /> ${t("replays.dry-hint")}</label>
    ${isAll && html`<p class="note-line">${t("replays.all-hint")}</p>`}
  <//>`;
}

const organisations = () => who.value.orgIds;

function Report({ run }) {
  const event = useSignal(null);
  return html`
    <p><${Progress} done=${run.processed} total=${run.total} label=${t("run.column.progress")} /></p>
    ${isGoing(run) && run.eventsPerSecond !== null && html`<p>${t("replays.speed", {
      n: number(Math.round(run.eventsPerSecond)), eta: duration(run.etaMs) })}</p>`}
    <dl>
      <${Fact} name="run.column.scope">${scopeText(run)}<//>
      ${run.from !== null && html`<${Fact} name="run.from"><${Moment} time=${run.from} /><//>`}
      ${run.to !== null && html`<${Fact} name="run.to"><${Moment} time=${run.to} /><//>`}
    </dl>
    <h3>${t(run.dryRun ? "replays.would-change" : "replays.changed", { count: run.changed.count, n: number(run.changed.count) })}</h3>
    ${run.changed.first.length < run.changed.count && html`<p><small>${t("replays.first", { n: run.changed.first.length })}</small></p>`}
    ${run.changed.first.length > 0 && html`<div class="scroller" role="region" tabindex="0" aria-label=${t("replays.diff")}>
      <table class="diff"><thead><tr><th scope="col">${t("replays.subject")}</th><th scope="col">${t("explain.field")}</th>
        <th scope="col">${t("replays.before")}</th><th scope="col">${t("replays.after")}</th><th scope="col">${t("replays.set-by")}</th></tr></thead>
      <tbody>${run.changed.first.map((it) => html`<tr key=${`${it.subject.kind} ${it.subject.orgId} ${it.subject.id}`}>
        <th scope="row"><a href=${(it.subject.kind === "agent" ? agentHref : taskHref)(it.subject.id, it.subject.orgId)}
          title=${it.subject.orgId}>${t(`subject.${it.subject.kind}`)} <bdi>${it.subject.id}</bdi></a></th>
        <td><code>${it.field}</code></td><td><${Value} value=${it.before} /></td><td><${Value} value=${it.after} /></td>
        <td>${it.eventId === null ? html`<span class="none">–</span>`
          : html`<button type="button" class="link" onClick=${() => (event.value = it)}>${it.eventId}</button>`}</td>
      </tr>`)}</tbody></table></div>`}
    ${event.value && html`<h3>${t("explain.event")}</h3><${EventOf} key=${event.value.eventId} change=${event.value} />`}`;
}

function Value({ value }) {
  if (value === null || value === undefined) return html`<span class="none">–</span>`;
  return typeof value === "object" ? html`<code class="value">${JSON.stringify(value)}</code>` : html`<bdi>${String(value)}</bdi>`;
}

// The report names an event by its id. Its position is found among the events of the subject; those
// of the interval's start come first, where the change is one of an interval.
function EventOf({ change }) {
  const load = useLoad((signal) => positionOf(change, signal), [change.eventId]);
  return html`<${Loaded} load=${load}>${({ position }) => (position === null
    ? html`<${Empty} title=${t("replays.no-event")} />` : html`<${EventBody} position=${position} />`)}<//>`;
}

async function positionOf({ subject, eventId, before, after }, signal) {
  const params = { orgId: subject.orgId, [subject.kind === "agent" ? "agentId" : "taskId"]: subject.id };
  const start = (after ?? before)?.from;
  const narrow = Number.isInteger(start) ? [{ ...params, from: start, to: start + 1 }] : [];
  for (const one of [...narrow, params]) {
    const { data } = await rows("/api/v1/events", one, { signal, atMost: EVENTS_AT_MOST });
    const found = data.find((it) => it.id === eventId);
    if (found) return { position: found.position };
  }
  return { position: null };
}
