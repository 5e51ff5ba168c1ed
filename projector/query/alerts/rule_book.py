"""Which threshold counts for an agent or a queue, and which level a value has reached; pure.

Rule: the most specific rule counts. A rule for a queue is more specific than one for all queues,
whatever else it names. Of equal ones, a rule for a team (of queues: for a channel type) is more
specific than one for all. At last the one for an organisation is. Where two sources have a rule for
the same, the operator's counts, then the file's, then the default.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product

from projector.contract.thresholds import (
    AgentThreshold,
    AlertLevel,
    CountingAgentThreshold,
    CountingQueueThreshold,
    QueueMeasure,
    QueueThreshold,
    Selector,
    ThresholdSource,
)

AnyThreshold = AgentThreshold | QueueThreshold
AnyCounting = CountingAgentThreshold | CountingQueueThreshold


class RuleBook:
    """The rules that count. ``sources`` are in their order: a later one replaces earlier ones."""

    def __init__(self, sources: Mapping[ThresholdSource, Sequence[AnyThreshold]]) -> None:
        by_selector = {
            rule.selector: _counting(rule, source)
            for source, rules in sources.items()
            for rule in rules
        }
        self._by_selector: Mapping[Selector, AnyCounting] = by_selector

    @property
    def rules(self) -> Sequence[AnyCounting]:
        """All of them, by whom they are for: the more general ones first."""
        return sorted(self._by_selector.values(), key=_place)

    @property
    def statuses(self) -> Collection[str]:
        """The statuses of agents that have a rule."""
        rules = self._by_selector.values()
        return {rule.status for rule in rules if isinstance(rule, AgentThreshold)}

    def of_agent(
        self, status: str, *, queue_id: str | None, team_id: str | None, org_id: str
    ) -> AnyCounting | None:
        """The rule that counts for an agent in a status; null where none is for it."""
        return self._first(("agent", status), (queue_id, team_id, org_id))

    def of_queue(
        self, measure: QueueMeasure, *, queue_id: str | None, channel_type: str | None, org_id: str
    ) -> AnyCounting | None:
        """The rule that counts for a queue's tasks of a channel type; null where none is for it."""
        channel = None if channel_type is None else channel_type.casefold()
        return self._first(("queue", measure), (queue_id, channel, org_id))

    def _first(self, what: Selector, whom: Selector) -> AnyCounting | None:
        # From all three parts given to none, the first part being the one that is left out last.
        for parts in product(*((part, None) for part in whom)):
            rule = self._by_selector.get((*what, *parts))
            if rule is not None:
                return rule
        return None


def reached(rule: AnyThreshold, value: int) -> tuple[AlertLevel, int] | None:
    """The level that a value has reached, with its limit; null where it has reached none."""
    amber, red = rule.limits
    if red is not None and value >= red:
        return "red", red
    if amber is not None and value >= amber:
        return "amber", amber
    return None


def _counting(rule: AnyThreshold, source: ThresholdSource) -> AnyCounting:
    fields = dict(_fields(rule), source=source)
    if isinstance(rule, AgentThreshold):
        return CountingAgentThreshold.model_validate(fields)
    return CountingQueueThreshold.model_validate(fields)


def _fields(rule: AnyThreshold) -> Iterator[tuple[str, object]]:
    return ((name, getattr(rule, name)) for name in type(rule).model_fields)


def _place(rule: AnyThreshold) -> tuple[str, ...]:
    kind, what, *whom = rule.selector
    return (kind or "", what or "", *(part or "" for part in whom))
