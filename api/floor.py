"""The floor: agents and tasks as they are now, and their histories."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint
from pydantic import BaseModel, Field

from api import access
from api.lists import ListMeta, envelope
from api.parameters import (
    Flag,
    Limit,
    ListQuery,
    Names,
    OneQuery,
    PositionCursor,
    Time,
    TimeCursor,
    filters,
)
from api.problems import Problem
from api.routes import read
from projector.settings import Token
from projector.shapes import (
    AgentInterval,
    AgentView,
    EventRow,
    Shape,
    TaskInterval,
    TaskView,
)
from projector.store import ReadOrder
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


class EventsQuery(OneQuery):
    """A part of a subject's events."""

    order: ReadOrder = "created"
    limit: Limit = 100
    cursor: PositionCursor | None = None


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


class EventList(Shape):
    meta: ListMeta
    data: list[EventRow]


def _register(  # noqa: PLR0913 - what the two kinds of subjects differ in
    table: Table[Any],
    name: str,
    list_query: type[ListQuery],
    *,
    views: type[AgentList | TaskList],
    view: type[AgentView | TaskView],
    history: type[AgentHistory | TaskHistory],
) -> None:
    """The routes of one kind of subject."""
    many, one = f"/api/v1/{table.name}", f"/api/v1/{table.name}/<{name}_id>"

    def list_views(query: ListQuery, token: Token) -> BaseModel:
        return views.model_construct(**_list(table, query, token, ids=f"{name}_id"))

    def find_view(query: OneQuery, token: Token, **parts: str) -> BaseModel:
        return _find(table, query, token, parts[f"{name}_id"]).view

    def list_intervals(query: HistoryQuery, token: Token, **parts: str) -> BaseModel:
        return history.model_construct(**_history(table, query, token, parts[f"{name}_id"]))

    def list_events(query: EventsQuery, token: Token, **parts: str) -> BaseModel:
        return EventList.model_construct(**_events(table, query, token, parts[f"{name}_id"]))

    serve = partial(read, blueprint)
    serve(
        many,
        summary=f"The {table.name}, filtered, by organisation and id.",
        answers=views,
        query=list_query,
    )(list_views)
    serve(one, summary=f"One {name}.", answers=view, query=OneQuery)(find_view)
    serve(
        f"{one}/history",
        summary=f"The intervals of one {name}, oldest first.",
        answers=history,
        query=HistoryQuery,
    )(list_intervals)
    serve(
        f"{one}/events",
        summary=f"The events of one {name}, by created time or as they were recorded.",
        answers=EventList,
        query=EventsQuery,
    )(list_events)


def _list(table: Table[Any], query: ListQuery, token: Token, *, ids: str) -> dict[str, Any]:
    views, place = access.service().views.list(
        table,
        access.scope(token, query.org_id),
        Selection(
            ids=getattr(query, ids) or None,
            facets=filters(query, without={"org_id", "limit", "cursor", ids}),
            after=query.cursor,
            limit=query.limit,
        ),
    )
    return envelope(views, place)


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
    return envelope(intervals, place)


def _events(table: Table[Any], query: EventsQuery, token: Token, id_: str) -> dict[str, Any]:
    found = _find(table, query, token, id_)
    rows, place = access.service().audit.events(
        table,
        found.org_id,
        id_,
        order=query.order,
        after=query.cursor[0] if query.cursor else 0,
        limit=query.limit,
    )
    return envelope(rows, place)


_register(AGENTS, "agent", AgentsQuery, views=AgentList, view=AgentView, history=AgentHistory)
_register(TASKS, "task", TasksQuery, views=TaskList, view=TaskView, history=TaskHistory)
