"""The tables of one subject in memory, written in batches as the projection writes them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from projector.domain.counters import Counters
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Recorded
from projector.domain.facts import Fact, FactKey
from projector.domain.fold import Anomaly, AnomalyKey, Interval
from projector.domain.late_events.changeset import LateCount, RowChanges, Snapshot, VersionedRow
from projector.domain.late_events.corrections import Correction
from projector.domain.late_events.repair import SubjectRepair, by_request
from projector.projection.read_models import Table

K = TypeVar("K")
V = TypeVar("V")


class SubjectTables:
    """What is stored of one subject; ``read_size`` is the number of events read at a time."""

    def __init__(self, table: Table[Any], read_size: int) -> None:
        self.table = table
        self.read_size = read_size
        self.state: str | None = None
        self.counters = Counters()
        self.events: list[Recorded] = []
        self.rows: list[VersionedRow[Interval]] = []
        self.anomalies: dict[AnomalyKey, Anomaly] = {}
        self.snapshots: list[VersionedRow[Snapshot]] = []
        self.late_counts: list[LateCount] = []
        self.facts: list[VersionedRow[Fact]] = []
        self.corrections: list[Correction] = []

    def project(self, batch: Sequence[Recorded]) -> None:
        """Project the subject's events of a batch, in the order of positions."""
        in_order = sorted(batch, key=lambda it: it.order)
        base: Snapshot | None = None
        if self.state is None or self.table.load(self.state).can_append(
            in_order, max(it.time for it in self.events)
        ):
            repair = SubjectRepair(
                self.table, self.state, counters=self.counters, stored=StoredInTables(self, None)
            )
        else:
            safe_time = in_order[0].time - RECONCILIATION_TOLERANCE_MS
            base = self.snapshot(safe_time - 1, max(it.position for it in self.events))
            since = base.time if base else -1
            repair = SubjectRepair(
                self.table,
                base.state if base else None,
                counters=base.counters if base else {},
                stored=StoredInTables(self, since),
                context=[
                    it
                    for it in self.events
                    if since - RECONCILIATION_TOLERANCE_MS <= it.time <= since
                ],
            )
        repair.apply(by_request(batch))
        self._write(repair, batch)

    def snapshot(self, time: int, known: int) -> Snapshot | None:
        """The last snapshot up to a time, as it was known at a position."""
        rows = (
            row
            for row in self.snapshots
            if row.value.time <= time
            and row.known_from <= known
            and (row.known_to is None or row.known_to > known)
        )
        row = max(rows, key=lambda row: row.value.time, default=None)
        if row is None:
            return None
        counters = Counters(row.value.counters)
        for late in self.late_counts:
            if late.time <= row.value.time and row.known_from < late.known_from <= known:
                counters.add(late.added)
        return Snapshot(time=row.value.time, state=row.value.state, counters=counters)

    def _write(self, repair: SubjectRepair[Any], batch: Sequence[Recorded]) -> None:
        state = repair.state()
        if state is not None:
            self.state = self.table.dump(state)
        self.counters.add(repair.changes.added)
        self.events = sorted([*self.events, *batch], key=lambda it: it.order)
        _version(self.rows, repair.changes.intervals, lambda interval: interval.start)
        _version(self.snapshots, repair.changes.snapshots, lambda snapshot: snapshot.time)
        _version(self.facts, repair.changes.facts, lambda fact: fact.key)
        self.late_counts += repair.changes.late_counts
        for key in repair.changes.withdrawn:
            del self.anomalies[key]
        self.anomalies |= repair.changes.anomalies
        self.corrections += repair.changes.corrections

    def current_intervals(self) -> list[Interval]:
        """The intervals that no later request superseded."""
        rows = [row.value for row in self.rows if row.known_to is None]
        return sorted(rows, key=lambda it: it.start)

    def facts_known_at(self, position: int) -> dict[FactKey, Fact]:
        """The facts as they were known at a position."""
        rows = [
            row.value
            for row in self.facts
            if row.known_from <= position and (row.known_to is None or row.known_to > position)
        ]
        facts = {fact.key: fact for fact in rows}
        assert len(facts) == len(rows)
        return facts


def _version(
    rows: list[VersionedRow[V]], changes: RowChanges[K, V], key_of: Callable[[V], K]
) -> None:
    for row in rows:
        if row.known_to is None and key_of(row.value) in changes.ended:
            row.known_to = changes.ended[key_of(row.value)]
    rows += changes.new


class StoredInTables:
    """What the database answers about events after ``since``; None: the base has all events."""

    def __init__(self, tables: SubjectTables, since: int | None) -> None:
        self._events = [] if since is None else [it for it in tables.events if it.time > since]
        self._intervals = tables.current_intervals()
        self._read_size = tables.read_size
        self._since = since

    def events_after(self, after: int) -> Sequence[Recorded]:
        rest = [it for it in self._events if it.time > after]
        return [it for it in rest if it.time <= rest[: self._read_size][-1].time] if rest else []

    def interval_at_start(self) -> Interval | None:
        if self._since is None:
            return self._intervals[-1] if self._intervals else None
        count = bisect_right(self._intervals, self._since, key=lambda it: it.start)
        return self._intervals[count - 1] if count else None

    def next_interval_start(self, after: int) -> int | None:
        return next((it.start for it in self._intervals if it.start > after), None)
