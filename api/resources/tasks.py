"""Tasks: their views and histories, now or as of two times."""

from __future__ import annotations

from flask import Blueprint

from api.http.pagination import AsOfMeta, ListMeta
from api.http.parameters import Flag, Names, Parameters
from api.resources.subjects import ListQuery, SubjectResource
from projector.contract.base import Shape
from projector.contract.intervals import TaskInterval
from projector.contract.views import TaskView
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


SubjectResource(
    noun="task",
    table=TASKS,
    list_query=TasksQuery,
    view_list=TaskList,
    view=TaskView,
    history=TaskHistory,
).register(blueprint)
