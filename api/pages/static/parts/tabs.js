// Links to the parts of a page, one of which is shown. The address has which.

import { changed, href, path } from "../core/address.js";
import { html } from "../core/dom.js";

// `tabs`: [{id, text}]; `name` is the parameter of the address, left out for the `usual` tab;
// `changes` are parameters that do not outlive the change.
export const Tabs = ({ label, name, tabs, chosen, usual, changes = {} }) =>
  html`<nav class="tabs" aria-label=${label}><ul>
    ${tabs.map((it) => html`<li key=${it.id}><a aria-current=${it.id === chosen ? "true" : undefined}
      href=${addressOf({ ...changes, [name]: it.id === usual ? null : it.id })}>${it.text}</a></li>`)}
  </ul></nav>`;

function addressOf(changes) {
  const text = changed(changes).toString();
  return text ? `${path.value}?${text}` : href(path.value);
}
