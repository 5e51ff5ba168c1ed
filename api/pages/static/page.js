// Keeps the page up to date. It asks for the part that changes, and patches in place what differs, so
// that scroll positions, focus and selections stay.
"use strict";

const PERIOD_MS = 1000;
const TIMEOUT_MS = 10000;
const floor = document.getElementById("floor");
const silence = document.getElementById("silence");
let lastAnswer = new Date();

function patch(shown, fresh) {
  if (shown.isEqualNode(fresh)) return;
  if (shown.nodeName !== fresh.nodeName) return shown.replaceWith(fresh);
  if (shown.nodeType !== Node.ELEMENT_NODE) return void (shown.nodeValue = fresh.nodeValue);
  for (const { name } of [...shown.attributes]) {
    if (!fresh.hasAttribute(name)) shown.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  patchChildren(shown, fresh);
}

function patchChildren(shown, fresh) {
  const before = [...shown.childNodes];
  const after = [...fresh.childNodes];
  before.slice(after.length).forEach((node) => node.remove());
  after.forEach((node, index) => {
    if (index < before.length) patch(before[index], node);
    else shown.append(node);
  });
}

async function follow() {
  const answer = await fetch(floor.dataset.source, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(answer.statusText);
  const fresh = document.createElement("template");
  fresh.innerHTML = await answer.text();
  patch(floor, fresh.content.getElementById("floor"));
  lastAnswer = new Date();
  silence.hidden = true;
}

function showSilence() {
  const since = lastAnswer.toISOString().slice(11, 19);
  const words = `The service does not answer since ${since} UTC. This is the floor as it was then.`;
  if (silence.hidden) [silence.textContent, silence.hidden] = [words, false];
}

async function keepFollowing() {
  if (!document.hidden) await follow().catch(showSilence);
  setTimeout(keepFollowing, PERIOD_MS);
}

setTimeout(keepFollowing, PERIOD_MS);
