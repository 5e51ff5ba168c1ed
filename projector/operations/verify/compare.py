"""The comparison of one subject: its events, folded independently, against its rows. Pure.

Rule: for each position at which a subject is compared, it is folded from its first event. Nothing
that late repair, snapshots or the writer decide is believed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import itemgetter
from random import Random
from typing import Any, Generic

from projector.domain.counters import Counters
from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Origin,
    Recorded,
    facts_once,
    in_order,
    is_snapshot_point,
)
from projector.domain.facts import Fact
from projector.domain.fold import DisplayState, Fold, Interval, S, anomaly_keys
from projector.projection.read_models import (
    FACT_COLUMNS,
    INTERVAL_COLUMNS,
    Key,
    Table,
    fact_to_row,
    interval_to_json,
    interval_to_row,
    late_event_to_json,
)

TableRow = Mapping[str, Any]
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """The first field of a subject in which a table differs from what the log says."""

    table: str
    org_id: str
    id: str
    field: str  # with the key of its row; "row" where the row is missing or superfluous
    expected: Any
    found: Any
    position: int | None = None  # at which the subject was folded
    event_id: str | None = None  # of the last event up to it


@dataclass(slots=True)
class VerifyResult:
    """What was compared, and what differs."""

    subjects: int = 0
    events: int = 0
    rows: int = 0
    moments: int = 0  # positions at which a subject was folded
    left: int = 0  # positions of its requests at which it was not folded
    unfolded: int = 0  # events above their partition's position
    waiting: int = 0  # events of parked subjects, from where they wait
    skipped: int = 0  # events that an operator left out of a subject
    differences: list[TableDifference] = field(default_factory=list)

    def add(self, part: VerifyResult) -> None:
        self.subjects += part.subjects
        self.events += part.events
        self.rows += part.rows
        self.moments += part.moments
        self.left += part.left
        self.differences += part.differences


@dataclass(slots=True)
class _FoldedSubject(Generic[S]):
    """One subject folded from its beginning."""

    fold: Fold[S]
    snapshots: dict[int, tuple[str, dict[str, int]]]  # state and counters, by time


class _Differs(Exception):  # noqa: N818 - carries the difference
    def __init__(self, table: str, name: str, expected: Any, found: Any) -> None:
        super().__init__(name)
        self.difference = table, name, expected, found


class SubjectComparison(Generic[S]):
    """One subject: its events, its rows, and the first difference between them."""

    def __init__(  # noqa: PLR0913 - what is compared
        self,
        table: Table[S],
        key: Key,
        events: Sequence[Recorded],
        rows: Mapping[str, Sequence[TableRow]],
        *,
        chance: Random,
        moments: int,
    ) -> None:
        self._table = table
        self._key = key
        self._events = events
        self._rows = rows
        requests = groupby(sorted(events, key=_position), key=lambda it: it.request_position)
        self._requests = {position: [*request] for position, request in requests}
        self._late = {it for it in self._requests if self._late_of(it)}
        live = self._requests.keys() - self._late
        samples = [_sample(positions, moments, chance) for positions in (self._late, live)]
        self._sampled = sorted(chain(*samples))
        self.moments = len(self._sampled)
        self.left = len(self._requests) - self.moments

    def difference(self) -> TableDifference | None:
        """The first difference; a row that cannot be read is one too."""
        position: int | None = None
        try:
            self._check_positions()
            self._check_counts()
            for position in self._sampled:
                self._check_request(position)
            position = max(self._requests, default=None)
            if position is None:
                self._check_nothing()
            else:
                self._check_now()
        except _Differs as error:
            return self._difference(position, *error.difference)
        except (TypeError, ValueError) as error:
            return self._difference(position, self._table.name, "some row", "", str(error))
        return None

    def _difference(
        self, position: int | None, table: str, name: str, expected: Any, found: Any
    ) -> TableDifference:
        request = self._requests.get(position or 0, ())
        return TableDifference(
            table=table,
            org_id=self._key[0],
            id=self._key[1],
            field=name,
            expected=expected,
            found=found,
            position=position,
            event_id=request[-1].event.id if request else None,
        )

    # --- what is known now ---

    def _check_nothing(self) -> None:
        for name, rows in self._rows.items():
            self._compare(name, {}, dict(enumerate(rows)))

    def _check_now(self) -> None:
        last = max(self._requests)
        folded = self._fold(last)
        self._check_state(folded)
        self._check_anomalies(folded)
        self._check_known(last, folded)

    def _check_state(self, folded: _FoldedSubject[S]) -> None:
        table, state, events = self._table, folded.fold.state, self._events
        outlook = table.outlook(state)
        newest = max(events, key=_position)
        expected = {
            "partition": table.partition_of(self._key),
            "position": newest.position,
            "state": table.dump(state),
            "counters": state.counters.counts(),
            "facets": table.facets(state),
            "deadline": state.deadline(),
            "later_facets": outlook.stages_to_json(),
            "later_anomalies": outlook.anomalies_to_json(),
            "anomaly_time": outlook.anomaly_time,
            "last_event_time": state.last_event.time if state.last_event else 0,
            "last_event_type": state.last_event.type if state.last_event else "",
            "first_event_time": min(it.time for it in events),
            "last_recorded_time": newest.recorded_time,
            "max_clock_lead_ms": max(it.time - it.recorded_time for it in events),
            "max_lateness_ms": max(it.recorded_time - it.time for it in events),
            "waiting_since": state.waiting_since(),
            "last_known_time": max(it.time for it in events),
        }
        rows = self._rows[table.name]
        self._compare(table.name, {"": expected}, dict.fromkeys([""], rows[0]) if rows else {})

    def _check_anomalies(self, folded: _FoldedSubject[S]) -> None:
        expected = {
            key: {
                "kind": it.kind.value,
                "event_id": it.event_id,
                "gap_from": it.gap_from,
                "gap_to": it.gap_to,
            }
            for key, it in anomaly_keys(folded.fold.anomalies).items()
        }
        name = self._table.anomalies
        found = {(row["position"], row["gap_to"]): row for row in self._rows[name]}
        self._compare(name, expected, found)

    # --- what was known ---

    def _check_positions(self) -> None:
        """Rows become known, and cease to be, at positions of the subject's requests."""
        table, requests, late = self._table, self._requests.keys(), self._late
        for name, column, positions in (
            (table.intervals, "known_from", requests),
            (table.intervals, "known_to", requests | {None}),
            (table.snapshots, "known_from", requests),
            (table.snapshots, "known_to", requests | {None}),
            (table.late_counts, "known_from", late),
            (table.corrections, "position", late),
            *(((table.facts, "known_from", requests),) if table.facts else ()),
            *(((table.facts, "known_to", requests | {None}),) if table.facts else ()),
        ):
            for row in self._rows[name]:
                if row[column] not in positions:
                    raise _Differs(name, column, "where a request of it begins", row[column])

    def _check_counts(self) -> None:
        """Stored counters are a number for each name."""
        for name, column in (
            (self._table.snapshots, "counters"),
            (self._table.late_counts, "added"),
        ):
            for row in self._rows[name]:
                counts = row[column]
                if not isinstance(counts, dict) or not all(
                    type(it) is int for it in counts.values()
                ):
                    raise _Differs(name, column, "a number for each name", counts)

    def _check_request(self, position: int) -> None:
        """What one request changed."""
        after = self._fold(position)
        if position in self._late:
            self._check_late_counts(position, self._fold(position - 1), after)
            self._check_corrections(position)
        self._check_known(position, after)

    def _check_known(self, position: int, folded: _FoldedSubject[S]) -> None:
        table = self._table
        expected = {it.start: _interval_fields(it) for it in folded.fold.intervals}
        found = self._rows_known_at(table.intervals, itemgetter("start"), position)
        self._compare(table.intervals, expected, found)
        snapshots = {
            time: {"state": state, "counters": counters}
            for time, (state, counters) in folded.snapshots.items()
        }
        found = self._rows_known_at(table.snapshots, itemgetter("time"), position)
        self._compare(
            table.snapshots,
            snapshots,
            {
                time: {**row, "counters": self._counted(row, position)}
                for time, row in found.items()
            },
        )
        if table.facts is not None:
            facts = {key: _fact_fields(fact) for key, fact in folded.fold.facts().items()}
            found = self._rows_known_at(
                table.facts, itemgetter("kind", "start", "number"), position
            )
            self._compare(table.facts, facts, found)

    def _rows_known_at(
        self, name: str, row_key: Callable[[TableRow], Any], position: int
    ) -> dict[Any, TableRow]:
        rows = [
            row
            for row in self._rows[name]
            if row["known_from"] <= position
            and (row["known_to"] is None or row["known_to"] > position)
        ]
        found = {row_key(row): row for row in rows}
        if len(found) < len(rows):
            raise _Differs(name, "known_from", "one row at a time", f"{len(rows)} rows")
        return found

    def _counted(self, row: TableRow, position: int) -> Mapping[str, int]:
        counters = Counters(row["counters"])
        for late in self._rows[self._table.late_counts]:
            if late["time"] <= row["time"] and row["known_from"] < late["known_from"] <= position:
                counters.add(late["added"])
        return counters.counts()

    def _check_late_counts(
        self, position: int, before: _FoldedSubject[S], after: _FoldedSubject[S]
    ) -> None:
        added = after.fold.state.counters.plus(before.fold.state.counters, times=-1).counts()
        expected = {self._first_time_of(position): {"added": added}} if added else {}
        name = self._table.late_counts
        found = {row["time"]: row for row in self._rows[name] if row["known_from"] == position}
        self._compare(name, expected, found)

    def _first_time_of(self, position: int) -> int:
        """The first time that a request may have disturbed."""
        request = self._requests[position]
        first, last = min(it.time for it in request), max(it.time for it in request)
        tolerance_ms = RECONCILIATION_TOLERANCE_MS
        earlier = [
            it
            for it in self._events
            if it.position < position and first - tolerance_ms <= it.time <= last + tolerance_ms
        ]
        if not any(it.origin is Origin.RECONCILIATION for it in earlier):
            return first
        return min(first, *(it.time for it in earlier))

    def _check_corrections(self, position: int) -> None:
        table, late = self._table, in_order(self._late_of(position))
        recorded_time = late[0].recorded_time
        before = self._shown(position - 1, recorded_time)
        after = self._shown(position, recorded_time)
        expected = {
            start: {
                "partition": table.partition_of(self._key),
                "finish": end,
                "recorded_time": recorded_time,
                "event_id": late[0].event.id,
                "before": [interval_to_json(*it) for it in _over(before, start, end)],
                "after": [interval_to_json(*it) for it in _over(after, start, end)],
                "events": [late_event_to_json(it) for it in late],
            }
            for start, end in _changed(before, after)
            if not _only_ends(before, start, end, late)
        }
        rows = [row for row in self._rows[table.corrections] if row["position"] == position]
        self._compare(table.corrections, expected, {row["start"]: row for row in rows})

    def _shown(self, position: int, time: int) -> list[tuple[Interval, int | None]]:
        """The intervals with their ends that a reader at a time was display."""
        intervals = self._fold(position).fold.advance_to(time).intervals
        ends = [*(it.start for it in intervals[1:]), None]
        return [*zip(intervals, ends, strict=True)]

    # --- folding and comparing ---

    def _late_of(self, position: int) -> list[Recorded]:
        """The events of a request that lie before the last one known until then."""
        newest = max((it.order for it in self._events if it.position < position), default=None)
        request = self._requests[position]
        return [] if newest is None else [it for it in request if it.order < newest]

    def _fold(self, position: int) -> _FoldedSubject[S]:
        """The fold of all events up to the request of a position."""
        events = in_order(it for it in self._events if it.request_position <= position)
        subject_fold, snapshots = Fold(self._table.fresh()), dict[int, tuple[str, dict[str, int]]]()
        for time, same_time in groupby(facts_once(events), key=lambda it: it.time):
            tick = [*same_time]
            subject_fold.apply(time, tick)
            if any(map(is_snapshot_point, tick)):
                state = subject_fold.state
                snapshots[time] = self._table.dump(state), state.counters.counts()
        return _FoldedSubject(subject_fold, snapshots)

    def _compare(
        self, name: str, expected: Mapping[Any, Fields], found: Mapping[Any, TableRow]
    ) -> None:
        for key, column, *values in differing(expected, found):
            raise _Differs(name, f"{column}[{key}]" if key != "" else column, *values)


