"""The log: its events, as pages and as exports, and one with all that is kept of it."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from api.auth.authorization import scope_of
from api.http import exports
from api.http.pagination import ListMeta, envelope
from api.http.parameters import Flag, Limit, LogCursor, Names, OneQuery, Time, WholeNumber
from api.http.problems import Problem
from api.http.routing import read
from api.service import service
from projector.contract.schemas import EventRow, EventWithBody, LogEvent, Shape
from projector.domain.events import Origin
from projector.event_log.reader import ReadOrder
from projector.infrastructure.settings import Token
from projector.query.audit.event_log import LogQuestion

blueprint = Blueprint("log", __name__)


class FilterQuery(OneQuery):
    """Which events; `from` and `to` are of their times, both others inclusive of when we knew."""

    type: Names = ()
    agent_id: Names = ()
    task_id: Names = ()
    team_id: Names = ()
    queue_id: Names = ()
    origin: tuple[Origin, ...] = ()
    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    recorded_from: Time = 0
    recorded_to: Time | None = None
    to_position: WholeNumber | None = None
    order: ReadOrder = "created"
    body: Flag = "false"


class LogQuery(FilterQuery):
    """A page of them."""

    limit: Limit = 100
    cursor: LogCursor | None = None


class LogMeta(ListMeta):
    """As of which position of the log, and when it was recorded."""

    position: int
    recorded_to: int


class LogList(Shape):
    meta: LogMeta
    data: list[EventWithBody | EventRow]


class Digest(Shape):
    """Of the file that the same question exports."""

    count: int
    sha256: str
    format: str = Field(description="Of the file: as `Accept` says, else NDJSON.")
    position: int
    recorded_to: int


def _export(query: FilterQuery, token: Token) -> exports.Export:
    position, recorded_to = _as_of(query)
    asked = _question(query, token, position)
    return exports.Export(
        name="events",
        model=EventWithBody if asked.with_body else EventRow,
        rows=service().log.rows(asked),
        query=query,
        recorded_to=recorded_to,
        position=position,
    )


@read(
    blueprint,
    "/api/v1/events",
    summary="The log, filtered, as of a position.",
    answers=LogList,
    query=LogQuery,
    export=_export,
)
def list_events(query: LogQuery, token: Token) -> LogList:
    position, recorded_to = _as_of(query)
    after = None
    if query.cursor is not None:
        position, recorded_to, *_ = query.cursor
        after = query.cursor[2:]
    asked = _question(query, token, position, after)
    rows, goes_on = service().log.page(asked, query.limit)
    place = None if goes_on is None else (position, recorded_to, *goes_on)
    found = envelope(rows, place)
    meta = LogMeta(**found["meta"].model_dump(), position=position, recorded_to=recorded_to)
    return LogList.model_construct(meta=meta, data=rows)


@read(
    blueprint,
    "/api/v1/events/digest",
    summary="Count and SHA-256 of what the same filters export.",
    answers=Digest,
    query=FilterQuery,
)
def digest(query: FilterQuery, token: Token) -> Digest:
    export, kind = _export(query, token), exports.wanted()
    kind = exports.NDJSON if kind == exports.JSON else kind
    count, sha256 = exports.digest(export, kind)
    return Digest(
        count=count,
        sha256=sha256,
        format=kind,
        position=export.position,
        recorded_to=export.recorded_to,
    )


@read(
    blueprint,
    "/api/v1/events/<position>",
    summary="One event with its body, duplicates and conflicts.",
    answers=LogEvent,
    query=OneQuery,
)
def find_event(query: OneQuery, token: Token, position: int) -> LogEvent:
    found = service().log.find(scope_of(token, query.org_id), position)
    if found is None:
        raise Problem(404, f"The log has no event at position {position} that the token may see.")
    return found


def _as_of(query: FilterQuery) -> tuple[int, int]:
    """The last position to tell of, and when it was recorded."""
    store = service().store
    position = store.head()
    if query.recorded_to is not None:
        position = min(position, store.position_at(query.recorded_to))
    if query.to_position is not None:
        position = min(position, query.to_position)
    return position, store.recorded_at(position)


def _question(
    query: FilterQuery, token: Token, position: int, after: tuple[int, int] | None = None
) -> LogQuestion:
    first = query.recorded_from
    return LogQuestion(
        scope=scope_of(token, query.org_id),
        position=position,
        after_position=service().store.position_at(first - 1) if first else 0,
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
