// Sign-in with a token. The browser keeps a session of the service, never the token.

import { signIn } from "../core/api.js";
import { html, useSignal } from "../core/dom.js";
import { t } from "../core/texts.js";

export default function SignIn({ refusal }) {
  const state = useSignal({ busy: false, refusal });
  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    state.value = { busy: true, refusal: "" };
    try {
      await signIn(form.get("token").trim(), { wall: form.has("wall") });
    } catch (error) {
      state.value = { busy: false, refusal: error.status === 401 ? t("signin.unknown") : error.message || t("state.offline") };
    }
  }
  return html`<main class="note" id="main">
    <h1>${t("page.signin")}</h1>
    <p>${t("signin.hint")}</p>
    <form onSubmit=${submit}>
      ${state.value.refusal && html`<p class="refused" role="alert">${state.value.refusal}</p>`}
      <label>${t("signin.token")}<input name="token" type="password" autocomplete="off" required autofocus /></label>
      <label><input type="checkbox" name="wall" /> ${t("signin.wall")}</label>
      <button aria-busy=${state.value.busy} disabled=${state.value.busy}>${t("signin.button")}</button>
    </form>
  </main>`;
}
