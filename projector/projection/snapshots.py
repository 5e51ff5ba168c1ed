"""Snapshots: from which state a fold of a subject can go on, as it was known at a position.

The rule of this file: a snapshot's counters is as it was counted when it became known; what requests
counted later at times before it is added here, and never written to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.domain.counters import Counters
from projector.domain.events import RECONCILIATION_TOLERANCE_MS
from projector.projection.read_models import Table

BEFORE_ALL = -1  # no event has such a time

# Of intervals and snapshots, those that were known at a position.
KNOWN = sql.SQL("known_from <= %(known)s AND (known_to IS NULL OR known_to > %(known)s)")


@dataclass(frozen=True, slots=True)
class Base:
    """Where a fold begins: the state after all events up to a time, null before the first."""

    time: int
    state: str | None
    counters: Counters


def bases(
    cur: Cursor[TupleRow],
    table: Table[Any],
    subjects: Sequence[tuple[str, str, int]],
    *,
    known: int,
) -> list[Base]:
    """The last snapshot of each (organisation, id, time) up to the time, known at a position."""
    if not subjects:
        return []
    columns = [list(column) for column in zip(*subjects, strict=True)]
    rows = cur.execute(_query(table), (*columns, known, known, known), prepare=True)
    return [
        Base(BEFORE_ALL if time is None else time, state, _sum(counters, added))
        for time, state, counters, added in rows
    ]


def earlier(  # noqa: PLR0913 - a subject as of two times, and how far to go back
    cur: Cursor[TupleRow],
    table: Table[Any],
    key: tuple[str, str],
    *,
    upto: int,
    known: int,
    skip: int,
) -> int:
    """When the snapshot stands that is so many before the last one up to a time."""
    row = cur.execute(
        sql.SQL(
            "SELECT time FROM {} WHERE org_id = %(org)s AND id = %(id)s"
            " AND time <= %(upto)s AND {} ORDER BY time DESC OFFSET %(skip)s LIMIT 1"
        ).format(sql.Identifier(table.snapshots), KNOWN),
        {"org": key[0], "id": key[1], "upto": upto, "known": known, "skip": skip},
    ).fetchone()
    return row[0] if row else BEFORE_ALL


def _sum(counters: dict[str, int] | None, added: Sequence[dict[str, int]] | None) -> Counters:
    found = Counters(counters or {})
    for late in added or ():
        found.add(late)
    return found


def _query(table: Table[Any]) -> sql.Composed:
    return sql.SQL(_BASES).format(
        views=sql.Identifier(table.name),
        snapshots=sql.Identifier(table.snapshots),
        late_counts=sql.Identifier(table.late_counts),
        tolerance=RECONCILIATION_TOLERANCE_MS,
    )


# How late an event of the subject was at most bounds what is read of its late counts.
_BASES = """
    SELECT c.time, c.state, c.counters, l.added
    FROM unnest(%b::text[], %b::text[], %b::bigint[])
        WITH ORDINALITY AS k(org_id, id, upto, ordinal)
    LEFT JOIN LATERAL (
        SELECT time, state, counters, known_from FROM {snapshots} AS c
        WHERE c.org_id = k.org_id AND c.id = k.id AND c.time <= k.upto
            AND c.known_from <= %b AND (c.known_to IS NULL OR c.known_to > %b)
        ORDER BY c.time DESC LIMIT 1
    ) AS c ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(l.added) AS added FROM {late_counts} AS l
        WHERE l.org_id = k.org_id AND l.id = k.id
            AND l.time <= c.time AND l.known_from > c.known_from AND l.known_from <= %b
            AND l.time >= (
                SELECT e.recorded_time - v.max_lateness_ms - {tolerance} FROM {views} AS v, log AS e
                WHERE v.org_id = k.org_id AND v.id = k.id AND e.position = c.known_from
            )
    ) AS l ON true
    ORDER BY k.ordinal
"""
