"""Snapshots: the states from which a fold of a subject can go on, as they were known at a position.

Rule: a stored snapshot has the counters as they were when it became known, and never changes. What
later requests count before its time is added here, when it is read.
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
from projector.event_log.reader import ENDLESS
from projector.infrastructure.sql import Columns
from projector.projection.read_models import Key, Table

BEFORE_ALL = -1  # no event has such a time

# The condition of intervals and snapshots that were known at a position.
WAS_KNOWN = sql.SQL(
    "known_from <= %(known_position)s AND (known_to IS NULL OR known_to > %(known_position)s)"
)
_IS_KNOWN = sql.SQL("known_to IS NULL")


def was_known(position: int) -> sql.SQL:
    """The condition of rows that were known at a position; what is known now is found faster."""
    return _IS_KNOWN if position == ENDLESS else WAS_KNOWN


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
    """The last snapshot up to the time of each (organisation, id, time), as known at a position."""
    if not subjects:
        return []
    parameters = {**_SUBJECT_TIMES.parameters(subjects), "known_position": known_position}
    rows = cur.execute(
        _query(table.name, table.snapshots, table.late_counts), parameters, prepare=True
    )
    return [
        Base(BEFORE_ALL if time is None else time, state, _sum(counters, late))
        for time, state, counters, late in rows
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
    """The time of the snapshot that lies ``skip`` snapshots before the last one up to ``upto``.

    ``BEFORE_ALL`` where there is none.
    """
    row = cur.execute(
        _EARLIER.format(snapshots=sql.Identifier(table.snapshots), was_known=WAS_KNOWN),
        {
            "org_id": key[0],
            "id": key[1],
            "upto": upto,
            "known_position": known_position,
            "skip": skip,
        },
    ).fetchone()
    return row[0] if row else BEFORE_ALL


def _sum(counters: dict[str, int] | None, late: Sequence[dict[str, int]] | None) -> Counters:
    total = Counters(counters or {})
    for added in late or ():
        total.add(added)
    return total


_SUBJECT_TIMES = Columns({"org_id": "text", "id": "text", "upto": "bigint"})
_EARLIER = sql.SQL("""
    SELECT time FROM {snapshots}
    WHERE org_id = %(org_id)s AND id = %(id)s AND time <= %(upto)s AND {was_known}
    ORDER BY time DESC OFFSET %(skip)s LIMIT 1
""")
# The subject's largest lateness bounds which of its late counts are read.
_BASES = sql.SQL("""
    SELECT s.time, s.state, s.counters, l.added
    FROM {subjects}
    LEFT JOIN LATERAL (
        SELECT time, state, counters, known_from FROM {snapshots} AS s
        WHERE s.org_id = k.org_id AND s.id = k.id AND s.time <= k.upto AND {was_known}
        ORDER BY s.time DESC LIMIT 1
    ) AS s ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(l.added) AS added FROM {late_counts} AS l
        WHERE l.org_id = k.org_id AND l.id = k.id
            AND l.time <= s.time
            AND l.known_from > s.known_from AND l.known_from <= %(known_position)s
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
        subjects=_SUBJECT_TIMES.unnest("k", ordinal=True),
        views=sql.Identifier(views),
        snapshots=sql.Identifier(snapshots),
        late_counts=sql.Identifier(late_counts),
        was_known=WAS_KNOWN,
        tolerance=RECONCILIATION_TOLERANCE_MS,
    ).as_bytes()
