"""Searches of the event log: events by filters, in either order, up to a position.

Rule: up to a position the log never changes. So a search up to it has the same answer at any time,
however it is divided into pages, and each part may be read from a snapshot of its own. That holds
for a caller of some teams too, once the views have that position: an event is seen by the team of
its agent, or of its task's agents, as of the event's time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.events import (
    ConflictShape,
    DuplicateShape,
    EventRow,
    EventWithBody,
    LogEvent,
    event_row,
)
from projector.domain.events import Origin, Recorded, TimeSource, restatements
from projector.domain.fold import S
from projector.event_log.reader import ReadOrder, SubjectColumn
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool, consistent_read
from projector.projection.read_models import Key, Table
from projector.query.as_of.reconstruct import AsOf
from projector.query.as_of.team_moments import NamedMoment, TeamMoments
from projector.query.scope import Scope, names
from projector.webex.json_body import read_for_display
from projector.webex.webhook import differing_fields, read_data, read_event

LogKey = tuple[int, int]  # time (epoch ms) and position of the last row
SUBJECT_COLUMNS: Sequence[SubjectColumn] = ("agent_id", "task_id")
ROWS_TOGETHER = 1_000  # that are read at a time
ROWS_PER_PAGE = 20_000  # that are examined at most, where few match
ROWS_PER_TEAM_PAGE = 5_000  # the same where each is judged by a fold
EVENTS_PER_PAGE = 5_000  # of a subject that are examined at most, where a caller sees few


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLogQuery:
    """Which events: one of the values of each filter, and times in ``[start, end)`` (epoch ms).

    An empty filter leaves out nothing.
    """

    scope: Scope
    position: int  # the last one that counts
    after_position: int = 0  # those up to it do not count
    types: Collection[str] = ()
    origins: Collection[str] = ()
    agent_ids: Collection[str] = ()
    task_ids: Collection[str] = ()
    team_ids: Collection[str] = ()
    queue_ids: Collection[str] = ()
    start: int = 0
    end: int | None = None
    order: ReadOrder = "created"
    with_body: bool = False
    after: LogKey | None = None


@dataclass(frozen=True, slots=True)
class _LogRow:
    """An event, and the column and id by which its subject's other events are found."""

    shape: EventRow
    subject: tuple[SubjectColumn, str] | None
    body: bytes


