// The vendored viewer of OpenAPI documents. It is large, so it is loaded with this page only. Requests
// that are tried carry the session, as every request of a page does.

import { effect, html, useEffect, useRef, useSignal } from "../../core/dom.js";
import { get } from "../../core/api.js";
import { t } from "../../core/texts.js";
import { theme } from "../../core/theme.js";
import { Failure, Loading } from "../../parts/states.js";
import { nameControls } from "./labels.js";

const VENDOR = new URL("../../vendor/", import.meta.url);
let loading = null;

export function Viewer() {
  const element = useRef(null);
  const state = useSignal({ isReady: false, error: null });
  const start = () => {
    state.value = { isReady: false, error: null };
    Promise.all([load(), get("/openapi.json")]).then(
      ([, spec]) => element.current && show(element.current, spec, () => (state.value = { isReady: true, error: null })),
      (error) => (state.value = { isReady: false, error }),
    );
  };
  useEffect(() => {
    start();
    const ends = [nameControls(element.current), followTheme()];
    return () => ends.forEach((end) => end());
  }, []);
  const { isReady, error } = state.value;
  return html`
    ${error && html`<${Failure} error=${error} retry=${start} />`}
    ${!isReady && !error && html`<${Loading} what=${t("docs.loading")} />`}
    <div class="viewer" lang="en" ref=${element}></div>`;
}

function show(element, spec, onComplete) {
  globalThis.SwaggerUIBundle({
    spec,
    domNode: element,
    presets: [globalThis.SwaggerUIBundle.presets.apis],
    plugins: [plain],
    layout: "Plain",
    docExpansion: "none",
    defaultModelsExpandDepth: -1,
    filter: true,
    syntaxHighlight: false, // its colors are for one ground only
    validatorUrl: null,
    onComplete,
  });
}

// The list of routes alone: the page has its own heading and its own main part, and who sees it is
// signed in, so nothing is to be authorized.
const plain = ({ React: { createElement } }) => ({
  components: {
    Plain: ({ getComponent }) => createElement("div", { className: "swagger-ui" },
      createElement(getComponent("SvgAssets")),
      createElement(getComponent("FilterContainer", true)),
      createElement(getComponent("operations", true))),
    authorizeBtn: () => null,
    authorizeOperationBtn: () => null,
  },
  // The session of the page is not in the line for a terminal: a token has its place there.
  wrapComponents: {
    curl: (Curl) => ({ request, ...others }) =>
      createElement(Curl, { ...others, request: request.setIn(["headers", "Authorization"], "Bearer <token>") }),
  },
});

// The viewer is dark where the document has a class.
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle(
    "dark-mode", theme.value === "dark" || (theme.value === "auto" && dark.matches));
  const stop = effect(apply);
  dark.addEventListener("change", apply);
  return () => {
    stop();
    dark.removeEventListener("change", apply);
    document.documentElement.classList.remove("dark-mode");
  };
}

function load() {
  loading ??= Promise.all([
    added(Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("swagger-ui.css", VENDOR) })),
    added(Object.assign(document.createElement("script"), { src: new URL("swagger-ui-bundle.js", VENDOR) })),
  ]).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

const added = (element) =>
  new Promise((resolve, reject) => {
    element.onload = resolve;
    element.onerror = () => {
      element.remove();
      reject(Object.assign(new Error(""), { status: 0 }));
    };
    document.head.append(element);
  });
