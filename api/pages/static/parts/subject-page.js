// What the pages of one agent and of one task share: reading the subject as the address asks, which
// organisation where several have it, as of when, and the fields of its view with their "Why?".

import { get } from "../core/api.js";
import { href, path, query, setQuery } from "../core/address.js";
import { html, useSignal } from "../core/dom.js";
import { Moment } from "../core/format.js";
import { timesIn } from "../core/days.js";
import { useLoad } from "../core/load.js";
import { useSubject } from "../core/subject.js";
import { t } from "../core/texts.js";
import { Explanation, Panel } from "./panel.js";
import { Failure, Loading } from "./states.js";

// Calls `children({subject, view, names, times, version})` once the subject is read. `kind`: "agent" or
// "task".
export function SubjectPage({ kind, id, children }) {
  const orgId = query.value.get("orgId");
  const times = timesIn(query.value);
  const load = useLoad(
    (signal) => get(`/api/v1/${kind}s/${encodeURIComponent(id)}`, { orgId, ...times, names: true }, { signal }),
    [id, orgId, times?.at, times?.knownAt],
  );
  const first = load.error ? null : load.value;
  const live = useSubject(kind, id, first, times === null);
  if (load.error?.status === 409 && load.error.problem.orgIds) {
    return html`<h1>${t(`page.${kind}`)}</h1><${Organisations} orgIds=${load.error.problem.orgIds} />`;
  }
  if (load.error) {
    return html`<h1>${t(`page.${kind}`)}</h1><${Past} times=${times} />
      <${Failure} error=${load.error} retry=${load.reload} />`;
  }
  if (!first) return html`<h1>${t(`page.${kind}`)}</h1><${Loading} />`;
  const view = (times === null && live.view) || first;
  const subject = { kind, id, orgId: first.orgId };
  return children({ subject, view, names: { ...first.names, ...live.names }, times, version: times === null ? live.version : 0 });
}

const Organisations = ({ orgIds }) => html`<div class="state choose">
  <p><strong>${t("subject.several")}</strong></p>
  <ul>${orgIds.map((it) => html`<li key=${it}><a href=${href(path.value, { ...Object.fromEntries(query.value), orgId: it })}><bdi>${it}</bdi></a></li>`)}</ul>
</div>`;

// As of when the page is, where it is not live.
export const Past = ({ times }) =>
  times && html`<p class="past-line">
    <span>${t("subject.as-of")} <strong><${Moment} time=${times.at} withDate /></strong>, ${times.knownAt === null
      ? t("scrub.now") : times.knownAt === times.at
      ? t("scrub.then") : html`${t("subject.known-at")} <${Moment} time=${times.knownAt} withDate />`}</span>
    <button type="button" class="secondary" onClick=${() => setQuery({ at: null, knownAt: null }, { replace: false })}>${t("scrub.live")}</button>
  </p>`;

// The fields of a view: [{name, label, value}], where `name` is the field that the API explains.
export function Fields({ title, fields, subject, times, extra }) {
  const asked = useSignal(null);
  const of = fields.find((it) => it.name === asked.value);
  return html`<section aria-labelledby="fields">
    <h2 id="fields">${title}</h2>
    <dl class="fields-list">${fields.map(({ name, label, value }) => html`<div key=${`${name} ${label}`}>
      <dt>${label}</dt>
      <dd>${value} <button type="button" class="link why" aria-label=${t("subject.why-field", { field: label })}
        onClick=${() => (asked.value = name)}>${t("floor.why")}</button></dd>
    </div>`)}</dl>
    ${extra}
    <p><button type="button" class="link" onClick=${() => (asked.value = "")}>${t("subject.why-all")}</button></p>
    ${asked.value !== null && html`<${Panel} key=${asked.value} onClose=${() => (asked.value = null)}
        title=${of ? t("subject.why-field", { field: of.label }) : t("explain.title")}>
      <${Explanation} kind=${`${subject.kind}s`} id=${subject.id} orgId=${subject.orgId} times=${times ?? {}}
        field=${asked.value || null} />
    <//>`}
  </section>`;
}

// Figures as a list: [[label, value]]; what is null is left out.
export const Figures = ({ rows }) =>
  html`<dl class="figures">${rows.filter(([, value]) => value !== null && value !== undefined).map(([label, value], index) =>
    html`<div key=${index}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
