// Thresholds: from which time in a status, or from how many who wait, a row is amber and red. Everybody
// sees the rules; an operator for all changes them, with a reason.

import { get, mayAct, mergeNames, seesEverything, send } from "../core/api.js";
import { html, useSignal } from "../core/dom.js";
import { duration, Moment, number, parseDuration } from "../core/format.js";
import { useLoad } from "../core/load.js";
import { nameOf } from "../core/names.js";
import { AGENT_STATUSES, Status } from "../core/status.js";
import { t, word } from "../core/texts.js";
import { Confirm } from "../parts/dialog.js";
import { Loaded } from "../parts/states.js";

const ROUTE = "/api/v1/thresholds";
const OWN = ["subject", "status", "measure", "orgId", "teamId", "queueId", "channelType", "amberMs", "redMs", "amber", "red"];
const MEASURES = ["longestWaitMs", "waiting"];

export default function Thresholds() {
  const load = useLoad(readAll, []);
  return html`<h1>${t("page.thresholds")}</h1>
    <p>${t("thresholds.intro")}</p>
    <${Loaded} load=${load}>${(answer) => html`<${Rules} key=${answer.rules.meta.version} ...${answer} reload=${load.reload} />`}<//>`;
}

// The rules, with the names of teams and queues that can be chosen for a new one.
async function readAll(signal) {
  const [rules, directory] = await Promise.all([
    get(ROUTE, { names: true }, { signal }),
    get("/api/v1/names", { kind: ["team", "queue"], limit: 1000 }, { signal }),
  ]);
  const names = mergeNames({}, rules.names);
  for (const { kind, id, name } of directory.data) mergeNames(names, { [kind]: { [id]: name } });
  return { rules, names };
}

