"""The live stream: agents, tasks and corrections as they change, as server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Literal

from flask import Blueprint, Response, request

from api.auth.authorization import scope_of
from api.http.exports import EVENT_STREAM
from api.http.parameters import OrganisationQuery, filters
from api.http.problems import RETRY_LATER, Problem
from api.http.routing import Route
from api.resources.agents import AgentFilters
from api.resources.tasks import TaskFilters
from api.service import service
from projector.contract.base import Shape
from projector.contract.ledgers import CorrectionRow
from projector.contract.views import AgentView, SubjectLeft, TaskView
from projector.infrastructure.settings import Role, Token
from projector.query.live.changes import Interest
from projector.query.live.streams import Feed, StreamMessage, TooManyStreams

RECONNECT_MS = 1_000  # after this time a client that lost its stream asks for it again
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

blueprint = Blueprint("stream", __name__)


class StreamQuery(TaskFilters, AgentFilters, OrganisationQuery):
    """The filters of agents and of tasks; what they found and do not find any more is `left`."""


class StreamEvent(Shape):
    """Server-sent events: the fields of each, `data` being JSON on one line."""

    id: int
    event: Literal["agent", "task", "correction", "left"]
    data: AgentView | TaskView | CorrectionRow | SubjectLeft


@Route(
    blueprint,
    "get",
    "/api/v1/stream",
    role=Role.VIEWER,
    summary="Agents, tasks and corrections as they change.",
    answers=StreamEvent,
    query=StreamQuery,
    content_type=EVENT_STREAM,
    resumes=True,
)
def stream(query: StreamQuery, token: Token, last_event_id: int | None) -> Response:
    """Without ``last_event_id``, what changes from now on."""
    values_by_filter = filters(query, without={"org_id"})
    interest = Interest(
        scope=scope_of(token, query.org_id),
        filters={name: frozenset(values) for name, values in values_by_filter.items()},
    )
    return open_stream(service().feed, interest, since=last_event_id)


Messages = Iterable[StreamMessage]


def open_stream(
    feed: Feed,
    interest: Interest,
    *,
    since: int | None,
    thinned: Callable[[Messages], Messages] = iter,
) -> Response:
    """A response that sends what is of interest; ``thinned`` may leave out some messages."""
    response = Response(content_type=EVENT_STREAM, headers=STREAM_HEADERS)
    if request.method == "HEAD":  # nobody reads its body, so nothing would close a stream
        return response
    try:
        changes = feed.open(interest, since=since)
    except TooManyStreams as error:
        raise Problem(503, str(error), headers=RETRY_LATER) from None
    response.response = _frames(thinned(changes))
    response.call_on_close(changes.close)
    return response


def _frames(changes: Messages) -> Iterator[str]:
    return chain([f"retry: {RECONNECT_MS}\n"], map(_frame, changes))


def _frame(item: StreamMessage) -> str:
    """A change as one server-sent event, or a ping where none came for a while."""
    if item.change is None:
        return f": ping\nid: {item.position}\n\n"
    return f"event: {item.change.event}\nid: {item.position}\ndata: {item.change.data}\n\n"
