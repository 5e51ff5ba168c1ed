"""The floor: agents and tasks as they are now, and their histories."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from pydantic import Field

from api import access
from api.parameters import (
    Flag,
    Limit,
    ListQuery,
    Names,
    OneQuery,
    Time,
    TimeCursor,
    cursor,
)
from api.problems import Problem
from api.routes import read
from projector.settings import Token
from projector.shapes import AgentInterval, AgentView, Shape, TaskInterval, TaskView
from projector.tables import AGENTS, TASKS, Table
from projector.views import Found, Selection

blueprint = Blueprint("floor", __name__, url_prefix="")


class AgentsQuery(ListQuery):
    """Filters of the list of agents."""

    agent_id: Names = ()
    status: Names = ()
    current_state: Names = ()
    team_id: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    logged_in: tuple[Flag, ...] = ()


class TasksQuery(ListQuery):
    """Filters of the list of tasks; ``agentId`` finds any participant."""

    task_id: Names = ()
    status: Names = ()
    current_state: Names = ()
    queue_id: Names = ()
    channel_type: Names = ()
    direction: Names = ()
    agent_id: Names = ()
    open: tuple[Flag, ...] = ()


class HistoryQuery(OneQuery):
    """A window on a history."""

    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    limit: Limit = 100
    cursor: TimeCursor | None = None


class ListMeta(Shape):
    next_cursor: str | None
    count: int


class AgentList(Shape):
    meta: ListMeta
    data: list[AgentView]


class TaskList(Shape):
    meta: ListMeta
    data: list[TaskView]


class AgentHistory(Shape):
    meta: ListMeta
    data: list[AgentInterval]


class TaskHistory(Shape):
    meta: ListMeta
    data: list[TaskInterval]


@read(
    blueprint,
    "/api/v1/agents",
    summary="The agents, filtered, by organisation and id.",
    answers=AgentList,
    query=AgentsQuery,
)
def agents(query: AgentsQuery, token: Token) -> AgentList:
    return AgentList.model_construct(**_list(AGENTS, query, token, ids="agent_id"))


@read(
    blueprint,
    "/api/v1/tasks",
    summary="The tasks, filtered, by organisation and id.",
    answers=TaskList,
    query=TasksQuery,
)
def tasks(query: TasksQuery, token: Token) -> TaskList:
    return TaskList.model_construct(**_list(TASKS, query, token, ids="task_id"))


@read(
    blueprint,
    "/api/v1/agents/<agent_id>",
    summary="One agent.",
    answers=AgentView,
    query=OneQuery,
)
def agent(query: OneQuery, token: Token, agent_id: str) -> Any:
    return _find(AGENTS, query, token, agent_id).view


@read(blueprint, "/api/v1/tasks/<task_id>", summary="One task.", answers=TaskView, query=OneQuery)
def task(query: OneQuery, token: Token, task_id: str) -> Any:
    return _find(TASKS, query, token, task_id).view


@read(
    blueprint,
    "/api/v1/agents/<agent_id>/history",
    summary="The intervals of one agent, oldest first.",
    answers=AgentHistory,
    query=HistoryQuery,
)
def agent_history(query: HistoryQuery, token: Token, agent_id: str) -> AgentHistory:
    return AgentHistory.model_construct(**_history(AGENTS, query, token, agent_id))


@read(
    blueprint,
    "/api/v1/tasks/<task_id>/history",
    summary="The intervals of one task, oldest first.",
    answers=TaskHistory,
    query=HistoryQuery,
)
def task_history(query: HistoryQuery, token: Token, task_id: str) -> TaskHistory:
    return TaskHistory.model_construct(**_history(TASKS, query, token, task_id))


def _list(table: Table[Any], query: ListQuery, token: Token, *, ids: str) -> dict[str, Any]:
    given = query.model_dump(by_alias=True, exclude={"org_id", "limit", "cursor", ids})
    filters = {name: [_shown(v) for v in values] for name, values in given.items() if values}
    views, place = access.service().views.list(
        table,
        access.scope(token, query.org_id),
        Selection(
            ids=getattr(query, ids) or None,
            facets=filters,
            after=query.cursor,
            limit=query.limit,
        ),
    )
    return _envelope(views, cursor(*place) if place else None)


def _find(table: Table[Any], query: OneQuery, token: Token, id_: str) -> Found:
    scope = access.scope(token, query.org_id)
    found = access.service().views.find(table, scope, id_)
    if not found:
        raise Problem(404, f"No {table.name[:-1]} is known by the id {id_!r}.")
    if len(found) > 1:
        names = [one.org_id for one in found]
        detail = f"Several organisations have it, say which by orgId: {', '.join(names)}."
        raise Problem(409, detail, org_ids=names)
    if not found[0].in_scope:
        raise Problem(403, f"The token's teams take no part in this {table.name[:-1]}.")
    return found[0]


def _history(table: Table[Any], query: HistoryQuery, token: Token, id_: str) -> dict[str, Any]:
    found = _find(table, query, token, id_)
    intervals, place = access.service().views.history(
        table,
        found.org_id,
        id_,
        start=query.from_,
        end=query.to,
        after=query.cursor[0] if query.cursor else None,
        limit=query.limit,
    )
    return _envelope(intervals, None if place is None else cursor(place))


def _envelope(rows: Any, next_cursor: str | None) -> dict[str, Any]:
    return {"meta": ListMeta(next_cursor=next_cursor, count=len(rows)), "data": rows}


def _shown(text: str) -> str:
    """As values are shown: no NUL is."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