def differing(
    expected: Mapping[Any, Fields], found: Mapping[Any, TableRow]
) -> Iterator[tuple[Any, str, Any, Any]]:
    """Where rows are not as expected: key, field, expected and found value, by key."""
    for key in sorted({*expected, *found}, key=str):
        if key not in found:
            yield key, "row", dict(expected[key]), None
        elif key not in expected:
            yield key, "row", None, dict(found[key])
        else:
            for column, value in expected[key].items():
                if found[key][column] != value:
                    yield key, column, value, found[key][column]


def _sample(positions: Iterable[int], size: int, chance: Random) -> Sequence[int]:
    ordered = sorted(positions)
    return ordered if len(ordered) <= size else chance.sample(ordered, size)


def _position(recorded: Recorded) -> int:
    return recorded.position


def _interval_fields(interval: Interval) -> Fields:
    return dict(zip(INTERVAL_COLUMNS.types, interval_to_row(interval), strict=True))


def _fact_fields(fact: Fact) -> Fields:
    return dict(zip(FACT_COLUMNS.types, fact_to_row(fact), strict=True))


IntervalsWithEnds = Sequence[tuple[Interval, int | None]]


def _changed(
    before: IntervalsWithEnds, after: IntervalsWithEnds
) -> Iterator[tuple[int, int | None]]:
    """The longest periods in which something else is shown, by comparing each instant."""
    edges = sorted({it.start for it, _ in (*before, *after)})
    begun: int | None = None
    for edge in edges:
        old, new = _at(before, edge), _at(after, edge)
        differs = old is not None and old != new
        if differs and begun is None:
            begun = edge
        elif not differs and begun is not None:
            yield begun, edge
            begun = None
    if begun is not None:
        yield begun, None


def _at(display: IntervalsWithEnds, time: int) -> DisplayState | None:
    index = bisect_right(display, time, key=lambda it: it[0].start)
    return display[index - 1][0].display if index else None


def _over(display: IntervalsWithEnds, start: int, end: int | None) -> IntervalsWithEnds:
    return [
        (it, until)
        for it, until in display
        if (until is None or until > start) and (end is None or it.start < end)
    ]


def _only_ends(
    before: IntervalsWithEnds, start: int, end: int | None, late: Sequence[Recorded]
) -> bool:
    """Whether the only change is that the running interval ends at the time of a late event."""
    over = _over(before, start, end)
    return (
        end is None
        and len(over) == 1
        and over[0][0].start < start
        and start in {it.time for it in late}
    )
