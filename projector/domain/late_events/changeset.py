"""The outcome: all that changes in the tables while one subject's events of a page are folded.

The rule of this file: moments are replaced by others, and only what differs is told. A row that a
request began and a later one of the same page ended is told too: it was known in between. So rows
depend on the log alone, and a reader finds what was known at any position of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar

from projector.domain.counters import Counters
from projector.domain.events import Recorded
from projector.domain.fold import Anomaly, Interval
from projector.domain.late_events.corrections import Correction

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state after all events up to a time, from which a fold can go on."""

    time: int
    state: str
    counters: Counters

    def counting(self, added: Counters) -> Snapshot:
        """The same where more is counted before it."""
        counters = Counters(self.counters.plus(added).counts())
        return Snapshot(time=self.time, state=self.state, counters=counters)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateCount:
    """What a request with late events counts: at all snapshots from a time on, known before."""

    time: int
    known_from: int
    added: Counters


@dataclass(slots=True, kw_only=True)
class Row(Generic[V]):
    """What stands at a time, and the positions of the requests between which it was known."""

    value: V
    known_from: int
    known_to: int | None = None


@dataclass(slots=True)
class Versions(Generic[V]):
    """Rows of one kind, by the time at which they stand."""

    rows: dict[int, Row[V]] = field(default_factory=dict)  # new ones that stand
    passed: list[Row[V]] = field(default_factory=list)  # new ones that a later request ended
    ended: dict[int, int] = field(default_factory=dict)  # stored ones: the position that ended each

    @property
    def new(self) -> Iterator[Row[V]]:
        return chain(self.passed, self.rows.values())

    def replace(self, position: int, before: Mapping[int, V], after: Mapping[int, V]) -> None:
        """A request made some of others; what is equal stays."""
        for time, value in before.items():
            if after.get(time) != value:
                row = self.rows.pop(time, None)
                if row is None:
                    self.ended[time] = position
                else:
                    row.known_to = position
                    self.passed.append(row)
        for time, value in after.items():
            if before.get(time) != value:
                self.rows[time] = Row(value=value, known_from=position)


@dataclass(slots=True)
class Moment:
    """One millisecond in which events happened, and what its fold told."""

    time: int
    events: Sequence[Recorded]  # in order, restatements included
    intervals: Sequence[Interval] = ()
    anomalies: Sequence[Anomaly] = ()
    counters: Counters = field(default_factory=Counters)  # what this moment adds
    state: str | None = None  # after it, where that is kept
    is_snapshot: bool = False


@dataclass(slots=True)
class Outcome:
    """What comes of one life; positions are those of requests, times epoch ms."""

    last: int = 0  # of the times that were disturbed
    added: Counters = field(default_factory=Counters)  # to the subject's
    intervals: Versions[Interval] = field(default_factory=Versions)
    snapshots: Versions[Snapshot] = field(default_factory=Versions)
    late_counts: list[LateCount] = field(default_factory=list)
    anomalies: dict[int, Anomaly] = field(default_factory=dict)  # new ones, by event's position
    withdrawn: set[int] = field(default_factory=set)  # positions of stored ones
    corrections: list[Correction] = field(default_factory=list)

    def note(
        self,
        position: int,
        replaced: Sequence[Moment],
        fresh: Sequence[Moment],
        *,
        counters: Counters,
        is_late: bool = False,
    ) -> None:
        """A request made some moments of others; ``counters`` is the one before them."""
        self.last = max(self.last, *(moments[-1].time for moments in (replaced, fresh) if moments))
        added = total(fresh).plus(total(replaced), times=-1)
        self.added.add(added)
        if is_late and added.counts():
            time = min(moments[0].time for moments in (replaced, fresh) if moments)
            self.late_counts.append(LateCount(time=time, known_from=position, added=added))
        self.intervals.replace(position, intervals(replaced), intervals(fresh))
        before = _snapshots(replaced, counters)
        # One that only counts more stays: the late count tells it.
        moved = {time: it.counting(added) if is_late else it for time, it in before.items()}
        self.snapshots.replace(position, moved, _snapshots(fresh, counters))
        self._note_anomalies(_anomalies(replaced), _anomalies(fresh))

    def _note_anomalies(self, before: dict[int, Anomaly], after: dict[int, Anomaly]) -> None:
        for position, anomaly in before.items():
            if after.get(position) != anomaly and self.anomalies.pop(position, None) is None:
                self.withdrawn.add(position)
        for position, anomaly in after.items():
            if before.get(position) != anomaly:
                self.anomalies[position] = anomaly


def intervals(moments: Iterable[Moment]) -> dict[int, Interval]:
    """What some moments begin, by start."""
    return {interval.start: interval for moment in moments for interval in moment.intervals}


def total(moments: Iterable[Moment]) -> Counters:
    """What some moments add together."""
    found = Counters()
    for moment in moments:
        found.add(moment.counters)
    return found


def _snapshots(moments: Sequence[Moment], counters: Counters) -> dict[int, Snapshot]:
    if not any(moment.is_snapshot for moment in moments):
        return {}
    found, counters = {}, Counters(counters)
    for moment in moments:
        counters.add(moment.counters)
        if moment.is_snapshot and moment.state:
            found[moment.time] = Snapshot(
                time=moment.time, state=moment.state, counters=Counters(counters.counts())
            )
    return found


def _anomalies(moments: Iterable[Moment]) -> dict[int, Anomaly]:
    return {
        anomaly.position: anomaly
        for moment in moments
        for anomaly in moment.anomalies
        if anomaly.position is not None
    }
