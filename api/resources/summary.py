"""The summary: a floor and its figures in one answer, now or as of two times."""

from __future__ import annotations

from flask import Blueprint

from api.auth.authorization import scope_of
from api.http.freshness import times_of
from api.http.parameters import AsOfQuery, Names, OneQuery, Window, filters
from api.http.routing import read
from api.service import service
from projector.contract.schemas import Summary
from projector.infrastructure.settings import Token

blueprint = Blueprint("summary", __name__)
WINDOW_MS = 30 * 60_000


class SummaryQuery(OneQuery, AsOfQuery):
    """A part of the floor, and how long before the moment figures go back."""

    team_id: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    window: Window = WINDOW_MS


@read(
    blueprint,
    "/api/v1/summary",
    summary="The floor in one answer: agents, tasks, and the figures of a window.",
    answers=Summary,
    query=SummaryQuery,
)
def summarize(query: SummaryQuery, token: Token) -> Summary:
    scope = scope_of(token, query.org_id)
    return service().summaries.summarize(
        scope.narrowed(query.team_id) if query.team_id else scope,
        filters(query, without={"org_id", "team_id", "window", *AsOfQuery.model_fields}),
        times_of(query),
        window=query.window,
    )