function Rules({ rules, names, reload }) {
  const mayChange = mayAct("operator") && seesEverything();
  const changed = useSignal(null); // the operator's rules as they will be; null while unchanged
  const dialog = useSignal(null);
  const own = rules.data.filter((it) => it.source === "operator").map(ownPart);
  const shown = changed.value ?? own;
  const others = rules.data.filter((it) => it.source !== "operator" && !shown.some((rule) => isSame(rule, it)));
  const put = (rule, before) =>
    (changed.value = [...shown.filter((it) => !isSame(it, rule) && !(before && isSame(it, before))), rule]);
  const drop = (rule) => (changed.value = shown.filter((it) => !isSame(it, rule)));
  const rows = [...shown.map((rule) => ({ rule, source: "operator" })), ...others.map((it) => ({ rule: ownPart(it), source: it.source }))];
  const subjects = ["agent", "queue"];
  return html`
    ${subjects.map((subject) => html`<section key=${subject} aria-labelledby=${`rules-${subject}`}>
      <h2 id=${`rules-${subject}`}>${t(`thresholds.${subject}`)}</h2>
      <div class="scroller" role="region" tabindex="0" aria-labelledby=${`rules-${subject}`}><table>
        <thead><tr><th scope="col">${t("thresholds.what")}</th><th scope="col">${t("thresholds.whom")}</th>
          <th scope="col" class="number">${t("thresholds.amber")}</th><th scope="col" class="number">${t("thresholds.red")}</th>
          <th scope="col">${t("thresholds.source")}</th>${mayChange && html`<th scope="col"><span class="hidden">${t("thresholds.actions")}</span></th>`}</tr></thead>
        <tbody>${rows.filter(({ rule }) => rule.subject === subject).sort(byWhat).map(({ rule, source }) => html`<tr key=${selector(rule)}>
          <th scope="row">${rule.subject === "agent" ? html`<${Status} status=${rule.status} />` : t(`thresholds.${rule.measure}`)}</th>
          <td>${whom(rule, names)}</td>
          <td class="number amber-cell">${limitText(rule, "amber")}</td><td class="number red-cell">${limitText(rule, "red")}</td>
          <td>${t(`thresholds.by-${source}`)}</td>
          ${mayChange && html`<td>
            <button type="button" class="link" onClick=${() => (dialog.value = { kind: "edit", rule, isNew: false })}>${t("thresholds.change")}</button>
            ${source === "operator" && html` <button type="button" class="link" onClick=${() => drop(rule)}>${t("thresholds.drop")}</button>`}
          </td>`}
        </tr>`)}</tbody></table></div>
      ${mayChange && html`<p><button type="button" class="secondary" onClick=${() => (dialog.value = { kind: "edit", isNew: true, rule: fresh(subject) })}>${t("thresholds.add")}</button></p>`}
    </section>`)}
    ${mayChange && html`<div class="bar">
      <button type="button" disabled=${changed.value === null} onClick=${() => (dialog.value = { kind: "save" })}>${t("thresholds.save")}</button>
      <button type="button" class="secondary" disabled=${changed.value === null} onClick=${() => (changed.value = null)}>${t("thresholds.discard")}</button>
      <button type="button" class="secondary" disabled=${own.length === 0} onClick=${() => (dialog.value = { kind: "back" })}>${t("thresholds.take-back")}</button>
    </div><${Changes} />`}
    ${dialog.value?.kind === "edit" && html`<${Edit} ...${dialog.value} names=${names} onClose=${() => (dialog.value = null)}
      onDone=${(rule) => put(rule, dialog.value.isNew ? null : dialog.value.rule)} />`}
    ${dialog.value?.kind === "save" && html`<${Confirm} title=${t("thresholds.save")} action=${t("thresholds.save")} onClose=${() => (dialog.value = null)}
      act=${async (why) => (await send("PUT", ROUTE, { rules: shown, why, version: rules.meta.version }), reload())}><p>${t("thresholds.save-hint", { count: shown.length })}</p><//>`}
    ${dialog.value?.kind === "back" && html`<${Confirm} title=${t("thresholds.take-back")} action=${t("thresholds.take-back")} danger onClose=${() => (dialog.value = null)}
      act=${async (why) => (await send("DELETE", ROUTE, undefined, { params: { why, version: rules.meta.version } }), reload())}><p>${t("thresholds.back-hint")}</p><//>`}`;
}

function Edit({ rule, isNew, names, onDone, onClose }) {
  const draft = useSignal({ ...rule });
  const set = (changes) => (draft.value = { ...draft.value, ...changes });
  const isAgent = rule.subject === "agent";
  const isTime = isAgent || draft.value.measure === "longestWaitMs";
  const act = async () => onDone(withLimits(draft.value));
  const choice = (label, name, options) => html`<label>${label}<select onChange=${(event) => set({ [name]: event.target.value || null })}>
    <option value="">${t("thresholds.all")}</option>
    ${options.map(([value, text]) => html`<option key=${value} value=${value} selected=${draft.value[name] === value}>${text}</option>`)}</select></label>`;
  const named = (kind) => Object.entries(names[kind] ?? {}).sort(([, a], [, b]) => a.localeCompare(b));
  return html`<${Confirm} title=${t(isNew ? "thresholds.add" : "thresholds.change")} action=${t("thresholds.take-over")} needsReason=${false} act=${act} onClose=${onClose}>
    ${isAgent
      ? html`<label>${t("column.status")}<select disabled=${!isNew} onChange=${(event) => set({ status: event.target.value })}>
          ${AGENT_STATUSES.map((it) => html`<option key=${it} value=${it} selected=${it === draft.value.status}>${word("status", it)}</option>`)}</select></label>`
      : html`<label>${t("thresholds.what")}<select disabled=${!isNew} onChange=${(event) => set({ measure: event.target.value })}>
          ${MEASURES.map((it) => html`<option key=${it} value=${it} selected=${it === draft.value.measure}>${t(`thresholds.${it}`)}</option>`)}</select></label>`}
    ${isNew && isAgent && choice(t("column.team"), "teamId", named("team"))}
    ${isNew && choice(t("column.queue"), "queueId", named("queue"))}
    ${isNew && !isAgent && choice(t("column.channel"), "channelType", ["telephony", "chat", "email", "social"].map((it) => [it, word("channel", it)]))}
    ${!isNew && html`<p>${whom(rule, names)}</p>`}
    ${["amber", "red"].map((level) => html`<label key=${level}>${t(`thresholds.${level}`)} <small>${t(isTime ? "thresholds.as-time" : "thresholds.as-count")}</small>
      <input inputmode="numeric" value=${limitField(draft.value, level)} pattern=${isTime ? "\\d+(:\\d\\d){0,2}" : "\\d+"}
        onInput=${(event) => set({ [`text-${level}`]: event.target.value })} /></label>`)}
  <//>`;
}

