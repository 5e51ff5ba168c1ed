// The vendored viewer leaves some of its controls without a name. They get theirs here, as they appear.

import { t } from "../../core/texts.js";

// Names controls below an element until the function that is returned is called.
export function nameControls(root) {
  const observer = new MutationObserver(() => name(root));
  observer.observe(root, { childList: true, subtree: true });
  return () => observer.disconnect();
}

function name(root) {
  for (const row of root.querySelectorAll("tr[data-param-name]")) {
    for (const control of row.querySelectorAll("input, select, textarea")) set(control, "aria-label", row.dataset.paramName);
  }
  for (const control of root.querySelectorAll("select:not([aria-label]), textarea:not([aria-label])")) {
    set(control, "aria-label", t(control.tagName === "SELECT" ? "docs.choice" : "docs.body"));
  }
  for (const block of root.querySelectorAll("pre, .table-container")) {
    if (block.scrollWidth > block.clientWidth || block.scrollHeight > block.clientHeight) set(block, "tabindex", "0");
  }
}

function set(element, attribute, value) {
  if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}
