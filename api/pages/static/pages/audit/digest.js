// How many events the filters find, and the digest of their file: the proof that two people look at the
// same rows of the log.

import { digestOf, FORMATS } from "../../core/download.js";
import { html, useSignal } from "../../core/dom.js";
import { Moment, number } from "../../core/format.js";
import { t } from "../../core/texts.js";

// `position` is that of the list, so that the digest is of the rows that it shows.
export function Digest({ question, position }) {
  const state = useSignal({ key: "", told: [], busy: false, error: null });
  const key = JSON.stringify([question, position]);
  const { told, error } = state.value.key === key ? state.value : { told: [], error: null };
  const busy = state.value.busy && state.value.key === key;
  async function ask() {
    state.value = { key, told: [], busy: true, error: null };
    try {
      const answers = [];
      for (const format of Object.keys(FORMATS)) {
        answers.push({ name: format, ...(await digestOf("/api/v1/events/digest", question, format, position)) });
      }
      if (state.peek().key === key) state.value = { key, told: answers, busy: false, error: null };
    } catch (failure) {
      if (state.peek().key === key) state.value = { key, told: [], busy: false, error: failure };
    }
  }
  return html`<div class="digests">
    <button type="button" class="secondary" aria-busy=${busy} disabled=${busy || position === null} onClick=${ask}>
      ${t("audit.digest")}</button>
    <div role="status">
      ${told.length > 0 && html`<dl>
        <dt>${t("audit.events")}</dt><dd>${number(told[0].count)}, ${t("audit.as-of")} ${number(told[0].position)}
          (<${Moment} time=${told[0].recordedTo} withDate />)</dd>
        ${told.map((it) => html`<dt key=${it.name}>SHA-256, ${it.name.toUpperCase()}</dt>
          <dd><code class="digest">${it.sha256}</code></dd>`)}
      </dl>`}
      ${error && html`<span class="refused">${error.message || t("state.offline")}</span>`}
    </div>
  </div>`;
}