function Changes() {
  const load = useLoad((signal) => get(`${ROUTE}/changes`, { limit: 20 }, { signal }), []);
  return html`<section aria-labelledby="changes"><h2 id="changes">${t("thresholds.changes")}</h2>
    <${Loaded} load=${load}>${(answer) => answer.data.length === 0 ? html`<p class="none">${t("thresholds.unchanged")}</p>`
      : html`<ul class="around">${answer.data.map((it) => html`<li key=${it.version}>
        <${Moment} time=${it.time} withDate /> ${it.who}: ${it.why}
        <small>${it.rules === null ? t("thresholds.taken-back") : t("thresholds.rules", { count: it.rules.length })}</small></li>`)}</ul>`}<//></section>`;
}

const ownPart = (rule) => Object.fromEntries(OWN.filter((name) => name in rule).map((name) => [name, rule[name]]));
const selector = (rule) => JSON.stringify([rule.subject, rule.status ?? rule.measure, rule.queueId ?? null, rule.teamId ?? null, rule.channelType ?? null, rule.orgId ?? null]);
const isSame = (one, other) => selector(one) === selector(other);
const fresh = (subject) => (subject === "agent" ? { subject, status: "available" } : { subject, measure: "longestWaitMs" });
const byWhat = ({ rule: a }, { rule: b }) =>
  (a.subject === "agent" ? AGENT_STATUSES.indexOf(a.status) - AGENT_STATUSES.indexOf(b.status) : MEASURES.indexOf(a.measure) - MEASURES.indexOf(b.measure)) ||
  selector(a).localeCompare(selector(b));

const isTime = (rule) => rule.subject === "agent" || rule.measure === "longestWaitMs";
const limitOf = (rule, level) => (rule.subject === "agent" ? rule[`${level}Ms`] : rule[level]) ?? null;
const limitText = (rule, level) => (isTime(rule) ? duration(limitOf(rule, level)) : number(limitOf(rule, level)));
const limitField = (draft, level) => draft[`text-${level}`] ?? (limitOf(draft, level) === null ? "" : isTime(draft) ? duration(limitOf(draft, level)) : String(limitOf(draft, level)));

// The rule with the limits as they were typed; an empty field is no limit.
function withLimits(draft) {
  const rule = ownPart(draft);
  for (const level of ["amber", "red"]) {
    const text = limitField(draft, level).trim();
    const value = text === "" ? null : isTime(draft) ? parseDuration(text) : Number(text);
    if (Number.isNaN(value)) throw new Error(t("thresholds.not-a-limit", { text }));
    rule[rule.subject === "agent" ? `${level}Ms` : level] = value;
  }
  if (limitOf(rule, "amber") !== null && limitOf(rule, "red") !== null && limitOf(rule, "amber") > limitOf(rule, "red")) throw new Error(t("thresholds.order"));
  return rule;
}

function whom(rule, names) {
  const parts = [
    rule.queueId && nameOf(names, "queue", rule.queueId),
    rule.teamId && nameOf(names, "team", rule.teamId),
    rule.channelType && word("channel", rule.channelType),
    rule.orgId,
  ].filter(Boolean);
  return parts.length ? parts.join(", ") : t("thresholds.all");
}
