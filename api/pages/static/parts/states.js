// What stands where rows would: loading, nothing there, not allowed, failed.

import { html } from "../core/dom.js";
import { t } from "../core/texts.js";

export const Loading = ({ what = "" }) =>
  html`<p class="state loading" role="status"><span class="spinner" aria-hidden="true"></span>${what || t("state.loading")}</p>`;

export const Empty = ({ title, children }) =>
  html`<div class="state empty"><p><strong>${title ?? t("state.empty")}</strong></p>${children}</div>`;

export function Failure({ error, retry }) {
  const kind = { 0: "offline", 403: "forbidden", 404: "missing", 503: "unavailable" }[error.status] ?? "failed";
  return html`<div class="state failure ${kind}" role="alert">
    <p><strong>${t(`state.${kind}`)}</strong></p>
    <p>${error.message || t("state.offline-hint")}</p>
    ${(error.problem?.errors ?? []).map((it) => html`<p><code>${it.parameter}</code>: ${it.allowed}</p>`)}
    ${retry && html`<button type="button" class="secondary" onClick=${retry}>${t("action.retry")}</button>`}
  </div>`;
}

// What a load gives, where it has come: `children` is a function of the value.
export function Loaded({ load, children, what }) {
  if (load.error && !load.value) return html`<${Failure} error=${load.error} retry=${load.reload} />`;
  if (!load.value) return html`<${Loading} what=${what} />`;
  return html`<div class="loaded" aria-busy=${load.loading}>
    ${load.error && html`<${Failure} error=${load.error} retry=${load.reload} />`}
    ${children(load.value)}
  </div>`;
}
