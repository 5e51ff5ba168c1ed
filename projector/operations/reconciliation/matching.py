"""Matching: which facts of the vendor's the log has already, and which it lacks.

The rule of this file: it foresees what the fold does. A fact that the fold would pass over, since a
webhook of about its time states it, is not appended; of facts that lie so near one another that
they cannot be told apart, it is said.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Event,
    Origin,
    Recorded,
    reconciliation_key,
)
from projector.webex.api_events import Fact


@dataclass(slots=True)
class Matching:
    """Facts, by what the log has of them."""

    matched: list[Fact] = field(default_factory=list)
    missing: list[Fact] = field(default_factory=list)
    indistinct: list[Fact] = field(default_factory=list)  # no webhook of their own, one too near


def match(facts: Sequence[Fact], known: Iterable[Recorded]) -> Matching:
    """Compare facts of one subject with the events that the log has of it at about their times."""
    stated: dict[tuple[object, ...], list[Recorded]] = defaultdict(list)
    keys: set[tuple[str, str]] = set()
    for recorded in known:
        stated[reconciliation_key(recorded.event)].append(recorded)
        keys.add(_key(recorded.event))
    asked: dict[tuple[object, ...], list[Fact]] = defaultdict(list)
    found = Matching()
    for fact in facts:
        if _key(fact.offered.event) in keys:
            found.matched.append(fact)
        else:
            asked[reconciliation_key(fact.offered.event)].append(fact)
    for fact_of, some in asked.items():
        _match_alike(some, stated.get(fact_of, ()), found)
    return found


def _match_alike(facts: Sequence[Fact], known: Iterable[Recorded], found: Matching) -> None:
    """Facts and events of one subject, task and word: each webhook stands for one fact."""
    webhooks = {it.time for it in known if it.origin is Origin.WEBHOOK}
    others = {it.time for it in known if it.origin is not Origin.WEBHOOK}
    taken = _paired(facts, webhooks)
    for fact in sorted(facts, key=lambda fact: fact.time):
        if fact.offered.key in taken or fact.time in webhooks | others:
            found.matched.append(fact)
        elif any(_is_near(time, fact.time) for time in webhooks):
            found.indistinct.append(fact)
        else:
            found.missing.append(fact)
            others.add(fact.time)


def _paired(facts: Sequence[Fact], webhooks: Iterable[int]) -> set[UUID]:
    """The keys of facts that have a webhook of their own: of the same time, else one after another.

    In their order, since the vendor's clocks may differ but not turn it round.
    """
    free = set(webhooks)
    taken = {fact.offered.key for fact in facts if fact.time in free}
    free -= {fact.time for fact in facts}
    rest = deque(sorted(free))
    for fact in sorted(facts, key=lambda fact: fact.time):
        if fact.offered.key in taken:
            continue
        while rest and rest[0] < fact.time - RECONCILIATION_TOLERANCE_MS:
            rest.popleft()
        if rest and _is_near(rest[0], fact.time):
            rest.popleft()
            taken.add(fact.offered.key)
    return taken


def _is_near(one: int, other: int) -> bool:
    return abs(one - other) <= RECONCILIATION_TOLERANCE_MS


def _key(event: Event) -> tuple[str, str]:
    return event.type, event.id
