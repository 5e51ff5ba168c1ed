// A table of many rows: only those in view are in the document, so that thousands cost as little as
// dozens. It sorts by its heads. Printed, it has all rows.

import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../core/dom.js";
import { t } from "../core/texts.js";

const ROW_HEIGHT = 34; // until the first row was measured
const SPARE_ROWS = 12; // above and below what is in view
const ALL_AT_MOST = 120; // so few rows are all in the document

// `columns`: [{id, title, cell(row), align?, isHead?}], `rows`, `keyOf(row)`, `rowClass(row)`,
// `sort`: {id, descending}, `onSort(id)`. Columns without `sortable: false` can be sorted by.
// `foot`: what stands below the columns, by id, where there is a last row of sums.
export function Table({ label, columns, rows, keyOf, rowClass, sort, onSort, onRow, openKey, foot }) {
  const body = useRef(null);
  const view = useSignal({ from: 0, to: ALL_AT_MOST });
  const height = useRef(ROW_HEIGHT);
  const isPrinted = useSignal(false);

  function measure() {
    const element = body.current;
    if (!element) return;
    const row = element.querySelector("tr[data-row]");
    if (row?.offsetHeight) height.current = row.offsetHeight;
    const above = -element.getBoundingClientRect().top;
    const from = Math.max(0, Math.floor(above / height.current) - SPARE_ROWS);
    const to = Math.ceil((above + innerHeight) / height.current) + SPARE_ROWS;
    if (from !== view.peek().from || to !== view.peek().to) view.value = { from, to };
  }
  // To measure makes the browser lay out the page, so it is done where the rows may have moved.
  useLayoutEffect(measure, [rows.length]);
  useEffect(() => {
    const print = () => (isPrinted.value = true);
    const printed = () => (isPrinted.value = false);
    addEventListener("scroll", measure, { passive: true, capture: true });
    addEventListener("resize", measure);
    addEventListener("beforeprint", print);
    addEventListener("afterprint", printed);
    return () => {
      removeEventListener("scroll", measure, { capture: true });
      removeEventListener("resize", measure);
      removeEventListener("beforeprint", print);
      removeEventListener("afterprint", printed);
    };
  }, []);

  const isWhole = isPrinted.value || rows.length <= ALL_AT_MOST;
  const from = isWhole ? 0 : Math.min(view.value.from, Math.max(0, rows.length - 1));
  const to = isWhole ? rows.length : Math.min(rows.length, view.value.to);
  const gap = (count) =>
    count > 0 && html`<tr class="gap" aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${count * height.current}px` }}></td></tr>`;

  return html`<div class="scroller" role="region" aria-label=${label} tabindex="0">
    <table aria-rowcount=${rows.length + (foot ? 2 : 1)} aria-label=${label}>
      <thead><tr aria-rowindex="1">
        ${columns.map((column) => html`<${Head} key=${column.id} column=${column} sort=${sort} onSort=${onSort} />`)}
      </tr></thead>
      <tbody ref=${body}>
        ${gap(from)}
        ${rows.slice(from, to).map((row, index) => {
          const key = keyOf(row);
          return html`<tr key=${key} data-row aria-rowindex=${from + index + 2} class=${[rowClass?.(row), key === openKey && "open"].filter(Boolean).join(" ")}
              onClick=${onRow && ((event) => event.target.closest("a, button, summary") || onRow(row))}>
            ${columns.map((column) => column.isHead
              ? html`<th key=${column.id} scope="row" class=${column.align}>${column.cell(row)}</th>`
              : html`<td key=${column.id} class=${column.align}>${column.cell(row)}</td>`)}
          </tr>`;
        })}
        ${gap(rows.length - to)}
      </tbody>
      ${foot && html`<tfoot><tr aria-rowindex=${rows.length + 2}>
        ${columns.map((column) => column.isHead
          ? html`<th key=${column.id} scope="row">${foot[column.id]}</th>`
          : html`<td key=${column.id} class=${column.align}>${foot[column.id]}</td>`)}
      </tr></tfoot>`}
    </table>
  </div>`;
}

function Head({ column, sort, onSort }) {
  const isSorted = sort?.id === column.id;
  const direction = isSorted ? (sort.descending ? "descending" : "ascending") : undefined;
  if (!onSort || column.sortable === false) return html`<th scope="col" class=${column.align}>${column.title}</th>`;
  return html`<th scope="col" class=${column.align} aria-sort=${direction}>
    <button type="button" class="head" title=${t("table.sort")} onClick=${() => onSort(column.id)}>${column.title}<span
      class="arrow" aria-hidden="true">${isSorted ? (sort.descending ? "▾" : "▴") : ""}</span></button>
  </th>`;
}
