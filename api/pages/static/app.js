// The page: who is signed in, which page the address names, and its frame.

import { findWho, who } from "./core/api.js";
import { path } from "./core/address.js";
import { setServiceTime } from "./core/clock.js";
import { html, render, useEffect, useSignal } from "./core/dom.js";
import { chooseLanguage, language, t } from "./core/texts.js";
import { applyTheme } from "./core/theme.js";
import { Frame } from "./parts/frame.js";
import { Failure, Loading } from "./parts/states.js";

// The first pattern that fits the path says which module draws it; its groups are given to the page.
// `bare` pages have no frame, and `role` is the lowest that may look.
const ROUTES = [
  { pattern: /^\/$/, module: "floor", title: "page.floor" },
  { pattern: /^\/agents\/(?<id>.+)$/, module: "agent", title: "page.agent" },
  { pattern: /^\/tasks$/, module: "tasks", title: "page.tasks" },
  { pattern: /^\/tasks\/(?<id>.+)$/, module: "task", title: "page.task" },
  { pattern: /^\/reports$/, module: "reports", title: "page.reports" },
  { pattern: /^\/audit$/, module: "audit", title: "page.audit" },
  { pattern: /^\/operations$/, module: "operations", title: "page.operations" },
  { pattern: /^\/thresholds$/, module: "thresholds", title: "page.thresholds" },
  { pattern: /^\/wall$/, module: "wall", title: "page.wall", bare: true },
  { pattern: /^\/docs$/, module: "docs", title: "page.docs" },
];
const root = document.getElementById("app");
const loaded = new Map(); // page modules by name
const ASK_AGAIN_MS = 3_000;
const RELOAD_KEY = "reloaded-for";

function match(address) {
  for (const route of ROUTES) {
    const groups = route.pattern.exec(address)?.groups;
    if (groups || route.pattern.test(address)) return { ...route, params: decoded(groups ?? {}) };
  }
  return null;
}

function decoded(groups) {
  return Object.fromEntries(
    Object.entries(groups).map(([name, text]) => {
      try {
        return [name, decodeURIComponent(text)];
      } catch {
        return [name, text];
      }
    }),
  );
}

// A module that is gone is that of another release: the document is loaded anew, once, where the
// service answers.
async function load(name) {
  try {
    const module = await import(`./pages/${name}.js`);
    sessionStorage.removeItem(RELOAD_KEY);
    return module.default;
  } catch (error) {
    const answers = await fetch("/healthz").then((answer) => answer.ok, () => false);
    if (answers && sessionStorage.getItem(RELOAD_KEY) !== name) {
      sessionStorage.setItem(RELOAD_KEY, name);
      location.reload();
    }
    throw error;
  }
}

function usePage(name) {
  const state = useSignal({ name: null, page: null, error: null });
  useEffect(() => {
    if (name === null) return;
    if (loaded.has(name)) return void (state.value = { name, page: loaded.get(name), error: null });
    load(name).then(
      (page) => {
        loaded.set(name, page);
        state.value = { name, page, error: null };
      },
      (error) => (state.value = { name, page: null, error }),
    );
  }, [name]);
  return state.value.name === name ? state.value : { page: null, error: null };
}

// Asks until the service answers: nobody may stand before a wall to load it again.
function askWho(failure) {
  findWho().then(
    (found) => {
      failure.value = null;
      if (found) setServiceTime(found.serviceTime);
    },
    (error) => {
      failure.value = error;
      setTimeout(askWho, ASK_AGAIN_MS, failure);
    },
  );
}

function App() {
  const failure = useSignal(null);
  useEffect(() => askWho(failure), []);
  const route = match(path.value);
  const signedIn = who.value;
  const name = signedIn === undefined ? null : signedIn ? (route?.module ?? "missing") : "signin";
  const { page: Page, error } = usePage(name);
  useEffect(() => {
    document.title = `${t(signedIn ? (route?.title ?? "page.missing") : "page.signin")} · ${t("product")}`;
  }, [name, signedIn, language.value]);

  if (failure.value) return html`<main class="note"><${Failure} error=${failure.value} /></main>`;
  if (signedIn === undefined || (!Page && !error)) return html`<main><${Loading} /></main>`;
  if (error) return html`<main class="note"><${Failure} error=${error} /></main>`;
  const body = html`<${Page} key=${path.value} ...${route?.params ?? {}} refusal=${root.dataset.refusal} />`;
  if (!signedIn || route?.bare) return body;
  return html`<${Frame} current=${route?.module}>${body}<//>`;
}

// A menu closes by a click elsewhere, by Escape, and when another one opens.
const MENUS = "details:is(.choice, .badge, .account)[open]";
function closeMenus(event) {
  for (const menu of document.querySelectorAll(MENUS)) {
    if (event.key === "Escape" || !menu.contains(event.target)) menu.open = false;
  }
}
document.addEventListener("pointerdown", closeMenus);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus(event));

applyTheme();
await chooseLanguage();
render(html`<${App} />`, root);
