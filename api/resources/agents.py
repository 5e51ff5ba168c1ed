"""Agents: their views and histories, now or as of two times."""

from __future__ import annotations

from flask import Blueprint

from api.http.pagination import AsOfMeta, ListMeta
from api.http.parameters import Flag, Names, Parameters
from api.resources.subjects import ListQuery, SubjectResource
from projector.contract.base import Shape
from projector.contract.intervals import AgentInterval
from projector.contract.views import AgentView
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


SubjectResource(
    noun="agent",
    table=AGENTS,
    list_query=AgentsQuery,
    view_list=AgentList,
    view=AgentView,
    history=AgentHistory,
).register(blueprint)
