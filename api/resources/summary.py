"""The summary: the whole floor and its figures in one answer, now or as of two times."""

from __future__ import annotations

from flask import Blueprint

from api.auth.authorization import scope_of
from api.http.freshness import times_of
from api.http.parameters import AsOfQuery, Names, OrganisationQuery, Window, filters
from api.http.routing import Route
from api.service import service
from projector.contract.summary import Summary
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token

blueprint = Blueprint("summary", __name__)
DEFAULT_WINDOW_MS = 30 * 60_000


class SummaryQuery(OrganisationQuery, AsOfQuery):
    """Which part of the floor, and how many milliseconds the figures go back."""

    team_id: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    direction: Names = ()
    window: Window = DEFAULT_WINDOW_MS


@Route(
    blueprint,
    "get",
    "/api/v1/summary",
    role=Role.VIEWER,
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
