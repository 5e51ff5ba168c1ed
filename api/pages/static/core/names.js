// Ids as people call them: a name where the directory has one, the id on hover.

import { href } from "./address.js";
import { html } from "./dom.js";
import { NOTHING } from "./format.js";
import { short } from "./texts.js";

// What tells agents and tasks of all organizations apart.
export const keyOf = (view) => `${view.orgId}\n${view.agentId ?? view.taskId}`;

export const nameOf = (names, kind, id) => short(names?.[kind]?.[id] ?? id);

export const Named = ({ names, kind, id, href: to }) => {
  if (id == null) return html`<span class="none">${NOTHING}</span>`;
  const name = names?.[kind]?.[id];
  const text = name
    ? html`<bdi class="name" title=${short(id)}>${short(name)}</bdi>`
    : html`<bdi class="id" title=${short(id)}>${short(id)}</bdi>`;
  return to ? html`<a href=${to}>${text}</a>` : text;
};

// The page of an agent or a task; with `times`, {at, knownAt}, as of then.
export const agentHref = (id, orgId, times) => subjectHref("agents", id, orgId, times);
export const taskHref = (id, orgId, times) => subjectHref("tasks", id, orgId, times);
const subjectHref = (kind, id, orgId, times) => href(`/${kind}/${encodeURIComponent(id)}`, { orgId, at: times?.at, knownAt: times?.knownAt });
