// The last hours in quarters: contacts that were offered, and the service level.

import { rows } from "../core/api.js";
import { now } from "../core/clock.js";
import { html, useEffect, useSignal } from "../core/dom.js";
import { HOUR, MINUTE } from "../core/format.js";
import { useLoad } from "../core/load.js";
import { t } from "../core/texts.js";
import { Sparkline } from "./chart.js";

const QUARTER = 15 * MINUTE;
const HOURS = 4;

// `to` is null for a floor that is live: then it is read again each minute.
export function Trend({ to, knownAt, filters }) {
  const minute = useSignal(minuteOf(now()));
  useEffect(() => {
    if (to !== null) return undefined;
    const timer = setInterval(() => (minute.value = minuteOf(now())), MINUTE / 4);
    return () => clearInterval(timer);
  }, [to]);
  const end = quarterOf(to ?? minute.value);
  const { orgId, teamId, queueId, channelType } = filters;
  const load = useLoad(
    (signal) => rows("/api/v1/reports/queues", {
      from: end - HOURS * HOUR, to: end, interval: "15m", at: to, knownAt, orgId, teamId, queueId, channelType,
    }, { signal }),
    [to ?? minute.value, knownAt, JSON.stringify([orgId, teamId, queueId, channelType])],
  );
  if (!load.value || load.value.isCut) return null;
  const periods = byPeriod(load.value.data, end);
  return html`<ul class="trends" aria-label=${t("trend.title", { hours: HOURS })}>
    <li><${Sparkline} points=${periods.map((it) => [it.time, it.offered])} label=${t("trend.offered-label", { values: periods.map((it) => it.offered).join(", ") })} />
      <span class="what">${t("trend.offered")}</span></li>
    <li><${Sparkline} points=${periods.map((it) => [it.time, it.level])} color="--free" label=${t("trend.level-label")} />
      <span class="what">${t("trend.level")}</span></li>
  </ul>`;
}

const minuteOf = (time) => Math.floor(time / MINUTE) * MINUTE;
// The quarter that still runs is left out: it would look like a fall.
const quarterOf = (time) => Math.floor(time / QUARTER) * QUARTER;

function byPeriod(rows, end) {
  const periods = new Map();
  for (let time = end - HOURS * HOUR; time < end; time += QUARTER) {
    periods.set(time, { time, offered: 0, inTime: 0, ended: 0 });
  }
  for (const row of rows) {
    const period = periods.get(row.from);
    if (!period) continue;
    period.offered += row.offered;
    period.inTime += row.answeredInTime;
    period.ended += row.answered + row.abandoned;
  }
  return [...periods.values()].map((it) => ({ ...it, level: it.ended ? it.inTime / it.ended : null }));
}