class LogSearch:
    """Searches the log; each part of an answer is from one database snapshot."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    def page(self, query: EventLogQuery, limit: int) -> tuple[Sequence[EventRow], LogKey | None]:
        """Some rows, and where to go on, null at the end.

        Where few of the examined rows match, a page may have fewer than ``limit`` rows and yet not
        be the last one.
        """
        page: list[EventRow] = []
        most = ROWS_PER_PAGE if query.scope.team_ids is None else ROWS_PER_TEAM_PAGE
        for parts, (rows, cursor) in enumerate(self._parts(query, limit + 1), start=1):
            page += rows
            if len(page) > limit:
                last = page[limit - 1]
                return page[:limit], (last.time, last.position)
            if cursor is not None and parts * ROWS_TOGETHER >= most:
                return page, cursor
        return page, None

    def rows(self, query: EventLogQuery) -> Iterator[EventRow]:
        """All rows, however many; a part of them in memory at a time."""
        for rows, _ in self._parts(query, ROWS_TOGETHER):
            yield from rows

    def find(self, scope: Scope, position: int) -> LogEvent | None:
        """One event with its body, its duplicates and its conflicts; null where there is none."""
        query = EventLogQuery(
            scope=scope, position=position, after_position=position - 1, with_body=True
        )
        with consistent_read(self._pool) as cur:
            upto = self._store.head_of(cur)
            rows = self._seen(cur, replace(query, position=upto), _read(cur, query, 1))
            row = next(iter(rows), None)
            if row is None:
                return None
            (shape,) = self._with_restates(cur, [row], upto)
            parameters = {"org_id": shape.org_id, "position": position}
            duplicates = cur.execute(_DUPLICATES_OF_EVENT, parameters).fetchall()
            conflicts = cur.execute(_CONFLICTS_OF_EVENT, parameters).fetchall()
        return LogEvent(
            **shape.model_dump(exclude={"body"}),
            body=row.body,
            parsed=read_for_display(row.body),
            sha256=hashlib.sha256(row.body).hexdigest(),
            duplicates=[DuplicateShape(recorded_time=time) for (time,) in duplicates],
            conflicts=[_conflict(row.body, *conflict) for conflict in conflicts],
        )

    def of_subject(  # noqa: PLR0913 - a subject, and a part of its events
        self,
        table: Table[S],
        key: Key,
        scope: Scope,
        as_of: AsOf,
        *,
        order: ReadOrder,
        after: int,
        limit: int,
    ) -> tuple[Sequence[EventRow], int | None]:
        """A subject's events after a position (0: from the beginning), and where to go on.

        Of those a caller of some teams sees some; a page may then have less than ``limit`` rows and
        not be the last.
        """
        page, examined, last = list[EventRow](), 0, after
        with consistent_read(self._pool) as cur:
            while True:
                rows, more = self._part_of_subject(
                    cur, table, key, order=order, after=last, limit=limit
                )
                page += _seen_rows(TeamMoments(cur, self._store, scope.team_ids, as_of), rows)
                if len(page) > limit or (len(page) == limit and more is not None):
                    return page[:limit], page[limit - 1].position
                if more is None:
                    return page, None
                examined, last = examined + len(rows), more
                if examined >= EVENTS_PER_PAGE:
                    return page, more

    def _part_of_subject(  # noqa: PLR0913 - a subject, and a part of its events
        self,
        cur: Cursor[TupleRow],
        table: Table[S],
        key: Key,
        *,
        order: ReadOrder,
        after: int,
        limit: int,
    ) -> tuple[Sequence[EventRow], int | None]:
        recorded = self._store.part_of_subject(
            cur, table.column, *key, order=order, after=after, limit=limit + 1
        )
        # Beside the part these are events that may state the same facts as one of it.
        repeats = restatements(recorded)
        if order == "recorded":
            recorded.sort(key=lambda it: it.position)
            part = [it for it in recorded if it.position > after]
        else:
            part = recorded[_index_after(recorded, after) :]
        page = part[:limit]
        rows = [event_row(it, repeats.get(it.position)) for it in page]
        return rows, rows[-1].position if len(part) > limit else None

    def _parts(
        self, query: EventLogQuery, size: int
    ) -> Iterator[tuple[Sequence[EventRow], LogKey | None]]:
        """The rows that match, of ``size`` examined ones at a time, and where to go on."""
        if query.team_ids or query.queue_ids or query.scope.team_ids is not None:
            size = ROWS_TOGETHER
        while True:
            with consistent_read(self._pool) as cur:
                examined = _read(cur, query, size)
                matching = self._seen(
                    cur, query, [row for row in examined if _body_matches(row.body, query)]
                )
                rows = self._with_restates(cur, matching, query.position)
            if len(examined) < size:
                yield rows, None
                return
            last = examined[-1].shape
            query = replace(query, after=(last.time, last.position))
            yield rows, query.after

    def _seen(
        self, cur: Cursor[TupleRow], query: EventLogQuery, rows: Sequence[_LogRow]
    ) -> Sequence[_LogRow]:
        as_of = AsOf(position=query.position, now=0, known_time=0)
        moments = TeamMoments(cur, self._store, query.scope.team_ids, as_of)
        seen = moments.seen_by_name([_moment(row.shape) for row in rows])
        return [row for row, is_seen in zip(rows, seen, strict=True) if is_seen]

    def _with_restates(
        self, cur: Cursor[TupleRow], rows: Sequence[_LogRow], upto: int
    ) -> list[EventRow]:
        """The rows, each with the position of the event that it restates, if it restates one.

        Events up to the position ``upto`` count.
        """
        repeats: dict[int, int] = {}
        for column in SUBJECT_COLUMNS:
            subjects = {
                (row.shape.org_id, row.subject[1], row.shape.time)
                for row in rows
                if row.subject and row.subject[0] == column
            }
            for time, around in self._store.around(
                cur, column, sorted(subjects), known_position=upto
            ):
                same_time = {it.position for it in around if it.time == time}
                repeats |= {it: of for it, of in restatements(around).items() if it in same_time}
        return [
            row.shape.model_copy(update={"restates": repeats[row.shape.position]})
            if row.shape.position in repeats
            else row.shape
            for row in rows
        ]


def _read(cur: Cursor[TupleRow], query: EventLogQuery, size: int) -> list[_LogRow]:
    """The next rows, before those are left out whose body does not match."""
    with_body = query.with_body or query.team_ids or query.queue_ids
    conditions, parameters = _log_conditions(query)
    order = "time, position" if query.order == "created" else "position"
    statement = sql.SQL(_ROWS).format(
        body=sql.SQL("body" if with_body else "''::bytea"),
        conditions=sql.SQL(" AND ").join(conditions),
        order=sql.SQL(order),
    )
    rows = cur.execute(statement, parameters | {"size": size}).fetchall()
    return [_row(row, EventWithBody if query.with_body else EventRow) for row in rows]


def _log_conditions(query: EventLogQuery) -> tuple[list[sql.Composable], dict[str, Any]]:
    scope = query.scope
    conditions: list[sql.Composable] = [
        sql.SQL("position > %(after_position)s AND position <= %(position)s"),
        scope.organisations(),
    ]
    for column, values in _columns(query).items():
        if values:
            conditions.append(
                sql.SQL("{} = ANY({})").format(sql.Identifier(column), sql.Placeholder(column))
            )
    if query.start:
        conditions.append(sql.SQL("time >= %(start)s"))
    if query.end is not None:
        conditions.append(sql.SQL("time < %(end)s"))
    time, position = query.after or (0, 0)
    if query.after is not None and query.order == "created":
        conditions.append(sql.SQL("(time, position) > (%(last_time)s, %(last_position)s)"))
    elif query.after is not None:
        conditions.append(sql.SQL("position > %(last_position)s"))
    return conditions, scope.parameters | {
        **{column: names(values) for column, values in _columns(query).items()},
        "position": query.position,
        "after_position": query.after_position,
        "start": query.start,
        "end": query.end,
        "last_time": time,
        "last_position": position,
    }


def _seen_rows(moments: TeamMoments, rows: Sequence[EventRow]) -> list[EventRow]:
    seen = moments.seen_by_name([_moment(row) for row in rows])
    return [row for row, is_seen in zip(rows, seen, strict=True) if is_seen]


def _moment(row: EventRow) -> NamedMoment:
    return NamedMoment(org_id=row.org_id, agent_id=row.agent_id, task_id=row.task_id, time=row.time)


def _columns(query: EventLogQuery) -> Mapping[str, Collection[str]]:
    return {
        "type": query.types,
        "origin": query.origins,
        "agent_id": query.agent_ids,
        "task_id": query.task_ids,
    }


def _row(row: TupleRow, model: type[EventRow]) -> _LogRow:
    *fields, is_of_agent, is_of_task, body = row
    position, id_, type_, org_id, agent_id, task_id, created, time, source, recorded, origin = (
        fields
    )
    with_body: dict[str, Any] = {"body": bytes(body)} if model is EventWithBody else {}
    shape = model.model_construct(
        **with_body,
        position=position,
        id=id_,
        type=type_,
        org_id=org_id,
        agent_id=agent_id,
        task_id=task_id,
        created_time=created,
        time=time,
        time_source=TimeSource(source),
        recorded_time=recorded,
        origin=Origin(origin),
        restates=None,
    )
    subject: tuple[SubjectColumn, str] | None = ("agent_id", agent_id) if is_of_agent else None
    return _LogRow(
        shape, ("task_id", task_id) if is_of_task and not subject else subject, bytes(body)
    )


def _body_matches(body: bytes, query: EventLogQuery) -> bool:
    """Whether a body names one of the teams and one of the queues."""
    if not query.team_ids and not query.queue_ids:
        return True
    event = read_event(body, "")
    return (not query.team_ids or event.team_id in query.team_ids) and (
        not query.queue_ids or event.queue_id in query.queue_ids
    )


def _index_after(ordered: Sequence[Recorded], position: int) -> int:
    """The index after the event of a position: 0 for position 0, the end where it is missing."""
    if position == 0:
        return 0
    indexes = (index for index, it in enumerate(ordered, start=1) if it.position == position)
    return next(indexes, len(ordered))


def _conflict(first_body: bytes, *row: Any) -> ConflictShape:
    kind, sha256, body, deliveries, first, last = row
    return ConflictShape(
        kind=kind,
        fields=differing_fields(read_data(first_body), read_data(body)),
        sha256=sha256.hex(),
        body=body,
        parsed=read_for_display(body),
        deliveries=deliveries,
        first_time=first,
        last_time=last,
    )


_ROWS = """
    SELECT position, event_id, type, org_id, agent_id, task_id, created_time, time,
        time_source, recorded_time, origin, agent_bucket IS NOT NULL, task_bucket IS NOT NULL,
        {body}
    FROM log AS e WHERE {conditions} ORDER BY {order} LIMIT %(size)s
"""
_DUPLICATES_OF_EVENT = """
    SELECT recorded_time FROM duplicates
    WHERE org_id = %(org_id)s AND position = %(position)s ORDER BY recorded_time
"""
_CONFLICTS_OF_EVENT = """
    SELECT kind, sha256, body, deliveries, first_time, last_time FROM conflicts
    WHERE org_id = %(org_id)s AND position = %(position)s ORDER BY first_time, sha256
"""
