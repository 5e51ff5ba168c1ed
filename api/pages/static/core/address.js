// The address: which page, and how it is filtered. A moment of the floor can be sent as its address.

import { batch, signal } from "./dom.js";

export const path = signal(location.pathname);
export const query = signal(new URLSearchParams(location.search));

// Changes of the query, by name: an array for a filter with several values, null or "" to leave out.
export function changed(changes, from = query.value) {
  const next = new URLSearchParams(from);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") next.append(name, one);
    }
  }
  return next;
}

export function setQuery(changes, { replace = true } = {}) {
  go(path.value, changed(changes), { replace });
}

export function href(to, params = {}) {
  const text = changed(params, new URLSearchParams()).toString();
  return text ? `${to}?${text}` : to;
}

export function go(to, params = new URLSearchParams(), { replace = false } = {}) {
  const text = params.toString();
  const address = text ? `${to}?${text}` : to;
  if (address === location.pathname + location.search) return;
  const isOtherPage = to !== path.value;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  read();
  if (isOtherPage && !replace) scrollTo(0, 0);
}

function read() {
  batch(() => {
    if (path.value !== location.pathname) path.value = location.pathname;
    if (query.value.toString() !== new URLSearchParams(location.search).toString()) {
      query.value = new URLSearchParams(location.search);
    }
  });
}

// Links within the service change the page without loading it again.
function follow(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.download || link.origin !== location.origin) return;
  if (link.hash && link.pathname === location.pathname) return;
  if ("reload" in link.dataset) return;
  event.preventDefault();
  go(link.pathname, new URLSearchParams(link.search));
}

addEventListener("popstate", read);
document.addEventListener("click", follow);
