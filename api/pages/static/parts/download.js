// Downloads of what a page shows, as CSV and NDJSON. A file is saved when all of it has come; one that
// broke off is told and not saved. Where the service has a digest of the same rows, it is compared.

import { Broken, digestOf, FORMATS, read, save } from "../core/download.js";
import { html, useEffect, useRef, useSignal } from "../core/dom.js";
import { number } from "../core/format.js";
import { t } from "../core/texts.js";

// `to` and `params` as the list is asked for, without names and limit; `name` begins the file's name;
// `digest` is the route of the digest. `options`: [{name, text}] are more parameters to switch on.
export function Download({ to, params, name, digest = null, canHaveNames = true, options = [] }) {
  const state = useSignal({ kind: "none" });
  const withNames = useSignal(canHaveNames && !digest);
  const more = useSignal([]);
  const current = useRef(null);
  useEffect(() => () => current.current?.abort(), []);

  async function start(format) {
    current.current?.abort();
    const abort = (current.current = new AbortController());
    const asked = { ...params, ...Object.fromEntries(more.value.map((it) => [it, true])) };
    const isChecked = digest && !withNames.value;
    const set = (value) => abort.signal.aborted || (state.value = value);
    set({ kind: "running", bytes: 0 });
    try {
      const file = await read(to, { ...asked, names: withNames.value ? true : null }, format, {
        signal: abort.signal, onBytes: (bytes) => set({ kind: "running", bytes }),
      });
      if (isChecked) {
        set({ kind: "checking", bytes: file.bytes });
        const told = await digestOf(digest, asked, format, file.position, { signal: abort.signal });
        if (told.count !== file.rows || (file.sha256 !== null && told.sha256 !== file.sha256)) throw new Broken();
      }
      if (abort.signal.aborted) return;
      save(file.blob, `${[name, file.position].join("_").replace(/[^\p{L}\p{N}._-]+/gu, "-")}.${format}`);
      set({ kind: "done", file, isChecked: isChecked && file.sha256 !== null });
    } catch (error) {
      set({ kind: error instanceof Broken ? "broken" : "refused", error });
    }
  }

  const toggle = (option) => (event) =>
    (more.value = event.target.checked ? [...more.value, option] : more.value.filter((it) => it !== option));
  const busy = ["running", "checking"].includes(state.value.kind);
  return html`<div class="download">
    <span class="line">${t("download.title")}
      ${Object.keys(FORMATS).map((format) => html`<button key=${format} type="button" class="secondary" disabled=${busy}
        aria-label=${t("download.as", { format: format.toUpperCase() })} onClick=${() => start(format)}>
        ${format.toUpperCase()}</button>`)}
      ${canHaveNames && html`<label><input type="checkbox" checked=${withNames.value}
        onChange=${(event) => (withNames.value = event.target.checked)} />${t("download.names")}</label>`}
      ${options.map((it) => html`<label key=${it.name}><input type="checkbox" checked=${more.value.includes(it.name)}
        onChange=${toggle(it.name)} />${it.text}</label>`)}
    </span>
    <div class="told" role="status"><${Told} state=${state.value} digest=${digest} /></div>
  </div>`;
}

function Told({ state, digest }) {
  const { kind, bytes, file, isChecked, error } = state;
  if (kind === "none") return null;
  if (kind === "running" || kind === "checking") return t(`download.${kind}`, { size: size(bytes) });
  if (kind === "broken") return html`<strong class="refused">${t("download.broken")}</strong>`;
  if (kind === "refused") {
    return html`<strong class="refused">${t("download.refused")} ${error.message || t("state.offline")}</strong>`;
  }
  const [rows, position] = [file.rows, file.position].map(number);
  return html`${t("download.done", { count: file.rows, rows, size: size(file.bytes), position })}
    ${file.sha256 && html`<br />SHA-256 <code class="digest">${file.sha256}</code>`}
    ${digest && html`<br />${t(isChecked ? "download.checked" : "download.unchecked")}`}`;
}

const size = (bytes) => (bytes < 1e6 ? `${number(Math.ceil(bytes / 1e3))} kB` : `${number(Math.round(bytes / 1e5) / 10)} MB`);
