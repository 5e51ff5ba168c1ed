"""Event matching: which of the vendor's events the log has already, and which it lacks.

Rule: the matching does what the fold does with restatements. The fold ignores a reconciled event if
a webhook of the same fact lies within the tolerance, so such an event is not appended. An event
that may be in the log with another time is not appended either: both are reported as indistinct.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Event,
    Origin,
    Recorded,
    reconciliation_key,
    states_fact_of,
)
from projector.webex.api_events import ApiEvent, Certainty

CLOCK_DIFFERENCE_MS = 60_000  # the longest by which the clocks of rows and webhooks may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class IndistinctEvent:
    """An event that may be that of a webhook which is nearest to it."""

    event: ApiEvent
    webhook: Recorded

    @property
    def difference_ms(self) -> int:
        """How much later the vendor's event is."""
        return self.event.time - self.webhook.time


@dataclass(slots=True)
class EventMatches:
    """The vendor's events, by what the log has of them."""

    matched: list[ApiEvent] = field(default_factory=list)
    missing: list[ApiEvent] = field(default_factory=list)
    doubtful: list[ApiEvent] = field(default_factory=list)  # the log lacks them, if they are true
    indistinct: list[IndistinctEvent] = field(default_factory=list)

    @property
    def certain(self) -> list[ApiEvent]:
        """What the vendor tells for sure of the subject itself."""
        return [*self.matched, *self.missing, *(it.event for it in self.indistinct)]

    def add(self, others: EventMatches, *, before: int) -> None:
        """Add those of other subjects that happened before a time (epoch ms)."""
        self.matched += (it for it in others.matched if it.time < before)
        self.missing += (it for it in others.missing if it.time < before)
        self.doubtful += (it for it in others.doubtful if it.time < before)
        self.indistinct += (it for it in others.indistinct if it.event.time < before)


def match_events(events: Sequence[ApiEvent], recorded: Iterable[Recorded]) -> EventMatches:
    """Compare events of one subject with those that the log has of it in about their time."""
    by_fact: dict[tuple[object, ...], list[Recorded]] = defaultdict(list)
    identities: set[tuple[str, str]] = set()
    for it in recorded:
        by_fact[reconciliation_key(it.event)].append(it)
        identities.add(_identity(it.event))
    alike: dict[tuple[object, ...], list[ApiEvent]] = defaultdict(list)
    matches = EventMatches()
    for event in events:
        if _identity(event.offered.event) in identities:
            matches.matched.append(event)
        else:
            alike[reconciliation_key(event.offered.event)].append(event)
    for fact, of_fact in alike.items():
        ordered = sorted(of_fact, key=lambda event: event.time)
        _match_by_time(ordered, by_fact.get(fact, ()), matches)
    return matches


def _match_by_time(
    events: Sequence[ApiEvent],
    recorded: Sequence[Recorded],
    matches: EventMatches,
) -> None:
    """Match what is equal but for its time; each webhook states one of the events."""
    webhooks = _RecordedByTime(it for it in recorded if it.origin is Origin.WEBHOOK)
    others = _RecordedByTime(it for it in recorded if it.origin is not Origin.WEBHOOK)
    paired = _pairs(events, webhooks)
    # Both versions of a webhook state one event, so a webhook near an event is not free.
    near_events = {
        id(it) for event in events for it in webhooks.around(event, RECONCILIATION_TOLERANCE_MS)
    }
    free = _RecordedByTime(it for it in webhooks.events if id(it) not in near_events)
    missing_times: set[int] = set()
    for event in events:
        same_time = (*webhooks.around(event, 0), *others.around(event, 0))
        if event.offered.key in paired or same_time or event.time in missing_times:
            matches.matched.append(event)
        elif event.certainty is Certainty.DOUBTFUL:
            matches.doubtful.append(event)
        elif event.certainty is Certainty.SURE:
            near = _nearest(event, webhooks.around(event, RECONCILIATION_TOLERANCE_MS))
            near = near or _nearest(event, free.around(event, CLOCK_DIFFERENCE_MS))
            if near is not None:
                matches.indistinct.append(IndistinctEvent(event=event, webhook=near))
            else:
                matches.missing.append(event)
                missing_times.add(event.time)


class _RecordedByTime:
    """Events of the log that are equal but for time, idle code and channel."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        self.events = sorted(events, key=lambda it: it.time)
        self._times = [it.time for it in self.events]

    def around(
        self, event: ApiEvent, distance: int, *, on_any_channel: bool = False
    ) -> list[Recorded]:
        """Those of the same fact that are at most ``distance`` ms away from an event."""
        first = bisect_left(self._times, event.time - distance)
        last = bisect_right(self._times, event.time + distance)
        any_channel = on_any_channel and event.offered.event.task_id is None
        return [
            it
            for it in self.events[first:last]
            if _is_same_fact(event, it.event, on_any_channel=any_channel)
        ]


def _pairs(events: Sequence[ApiEvent], webhooks: _RecordedByTime) -> dict[UUID, Recorded]:
    """The webhook of each event that has one of its own, by the event's key.

    Equal times are paired first. The rest is paired in the order of time: the vendor's clocks may
    differ, but they do not change the order. Sure events come before the others. At last an idle or
    available agent may be told on another channel than the row is of.
    """
    paired: dict[UUID, Recorded] = {}
    taken: set[int] = set()
    sure_first = sorted(events, key=lambda event: event.certainty is not Certainty.SURE)
    for tolerance, on_any_channel in (
        (0, False),
        (RECONCILIATION_TOLERANCE_MS, False),
        (RECONCILIATION_TOLERANCE_MS, True),
    ):
        for event in sure_first:
            if event.offered.key in paired:
                continue
            close = webhooks.around(event, tolerance, on_any_channel=on_any_channel)
            webhook = next((it for it in close if id(it) not in taken), None)
            if webhook is not None:
                paired[event.offered.key] = webhook
                taken.add(id(webhook))
    return paired


def _nearest(event: ApiEvent, webhooks: Iterable[Recorded]) -> Recorded | None:
    return min(webhooks, key=lambda it: abs(it.time - event.time), default=None)


def _is_same_fact(event: ApiEvent, other: Event, *, on_any_channel: bool) -> bool:
    """Whether another event states the fact, on any of the channels whose rows state it."""
    ours = event.offered.event
    if on_any_channel or other.channel_id in event.channel_ids:
        ours = replace(ours, channel_id=other.channel_id)
    return states_fact_of(other, ours)


def _identity(event: Event) -> tuple[str, str]:
    return event.type, event.id
