"""Lanes: how runners on any number of hosts share the work, by PostgreSQL's locks alone.

The rule of this file: who holds the row of a lane folds its next page, and the page's transaction
moves its position; so each event is folded once, and what a dead runner held is free as soon as
the database notices. How many lanes a runner takes at a time depends on how many runners there are,
and nothing but speed depends on that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from psycopg import Connection, Cursor
from psycopg.rows import DictRow, TupleRow

from projector.database import VIEWS_CHANNEL
from projector.events import LANE_BUCKETS, LANES

NAME = "floor"
Place = tuple[str, int]  # a kind of subject and a bucket
_RUNNERS = 1_886_547_826  # any number that names this advisory lock, which all runners share


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Lanes of one position, held by this transaction, and how far they may go together."""

    lanes: Sequence[int]
    position: int
    upto: int | None  # where other lanes that are held stand; null: none is ahead


def join(connection: Connection[DictRow]) -> None:
    """Be counted among the runners as long as the connection lives."""
    connection.execute("SELECT pg_advisory_lock_shared(%s, 0)", (_RUNNERS,))


def fair_share(connection: Connection[DictRow]) -> int:
    """How many lanes a runner should hold at a time."""
    row = connection.execute(
        "SELECT count(*) AS runners FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
        " AND objid = 0 AND granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        (_RUNNERS,),
    ).fetchone()
    return ceil(LANES / max(1, row["runners"] if row else 1))


def claim(cur: Cursor[TupleRow], share: int) -> Claim | None:
    """The lanes furthest behind that nobody holds; None where there is none."""
    rows = cur.execute(
        "SELECT position, lane FROM projections WHERE name = %s ORDER BY position, lane LIMIT %s"
        " FOR UPDATE SKIP LOCKED",
        (NAME, share),
        prepare=True,
    ).fetchall()
    if not rows:
        return None
    position = rows[0][0]
    return Claim(
        lanes=[lane for at, lane in rows if at == position],
        position=position,
        upto=next((at for at, _ in rows if at > position), None),
    )


def advance(cur: Cursor[TupleRow], held: Claim, end: int, projected: Mapping[Place, int]) -> None:
    """Move the lanes to the end of a page and say so; ``projected`` is what was folded by bucket.

    What the log holds of each bucket is counted apart from the page, from where it was last
    counted: so whatever moves a position without folding shows.
    """
    lanes = list(held.lanes)
    stored = cur.execute(
        _STORED, {"name": NAME, "lanes": lanes, "end": end, "width": LANE_BUCKETS}, prepare=True
    ).fetchall()
    _count(cur, {(kind, bucket): count for kind, bucket, count in stored}, projected)
    cur.execute(
        "WITH moved AS (UPDATE projections SET position = %s, counted = %s"
        " WHERE name = %s AND lane = ANY(%s)) SELECT pg_notify(%s, %s)",
        (end, end, NAME, lanes, VIEWS_CHANNEL, str(end)),
        prepare=True,
    )


def hold(cur: Cursor[TupleRow], lane: int) -> int:
    """Hold one lane, waiting for whoever has it; its position."""
    row = cur.execute(
        "SELECT position FROM projections WHERE name = %s AND lane = %s FOR UPDATE", (NAME, lane)
    ).fetchone()
    return row[0] if row else 0


def count_projected(cur: Cursor[TupleRow], projected: Mapping[Place, int]) -> None:
    """Count events that were folded behind the position."""
    _count(cur, {}, projected)


def _count(
    cur: Cursor[TupleRow], stored: Mapping[Place, int], projected: Mapping[Place, int]
) -> None:
    places = sorted(stored.keys() | projected.keys())
    rows = [(*place, stored.get(place, 0), projected.get(place, 0)) for place in places]
    if rows:
        cur.execute(
            "UPDATE bucket_counts AS c SET stored = c.stored + k.stored,"
            " projected = c.projected + k.projected"
            " FROM unnest(%b::text[], %b::smallint[], %b::bigint[], %b::bigint[])"
            " AS k(kind, bucket, stored, projected)"
            " WHERE c.name = %b AND c.kind = k.kind AND c.bucket = k.bucket",
            [*(list(column) for column in zip(*rows, strict=True)), NAME],
            prepare=True,
        )


_STORED = """
    WITH held AS MATERIALIZED (
        SELECT lane, counted FROM projections WHERE name = %(name)s AND lane = ANY(%(lanes)s)
    ), span AS MATERIALIZED (
        SELECT agent_bucket, task_bucket, notification_id FROM events
        WHERE notification_id > (SELECT min(counted) FROM held) AND notification_id <= %(end)s
    )
    SELECT e.kind, e.bucket, count(*) FROM (
        SELECT 'agents' AS kind, agent_bucket AS bucket, notification_id FROM span
        UNION ALL
        SELECT 'tasks', task_bucket, notification_id FROM span
    ) AS e JOIN held ON held.lane = e.bucket / %(width)s AND e.notification_id > held.counted
    GROUP BY 1, 2
"""
