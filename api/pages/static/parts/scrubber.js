// The time scrubber: back through the morning, by step or played; as it is known now, or as it was
// shown then. Both times are in the address, so that a moment can be sent to somebody.

import { query, setQuery } from "../core/address.js";
import { now, second } from "../core/clock.js";
import { timesIn } from "../core/days.js";
import { html, useEffect, useSignal } from "../core/dom.js";
import { fromLocalField, HOUR, localField, MINUTE, Moment, moment, SECOND } from "../core/format.js";
import { t } from "../core/texts.js";

const SPANS = [1, 4, 12, 24]; // hours
const SPEEDS = [1, 5, 10, 30, 60];
const STEPS = [-10 * MINUTE, -MINUTE, -10 * SECOND, 10 * SECOND, MINUTE, 10 * MINUTE];

const LIVE = { at: null, knownAt: null, differing: null };

// The times that the address names: null while the floor is live.
export function timesOf(params) {
  const times = timesIn(params);
  return times && { ...times, isThen: times.knownAt === times.at };
}

// In the knowledge of today the moment of knowledge stays where it was when the scrubber was taken.
export function show(at, { isThen, knownAt }) {
  const end = now();
  if (at >= end) return setQuery(LIVE, { replace: false });
  const known = isThen ? at : Math.max(at, knownAt && knownAt > at ? knownAt : end);
  // From the first moment of the past the way back leads to what is live.
  const replace = timesOf(query.peek()) !== null;
  setQuery({ at: Math.floor(at), knownAt: Math.floor(known) }, { replace });
}

export function Scrubber({ isBusy }) {
  const times = timesOf(query.value);
  const hours = useSignal(4);
  const speed = useSignal(10);
  const isPlaying = useSignal(false);
  const latest = useSignal(null); // the knowledge of today, as the scrubber found it
  const end = times ? now() : second.value;
  const start = Math.min(end - hours.value * HOUR, times ? times.at : Infinity);
  const isThen = times?.isThen ?? false;
  const move = (at) => {
    if (latest.peek() === null) latest.value = times && !isThen ? times.knownAt : now();
    show(at, { isThen, knownAt: latest.peek() });
  };
  const live = () => {
    isPlaying.value = false;
    latest.value = null;
    setQuery(LIVE, { replace: false });
  };
  const choose = (then) => {
    const at = times?.at ?? now() - MINUTE;
    if (latest.peek() === null) latest.value = times && !isThen ? times.knownAt : now();
    show(at, { isThen: then, knownAt: latest.peek() });
  };

  useEffect(() => {
    if (!isPlaying.value || !times) return undefined;
    const timer = setInterval(() => isBusy() || move(times.at + speed.value * SECOND), SECOND);
    return () => clearInterval(timer);
  }, [isPlaying.value, times?.at, speed.value]);
  useEffect(() => {
    if (!times) isPlaying.value = false;
  }, [times === null]);

  return html`<section class="scrubber ${times ? "past" : ""}" aria-label=${t("scrub.title")}>
    <div class="line">
      <button type="button" class=${times ? "secondary" : ""} aria-pressed=${!times} onClick=${live}>${t("scrub.live")}</button>
      ${times && html`<strong class="at"><${Moment} time=${times.at} withDate /></strong>`}
      <input type="range" class="track" aria-label=${t("scrub.slider")} aria-valuetext=${times ? moment(times.at) : t("scrub.live")}
        min=${Math.floor(start / SECOND)} max=${Math.floor(end / SECOND)} step="1" value=${Math.floor((times?.at ?? end) / SECOND)}
        onInput=${(event) => move(Number(event.target.value) * SECOND)} />
      <select aria-label=${t("scrub.span")} onChange=${(event) => (hours.value = Number(event.target.value))}>
        ${SPANS.map((it) => html`<option key=${it} value=${it} selected=${it === hours.value}>${t("scrub.hours", { count: it })}</option>`)}
      </select>
    </div>
    ${times && html`<div class="line">
      <span class="steps" role="group" aria-label=${t("scrub.step")}>
        ${STEPS.map((step) => html`<button key=${step} type="button" class="secondary" onClick=${() => move(times.at + step)}>
          ${step < 0 ? "−" : "+"}${Math.abs(step) >= MINUTE ? t("scrub.minutes", { n: Math.abs(step) / MINUTE }) : t("scrub.seconds", { n: Math.abs(step) / SECOND })}
        </button>`)}
      </span>
      <span class="play" role="group" aria-label=${t("scrub.play")}>
        <button type="button" class="secondary" aria-pressed=${isPlaying.value} onClick=${() => (isPlaying.value = !isPlaying.value)}>
          ${isPlaying.value ? t("scrub.pause") : t("scrub.play")}</button>
        <select aria-label=${t("scrub.speed")} onChange=${(event) => (speed.value = Number(event.target.value))}>
          ${SPEEDS.map((it) => html`<option key=${it} value=${it} selected=${it === speed.value}>${it}×</option>`)}
        </select>
      </span>
      <input type="datetime-local" step="1" aria-label=${t("scrub.moment")} value=${localField(times.at)}
        onChange=${(event) => event.target.value && move(fromLocalField(event.target.value))} />
      <span class="knowledge" role="radiogroup" aria-label=${t("scrub.knowledge")}>
        ${[false, true].map((then) => html`<label key=${then}><input type="radio" name="knowledge" checked=${isThen === then} onChange=${() => choose(then)} />
          ${t(then ? "scrub.then" : "scrub.now")}</label>`)}
      </span>
    </div>`}
  </section>`;
}
