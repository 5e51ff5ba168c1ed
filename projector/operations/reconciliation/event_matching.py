"""Event matching: which of the vendor's events the log has already, and which it lacks.

Rule: the matching does what the fold does with restatements. The fold ignores a reconciled event if
a webhook of the same fact lies within the tolerance, so such an event is not appended. Where fewer
webhooks than events lie so close together, the events that are left over are reported.
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
from projector.webex.api_events import ApiEvent


@dataclass(slots=True)
class EventMatches:
    """The vendor's events, by what the log has of them."""

    matched: list[ApiEvent] = field(default_factory=list)
    missing: list[ApiEvent] = field(default_factory=list)
    indistinct: list[ApiEvent] = field(
        default_factory=list
    )  # in the tolerance of a webhook of another event


def match_events(events: Sequence[ApiEvent], recorded: Iterable[Recorded]) -> EventMatches:
    """Compare events of one subject with those that the log has of it in about their time."""
    recorded_by_fact: dict[tuple[object, ...], list[Recorded]] = defaultdict(list)
    identities: set[tuple[str, str]] = set()
    for it in recorded:
        recorded_by_fact[reconciliation_key(it.event)].append(it)
        identities.add(_identity(it.event))
    events_by_fact: dict[tuple[object, ...], list[ApiEvent]] = defaultdict(list)
    matches = EventMatches()
    for event in events:
        if _identity(event.offered.event) in identities:
            matches.matched.append(event)
        else:
            events_by_fact[reconciliation_key(event.offered.event)].append(event)
    for fact, alike in events_by_fact.items():
        _match_by_time(alike, recorded_by_fact.get(fact, ()), matches)
    return matches


def _match_by_time(
    events: Sequence[ApiEvent], recorded: Sequence[Recorded], matches: EventMatches
) -> None:
    """Match what is equal but for its time; each webhook states one of the events."""
    webhook_times = {it.time for it in recorded if it.origin is Origin.WEBHOOK}
    other_times = {it.time for it in recorded if it.origin is not Origin.WEBHOOK}
    paired_keys = _paired_keys(events, webhook_times)
    for event in sorted(events, key=lambda event: event.time):
        if event.offered.key in paired_keys or event.time in webhook_times | other_times:
            matches.matched.append(event)
        elif any(_is_within_tolerance(time, event.time) for time in webhook_times):
            matches.indistinct.append(event)
        else:
            matches.missing.append(event)
            other_times.add(event.time)


def _paired_keys(events: Sequence[ApiEvent], webhook_times: Iterable[int]) -> set[UUID]:
    """The keys of events that have a webhook of their own.

    Equal times are paired first. The rest is paired in the order of time: the vendor's clocks may
    differ, but they do not change the order.
    """
    unpaired = set(webhook_times)
    paired_keys = {event.offered.key for event in events if event.time in unpaired}
    unpaired -= {event.time for event in events}
    times = deque(sorted(unpaired))
    for event in sorted(events, key=lambda event: event.time):
        if event.offered.key in paired_keys:
            continue
        while times and times[0] < event.time - RECONCILIATION_TOLERANCE_MS:
            times.popleft()
        if times and _is_within_tolerance(times[0], event.time):
            times.popleft()
            paired_keys.add(event.offered.key)
    return paired_keys


def _is_within_tolerance(time: int, other: int) -> bool:
    return abs(time - other) <= RECONCILIATION_TOLERANCE_MS


def _identity(event: Event) -> tuple[str, str]:
    return event.type, event.id
