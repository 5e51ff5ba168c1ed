"""The live stream: agents, tasks and corrections as they change, as server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Literal

from flask import Blueprint, Response, request

from api.auth.authorization import scope_of
from api.http.exports import EVENT_STREAM
from api.http.naming import asks_names
from api.http.parameters import Flag, NamedQuery, OrganisationQuery, filters
from api.http.problems import RETRY_LATER, Problem
from api.http.routing import Route
from api.http.stream_names import StreamNames
from api.resources.agents import AgentFilters
from api.resources.tasks import TaskFilters
from api.service import service
from projector.contract.base import Shape
from projector.contract.ledgers import CorrectionRow
from projector.contract.views import (
    AgentView,
    SnapshotEnd,
    SnapshotStart,
    SubjectLeft,
    TaskView,
)
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.live.interest import Interest
from projector.query.live.streams import Feed, SentAs, StreamMessage, TooManyStreams

RECONNECT_MS = 1_000  # after this time a client that lost its stream asks for it again
STREAM_HEADERS = {"X-Accel-Buffering": "no"}

blueprint = Blueprint("stream", __name__)


class StreamOptions(OrganisationQuery, NamedQuery):
    """What is sent of all that fits."""

    snapshot: Flag = "false"


class StreamQuery(TaskFilters, AgentFilters, StreamOptions):
    """The filters of agents and of tasks; what they found and do not find any more is `left`."""


class StreamEvent(Shape):
    """Server-sent events: the fields of each, `data` being JSON on one line."""

    id: int
    event: Literal["agent", "task", "correction", "left", "reset", "snapshot"]
    data: AgentView | TaskView | CorrectionRow | SubjectLeft | SnapshotStart | SnapshotEnd


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
    """Without ``last_event_id``, what changes from now on; with a snapshot, also what there is."""
    values_by_filter = filters(query, without=StreamOptions.model_fields)
    scope = scope_of(token, query.org_id)
    interest = Interest(
        scope=scope,
        filters={name: frozenset(values) for name, values in values_by_filter.items()},
    )
    return open_stream(
        service().feed,
        token,
        interest,
        since=last_event_id,
        snapshot=query.snapshot == "true",
        sent_as=StreamNames(service().directory, scope).add if asks_names(query) else tuple,
    )


Messages = Iterable[StreamMessage]


def open_stream(  # noqa: PLR0913 - what is sent, and how it begins
    feed: Feed,
    token: Token,
    interest: Interest,
    *,
    since: int | None,
    snapshot: bool = False,
    sent_as: SentAs = tuple,
    thinned: Callable[[Messages], Messages] = iter,
) -> Response:
    """A response that sends what is of interest to a caller; the rest as ``Feed.open`` takes it.

    It holds a slot of the token. ``thinned`` may leave out some messages.
    """
    response = Response(content_type=EVENT_STREAM, headers=STREAM_HEADERS)
    if request.method == "HEAD":  # nobody reads its body, so nothing would close a stream
        return response
    slot = service().stream_slots.take(token)
    try:
        changes = feed.open(interest, since=since, snapshot=snapshot, sent_as=sent_as)
    except TooManyStreams as error:
        slot.release()
        raise Problem(503, str(error), headers=RETRY_LATER) from None
    except BaseException:
        slot.release()
        raise
    response.response = _frames(thinned(changes))
    response.call_on_close(changes.close)
    response.call_on_close(slot.release)
    return response


def _frames(changes: Messages) -> Iterator[str]:
    return chain([f"retry: {RECONNECT_MS}\n"], map(_frame, changes))


def _frame(item: StreamMessage) -> str:
    """A change as one server-sent event, or a ping where none came for a while."""
    if item.change is None:
        return f": ping\nid: {item.position}\n\n"
    return f"event: {item.change.event}\nid: {item.position}\ndata: {item.change.data}\n\n"
