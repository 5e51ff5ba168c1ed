"""Reading the log: by position, by subject, and as it was known at a position.

Most reads take a cursor of the caller's transaction, so that a whole answer sees the database at
one moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, LiteralString

from psycopg import Cursor, sql
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
from projector.infrastructure.sql import Columns
from projector.webex.webhook import read_event

SubjectColumn = Literal["agent_id", "task_id"]
ReadOrder = Literal["created", "recorded"]
ENDLESS = 2**62  # after every time and every position

_EVENT_COLUMNS = sql.SQL(
    "position, org_id, body, created_time, time, time_source, recorded_time, origin,"
    " request_position"
)
_SUBJECT_COLUMNS = sql.SQL("agent_id, agent_bucket, task_id, task_bucket")
_ONE_SUBJECT: dict[SubjectColumn, sql.SQL] = {
    "agent_id": sql.SQL("org_id = %(org_id)s AND agent_id = %(id)s AND agent_bucket IS NOT NULL"),
    "task_id": sql.SQL("org_id = %(org_id)s AND task_id = %(id)s AND task_bucket IS NOT NULL"),
}
_BATCH = sql.SQL("""
    SELECT {subjects}, {columns} FROM log
    WHERE position > %(after)s AND position <= %(end)s
        AND (agent_bucket / {width} = ANY(%(partitions)s)
            OR task_bucket / {width} = ANY(%(partitions)s))
    ORDER BY position
""")
_WAITING = sql.SQL("""
    WITH next AS (
        SELECT position, request_position FROM log
        WHERE {subject} AND position > %(after)s AND position <= %(upto)s
        ORDER BY position LIMIT %(limit)s
    )
    SELECT {subjects}, {columns} FROM log
    WHERE {subject} AND position > %(after)s AND position <= %(upto)s
        AND request_position <= (SELECT max(request_position) FROM next)
    ORDER BY position
""")
_COUNT_EVENTS = sql.SQL("""
    SELECT count(*) FROM log WHERE {subject} AND position > %(after)s AND position <= %(upto)s
""")
_EACH_SUBJECT = sql.SQL("""
    org_id = k.org_id AND {column} = k.id AND {bucket} IS NOT NULL AND position <= {known_position}
    AND {condition}
""")
_LATER_SUBJECTS = Columns({"org_id": "text", "id": "text", "after": "bigint", "safe": "bigint"})
_LATER = sql.SQL("""
    SELECT k.ordinal, e.* FROM {subjects} CROSS JOIN LATERAL (
        SELECT {columns} FROM log WHERE {subject} AND time > k.after ORDER BY time
        FETCH FIRST (
            SELECT %(beyond)s::bigint + count(*) FROM (
                SELECT FROM log WHERE {subject} AND time > k.after AND time <= k.safe
                LIMIT %(most)s
            ) AS safe
        ) ROWS WITH TIES
    ) AS e
""")
_BETWEEN_SUBJECTS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "after": "bigint",
        "upto": "bigint",
        "known_position": "bigint",
    }
)
_BETWEEN = sql.SQL("""
    SELECT k.ordinal, e.* FROM {subjects} CROSS JOIN LATERAL (
        SELECT {columns} FROM log WHERE {subject} AND time > k.after AND time <= k.upto
        OFFSET 0
    ) AS e
""")
_AROUND_SUBJECTS = Columns({"org_id": "text", "id": "text", "time": "bigint"})
_AROUND = sql.SQL("""
    SELECT k.ordinal, e.* FROM {subjects} CROSS JOIN LATERAL (
        SELECT {columns} FROM log
        WHERE {subject} AND time BETWEEN k.time - %(tolerance)s AND k.time + %(tolerance)s
        OFFSET 0
    ) AS e
