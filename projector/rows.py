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

from projector.corrections import Correction, Shown
from projector.events import LANE_BUCKETS, bucket
from projector.machine import Anomaly, S
from projector.outcome import Outcome
from projector.repair import Life
from projector.shapes import interval_row, late_event
from projector.tables import INTERVAL_COLUMNS, PASSING_TIME, Table, to_row
from projector.tally import Tally

Key = tuple[str, str]  # organisation and id of a subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[S]):
    """One subject after a page: its lives, each with the tally where it begins, and its state."""

    lives: Sequence[tuple[Life[S], Tally]]
    state: S
    position: int  # of the last event that the page told of it

    @property
    def outcomes(self) -> Sequence[Outcome]:
        return [life.outcome for life, _ in self.lives]


def write(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    """Write all that changed of some subjects."""
    outlooks = {key: table.when_due(one.state) for key, one in told.items()}
    _write_states(cur, table, told, outlooks)
    _write_intervals(cur, table, told)
    _write_anomalies(cur, table, told, outlooks)
    _write_checkpoints(cur, table, told)
    _write_corrections(cur, table, told)


def _write_states(
    cur: Cursor[TupleRow],
    table: Table[S],
    told: Mapping[Key, Told[S]],
    outlooks: Mapping[Key, S | None],
) -> None:
    rows = []
    for key, one in told.items():
        state, later = one.state, outlooks[key]
        rows.append(
            (
                *key,
                _lane(table, key),
                one.position,
                table.dump(state),
                Jsonb(state.tally.counts()),
                Jsonb(table.facets(state)),
                state.due(),
                None if later is None else Jsonb(table.facets(later)),
                state.last_event.time if state.last_event else 0,
            )
        )
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, lane, position, state, tally, facets, due, due_facets,"
        " changed) SELECT * FROM unnest(%b::text[], %b::text[], %b::smallint[], %b::bigint[],"
        " %b::text[], %b::jsonb[], %b::jsonb[], %b::bigint[], %b::jsonb[], %b::bigint[])"
        " ON CONFLICT (org_id, id) DO UPDATE SET position = excluded.position,"
        " state = excluded.state, tally = excluded.tally, facets = excluded.facets,"
        " due = excluded.due, due_facets = excluded.due_facets, changed = excluded.changed",
        table.name,
        rows,
    )


def _write_intervals(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    _run(
        cur,
        "UPDATE {table} AS i SET known_to = k.known_to"
        " FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[])"
        " AS k(org_id, id, start, known_to) WHERE i.org_id = k.org_id AND i.id = k.id"
        " AND i.start = k.start AND i.known_to IS NULL",
        table.intervals,
        [(*key, *ended) for key, outcome in _outcomes(told) for ended in outcome.ended.items()],
    )
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, known_from, known_to, {interval})"
        " SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[],"
        " %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])",
        table.intervals,
        [
            (*key, row.known_from, row.known_to, *to_row(row.interval))
            for key, outcome in _outcomes(told)
            for row in (*outcome.passed, *outcome.rows.values())
        ],
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
    left = {key: (outlooks[key] or one.state).left_by_time() for key, one in told.items()}
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


def _write_checkpoints(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    _run(
        cur,
        "DELETE FROM {table} AS c USING unnest(%b::text[], %b::text[], %b::bigint[])"
        " AS k(org_id, id, time) WHERE c.org_id = k.org_id AND c.id = k.id AND c.time = k.time",
        table.checkpoints,
        [(*key, time) for key, outcome in _outcomes(told) for time in outcome.dropped],
    )
    _move_tallies(cur, table, told)
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, time, state, tally) SELECT * FROM unnest(%b::text[],"
        " %b::text[], %b::bigint[], %b::text[], %b::jsonb[]) ON CONFLICT (org_id, id, time)"
        " DO UPDATE SET state = excluded.state, tally = excluded.tally",
        table.checkpoints,
        [
            (*key, kept.time, kept.state, Jsonb(kept.tally.counts()))
            for key, one in told.items()
            for life, tally in one.lives
            for kept in life.checkpoints(tally)
        ],
    )


def _move_tallies(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    """What late events add is added to all later tallies, whose states stand."""
    late = {
        key: life.outcome for key, one in told.items() for life, _ in one.lives if life.has_later()
    }
    found = _run(
        cur,
        "SELECT c.org_id, c.id, c.time, c.tally FROM unnest(%b::text[], %b::text[], %b::bigint[])"
        " AS k(org_id, id, after) JOIN {table} AS c ON c.org_id = k.org_id AND c.id = k.id"
        " AND c.time > k.after",
        table.checkpoints,
        [(*key, outcome.last) for key, outcome in late.items()],
    )
    _run(
        cur,
        "UPDATE {table} AS c SET tally = k.tally FROM unnest(%b::text[], %b::text[], %b::bigint[],"
        " %b::jsonb[]) AS k(org_id, id, time, tally) WHERE c.org_id = k.org_id AND c.id = k.id"
        " AND c.time = k.time",
        table.checkpoints,
        [
            (org_id, id_, time, Jsonb(_sum(tally, late[org_id, id_].added).counts()))
            for org_id, id_, time, tally in found
        ],
    )


def _write_corrections(cur: Cursor[TupleRow], table: Table[S], told: Mapping[Key, Told[S]]) -> None:
    _run(
        cur,
        "INSERT INTO {table} (org_id, id, lane, position, start, finish, recorded_time, event_id,"
        " before, after, events) SELECT * FROM unnest(%b::text[], %b::text[], %b::smallint[],"
        " %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[], %b::jsonb[],"
        " %b::jsonb[], %b::jsonb[])",
        table.corrections,
        [
            (*key, _lane(table, key), *_correction(table, correction))
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


def _lane(table: Table[S], key: Key) -> int:
    return (bucket(table.subject, *key) or 0) // LANE_BUCKETS


def _sum(tally: Mapping[str, int], added: Tally) -> Tally:
    total = Tally(tally)
    total.add(added)
    return total


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
    names = {"table": sql.Identifier(table), "interval": sql.SQL(INTERVAL_COLUMNS)}
    return sql.SQL(statement).format(**names).as_bytes()
