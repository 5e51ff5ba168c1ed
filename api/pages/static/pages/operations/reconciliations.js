// Reconciliations: the vendor is asked for a window of time, and what the log lacks of it is appended.

import { send } from "../../core/api.js";
import { html, useSignal } from "../../core/dom.js";
import { duration, fromLocalField, HOUR, localField, Moment, number } from "../../core/format.js";
import { now } from "../../core/clock.js";
import { agentHref, taskHref } from "../../core/names.js";
import { t, word } from "../../core/texts.js";
import { Confirm } from "../../parts/dialog.js";
import { Fact } from "./action.js";
import { idsOf, isGoing, Progress, Runs } from "./runs.js";

const PATH = "/api/v1/reconciliations";
const COUNTS = ["requests", "fetched", "matched", "appended", "indistinct", "doubtful", "differing", "unusable"];
const TONES = { whole: "free", incomplete: "held", "nothing to compare": "gone" };

const KIND = {
  name: "reconciliations",
  path: PATH,
  progress: (run) => html`<${Steps} run=${run} />`,
  columns: [
    { id: "verdict", cell: (it) => html`<${Verdict} verdict=${it.verdict} />` },
    { id: "window", cell: (it) => html`<${Moment} time=${it.from} /> – <${Moment} time=${it.to} />` },
    { id: "dry", cell: (it) => t(it.dryRun ? "yes" : "no") },
    { id: "appended", align: "number", cell: (it) => number(appended(it)) },
  ],
  Start,
  Report,
  unready: (meta) => !meta.canAskVendor && html`<span class="note-line">${t("reconciliations.no-credentials")} <code>projector connect</code></span>`,
};

export const Reconciliations = () => html`<${Runs} kind=${KIND} />`;

const appended = (run) => Object.values(run.sources).reduce((sum, it) => sum + it.appended, 0);

const Verdict = ({ verdict }) => (verdict === null ? html`<span class="none">–</span>`
  : html`<span class="pill ${TONES[verdict] ?? "other"}">${word("verdict", verdict)}</span>`);

const Steps = ({ run }) => html`<${Progress} done=${run.step} total=${run.steps} label=${t("run.column.progress")} />`;

function Start({ onClose, onStarted }) {
  const end = now() - 10 * 60_000; // the vendor's history is some minutes behind
  const fields = useSignal({ from: localField(end - 24 * HOUR), to: localField(end), agentIds: "", dryRun: true });
  const set = (name, property = "value") => (event) => (fields.value = { ...fields.value, [name]: event.target[property] });
  const { from, to, agentIds, dryRun } = fields.value;
  const act = async (why) => {
    const body = { from: fromLocalField(from), to: fromLocalField(to), agentIds: idsOf(agentIds), dryRun, why };
    onStarted(await send("POST", PATH, body));
  };
  return html`<${Confirm} title=${t("reconciliations.start")} act=${act} onClose=${onClose}
    action=${t(dryRun ? "reconciliations.go-dry" : "reconciliations.go")}>
    <p>${t("reconciliations.fields-hint")}</p>
    <div class="pair">
      <label>${t("run.from")}<input type="datetime-local" step="1" name="from" required value=${from} onInput=${set("from")} /></label>
      <label>${t("run.to-before")}<input type="datetime-local" step="1" name="to" required value=${to} onInput=${set("to")} /></label>
    </div>
    <label>${t("reconciliations.agent-ids")}<textarea name="agentIds" rows="2" value=${agentIds} onInput=${set("agentIds")}></textarea></label>
    <label><input type="checkbox" name="dryRun" checked=${dryRun} onChange=${set("dryRun", "checked")} /> ${t("reconciliations.dry-hint")}</label>
  <//>`;
}