""")
# By name: the statement, the columns of its subjects, and the last position that counts.
_EACH: dict[str, tuple[sql.SQL, Columns, LiteralString]] = {
    "later": (_LATER, _LATER_SUBJECTS, "%(known_position)s"),
    "between": (_BETWEEN, _BETWEEN_SUBJECTS, "k.known_position"),
    "around": (_AROUND, _AROUND_SUBJECTS, "%(known_position)s"),
}
# A part of a subject's events, in either order, with all events that are close enough in time to
# state the same facts. A position serves as a cursor, since its row of the log never changes.
_PART: dict[ReadOrder, sql.SQL] = {
    "created": sql.SQL("""
        SELECT {columns} FROM log
        WHERE {subject} AND time BETWEEN %(since)s - %(tolerance)s AND %(tolerance)s + (
            SELECT max(time) FROM (
                SELECT time FROM log WHERE {subject} AND time >= %(since)s ORDER BY time
                LIMIT %(limit)s + (
                    SELECT count(*) FROM log WHERE {subject} AND time = %(since)s
                )
            ) AS part
        )
    """),
    "recorded": sql.SQL("""
        WITH part AS (
            SELECT time FROM log WHERE {subject} AND position > %(after)s
            ORDER BY position LIMIT %(limit)s
        )
        SELECT {columns} FROM log AS e WHERE {subject} AND EXISTS (
            SELECT FROM part
            WHERE e.time BETWEEN part.time - %(tolerance)s AND part.time + %(tolerance)s
        )
    """),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the log, and its subjects. Its body is read when it is folded."""

    position: int
    org_id: str
    subjects: Mapping[SubjectColumn, tuple[str, int]]  # id and bucket
    row: TupleRow

    @property
    def request_position(self) -> int:
        return int(self.row[-1])

    def recorded(self) -> Recorded:
        return recorded_from_row(self.row)


