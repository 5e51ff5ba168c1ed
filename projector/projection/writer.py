"""The writer: all that a batch changes, into the tables, one statement per table.

Each statement takes the rows of all subjects as arrays, in the database's binary format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from projector.domain.events import Recorded
from projector.domain.fold import Anomaly, S
from projector.domain.late_events.changeset import ChangeSet, RowChanges
from projector.domain.late_events.corrections import Correction, ShownInterval
from projector.infrastructure.sql import Columns
from projector.projection.partitions import BucketKey, count_ledger_rows
from projector.projection.read_models import (
    PASSING_TIME,
    Key,
    Table,
    interval_to_json,
    interval_to_row,
    kpi_facts_to_array,
    late_event_to_json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectChanges(Generic[S]):
    """One subject after a batch: its change sets, its state, and the events of the batch."""

    changesets: Sequence[ChangeSet]
    state: S
    events: Sequence[Recorded]  # by position


Changes = Mapping[Key, SubjectChanges[S]]


def write(cur: Cursor[TupleRow], table: Table[S], changes: Changes[S]) -> None:
    """Write all that changes of some subjects, in the caller's transaction."""
    at_deadline = {key: table.state_at_deadline(one.state) for key, one in changes.items()}
    _write_states(cur, table, changes, at_deadline)
    _write_intervals(cur, table, changes)
    _write_anomalies(cur, table, changes, at_deadline)
    _write_snapshots(cur, table, changes)
    _write_late_counts(cur, table, changes)
    _write_corrections(cur, table, changes)
    count_ledger_rows(cur, _ledger_rows(table, changes))


# --- states ---

_STATES = Columns(
    {
        "org_id": "text",
        "id": "text",
        "partition": "smallint",
        "position": "bigint",
        "state": "text",
        "counters": "jsonb",
        "facets": "jsonb",
        "deadline": "bigint",
        "facets_after_deadline": "jsonb",
        "last_event_time": "bigint",
        "last_event_type": "text",
        "first_event_time": "bigint",
        "last_recorded_time": "bigint",
        "max_clock_lead_ms": "bigint",
        "max_lateness_ms": "bigint",
    }
)
# An array of arrays would be one array of two dimensions, so these come as text.
_STATES_AND_FACTS = Columns({**_STATES.types, "kpi_facts": "text"})
_UPSERT_STATES = sql.SQL("""
    INSERT INTO {table} AS v ({columns}, kpi_facts)
    SELECT {columns}, kpi_facts::bigint[] FROM {rows}
    ON CONFLICT (org_id, id) DO UPDATE SET position = excluded.position,
        state = excluded.state, counters = excluded.counters, facets = excluded.facets,
        deadline = excluded.deadline, facets_after_deadline = excluded.facets_after_deadline,
        last_event_time = excluded.last_event_time, last_event_type = excluded.last_event_type,
        kpi_facts = excluded.kpi_facts,
        first_event_time = least(v.first_event_time, excluded.first_event_time),
        last_recorded_time = excluded.last_recorded_time,
        max_clock_lead_ms = greatest(v.max_clock_lead_ms, excluded.max_clock_lead_ms),
        max_lateness_ms = greatest(v.max_lateness_ms, excluded.max_lateness_ms)
""")


def _write_states(
    cur: Cursor[TupleRow],
    table: Table[S],
    changes: Changes[S],
    at_deadline: Mapping[Key, S | None],
) -> None:
    rows = [_state_row(table, key, one, at_deadline[key]) for key, one in changes.items()]
    _run(cur, _UPSERT_STATES, table.name, _STATES_AND_FACTS, rows, columns=_STATES)


