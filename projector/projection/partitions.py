"""Partitions: how runners on any number of hosts share the work, by PostgreSQL's locks alone.

Rule: the transaction that locks the row of a partition folds its next batch and moves its position.
So each event is folded once. The database unlocks the partitions of a dead runner as soon as it
notices that the connection is gone. How many partitions a runner locks at a time depends on how
many runners there are, and nothing but speed depends on that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from psycopg import Connection, Cursor, sql
from psycopg.rows import DictRow, TupleRow

from projector.domain.events import PARTITIONS
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.sql import Columns

PROJECTION = "floor"  # the name under which the partitions have their positions
BucketKey = tuple[str, int]  # the table of a kind of subject, and a bucket
_RUNNERS_LOCK = 1_886_547_826  # any number: the advisory lock that all runners share


class HoleInLog(ProjectorError):  # noqa: N818 - named for what is noticed
    """A position is missing below another: somebody wrote past the lock of ``append_events``."""


class OtherFold(ProjectorError):  # noqa: N818 - named for what is noticed
    """The tables were made by another version of the fold than this release's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBatch:
    """Partitions that this transaction has locked, and their next batch of the log."""

    partitions: Sequence[int]
    after: int  # the position of all of them, before the batch
    last: int  # the last position of the batch
    has_exclusions: bool  # whether any subject is parked or any event is skipped


def register_runner(connection: Connection[DictRow]) -> None:
    """Count among the runners as long as the connection lives."""
    connection.execute("SELECT pg_advisory_lock_shared(%(lock)s, 0)", {"lock": _RUNNERS_LOCK})


def fair_partition_count(connection: Connection[DictRow]) -> int:
    """How many partitions a runner should lock at a time."""
    row = connection.execute(_COUNT_RUNNERS, {"lock": _RUNNERS_LOCK}).fetchone()
    return ceil(PARTITIONS / max(1, row["runners"] if row else 1))


_COUNT_RUNNERS = """
    SELECT count(*) AS runners FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %(lock)s AND objid = 0 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def begin_batch(
    cur: Cursor[TupleRow], max_partitions: int, batch_events: int, *, fold: int
) -> LockedBatch | None:
    """Lock the partitions furthest behind that are not locked, and say which batch comes next.

    None where all are locked or up to date. HoleInLog where the batch lacks a position: an event
    that is not there yet must not be passed. OtherFold where another version of the fold than
    ``fold`` has made the tables.
    """
    cur.execute(
        _BEGIN_BATCH,
        {
            "projection": PROJECTION,
            "max_partitions": max_partitions,
            "batch_events": batch_events,
        },
        prepare=True,
    )
    row = cur.fetchone() or (None, 0, 0, False, False, fold)
    partitions, after, last, has_hole, has_exclusions, made_by = row
    if made_by not in (None, fold):
        raise OtherFold(
            f"The tables are of version {made_by} of the fold, and this runner folds version"
            f" {fold}: start one of its own release, or `projector rebuild` them."
        )
    if partitions is None or last <= after:
        return None
    if has_hole:
        raise HoleInLog(f"The log has no event at some position from {after + 1} to {last}.")
    if after == 0:
        cur.execute(_MAKE_OWN, {"fold": fold, "projection": PROJECTION, "partitions": partitions})
    return LockedBatch(partitions=partitions, after=after, last=last, has_exclusions=has_exclusions)


_BEGIN_BATCH = """
    SELECT partitions, after, last, has_hole, has_exclusions,
        (SELECT max(fold_version) FROM projections WHERE position > 0)
    FROM begin_batch(%(projection)s, %(max_partitions)s, %(batch_events)s)
"""
_MAKE_OWN = """
    UPDATE projections SET fold_version = %(fold)s
    WHERE name = %(projection)s AND partition = ANY(%(partitions)s)
"""


def end_batch(cur: Cursor[TupleRow], batch: LockedBatch, folded: Mapping[BucketKey, int]) -> None:
    """Move the partitions to the end of their batch, and notify those who listen for views.

    ``folded`` are the events that were folded, by bucket; those that were skipped count as folded.
    """
    rows = [(*bucket, count) for bucket, count in sorted(folded.items())]
    parameters = {
        "projection": PROJECTION,
        "partitions": list(batch.partitions),
        "last": batch.last,
        **_FOLDED.parameters(rows),
    }
    cur.execute(_END_BATCH, parameters, prepare=True)


_FOLDED = Columns({"kind": "text", "bucket": "smallint", "folded": "bigint"})
_END_BATCH = (
    sql.SQL("SELECT end_batch(%(projection)b, %(partitions)b::smallint[], %(last)b::bigint, {})")
    .format(_FOLDED.arrays)
    .as_bytes()
)


def lock_partition(cur: Cursor[TupleRow], partition: int) -> int:
    """Lock one partition until the transaction ends, and wait for it if need be; its position."""
    row = cur.execute(
        "SELECT position FROM projections"
        " WHERE name = %(projection)s AND partition = %(partition)s FOR UPDATE",
        {"projection": PROJECTION, "partition": partition},
    ).fetchone()
    return row[0] if row else 0


def count_ledger_rows(cur: Cursor[TupleRow], added: Mapping[BucketKey, tuple[int, int]]) -> None:
    """Add to the counts of anomalies and of corrections, by bucket; negative where rows went."""
    rows = [(*bucket, *counts) for bucket, counts in sorted(added.items()) if any(counts)]
    if rows:
        cur.execute(_COUNT_ROWS, {"projection": PROJECTION, **_LEDGER_ROWS.parameters(rows)})


_LEDGER_ROWS = Columns(
    {"kind": "text", "bucket": "smallint", "anomalies": "bigint", "corrections": "bigint"}
)
_COUNT_ROWS = (
    sql.SQL("""
    UPDATE bucket_counts AS c
    SET anomalies = c.anomalies + k.anomalies, corrections = c.corrections + k.corrections
    FROM {rows} WHERE c.name = %(projection)b AND c.kind = k.kind AND c.bucket = k.bucket
    """)
    .format(rows=_LEDGER_ROWS.unnest("k"))
    .as_bytes()
)


def count_projected(cur: Cursor[TupleRow], bucket: BucketKey, count: int) -> None:
    """Count events of a bucket that were folded after its partition had passed them."""
    kind, number = bucket
    cur.execute(
        "UPDATE bucket_counts SET projected = projected + %(count)s"
        " WHERE name = %(projection)s AND kind = %(kind)s AND bucket = %(bucket)s",
        {"count": count, "projection": PROJECTION, "kind": kind, "bucket": number},
    )
