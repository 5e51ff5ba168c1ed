// Seals: proofs that no row of the log was changed. They are files outside the service, so a seal that
// somebody keeps is read and checked here, in the browser, and goes nowhere.

import { get } from "../../core/api.js";
import { html, useSignal } from "../../core/dom.js";
import { Moment, number } from "../../core/format.js";
import { useLoad } from "../../core/load.js";
import { t } from "../../core/texts.js";
import { Loaded } from "../../parts/states.js";
import { Fact } from "./action.js";
import { canHash, chainOf, readSeal } from "./seal-file.js";

const COMMANDS = [
  ["make", "projector seal --out today.json"],
  ["since", "projector seal --since today.json --out tomorrow.json"],
  ["compare", "projector verify --seal tomorrow.json"],
];

export function Seals() {
  const load = useLoad((signal) => get("/api/v1/status", {}, { signal }), []);
  const file = useSignal(null);
  const read = async (event) => {
    const [chosen] = event.target.files;
    if (!chosen) return;
    try {
      const seal = readSeal(await chosen.text());
      file.value = { name: chosen.name, seal, isWhole: canHash ? (await chainOf(seal)) === seal.chain : null };
    } catch {
      file.value = { name: chosen.name, seal: null };
    }
  };
  return html`<section aria-labelledby="seals">
    <h2 id="seals">${t("ops.tab.seals")}</h2>
    <p>${t("seals.what")}</p>
    <dl class="facts commands">${COMMANDS.map(([name, command]) => html`<dt key=${name}>${t(`seals.${name}`)}</dt><dd><code>${command}</code></dd>`)}</dl>
    <h3>${t("seals.read")}</h3>
    <label>${t("seals.file")}<input type="file" accept=".json,application/json" onChange=${read} /></label>
    <div role="status">${file.value && (file.value.seal === null
      ? html`<p class="refused">${t("seals.no-seal", { name: file.value.name })}</p>`
      : html`<${Loaded} load=${load}>${(status) => html`<${Facts} file=${file.value} head=${status.head.position} />`}<//>`)}</div>
  </section>`;
}

const Facts = ({ file: { name, seal, isWhole }, head }) => html`
  <p><strong>${name}</strong>: ${isWhole === null ? t("seals.unchecked") : isWhole ? t("seals.whole") : html`<span class="refused">${t("seals.broken")}</span>`}</p>
  <dl class="facts">
    <${Fact} name="seals.time"><${Moment} time=${seal.time} /><//>
    <${Fact} name="seals.position">${number(seal.position)}<//>
    <${Fact} name="seals.after">${seal.position > head
      ? html`<strong class="refused">${t("seals.ahead", { head: number(head) })}</strong>` : number(head - seal.position)}<//>
    <${Fact} name="seals.believed">${number(seal.believed)}<//>
    <${Fact} name="seals.segments">${number(seal.segments.length)}<//>
    <${Fact} name="seals.chain"><code class="digest">${seal.chain}</code><//>
  </dl>
  <p><small>${t("seals.hint")}</small></p>`;
