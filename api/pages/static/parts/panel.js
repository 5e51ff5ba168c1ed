// The panel at the side: what a number counts, or why a field has its value, down to the event's body.

import { html, useEffect, useRef, useSignal } from "../core/dom.js";
import { get } from "../core/api.js";
import { Moment, duration } from "../core/format.js";
import { useLoad } from "../core/load.js";
import { Named } from "../core/names.js";
import { Status } from "../core/status.js";
import { has, t } from "../core/texts.js";
import { Empty, Loaded } from "./states.js";

export function Panel({ title, onClose, children }) {
  const element = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  const onKey = (event) => event.key === "Escape" && onClose();
  return html`<aside class="panel" ref=${element} tabindex="-1" aria-label=${title} onKeyDown=${onKey}>
    <header>
      <h2>${title}</h2>
      <button type="button" class="close" aria-label=${t("action.close")} onClick=${onClose}>×</button>
    </header>
    ${children}
  </aside>`;
}

// An event of the log with its body, its further deliveries and what contradicts it.
export function EventBody({ position }) {
  const load = useLoad((signal) => get(`/api/v1/events/${position}`, {}, { signal }), [position]);
  return html`<${Loaded} load=${load}>${(event) => html`<div class="event">
    <dl>
      <dt>${t("event.type")}</dt><dd><code>${event.type}</code></dd>
      <dt>${t("event.happened")}</dt><dd><${Moment} time=${event.time} ms /> <small>(${t(`time-source.${event.timeSource}`)})</small></dd>
      <dt>${t("event.recorded")}</dt><dd><${Moment} time=${event.recordedTime} ms /> <small>${t("event.later", { duration: duration(event.recordedTime - event.time) })}</small></dd>
      <dt>${t("event.position")}</dt><dd>${event.position}</dd>
      <dt>${t("event.origin")}</dt><dd>${t(`origin.${event.origin}`)}</dd>
      <dt>${t("event.id")}</dt><dd><code>${event.id}</code></dd>
      <dt>SHA-256</dt><dd><code class="digest">${event.sha256}</code></dd>
      ${event.duplicates.length > 0 && html`<dt>${t("event.duplicates")}</dt>
        <dd>${event.duplicates.map((it) => html`<${Moment} time=${it.recordedTime} ms /> `)}</dd>`}
    </dl>
    <${Body} parsed=${event.parsed} body=${event.body} />
    ${event.conflicts.map((it) => html`<h3>${t(`conflict.${it.kind}`)}</h3>
      <p>${t("event.fields", { fields: it.fields.join(", ") })}</p><${Body} parsed=${it.parsed} body=${it.body} />`)}
  </div>`}<//>`;
}

export const Body = ({ parsed, body, label = t("event.body") }) =>
  html`<pre class="body" tabindex="0" aria-label=${label}>${
    parsed === null || parsed === undefined ? decode(body) : JSON.stringify(parsed, null, 2)}</pre>`;

