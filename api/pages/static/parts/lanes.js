// Lanes of time under one axis: every span is a button that opens what is behind it. Dragging over the
// lanes chooses a span of time. Positions are shares of the width, so that resizing costs nothing.

import { html, useEffect, useMemo, useRef, useSignal } from "../core/dom.js";
import { clock, fromLocalField, localField, MINUTE, utc } from "../core/format.js";
import { moved, zoomed } from "../core/days.js";
import { place, ticks } from "../core/lane-layout.js";
import { Shape, tone } from "../core/status.js";
import { language, t } from "../core/texts.js";

const TICK_PX = 76; // an axis label and its margin
const THIN_PX = 7; // less has no room for its shape
const HAIR_PX = 3; // less is drawn as wide as this, and over its neighbours
const DRAG_PX = 5; // less is a click
const STEPS_OF_NOW = 2_000; // what goes on is drawn longer so often within the width

// `lanes` as core/lane-layout.js makes them; `shown`: {from, to}; `bands`: spans that are marked across all
// lanes. `titleOf(lane)`, `wordOf(span)` and `textOf(span)` say what they are; `onZoom({from, to})`.
export function Lanes({ label, lanes, shown, now, bands = [], titleOf, wordOf, textOf, onOpen, onZoom, openKey }) {
  const element = useRef(null);
  const width = useWidth(element);
  const focused = useSignal({ lane: -1, index: 0 });
  const drag = useDrag(element, shown, onZoom);
  const step = Math.max(1, Math.floor((shown.to - shown.from) / STEPS_OF_NOW));
  const until = Math.min(shown.to, Math.floor(now / step) * step);
  const placed = useMemo(
    () => lanes.map((lane) => ({ lane, spans: within(lane.spans, shown, until, width) })),
    [lanes, shown.from, shown.to, until, width],
  );
  const lines = useMemo(
    () => placed.map(({ lane, spans }, at) => html`<${Line} key=${lane.key} at=${at} title=${titleOf(lane)} kind=${lane.kind}
      spans=${spans} wordOf=${wordOf} textOf=${textOf} onOpen=${onOpen} openKey=${openKey}
      tabbable=${focused.value.lane === at ? Math.min(focused.value.index, spans.length - 1) : 0} />`),
    [placed, openKey, focused.value, language.value],
  );

  function onKeyDown(event) {
    const { lane, index } = event.target.dataset;
    const to = index === undefined ? null : neighbour(placed, Number(lane), Number(index), event.key);
    if (!to) return;
    event.preventDefault();
    focused.value = to;
    element.current.querySelector(`[data-lane="${to.lane}"][data-index="${to.index}"]`)?.focus();
  }

  return html`<section class="lanes ${drag.selection ? "choosing" : ""}" aria-label=${label} ref=${element}
      onKeyDown=${onKeyDown} ...${drag.handlers}>
    <${Axis} shown=${shown} most=${Math.max(2, Math.floor(width / TICK_PX))} />
    ${lines}
    <${Overlay} shown=${shown} now=${now} bands=${bands} selection=${drag.selection} />
  </section>`;
}

function within(spans, shown, now, width) {
  return spans.flatMap((span) => {
    const at = place(span, shown, now);
    return at ? [{ span, at, look: at.isMoment ? "moment" : lookOf(at.width * width) }] : [];
  });
}

const lookOf = (px) => (px < HAIR_PX ? "thin hair" : px < THIN_PX ? "thin" : "");

function Line({ at, title, kind, spans, wordOf, textOf, onOpen, openKey, tabbable }) {
  return html`<div class="lane lane-${kind}">
    <div class="label" title=${title}>${title}</div>
    <div class="track" role="toolbar" aria-label=${title}>
      ${spans.map(({ span, look, at: { left, width, isMoment, isCut } }, index) => {
        const text = textOf(span);
        return html`<button key=${span.key} type="button" data-lane=${at} data-index=${index} tabindex=${index === tabbable ? 0 : -1}
          class="span ${tone(span.status)} span-${span.kind} ${look} ${isCut && `cut-${isCut}`}
            ${span.to === null ? "open" : ""} ${span.isFirst ? "first" : ""} ${span.key === openKey ? "chosen" : ""}"
          style=${{ left: share(left), width: isMoment ? undefined : share(width) }} title=${text} aria-label=${text}
          onClick=${() => onOpen(span)}>${look === "" && html`<${Shape} status=${span.status} /><bdi>${wordOf(span)}</bdi>`}</button>`;
      })}
    </div>
  </div>`;
}

const share = (part) => `${(part * 100).toFixed(4)}%`;

