"""The log: its events as pages and as exports, and one event with its body."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from api.auth.authorization import scope_of
from api.http import exports
from api.http.pagination import ListMeta, LogCursor, list_fields
from api.http.parameters import (
    Allowed,
    Flag,
    Limit,
    NamedQuery,
    Names,
    Order,
    OrganisationQuery,
    PositionText,
    Time,
)
from api.http.problems import Problem
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.contract.events import EventRow, EventWithBody, LogEvent
from projector.domain.events import Origin
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.audit.event_log import EventLogQuery

blueprint = Blueprint("events", __name__)


class LogQuery(OrganisationQuery, NamedQuery):
    """Which events: those that happened in ``[from, to)``, and were recorded in the inclusive
    ``recordedFrom`` to ``recordedTo``.
    """

    type: Names = ()
    agent_id: Names = ()
    task_id: Names = ()
    team_id: Names = ()
    queue_id: Names = ()
    origin: Annotated[tuple[Origin, ...], Allowed("webhook, reconciliation or import")] = ()
    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    recorded_from: Time = 0
    recorded_to: Time | None = None
    to_position: PositionText | None = None
    order: Order = "created"
    body: Flag = "false"
    limit: Limit = 100
    cursor: LogCursor | None = None


class LogMeta(ListMeta):
    """The position of the log as of which the list is, and when that was recorded."""

    position: int
    recorded_to: int


class LogList(Shape):
    meta: LogMeta
    data: list[EventWithBody | EventRow]


def _export(query: LogQuery, token: Token) -> exports.Export:
    position, recorded_to = _as_of(query)
    question = _question(query, token, position)
    return exports.Export(
        name="events",
        model=EventWithBody if question.with_body else EventRow,
        rows=service().log_search.rows(question),
        query=query,
        recorded_to=recorded_to,
        position=position,
    )


@Route(
    blueprint,
    "get",
    "/api/v1/events",
    role=Role.VIEWER,
    summary="The events of the log that fit the filters, as of a position.",
    answers=LogList,
    query=LogQuery,
    export=_export,
)
def list_events(query: LogQuery, token: Token) -> LogList:
    if query.cursor is None:
        position, recorded_to = _as_of(query)
        question = _question(query, token, position)
    else:  # later pages are as of the first page's position
        position, recorded_to, time, row_position = query.cursor
        question = _question(query, token, position, (time, row_position))
    rows, last_key = service().log_search.page(question, query.limit)
    fields = list_fields(rows, last_key and (position, recorded_to, *last_key), query)
    meta = LogMeta(**fields["meta"].model_dump(), position=position, recorded_to=recorded_to)
    return LogList.model_construct(meta=meta, data=rows)


@Route(
    blueprint,
    "get",
    "/api/v1/events/<position>",
    role=Role.VIEWER,
    summary="One event with its body, duplicates and conflicts.",
    answers=LogEvent,
    query=OrganisationQuery,
)
def find_event(query: OrganisationQuery, token: Token, position: int) -> LogEvent:
    event = service().log_search.find(scope_of(token, query.org_id), position)
    if event is None:
        raise Problem(404, f"The log has no event at position {position} that the token may see.")
    return event


def _as_of(query: LogQuery) -> tuple[int, int]:
    """The last position that the question includes, and when it was recorded (epoch ms)."""
    store = service().store
    position = store.head()
    if query.recorded_to is not None:
        position = min(position, store.position_at(query.recorded_to))
    if query.to_position is not None:
        position = min(position, query.to_position)
    return position, store.recorded_at(position)


def _question(
    query: LogQuery, token: Token, position: int, after: tuple[int, int] | None = None
) -> EventLogQuery:
    first_time = query.recorded_from
    return EventLogQuery(
        scope=scope_of(token, query.org_id),
        position=position,
        after_position=service().store.position_at(first_time - 1) if first_time else 0,
        types=query.type,
        origins=query.origin,
        agent_ids=query.agent_id,
        task_ids=query.task_id,
        team_ids=query.team_id,
        queue_ids=query.queue_id,
        start=query.from_,
        end=query.to,
        order=query.order,
        with_body=query.body == "true",
        after=after,
    )
