// What lanes and their spans are called, in short and in full.

import { duration, moment } from "../core/format.js";
import { nameOf } from "../core/names.js";
import { t, word } from "../core/texts.js";

// Spans whose word is that of their status.
export const OF_STATUS = new Set(["status", "leg", "channel", "stretch"]);

export const reasonOf = (row, names) => row.idleCodeName ?? names.idleCode?.[row.idleCodeId] ?? row.idleCodeId;

// {title(lane), word(span), text(span)}
export function wordsOf(names) {
  const wordOf = (span) => {
    const { row } = span;
    if (span.kind === "anomaly") return word("anomaly", row.kind);
    if (span.kind === "correction") return `${statuses(row.before)} → ${statuses(row.after)}`;
    if (span.kind === "late") return row.type;
    if (span.kind === "capture") return row.filePath?.split("/").at(-1) ?? t("lane.capture");
    if (["wait", "offer"].includes(span.kind)) return row.outcome ? word("outcome", row.outcome) : t("span.goes-on");
    if (span.kind === "contact") return row.agents.map((it) => nameOf(names, "agent", it.agentId)).join(", ") || t("lane.contact");
    if (!OF_STATUS.has(span.kind)) return t(`lane.${span.kind}`);
    const code = span.status === "idle" || span.kind === "channel" ? reasonOf(row, names) : null;
    return [word("status", span.status), code].filter(Boolean).join(", ");
  };
  const titleOf = (lane) => {
    const name = lane.kind === "participant" ? nameOf(names, "agent", lane.of)
      : lane.kind === "leg" || lane.kind === "channel" ? word("channel", lane.of ?? t("channel.none")) : null;
    const title = name === null ? t(`lane.${lane.kind}`) : lane.kind === "participant" ? name : t(`lane.${lane.kind}-of`, { name });
    return lane.number ? `${title} ${lane.number}` : title;
  };
  const textOf = (span) => {
    const from = span.from === null ? t("span.begin-unknown") : moment(span.from);
    const when = span.to === span.from ? from : `${from} – ${span.to === null ? t("span.goes-on") : moment(span.to)}`;
    const length = span.to !== null && span.from !== null && span.to !== span.from ? duration(span.to - span.from) : null;
    return [wordOf(span), when, length].filter(Boolean).join(", ");
  };
  return { word: wordOf, title: titleOf, text: textOf };
}

const statuses = (intervals) => intervals.map((it) => word("status", it.status)).join(", ") || t("corrections.nothing");
