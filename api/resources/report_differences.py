"""Differences of a report: which rows two moments of knowledge tell apart, by how much, and why."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from api.http.exports import Export
from api.http.freshness import resolved
from api.http.pagination import ListMeta, QueueReportCursor, list_fields
from api.http.parameters import TIME_ALLOWED, Allowed, Time
from api.http.routing import Route
from api.resources.queue_and_agent_reports import ReportSpanQuery, report_question
from api.service import service
from projector.contract.base import Shape
from projector.contract.reports import ReportDifference
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.figures.differences import DifferenceQuestion
from projector.query.figures.reports import ReportName

blueprint = Blueprint("report_differences", __name__)
Moments = Annotated[
    tuple[Time, ...],
    Field(min_length=1, max_length=2),
    Allowed(f"one or two times, the second one is now where it is missing: {TIME_ALLOWED}"),
]


class DifferencesQuery(ReportSpanQuery):
    """A report, and the moments of knowledge between which it is compared."""

    report: Annotated[ReportName, Allowed("queues or agents")] = "queues"
    at: Time | None = None
    known_at: Moments
    cursor: QueueReportCursor | None = None


class DifferenceMeta(ListMeta):
    """The two moments, the earlier one first; the later is null where it is now."""

    known_at: tuple[int, int | None]


class DifferenceList(Shape):
    meta: DifferenceMeta
    data: list[ReportDifference]


def _moments(query: DifferencesQuery) -> tuple[int, int | None]:
    earlier, later = min(query.known_at), max(query.known_at)
    return earlier, later if len(query.known_at) > 1 else None


def _question(query: DifferencesQuery, token: Token) -> DifferenceQuestion:
    earlier, later = _moments(query)
    key = query.cursor
    question = report_question(
        query,
        token,
        resolved(query.at, earlier),
        key[:3] if key is not None and query.report == "agents" else key,
        without=("report", "at", "known_at"),
    )
    as_of = service().as_of_views.pinned(resolved(query.at, later))
    return DifferenceQuestion(name=query.report, earlier=question, later=as_of)


def _export(query: DifferencesQuery, token: Token) -> Export:
    question = _question(query, token)
    return Export(
        name=f"differences-{query.report}",
        model=ReportDifference,
        rows=service().differences.rows(question),
        query=query,
        recorded_to=question.later.recorded_time,
        position=question.later.position,
        time_zone=query.tz,
    )


@Route(
    blueprint,
    "get",
    "/api/v1/reports/differences",
    role=Role.VIEWER,
    summary="The rows of a report that two moments of knowledge tell apart, and why.",
    answers=DifferenceList,
    query=DifferencesQuery,
    export=_export,
)
def list_differences(query: DifferencesQuery, token: Token) -> DifferenceList:
    rows, last_key = service().differences.page(_question(query, token), query.limit)
    fields = list_fields([ReportDifference.model_validate(row) for row in rows], last_key, query)
    meta = DifferenceMeta(**fields["meta"].model_dump(), known_at=_moments(query))
    return DifferenceList.model_construct(meta=meta, data=fields["data"])
