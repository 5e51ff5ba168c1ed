// The span of time of a page: a day, the last week, or from one moment to another, in a time zone.

import { query, setQuery } from "../core/address.js";
import { now, second } from "../core/clock.js";
import { html, useComputed } from "../core/dom.js";
import { ANY, DAYS, isSound, OWN } from "../core/spans.js";
import { t } from "../core/texts.js";
import { fieldIn, fromFieldIn, midnight, zoneNames } from "../core/zones.js";

// The beginning of the day in the zone that `zoneOf(query)` gives; who uses it is drawn anew when it changes.
export const useToday = (zoneOf) => useComputed(() => midnight(second.value, zoneOf(query.value))).value;

// `span` is that of `spanOf`; `mayBeAny` adds the choice of no span at all.
export function SpanPicker({ span, zone, mayBeAny = false, usual }) {
  const names = [...(mayBeAny ? [ANY] : []), ...Object.keys(DAYS), OWN];
  const choose = (name) =>
    name === OWN
      ? setQuery({ span: null, from: span.from ?? midnight(now(), zone), to: span.to ?? Math.floor(now()) })
      : setQuery({ span: name === usual ? null : name, from: null, to: null });
  return html`<span class="span">
    <select aria-label=${t("span.title")} onChange=${(event) => choose(event.target.value)}>
      ${names.map((name) => html`<option key=${name} value=${name} selected=${name === span.name}>${t(`span.${name}`)}</option>`)}
    </select>
    ${span.name === OWN && html`
      <${MomentField} name="from" label=${t("span.from")} time=${span.from} zone=${zone} />
      <${MomentField} name="to" label=${t("span.to")} time=${span.to} zone=${zone} />
      ${!isSound(span) && html`<span class="refused" role="alert">${t("span.reversed")}</span>`}`}
  </span>`;
}

// A moment of the address, read in the zone; empty is no moment.
export const MomentField = ({ name, label, time, zone, onChange = (value) => setQuery({ [name]: value }) }) =>
  html`<label class="moment">${label}
    <input type="datetime-local" name=${name} value=${time === null ? "" : fieldIn(time, zone)}
      onChange=${(event) => onChange(event.target.value ? fromFieldIn(event.target.value, zone) : null)} /></label>`;

export const ZonePicker = ({ zone, own }) =>
  html`<select class="zone" aria-label=${t("span.zone")}
    onChange=${(event) => setQuery({ tz: event.target.value === own ? null : event.target.value })}>
    ${[...new Set([own, zone, ...zoneNames()])].map((name) =>
      html`<option key=${name} value=${name} selected=${name === zone}>${name}</option>`)}
  </select>`;