def _state_row(
    table: Table[S], key: Key, one: SubjectChanges[S], at_deadline: S | None
) -> tuple[object, ...]:
    state, newest, last_event = one.state, one.events[-1], one.state.last_event
    facts = table.kpi_facts(state)
    return (
        *key,
        table.partition_of(key),
        newest.position,
        table.dump(state),
        Jsonb(state.counters.counts()),
        Jsonb(table.facets(state)),
        state.deadline(),
        None if at_deadline is None else Jsonb(table.facets(at_deadline)),
        last_event.time if last_event else 0,
        last_event.type if last_event else "",
        min(recorded.time for recorded in one.events),
        newest.recorded_time,
        max(recorded.time - recorded.recorded_time for recorded in one.events),
        max(recorded.recorded_time - recorded.time for recorded in one.events),
        None if facts is None else kpi_facts_to_array(facts),
    )


# --- rows with versions ---

_ENDED = Columns({"org_id": "text", "id": "text", "time": "bigint", "known_to": "bigint"})
_END = sql.SQL("""
    UPDATE {table} AS r SET known_to = k.known_to FROM {rows}
    WHERE r.org_id = k.org_id AND r.id = k.id AND r.{time} = k.time AND r.known_to IS NULL
""")
_INSERT = sql.SQL("INSERT INTO {table} ({columns}) SELECT * FROM {rows}")
_INTERVALS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "known_from": "bigint",
        "known_to": "bigint",
        "start": "bigint",
        "status": "text",
        "current_state": "text",
        "task_id": "text",
        "queue_id": "text",
        "idle_code_id": "text",
        "event_id": "text",
    }
)
_SNAPSHOTS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "known_from": "bigint",
        "known_to": "bigint",
        "time": "bigint",
        "state": "text",
        "counters": "jsonb",
    }
)


def _write_intervals(cur: Cursor[TupleRow], table: Table[S], changes: Changes[S]) -> None:
    versions = [(key, each.intervals) for key, each in _changesets(changes)]
    _end(cur, table.intervals, versions, time="start")
    rows = [
        (*key, row.known_from, row.known_to, *interval_to_row(row.value))
        for key, each in versions
        for row in each.new
    ]
    _run(cur, _INSERT, table.intervals, _INTERVALS, rows)


def _write_snapshots(cur: Cursor[TupleRow], table: Table[S], changes: Changes[S]) -> None:
    versions = [(key, each.snapshots) for key, each in _changesets(changes)]
    _end(cur, table.snapshots, versions, time="time")
    rows = [
        (*key, row.known_from, row.known_to, it.time, it.state, Jsonb(it.counters))
        for key, each in versions
        for row in each.new
        for it in [row.value]
    ]
    _run(cur, _INSERT, table.snapshots, _SNAPSHOTS, rows)


def _end(
    cur: Cursor[TupleRow], table: str, versions: Iterable[tuple[Key, RowChanges[Any]]], *, time: str
) -> None:
    """Write until which position stored rows were known."""
    rows = [(*key, *ended) for key, each in versions for ended in each.ended.items()]
    _run(cur, _END, table, _ENDED, rows, time=time)


# --- anomalies ---

_WITHDRAWN = Columns({"org_id": "text", "id": "text", "position": "bigint"})
_WITHDRAW = sql.SQL("""
    DELETE FROM {table} AS a USING {rows}
    WHERE a.org_id = k.org_id AND a.id = k.id AND a.position = k.position
""")
_ANOMALIES = Columns(
    {
        "org_id": "text",
        "id": "text",
        "position": "bigint",
        "kind": "text",
        "event_id": "text",
        "gap_from": "bigint",
        "gap_to": "bigint",
    }
)


def _write_anomalies(
    cur: Cursor[TupleRow],
    table: Table[S],
    changes: Changes[S],
    at_deadline: Mapping[Key, S | None],
) -> None:
    withdrawn = [
        (*key, position) for key, each in _changesets(changes) for position in each.withdrawn
    ]
    if table.has_deadlines:
        withdrawn += [(*key, PASSING_TIME) for key in changes]
    _run(cur, _WITHDRAW, table.anomalies, _WITHDRAWN, withdrawn)
    by_event = [
        (*key, *_anomaly(anomaly))
        for key, each in _changesets(changes)
        for anomaly in each.anomalies.values()
    ]
    by_time = [
        (*key, *_anomaly(anomaly))
        for key, one in changes.items()
        if (anomaly := (at_deadline[key] or one.state).deadline_anomaly()) is not None
    ]
    _run(cur, _INSERT, table.anomalies, _ANOMALIES, by_event + by_time)


