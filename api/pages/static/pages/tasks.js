// Tasks: those that are open, live; others when they are asked for; or those of any moment of the past.

import { query, setQuery } from "../core/address.js";
import { viewsTime } from "../core/service-status.js";
import { choicesOf, useDirectory } from "../core/directory.js";
import { html, useEffect, useSignal } from "../core/dom.js";
import { moment, number } from "../core/format.js";
import * as live from "../core/live.js";
import { taskHref } from "../core/names.js";
import { choiceOf, fitsFilters, fitsText, inOrder, paramsOf, sortOf, WHICH } from "../core/tasks.js";
import { TASK_STATUSES } from "../core/status.js";
import { t, word } from "../core/texts.js";
import { Choice, optionsOf } from "../parts/filters.js";
import { Paged, usePaged } from "../parts/paged.js";
import { MostAreProvisional } from "../parts/provisional.js";
import { Scrubber, timesOf } from "../parts/scrubber.js";
import { Empty, Loading } from "../parts/states.js";
import { COLUMNS, TasksTable } from "../parts/tasks-table.js";

const STEP = 1_000; // rows that are read at once
const DIRECTIONS = ["INBOUND", "OUTBOUND"];

export default function Tasks() {
  const params = query.value;
  const choice = choiceOf(params);
  const times = timesOf(params);
  const isBusy = useSignal(false);
  return html`
    <h1>${t("page.tasks")}</h1>
    <${Scrubber} isBusy=${() => isBusy.value} />
    ${choice.which === "open" && !times
      ? html`<${LiveTasks} choice=${choice} />`
      : html`<${ReadTasks} choice=${choice} times=${times} isBusy=${isBusy} />`}`;
}

function LiveTasks({ choice }) {
  useEffect(() => live.follow(), []);
  live.version.value;
  const { state, since } = live.connection.value;
  const all = [...live.tasks.values()];
  const tasks = all.filter((it) => fitsFilters(it, choice.filters));
  const scene = { names: live.names, now: viewsTime(), times: null };
  return html`<${Bar} choice=${choice} found=${all} names=${live.names} />
    ${state === "lost" && html`<p class="warning" role="alert">${t("tasks.old", { since: moment(since) })}</p>`}
    ${state === "connecting" && all.length === 0
      ? html`<${Loading} what=${t("tasks.loading")} />`
      : html`<${Rows} choice=${choice} tasks=${tasks} scene=${scene} all=${all.length} />`}`;
}

// Read by the API, page by page: those that are over are too many to be kept.
function ReadTasks({ choice, times, isBusy }) {
  const list = usePaged("/api/v1/tasks", { ...paramsOf(choice), ...times, isThen: undefined, names: true }, { step: STEP });
  useEffect(() => {
    isBusy.value = list.loading;
    return () => (isBusy.value = false);
  }, [list.loading]);
  const scene = { names: list.names, now: times?.at ?? viewsTime(), times: times && { at: times.at, knownAt: times.knownAt } };
  return html`<${Bar} choice=${choice} found=${list.rows ?? []} names=${list.names} />
    <${Paged} list=${list} what=${t("tasks.loading")}>${(tasks) => html`
      ${!list.isWhole && !list.loading && html`<p class="note-line">${t("tasks.part")}</p>`}
      <${Rows} choice=${choice} tasks=${tasks} scene=${scene} all=${tasks.length} />`}<//>`;
}

function Rows({ choice, tasks, scene, all }) {
  const params = query.value;
  const sort = sortOf(params);
  const shown = inOrder(tasks.filter((it) => fitsText(it, choice.text, scene.names)), sort, scene.names);
  const onSort = (id) => setQuery({ sort: sort.id === id && !sort.descending ? `-${id}` : id });
  const severalOrganisations = new Set(tasks.map((it) => it.orgId)).size > 1;
  return html`<div class="titled"><h2>${t(`tasks.${choice.which}`)} <span class="total" role="status">${shown.length === all
      ? number(all) : t("floor.of", { shown: number(shown.length), all: number(all) })}</span></h2>
      <${MostAreProvisional} rows=${shown} /></div>
    ${shown.length === 0
      ? html`<${Empty} title=${t(all === 0 && choice.which === "open" ? "tasks.none-open" : "tasks.no-fit")}>
          ${choice.text !== "" && html`<${ExactTask} id=${params.get("q").trim()} />`}<//>`
      : html`<${TasksTable} scene=${scene} tasks=${shown} columns=${columnsOf(params)} sort=${sort} onSort=${onSort}
          severalOrganisations=${severalOrganisations} />`}`;
}

// A task that no row shows may still be there.
const ExactTask = ({ id }) => html`<p><a href=${taskHref(id)}>${t("tasks.exact", { id })}</a></p>`;

function Bar({ choice, found, names }) {
  const directory = useDirectory(["queue", "agent"]);
  const { filters } = choice;
  const columns = columnsOf(query.value);
  const statuses = [...new Set([...TASK_STATUSES, ...found.map((it) => it.status), ...filters.status])];
  const organisations = new Set([...found.map((it) => it.orgId), ...filters.orgId]);
  const channels = new Set([...found.map((it) => it.channelType).filter(Boolean), ...filters.channelType]);
  const words = (values, kind) => values.map((value) => ({ value, text: word(kind, value) }));
  return html`<div class="bar">
    <select aria-label=${t("tasks.which")}
      onChange=${(event) => setQuery({ show: event.target.value === "open" ? null : event.target.value, open: null })}>
      ${WHICH.map((it) => html`<option key=${it} value=${it} selected=${it === choice.which}>${t(`tasks.${it}`)}</option>`)}
    </select>
    <input type="search" class="find" aria-label=${t("tasks.find")} placeholder=${t("tasks.find")}
      value=${query.value.get("q") ?? ""} onInput=${(event) => setQuery({ q: event.target.value })} />
    <${Filter} name="status" chosen=${filters.status} options=${words(statuses, "status")} />
    <${Filter} name="queueId" chosen=${filters.queueId} options=${choicesOf(directory, "queue", {
      rows: found, valuesOf: (it) => [it.queueId], names, chosen: filters.queueId })} />
    <${Filter} name="channelType" chosen=${filters.channelType}
      options=${words([...channels].sort(), "channel")} />
    <${Filter} name="direction" chosen=${filters.direction}
      options=${words([...new Set([...DIRECTIONS, ...filters.direction])], "direction")} />
    <${Filter} name="agentId" chosen=${filters.agentId} options=${choicesOf(directory, "agent", {
      rows: found, valuesOf: (it) => it.participants.map((one) => one.agentId), names, chosen: filters.agentId })} />
    ${organisations.size > 1 && html`<${Filter} name="orgId" chosen=${filters.orgId}
      options=${optionsOf(found, (it) => it.orgId)} />`}
    <${Choice} label=${t("filter.columns")} chosen=${columns}
      options=${COLUMNS.filter((it) => it !== "task").map((value) => ({ value, text: t(`column.${value}`) }))}
      onChange=${(values) => setQuery({ cols: values.length === 0 || values.length >= COLUMNS.length ? null
        : COLUMNS.filter((it) => it === "task" || values.includes(it)).join(",") })} />
  </div>`;
}

const Filter = ({ name, options, chosen }) =>
  html`<${Choice} label=${t(`filter.${name}`)} options=${options} chosen=${chosen}
    onChange=${(values) => setQuery({ [name]: values })} />`;

function columnsOf(params) {
  const chosen = (params.get("cols") ?? "").split(",").filter((it) => COLUMNS.includes(it));
  return chosen.length ? chosen : COLUMNS;
}
