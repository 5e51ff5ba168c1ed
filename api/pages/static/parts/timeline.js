// The timeline of an agent or a task: its lanes, the same spans as a table, and its events.

import { setQuery } from "../core/address.js";
import { dayName } from "../core/days.js";
import { html, useMemo, useSignal } from "../core/dom.js";
import { Moment, number } from "../core/format.js";
import { ledgerLanes, place } from "../core/lane-layout.js";
import { t } from "../core/texts.js";
import { Events } from "./events-table.js";
import { Lanes, ZoomBar } from "./lanes.js";
import { EventBody, Panel } from "./panel.js";
import { SpanPanel } from "./span-panel.js";
import { wordsOf } from "./span-words.js";
import { SpansTable } from "./spans-table.js";
import { Empty } from "./states.js";

const ALWAYS_SHOWN = new Set(["session", "status"]);

const zoomTo = ({ from, to }) => setQuery({ from, to }, { replace: false });
const zoomOut = () => setQuery({ from: null, to: null }, { replace: false });

// `subject`: {kind, id, orgId}; `lanes`: of core/lane-layout.js; `log`: the load of core/subject-log.js;
// `scene`: {shown, isZoomed, now, names, times}. `children` stand beside the tables.
export function Timeline({ subject, lanes, log, scene, whole, lookedFrom, lookedTo, children }) {
  const { shown, isZoomed, now, times } = scene;
  const panel = useSignal(null);
  const found = log.value;
  const names = useMemo(() => merged(scene.names, found?.names), [scene.names, found]);
  const all = useMemo(() => [...lanes, ...(found ? ledgerLanes(found) : [])], [lanes, found]);
  const inSight = useMemo(
    () => all.map((lane) => ({ ...lane, spans: lane.spans.filter((it) => place(it, shown, now)) }))
      .filter((lane) => lane.spans.length > 0 || ALWAYS_SHOWN.has(lane.kind)),
    [all, shown.from, shown.to],
  );
  const spans = useMemo(() => inSight.flatMap((lane) => lane.spans.map((span) => ({ lane, span }))), [inSight]);
  // Times of the day at which the shown span begins need no date.
  const when = (time) => html`<${Moment} time=${time} withDate=${dayName(time) !== dayName(shown.from)} />`;
  const words = wordsOf(names);
  const open = (span) => (panel.value = { span });
  const onClose = () => (panel.value = null);
  return html`
    <${ZoomBar} shown=${shown} isZoomed=${isZoomed} onZoom=${zoomTo} onWhole=${zoomOut} whole=${whole} />
    <${Lanes} label=${t("lanes.title")} lanes=${inSight} shown=${shown} now=${now} bands=${found?.anomalies ?? []}
      titleOf=${words.title} wordOf=${words.word} textOf=${words.text} onOpen=${open} onZoom=${zoomTo} openKey=${panel.value?.span?.key} />
    ${spans.length === 0 && html`<${Empty} title=${t("lanes.nothing")} />`}
    ${lookedFrom != null && lookedFrom > shown.from && html`<p class="note-line">${t("lanes.looked-from")} <${Moment} time=${lookedFrom} /></p>`}
    ${lookedTo != null && html`<p class="note-line">${t("lanes.looked-to")} <${Moment} time=${lookedTo} /></p>`}
    ${times?.knownAt && found?.anomalies.length > 0 && html`<p class="note-line">${t("lanes.anomalies-now")}</p>`}
    <div class="split">
      <aside class="shown">${children}</aside>
      <div class="lists">
        <section aria-labelledby="spans">
          <h2 id="spans">${t("lanes.table")} <span class="total">${number(spans.length)}</span></h2>
          <${SpansTable} ...${{ spans, names, words, subject, times, now, when }} onOpen=${open} openKey=${panel.value?.span?.key} />
        </section>
        <${Events} log=${log} shown=${shown} isZoomed=${isZoomed} names=${names} subject=${subject} times=${times}
          onOpen=${(event) => (panel.value = { event })} openKey=${panel.value?.event?.position} />
      </div>
    </div>
    ${panel.value?.span && html`<${SpanPanel} span=${panel.value.span} ...${{ subject, names, times, now, onClose }} wordOf=${words.word} />`}
    ${panel.value?.event && html`<${Panel} title=${panel.value.event.type} onClose=${onClose}>
      <${EventBody} position=${panel.value.event.position} /><//>`}`;
}

function merged(...maps) {
  const all = {};
  for (const map of maps) {
    for (const [kind, byId] of Object.entries(map ?? {})) all[kind] = { ...all[kind], ...byId };
  }
  return all;
}
