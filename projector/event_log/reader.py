"""Reading the log: by position, by subject, and as of what was known.

Reads take a cursor of the caller's transaction, so that all of an answer sees the database at one
moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from psycopg import Cursor
from psycopg.rows import TupleRow, tuple_row

from projector.domain.events import (
    BUCKETS_PER_PARTITION,
    RECONCILIATION_TOLERANCE_MS,
    Origin,
    Recorded,
    TimeSource,
    in_order,
)
from projector.infrastructure.database import Pool, translated
from projector.webex.webhook import read_event

SubjectColumn = Literal["agent_id", "task_id"]
ReadOrder = Literal["created", "recorded"]

_COLUMNS = (
    "position, org_id, body, created_time, time, time_source, recorded_time, origin,"
    " request_position"
)
_PAGE = f"""
    SELECT agent_id, agent_bucket, task_id, task_bucket, {_COLUMNS} FROM log
    WHERE position > %(after)s AND position <= %(end)s
        AND (agent_bucket / {BUCKETS_PER_PARTITION} = ANY(%(partitions)s)
            OR task_bucket / {BUCKETS_PER_PARTITION} = ANY(%(partitions)s))
    ORDER BY position
"""  # noqa: S608
_WAITING = f"""
    WITH next AS (
        SELECT position, request_position FROM log
        WHERE {{subject}} AND position > %(after)s AND position <= %(upto)s
        ORDER BY position LIMIT %(limit)s
    )
    SELECT agent_id, agent_bucket, task_id, task_bucket, {_COLUMNS} FROM log
    WHERE {{subject}} AND position > %(after)s AND position <= %(upto)s
        AND request_position <= (SELECT max(request_position) FROM next)
    ORDER BY position
"""  # noqa: S608
_SUBJECT = {
    "agent_id": "org_id = %(org)s AND agent_id = %(id)s AND agent_bucket IS NOT NULL",
    "task_id": "org_id = %(org)s AND task_id = %(id)s AND task_bucket IS NOT NULL",
}
_LATER = """
    SELECT k.ordinal, e.*
    FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[])
        WITH ORDINALITY AS k(org, id, after, safe, ordinal)
    CROSS JOIN LATERAL (
        SELECT {columns} FROM log
        WHERE {subject} AND time > k.after ORDER BY time
        FETCH FIRST (
            SELECT %b + count(*) FROM (
                SELECT FROM log WHERE {subject} AND time > k.after AND time <= k.safe LIMIT %b
            ) AS near
        ) ROWS WITH TIES
    ) AS e
"""
_KNOWN = """
    org_id = k.org AND {column} = k.id AND {bucket} IS NOT NULL AND position <= {known}
    AND NOT EXISTS (
        SELECT FROM skipped AS s WHERE s.kind = %b AND s.position = log.position
    )
"""
_BETWEEN = """
    SELECT k.ordinal, e.*
    FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[])
        WITH ORDINALITY AS k(org, id, after, upto, known, ordinal)
    CROSS JOIN LATERAL (
        SELECT {columns} FROM log WHERE {subject} AND time > k.after AND time <= k.upto
        OFFSET 0
    ) AS e
"""
_AROUND = """
    SELECT k.ordinal, e.*
    FROM unnest(%b::text[], %b::text[], %b::bigint[]) WITH ORDINALITY AS k(org, id, time, ordinal)
    CROSS JOIN LATERAL (
        SELECT {columns} FROM log
        WHERE org_id = k.org AND {column} = k.id AND {bucket} IS NOT NULL
            AND time BETWEEN k.time - %b AND k.time + %b AND position <= %b
        OFFSET 0
    ) AS e
