// The details of a row: the event with its body, what a correction changed, or a body in quarantine.

import { OF_NO_ORGANISATION } from "../../core/audit.js";
import { html } from "../../core/dom.js";
import { Moment, number } from "../../core/format.js";
import { has, t } from "../../core/texts.js";
import { Body, Corrections, EventBody, Panel } from "../../parts/panel.js";
import { subject } from "./rows.js";

export function Side({ part, position, row, names, onClose }) {
  if (position !== null) {
    return html`<${Panel} title=${t("audit.event", { position: number(Number(position)) })} onClose=${onClose}>
      <${EventBody} position=${position} /><//>`;
  }
  const Details = { anomalies: Anomaly, corrections: Correction, conflicts: Conflict, quarantine: Quarantined, trail: Action }[part];
  return html`<${Panel} title=${t(`audit.one-${part}`)} onClose=${onClose}>
    ${!OF_NO_ORGANISATION.includes(part) && html`<p>${t("audit.column-subject")}: ${subject(names, row)}</p>`}
    <${Details} row=${row} />
  <//>`;
}

const Anomaly = ({ row }) => html`
  <p>${has(`anomaly-hint.${row.kind}`) ? t(`anomaly-hint.${row.kind}`) : row.kind}</p>
  <dl>
    <dt>${t("audit.column-gap-from")}</dt><dd><${Moment} time=${row.from} withDate ms /></dd>
    <dt>${t("audit.column-gap-to")}</dt><dd><${Moment} time=${row.to} withDate ms /></dd>
  </dl>
  ${row.position === null
    ? html`<p>${t("audit.by-time")}</p>`
    : html`<h3>${t("explain.event")}</h3><${EventBody} position=${row.position} />`}`;

const Correction = ({ row }) => html`<${Corrections} rows=${[row]} />`;

// The event's own body stands beside the other one, so that one sees what differs.
const Conflict = ({ row }) => html`
  <p>${t(`audit.${row.kind}-hint`)}</p>
  <dl><dt>${t("audit.column-fields")}</dt><dd><code>${row.fields.join(", ")}</code></dd>
    <dt>SHA-256</dt><dd><code class="digest">${row.sha256}</code></dd></dl>
  <h3>${t("audit.in-log")}</h3><${EventBody} position=${row.position} />`;

const Quarantined = ({ row }) => html`
  <dl>
    <dt>${t("audit.column-reason")}</dt><dd>${row.reason}</dd>
    <dt>SHA-256</dt><dd><code class="digest">${row.sha256}</code></dd>
    <dt>${t("audit.column-first")}</dt><dd><${Moment} time=${row.firstTime} withDate ms /></dd>
    <dt>${t("audit.column-last")}</dt><dd><${Moment} time=${row.lastTime} withDate ms /></dd>
    ${row.retries.map((it) => html`<dt>${t("resolution.retry")}</dt>
      <dd><${Moment} time=${it.time} withDate />, ${it.who}: ${it.why} (${it.reason})</dd>`)}
    ${row.resolution && html`<dt>${t(`resolution.${row.resolution.kind}`)}</dt>
      <dd><${Moment} time=${row.resolution.time} withDate />, ${row.resolution.who}: ${row.resolution.why}</dd>`}
  </dl>
  <h3>${t("event.body")}</h3><${Body} parsed=${null} body=${row.body} />
  <h3>${t("audit.headers")}</h3><${Body} parsed=${row.headers} body=${null} />`;

const Action = ({ row }) => html`
  <dl>
    <dt>${t("audit.column-asked")}</dt><dd><${Moment} time=${row.time} withDate ms /></dd>
    <dt>${t("audit.column-who")}</dt><dd><bdi>${row.who}</bdi>, ${row.address ?? t("audit.this-machine")}</dd>
    <dt>${t("audit.column-action")}</dt><dd><code>${row.action}</code></dd>
  </dl>
  <h3>${t("audit.asked-for")}</h3><${Body} parsed=${row.asked} body=${null} />
  <h3>${t("audit.column-answer")}</h3>
  ${row.answer === null
    ? html`<p>${t("audit.no-answer-hint")}</p>`
    : html`<p><${Moment} time=${row.answeredTime} withDate ms /></p><${Body} parsed=${row.answer} body=${null} />`}`;
