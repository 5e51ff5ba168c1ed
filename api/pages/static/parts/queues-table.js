// The tasks that wait, by queue: how many, and how long the first of them.

import { html } from "../core/dom.js";
import { number, Since } from "../core/format.js";
import { Named, taskHref } from "../core/names.js";
import { t, word } from "../core/texts.js";
import { Empty } from "./states.js";

export const QueuesTable = ({ queues, names, now, levelOf, params }) =>
  queues.length === 0
    ? html`<${Empty} title=${t("floor.nobody-waits")} />`
    : html`<div class="scroller" role="region" tabindex="0" aria-label=${t("floor.queues")}><table>
        <thead><tr><th scope="col">${t("column.queue")}</th><th scope="col">${t("column.channel")}</th>
          <th scope="col" class="number">${t("column.waiting")}</th><th scope="col" class="number">${t("column.longest")}</th></tr></thead>
        <tbody>${queues.map((queue) => html`<tr key=${queue.key} class=${levelOf(queue) ?? ""}>
          <th scope="row"><${Named} names=${names} kind="queue" id=${queue.queueId} /></th>
          <td>${word("channel", queue.channelType ?? t("channel.none"))}</td>
          <td class="number">${number(queue.waiting)}</td>
          <td class="number"><a href=${`${taskHref(queue.taskId, queue.orgId)}${params}`}><${Since} time=${queue.since} now=${now} /></a></td>
        </tr>`)}</tbody></table></div>`;
