// How the service is: how far the projection is, what the subscriptions bring, what is kept apart.

import { get } from "../../core/api.js";
import { href } from "../../core/address.js";
import { html } from "../../core/dom.js";
import { duration, Moment, number } from "../../core/format.js";
import { t } from "../../core/texts.js";
import { Empty, Loaded } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { Fact, usePolled } from "./action.js";

const ASK_EVERY_MS = 2_000;
const LEDGER_PLACES = {
  quarantine: href("/operations", { tab: "quarantine" }),
};

export function Overview() {
  const load = usePolled((signal) => get("/api/v1/status", {}, { signal }), [], ASK_EVERY_MS);
  return html`<${Loaded} load=${{ ...load, loading: false }}>${(status) => html`
    <${Log} status=${status} />
    ${status.projections.map((it) => html`<${Projection} key=${it.name} projection=${it} />`)}
    <${Subscriptions} rows=${status.subscriptions} />
    <div class="columns">
      <${Ledgers} ledgers=${status.ledgers} />
      <${Refused} refused=${status.refused} />
      <${Versions} versions=${status.versions} />
    </div>`}<//>`;
}

const Log = ({ status }) => html`<section aria-labelledby="log">
  <h2 id="log">${t("ops.log")}</h2>
  <dl class="facts">
    <${Fact} name="fresh.head">${number(status.head.position)}<//>
    <${Fact} name="fresh.recorded"><${Moment} time=${status.head.recordedTime} /><//>
    <${Fact} name="fresh.reconciled">${status.reconciledUpTo === null
      ? t("fresh.not-reconciled") : html`<${Moment} time=${status.reconciledUpTo} />`}<//>
    <${Fact} name="ops.protected">${status.logProtectedBy.map((it) => t(`ops.protected.${it}`)).join(", ")
      || html`<strong class="refused">${t("ops.unprotected")}</strong>`}<//>
  </dl>
</section>`;

const Projection = ({ projection: it }) => html`<section aria-labelledby="projection-${it.name}">
  <h2 id="projection-${it.name}">${t("ops.projection", { name: it.name })}</h2>
  <dl class="facts">
    <${Fact} name="ops.lag">${it.lagEvents === 0 ? t("ops.up-to-date")
      : `${t("ops.events", { count: it.lagEvents, n: number(it.lagEvents) })}, ${duration(it.lagSeconds * 1000)}`}<//>
    <${Fact} name="ops.stored">${number(it.stored)}<//>
    <${Fact} name="ops.projected">${number(it.projected)}<//>
    <${Fact} name="ops.waiting">${number(it.waiting)}<//>
    <${Fact} name="ops.skipped">${it.skipped === 0 ? number(0)
      : html`<strong class="refused">${number(it.skipped)}: ${it.skippedBuckets.join(", ")}</strong>`}<//>
    <${Fact} name="ops.parked">${it.parked === 0 ? number(0)
      : html`<a href=${href("/operations", { tab: "parked" })}>${number(it.parked)}</a>`}<//>
  </dl>
  <h3>${t("ops.partitions")}</h3>
  <ul class="partitions">
    ${it.partitions.map((part) => html`<li key=${part.partition} class=${part.lagEvents ? "behind" : ""}>
      <strong>${part.partition}</strong>
      <span>${part.lagEvents ? t("ops.behind", { n: number(part.lagEvents) }) : t("ops.up-to-date")}</span>
      <small>${t("ops.at", { position: number(part.position) })}</small>
    </li>`)}
  </ul>
</section>`;

const SUBSCRIPTION_COLUMNS = [
  { id: "id", isHead: true, cell: (it) => html`<bdi title=${it.id}>${it.id}</bdi>` },
  { id: "state", cell: (it) => html`<span class="pill ${it.state}">${t(`heard.${it.state}`)}</span>` },
  { id: "heard", cell: (it) => html`<${Moment} time=${it.lastHeardTime} />` },
  { id: "silent", align: "number", cell: (it) => duration(it.silentMs) },
  { id: "expected", align: "number", cell: (it) => number(Math.round(it.expected)) },
  { id: "vendor", cell: (it) => (it.vendorStatus === null ? html`<span class="none">${t("ops.not-asked")}</span>` : it.vendorStatus) },
];

const Subscriptions = ({ rows }) => html`<section>
  <h2>${t("ops.subscriptions")}</h2>
  ${rows.length === 0 ? html`<${Empty} title=${t("ops.no-subscriptions")} />` : html`
  <${Table} label=${t("ops.subscriptions")} rows=${rows} keyOf=${(it) => it.id}
    columns=${SUBSCRIPTION_COLUMNS.map((it) => ({ ...it, title: t(`ops.subscription.${it.id}`) }))} />`}
</section>`;

const Ledgers = ({ ledgers }) => html`<section aria-labelledby="ledgers">
  <h2 id="ledgers">${t("ops.ledgers")}</h2>
  <dl class="facts">${Object.entries(ledgers).map(([name, count]) => html`<${Fact} key=${name} name=${`ledger.${name}`}>
    ${LEDGER_PLACES[name] ? html`<a href=${LEDGER_PLACES[name]}>${number(count)}</a>` : number(count)}<//>`)}</dl>
</section>`;

const Refused = ({ refused }) => html`<section aria-labelledby="refused">
  <h2 id="refused">${t("ops.refused")}</h2>
  <p><small>${t("ops.refused-hint")}</small></p>
  ${Object.keys(refused).length === 0 ? html`<p>${t("ops.none-refused")}</p>` : html`
  <dl class="facts">${Object.entries(refused).map(([reason, count]) => html`<dt key=${reason}><code>${reason}</code></dt>
    <dd>${number(count)}</dd>`)}</dl>`}
</section>`;

const Versions = ({ versions }) => html`<section aria-labelledby="versions">
  <h2 id="versions">${t("ops.versions")}</h2>
  <dl class="facts">${Object.entries(versions).map(([name, version]) => html`<dt key=${name}>${name}</dt><dd>${version}</dd>`)}</dl>
</section>`;