class LogReader:
    """The log's reads; ``_pool`` serves those that take no cursor."""

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

    def batch(
        self, cursor: Cursor[TupleRow], partitions: Sequence[int], *, after: int, end: int
    ) -> Sequence[Entry]:
        """The rows of some partitions above position ``after`` and up to ``end``, by position."""
        parameters = {"after": after, "end": end, "partitions": list(partitions)}
        return [_entry(row) for row in cursor.execute(_batch_query(), parameters, prepare=True)]

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
        """A subject's rows above one position and up to another, by position, in whole requests.

        At least ``limit`` rows, if there are as many.
        """
        rows = cursor.execute(
            _WAITING.format(
                subjects=_SUBJECT_COLUMNS, columns=_EVENT_COLUMNS, subject=_ONE_SUBJECT[column]
            ),
            {"org_id": org_id, "id": id_, "after": after, "upto": upto, "limit": limit},
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
            _COUNT_EVENTS.format(subject=_ONE_SUBJECT[column]),
            {"org_id": org_id, "id": id_, "after": after, "upto": upto},
        ).fetchone()
        return row[0] if row else 0

    def later(  # noqa: PLR0913 - some subjects, and how much of each
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        subjects: Sequence[tuple[str, str, int, int]],
        *,
        known_position: int,
        condition: LiteralString,
        beyond: int,
        most: int,
    ) -> list[list[Recorded]]:
        """The events of some subjects after a time each, in order, whole milliseconds.

        A subject is (organisation, id, after, safe), times in epoch ms. Of each: the events up to
        the time ``safe``, at most ``most``, and about ``beyond`` more. Only positions up to
        ``known_position``, and rows of ``log`` that fulfil the condition.
        """
        rows = _rows_by_subject(
            cursor,
            "later",
            column,
            condition,
            subjects,
            known_position=known_position,
            beyond=beyond,
            most=most,
        )
        return [in_order(map(recorded_from_row, each)) for each in rows]

    def between(
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        subjects: Sequence[tuple[str, str, int, int, int]],
        *,
        condition: LiteralString,
    ) -> list[list[Recorded]]:
        """The events of some subjects after a time each and up to another, in order.

        A subject is (organisation, id, after, upto, known_position), times in epoch ms. Only
        positions up to ``known_position``, and rows of ``log`` that fulfil the condition.
        """
        if not subjects:
            return []
        rows = _rows_by_subject(cursor, "between", column, condition, subjects)
        return [in_order(map(recorded_from_row, each)) for each in rows]

    def around(
        self,
        cursor: Cursor[TupleRow],
        column: SubjectColumn,
        moments: Sequence[tuple[str, str, int]],
        *,
        known_position: int,
    ) -> Iterator[tuple[int, list[Recorded]]]:
        """Of each (organisation, id, time): the time, and all events that may state the same facts.

        The events are in order, of positions up to ``known_position``. A time whose event is alone
        is left out.
        """
        exact = _rows_around(cursor, column, moments, known_position, tolerance=0)
        rows = dict(zip(moments, exact, strict=True))
        # A reconciled event may be restated by webhooks of about the same time.
        wider = [
            moment for moment, same_time in rows.items() if any(map(_is_reconciled, same_time))
        ]
        close = _rows_around(
            cursor, column, wider, known_position, tolerance=RECONCILIATION_TOLERANCE_MS
        )
        rows |= zip(wider, close, strict=True)
        for (_, _, time), same_facts in rows.items():
            if len(same_facts) > 1:
                yield time, in_order(map(recorded_from_row, same_facts))

    def position_at(self, recorded_time: int) -> int:
        """The last position that was recorded up to a time (epoch ms), 0 where there is none."""
        return self._number("SELECT position_at(%(time)s)", {"time": recorded_time})

    def recorded_at(self, position: int) -> int:
        """When a position was recorded, epoch ms; 0 before the first."""
        query = "SELECT recorded_time FROM log WHERE position = %(position)s"
        return self._number(query, {"position": position})

    def _number(self, query: LiteralString, parameters: Mapping[str, int]) -> int:
        with translated(), self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            row = cursor.execute(query, parameters).fetchone()
            return row[0] if row else 0

    def part_of_subject(  # noqa: PLR0913 - a subject, and a position in one of two orders
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
        """At least ``limit`` events after a position, if there are as many, in their order.

        With every event that may state one of the same facts. After 0 means from the beginning.
        """
        subject = _ONE_SUBJECT[column]
        parameters: dict[str, Any] = {"org_id": org_id, "id": id_, "after": after, "limit": limit}
        time_query = sql.SQL("SELECT time FROM log WHERE {subject} AND position = %(after)s")
        row = cursor.execute(time_query.format(subject=subject), parameters).fetchone()
        rows = cursor.execute(
            _PART[order].format(columns=_EVENT_COLUMNS, subject=subject),
            parameters | {"since": row[0] if row else 0, "tolerance": RECONCILIATION_TOLERANCE_MS},
        )
        return in_order(map(recorded_from_row, rows))


@cache
def _batch_query() -> bytes:
    width = BUCKETS_PER_PARTITION
    return _BATCH.format(subjects=_SUBJECT_COLUMNS, columns=_EVENT_COLUMNS, width=width).as_bytes()


@cache
def _each_subject_query(name: str, column: SubjectColumn, condition: LiteralString) -> bytes:
    template, subjects, known_position = _EACH[name]
    subject = _EACH_SUBJECT.format(
        column=sql.Identifier(column),
        bucket=sql.Identifier(column.replace("_id", "_bucket")),
        known_position=sql.SQL(known_position),
        condition=sql.SQL(condition),
    )
    source = subjects.unnest("k", ordinal=True)
    return template.format(subjects=source, columns=_EVENT_COLUMNS, subject=subject).as_bytes()


def _rows_by_subject(
    cursor: Cursor[TupleRow],
    name: str,
    column: SubjectColumn,
    condition: LiteralString,
    subjects: Sequence[Sequence[Any]],
    **parameters: object,
) -> list[list[TupleRow]]:
    rows: list[list[TupleRow]] = [[] for _ in subjects]
    query = _each_subject_query(name, column, condition)
    values = {**_EACH[name][1].parameters(subjects), **parameters}
    for number, *row in cursor.execute(query, values, prepare=True):
        rows[number - 1].append(tuple(row))
    return rows


def _rows_around(
    cursor: Cursor[TupleRow],
    column: SubjectColumn,
    moments: Sequence[tuple[str, str, int]],
    known_position: int,
    *,
    tolerance: int,
) -> list[list[TupleRow]]:
    if not moments:
        return []
    return _rows_by_subject(
        cursor,
        "around",
        column,
        "TRUE",
        moments,
        known_position=known_position,
        tolerance=tolerance,
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


def recorded_from_row(row: Sequence[Any]) -> Recorded:
    """A row of the columns position, organisation, body, created time, time and so on."""
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
