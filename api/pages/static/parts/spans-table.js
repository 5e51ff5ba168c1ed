// The spans of lanes as a table: the same data for those who cannot see or point at them.

import { html, useMemo } from "../core/dom.js";
import { duration } from "../core/format.js";
import { Named, taskHref } from "../core/names.js";
import { Status } from "../core/status.js";
import { t } from "../core/texts.js";
import { OF_STATUS, reasonOf } from "./span-words.js";
import { Empty } from "./states.js";
import { Table } from "./table.js";

// `spans`: [{lane, span}]; `when(time)` draws a moment.
export function SpansTable({ spans, names, words, subject, times, now, when, onOpen, openKey }) {
  const byTime = useMemo(() => [...spans].sort((a, b) => (a.span.from ?? 0) - (b.span.from ?? 0)), [spans]);
  if (byTime.length === 0) return html`<${Empty} title=${t("lanes.nothing")} />`;
  const columns = [
    { id: "from", title: t("span.from"), align: "number", isHead: true, cell: ({ span }) => html`<button type="button" class="link" onClick=${() => onOpen(span)}>
      ${span.from === null ? t("span.begin-unknown") : when(span.from)}</button>` },
    { id: "to", title: t("span.to"), align: "number", cell: ({ span }) => (span.to === null ? t("span.goes-on") : when(span.to)) },
    { id: "duration", title: t("span.duration"), align: "number", cell: ({ span }) => (span.from === null || span.to === span.from ? "" : duration((span.to ?? now) - span.from)) },
    { id: "lane", title: t("lanes.lane"), cell: ({ lane }) => words.title(lane) },
    { id: "what", title: t("lanes.what"), cell: ({ span }) => (OF_STATUS.has(span.kind)
      ? html`<${Status} status=${span.status} /> ${span.status === "idle" ? reasonOf(span.row, names) : ""}` : words.word(span)) },
    { id: "queue", title: t("column.queue"), cell: ({ span }) => span.row.queueId && html`<${Named} names=${names} kind="queue" id=${span.row.queueId} />` },
    subject.kind === "agent" && { id: "task", title: t("column.task"), cell: ({ span }) => span.row.taskId
      && html`<a class="id" title=${span.row.taskId} href=${taskHref(span.row.taskId, subject.orgId, times)}>${span.row.taskId}</a>` },
  ].filter(Boolean);
  return html`<${Table} label=${t("lanes.table")} columns=${columns} rows=${byTime} keyOf=${({ span }) => span.key} openKey=${openKey}
    onRow=${({ span }) => onOpen(span)} />`;
}
