"""The writer: all that a batch changes, into the read models, one statement per table.

Each statement takes the rows of all subjects as arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from projector.domain.events import Recorded
from projector.domain.facts import Fact
from projector.domain.fold import S
from projector.domain.late_events.changeset import ChangeSet, RowChanges, Snapshot
from projector.domain.late_events.corrections import Correction, ShownInterval
from projector.infrastructure.sql import Columns
from projector.projection.partitions import BucketKey, count_ledger_rows
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectChanges(Generic[S]):
    """One subject after a batch: its change sets, its state, and the events of the batch."""

    changesets: Sequence[ChangeSet]
    state: S
    events: Sequence[Recorded]  # by position


BatchChanges = Mapping[Key, SubjectChanges[S]]


def write(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    """Write all that changes of some subjects, in the caller's transaction."""
    _write_states(cur, table, changes)
    _write_intervals(cur, table, changes)
    _write_facts(cur, table, changes)
    _write_anomalies(cur, table, changes)
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
        "later_facets": "jsonb",
        "later_anomalies": "jsonb",
        "anomaly_time": "bigint",
        "last_event_time": "bigint",
        "last_event_type": "text",
        "first_event_time": "bigint",
        "last_recorded_time": "bigint",
        "max_clock_lead_ms": "bigint",
        "max_lateness_ms": "bigint",
        "waiting_since": "bigint",
        "last_known_time": "bigint",
    }
)
_UPSERT_STATES = """
    INSERT INTO {table} AS v ({columns}) SELECT {values} FROM {rows}
    ON CONFLICT (org_id, id) DO UPDATE SET position = excluded.position,
        state = excluded.state, counters = excluded.counters, facets = excluded.facets,
        deadline = excluded.deadline, later_facets = excluded.later_facets,
        later_anomalies = excluded.later_anomalies, anomaly_time = excluded.anomaly_time,
        waiting_since = excluded.waiting_since,
        last_event_time = excluded.last_event_time, last_event_type = excluded.last_event_type,
        last_known_time = greatest(v.last_known_time, excluded.last_known_time),
        first_event_time = least(v.first_event_time, excluded.first_event_time),
        last_recorded_time = excluded.last_recorded_time,
        max_clock_lead_ms = greatest(v.max_clock_lead_ms, excluded.max_clock_lead_ms),
        max_lateness_ms = greatest(v.max_lateness_ms, excluded.max_lateness_ms)
"""


def _write_states(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    rows = [_state_row(table, key, it) for key, it in changes.items()]
    _run(cur, _UPSERT_STATES, table.name, _STATES, rows)


def _state_row(table: Table[S], key: Key, changes: SubjectChanges[S]) -> tuple[object, ...]:
    state, events, outlook = changes.state, changes.events, table.outlook(changes.state)
    last_event = state.last_event  # in order; the last of ``events`` is the last to arrive
    return (
        *key,
        table.partition_of(key),
        events[-1].position,
        table.dump(state),
        Jsonb(state.counters.counts()),
        Jsonb(table.facets(state)),
        state.deadline(),
        _json(outlook.stages_to_json()),
        _json(outlook.anomalies_to_json()),
        outlook.anomaly_time,
        last_event.time if last_event else 0,
        last_event.type if last_event else "",
        min(recorded.time for recorded in events),
        events[-1].recorded_time,
        max(recorded.time - recorded.recorded_time for recorded in events),
        max(recorded.recorded_time - recorded.time for recorded in events),
        state.waiting_since(),
        max(recorded.time for recorded in events),
    )


def _json(value: object) -> Jsonb | None:
    return None if value is None else Jsonb(value)


# --- rows with versions ---

_ENDED_INTERVALS = Columns(
    {"org_id": "text", "id": "text", "start": "bigint", "known_to": "bigint"}
)
_END_INTERVALS = """
    UPDATE {table} AS r SET known_to = k.known_to FROM {rows}
    WHERE r.org_id = k.org_id AND r.id = k.id AND r.start = k.start AND r.known_to IS NULL
"""
_ENDED_SNAPSHOTS = Columns({"org_id": "text", "id": "text", "time": "bigint", "known_to": "bigint"})
_END_SNAPSHOTS = """
    UPDATE {table} AS r SET known_to = k.known_to FROM {rows}
    WHERE r.org_id = k.org_id AND r.id = k.id AND r.time = k.time AND r.known_to IS NULL
"""
_INSERT = "INSERT INTO {table} ({columns}) SELECT {values} FROM {rows}"
_INTERVALS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "known_from": "bigint",
        "known_to": "bigint",
        **INTERVAL_COLUMNS.types,
    }
)
_ENDED_FACTS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "kind": "text",
        "start": "bigint",
        "number": "integer",
        "known_to": "bigint",
    }
)
_END_FACTS = """
    UPDATE {table} AS r SET known_to = k.known_to FROM {rows}
    WHERE r.org_id = k.org_id AND r.id = k.id AND r.kind = k.kind AND r.start = k.start
        AND r.number = k.number AND r.known_to IS NULL
"""
_FACTS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "known_from": "bigint",
        "known_to": "bigint",
        **FACT_COLUMNS.types,
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


