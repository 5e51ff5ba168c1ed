// The columns of the log and of each ledger.

import { html } from "../../core/dom.js";
import { duration, Moment, number } from "../../core/format.js";
import { agentHref, Named, taskHref } from "../../core/names.js";
import { Status } from "../../core/status.js";
import { shortId } from "../../core/tasks.js";
import { has, short, t } from "../../core/texts.js";

export const positionOf = (row) => String(row.position);

const KEYS = {
  log: positionOf,
  anomalies: (row) => [row.orgId, row.subject, row.kind, row.to, row.position].join("\n"),
  corrections: (row) => [row.orgId, row.subject, row.from, row.position].join("\n"),
  conflicts: (row) => [row.position, row.sha256].join("\n"),
  quarantine: (row) => String(row.id),
  trail: (row) => String(row.number),
};
export const keyOf = (part, row) => KEYS[part](row);

// `onRow` opens the details of a row; a button does it too, for the keyboard.
export const columnsOf = (part, names, onRow) =>
  COLUMNS[part](names, openerOf(onRow)).map(([id, align, cell], index) => ({
    id, align, cell, isHead: index === 0, title: t(`audit.column-${id}`),
  }));

const openerOf = (onRow) => (row, text) =>
  html`<button type="button" class="link" onClick=${() => onRow(row)}>${text}</button>`;

const moment = (time) => html`<${Moment} time=${time} withDate ms />`;
const agent = (names, { agentId, orgId }) =>
  agentId !== null && html`<${Named} names=${names} kind="agent" id=${agentId} href=${agentHref(agentId, orgId)} />`;
const task = ({ taskId, orgId }) =>
  taskId !== null && html`<a href=${taskHref(taskId, orgId)} title=${taskId}><bdi>${shortId(taskId)}</bdi></a>`;
export const subject = (names, row) => html`${agent(names, row)} ${task(row)}`;
const known = (kind, word) => (has(`${kind}.${word}`) ? t(`${kind}.${word}`) : word);
const statuses = (intervals) =>
  intervals.length === 0
    ? t("corrections.nothing")
    : intervals.map((it, index) => html`<${Status} key=${index} status=${it.status} /> `);

const COLUMNS = {
  log: (names, opener) => [
    ["position", "number", (row) => opener(row, number(row.position))],
    ["time", "number", (row) => moment(row.time)],
    ["recorded", "number", (row) => moment(row.recordedTime)],
    ["late", "number", (row) => duration(row.recordedTime - row.time)],
    ["type", "", (row) => html`<code>${row.type}</code>`],
    ["agent", "", (row) => agent(names, row)],
    ["task", "", (row) => task(row)],
    ["origin", "", (row) => t(`origin.${row.origin}`)],
    ["restates", "number", (row) => row.restates !== null && number(row.restates)],
    ["id", "", (row) => html`<bdi class="id" title=${row.id}>${row.id}</bdi>`],
  ],
  anomalies: (names, opener) => [
    ["kind", "", (row) => opener(row, known("anomaly", row.kind))],
    ["subject", "", (row) => subject(names, row)],
    ["gap-from", "number", (row) => moment(row.from)],
    ["gap-to", "number", (row) => moment(row.to)],
    ["position", "number", (row) => (row.position === null ? t("explain.time") : number(row.position))],
  ],
  corrections: (names, opener) => [
    ["recorded", "number", (row) => opener(row, moment(row.recordedTime))],
    ["subject", "", (row) => subject(names, row)],
    ["from", "number", (row) => moment(row.from)],
    ["to", "number", (row) => (row.to === null ? t("now") : moment(row.to))],
    ["before", "", (row) => statuses(row.before)],
    ["after", "", (row) => statuses(row.after)],
    ["late", "number", (row) => duration(Math.max(...row.events.map((it) => it.latenessMs)))],
  ],
  conflicts: (names, opener) => [
    ["kind", "", (row) => opener(row, t(`conflict.${row.kind}`))],
    ["subject", "", (row) => subject(names, row)],
    ["fields", "", (row) => html`<code>${row.fields.join(", ")}</code>`],
    ["first", "number", (row) => moment(row.from)],
    ["last", "number", (row) => moment(row.to)],
    ["deliveries", "number", (row) => number(row.deliveries)],
    ["position", "number", (row) => number(row.position)],
  ],
  quarantine: (names, opener) => [
    ["number", "number", (row) => opener(row, number(row.id))],
    ["reason", "", (row) => row.reason],
    ["first", "number", (row) => moment(row.firstTime)],
    ["last", "number", (row) => moment(row.lastTime)],
    ["deliveries", "number", (row) => number(row.deliveries)],
    ["retries", "number", (row) => number(row.retries.length)],
    ["resolution", "", (row) => (row.resolution === null ? t("audit.unresolved") : t(`resolution.${row.resolution.kind}`))],
  ],
  trail: (names, opener) => [
    ["asked", "number", (row) => opener(row, moment(row.time))],
    ["who", "", (row) => html`<bdi>${row.who}</bdi>`],
    ["address", "", (row) => row.address ?? t("audit.this-machine")],
    ["action", "", (row) => html`<code>${row.action}</code>`],
    ["why", "", (row) => short(String(whyOf(row) ?? ""))],
    ["answer", "", (row) => answerOf(row)],
  ],
};

// The reason is in the body, or in the query where a request has none.
const whyOf = ({ asked }) => asked.body?.why ?? asked.query?.why?.[0] ?? asked.note;
const answerOf = ({ answer }) => {
  if (answer === null) return t("audit.no-answer");
  return answer.status ?? (answer.done ? t("audit.done") : t("audit.failed"));
};
