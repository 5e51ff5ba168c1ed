"""The floor: agents and tasks and their histories, now or as of two times."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint
from pydantic import BaseModel, Field

from api.auth.authorization import scope_of
from api.http.freshness import times_of
from api.http.pagination import AsOfMeta, ListMeta, envelope
from api.http.parameters import (
    AsOfQuery,
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
from api.http.problems import Problem
from api.http.routing import read
from api.service import service
from projector.contract.schemas import (
    AgentInterval,
    AgentView,
    EventRow,
    Explanation,
    Shape,
    TaskInterval,
    TaskView,
)
from projector.event_log.reader import ReadOrder
from projector.infrastructure.settings import Token
from projector.projection.read_models import AGENTS, TASKS, Table
from projector.query.as_of.reconstruct import AsOf
from projector.query.as_of.views import Found
from projector.query.current_views import Selection

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


class ViewQuery(OneQuery, AsOfQuery):
    """One view, now or as of two times."""


class HistoryQuery(ViewQuery):
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
    meta: AsOfMeta | ListMeta
    data: list[AgentView]


class TaskList(Shape):
    meta: AsOfMeta | ListMeta
    data: list[TaskView]


class AgentHistory(Shape):
    meta: AsOfMeta | ListMeta
    data: list[AgentInterval]


class TaskHistory(Shape):
    meta: AsOfMeta | ListMeta
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

    def find_view(query: ViewQuery, token: Token, **parts: str) -> BaseModel:
        return _find(table, query, token, parts[f"{name}_id"], times_of(query)).view

    def list_intervals(query: HistoryQuery, token: Token, **parts: str) -> BaseModel:
        return history.model_construct(**_history(table, query, token, parts[f"{name}_id"]))

    def explain(query: ViewQuery, token: Token, **parts: str) -> BaseModel:
        id_, as_of = parts[f"{name}_id"], times_of(query)
        found = _find(table, query, token, id_, as_of)
        return service().explain.explain(table, (found.org_id, id_), as_of)

    def list_events(query: EventsQuery, token: Token, **parts: str) -> BaseModel:
        return EventList.model_construct(**_events(table, query, token, parts[f"{name}_id"]))

    serve = partial(read, blueprint)
    serve(
        many,
        summary=f"The {table.name}, filtered, by organisation and id.",
        answers=views,
        query=list_query,
    )(list_views)
    serve(one, summary=f"One {name}.", answers=view, query=ViewQuery)(find_view)
    serve(
        f"{one}/history",
        summary=f"The intervals of one {name}, oldest first.",
        answers=history,
        query=HistoryQuery,
    )(list_intervals)
    serve(
        f"{one}/explain",
        summary=f"For each field of the view of one {name} the event that set it.",
        answers=Explanation,
        query=ViewQuery,
    )(explain)
    serve(
        f"{one}/events",
        summary=f"The events of one {name}, by created time or as they were recorded.",
        answers=EventList,
        query=EventsQuery,
    )(list_events)


def _list(table: Table[Any], query: ListQuery, token: Token, *, ids: str) -> dict[str, Any]:
    scope = scope_of(token, query.org_id)
    selection = Selection(
        ids=getattr(query, ids) or None,
        facets=filters(query, without={*ListQuery.model_fields, ids}),
        after=query.cursor,
        limit=query.limit,
    )
    if query.at is None and query.known_at is None:
        return envelope(*service().views.list(table, scope, selection))
    found = service().past.list(table, scope, selection, times_of(query))
    return envelope(*found, query)


def _find(table: Table[Any], query: OneQuery, token: Token, id_: str, as_of: AsOf) -> Found:
    scope = scope_of(token, query.org_id)
    found = service().past.find(table, scope, id_, as_of)
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
    as_of = times_of(query)
    found = _find(table, query, token, id_, as_of)
    intervals, place = service().past.history(
        table,
        (found.org_id, id_),
        as_of,
        start=query.from_,
        end=query.to,
        after=query.cursor[0] if query.cursor else None,
        limit=query.limit,
    )
    return envelope(intervals, place, query)


def _events(table: Table[Any], query: EventsQuery, token: Token, id_: str) -> dict[str, Any]:
    found = _find(table, query, token, id_, service().past.as_of(None, None))
    rows, place = service().log.of_subject(
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