def _anomaly(anomaly: Anomaly) -> tuple[object, ...]:
    return (
        PASSING_TIME if anomaly.position is None else anomaly.position,
        anomaly.kind.value,
        anomaly.event_id,
        anomaly.gap_from,
        anomaly.gap_to,
    )


# --- late counts and corrections ---

_LATE_COUNTS = Columns(
    {"org_id": "text", "id": "text", "time": "bigint", "known_from": "bigint", "added": "jsonb"}
)
_CORRECTIONS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "partition": "smallint",
        "position": "bigint",
        "start": "bigint",
        "finish": "bigint",
        "recorded_time": "bigint",
        "event_id": "text",
        "before": "jsonb",
        "after": "jsonb",
        "events": "jsonb",
    }
)


def _write_late_counts(cur: Cursor[TupleRow], table: Table[S], changes: Changes[S]) -> None:
    rows = [
        (*key, late.time, late.known_from, Jsonb(late.added.counts()))
        for key, each in _changesets(changes)
        for late in each.late_counts
    ]
    _run(cur, _INSERT, table.late_counts, _LATE_COUNTS, rows)


def _write_corrections(cur: Cursor[TupleRow], table: Table[S], changes: Changes[S]) -> None:
    rows = [
        (*key, table.partition_of(key), *_correction(correction))
        for key, each in _changesets(changes)
        for correction in each.corrections
    ]
    _run(cur, _INSERT, table.corrections, _CORRECTIONS, rows)


def _correction(it: Correction) -> tuple[object, ...]:
    first = it.late[0]

    def as_json(shown: Iterable[ShownInterval]) -> Jsonb:
        return Jsonb([interval_to_json(one.interval, one.end) for one in shown])

    return (
        first.request_position,
        it.start,
        it.end,
        first.recorded_time,
        first.event.id,
        as_json(it.before),
        as_json(it.after),
        Jsonb([late_event_to_json(late) for late in it.late]),
    )


def _ledger_rows(table: Table[S], changes: Changes[S]) -> Mapping[BucketKey, tuple[int, int]]:
    """How many anomalies and corrections each bucket has more than before."""
    rows: dict[BucketKey, tuple[int, int]] = {}
    for key, each in _changesets(changes):
        bucket = (table.name, table.bucket_of(key))
        anomalies, corrections = rows.get(bucket, (0, 0))
        anomalies += len(each.anomalies) - len(each.withdrawn)
        rows[bucket] = (anomalies, corrections + len(each.corrections))
    return rows


# --- statements ---


def _changesets(changes: Changes[S]) -> Iterator[tuple[Key, ChangeSet]]:
    return ((key, each) for key, one in changes.items() for each in one.changesets)


def _run(  # noqa: PLR0913 - a statement, its table and its rows
    cur: Cursor[TupleRow],
    statement: sql.SQL,
    table: str,
    source: Columns,
    rows: Sequence[Sequence[Any]],
    *,
    columns: Columns | None = None,
    time: str = "time",
) -> None:
    """Run a statement on some rows; nothing without rows."""
    if rows:
        query = _query(statement.as_string(), table, source, columns or source, time)
        cur.execute(query, source.parameters(rows), prepare=True)


@cache
def _query(statement: Any, table: str, source: Columns, columns: Columns, time: str) -> bytes:
    return (
        sql.SQL(statement)
        .format(
            table=sql.Identifier(table),
            columns=columns.names,
            rows=source.unnest("k"),
            time=sql.Identifier(time),
        )
        .as_bytes()
    )
