// Which rows are amber or red, by the rules that the service has. The service decides in the same way
// for its alerts; here it is decided again each second, for the time that passes on the screen.

import { get } from "./api.js";
import { signal } from "./dom.js";

export const rules = signal([]);

export async function readRules() {
  rules.value = (await get("/api/v1/thresholds")).data;
}

// The most specific rule counts, in the service's order: one for the queue, then one for the team or
// the channel type, then one for the organization.
function ruleFor(what, whom) {
  let best = null;
  let bestWeight = -1;
  for (const rule of rules.value) {
    if (!what(rule)) continue;
    const parts = whom.map(([name, value]) => (rule[name] == null ? 0 : same(name, rule[name], value) ? 1 : NaN));
    const weight = parts[0] * 4 + parts[1] * 2 + parts[2];
    if (weight > bestWeight) [best, bestWeight] = [rule, weight];
  }
  return best;
}

// Channel types are compared in any case of their letters, as the service does; ids are not.
const same = (name, one, other) =>
  name === "channelType" ? one.toLowerCase() === other?.toLowerCase() : one === other;

const level = (value, amber, red) =>
  red != null && value >= red ? "red" : amber != null && value >= amber ? "amber" : null;

export function agentLevel(agent, now) {
  if (agent.statusSince === null) return null;
  const rule = ruleFor(
    (it) => it.subject === "agent" && it.status === agent.status,
    [["queueId", agent.queueId], ["teamId", agent.teamId], ["orgId", agent.orgId]],
  );
  return rule && level(now - agent.statusSince, rule.amberMs, rule.redMs);
}

const queueRule = (measure, queue) =>
  ruleFor(
    (it) => it.subject === "queue" && it.measure === measure,
    [["queueId", queue.queueId], ["channelType", queue.channelType], ["orgId", queue.orgId]],
  );

const measured = (measure, queue, value) => {
  const rule = queueRule(measure, queue);
  return rule && level(value, rule.amber, rule.red);
};

// The level of the longest wait alone, and of the queue as a whole.
export const waitLevel = (queue, now) => measured("longestWaitMs", queue, now - queue.since);
export const queueLevel = (queue, now) => highest([waitLevel(queue, now), measured("waiting", queue, queue.waiting)]);

export const highest = (levels) => (levels.includes("red") ? "red" : levels.includes("amber") ? "amber" : null);
