"""The reports of queues and of agents: a row each and period, as pages and as exports."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from api.auth.authorization import scope_of
from api.http.exports import Export
from api.http.freshness import times_of
from api.http.pagination import (
    AgentReportCursor,
    AsOfMeta,
    ListMeta,
    QueueReportCursor,
    list_fields,
)
from api.http.parameters import (
    WHOLE_NUMBER,
    Allowed,
    AsOfQuery,
    Limit,
    NamedQuery,
    Names,
    OrganisationQuery,
    Time,
    filters,
    plain_digits,
)
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.contract.reports import AgentReportRow, QueueReportRow
from projector.infrastructure.settings import Role
from projector.infrastructure.time_zones import time_zone
from projector.infrastructure.tokens import Token
from projector.query.as_of.reconstruct import AsOf
from projector.query.figures.periods import (
    DAY_MS,
    LAST_CALENDAR_TIME,
    MOST_PERIODS,
    SHORTEST_INTERVAL_MS,
    PeriodLength,
    cut,
)
from projector.query.figures.reports import ReportName, ReportQuestion, RowKey

blueprint = Blueprint("queue_and_agent_reports", __name__)
MOST_DAYS = 400
_FIXED_INTERVALS = {"15m": "900000", "30m": "1800000", "1h": "3600000"}  # ms
_INTERVALS = (*_FIXED_INTERVALS, "1d", "1w")


def _interval(text: Any) -> Any:
    """A fixed interval as digits of ms, or as it is."""
    return _FIXED_INTERVALS.get(text, text)


def _zone_name(name: str) -> str:
    time_zone(name)
    return name


_FixedInterval = Annotated[
    int,
    Field(ge=SHORTEST_INTERVAL_MS, le=MOST_DAYS * DAY_MS),
    BeforeValidator(plain_digits),
]
IntervalText = Annotated[
    Literal["1d", "1w"] | _FixedInterval,
    BeforeValidator(_interval),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [*_INTERVALS]},
                {"type": "integer", "minimum": SHORTEST_INTERVAL_MS},
            ]
        }
    ),
    Allowed(
        f"one of {', '.join(_INTERVALS)}, or milliseconds, {WHOLE_NUMBER} from"
        f" {SHORTEST_INTERVAL_MS} to {MOST_DAYS * DAY_MS}; the report has at most {MOST_PERIODS}"
        " of them"
    ),
]
ZoneName = Annotated[
    str, AfterValidator(_zone_name), Allowed("the IANA name of a time zone, as Europe/Berlin")
]
Begin = Annotated[
    Time, Field(le=LAST_CALENDAR_TIME), Allowed(f"epoch milliseconds up to {LAST_CALENDAR_TIME}")
]
End = Annotated[
    Time,
    Field(le=LAST_CALENDAR_TIME),
    Allowed(
        f"epoch milliseconds after from, at most {MOST_DAYS} days after it, and up to"
        f" {LAST_CALENDAR_TIME}"
    ),
]


class ReportSpanQuery(OrganisationQuery, NamedQuery):
    """The span ``[from, to)``, how it is cut into periods, and of what the figures are."""

    from_: Begin = Field(alias="from")
    to: End
    interval: IntervalText = "1d"
    tz: ZoneName = "UTC"
    team_id: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    direction: Names = ()
    agent_id: Names = ()
    limit: Limit = 100

    @field_validator("to")
    @classmethod
    def _is_after_from(cls, to: int, info: ValidationInfo) -> int:
        start = info.data.get("from_")
        if start is not None and not 0 < to - start <= MOST_DAYS * DAY_MS:
            raise ValueError(to)
        return to

    @field_validator("interval")
    @classmethod
    def _is_long_enough(cls, interval: PeriodLength, info: ValidationInfo) -> PeriodLength:
        span = info.data.get("to", 0) - info.data.get("from_", 0)
        if isinstance(interval, int) and span > interval * MOST_PERIODS:
            raise ValueError(interval)
        return interval


class ReportQuery(ReportSpanQuery, AsOfQuery):
    """A report as of two times."""


class QueueReportQuery(ReportQuery):
    cursor: QueueReportCursor | None = None


class AgentReportQuery(ReportQuery):
    cursor: AgentReportCursor | None = None


class QueueReportList(Shape):
    meta: AsOfMeta | ListMeta
    data: list[QueueReportRow]


class AgentReportList(Shape):
    meta: AsOfMeta | ListMeta
    data: list[AgentReportRow]


@dataclass(frozen=True, kw_only=True)
class ReportResource:
    """One report: its models, and the functions that handle its requests."""

    name: ReportName
    summary: str
    query: type[ReportQuery]
    row_list: type[Shape]
    row: type[Shape]

    def register(self) -> None:
        """Declare the route of this report."""
        Route(
            blueprint,
            "get",
            f"/api/v1/reports/{self.name}",
            role=Role.VIEWER,
            summary=self.summary,
            answers=self.row_list,
            query=self.query,
            export=self.export,
        )(self.list_rows)

    def list_rows(self, query: ReportQuery, token: Token) -> BaseModel:
        rows, last_key = service().reports.page(self.name, _question(query, token), query.limit)
        shapes = [self.row.model_validate(row) for row in rows]
        return self.row_list.model_construct(**list_fields(shapes, last_key, query))

    def export(self, query: ReportQuery, token: Token) -> Export:
        question = _question(query, token)
        position = min(question.as_of.position, service().views.position())
        return Export(
            name=f"report-{self.name}",
            model=self.row,
            rows=service().reports.rows(self.name, question),
            query=query,
            recorded_to=service().store.recorded_at(position),
            position=position,
            time_zone=query.tz,
        )


def _question(query: ReportQuery, token: Token) -> ReportQuestion:
    return report_question(
        query, token, times_of(query), getattr(query, "cursor", None), without=("at", "known_at")
    )


def report_question(
    query: ReportSpanQuery,
    token: Token,
    as_of: AsOf,
    after: RowKey | None,
    *,
    without: Collection[str],
) -> ReportQuestion:
    """What a report is of. The parameters ``without`` are no filters either."""
    scope = scope_of(token, query.org_id)
    return ReportQuestion(
        scope=scope.narrowed(query.team_id) if query.team_id else scope,
        filters=filters(query, without={*_NO_FILTERS, *without}),
        as_of=as_of,
        edges=cut(query.from_, query.to, query.interval, time_zone(query.tz)),
        after=after,
    )


_NO_FILTERS = {
    *("from_", "to", "interval", "tz", "limit", "cursor"),
    *("org_id", "team_id", "names"),
}

for _report in (
    ReportResource(
        name="queues",
        summary="Waits and contacts of each queue and channel type, by period.",
        query=QueueReportQuery,
        row_list=QueueReportList,
        row=QueueReportRow,
    ),
    ReportResource(
        name="agents",
        summary="Times of each agent, and the agent's part in offers and contacts, by period.",
        query=AgentReportQuery,
        row_list=AgentReportList,
        row=AgentReportRow,
    ),
):
    _report.register()
