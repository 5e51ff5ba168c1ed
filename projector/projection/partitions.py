"""Partitions: how runners on any number of hosts share the work, by PostgreSQL's locks alone.

The rule of this file: who holds the row of a partition folds its next page, and the page's transaction
moves its position; so each event is folded once, and what a dead runner held is free as soon as
the database notices. How many partitions a runner takes at a time depends on how many runners there are,
and nothing but speed depends on that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from psycopg import Connection, Cursor
from psycopg.rows import DictRow, TupleRow

from projector.domain.events import PARTITIONS
from projector.infrastructure.errors import ProjectorError

NAME = "floor"
BucketKey = tuple[str, int]  # a kind of subject and a bucket
_RUNNERS = 1_886_547_826  # any number that names this advisory lock, which all runners share


class HoleInLog(ProjectorError):  # noqa: N818 - named for what is found
    """A position is missing below another: somebody wrote past the lock of ``append_events``."""


class OtherFold(ProjectorError):  # noqa: N818 - named for what is found
    """The tables were made by another version of the fold than this runner's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Partitions of one position, held by this transaction, and the page that is theirs."""

    partitions: Sequence[int]
    after: int  # their position
    last: int  # of the page
    leaves_out: bool  # whether anything is parked or skipped


def join(connection: Connection[DictRow]) -> None:
    """Be counted among the runners as long as the connection lives."""
    connection.execute("SELECT pg_advisory_lock_shared(%s, 0)", (_RUNNERS,))


def fair_partition_count(connection: Connection[DictRow]) -> int:
    """How many partitions a runner should hold at a time."""
    row = connection.execute(
        "SELECT count(*) AS runners FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
        " AND objid = 0 AND granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        (_RUNNERS,),
    ).fetchone()
    return ceil(PARTITIONS / max(1, row["runners"] if row else 1))


def claim(cur: Cursor[TupleRow], share: int, batch_events: int, *, fold: int) -> Claim | None:
    """The next page of the partitions furthest behind that nobody holds; None where there is none.

    HoleInLog where a position is missing in it: what is not there yet must not be passed.
    OtherFold where another version of the fold has made the tables.
    """
    cur.execute(
        "SELECT partitions, after, last, has_hole, has_exceptions, (SELECT max(fold_version) FROM projections)"
        " FROM begin_batch(%s, %s, %s)",
        (NAME, share, batch_events),
        prepare=True,
    )
    row = cur.fetchone() or (None, 0, 0, False, False, fold)
    partitions, after, last, has_hole, leaves_out, made_by = row
    if made_by != fold:
        raise OtherFold(
            f"The tables are of version {made_by} of the fold, and this runner folds version"
            f" {fold}: start one of its own release, or `projector rebuild` them."
        )
    if partitions is None or last <= after:
        return None
    if has_hole:
        raise HoleInLog(f"The log has no event at some position from {after + 1} to {last}.")
    return Claim(partitions=partitions, after=after, last=last, leaves_out=leaves_out)


def advance(cur: Cursor[TupleRow], held: Claim, projected: Mapping[BucketKey, int]) -> None:
    """Move the partitions to the end of their page and say so; ``projected`` is what was folded."""
    rows = [(*place, count) for place, count in sorted(projected.items())]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    cur.execute(
        "SELECT end_batch(%b, %b::smallint[], %b::bigint, %b::text[], %b::smallint[], %b::bigint[])",
        (NAME, list(held.partitions), held.last, *columns),
        prepare=True,
    )


def hold(cur: Cursor[TupleRow], partition: int) -> int:
    """Hold one partition, waiting for whoever has it; its position."""
    row = cur.execute(
        "SELECT position FROM projections WHERE name = %s AND partition = %s FOR UPDATE",
        (NAME, partition),
    ).fetchone()
    return row[0] if row else 0


def count_ledger_rows(cur: Cursor[TupleRow], added: Mapping[BucketKey, tuple[int, int]]) -> None:
    """Count anomalies and corrections that were added to, or taken from, the ledgers."""
    rows = [(*place, *counts) for place, counts in sorted(added.items()) if any(counts)]
    if rows:
        cur.execute(
            "UPDATE bucket_counts AS c SET anomalies = c.anomalies + n.anomalies,"
            " corrections = c.corrections + n.corrections"
            " FROM unnest(%b::text[], %b::smallint[], %b::bigint[], %b::bigint[])"
            " AS n(kind, bucket, anomalies, corrections)"
            " WHERE c.name = %b AND c.kind = n.kind AND c.bucket = n.bucket",
            (*(list(column) for column in zip(*rows, strict=True)), NAME),
        )


def count_projected(cur: Cursor[TupleRow], place: BucketKey, count: int) -> None:
    """Count events that were folded behind the position."""
    cur.execute(
        "UPDATE bucket_counts SET projected = projected + %s"
        " WHERE name = %s AND kind = %s AND bucket = %s",
        (count, NAME, *place),
    )
