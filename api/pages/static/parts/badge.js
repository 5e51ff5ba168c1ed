// How fresh the data is. Old data never looks live: the badge says since when, and why.

import { query } from "../core/address.js";
import { now, second } from "../core/clock.js";
import { timesIn } from "../core/days.js";
import { html, useEffect } from "../core/dom.js";
import { duration, Moment, moment, number } from "../core/format.js";
import { connection, followers } from "../core/live.js";
import { lagOf, serviceStatus, watchStatus } from "../core/service-status.js";
import { t } from "../core/texts.js";

// The state of the data: {kind, text}. The worst counts.
export function freshness() {
  second.value;
  const { value, error } = serviceStatus.value;
  const link = connection.value;
  if (link.state === "lost") {
    return { kind: "lost", text: t("fresh.lost", { since: moment(link.since) }) };
  }
  if (error) return { kind: "lost", text: t("fresh.no-answer") };
  const isAwaited = link.state === "connecting" && followers.value > 0;
  if (!value || isAwaited) return { kind: "waiting", text: t("fresh.connecting") };
  const [projection] = value.projections;
  const lag = lagOf(value);
  if (lag > 0) {
    const values = { count: projection.lagEvents, events: number(projection.lagEvents) };
    return { kind: "behind", text: t("fresh.behind", { ...values, lag: duration(lag) }) };
  }
  if (value.head.position === 0) return { kind: "waiting", text: t("fresh.no-events") };
  const silent = value.subscriptions.filter((it) => ["no-data", "never"].includes(it.state));
  if (silent.length) {
    const since = Math.max(...silent.map((it) => it.lastHeardTime ?? 0));
    return {
      kind: "silent",
      text: since ? t("fresh.silent", { since: moment(since) }) : t("fresh.never"),
    };
  }
  // A page that follows nothing shows what it has read.
  return { kind: "live", text: t(link.state === "live" ? "fresh.live" : "fresh.current") };
}

export function Badge() {
  useEffect(watchStatus, []);
  if (timesIn(query.value) !== null) return html`<p class="badge past">${t("fresh.past")}</p>`;
  const { kind, text } = freshness();
  const value = serviceStatus.value.value;
  return html`<details class="badge ${kind}">
    <summary><span class="dot" aria-hidden="true"></span><span role="status">${text}</span></summary>
    <div class="menu">
      ${value && html`<dl>
        <dt>${t("fresh.head")}</dt><dd>${number(value.head.position)}</dd>
        <dt>${t("fresh.recorded")}</dt><dd><${Moment} time=${value.head.recordedTime} /></dd>
        ${value.subscriptions.map((it) => html`<dt key=${it.id}><bdi>${it.id}</bdi></dt>
          <dd>${t(`heard.${it.state}`)}${it.lastHeardTime ? html`, ${duration(now() - it.lastHeardTime)}` : ""}</dd>`)}
        ${value.reconciledUpTo !== undefined && html`<dt>${t("fresh.reconciled")}</dt>
          <dd>${value.reconciledUpTo ? html`<${Moment} time=${value.reconciledUpTo} />` : t("fresh.not-reconciled")}</dd>`}
      </dl>`}
    </div>
  </details>`;
}
