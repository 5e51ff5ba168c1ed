// Sessions: all of the caller's token can be ended at once, such as after a lost device.

import { signOut, who } from "../../core/api.js";
import { html, useSignal } from "../../core/dom.js";
import { Moment } from "../../core/format.js";
import { t } from "../../core/texts.js";
import { Confirm } from "../../parts/dialog.js";
import { Fact } from "./action.js";

export function Sessions() {
  const isAsked = useSignal(false);
  const { who: name, role, orgIds, teamIds, expiresTime } = who.value;
  return html`<section aria-labelledby="sessions">
    <h2 id="sessions">${t("ops.tab.sessions")}</h2>
    <dl class="facts">
      <${Fact} name="sessions.who">${name}<//>
      <${Fact} name="sessions.role">${t(`role.${role}`)}<//>
      <${Fact} name="sessions.orgs">${orgIds === null ? t("sessions.all") : orgIds.join(", ")}<//>
      <${Fact} name="sessions.teams">${teamIds === null ? t("sessions.all") : teamIds.join(", ")}<//>
      <${Fact} name="sessions.ends"><${Moment} time=${expiresTime} /><//>
    </dl>
    <p>${t("sessions.what")}</p>
    <p><button type="button" class="danger" onClick=${() => (isAsked.value = true)}>${t("action.sign-out-everywhere")}</button></p>
    ${isAsked.value && html`<${Confirm} title=${t("action.sign-out-everywhere")} action=${t("action.sign-out-everywhere")} danger
      needsReason=${false} act=${() => signOut({ everywhere: true })} onClose=${() => (isAsked.value = false)}>
      <p>${t("sessions.hint")}</p><//>`}
  </section>`;
}
