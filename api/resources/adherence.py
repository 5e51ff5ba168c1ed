"""Adherence: what each agent does and since when, for workforce tools, as list, file or stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from flask import Blueprint, Response

from api.auth.authorization import scope_of
from api.http import exports
from api.http.freshness import times_of
from api.http.pagination import AsOfMeta, ListMeta, list_fields
from api.http.parameters import Names, filters
from api.http.routing import Route
from api.resources.stream import open_stream
from api.resources.subjects import ListQuery
from api.service import service
from projector.contract.adherence import AdherenceRow
from projector.contract.base import Shape
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.current_views import Selection
from projector.query.live.interest import Change, Interest
from projector.query.live.streams import StreamMessage

blueprint = Blueprint("adherence", __name__)
# These change with every look at an agent who does the same as before.
_CLOCK_FIELDS = frozenset({"time", "durationMs", "settled"})


class AdherenceQuery(ListQuery):
    """A page of the agents that fit the filters."""

    agent_id: Names = ()
    team_id: Names = ()
    status: Names = ()


class AdherenceList(Shape):
    meta: AsOfMeta | ListMeta
    data: list[AdherenceRow]


def _export(query: AdherenceQuery, token: Token) -> exports.Export:
    views = service().as_of_views
    times = views.pinned(times_of(query))
    return exports.Export(
        name="adherence",
        model=AdherenceRow,
        rows=views.all_adherence(scope_of(token, query.org_id), _selection(query), times),
        query=query,
        recorded_to=times.recorded_time,
        position=times.position,
    )


def _stream(query: AdherenceQuery, token: Token, last_event_id: int | None) -> Response:
    interest = Interest(
        scope=scope_of(token, query.org_id),
        filters={name: frozenset(values) for name, values in _filters(query).items()},
        events=frozenset({"adherence"}),
    )
    return open_stream(service().feed, token, interest, since=last_event_id, thinned=_changed_rows)


@Route(
    blueprint,
    "get",
    "/api/v1/reports/adherence",
    role=Role.VIEWER,
    summary="What each agent does and since when: a page, a file, or a stream of changes.",
    answers=AdherenceList,
    query=AdherenceQuery,
    export=_export,
    stream=_stream,
    resumes=True,
)
def list_adherence(query: AdherenceQuery, token: Token) -> AdherenceList:
    views = service().as_of_views
    rows, last_key = views.adherence(
        scope_of(token, query.org_id), _selection(query), views.pinned(times_of(query))
    )
    return AdherenceList.model_construct(**list_fields(rows, last_key, query))


def _selection(query: AdherenceQuery) -> Selection:
    facets = _filters(query)
    ids = facets.pop("agentId", None)
    return Selection(ids=ids, facets=facets, after=query.cursor, limit=query.limit)


def _filters(query: AdherenceQuery) -> dict[str, list[str]]:
    return filters(query, without=ListQuery.model_fields)


def _changed_rows(messages: Iterable[StreamMessage]) -> Iterator[StreamMessage]:
    """The messages without rows that say of an agent what the last one said.

    Such a one becomes a sign of life, since its position may be new. Kept is one row an agent.
    """
    last_rows: dict[tuple[str, str], object] = {}
    for message in messages:
        change = message.change
        if not isinstance(change, Change):
            yield message
            continue
        row = {
            name: value
            for name, value in json.loads(change.data).items()
            if name not in _CLOCK_FIELDS
        }
        is_known, last_rows[change.key] = last_rows.get(change.key) == row, row
        yield StreamMessage(position=message.position) if is_known else message
