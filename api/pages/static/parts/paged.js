// A list of the API by cursor: some pages at once, the next ones on request, with a count of what is
// there. So nothing looks whole that is not.

import { get, mergeNames } from "../core/api.js";
import { html, useEffect, useRef, useSignal } from "../core/dom.js";
import { number } from "../core/format.js";
import { t } from "../core/texts.js";
import { Failure, Loading } from "./states.js";

const PAGE_ROWS = 200;
const REQUESTS_AT_MOST = 20; // together: a filter of the past may leave pages nearly empty

// Reads up to `step` rows, and as many more with each `more()`. A null `to` asks for nothing.
// Returns {rows, names, meta, isWhole, error, loading, more, reload}; `rows` is null until some came.
export function usePaged(to, params, { step = PAGE_ROWS } = {}) {
  const state = useSignal({ rows: null, names: {}, meta: null, cursor: null, error: null, loading: to !== null });
  const current = useRef(null);
  const key = JSON.stringify([to, params]);

  async function read(before) {
    current.current?.abort();
    const abort = (current.current = new AbortController());
    state.value = { ...state.peek(), loading: true, error: null };
    let { rows, cursor, meta } = before;
    const names = mergeNames({}, before.names);
    const wanted = rows.length + step;
    try {
      for (let count = 0; count === 0 || (cursor && rows.length < wanted && count < REQUESTS_AT_MOST); count += 1) {
        const limit = Math.min(1000, wanted - rows.length);
        const answer = await get(to, { ...params, limit, cursor }, { signal: abort.signal });
        rows = [...rows, ...answer.data];
        mergeNames(names, answer.names);
        ({ meta } = answer);
        cursor = meta.nextCursor;
        state.value = { rows, names: { ...names }, meta, cursor, error: null, loading: true };
      }
      state.value = { ...state.peek(), loading: false };
    } catch (error) {
      if (!abort.signal.aborted) state.value = { ...state.peek(), error, loading: false };
    }
  }

  const first = () => read({ rows: [], names: {}, cursor: null, meta: null });
  useEffect(() => {
    if (to === null) return undefined;
    first();
    return () => current.current.abort();
  }, [key]);
  const value = state.value;
  return {
    ...value, isWhole: value.rows !== null && !value.cursor && !value.loading,
    more: () => read(value), reload: value.error && value.rows?.length ? () => read(value) : first,
  };
}

// What stands around the rows: loading, failure, and below them how many there are and the way to more.
export function Paged({ list, children, what }) {
  if (list.rows === null) {
    return list.error ? html`<${Failure} error=${list.error} retry=${list.reload} />` : html`<${Loading} what=${what} />`;
  }
  return html`<div class="loaded" aria-busy=${list.loading}>
    ${children(list.rows)}
    ${list.error && html`<${Failure} error=${list.error} retry=${list.reload} />`}
    <p class="more"><span role="status">${counted(list)}</span>
      ${list.cursor && html`<button type="button" class="secondary" aria-busy=${list.loading} disabled=${list.loading}
        onClick=${list.more}>${t("paged.more")}</button>`}</p>
  </div>`;
}

const counted = ({ rows, cursor }) =>
  t(cursor ? "paged.so-far" : "paged.all", { count: rows.length, n: number(rows.length) });