function Report({ run }) {
  const sources = Object.entries(run.sources);
  return html`
    ${isGoing(run) && html`<p><${Steps} run=${run} /></p>`}
    <dl>
      <${Fact} name="run.column.verdict"><${Verdict} verdict=${run.verdict} />
        ${run.verdict !== null && html` <small>${t(`verdict-means.${run.verdict}`)}</small>`}<//>
      <${Fact} name="run.column.window"><${Moment} time=${run.from} /> – <${Moment} time=${run.to} /><//>
      ${run.agentIds.length > 0 && html`<${Fact} name="reconciliations.agents">${run.agentIds.join(", ")}<//>`}
      ${run.orgId !== null && html`<${Fact} name="column.organisation">${run.orgId}<//>`}
      <${Fact} name="reconciliations.gaps">${run.gapsFound === null ? "–"
        : t("reconciliations.closed", { closed: number(run.gapsClosed), found: number(run.gapsFound) })}<//>
      <${Fact} name="reconciliations.corrections">${number(run.correctionsMade)}<//>
      ${run.clockDifferenceMs !== null && html`<${Fact} name="reconciliations.clock">${duration(run.clockDifferenceMs)}<//>`}
    </dl>
    ${sources.length > 0 && html`<h3>${t("reconciliations.sources")}</h3>
      <div class="scroller" role="region" tabindex="0" aria-label=${t("reconciliations.sources")}><table>
        <thead><tr><th scope="col">${t("reconciliations.source")}</th>
          ${COUNTS.map((it) => html`<th key=${it} scope="col" class="number" title=${t(`source-means.${it}`)}>${t(`source.${it}`)}</th>`)}</tr></thead>
        <tbody>${sources.map(([name, counts]) => html`<tr key=${name}><th scope="row">${name}</th>
          ${COUNTS.map((it) => html`<td key=${it} class="number">${number(counts[it])}</td>`)}</tr>`)}</tbody>
      </table></div>`}
    <${Findings} name="failures" rows=${run.failures} line=${(it) => html`<strong>${it.source}</strong>: ${it.reason}
      ${it.isPart && html` <small>${t("finding.part")}</small>`}`} />
    <${Findings} name="missing" rows=${run.missing} line=${(it) => html`<${FactLine} fact=${it} run=${run} />`} />
    <${Findings} name="differing" rows=${run.differing} line=${(it) => html`<${Differing} row=${it} run=${run} />`} />
    <${Findings} name="indistinct" rows=${run.indistinct} line=${(it) => html`<${FactLine} fact=${it} run=${run} />
      <small>${t("finding.webhook", { id: it.webhookId, difference: (it.differenceMs / 1000).toFixed(1) })}</small>`} />
    <${Findings} name="doubtful" rows=${run.doubtful} line=${(it) => html`<${FactLine} fact=${it} run=${run} />`} />
    <${Findings} name="unusable" rows=${run.unusable} line=${(it) => html`<strong>${it.source}</strong>: ${it.reason}
      (${number(it.count)}) <small>${it.rows.join(", ")}</small>`} />
    <${Findings} name="unknown" rows=${Object.entries(run.unknown)} line=${([source, words]) => html`<strong>${source}</strong>:
      ${Object.entries(words).map(([it, count]) => `${it} (${number(count)})`).join(", ")}`} />
    <${Findings} name="untold" rows=${run.untold} line=${(it) => html`<code>${it}</code>`} />`;
}

// A list of findings, closed at first where it is long; one without rows is left out.
function Findings({ name, rows, line }) {
  if (rows.length === 0) return null;
  return html`<details class="findings" open=${rows.length <= 10}>
    <summary>${t(`finding.${name}`)} (${number(rows.length)})</summary>
    <p><small>${t(`finding-means.${name}`)}</small></p>
    <ul>${rows.map((row, index) => html`<li key=${index}>${line(row)}</li>`)}</ul>
  </details>`;
}

const Subject = ({ kind, id, run }) =>
  html`<a href=${(kind === "agent" ? agentHref : taskHref)(id, run.orgId)}>${t(`subject.${kind}`)} <bdi>${id}</bdi></a>`;

const FactLine = ({ fact: it, run }) => html`<${Moment} time=${it.time} ms /> <${Subject} kind=${it.kind} id=${it.id} run=${run} />
  <code>${it.type}</code> ${it.state} ${it.signOutReason} <small>${it.source}</small>`;

const Differing = ({ row, run }) => html`<${Subject} kind=${row.kind} id=${row.id} run=${run} />
  <${Moment} time=${row.from} ms /> – <${Moment} time=${row.to} ms /><br />
  ${t("finding.ours")} ${stretches(row.ours)}<br />${t("finding.vendors")} ${stretches(row.vendors)}`;

const stretches = (list) => list.map((it) => it.status).join(" → ") || "–";
