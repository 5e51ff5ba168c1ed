// Which rows are amber or red, by the rules that the service has. The service decides in the same way
// for its alerts; here it is decided again each second, for the time that passes on the screen.

import { get } from "./api.js";
import { signal } from "./dom.js";

export const rules = signal([]);

export async function readRules() {
  rules.value = (await get("/api/v1/thresholds")).data;
}

const named = (rule, name, value) => rule[name] === null || rule[name] === undefined || rule[name] === value;
const weight = (rule) => ["orgId", "teamId", "queueId", "channelType"].filter((name) => rule[name] != null).length;

function ruleFor(fits) {
  let best = null;
  for (const rule of rules.value) {
    if (fits(rule) && (best === null || weight(rule) > weight(best))) best = rule;
  }
  return best;
}

const level = (value, amber, red) =>
  red != null && value >= red ? "red" : amber != null && value >= amber ? "amber" : null;

export function agentLevel(agent, now) {
  if (agent.statusSince === null) return null;
  const rule = ruleFor(
    (it) => it.subject === "agent" && it.status === agent.status && named(it, "orgId", agent.orgId) &&
      named(it, "teamId", agent.teamId) && named(it, "queueId", agent.queueId),
  );
  return rule && level(now - agent.statusSince, rule.amberMs, rule.redMs);
}

export function queueLevel(queue, now) {
  const values = { longestWaitMs: now - queue.since, waiting: queue.waiting };
  const levels = Object.entries(values).map(([measure, value]) => {
    const rule = ruleFor(
      (it) => it.subject === "queue" && it.measure === measure && named(it, "orgId", queue.orgId) &&
        named(it, "queueId", queue.queueId) && named(it, "channelType", queue.channelType),
    );
    return rule && level(value, rule.amber, rule.red);
  });
  return levels.includes("red") ? "red" : levels.includes("amber") ? "amber" : null;
}
