"""Snapshots: the states from which a fold of a subject can go on, as they were known at a position.

Rule: a snapshot keeps the counters as they were when it became known. What later requests count
before its time is added here, by readers, and is never written to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.domain.counters import Counters
from projector.domain.events import RECONCILIATION_TOLERANCE_MS
from projector.infrastructure.sql import Columns
from projector.projection.read_models import Key, Table

BEFORE_ALL = -1  # no event has such a time

# The condition of intervals and snapshots that were known at a position.
KNOWN = sql.SQL("known_from <= %(known)s AND (known_to IS NULL OR known_to > %(known)s)")


@dataclass(frozen=True, slots=True)
class Base:
    """Where a fold begins: the state after all events up to a time (epoch ms).

    Before the first event the state is null and the time is ``BEFORE_ALL``.
    """

    time: int
    state: str | None
    counters: Counters


def bases(
    cur: Cursor[TupleRow],
    table: Table[Any],
    subjects: Sequence[tuple[str, str, int]],
    *,
    known_position: int,
) -> list[Base]:
    """The last snapshot of each (organisation, id, time) up to the time, known at a position."""
    if not subjects:
        return []
    parameters = {**_SUBJECTS.parameters(subjects), "known": known_position}
    rows = cur.execute(
        _query(table.name, table.snapshots, table.late_counts), parameters, prepare=True
    )
    return [
        Base(BEFORE_ALL if time is None else time, state, _sum(counters, added))
        for time, state, counters, added in rows
    ]


def earlier_snapshot_time(  # noqa: PLR0913 - a subject as of two times, and how far to go back
    cur: Cursor[TupleRow],
    table: Table[Any],
    key: Key,
    *,
    upto: int,
    known_position: int,
    skip: int,
) -> int:
    """The time of the snapshot that is ``skip`` snapshots before the last one up to a time."""
    row = cur.execute(
        _EARLIER.format(snapshots=sql.Identifier(table.snapshots), known=KNOWN),
        {"org_id": key[0], "id": key[1], "upto": upto, "known": known_position, "skip": skip},
    ).fetchone()
    return row[0] if row else BEFORE_ALL


def _sum(counters: dict[str, int] | None, added: Sequence[dict[str, int]] | None) -> Counters:
    total = Counters(counters or {})
    for late in added or ():
        total.add(late)
    return total


_SUBJECTS = Columns({"org_id": "text", "id": "text", "upto": "bigint"})
_EARLIER = sql.SQL("""
    SELECT time FROM {snapshots}
    WHERE org_id = %(org_id)s AND id = %(id)s AND time <= %(upto)s AND {known}
    ORDER BY time DESC OFFSET %(skip)s LIMIT 1
""")
# The subject's largest lateness bounds which of its late counts are read.
_BASES = sql.SQL("""
    SELECT s.time, s.state, s.counters, l.added
    FROM {subjects}
    LEFT JOIN LATERAL (
        SELECT time, state, counters, known_from FROM {snapshots} AS s
        WHERE s.org_id = k.org_id AND s.id = k.id AND s.time <= k.upto AND {known}
        ORDER BY s.time DESC LIMIT 1
    ) AS s ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(l.added) AS added FROM {late_counts} AS l
        WHERE l.org_id = k.org_id AND l.id = k.id
            AND l.time <= s.time AND l.known_from > s.known_from AND l.known_from <= %(known)s
            AND l.time >= (
                SELECT e.recorded_time - v.max_lateness_ms - {tolerance}
                FROM {views} AS v, log AS e
                WHERE v.org_id = k.org_id AND v.id = k.id AND e.position = s.known_from
            )
    ) AS l ON true
    ORDER BY k.ordinal
""")


@cache
def _query(views: str, snapshots: str, late_counts: str) -> bytes:
    return _BASES.format(
        subjects=_SUBJECTS.unnest("k", ordinal=True),
        views=sql.Identifier(views),
        snapshots=sql.Identifier(snapshots),
        late_counts=sql.Identifier(late_counts),
        known=KNOWN,
        tolerance=RECONCILIATION_TOLERANCE_MS,
    ).as_bytes()
