"""The known ticks of a subject: its events by millisecond, read from storage as a fold needs them.

Rule: nothing is read before a result depends on it. A live event needs no read. A late event
usually needs the few events after it, since then both folds are equal again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from projector.domain.counters import Counters
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Origin, Recorded
from projector.domain.facts import Fact, FactKey
from projector.domain.fold import Anomaly, Interval


@dataclass(slots=True)
class Tick:
    """All events of one millisecond, and the results of folding them."""

    time: int  # epoch ms
    events: Sequence[Recorded]  # in order, restatements included
    intervals: Sequence[Interval] = ()  # that begin here
    anomalies: Sequence[Anomaly] = ()
    facts: Mapping[FactKey, Fact] = field(default_factory=dict)  # that are final from here on
    counters: Counters = field(default_factory=Counters)  # what this tick adds
    state: str | None = None  # the state after this tick as text, if it is saved
    has_snapshot: bool = False


class StoredSubject(Protocol):
    """What a repair asks of storage about its subject. Times are epoch ms."""

    def events_after(self, time: int) -> Sequence[Recorded]:
        """Some of the stored events after a time, in order; empty where there are none.

        They are the next ones, and all of each millisecond.
        """

    def interval_at_start(self) -> Interval | None:
        """The stored interval in force where the fold begins; None where there is none."""

    def next_interval_start(self, time: int) -> int | None:
        """The start of the first stored interval after a time; None where there is none."""


class NothingStored:
    """A subject of which nothing is stored."""

    def events_after(self, _: int) -> Sequence[Recorded]:
        return ()

    def interval_at_start(self) -> Interval | None:
        return None

    def next_interval_start(self, _: int) -> int | None:
        return None


class KnownTicks:
    """The ticks from where the fold begins on, in order of time.

    ``context`` are the stored events within the reconciliation tolerance before that: later events
    may state the same facts.
    """

    def __init__(self, stored: StoredSubject | None, context: Sequence[Recorded]) -> None:
        self.ticks: list[Tick] = []
        self.is_complete = stored is None  # all stored events are read
        self.has_reconciled = any(map(is_reconciled, context))
        self._stored = stored or NothingStored()
        self._context = context

    def index_at(self, time: int) -> int:
        """The index of the first tick at or after a time."""
        return bisect_left(self.ticks, time, key=_time)

    def between(self, first: int, last: int) -> Sequence[Tick]:
        """The ticks from one time up to another, both included."""
        begin = self.index_at(first)
        return self.ticks[begin : bisect_right(self.ticks, last, lo=begin, key=_time)]

    def events_within_tolerance(self, time: int) -> Iterator[Recorded]:
        """The known events that are close enough to a time to state facts of that time."""
        self.read_to(time + RECONCILIATION_TOLERANCE_MS)
        yield from within_tolerance(self._context, time)
        for tick in self.between(
            time - RECONCILIATION_TOLERANCE_MS, time + RECONCILIATION_TOLERANCE_MS
        ):
            yield from tick.events

    def read_to(self, time: int) -> None:
        """Read until an event after a time is known, or all stored events are."""
        while not self.is_complete and (not self.ticks or self.ticks[-1].time <= time):
            self.read_more()

    def read_more(self) -> None:
        """Read the next stored events, if there are any."""
        if self.is_complete:
            return
        events = self._stored.events_after(self.ticks[-1].time if self.ticks else -1)
        self.is_complete = not events
        self.has_reconciled = self.has_reconciled or any(map(is_reconciled, events))
        self.ticks += [
            Tick(time, list(same_time))
            for time, same_time in groupby(events, key=lambda recorded: recorded.time)
        ]


def is_reconciled(recorded: Recorded) -> bool:
    """Whether reconciliation brought the event."""
    return recorded.origin is Origin.RECONCILIATION


def within_tolerance(events: Iterable[Recorded], time: int) -> Iterator[Recorded]:
    """Those of some events that are close enough to a time to state facts of that time."""
    return (it for it in events if abs(it.time - time) <= RECONCILIATION_TOLERANCE_MS)


def _time(tick: Tick) -> int:
    return tick.time
