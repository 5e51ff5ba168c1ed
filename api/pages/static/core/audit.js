// The parts of the audit: the log and the ledgers, and which filters each takes. Pure.

export const PARTS = ["log", "anomalies", "corrections", "conflicts", "quarantine", "trail"];
export const ROUTES = {
  log: "/api/v1/events", anomalies: "/api/v1/anomalies", corrections: "/api/v1/corrections",
  conflicts: "/api/v1/conflicts", quarantine: "/api/v1/quarantine", trail: "/api/v1/audit-trail",
};
// Parts that belong to no organisation: who sees not all of them sees none, and no row has names.
export const OF_NO_ORGANISATION = ["quarantine", "trail"];
const SUBJECTS = ["orgId", "agentId", "taskId"];
export const FILTERS = {
  log: [...SUBJECTS, "type", "teamId", "queueId", "origin"],
  anomalies: SUBJECTS,
  corrections: SUBJECTS,
  conflicts: [...SUBJECTS, "kind"],
  quarantine: ["orgId"],
  trail: ["who", "action"],
};
export const ORIGINS = ["webhook", "reconciliation", "import"];
export const CONFLICT_KINDS = ["conflict", "variation"];
// Parameters of the log alone, once each.
const OF_LOG = ["recordedFrom", "recordedTo", "toPosition", "order"];

export const partOf = (params) => (PARTS.includes(params.get("tab")) ? params.get("tab") : "log");

// What the API is asked for: without names and pages, so that an export is of the same rows.
export function questionOf(part, params, span) {
  const lists = Object.fromEntries(FILTERS[part].map((name) => [name, params.getAll(name)]));
  const own = part === "log" ? Object.fromEntries(OF_LOG.map((name) => [name, params.get(name)])) : {};
  return { ...lists, ...own, from: span.from, to: span.to };
}

// The position in the address, null where it is none.
export const openOf = (params) => (/^\d{1,18}$/.test(params.get("open") ?? "") ? params.get("open") : null);
