// Ids as people call them: a name where the directory has one, the id on hover.

import { html } from "./dom.js";
import { NOTHING } from "./format.js";

export const nameOf = (names, kind, id) => names?.[kind]?.[id] ?? id;

export const Named = ({ names, kind, id, href }) => {
  if (id == null) return html`<span class="none">${NOTHING}</span>`;
  const name = names?.[kind]?.[id];
  const text = name
    ? html`<bdi class="name" title=${id}>${name}</bdi>`
    : html`<bdi class="id" title=${id}>${id}</bdi>`;
  return href ? html`<a href=${href}>${text}</a>` : text;
};

export const agentHref = (id, orgId) => subjectHref("agents", id, orgId);
export const taskHref = (id, orgId) => subjectHref("tasks", id, orgId);
const subjectHref = (kind, id, orgId) =>
  `/${kind}/${encodeURIComponent(id)}${orgId ? `?orgId=${encodeURIComponent(orgId)}` : ""}`;
