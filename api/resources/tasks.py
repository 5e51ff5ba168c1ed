"""Tasks: their views, histories and journeys, now or as of two times."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from api.auth.authorization import scope_of
from api.http.freshness import times_of
from api.http.pagination import AsOfMeta, ListMeta
from api.http.parameters import Flag, Names, Parameters
from api.http.routing import Route
from api.resources.subjects import ListQuery, SubjectResource, ViewQuery
from api.service import service
from projector.contract.base import Shape
from projector.contract.intervals import TaskInterval
from projector.contract.journey import JourneyRow, journey_rows
from projector.contract.views import TaskView
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.projection.read_models import TASKS

blueprint = Blueprint("tasks", __name__)


class TaskFilters(Parameters):
    """The filters of tasks; ``agentId`` finds any participant."""

    task_id: Names = ()
    status: Names = ()
    current_state: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    direction: Names = ()
    agent_id: Names = ()
    open: tuple[Flag, ...] = ()
    stale: tuple[Flag, ...] = ()


class TasksQuery(TaskFilters, ListQuery):
    """A page of the tasks that fit the filters."""


class TaskList(Shape):
    meta: AsOfMeta | ListMeta
    data: list[TaskView]


class TaskHistory(Shape):
    meta: AsOfMeta | ListMeta
    data: list[TaskInterval]


class JourneyMeta(ListMeta):
    """Of a journey: it is one page, so `nextCursor` is null."""

    task_id: str
    org_id: str
    at: int | None
    known_at: int | None
    time: int = Field(description="The clock of the answer: up to here what goes on has lasted.")
    looked_from: int | None = Field(
        description="What was over by this time is left out; null: nothing is."
    )


class JourneyList(Shape):
    """The journey of a task, by the time when each part began."""

    meta: JourneyMeta
    data: list[JourneyRow]


TASK_RESOURCE = SubjectResource(
    noun="task",
    table=TASKS,
    list_query=TasksQuery,
    view_list=TaskList,
    view=TaskView,
    history=TaskHistory,
)
TASK_RESOURCE.register(blueprint)


@Route(
    blueprint,
    "get",
    "/api/v1/tasks/<task_id>/journey",
    role=Role.VIEWER,
    summary="The waits, offers and contacts of one task, and its agents' states, in order.",
    answers=JourneyList,
    query=ViewQuery,
)
def show_journey(query: ViewQuery, token: Token, task_id: str) -> JourneyList:
    times = times_of(query)
    subject = TASK_RESOURCE.find(query, token, task_id, times)
    scope = scope_of(token, query.org_id)
    journey = service().journeys.of_task((subject.org_id, task_id), scope, times)
    rows = journey_rows(journey.timeline)
    meta = JourneyMeta(
        next_cursor=None,
        count=len(rows),
        task_id=task_id,
        org_id=subject.org_id,
        at=query.at,
        known_at=query.known_at,
        time=times.now,
        looked_from=journey.looked_from,
    )
    return JourneyList.model_construct(meta=meta, data=rows)
