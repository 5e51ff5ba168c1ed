"""Agents: their views, histories and timelines, now or as of two times."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field, ValidationInfo, field_validator

from api.auth.authorization import scope_of
from api.http.freshness import times_of
from api.http.pagination import AsOfMeta, ListMeta
from api.http.parameters import MAX_WINDOW_MS, Allowed, Flag, Names, Parameters, Time
from api.http.routing import Route
from api.resources.subjects import ListQuery, SubjectResource, ViewQuery
from api.service import service
from projector.contract.base import Shape
from projector.contract.intervals import AgentInterval
from projector.contract.lanes import TimelineRow, timeline_rows
from projector.contract.views import AgentView
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.projection.read_models import AGENTS

blueprint = Blueprint("agents", __name__)


class AgentFilters(Parameters):
    """The filters of agents."""

    agent_id: Names = ()
    status: Names = ()
    current_state: Names = ()
    team_id: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    logged_in: tuple[Flag, ...] = ()


class AgentsQuery(AgentFilters, ListQuery):
    """A page of the agents that fit the filters."""


class AgentList(Shape):
    meta: AsOfMeta | ListMeta
    data: list[AgentView]


class AgentHistory(Shape):
    meta: AsOfMeta | ListMeta
    data: list[AgentInterval]


class TimelineQuery(ViewQuery):
    """The window ``[from, to)`` of a timeline."""

    from_: Time = Field(alias="from")
    to: Annotated[
        Time, Allowed("epoch milliseconds after from, at most 604800000 (7 days) after it")
    ]

    @field_validator("to")
    @classmethod
    def _is_soon_after_from(cls, to: int, info: ValidationInfo) -> int:
        start = info.data.get("from_")
        if start is not None and not 0 < to - start <= MAX_WINDOW_MS:
            raise ValueError(to)
        return to


class TimelineMeta(ListMeta):
    """Of a timeline: it is one page, so `nextCursor` is null."""

    agent_id: str
    org_id: str
    at: int | None
    known_at: int | None
    time: int = Field(description="The clock of the answer: up to here what goes on has lasted.")
    looked_from: int | None = Field(
        description="What was over by this time may be missing; null: nothing is."
    )
    looked_to: int | None = Field(
        description="What goes on at this time may have ended since; null: nothing has."
    )


class TimelineList(Shape):
    """The lanes of an agent, by the time when each row began."""

    meta: TimelineMeta
    data: list[TimelineRow]


AGENT_RESOURCE = SubjectResource(
    noun="agent",
    table=AGENTS,
    list_query=AgentsQuery,
    view_list=AgentList,
    view=AgentView,
    history=AgentHistory,
)
AGENT_RESOURCE.register(blueprint)


@Route(
    blueprint,
    "get",
    "/api/v1/agents/<agent_id>/timeline",
    role=Role.VIEWER,
    summary="Sessions, shown status, legs and channel types of one agent in a window, in order.",
    answers=TimelineList,
    query=TimelineQuery,
)
def show_timeline(query: TimelineQuery, token: Token, agent_id: str) -> TimelineList:
    times = times_of(query)
    subject = AGENT_RESOURCE.find(query, token, agent_id, times)
    lanes = service().lanes.of_agent(
        (subject.org_id, agent_id),
        scope_of(token, query.org_id),
        times,
        start=query.from_,
        end=query.to,
    )
    rows = timeline_rows(lanes.spans)
    meta = TimelineMeta(
        next_cursor=None,
        count=len(rows),
        agent_id=agent_id,
        org_id=subject.org_id,
        at=query.at,
        known_at=query.known_at,
        time=times.now,
        looked_from=lanes.looked_from,
        looked_to=lanes.looked_to,
    )
    return TimelineList.model_construct(meta=meta, data=rows)
