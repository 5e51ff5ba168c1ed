// Audit: the log and the ledgers, each as a list with its filters, a row's details, and as a file.

import { mayAct, seesEverything } from "../core/api.js";
import { query, setQuery } from "../core/address.js";
import { FILTERS, OF_NO_ORGANISATION, openOf, partOf, PARTS, questionOf, ROUTES } from "../core/audit.js";
import { useDirectory } from "../core/directory.js";
import { html, useSignal } from "../core/dom.js";
import { zone as ownZone } from "../core/format.js";
import { ANY, isSound, spanOf } from "../core/spans.js";
import { t } from "../core/texts.js";
import { fieldIn } from "../core/zones.js";
import { Download } from "../parts/download.js";
import { Paged, usePaged } from "../parts/paged.js";
import { SpanPicker, useToday } from "../parts/span.js";
import { Empty } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { Digest } from "./audit/digest.js";
import { Filters, LogFilters } from "./audit/filters.js";
import { columnsOf, keyOf, positionOf } from "./audit/rows.js";
import { Side } from "./audit/side.js";

export default function Audit() {
  const part = partOf(query.value);
  if (!mayAct("auditor")) {
    return html`<h1>${t("page.audit")}</h1><${Empty} title=${t("audit.forbidden")}><p>${t("audit.forbidden-hint")}</p><//>`;
  }
  return html`
    <h1>${t("page.audit")}</h1>
    <${Tabs} label=${t("audit.parts")} name="tab" chosen=${part} usual="log"
      tabs=${PARTS.map((id) => ({ id, text: t(`audit.${id}`) }))} changes=${{ open: null, order: null, kind: null }} />
    <p class="note-line">${t(`audit.${part}-hint`)}</p>
    ${OF_NO_ORGANISATION.includes(part) && !seesEverything()
      ? html`<${Empty} title=${t(`audit.${part}-hidden`)}><p>${t(`audit.${part}-hidden-hint`)}</p><//>`
      : html`<${Part} key=${part} part=${part} />`}`;
}

function Part({ part }) {
  const params = query.value;
  const zone = ownZone();
  const span = spanOf(params, zone, useToday(ownZone), ANY);
  const directory = useDirectory(["agent", "team", "queue"]);
  const question = questionOf(part, params, span);
  const list = usePaged(isSound(span) ? ROUTES[part] : null, { ...question, names: OF_NO_ORGANISATION.includes(part) ? null : true });
  const found = list.rows ?? [];
  const open = useSignal(null); // a row of a ledger; an event of the log is in the address
  const position = openOf(params);
  const onRow = (row) => {
    if (part === "log") setQuery({ open: positionOf(row) });
    else open.value = row;
  };
  const onClose = () => {
    open.value = null;
    setQuery({ open: null });
  };
  return html`
    <div class="bar">
      <${SpanPicker} span=${span} zone=${zone} mayBeAny usual=${ANY} />
      <${Filters} names=${FILTERS[part]} found=${found} known=${list.names} directory=${directory} />
    </div>
    ${part === "log" && html`<${LogFilters} zone=${zone} />`}
    ${part !== "trail" && html`<${Files} part=${part} span=${span} zone=${zone} question=${question} position=${list.meta?.position ?? null} />`}
    ${!isSound(span) ? null : html`<${Paged} list=${list}>${(rows) => rows.length === 0
      ? html`<${Empty} title=${t(`audit.${part}-none`)} />`
      : html`<h2>${t(`audit.${part}`)}</h2>
        <${Table} label=${t(`audit.${part}`)} columns=${columnsOf(part, list.names, onRow)} rows=${rows}
          keyOf=${(row) => keyOf(part, row)} rowClass=${() => "linked"} onRow=${onRow}
          openKey=${position ?? (open.value && keyOf(part, open.value))} />`}<//>`}
    ${(position !== null || open.value) && html`<${Side} key=${position ?? keyOf(part, open.value)}
      part=${part} position=${position} row=${open.value} names=${list.names} onClose=${onClose} />`}`;
}

const Files = ({ part, span, zone, question, position }) => html`
    <div class="files">
      <${Download} key=${part} to=${ROUTES[part]} params=${question} name=${fileName(part, span, zone)}
        digest=${part === "log" ? "/api/v1/events/digest" : null} canHaveNames=${!OF_NO_ORGANISATION.includes(part)}
        options=${part === "log" ? [{ name: "body", text: t("audit.with-bodies") }] : []} />
      ${part === "log" && html`<${Digest} question=${question} position=${position} />`}
    </div>`;

const fileName = (part, { from, to }, zone) =>
  [
    part === "log" ? "events" : part,
    ...[from, to].filter((it) => it !== null).map((it) => fieldIn(it, zone).replace(":", "")),
  ].join("_");