"""
# A part of a subject's events, in either order, with all that lie near enough in time to state the
# same facts. A position tells where to go on: the row of the log that it names never changes.
_NEAR = {
    "created": """
        SELECT {columns} FROM log WHERE {subject} AND time BETWEEN %(since)s - %(near)s
            AND %(near)s + (
                SELECT max(time) FROM (
                    SELECT time FROM log WHERE {subject} AND time >= %(since)s ORDER BY time
                    LIMIT %(limit)s + (
                        SELECT count(*) FROM log WHERE {subject} AND time = %(since)s
                    )
                ) AS part
            )
    """,
    "recorded": """
        WITH part AS (
            SELECT time FROM log WHERE {subject} AND position > %(after)s
            ORDER BY position LIMIT %(limit)s
        )
        SELECT {columns} FROM log AS e WHERE {subject} AND EXISTS (
            SELECT FROM part WHERE e.time BETWEEN part.time - %(near)s AND part.time + %(near)s
        )
    """,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the log, and whose it is; its body is read by whoever folds it."""

    position: int
    org_id: str
    subjects: Mapping[SubjectColumn, tuple[str, int]]  # id and bucket
    row: TupleRow

    @property
    def request_position(self) -> int:
        return int(self.row[-1])

    def recorded(self) -> Recorded:
        return _recorded(self.row)


