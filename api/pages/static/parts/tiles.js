// The tiles above the floor: agents by status, who waits, and the figures of the window before. Each
// opens what it counts and its formula.

import { html } from "../core/dom.js";
import { duration, number, percent } from "../core/format.js";
import { Shape, tone } from "../core/status.js";
import { t, word } from "../core/texts.js";
import { areMarked, Mark } from "./provisional.js";

export const FIGURES = [
  { id: "serviceLevel", show: percent },
  { id: "asaMs", show: duration },
  { id: "ahtMs", show: duration },
  { id: "occupancy", show: percent },
  { id: "abandonment", show: percent },
];

export const StatusTiles = ({ counts, chosen, onChoose }) => html`
  <ul class="tiles statuses" aria-label=${t("floor.by-status")}>
    ${counts.map(([status, count]) => html`<li key=${status}>
      <button type="button" class="tile ${count === 0 ? "zero" : tone(status)}" aria-pressed=${chosen.includes(status)} onClick=${() => onChoose(status)}>
        <span class="count">${number(count)}</span>
        <span class="what"><${Shape} status=${status} /> ${word("status", status)}</span>
      </button>
    </li>`)}
  </ul>`;

export function FigureTiles({ waiting, longestWait, waitLevel, summary, onOpen }) {
  const marked = areMarked(FIGURES.map(({ id }) => summary?.[id]).filter(Boolean));
  return html`<ul class="tiles figures" aria-label=${t("floor.figures")}>
    <li><button type="button" class="tile" onClick=${() => onOpen("waiting")}>
      <span class="count">${number(waiting)}</span><span class="what">${t("figure.waiting")}</span></button></li>
    <li><button type="button" class="tile ${waitLevel ?? ""}" onClick=${() => onOpen("longestWait")}>
      <span class="count">${duration(longestWait)}</span><span class="what">${t("figure.longestWait")}</span></button></li>
    ${FIGURES.map((figure) => {
      const value = summary?.[figure.id];
      return html`<li key=${figure.id}><button type="button" class="tile"
          title=${value && !value.settled ? t("provisional.one") : undefined} onClick=${() => onOpen(figure.id)}>
        <span class="count">${figure.show(value?.value ?? null)}${value && marked && html`<${Mark} row=${value} />`}</span>
        <span class="what">${t(`figure.${figure.id}`)}</span></button></li>`;
    })}
  </ul>`;
}
