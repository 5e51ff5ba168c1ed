// The API page: a short guide, and the OpenAPI document, readable and to be tried with the session.

import { html } from "../core/dom.js";
import { t } from "../core/texts.js";
import { Viewer } from "./docs/viewer.js";

const GUIDE = ["authentication", "times", "cursors", "fresh", "exports", "stream", "errors"];

export default function Docs() {
  return html`
    <h1>${t("page.docs")}</h1>
    <p class="lead">${t("docs.lead")} <a href="/openapi.json" data-reload download="openapi.json">${t("docs.download")}</a></p>
    <section aria-labelledby="guide">
      <h2 id="guide">${t("docs.guide")}</h2>
      <div class="guide">
        ${GUIDE.map((it) => html`<details key=${it} class="guide-part">
          <summary>${t(`docs.${it}`)}</summary>
          ${t(`docs.${it}-text`).split("\n").map((line) => html`<p>${line}</p>`)}
          <pre class="body" tabindex="0" aria-label=${t("docs.example", { of: t(`docs.${it}`) })}>${
            t(`docs.${it}-example`, { origin: location.origin })}</pre>
        </details>`)}
      </div>
    </section>
    <section aria-labelledby="routes">
      <h2 id="routes">${t("docs.routes")}</h2>
      <p>${t("docs.try")}</p>
      <${Viewer} />
    </section>`;
}
