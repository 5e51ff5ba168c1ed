// What later events may still change. A mark at a row tells something only where few rows have one;
// where most have, one sentence says it of all of them.

import { html } from "../core/dom.js";
import { t } from "../core/texts.js";

const isMost = (rows) => rows.filter((it) => !it.settled).length * 2 > rows.length;

// Whether the rows that are provisional are marked one by one.
export const areMarked = (rows) => !isMost(rows);

export const Mark = ({ row }) =>
  !row.settled && html`<span class="provisional" title=${t("provisional.one")} aria-label=${t("provisional.one")}>~</span>`;

export const MostAreProvisional = ({ rows }) =>
  isMost(rows) && html`<p class="note-line provisional-note" title=${t("provisional.hint")}>${t("provisional.most")}</p>`;
