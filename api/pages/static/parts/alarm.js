// How many rows are amber and red, and a sound when a red one comes, where it is wanted.

import { setQuery } from "../core/address.js";
import { html, useEffect, useRef } from "../core/dom.js";
import { number } from "../core/format.js";
import { kept } from "../core/kept.js";
import { t } from "../core/texts.js";

const sound = kept("sound", false);
const TONE_HZ = 660;
const TONE_SECONDS = 0.25;

export function Alarm({ levels, isLive }) {
  const red = levels.filter((it) => it === "red").length;
  const amber = levels.filter((it) => it === "amber").length;
  const before = useRef(red);
  useEffect(() => {
    if (isLive && sound.value && red > before.current) beep();
    before.current = red;
  }, [red]);
  const first = () => setQuery({ sort: null });
  return html`<span class="alarm">
    <button type="button" class="level red" title=${t("alarm.hint")} onClick=${first}>${t("alarm.red", { count: red, n: number(red) })}</button>
    <button type="button" class="level amber" title=${t("alarm.hint")} onClick=${first}>${t("alarm.amber", { count: amber, n: number(amber) })}</button>
    <label><input type="checkbox" role="switch" checked=${sound.value} onChange=${(event) => (sound.value = event.target.checked)} />${t("alarm.sound")}</label>
  </span>`;
}

function beep() {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: TONE_HZ });
  const gain = new GainNode(context, { gain: 0.1 });
  oscillator.connect(gain).connect(context.destination);
  oscillator.start();
  oscillator.stop(context.currentTime + TONE_SECONDS);
  oscillator.addEventListener("ended", () => context.close());
}
