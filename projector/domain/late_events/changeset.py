"""The change set: all that some requests change in the tables of a subject.

Rule: ticks replace ticks, and only what differs is a change. A row that one request begins and a
later request of the same batch ends is written too, because it was known in between. So the rows
depend on the log alone, and a reader finds what was known at any position of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar

from projector.domain.counters import Counters
from projector.domain.facts import Fact, FactKey, Facts
from projector.domain.fold import Anomaly, AnomalyKey, Interval, anomaly_keys
from projector.domain.late_events.corrections import Correction
from projector.domain.late_events.known_ticks import Tick

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state after all events up to a time (epoch ms), from which a fold can go on."""

    time: int
    state: str
    counters: Counters

    def with_more(self, added: Counters) -> Snapshot:
        """The same snapshot with more counted before it."""
        counters = Counters(self.counters.plus(added).counts())
        return Snapshot(time=self.time, state=self.state, counters=counters)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateCount:
    """What a request with late events adds to the counters of later snapshots.

    It holds for snapshots of ``time`` (epoch ms) and later that were known before ``known_from``
    (a position).
    """

    time: int
    known_from: int
    added: Counters


@dataclass(slots=True, kw_only=True)
class VersionedRow(Generic[V]):
    """A row, and the positions of the requests between which it was known."""

    value: V
    known_from: int
    known_to: int | None = None


@dataclass(slots=True)
class RowChanges(Generic[K, V]):
    """Changes of the rows of one table, by what tells the rows of a subject apart."""

    current: dict[K, VersionedRow[V]] = field(default_factory=dict)  # new, and still valid
    superseded: list[VersionedRow[V]] = field(default_factory=list)  # new, ended by a later request
    ended: dict[K, int] = field(default_factory=dict)  # stored rows: the position that ends each

    @property
    def new(self) -> Iterator[VersionedRow[V]]:
        """All rows to insert."""
        return chain(self.superseded, self.current.values())

    def replace(self, position: int, before: Mapping[K, V], after: Mapping[K, V]) -> None:
        """The request at ``position`` turns some rows into others; equal rows stay."""
        for key, value in before.items():
            if after.get(key) != value:
                row = self.current.pop(key, None)
                if row is None:
                    self.ended[key] = position
                else:
                    row.known_to = position
                    self.superseded.append(row)
        for key, value in after.items():
            if before.get(key) != value:
                self.current[key] = VersionedRow(value=value, known_from=position)


@dataclass(slots=True)
class ChangeSet:
    """What some requests change of one subject; positions are those of requests, times epoch ms."""

    last_time: int = 0  # of the ticks that were replaced or added
    added: Counters = field(default_factory=Counters)  # to the subject's counters
    # Intervals and snapshots by time (epoch ms).
    intervals: RowChanges[int, Interval] = field(default_factory=RowChanges)
    snapshots: RowChanges[int, Snapshot] = field(default_factory=RowChanges)
    facts: RowChanges[FactKey, Fact] = field(default_factory=RowChanges)
    late_counts: list[LateCount] = field(default_factory=list)
    anomalies: dict[AnomalyKey, Anomaly] = field(default_factory=dict)  # new ones
    withdrawn: set[AnomalyKey] = field(default_factory=set)  # stored ones
    corrections: list[Correction] = field(default_factory=list)

    def record(  # noqa: PLR0913 - what replaces what, and what stands before it
        self,
        position: int,
        replaced: Sequence[Tick],
        new: Sequence[Tick],
        *,
        counters: Counters,
        live_facts: tuple[Facts, Facts],
        is_late: bool = False,
    ) -> None:
        """Record that the request at a position replaced some ticks by new ones.

        ``counters`` are the counters before the first of these ticks. ``live_facts`` are those that
        may change after the last one: of the replaced ticks, and of the new ones.
        """
        self.last_time = max(
            self.last_time, *(ticks[-1].time for ticks in (replaced, new) if ticks)
        )
        added = total(new).plus(total(replaced), times=-1)
        self.added.add(added)
        if is_late and added.counts():
            time = min(ticks[0].time for ticks in (replaced, new) if ticks)
            self.late_counts.append(LateCount(time=time, known_from=position, added=added))
        self.intervals.replace(position, intervals(replaced), intervals(new))
        before = _snapshots(replaced, counters)
        # A stored snapshot that differs in its counters alone stays: readers add the late count.
        expected = {time: it.with_more(added) if is_late else it for time, it in before.items()}
        self.snapshots.replace(position, expected, _snapshots(new, counters))
        live_before, live_after = live_facts
        self.facts.replace(position, _facts(replaced, live_before), _facts(new, live_after))
        self._record_anomalies(_anomalies(replaced), _anomalies(new))

    def _record_anomalies(
        self, before: dict[AnomalyKey, Anomaly], after: dict[AnomalyKey, Anomaly]
    ) -> None:
        for key, anomaly in before.items():
            if after.get(key) != anomaly and self.anomalies.pop(key, None) is None:
                self.withdrawn.add(key)
        for key, anomaly in after.items():
            if before.get(key) != anomaly:
                self.anomalies[key] = anomaly


def intervals(ticks: Iterable[Tick]) -> dict[int, Interval]:
    """The intervals that some ticks begin, by start."""
    return {interval.start: interval for tick in ticks for interval in tick.intervals}


def total(ticks: Iterable[Tick]) -> Counters:
    """The sum of what some ticks add to the counters."""
    counters = Counters()
    for tick in ticks:
        counters.add(tick.counters)
    return counters


def _facts(ticks: Sequence[Tick], live: Facts) -> Facts:
    """The facts that are final in some ticks, and those that may change after them."""
    facts = dict(live)
    for tick in ticks:
        facts |= tick.facts
    return facts


def _snapshots(ticks: Sequence[Tick], counters: Counters) -> dict[int, Snapshot]:
    if not any(tick.has_snapshot for tick in ticks):
        return {}
    snapshots, counters = {}, Counters(counters)
    for tick in ticks:
        counters.add(tick.counters)
        if tick.has_snapshot and tick.state:
            snapshots[tick.time] = Snapshot(
                time=tick.time, state=tick.state, counters=Counters(counters.counts())
            )
    return snapshots


def _anomalies(ticks: Iterable[Tick]) -> dict[AnomalyKey, Anomaly]:
    return anomaly_keys(anomaly for tick in ticks for anomaly in tick.anomalies)