def _write_intervals(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    versions = [(key, each.intervals) for key, each in _changesets(changes)]
    _run(cur, _END_INTERVALS, table.intervals, _ENDED_INTERVALS, _ended_rows(versions))
    rows = [
        (*key, row.known_from, row.known_to, *interval_to_row(row.value))
        for key, each in versions
        for row in each.new
    ]
    _run(cur, _INSERT, table.intervals, _INTERVALS, rows)


def _write_facts(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    if table.facts is None:
        return
    versions = [(key, each.facts) for key, each in _changesets(changes)]
    ended = [
        (*key, *fact_key, known_to)
        for key, each in versions
        for fact_key, known_to in each.ended.items()
    ]
    _run(cur, _END_FACTS, table.facts, _ENDED_FACTS, ended)
    rows = [
        (*key, row.known_from, row.known_to, *_fact_row(row.value))
        for key, each in versions
        for row in each.new
    ]
    _run(cur, _INSERT, table.facts, _FACTS, rows)


def _fact_row(fact: Fact) -> tuple[object, ...]:
    *values, parts = fact_to_row(fact)
    return *values, Jsonb(parts)


def _write_snapshots(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    versions = [(key, each.snapshots) for key, each in _changesets(changes)]
    _run(cur, _END_SNAPSHOTS, table.snapshots, _ENDED_SNAPSHOTS, _ended_rows(versions))
    rows = [
        (*key, row.known_from, row.known_to, *_snapshot_row(row.value))
        for key, each in versions
        for row in each.new
    ]
    _run(cur, _INSERT, table.snapshots, _SNAPSHOTS, rows)


def _snapshot_row(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.time, snapshot.state, Jsonb(snapshot.counters)


def _ended_rows(versions: Iterable[tuple[Key, RowChanges[int, Any]]]) -> list[tuple[object, ...]]:
    """Of each stored row that is no longer known: its subject, its time, and its ``known_to``."""
    return [(*key, *ended) for key, each in versions for ended in each.ended.items()]


# --- anomalies ---

_WITHDRAWN = Columns({"org_id": "text", "id": "text", "position": "bigint", "gap_to": "bigint"})
_WITHDRAW = """
    DELETE FROM {table} AS a USING {rows} WHERE a.org_id = k.org_id AND a.id = k.id
        AND a.position = k.position AND a.gap_to = k.gap_to
"""
_ANOMALY_COLUMNS = Columns(
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


def _write_anomalies(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    versions = [*_changesets(changes)]
    withdrawn = [(*key, *anomaly) for key, each in versions for anomaly in each.withdrawn]
    _run(cur, _WITHDRAW, table.anomalies, _WITHDRAWN, withdrawn)
    new = [
        (*key, position, it.kind.value, it.event_id, it.gap_from, it.gap_to)
        for key, each in versions
        for (position, _), it in each.anomalies.items()
    ]
    _run(cur, _INSERT, table.anomalies, _ANOMALY_COLUMNS, new)


# --- late counts and corrections ---

_LATE_COUNTS = Columns(
    {"org_id": "text", "id": "text", "time": "bigint", "known_from": "bigint", "added": "jsonb"}
)
_CORRECTION_COLUMNS = Columns(
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


def _write_late_counts(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    rows = [
        (*key, late.time, late.known_from, Jsonb(late.added.counts()))
        for key, each in _changesets(changes)
        for late in each.late_counts
    ]
    _run(cur, _INSERT, table.late_counts, _LATE_COUNTS, rows)


def _write_corrections(cur: Cursor[TupleRow], table: Table[S], changes: BatchChanges[S]) -> None:
    rows = [
        (*key, table.partition_of(key), *_correction(correction))
        for key, each in _changesets(changes)
        for correction in each.corrections
    ]
    _run(cur, _INSERT, table.corrections, _CORRECTION_COLUMNS, rows)


def _correction(correction: Correction) -> tuple[object, ...]:
    first = correction.late[0]
    return (
        first.request_position,
        correction.start,
        correction.end,
        first.recorded_time,
        first.event.id,
        _shown_intervals(correction.before),
        _shown_intervals(correction.after),
        Jsonb([late_event_to_json(late) for late in correction.late]),
    )


def _shown_intervals(shown: Iterable[ShownInterval]) -> Jsonb:
    return Jsonb([interval_to_json(it.interval, it.end) for it in shown])


def _ledger_rows(table: Table[S], changes: BatchChanges[S]) -> Mapping[BucketKey, tuple[int, int]]:
    """How many anomalies and corrections come to each bucket; negative where more go."""
    rows: dict[BucketKey, tuple[int, int]] = {}
    for key, each in _changesets(changes):
        bucket = (table.name, table.bucket_of(key))
        anomalies, corrections = rows.get(bucket, (0, 0))
        anomalies += len(each.anomalies) - len(each.withdrawn)
        rows[bucket] = (anomalies, corrections + len(each.corrections))
    return rows


# --- statements ---


def _changesets(changes: BatchChanges[S]) -> Iterator[tuple[Key, ChangeSet]]:
    return ((key, each) for key, it in changes.items() for each in it.changesets)


def _run(
    cur: Cursor[TupleRow],
    statement: LiteralString,
    table: str,
    columns: Columns,
    rows: Sequence[Sequence[Any]],
) -> None:
    """Run a statement on some rows of a table; without rows, do nothing."""
    if rows:
        query = _query(statement, table, columns)
        cur.execute(query, columns.parameters(rows), prepare=True)


@cache
def _query(statement: LiteralString, table: str, columns: Columns) -> bytes:
    return (
        sql.SQL(statement)
        .format(
            table=sql.Identifier(table),
            columns=columns.names,
            values=columns.values,
            rows=columns.unnest("k"),
        )
        .as_bytes()
    )
