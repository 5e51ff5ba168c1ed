// What a figure counts: its formula in words, its counts, and the same by queue.

import { get } from "../core/api.js";
import { href } from "../core/address.js";
import { html } from "../core/dom.js";
import { duration, Moment, number } from "../core/format.js";
import { useLoad } from "../core/load.js";
import { Named } from "../core/names.js";
import { t, word } from "../core/texts.js";
import { FIGURES } from "./tiles.js";
import { Panel } from "./panel.js";
import { Empty, Loaded } from "./states.js";

const COUNTS = {
  serviceLevel: ["answeredInTime", "answered", "abandoned", "shortAbandoned"],
  asaMs: ["answered"],
  ahtMs: ["handled"],
  abandonment: ["abandoned", "answered", "shortAbandoned"],
};

export function FigurePanel({ id, summary, span, times, filters, onClose }) {
  const figure = FIGURES.find((it) => it.id === id);
  const value = summary?.[id];
  return html`<${Panel} title=${t(`figure.${id}`)} onClose=${onClose}>
    <p class="big">${figure.show(value?.value ?? null)}</p>
    <p>${t(`formula.${id}`)}</p>
    <dl>
      <dt>${t("floor.window")}</dt><dd><${Moment} time=${span.from} /> – <${Moment} time=${span.to} /></dd>
      ${value && html`<dt>${t("figure.count")}</dt><dd>${number(value.count)}</dd>`}
      ${value?.doubtful > 0 && html`<dt>${t("figure.doubtful")}</dt>
        <dd>${id === "occupancy" ? duration(value.doubtful) : number(value.doubtful)}</dd>`}
      ${(COUNTS[id] ?? []).map((it) => html`<dt key=${it}>${t(`count.${it}`)}</dt><dd>${number(summary?.counts[it])}</dd>`)}
      ${value && html`<dt>${t("figure.settled")}</dt><dd>${value.settled ? t("settled.yes") : t("settled.no")}</dd>`}
    </dl>
    ${id === "occupancy" ? null : html`<${ByQueue} id=${id} show=${figure.show} span=${span} times=${times} filters=${filters} />`}
    <p><a href=${href("/reports", { ...span, knownAt: times.knownAt, teamId: filters.teamId, queueId: filters.queueId, channelType: filters.channelType })}>${t("floor.to-reports")}</a></p>
  <//>`;
}

function ByQueue({ id, show, span, times, filters }) {
  const load = useLoad(
    (signal) =>
      get("/api/v1/reports/queues", {
        ...span, ...times, interval: Math.max(1000, span.to - span.from), names: true, limit: 1000,
        orgId: filters.orgId, teamId: filters.teamId, queueId: filters.queueId, channelType: filters.channelType,
      }, { signal }),
    [id, span.from, span.to, times.knownAt, JSON.stringify(filters)],
  );
  return html`<h3>${t("figure.by-queue")}</h3>
    <${Loaded} load=${load}>${(answer) => answer.data.length === 0
      ? html`<${Empty} title=${t("figure.nothing")} />`
      : html`<table><thead><tr><th>${t("column.queue")}</th><th>${t("column.channel")}</th>
            <th class="number">${t(`figure.${id}`)}</th><th class="number">${t("count.answered")}</th>
            <th class="number">${t("count.abandoned")}</th></tr></thead>
          <tbody>${answer.data.map((row) => html`<tr>
            <th scope="row"><${Named} names=${answer.names} kind="queue" id=${row.queueId} /></th>
            <td>${word("channel", row.channelType ?? t("channel.none"))}</td>
            <td class="number">${show(row[id]?.value ?? row[id] ?? null)}</td>
            <td class="number">${number(row.answered)}</td><td class="number">${number(row.abandoned)}</td>
          </tr>`)}</tbody></table>`}<//>`;
}

