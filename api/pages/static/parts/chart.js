// A sparkline by uPlot.

import uPlot from "../vendor/uplot.js";
import { html, useEffect, useRef } from "../core/dom.js";
import { colorOf, theme } from "../core/theme.js";

// `points`: [[epoch ms, value or null]]; `label` is what a screen reader says of it.
export function Sparkline({ points, label, width = 180, height = 36, color = "--busy" }) {
  const element = useRef(null);
  useEffect(() => {
    const chart = new uPlot(
      {
        width,
        height,
        padding: [3, 2, 3, 2],
        cursor: { show: false },
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), Math.max(1, high)] } },
        series: [{}, { stroke: colorOf(color), width: 2, fill: colorOf(`${color}-ground`), points: { show: false } }],
      },
      [points.map(([time]) => time / 1000), points.map(([, value]) => value)],
      element.current,
    );
    return () => chart.destroy();
  }, [JSON.stringify(points), width, height, theme.value]);
  return html`<div class="sparkline" role="img" aria-label=${label} ref=${element}></div>`;
}
