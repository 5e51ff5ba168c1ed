// The frame of every page: where one can go, how fresh the data is, and who is signed in.

import { mayAct, seesAllTeams, signOut, who } from "../core/api.js";
import { html, useSignal } from "../core/dom.js";
import { language, languages, setLanguage, t } from "../core/texts.js";
import { applyTheme, theme, THEMES } from "../core/theme.js";
import { Badge } from "./badge.js";

const PLACES = [
  { module: "floor", href: "/" },
  { module: "tasks", href: "/tasks" },
  { module: "reports", href: "/reports" },
  { module: "audit", href: "/audit" },
  { module: "thresholds", href: "/thresholds" },
  { module: "operations", href: "/operations", role: "operator" },
  { module: "docs", href: "/docs" },
];

export function Frame({ current, children }) {
  const places = PLACES.filter((it) => !it.role || mayAct(it.role));
  return html`
    <a class="skip" href="#main">${t("frame.skip")}</a>
    <header class="frame">
      <a class="brand" href="/"><span class="logo" aria-hidden="true"></span>${t("product")}</a>
      <nav aria-label=${t("frame.pages")}>
        <ul>
          ${places.map((it) => html`<li key=${it.module}>
            <a href=${it.href} aria-current=${it.module === current ? "page" : undefined}>${t(`page.${it.module}`)}</a>
          </li>`)}
        </ul>
      </nav>
      <${Badge} />
      <${Account} />
    </header>
    <main id="main" tabindex="-1">${children}</main>`;
}

function Account() {
  const isOpen = useSignal(false);
  const leave = (everywhere) => () => signOut({ everywhere });
  return html`<details class="account" open=${isOpen.value} onToggle=${(event) => (isOpen.value = event.target.open)}>
    <summary>${t(`role.${who.value.role}`)}<span class="hidden">, ${t("frame.account")}</span></summary>
    <div class="menu">
      <p>${t("frame.signed-in", { who: who.value.who })}</p>
      ${!seesAllTeams() && html`<p>${t("frame.teams", { count: who.value.teamIds.length, teams: who.value.teamIds.join(", ") })}</p>`}
      <label>${t("frame.language")}
        <select onChange=${(event) => setLanguage(event.target.value)}>
          ${languages.map((tag) => html`<option key=${tag} value=${tag} selected=${tag === language.value}>
            ${new Intl.DisplayNames(tag, { type: "language" }).of(tag)}</option>`)}
        </select>
      </label>
      <label>${t("frame.theme")}
        <select onChange=${(event) => applyTheme(event.target.value)}>
          ${THEMES.map((it) => html`<option key=${it} value=${it} selected=${it === theme.value}>${t(`theme.${it}`)}</option>`)}
        </select>
      </label>
      <button type="button" class="secondary" onClick=${leave(false)}>${t("action.sign-out")}</button>
      <button type="button" class="secondary" onClick=${leave(true)}>${t("action.sign-out-everywhere")}</button>
    </div>
  </details>`;
}
