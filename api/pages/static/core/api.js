// Reads and changes by the public API. A refusal is an ApiError with the problem document's words.

import { now, setServiceTime } from "./clock.js";
import { signal } from "./dom.js";

const CLOCK_TOLERANCE_MS = 3_000;

// Who is signed in: undefined until it is known, null for nobody.
export const who = signal(undefined);
const ROLES = ["viewer", "auditor", "operator"];

export const mayAct = (role) => who.value != null && ROLES.indexOf(who.value.role) >= ROLES.indexOf(role);
// Whether a token covers all teams, which what changes all of them needs.
export const seesAllTeams = () => who.value?.teamIds === null;
export const seesEverything = () => seesAllTeams() && who.value.orgIds === null;

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || (status ? String(status) : ""));
    this.status = status;
    this.problem = problem;
  }
}

export async function request(method, to, { params = {}, body, headers = {}, signal: abort } = {}) {
  let answer;
  try {
    answer = await fetch(withParams(to, params), {
      method,
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: abort,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { detail: "" });
  }
  setClock(answer);
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ detail: "" }));
  if (answer.status === 401 && to !== SESSION) who.value = null;
  throw new ApiError(answer.status, problem);
}

// Each answer tells the service's time, to the second: a clock that has gone wrong since is set anew.
function setClock(answer) {
  const time = Date.parse(answer.headers.get("Date"));
  if (Math.abs(time - now()) > CLOCK_TOLERANCE_MS) setServiceTime(time);
}

export async function get(to, params = {}, options = {}) {
  return (await request("GET", to, { params, ...options })).json();
}

export async function send(method, to, body, options = {}) {
  const answer = await request(method, to, { body, ...options });
  return answer.status === 204 ? null : answer.json();
}

// All rows of a list, page by page, at most `atMost`; `meta` is that of the last page.
export async function rows(to, params = {}, { atMost = 10_000, ...options } = {}) {
  const data = [];
  const names = {};
  let cursor = null;
  let answer;
  do {
    answer = await get(to, { limit: Math.min(1000, atMost), ...params, cursor }, options);
    data.push(...answer.data);
    mergeNames(names, answer.names);
    cursor = answer.meta.nextCursor;
  } while (cursor && data.length < atMost);
  return { data, names, meta: answer.meta, isCut: Boolean(cursor) };
}

export function mergeNames(into, names) {
  for (const [kind, byId] of Object.entries(names ?? {})) {
    into[kind] = Object.assign(into[kind] ?? {}, byId);
  }
  return into;
}

export function withParams(to, params) {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") text.append(name, one);
    }
  }
  return text.size ? `${to}?${text}` : to;
}

// --- the session ---

const SESSION = "/api/v1/session";

export async function findWho() {
  try {
    const answer = await request("GET", SESSION);
    who.value = await answer.json();
    return who.value;
  } catch (error) {
    if (error.status !== 401) throw error;
    who.value = null;
    return null;
  }
}

export async function signIn(token, { wall = false } = {}) {
  await send("POST", SESSION, wall ? { token, wall } : { token });
  return findWho();
}

export async function signOut({ everywhere = false } = {}) {
  await request("DELETE", SESSION, { params: everywhere ? { everywhere: true } : {} });
  who.value = null;
}
