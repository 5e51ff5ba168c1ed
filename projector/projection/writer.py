"""Rows: what came of the lives that a page touched, written to the tables, a statement for each.

Each takes all subjects of a page at once, as arrays in the database's own format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from projector.contract.schemas import interval_row, late_event
from projector.domain.events import Recorded
from projector.domain.fold import Anomaly, S
from projector.domain.late_events.changeset import Outcome, Versions
from projector.domain.late_events.corrections import Correction, Shown
from projector.projection.partitions import count_ledger_rows
from projector.projection.read_models import INTERVAL_COLUMNS, PASSING_TIME, Table, to_array, to_row

Key = tuple[str, str]  # organisation and id of a subject

# What a row of views has beside what figures count of it.
STATE_COLUMNS = (
    "org_id, id, partition, position, state, counters, facets, deadline, facets_after_deadline,"
    " last_event_time, last_event_type, first_event_time, last_recorded_time, max_clock_lead_ms,"
    " max_lateness_ms"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[S]):
    """One subject after a page: what came of its lives, its state, and what the page told."""

    outcomes: Sequence[Outcome]
    state: S
    events: Sequence[Recorded]  # by position


def write(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    """Write all that changed of some subjects."""
    outlooks = {key: table.state_at_deadline(one.state) for key, one in told.items()}
    _write_states(cur, table, told, outlooks)
    _write_intervals(cur, table, told)
    _write_anomalies(cur, table, told, outlooks)
    _write_snapshots(cur, table, told)
    _write_late_counts(cur, table, told)
    _write_corrections(cur, table, told)
    count_ledger_rows(cur, _ledger_rows(table, told))


def _ledger_rows(
    table: Table[S], told: Mapping[Key, Told[S]]
) -> Mapping[tuple[str, int], tuple[int, int]]:
    """How many anomalies and corrections each bucket has more than before."""
    rows: dict[tuple[str, int], tuple[int, int]] = {}
    for key, outcome in _outcomes(told):
        place = (table.name, table.bucket_of(key))
        anomalies, corrections = rows.get(place, (0, 0))
        anomalies += len(outcome.anomalies) - len(outcome.withdrawn)
        rows[place] = (anomalies, corrections + len(outcome.corrections))
    return rows


def _write_states(
    cur: Cursor[TupleRow],
    table: Table[S],
    told: Mapping[Key, Told[S]],
    outlooks: Mapping[Key, S | None],
) -> None:
    rows = []
    for key, one in told.items():
        state, later, last = one.state, outlooks[key], one.events[-1]
        newest, facts = state.last_event, table.kpi_facts(state)
        ahead = max(recorded.time - recorded.recorded_time for recorded in one.events)
        behind = max(recorded.recorded_time - recorded.time for recorded in one.events)
        rows.append(
            (
                *key,
                table.partition_of(key),
                last.position,
                table.dump(state),
                Jsonb(state.counters.counts()),
                Jsonb(table.facets(state)),
                state.deadline(),
                None if later is None else Jsonb(table.facets(later)),
                newest.time if newest else 0,
                newest.type if newest else "",
                min(recorded.time for recorded in one.events),
                last.recorded_time,
                ahead,
                behind,
                None if facts is None else to_array(facts),
            )
        )
    _run(
        cur,
        "INSERT INTO {table} AS v ({state}, kpi_facts) SELECT {state}, kpi_facts::bigint[]"
        " FROM unnest(%b::text[], %b::text[], %b::smallint[], %b::bigint[], %b::text[],"
        " %b::jsonb[], %b::jsonb[], %b::bigint[], %b::jsonb[], %b::bigint[], %b::text[],"
        " %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[])"
        " AS k({state}, kpi_facts)"
        " ON CONFLICT (org_id, id) DO UPDATE SET position = excluded.position,"
        " state = excluded.state, counters = excluded.counters, facets = excluded.facets,"
        " deadline = excluded.deadline, facets_after_deadline = excluded.facets_after_deadline,"
        " last_event_time = excluded.last_event_time, last_event_type = excluded.last_event_type,"
        " kpi_facts = excluded.kpi_facts,"
        " first_event_time = least(v.first_event_time, excluded.first_event_time),"
        " last_recorded_time = excluded.last_recorded_time,"
        " max_clock_lead_ms = greatest(v.max_clock_lead_ms, excluded.max_clock_lead_ms),"
        " max_lateness_ms = greatest(v.max_lateness_ms, excluded.max_lateness_ms)",
        table.name,
        rows,
    )


def _write_intervals(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    versions = [(key, outcome.intervals) for key, outcome in _outcomes(told)]
    _end(cur, table.intervals, versions)
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, known_from, known_to, {interval})"
        " SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[],"
        " %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])",
        table.intervals,
        [
            (*key, row.known_from, row.known_to, *to_row(row.value))
            for key, each in versions
            for row in each.new
        ],
    )


def _end(
    cur: Cursor[TupleRow],
    table: str,
    versions: Iterable[tuple[Key, Versions[Any]]],
) -> None:
    """Say of stored rows until which position they were known."""
    _run(
        cur,
        "UPDATE {table} AS r SET known_to = k.known_to"
        " FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[])"
        " AS k(org_id, id, time, known_to) WHERE r.org_id = k.org_id AND r.id = k.id"
        " AND r.{time} = k.time AND r.known_to IS NULL",
        table,
        [(*key, *ended) for key, each in versions for ended in each.ended.items()],
    )


def _write_anomalies(
    cur: Cursor[TupleRow],
    table: Table[S],
    told: Mapping[Key, Told[S]],
    outlooks: Mapping[Key, S | None],
) -> None:
    gone = [(*key, position) for key, outcome in _outcomes(told) for position in outcome.withdrawn]
    if table.has_deadlines:
        gone += [(*key, PASSING_TIME) for key in told]
    _run(
        cur,
        "DELETE FROM {table} AS a USING unnest(%b::text[], %b::text[], %b::bigint[])"
        " AS k(org_id, id, position) WHERE a.org_id = k.org_id AND a.id = k.id"
        " AND a.position = k.position",
        table.anomalies,
        gone,
    )
    left = {key: (outlooks[key] or one.state).deadline_anomaly() for key, one in told.items()}
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, position, kind, event_id, gap_from, gap_to)"
        " SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::text[], %b::text[],"
        " %b::bigint[], %b::bigint[])",
        table.anomalies,
        [
            (*key, *_anomaly(it))
            for key, outcome in _outcomes(told)
            for it in outcome.anomalies.values()
        ]
        + [(*key, *_anomaly(it)) for key, it in left.items() if it is not None],
    )


def _anomaly(anomaly: Anomaly) -> tuple[object, ...]:
    return (
        PASSING_TIME if anomaly.position is None else anomaly.position,
        anomaly.kind.value,
        anomaly.event_id,
        anomaly.gap_from,
        anomaly.gap_to,
    )


def _write_snapshots(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    versions = [(key, outcome.snapshots) for key, outcome in _outcomes(told)]
    _end(cur, table.snapshots, versions)
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, known_from, known_to, time, state, counters)"
        " SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[],"
        " %b::text[], %b::jsonb[])",
        table.snapshots,
        [
            (*key, row.known_from, row.known_to, it.time, it.state, Jsonb(it.counters))
            for key, each in versions
            for row in each.new
            for it in [row.value]
        ],
    )


def _write_late_counts(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, time, known_from, added) SELECT * FROM"
        " unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::jsonb[])",
        table.late_counts,
        [
            (*key, late.time, late.known_from, Jsonb(late.added.counts()))
            for key, outcome in _outcomes(told)
            for late in outcome.late_counts
        ],
    )


def _write_corrections(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, partition, position, start, finish, recorded_time, event_id,"
        " before, after, events) SELECT * FROM unnest(%b::text[], %b::text[], %b::smallint[],"
        " %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[], %b::jsonb[],"
        " %b::jsonb[], %b::jsonb[])",
        table.corrections,
        [
            (*key, table.partition_of(key), *_correction(table, correction))
            for key, outcome in _outcomes(told)
            for correction in outcome.corrections
        ],
    )


def _correction(table: Table[S], it: Correction) -> tuple[object, ...]:
    first = it.late[0]

    def shaped(shown: Iterable[Shown]) -> Jsonb:
        return Jsonb(
            [
                interval_row(table.interval, one.interval, one.end).model_dump(by_alias=True)
                for one in shown
            ]
        )

    return (
        first.request_position,
        it.start,
        it.end,
        first.recorded_time,
        first.event.id,
        shaped(it.before),
        shaped(it.after),
        Jsonb([late_event(late).model_dump(by_alias=True) for late in it.late]),
    )


def _outcomes(told: Mapping[Key, Told[S]]) -> Iterator[tuple[Key, Outcome]]:
    return ((key, outcome) for key, one in told.items() for outcome in one.outcomes)


def _run(
    cur: Cursor[TupleRow], statement: LiteralString, table: str, rows: Sequence[Sequence[Any]]
) -> Iterator[TupleRow] | Sequence[TupleRow]:
    """Run a statement that takes one array for each column; none without rows."""
    if not rows:
        return ()
    columns = [list(column) for column in zip(*rows, strict=True)]
    cur.execute(_naming(statement, table), columns, prepare=True)
    return cur.fetchall() if cur.description else ()


@cache
def _naming(statement: LiteralString, table: str) -> bytes:
    names = {
        "table": sql.Identifier(table),
        "time": sql.Identifier("start" if table.endswith("_intervals") else "time"),
        "interval": sql.SQL(INTERVAL_COLUMNS),
        "state": sql.SQL(STATE_COLUMNS),
    }
    return sql.SQL(statement).format(**names).as_bytes()
