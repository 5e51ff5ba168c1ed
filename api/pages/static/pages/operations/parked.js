// Parked subjects: agents and tasks whose events wait, because one of them cannot be folded.

import { rows, send } from "../../core/api.js";
import { query, setQuery } from "../../core/address.js";
import { html, useSignal } from "../../core/dom.js";
import { Moment, number } from "../../core/format.js";
import { useLoad } from "../../core/load.js";
import { agentHref, taskHref } from "../../core/names.js";
import { t } from "../../core/texts.js";
import { Confirm } from "../../parts/dialog.js";
import { EventBody, Panel } from "../../parts/panel.js";
import { Empty, Loaded } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { Outcome } from "./action.js";

const PATH = "/api/v1/parked";

export function Parked() {
  const done = useSignal(null);
  const dialog = useSignal(null);
  const load = useLoad((signal) => rows(PATH, {}, { signal }), []);
  const event = query.value.get("event");
  const act = (verb, row) => async (why) => {
    const answer = await send("POST", `${PATH}/${verb}`, { orgId: row.orgId, [`${row.kind}Id`]: row.id, why });
    done.value = t(answer.parked ? "parked.again" : "parked.done", { count: answer.folded, n: number(answer.folded), id: row.id });
    load.reload();
  };
  const columns = [
    { id: "subject", isHead: true, cell: (it) => html`<a href=${(it.kind === "agent" ? agentHref : taskHref)(it.id, it.orgId)}>
      ${t(`subject.${it.kind}`)} <bdi>${it.id}</bdi></a>` },
    { id: "action", cell: (it) => html`<span class="line">${["retry", "skip"].map((verb) => html`<button type="button" key=${verb}
      class=${verb === "skip" ? "secondary" : ""} onClick=${() => (dialog.value = { verb, row: it })}>${t(`parked.${verb}`)}</button>`)}</span>` },
    { id: "cause", cell: (it) => html`<bdi title=${it.cause}>${it.cause}</bdi>` },
    { id: "waiting", align: "number", cell: (it) => number(it.waiting) },
    { id: "event", cell: (it) => html`<button type="button" class="link" onClick=${() => setQuery({ event: it.eventPosition })}>${it.eventId}</button>` },
    { id: "since", cell: (it) => html`<${Moment} time=${it.parkedTime} />` },
    { id: "organisation", cell: (it) => html`<bdi>${it.orgId}</bdi>` },
  ].map((it) => ({ ...it, title: t(`parked.column.${it.id}`) }));
  return html`<section>
    <h2>${t("ops.tab.parked")}</h2>
    <p>${t("parked.what")}</p>
    <${Outcome} done=${done} />
    <${Loaded} load=${load}>${({ data }) => (data.length === 0
      ? html`<${Empty} title=${t("parked.none")} />`
      : html`<${Table} label=${t("ops.tab.parked")} rows=${data} columns=${columns} keyOf=${(it) => `${it.kind} ${it.orgId} ${it.id}`} />`)}<//>
    ${event && html`<${Panel} title=${t("explain.event")} onClose=${() => setQuery({ event: null })}>
      <${EventBody} key=${event} position=${event} /><//>`}
    ${dialog.value && html`<${Confirm} title=${t(`parked.${dialog.value.verb}-title`, { id: dialog.value.row.id })}
      action=${t(`parked.${dialog.value.verb}`)} danger=${dialog.value.verb === "skip"}
      act=${act(dialog.value.verb, dialog.value.row)} onClose=${() => (dialog.value = null)}>
      <p>${t(`parked.${dialog.value.verb}-hint`)}</p><//>`}
  </section>`;
}
