// A path that no page has.

import { html } from "../core/dom.js";
import { t } from "../core/texts.js";
import { Empty } from "../parts/states.js";

export default function Missing() {
  return html`<${Empty} title=${t("state.no-page")}><p><a href="/">${t("page.floor")}</a></p><//>`;
}
