// How a status looks: a colour, a shape and its word, so that nobody has to tell colours apart.

import { html } from "./dom.js";
import { short, t, word } from "./texts.js";

// The order is that of tiles and of sorting by status.
export const AGENT_STATUSES = [
  "available", "ringing", "connected", "on-hold", "consulting", "conferencing", "wrapup",
  "wrapup-done", "idle", "not-responding", "unknown", "logged-out",
];
export const TASK_STATUSES = [
  "created", "queued", "offered", "assigned", "completed", "abandoned", "unanswered", "failed",
];
const TONES = {
  available: "free",
  ringing: "calling",
  connected: "busy",
  "on-hold": "held",
  consulting: "busy",
  conferencing: "busy",
  wrapup: "after",
  "wrapup-done": "after",
  idle: "away",
  "logged-out": "gone",
  created: "calling",
  queued: "held",
  offered: "calling",
  assigned: "busy",
  completed: "gone",
  abandoned: "lost",
  unanswered: "lost",
  failed: "lost",
  "not-responding": "lost",
  "hold-done": "busy",
  "consult-done": "busy",
  "conference-done": "busy",
};
// Functions, as each place needs a node of its own.
const SHAPES = {
  free: () => html`<circle cx="6" cy="6" r="5" />`,
  calling: () => html`<path d="M6 1 11 11H1z" />`,
  busy: () => html`<rect x="1" y="1" width="10" height="10" />`,
  held: () => html`<path d="M2 1h3v10H2zM7 1h3v10H7z" />`,
  after: () => html`<path d="M6 0 12 6 6 12 0 6z" />`,
  away: () => html`<circle cx="6" cy="6" r="4" class="hollow" />`,
  gone: () => html`<path class="hollow" d="M1 6h10" />`,
  lost: () => html`<path class="hollow" d="m2 2 8 8m0-8-8 8" />`,
  other: () => html`<rect x="2" y="2" width="8" height="8" class="hollow" />`,
};

// States of one channel type, as the vendor spells them.
const CHANNEL_TONES = {
  available: "free", idle: "away", engaged: "busy", engagedother: "after", reserved: "calling", wrapup: "after", rona: "lost", notresponding: "lost", loggedout: "gone",
};

export const tone = (status) => TONES[status] ?? CHANNEL_TONES[status?.toLowerCase()] ?? "other";
export const statusRank = (status) => {
  const rank = AGENT_STATUSES.indexOf(status);
  return rank < 0 ? AGENT_STATUSES.length : rank;
};

export const Shape = ({ status }) =>
  html`<svg class="shape" viewBox="0 0 12 12" aria-hidden="true">${SHAPES[tone(status)]()}</svg>`;

export const Status = ({ status, kind = "status" }) =>
  html`<span class="status ${tone(status)}" title=${t("status.as-told", { status: short(status) })}>
    <${Shape} status=${status} /><bdi>${word(kind, status)}</bdi>
  </span>`;
