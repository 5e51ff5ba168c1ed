// What every part of the page draws with: the vendored libraries, named in one place.

import { h, render, Fragment } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { h, render, Fragment };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-hooks.js";
export { batch, computed, effect, signal, useComputed, useSignal } from "../vendor/signals.js";

// `htm` keeps what a template without values makes, and gives the same node each time. A node that
// is used twice keeps its first tree, and that tree keeps each later one. So nothing is kept.
const MADE_ANEW = 3;
export const html = htm.bind(function (...parts) {
  this[0] = MADE_ANEW;
  return h(...parts);
});
