"""The log, queried: which events there are, in either order, as of a position.

The rule of this file: up to a position the log never changes, so what is asked as of one is the
same at any time, however it is divided into pages. It is read in parts, each for itself.
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
from projector.projection.read_models import Table
from projector.query.scope import Scope, names
from projector.webex.json_body import read_shown
from projector.webex.webhook import read_event

LogPlace = tuple[int, int]  # time and position of the last row
SUBJECT_COLUMNS: Sequence[SubjectColumn] = ("agent_id", "task_id")
PART = 1_000  # rows that are read at a time
EXAMINED_FOR_A_PAGE = 20_000  # rows, where few fit


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuestion:
    """Which events: any of each kind of value, and times in ``[start, end)`` (epoch ms)."""

    scope: Scope
    position: int  # the last one
    after_position: int = 0  # recorded later than it
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
    after: LogPlace | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the log, and by what its subject's other events are found."""

    shape: EventRow
    subject: tuple[SubjectColumn, str] | None
    body: bytes


class Log:
    """Queries over the log; each part of an answer is from one database snapshot."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    def page(self, asked: LogQuestion, limit: int) -> tuple[Sequence[EventRow], LogPlace | None]:
        """Some rows, and where to go on, null at the end.

        Less than ``limit`` and yet a place, where few of those that were examined fit.
        """
        found: list[EventRow] = []
        for examined, (rows, place) in enumerate(self._parts(asked, limit + 1), start=1):
            found += rows
            if len(found) > limit:
                last = found[limit - 1]
                return found[:limit], (last.time, last.position)
            if place is not None and examined * PART >= EXAMINED_FOR_A_PAGE:
                return found, place
        return found, None

    def rows(self, asked: LogQuestion) -> Iterator[EventRow]:
        """All rows, however many."""
        for rows, _ in self._parts(asked, PART):
            yield from rows

    def find(self, scope: Scope, position: int) -> LogEvent | None:
        """One event with all that is kept of it."""
        asked = LogQuestion(
            scope=scope, position=position, after_position=position - 1, with_body=True
        )
        with consistent_read(self._pool) as cur:
            row = next(iter(_read(cur, asked, 1)), None)
            if row is None:
                return None
            upto = self._store.head_of(cur)
            (shape,) = self._with_restates(cur, [row], upto)
            duplicates = cur.execute(_DUPLICATES, (shape.org_id, position)).fetchall()
            conflicts = cur.execute(_CONFLICTS, (shape.org_id, position)).fetchall()
        return LogEvent(
            **shape.model_dump(exclude={"body"}),
            body=row.body,
            parsed=read_shown(row.body),
            sha256=hashlib.sha256(row.body).hexdigest(),
            duplicates=[DuplicateShape(recorded_time=time) for (time,) in duplicates],
            conflicts=[_conflict(*conflict) for conflict in conflicts],
        )

    def of_subject(  # noqa: PLR0913 - a subject, and a place in one of two orders
        self,
        table: Table[S],
        org_id: str,
        id_: str,
        *,
        order: ReadOrder,
        after: int,
        limit: int,
    ) -> tuple[Sequence[EventRow], int | None]:
        """A subject's events after a position (0: from the beginning), and where to go on."""
        with consistent_read(self._pool) as cur:
            near = self._store.part_of_subject(
                cur, table.column, org_id, id_, order=order, after=after, limit=limit + 1
            )
        repeats = restatements(near)
        if order == "recorded":
            near.sort(key=lambda recorded: recorded.position)
            found = [recorded for recorded in near if recorded.position > after]
        else:
            found = near[_place_after(near, after) :]
        page = found[:limit]
        rows = [event_row(recorded, repeats.get(recorded.position)) for recorded in page]
        return rows, rows[-1].position if len(found) > limit else None

    def _parts(
        self, asked: LogQuestion, size: int
    ) -> Iterator[tuple[Sequence[EventRow], LogPlace | None]]:
        """What fits of some rows at a time, and where to go on, null at the end."""
        if asked.team_ids or asked.queue_ids:
            size = PART
        while True:
            with consistent_read(self._pool) as cur:
                read = _read(cur, asked, size)
                fitting = [row for row in read if _names(row.body, asked)]
                rows = self._with_restates(cur, fitting, asked.position)
            place = (read[-1].shape.time, read[-1].shape.position) if len(read) == size else None
            yield rows, place
            if place is None:
                return
            asked = replace(asked, after=place)

    def _with_restates(
        self, cur: Cursor[TupleRow], rows: Sequence[_Row], upto: int
    ) -> list[EventRow]:
        """Each with the position of the event whose fact it repeats, among all up to a position."""
        repeats: dict[int, int] = {}
        for column in SUBJECT_COLUMNS:
            subjects = {
                (row.shape.org_id, row.subject[1], row.shape.time)
                for row in rows
                if row.subject and row.subject[0] == column
            }
            for time, near in self._store.around(
                cur, column, sorted(subjects), known_position=upto
            ):
                at = {recorded.position for recorded in near if recorded.time == time}
                repeats |= {it: of for it, of in restatements(near).items() if it in at}
        return [
            row.shape.model_copy(update={"restates": repeats[row.shape.position]})
            if row.shape.position in repeats
            else row.shape
            for row in rows
        ]


