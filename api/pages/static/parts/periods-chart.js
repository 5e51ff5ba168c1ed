// A figure over the periods of a report, with axes: the times are those of a chosen zone.

import uPlot from "../vendor/uplot.js";
import { html, useEffect, useRef } from "../core/dom.js";
import { DAY, SECOND } from "../core/format.js";
import { language, t } from "../core/texts.js";
import { colorOf, theme } from "../core/theme.js";
import { clockIn, dateIn, momentIn } from "../core/zones.js";

const HEIGHT = 220;
const AXIS_WIDTH = 76;

// The date stands below the first tick and where a day begins.
function ticks(splits, step, zone) {
  return splits.map((seconds, index) => {
    const [clock, date] = [clockIn(seconds * SECOND, zone), dateIn(seconds * SECOND, zone)];
    if (step * SECOND >= DAY) return date;
    return index === 0 || dateIn(splits[index - 1] * SECOND, zone) !== date ? `${clock}\n${date}` : clock;
  });
}

// `points`: [[epoch ms, value or null]]; `show` formats a value; `label` is what a screen reader says.
export function PeriodsChart({ points, show, zone, title, label }) {
  const element = useRef(null);
  useEffect(() => {
    const box = element.current;
    const grid = { stroke: colorOf("--line"), width: 1 };
    const axis = { stroke: colorOf("--soft"), grid, ticks: grid };
    const chart = new uPlot(
      {
        width: box.clientWidth, height: HEIGHT,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
        cursor: { drag: { x: false, y: false } },
        axes: [
          { ...axis, values: (_, splits, __, ___, step) => ticks(splits, step, zone) },
          { ...axis, size: AXIS_WIDTH, values: (_, splits) => splits.map(show) },
        ],
        scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.05 : 1] } },
        series: [
          { label: t("reports.period"), value: (_, value) => momentIn(value === null ? null : value * SECOND, zone) },
          { label: title, stroke: colorOf("--busy"), width: 2, fill: colorOf("--busy-ground"),
            points: { show: true, size: 5 }, value: (_, value) => show(value) },
        ],
      },
      [points.map(([time]) => time / 1000), points.map(([, value]) => value)],
      box,
    );
    const fit = new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: HEIGHT }));
    fit.observe(box);
    return () => {
      fit.disconnect();
      chart.destroy();
    };
  }, [JSON.stringify(points), zone, title, theme.value, language.value]);
  return html`<div class="plot" role="img" aria-label=${label} ref=${element}></div>`;
}
