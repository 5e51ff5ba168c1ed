// Saved views: filters, order and columns under a name, kept by this browser.

import { changed, go, query } from "../core/address.js";
import { html, useSignal } from "../core/dom.js";
import { kept } from "../core/kept.js";
import { t } from "../core/texts.js";

const MOMENT = { at: null, knownAt: null };
const views = kept("views", []);

export function SavedViews() {
  const isOpen = useSignal(false);
  const name = useSignal("");
  const save = (event) => {
    event.preventDefault();
    const text = changed(MOMENT).toString();
    views.value = [...views.value.filter((it) => it.name !== name.value), { name: name.value, query: text }];
    name.value = "";
  };
  const open = (view) => go("/", changed({ at: query.value.get("at"), knownAt: query.value.get("knownAt") }, new URLSearchParams(view.query)));
  return html`<details class="choice" open=${isOpen.value} onToggle=${(event) => (isOpen.value = event.target.open)}>
    <summary role="button">${t("views.title")}</summary>
    <div class="menu">
      <ul>${views.value.map((view) => html`<li key=${view.name} class="saved">
        <button type="button" class="link" onClick=${() => open(view)}><bdi>${view.name}</bdi></button>
        <button type="button" class="close" aria-label=${t("views.forget", { name: view.name })}
          onClick=${() => (views.value = views.value.filter((it) => it !== view))}>×</button>
      </li>`)}</ul>
      <form onSubmit=${save}>
        <input aria-label=${t("views.name")} placeholder=${t("views.name")} required maxlength="60" value=${name.value}
          onInput=${(event) => (name.value = event.target.value)} />
        <button>${t("views.save")}</button>
      </form>
    </div>
  </details>`;
}