def _read(cur: Cursor[TupleRow], asked: LogQuestion, size: int) -> list[_Row]:
    """The next rows, whatever the body says."""
    with_body = asked.with_body or asked.team_ids or asked.queue_ids
    conditions, parameters = _conditions(asked)
    order = "time, position" if asked.order == "created" else "position"
    query = sql.SQL(_ROWS).format(
        body=sql.SQL("body" if with_body else "''::bytea"),
        conditions=sql.SQL(" AND ").join(conditions),
        order=sql.SQL(order),
    )
    rows = cur.execute(query, parameters | {"size": size}).fetchall()
    return [_row(row, EventWithBody if asked.with_body else EventRow) for row in rows]


def _conditions(asked: LogQuestion) -> tuple[list[sql.Composable], dict[str, Any]]:
    scope = asked.scope
    conditions: list[sql.Composable] = [
        sql.SQL("position > %(after_position)s AND position <= %(position)s"),
        scope.organisations(),
        scope.events(),
    ]
    for column, values in _columns(asked).items():
        if values:
            conditions.append(sql.SQL(f"{column} = ANY(%({column})s)"))
    if asked.start:
        conditions.append(sql.SQL("time >= %(start)s"))
    if asked.end is not None:
        conditions.append(sql.SQL("time < %(end)s"))
    time, position = asked.after or (0, 0)
    if asked.after is not None and asked.order == "created":
        conditions.append(sql.SQL("(time, position) > (%(time)s, %(place)s)"))
    elif asked.after is not None:
        conditions.append(sql.SQL("position > %(place)s"))
    return conditions, scope.parameters | {
        **{column: names(values) for column, values in _columns(asked).items()},
        "position": asked.position,
        "after_position": asked.after_position,
        "start": asked.start,
        "end": asked.end,
        "time": time,
        "place": position,
    }


def _columns(asked: LogQuestion) -> Mapping[str, Collection[str]]:
    return {
        "type": asked.types,
        "origin": asked.origins,
        "agent_id": asked.agent_ids,
        "task_id": asked.task_ids,
    }


def _row(row: TupleRow, model: type[EventRow]) -> _Row:
    *told, is_of_agent, is_of_task, body = row
    position, id_, type_, org_id, agent_id, task_id, created, time, source, recorded, origin = told
    kept: dict[str, Any] = {"body": bytes(body)} if model is EventWithBody else {}
    shape = model.model_construct(
        **kept,
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
    return _Row(shape, ("task_id", task_id) if is_of_task and not subject else subject, bytes(body))


def _names(body: bytes, asked: LogQuestion) -> bool:
    """Whether a body names one of the teams and one of the queues."""
    if not asked.team_ids and not asked.queue_ids:
        return True
    event = read_event(body, "")
    return (not asked.team_ids or event.team_id in asked.team_ids) and (
        not asked.queue_ids or event.queue_id in asked.queue_ids
    )


def _place_after(ordered: Sequence[Recorded], position: int) -> int:
    """Where the events after the one of a position begin; none is after one that is not there."""
    if position == 0:
        return 0
    places = (place for place, it in enumerate(ordered, start=1) if it.position == position)
    return next(places, len(ordered))


def _conflict(sha256: bytes, body: bytes, deliveries: int, first: int, last: int) -> ConflictShape:
    return ConflictShape(
        sha256=sha256.hex(),
        body=body,
        parsed=read_shown(body),
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
_DUPLICATES = """
    SELECT recorded_time FROM duplicates WHERE org_id = %s AND position = %s ORDER BY recorded_time
"""
_CONFLICTS = """
    SELECT sha256, body, deliveries, first_time, last_time FROM conflicts
    WHERE org_id = %s AND position = %s ORDER BY first_time, sha256
"""