class LogReader:
    """The log's reads; ``_pool`` serves those that no transaction of the caller's needs."""

    _pool: Pool

    def head(self) -> int:
        """The last position, 0 where the log is empty."""
        with translated(), self._pool.connection() as connection:
            return self.head_of(connection.cursor(row_factory=tuple_row))

    def head_of(self, cursor: Cursor[TupleRow]) -> int:
        """The same, as a transaction sees it."""
        cursor.execute("SELECT coalesce(max(position), 0) FROM log")
        row = cursor.fetchone()
        return row[0] if row else 0

    def page(
        self, cursor: Cursor[TupleRow], partitions: Sequence[int], *, after: int, end: int
    ) -> Sequence[Entry]:
        """The rows above a position and up to another that some partitions fold, by position."""
        parameters = {"after": after, "end": end, "partitions": list(partitions)}
        return [_entry(row) for row in cursor.execute(_PAGE, parameters, prepare=True)]

    def waiting(  # noqa: PLR0913 - a subject, and which part of the log
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        org_id: str,
        id_: str,
        *,
        after: int,
        upto: int,
        limit: int,
    ) -> Sequence[Entry]:
        """A subject's rows of the log by position, whole requests, above one and up to another."""
        rows = cursor.execute(
            _WAITING.format(subject=_SUBJECT[column]),
            {"org": org_id, "id": id_, "after": after, "upto": upto, "limit": limit},
        )
        return [_entry(row) for row in rows]

    def count(  # noqa: PLR0913 - a subject, and which part of the log
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        org_id: str,
        id_: str,
        *,
        after: int,
        upto: int,
    ) -> int:
        """How many events a subject has above one position and up to another."""
        row = cursor.execute(
            f"SELECT count(*) FROM log WHERE {_SUBJECT[column]}"  # noqa: S608
            " AND position > %(after)s AND position <= %(upto)s",
            {"org": org_id, "id": id_, "after": after, "upto": upto},
        ).fetchone()
        return row[0] if row else 0

    def later(  # noqa: PLR0913 - some subjects, and how much of each
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        subjects: Sequence[tuple[str, str, int, int]],
        *,
        upto: int,
        kind: str,
        beyond: int,
        most: int,
    ) -> list[list[Recorded]]:
        """The events of some subjects above a time each, in order, whole milliseconds.

        Of each, those up to another time, ``most`` of them, and about ``beyond`` more; of positions
        up to ``upto``.
        """
        query, known = _known_query(_LATER, column, "%b"), (upto, kind)
        columns = [list(each) for each in zip(*subjects, strict=True)]
        found: list[list[Recorded]] = [[] for _ in subjects]
        parameters = (*columns, *known, beyond, *known, most)
        for number, *row in cursor.execute(query, parameters, prepare=True):
            found[number - 1].append(_recorded(row))
        return [in_order(events) for events in found]

    def between(
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        subjects: Sequence[tuple[str, str, int, int, int]],
        *,
        kind: str,
    ) -> list[list[Recorded]]:
        """The events of some subjects above a time each and up to another, in order.

        Of each, those of positions up to its own; events that were skipped are left out.
        """
        if not subjects:
            return []
        columns = [list(each) for each in zip(*subjects, strict=True)]
        found: list[list[Recorded]] = [[] for _ in subjects]
        query = _known_query(_BETWEEN, column, "k.known")
        for number, *row in cursor.execute(query, (*columns, kind), prepare=True):
            found[number - 1].append(_recorded(row))
        return [in_order(events) for events in found]

    def around(
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        moments: Sequence[tuple[str, str, int]],
        *,
        known: int,
    ) -> Iterator[tuple[int, list[Recorded]]]:
        """Of subjects at a time each: the time, and what is near enough to state the same facts.

        In order, of positions up to one; nothing where an event is alone.
        """
        near = dict(
            zip(moments, self._around(cursor, column, moments, known, apart=0), strict=True)
        )
        # What reconciliation told may be stated by webhooks of about the same time.
        told = [key for key, rows in near.items() if any(map(_is_reconciled, rows))]
        apart = RECONCILIATION_TOLERANCE_MS
        near |= zip(told, self._around(cursor, column, told, known, apart=apart), strict=True)
        for (_, _, time_), rows in near.items():
            if len(rows) > 1:
                yield time_, in_order(map(_recorded, rows))

    def _around(
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        moments: Sequence[tuple[str, str, int]],
        known: int,
        *,
        apart: int,
    ) -> list[list[TupleRow]]:
        found: list[list[TupleRow]] = [[] for _ in moments]
        if moments:
            query = _AROUND.format(
                columns=_COLUMNS, column=column, bucket=column.replace("_id", "_bucket")
            )
            columns = [list(each) for each in zip(*moments, strict=True)]
            parameters = (*columns, apart, apart, known)
            for number, *row in cursor.execute(query, parameters, prepare=True):
                found[number - 1].append(tuple(row))
        return found

    def position_at(self, recorded_time: int) -> int:
        """The last position that was recorded up to a moment (epoch ms), 0 where there is none."""
        with translated(), self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            row = cursor.execute("SELECT position_at(%s)", (recorded_time,)).fetchone()
            return row[0] if row else 0

    def recorded_at(self, position: int) -> int:
        """When a position was recorded, epoch ms; 0 before the first."""
        with translated(), self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            row = cursor.execute(
                "SELECT recorded_time FROM log WHERE position = %s", (position,)
            ).fetchone()
            return row[0] if row else 0

    def part_of_subject(  # noqa: PLR0913 - a subject, and a place in one of two orders
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        org_id: str,
        id_: str,
        *,
        order: ReadOrder,
        after: int,
        limit: int,
    ) -> list[Recorded]:
        """At least ``limit`` events after a position (0: from the beginning) if there are as many.

        In their order, and with every event that may state one of the same facts.
        """
        since = "SELECT time FROM log WHERE {subject} AND position = %(after)s"
        subject = _SUBJECT[column]
        parameters = {"org": org_id, "id": id_, "after": after, "limit": limit}
        row = cursor.execute(since.format(subject=subject), parameters).fetchone()
        rows = cursor.execute(
            _NEAR[order].format(columns=_COLUMNS, subject=subject),
            parameters | {"since": row[0] if row else 0, "near": RECONCILIATION_TOLERANCE_MS},
        )
        return in_order(map(_recorded, rows))


@cache
def _known_query(query: str, column: SubjectColumn, known: str) -> str:
    bucket = column.replace("_id", "_bucket")
    return query.format(
        columns=_COLUMNS, subject=_KNOWN.format(column=column, bucket=bucket, known=known)
    )


def _is_reconciled(row: TupleRow) -> bool:
    return bool(row[7] == Origin.RECONCILIATION)


def _entry(row: TupleRow) -> Entry:
    agent_id, agent_bucket, task_id, task_bucket, position, org_id, *_ = row
    subjects: dict[SubjectColumn, tuple[str, int]] = {}
    if agent_bucket is not None:
        subjects["agent_id"] = agent_id, agent_bucket
    if task_bucket is not None:
        subjects["task_id"] = task_id, task_bucket
    return Entry(position=position, org_id=org_id, subjects=subjects, row=row[4:])


def _recorded(row: Sequence[Any]) -> Recorded:
    position, org_id, body, created, time_, source, recorded_time, origin, request = row
    return Recorded(
        event=read_event(bytes(body), org_id),
        position=position,
        time=time_,
        time_source=TimeSource(source),
        created=created,
        recorded_time=recorded_time,
        origin=Origin(origin),
        request_position=request,
    )
