"""The live stream: what changes on the floor, as server-sent events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

from flask import Blueprint, Response, request

from api.auth.authorization import scope_of
from api.http.parameters import Flag, Names, OneQuery, filters
from api.http.problems import RETRY_LATER, Problem
from api.http.routing import EVENT_STREAM, read_events
from api.service import service
from projector.contract.schemas import AgentView, CorrectionRow, Shape, TaskView
from projector.infrastructure.settings import Token
from projector.query.live.changes import Interest
from projector.query.live.streams import Feed, Told, TooManyStreams

RETRY_MS = 1_000  # after which a client that lost its stream comes again
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

blueprint = Blueprint("stream", __name__)


class StreamQuery(OneQuery):
    """The filters of agents and tasks; they apply to the view as it is sent."""

    agent_id: Names = ()
    task_id: Names = ()
    status: Names = ()
    current_state: Names = ()
    team_id: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    logged_in: tuple[Flag, ...] = ()
    direction: Names = ()
    open: tuple[Flag, ...] = ()


class StreamEvent(Shape):
    """Server-sent events: the fields of each, `data` being JSON on one line."""

    id: int
    event: Literal["agent", "task", "correction"]
    data: AgentView | TaskView | CorrectionRow


@read_events(
    blueprint,
    "/api/v1/stream",
    summary="Agents, tasks and corrections as they change.",
    answers=StreamEvent,
    query=StreamQuery,
)
def stream(query: StreamQuery, token: Token, since: int | None) -> Response:
    given = filters(query, without={"org_id"})
    interest = Interest(
        scope=scope_of(token, query.org_id),
        filters={name: frozenset(values) for name, values in given.items()},
    )
    return _answer(service().feed, interest, since)


def _answer(feed: Feed, interest: Interest, since: int | None) -> Response:
    response = Response(content_type=EVENT_STREAM, headers=HEADERS)
    if request.method == "HEAD":  # nothing of it is read, so nothing would close it
        return response
    try:
        opened = feed.open(interest, since=since)
    except TooManyStreams as error:
        raise Problem(503, str(error), headers=RETRY_LATER) from None
    response.response = _frames(opened)
    response.call_on_close(opened.close)
    return response


def _frames(told: Iterable[Told]) -> Iterator[str]:
    return chain([f"retry: {RETRY_MS}\n"], map(_frame, told))


def _frame(told: Told) -> str:
    if told.change is None:
        return f": ping\nid: {told.position}\n\n"
    return f"event: {told.change.event}\nid: {told.position}\ndata: {told.change.data}\n\n"
