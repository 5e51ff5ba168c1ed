// The filters of the log and the ledgers.

import { query, setQuery } from "../../core/address.js";
import { CONFLICT_KINDS, ORIGINS } from "../../core/audit.js";
import { choicesOf } from "../../core/directory.js";
import { html } from "../../core/dom.js";
import { t } from "../../core/texts.js";
import { Choice } from "../../parts/filters.js";
import { MomentField } from "../../parts/span.js";

const OF_DIRECTORY = { agentId: "agent", teamId: "team", queueId: "queue" };
const WORDS = { origin: [ORIGINS, "origin"], kind: [CONFLICT_KINDS, "conflict"] };

export function Filters({ names, found, known, directory }) {
  const params = query.value;
  return names.map((name) => {
    const chosen = params.getAll(name);
    if (name === "taskId") return html`<${TextFilter} key=${name} name=${name} />`;
    return html`<${Choice} key=${name} label=${t(`filter.${name}`)} chosen=${chosen}
      options=${optionsOf(name, found, known, directory, chosen)}
      onChange=${(values) => setQuery({ [name]: values, open: null })} />`;
  });
}

function optionsOf(name, found, known, directory, chosen) {
  if (name in WORDS) {
    const [values, kind] = WORDS[name];
    return values.map((value) => ({ value, text: t(`${kind}.${value}`) }));
  }
  const kind = OF_DIRECTORY[name];
  return choicesOf(directory, kind, { rows: found, valuesOf: (row) => [row[name]], names: known, chosen });
}

// A filter by an id that no list can offer.
const TextFilter = ({ name }) =>
  html`<input type="search" class="id-filter" aria-label=${t(`filter.${name}`)} placeholder=${t(`filter.${name}`)}
    value=${query.value.get(name) ?? ""} onChange=${(event) => setQuery({ [name]: event.target.value.trim(), open: null })} />`;

// What only the log takes: its order, and what had been recorded.
export function LogFilters({ zone }) {
  const params = query.value;
  const timeOf = (name) => Number(params.get(name)) || null;
  const order = params.get("order") === "recorded" ? "recorded" : "created";
  return html`<div class="bar">
    <select aria-label=${t("audit.order")}
      onChange=${(event) => setQuery({ order: event.target.value === "created" ? null : event.target.value })}>
      ${["created", "recorded"].map((it) =>
        html`<option key=${it} value=${it} selected=${it === order}>${t(`audit.order-${it}`)}</option>`)}
    </select>
    <${MomentField} name="recordedFrom" label=${t("audit.recorded-from")} time=${timeOf("recordedFrom")} zone=${zone} />
    <${MomentField} name="recordedTo" label=${t("audit.recorded-to")} time=${timeOf("recordedTo")} zone=${zone} />
    <label class="moment">${t("audit.to-position")}
      <input inputmode="numeric" pattern="[0-9]*" size="10" value=${params.get("toPosition") ?? ""}
        onChange=${(event) => setQuery({ toPosition: event.target.value.replace(/\D/g, "") })} /></label>
  </div>`;
}