// The bytes of base64 as text.
export function decode(base64) {
  const bytes = Uint8Array.from(atob(base64 ?? ""), (it) => it.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

// Fields that say nothing of what the agent or the customer does come last.
const LAST_FIELDS = ["agentId", "taskId", "orgId", "lastEvent", "eventCount", "anomalyCount", "settled"];

// Why a view shows what it shows: each field, the event that set it, and what was unusual around.
export function Explanation({ kind, id, orgId, times = {}, field: only = null }) {
  const load = useLoad(
    (signal) => get(`/api/v1/${kind}/${encodeURIComponent(id)}/explain`, { orgId, ...times, names: true }, { signal }),
    [kind, id, orgId, times.at, times.knownAt],
  );
  const open = useSignal(null);
  return html`<${Loaded} load=${load}>${(answer) => {
    const fields = Object.entries(answer.fields)
      .filter(([name]) => !only || name === only)
      .sort(([one], [other]) => LAST_FIELDS.indexOf(one) - LAST_FIELDS.indexOf(other));
    return html`
      <table class="fields"><thead><tr><th>${t("explain.field")}</th><th>${t("explain.value")}</th><th>${t("explain.set")}</th></tr></thead>
      <tbody>${fields.map(([name, it]) => html`<tr key=${name} data-field=${name}>
        <th scope="row" title=${name}>${has(`field.${name}`) ? t(`field.${name}`) : html`<code>${name}</code>`}</th>
        <td><${Value} field=${name} value=${it.value} names=${answer.names} /></td>
        <td>${it.position === null
          ? it.time === null ? t("explain.nothing") : t("explain.time")
          : html`<button type="button" class="link" onClick=${() => (open.value = it.position)}><${Moment} time=${it.time} ms /></button>`}</td>
      </tr>`)}</tbody></table>
      ${answer.lookedFrom && html`<p>${t("explain.looked-from")} <${Moment} time=${answer.lookedFrom} /></p>`}
      ${answer.around.length > 0 && html`<h3>${t("explain.around")}</h3>
        <ul class="around">${answer.around.map((it) => html`<li>
          <button type="button" class="link" onClick=${() => (open.value = it.position)}>${t(`effect.${it.effect}`)}</button>
          <${Moment} time=${it.time} ms /> <small>${t("event.later", { duration: duration(it.recordedTime - it.time) })}</small></li>`)}</ul>`}
      ${open.value !== null && html`<h3>${t("explain.event")}</h3><${EventBody} position=${open.value} />`}`;
  }}<//>`;
}

const KINDS = { agentId: "agent", teamId: "team", queueId: "queue", idleCodeId: "idleCode", wrapUpAuxCodeId: "wrapUpCode" };
const TIME = /(Time|Since)$/;

function Value({ field, value, names }) {
  if (value === null || value === undefined) return html`<span class="none">–</span>`;
  if (field in KINDS) return html`<${Named} names=${names} kind=${KINDS[field]} id=${value} />`;
  if (TIME.test(field) && Number.isInteger(value)) return html`<${Moment} time=${value} ms />`;
  if (field === "status" || field === "currentState") return html`<${Status} status=${value} />`;
  if (typeof value !== "object") return html`<bdi>${String(value)}</bdi>`;
  const text = JSON.stringify(value);
  return text === "[]" || text === "{}" ? html`<span class="none">–</span>` : html`<code class="value">${text}</code>`;
}

// Events as a list, each with its body one click away.
export function EventList({ rows }) {
  const open = useSignal(null);
  return html`<ul class="around">${rows.map((it) => html`<li key=${it.position}>
      <button type="button" class="link" onClick=${() => (open.value = it.position)}>${it.type}</button>
      <${Moment} time=${it.time} ms /> <small>${t("event.later", { duration: duration(it.recordedTime - it.time) })}</small></li>`)}</ul>
    ${open.value !== null && html`<h3>${t("explain.event")}</h3><${EventBody} position=${open.value} />`}`;
}

export const Corrections = ({ rows }) => {
  const open = useSignal(null);
  if (!rows.length) return html`<${Empty} title=${t("corrections.none")} />`;
  return html`<ul class="corrections">${rows.map((row) => html`<li key=${`${row.subject} ${row.position} ${row.from}`}>
      <p><${Moment} time=${row.from} ms /> – ${row.to === null ? t("now") : html`<${Moment} time=${row.to} ms />`}${": "}${shown(row.before)} → <strong>${shown(row.after)}</strong></p>
      <p><small>${t("corrections.known")} <${Moment} time=${row.recordedTime} /></small></p>
      ${row.events.map((it) => html`<p><button type="button" class="link" onClick=${() => (open.value = it.position)}>
        ${t("corrections.event", { lateness: duration(it.latenessMs) })}</button></p>`)}
    </li>`)}</ul>
    ${open.value !== null && html`<h3>${t("explain.event")}</h3><${EventBody} position=${open.value} />`}`;
};

const shown = (intervals) => intervals.map((it) => it.status).join(", ") || t("corrections.nothing");