function Axis({ shown, most }) {
  const { step, times } = useMemo(() => ticks(shown, most), [shown.from, shown.to, most, language.value]);
  return html`<div class="axis" aria-hidden="true">
    <div class="label"></div>
    <div class="track">${times.map((time) => html`<time key=${time} class="tick" title=${utc(time)}
      style=${{ left: share((time - shown.from) / (shown.to - shown.from)) }}>${clock(time, { seconds: step < MINUTE })}</time>`)}</div>
  </div>`;
}

function Overlay({ shown, now, bands, selection }) {
  const isNow = now >= shown.from && now < shown.to;
  return html`<div class="overlay" aria-hidden="true">
    ${bands.map((band, index) => {
      const at = place(band, shown, now);
      return at && html`<div key=${index} class="band" style=${{ left: share(at.left), width: share(at.width) }}></div>`;
    })}
    ${isNow && html`<div class="now" style=${{ left: share((now - shown.from) / (shown.to - shown.from)) }}></div>`}
    ${selection && html`<div class="selection" style=${{ left: share(selection.left), width: share(selection.right - selection.left) }}></div>`}
  </div>`;
}

// Where an arrow key leads: within the lane, or to what is nearest in the lane above or below.
function neighbour(placed, lane, index, key) {
  const { spans } = placed[lane];
  const along = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: spans.length - 1 }[key];
  if (along !== undefined) return along in spans ? { lane, index: along } : null;
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!step || !spans[index]) return null;
  for (let other = lane + step; other in placed; other += step) {
    const distances = placed[other].spans.map((it) => Math.abs(it.at.left - spans[index].at.left));
    if (distances.length) return { lane: other, index: distances.indexOf(Math.min(...distances)) };
  }
  return null;
}

function useWidth(element) {
  const width = useSignal(1_000);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const found = element.current?.querySelector(".axis .track")?.clientWidth;
      if (found) width.value = found;
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return width.value;
}

// Choosing a span of time with the pointer; Escape leaves it as it was.
function useDrag(element, shown, onZoom) {
  const selection = useSignal(null);
  const start = useRef(null);
  const wasDrag = useRef(false);
  const shareAt = (x) => {
    const track = element.current.querySelector(".axis .track").getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - track.left) / track.width));
  };
  const end = () => {
    start.current = null;
    selection.value = null;
  };
  useEffect(() => {
    const cancel = (event) => event.key === "Escape" && end();
    addEventListener("keydown", cancel);
    return () => removeEventListener("keydown", cancel);
  }, []);
  const handlers = {
    onPointerDown(event) {
      wasDrag.current = false;
      if (event.button === 0 && event.target.closest(".track")) start.current = { x: event.clientX, id: event.pointerId };
    },
    onPointerMove(event) {
      if (start.current?.id !== event.pointerId) return;
      const { x } = start.current;
      if (!selection.peek() && Math.abs(event.clientX - x) < DRAG_PX) return;
      element.current.setPointerCapture(event.pointerId);
      wasDrag.current = true;
      const [left, right] = [shareAt(x), shareAt(event.clientX)].sort((a, b) => a - b);
      selection.value = { left, right };
    },
    onPointerUp() {
      const chosen = selection.peek();
      end();
      if (!chosen) return;
      const at = (part) => shown.from + part * (shown.to - shown.from);
      onZoom({ from: Math.floor(at(chosen.left)), to: Math.ceil(at(chosen.right)) });
    },
    onPointerCancel: end,
    // The click that ends a drag opens nothing.
    onClickCapture(event) {
      if (wasDrag.current) event.stopPropagation();
      wasDrag.current = false;
    },
  };
  return { selection: selection.value, handlers };
}

// The shown span of time as fields and buttons: what dragging does, and back.
export function ZoomBar({ shown, isZoomed, onZoom, onWhole, whole }) {
  const change = (name) => (event) => {
    const time = event.target.value ? fromLocalField(event.target.value) : NaN;
    const next = { ...shown, [name]: time };
    if (next.from < next.to) onZoom(next);
    else event.target.value = localField(shown[name]);
  };
  const step = (name, sign, next) => html`<button type="button" class="secondary" title=${t(`lanes.${name}`)}
    aria-label=${t(`lanes.${name}`)} onClick=${() => onZoom(next)}>${sign}</button>`;
  return html`<div class="bar zoom">
    ${["from", "to"].map((name) => html`<label key=${name}>${t(`lanes.${name}`)}
      <input type="datetime-local" step="1" value=${localField(shown[name])} onChange=${change(name)} /></label>`)}
    <span class="steps">
      ${step("earlier", "←", moved(shown, -0.5))}
      ${step("later", "→", moved(shown, 0.5))}
      ${step("in", "+", zoomed(shown, 0.5))}
      ${step("out", "−", zoomed(shown, 2))}
      ${isZoomed && html`<button type="button" class="secondary" onClick=${onWhole}>${whole}</button>`}
    </span>
    <small>${t("lanes.hint")}</small>
  </div>`;
}
