// What replays and reconciliations have in common: a list of runs, one with its progress, and its end.

import { get, rows, seesAllTeams, send, withParams } from "../../core/api.js";
import { href, query, setQuery } from "../../core/address.js";
import { html, useEffect, useRef, useSignal } from "../../core/dom.js";
import { duration, Moment, number, percent } from "../../core/format.js";
import { t } from "../../core/texts.js";
import { Confirm } from "../../parts/dialog.js";
import { Panel } from "../../parts/panel.js";
import { Empty, Loaded } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { Fact, NotAllowed, Outcome, usePolled } from "./action.js";

const RUN_EVERY_MS = 1_000;
const LIST_EVERY_MS = 3_000;
const A_PAGE = 50;
const TONES = { queued: "calling", running: "busy", completed: "free", incomplete: "held", failed: "lost", cancelled: "gone" };

export const isGoing = (run) => run.status === "queued" || run.status === "running";

export const RunStatus = ({ status }) => html`<span class="pill ${TONES[status] ?? "other"}">${t(`run.${status}`)}</span>`;

// The tab of a kind of runs. `kind`: {path, name, columns, progress(run), Start, Report, unready(meta)}: where
// `unready` says why no run can be started, by the meta of the list, it stands in place of the button.
export const Runs = ({ kind }) => (seesAllTeams() ? html`<${List} kind=${kind} />`
  : html`<h2>${t(`ops.tab.${kind.name}`)}</h2><${NotAllowed} why=${t("ops.need-all-teams")} />`);

function List({ kind }) {
  const shown = useSignal(A_PAGE);
  const dialog = useSignal(null);
  const done = useSignal(null);
  const load = usePolled(
    (signal) => rows(kind.path, {}, { signal, atMost: shown.value }),
    [shown.value], LIST_EVERY_MS, (list) => list !== null && list.data.some(isGoing),
  );
  const unready = load.value && kind.unready?.(load.value.meta);
  const open = query.value.get("run");
  const close = () => (dialog.value = null);
  const started = (run) => {
    done.value = t("run.started", { id: run.id });
    load.reload();
    setQuery({ run: run.id });
  };
  const cancelled = (run) => {
    done.value = t(run.status === "cancelled" ? "run.is-cancelled" : "run.is-to-stop", { id: run.id });
    load.reload();
  };
  const columns = [
    { id: "id", isHead: true, cell: (it) => html`<a href=${href("/operations", { tab: kind.name, run: it.id })}>${it.id}</a>` },
    { id: "status", cell: (it) => html`<${RunStatus} status=${it.status} />` },
    { id: "progress", cell: (it) => kind.progress(it) },
    ...kind.columns,
    { id: "why", cell: (it) => html`<bdi title=${it.why}>${it.why ?? "–"}</bdi>` },
    { id: "who", cell: (it) => it.who },
    { id: "created", cell: (it) => html`<${Moment} time=${it.createdTime} />` },
  ].map((it) => ({ title: t(`run.column.${it.id}`), ...it }));
  return html`<section>
    <h2>${t(`ops.tab.${kind.name}`)}</h2>
    <p>${t(`${kind.name}.what`)}</p>
    <p>${unready || html`<button type="button" onClick=${() => (dialog.value = { kind: "start" })}>${t(`${kind.name}.start`)}</button>`}</p>
    <${Outcome} done=${done} />
    <${Loaded} load=${{ ...load, loading: false }}>${(list) => list.data.length === 0
      ? html`<${Empty} title=${t(`${kind.name}.none`)} />`
      : html`<${Table} label=${t(`ops.tab.${kind.name}`)} rows=${list.data} keyOf=${(it) => it.id} columns=${columns}
          openKey=${Number(open)} onRow=${(it) => setQuery({ run: it.id })} />
        ${list.isCut && html`<p><button type="button" class="secondary" onClick=${() => (shown.value += A_PAGE)}>${t("run.older")}</button></p>`}`}<//>
    ${open && html`<${Run} key=${open} id=${open} kind=${kind} onEnd=${load.reload}
      onCancel=${(run) => (dialog.value = { kind: "cancel", run })} version=${done.value} />`}
    ${dialog.value?.kind === "start" && html`<${kind.Start} onClose=${close} onStarted=${started} />`}
    ${dialog.value?.kind === "cancel" && html`<${Cancel} kind=${kind} run=${dialog.value.run} onClose=${close} onDone=${cancelled} />`}
  </section>`;
}

function Run({ id, kind, onEnd, onCancel, version }) {
  const load = usePolled(
    (signal) => get(`${kind.path}/${encodeURIComponent(id)}`, {}, { signal }), [id, version], RUN_EVERY_MS,
    (run) => run !== null && isGoing(run),
  );
  const wasGoing = useRef(false);
  const going = load.value !== null && isGoing(load.value);
  useEffect(() => {
    if (wasGoing.current && !going) onEnd();
    wasGoing.current = going;
  }, [going]);
  return html`<${Panel} title=${t(`${kind.name}.one`, { id })} onClose=${() => setQuery({ run: null })}>
    <${Loaded} load=${{ ...load, loading: false }}>${(run) => html`
      <p class="line"><${RunStatus} status=${run.status} /> ${run.dryRun && html`<span class="pill other">${t("run.dry")}</span>`}
        ${isGoing(run) && !run.cancellation && html`<button type="button" class="secondary" onClick=${() => onCancel(run)}>${t("run.cancel")}</button>`}</p>
      ${isGoing(run) && run.cancellation && html`<p role="status">${t("run.is-to-stop", { id })}</p>`}
      ${run.error && html`<p class="refused">${run.error}</p>`}
      <${kind.Report} run=${run} />
      <h3>${t("run.about")}</h3>
      <dl>
        <${Fact} name="run.column.why">${run.why ?? "–"}<//>
        <${Fact} name="run.column.who">${run.who}<//>
        <${Fact} name="run.column.created"><${Moment} time=${run.createdTime} /><//>
        <${Fact} name="run.began"><${Moment} time=${run.startedTime} /><//>
        <${Fact} name="run.ended"><${Moment} time=${run.finishedTime} />${run.finishedTime !== null && run.startedTime !== null
          && ` (${duration(run.finishedTime - run.startedTime)})`}<//>
        ${run.cancellation && html`<${Fact} name="run.cancelled-by">${run.cancellation.who}, <${Moment} time=${run.cancellation.time} />:
          ${run.cancellation.why ?? "–"}<//>`}
      </dl>`}<//>
  <//>`;
}

const Cancel = ({ kind, run, onClose, onDone }) => html`<${Confirm} title=${t("run.cancel-title", { id: run.id })} danger
  action=${t("run.cancel")} onClose=${onClose}
  act=${async (why) => onDone(await send("DELETE", withParams(`${kind.path}/${run.id}`, { why })))}>
  <p>${t(`${kind.name}.cancel-hint`)}</p>
<//>`;

// How much of something is done, as a bar and in words.
export function Progress({ done, total, label }) {
  if (!total) return html`<span class="none">–</span>`;
  return html`<span class="progress"><progress max=${total} value=${done} aria-label=${label}></progress>
    <span>${percent(Math.floor((1000 * done) / total) / 1000)}</span> <small>${number(done)} / ${number(total)}</small></span>`;
}

// The ids of a field with one each line.
export const idsOf = (text) => text.split(/\r?\n/).map((it) => it.trim()).filter(Boolean);
