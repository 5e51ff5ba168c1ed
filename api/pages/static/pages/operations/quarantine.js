// The quarantine: authentic bodies that made no event, and what an operator does with each.

import { get, rows, seesEverything, send } from "../../core/api.js";
import { href, query, setQuery } from "../../core/address.js";
import { html, useSignal } from "../../core/dom.js";
import { Moment, number } from "../../core/format.js";
import { useLoad } from "../../core/load.js";
import { t, word } from "../../core/texts.js";
import { Confirm } from "../../parts/dialog.js";
import { Body, decode, EventBody, Panel } from "../../parts/panel.js";
import { Empty, Loaded } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { Fact, NotAllowed, Outcome } from "./action.js";

const PATH = "/api/v1/quarantine";

export function Quarantine() {
  if (!seesEverything()) return html`<h2>${t("ops.tab.quarantine")}</h2><${NotAllowed} why=${t("ops.need-everything")} />`;
  return html`<${Bodies} />`;
}

function Bodies() {
  const done = useSignal(null);
  const dialog = useSignal(null);
  const load = useLoad((signal) => rows(PATH, {}, { signal }), []);
  const isAll = query.value.get("show") === "all";
  const open = query.value.get("body");
  const act = (verb, row) => async (why) => {
    const answer = await send("POST", `${PATH}/${row.id}/${verb}`, { why });
    done.value = outcomeText(answer);
    load.reload();
  };
  return html`<section>
    <h2>${t("ops.tab.quarantine")}</h2>
    <p>${t("quarantine.what")}</p>
    <div class="bar"><label><input type="checkbox" checked=${isAll}
      onChange=${(event) => setQuery({ show: event.target.checked ? "all" : null })} /> ${t("quarantine.show-all")}</label></div>
    <${Outcome} done=${done} />
    <${Loaded} load=${load}>${({ data, isCut }) => {
      const shown = data.filter((it) => isAll || it.resolution === null).reverse(); // the newest first
      return html`${isCut && html`<p class="note-line">${t("quarantine.cut", { n: number(data.length) })}</p>`}
        ${shown.length === 0 ? html`<${Empty} title=${t(data.length ? "quarantine.all-resolved" : "quarantine.none")} />`
          : html`<${Table} label=${t("ops.tab.quarantine")} rows=${shown} keyOf=${(it) => it.id} columns=${columns()}
              openKey=${Number(open)} onRow=${(it) => setQuery({ body: it.id })} />`}`;
    }}<//>
    ${open && html`<${One} key=${open} id=${open} version=${done.value} onAct=${(verb, row) => (dialog.value = { verb, row })} />`}
    ${dialog.value && html`<${Confirm} title=${t(`quarantine.${dialog.value.verb}-title`, { id: dialog.value.row.id })}
      action=${t(`quarantine.${dialog.value.verb}`)} danger=${dialog.value.verb === "release"}
      act=${act(dialog.value.verb, dialog.value.row)} onClose=${() => (dialog.value = null)}>
      <p>${t(`quarantine.${dialog.value.verb}-hint`)}</p><//>`}
  </section>`;
}

const columns = () => [
  { id: "id", isHead: true, cell: (it) => html`<a href=${href("/operations", { tab: "quarantine", show: query.value.get("show"), body: it.id })}>${it.id}</a>` },
  { id: "reason", cell: (it) => html`<code>${it.reason}</code>` },
  { id: "state", cell: (it) => (it.resolution === null ? html`<span class="pill held">${t("quarantine.open")}</span>`
    : html`<span class="pill free">${t(`quarantine.by-${it.resolution.kind}`)}</span>`) },
  { id: "first", cell: (it) => html`<${Moment} time=${it.firstTime} />` },
  { id: "last", cell: (it) => html`<${Moment} time=${it.lastTime} />` },
  { id: "deliveries", align: "number", cell: (it) => number(it.deliveries) },
  { id: "retries", align: "number", cell: (it) => number(it.retries.length) },
].map((it) => ({ ...it, title: t(`quarantine.column.${it.id}`) }));

function One({ id, version, onAct }) {
  const load = useLoad((signal) => get(`${PATH}/${encodeURIComponent(id)}`, {}, { signal }), [id, version]);
  const event = useSignal(null);
  return html`<${Panel} title=${t("quarantine.one", { id })} onClose=${() => setQuery({ body: null })}>
    <${Loaded} load=${load}>${(row) => html`
      <dl>
        <${Fact} name="quarantine.column.reason"><code>${row.reason}</code><//>
        <${Fact} name="quarantine.column.first"><${Moment} time=${row.firstTime} ms /><//>
        <${Fact} name="quarantine.column.last"><${Moment} time=${row.lastTime} ms /><//>
        <${Fact} name="quarantine.column.deliveries">${number(row.deliveries)}<//>
        <dt>SHA-256</dt><dd><code class="digest">${row.sha256}</code></dd>
      </dl>
      ${row.resolution === null ? html`<p class="line">
        <button type="button" onClick=${() => onAct("retry", row)}>${t("quarantine.retry")}</button>
        <button type="button" class="secondary" onClick=${() => onAct("release", row)}>${t("quarantine.release")}</button></p>` : html`
      <h3>${t("quarantine.resolution")}</h3>
      <p>${t(`quarantine.by-${row.resolution.kind}`)}: ${row.resolution.who}, <${Moment} time=${row.resolution.time} />:
        <q>${row.resolution.why}</q></p>
      <p>${row.resolution.positions.map((it) => html`<button type="button" class="link" key=${it}
        onClick=${() => (event.value = it)}>${t("quarantine.event", { position: it })}</button> `)}</p>
      ${event.value !== null && html`<${EventBody} key=${event.value} position=${event.value} />`}`}
      ${row.retries.length > 0 && html`<h3>${t("quarantine.retries")}</h3>
        <ul>${row.retries.map((it, index) => html`<li key=${index}><${Moment} time=${it.time} />, ${it.who}: <q>${it.why}</q> → <code>${it.reason}</code></li>`)}</ul>`}
      <h3>${t("event.body")}</h3>
      <${Body} parsed=${parsed(row.body)} body=${row.body} />
      ${row.headers && html`<h3>${t("quarantine.headers")}</h3><${Body} parsed=${row.headers} label=${t("quarantine.headers")} />`}`}<//>
  <//>`;
}

// The body as JSON, where it is such; null where only its text can be shown.
function parsed(base64) {
  try {
    return JSON.parse(decode(base64));
  } catch {
    return null;
  }
}

const outcomeText = (answer) =>
  answer.elements
    .map((it) => t(`quarantine.outcome-${it.outcome}`, { position: it.position, reason: word("reason", it.reason ?? "") }))
    .join(" ");
