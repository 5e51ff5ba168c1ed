// The live floor: all agents and open tasks that the token may see, kept by one stream.
//
// Views are plain objects in maps; `version` changes at most a few times a second, however many
// events come, and what draws the floor depends on it.

import { mergeNames, who } from "./api.js";
import { signal } from "./dom.js";
import { now } from "./clock.js";
import { keyOf } from "./names.js";
import { openStream } from "./stream.js";

const SHOW_EVERY_MS = 200;

export const agents = new Map();
export const tasks = new Map();
export const names = {};
export const version = signal(0);
// Positions of the log: all up to it has come, and is in what is drawn next.
export const progress = { received: 0, shown: 0 };
export const corrections = signal([]); // that came while the page was open, newest first
export const connection = signal({ state: "connecting", since: now(), status: 0 });

const CORRECTIONS_KEPT = 100;
let stream = null;
export const followers = signal(0); // parts of the page that need the floor
let arriving = null; // the snapshot that is coming in: what it lacks at its end has gone
let showing = 0;

// Keeps the floor live until the function that is returned is called.
export function follow() {
  followers.value += 1;
  if (followers.value === 1) start();
  return () => {
    followers.value -= 1;
    if (followers.value === 0) stop();
  };
}

function start() {
  disconnected();
  stream = openStream("/api/v1/stream?snapshot=true&names=true", {
    onMessage: take,
    onPosition: (position) => (progress.received = position),
    onLost(status) {
      if (status === 401) who.value = null;
      connectionLost(status);
    },
  });
}

// What the badge says of the stream; pages with a stream of their own tell it, too.
export function connected() {
  connection.value = { state: "live", since: now(), status: 200 };
}

// No part of the page needs a stream now.
export function disconnected() {
  connection.value = { state: "connecting", since: now(), status: 0 };
}

export function connectionLost(status) {
  const { state, status: before, since } = connection.value;
  if (state === "lost" && before === status) return;
  connection.value = { state: "lost", since: state === "lost" ? since : now(), status };
}

function stop() {
  stream?.close();
  stream = arriving = null;
  disconnected();
  for (const map of [agents, tasks]) map.clear();
  show();
}

function take(event, data) {
  if (event === "reset") {
    arriving = { agents: new Map(), tasks: new Map() };
    return;
  }
  mergeNames(names, data.names);
  const into = arriving ?? { agents, tasks };
  if (event === "agent") into.agents.set(keyOf(data), data);
  else if (event === "task") putTask(into.tasks, data);
  else if (event === "left") (data.kind === "agent" ? into.agents : into.tasks).delete(keyOf(data));
  else if (event === "snapshot") arrive();
  else if (event === "correction") {
    corrections.value = [data, ...corrections.value].slice(0, CORRECTIONS_KEPT);
  }
  if (arriving === null) showSoon();
}

// Of tasks only open ones are kept: those that are over would fill the memory within a day.
function putTask(into, task) {
  if (task.open) into.set(keyOf(task), task);
  else into.delete(keyOf(task));
}

function arrive() {
  if (arriving === null) return;
  for (const [map, fresh] of [
    [agents, arriving.agents],
    [tasks, arriving.tasks],
  ]) {
    map.clear();
    for (const [key, view] of fresh) map.set(key, view);
  }
  arriving = null;
  connected();
  show();
}

function showSoon() {
  showing ||= setTimeout(show, SHOW_EVERY_MS);
}

function show() {
  clearTimeout(showing);
  showing = 0;
  progress.shown = progress.received;
  version.value += 1;
}
