// The directory of names as a list to choose from. What a token may not see is not in it.

import { rows } from "./api.js";
import { useLoad } from "./load.js";

const NAMES_AT_MOST = 10_000;

export function useDirectory(kinds) {
  const load = useLoad(
    (signal) => rows("/api/v1/names", { kind: kinds }, { signal, atMost: NAMES_AT_MOST }),
    [kinds.join()],
  );
  return load.value?.data ?? [];
}

// The choices of a filter: what has a name, what rows have, and what is chosen already.
export function choicesOf(directory, kind, { rows: found = [], valuesOf = () => [], names = {}, chosen = [] }) {
  const texts = new Map();
  for (const row of directory) if (row.kind === kind) texts.set(row.id, row.name);
  for (const id of [...found.flatMap(valuesOf), ...chosen]) {
    if (id !== null && id !== undefined && !texts.has(id)) texts.set(id, names[kind]?.[id] ?? id);
  }
  return [...texts].map(([value, text]) => ({ value, text })).sort((a, b) => a.text.localeCompare(b.text));
}
