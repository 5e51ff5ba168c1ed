// Reads for a page: what is loading, what came, and what went wrong, as one signal.

import { useEffect, useRef, useSignal } from "./dom.js";

// Calls `read(abortSignal)` whenever one of `inputs` changes; the last call's answer counts. What was
// shown stays while the next answer is on its way. Returns {value, error, loading, reload}.
export function useLoad(read, inputs) {
  const state = useSignal({ value: null, of: null, error: null, loading: true });
  const asked = JSON.stringify(inputs);
  const current = useRef(null);
  const reload = () => {
    current.current?.abort();
    const abort = (current.current = new AbortController());
    state.value = { ...state.peek(), loading: true };
    read(abort.signal).then(
      (value) => abort.signal.aborted || (state.value = { value, of: asked, error: null, loading: false }),
      (error) => {
        if (abort.signal.aborted) return;
        // What was read of something else does not stand for what could not be read.
        const { value, of } = state.peek();
        state.value = { value: of === asked ? value : null, of, error, loading: false };
      },
    );
  };
  useEffect(() => {
    reload();
    return () => current.current?.abort();
  }, inputs);
  return { ...state.value, reload };
}

// Calls a read now and again, whether or not it succeeds: the next one may.
export function repeated(read, every) {
  let timer = 0;
  let ended = false;
  async function go() {
    await read().catch(() => {});
    if (!ended) timer = setTimeout(go, every);
  }
  go();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
