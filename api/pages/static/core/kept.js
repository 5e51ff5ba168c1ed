// What a browser remembers of a page's choices, such as saved views. It is never data of the service.

import { effect, signal } from "./dom.js";

export function kept(key, fallback) {
  let first = fallback;
  try {
    first = JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    // What cannot be read is as if it were not there.
  }
  const value = signal(first);
  effect(() => localStorage.setItem(key, JSON.stringify(value.value)));
  return value;
}
