// The filters of a page: each is a list of what there is, with a box for each value.

import { html, useSignal } from "../core/dom.js";
import { t } from "../core/texts.js";

// `options`: [{value, text, count?}], or a function that makes them, which is called while the list is
// open; `chosen`: values; `onChange(values)`.
export function Choice({ label, options, chosen, onChange }) {
  const isOpen = useSignal(false);
  const text = useSignal("");
  const all = typeof options === "function" ? (isOpen.value ? options() : []) : options;
  const shown = all.filter((it) => it.text.toLowerCase().includes(text.value.toLowerCase()));
  const toggle = (value) =>
    onChange(chosen.includes(value) ? chosen.filter((it) => it !== value) : [...chosen, value]);
  const onKey = (event) => event.key === "Escape" && (isOpen.value = false);
  return html`<details class="choice" open=${isOpen.value} onToggle=${(event) => (isOpen.value = event.target.open)} onKeyDown=${onKey}>
    <summary role="button">${label}${chosen.length > 0 && html` <span class="chosen">${chosen.length}</span>`}</summary>
    ${isOpen.value && html`<div class="menu">
      ${all.length > 8 && html`<input type="search" aria-label=${t("filter.search", { what: label })} placeholder=${t("filter.find")}
        value=${text.value} onInput=${(event) => (text.value = event.target.value)} />`}
      <ul>
        ${shown.map((it) => html`<li key=${it.value}><label>
          <input type="checkbox" checked=${chosen.includes(it.value)} onChange=${() => toggle(it.value)} />
          <bdi>${it.text}</bdi>${it.count !== undefined && html` <small>${it.count}</small>`}
        </label></li>`)}
      </ul>
      ${shown.length === 0 && html`<p class="none">${t("filter.nothing")}</p>`}
      ${chosen.length > 0 && html`<button type="button" class="secondary" onClick=${() => onChange([])}>${t("filter.clear")}</button>`}
    </div>`}
  </details>`;
}

// Each value of a field with how many rows have it, by name.
export function optionsOf(rows, valuesOf, textOf = (value) => value) {
  const counts = new Map();
  for (const row of rows) {
    for (const value of new Set([valuesOf(row)].flat())) {
      if (value !== null && value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  return [...counts]
    .map(([value, count]) => ({ value, text: textOf(value), count }))
    .sort((a, b) => a.text.localeCompare(b.text));
}
