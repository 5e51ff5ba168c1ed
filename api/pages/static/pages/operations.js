// Operations: how the service is, and what an operator does about it. Each subject is a tab of its own.

import { mayAct } from "../core/api.js";
import { href, query } from "../core/address.js";
import { html } from "../core/dom.js";
import { t } from "../core/texts.js";
import { NotAllowed } from "./operations/action.js";
import { Overview } from "./operations/overview.js";
import { Parked } from "./operations/parked.js";
import { Quarantine } from "./operations/quarantine.js";
import { Reconciliations } from "./operations/reconciliations.js";
import { Replays } from "./operations/replays.js";
import { Seals } from "./operations/seals.js";
import { Sessions } from "./operations/sessions.js";

const TABS = {
  overview: Overview,
  replays: Replays,
  reconciliations: Reconciliations,
  quarantine: Quarantine,
  parked: Parked,
  seals: Seals,
  sessions: Sessions,
};

export default function Operations() {
  const wanted = query.value.get("tab");
  const tab = Object.hasOwn(TABS, wanted) ? wanted : "overview";
  if (!mayAct("operator")) return html`<h1>${t("page.operations")}</h1><${NotAllowed} why=${t("ops.need-operator")} />`;
  return html`
    <h1>${t("page.operations")}</h1>
    <nav class="tabs" aria-label=${t("ops.tabs")}><ul>
      ${Object.keys(TABS).map((it) => html`<li key=${it}>
        <a href=${href("/operations", { tab: it === "overview" ? null : it })}
          aria-current=${it === tab ? "page" : undefined}>${t(`ops.tab.${it}`)}</a>
      </li>`)}
    </ul></nav>
    <${TABS[tab]} key=${tab} />`;
}
