"""What agents and tasks have in common: the list, one view, its history, explanation and events.

``agents`` and ``tasks`` say what is their own, the filters and the models.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint
from pydantic import BaseModel, Field

from api.auth.authorization import scope_of
from api.http.freshness import times_of
from api.http.pagination import ListMeta, PositionCursor, SubjectCursor, TimeCursor, list_fields
from api.http.parameters import (
    AsOfQuery,
    Limit,
    NamedQuery,
    Names,
    Order,
    OrganisationQuery,
    Time,
    filters,
)
from api.http.problems import Problem
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.contract.events import EventRow
from projector.contract.explanation import Explanation
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.projection.read_models import Table
from projector.query.as_of.reconstruct import AsOf
from projector.query.as_of.views import FoundSubject
from projector.query.current_views import Selection


class ListQuery(AsOfQuery, NamedQuery):
    """What every list of views takes, beside its filters."""

    org_id: Names = ()
    limit: Limit = 100
    cursor: SubjectCursor | None = None


class ViewQuery(OrganisationQuery, AsOfQuery, NamedQuery):
    """One view, now or as of two times."""


class HistoryQuery(ViewQuery):
    """The intervals that overlap ``[from, to)``."""

    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    limit: Limit = 100
    cursor: TimeCursor | None = None


class EventsQuery(OrganisationQuery, NamedQuery):
    """A page of a subject's events."""

    order: Order = "created"
    limit: Limit = 100
    cursor: PositionCursor | None = None


class EventList(Shape):
    meta: ListMeta
    data: list[EventRow]


@dataclass(frozen=True, kw_only=True)
class SubjectResource:
    """One kind of subject: its models, and the functions that handle its requests."""

    noun: str  # agent or task
    table: Table[Any]
    list_query: type[ListQuery]
    view_list: type[BaseModel]
    view: type[BaseModel]
    history: type[BaseModel]

    def register(self, blueprint: Blueprint) -> None:
        """Declare the routes of this kind."""
        many, noun = self.table.name, self.noun
        one = f"/api/v1/{many}/<{noun}_id>"
        get = partial(Route, blueprint, "get", role=Role.VIEWER)
        get(
            f"/api/v1/{many}",
            summary=f"The {many} that fit the filters, by organisation and id.",
            answers=self.view_list,
            query=self.list_query,
        )(self.list_views)
        get(one, summary=f"One {noun}.", answers=self.view, query=ViewQuery)(self.find_view)
        get(
            f"{one}/history",
            summary=f"The intervals of one {noun}, oldest first.",
            answers=self.history,
            query=HistoryQuery,
        )(self.list_intervals)
        get(
            f"{one}/explain",
            summary=f"For each field of the view of one {noun}, the event that set it.",
            answers=Explanation,
            query=ViewQuery,
        )(self.explain)
        get(
            f"{one}/events",
            summary=f"The events of one {noun}, in the order of created time or of recording.",
            answers=EventList,
            query=EventsQuery,
        )(self.list_events)

    def list_views(self, query: ListQuery, token: Token) -> BaseModel:
        scope, id_field = scope_of(token, query.org_id), f"{self.noun}_id"
        selection = Selection(
            ids=getattr(query, id_field) or None,
            facets=filters(query, without={*ListQuery.model_fields, id_field}),
            after=query.cursor,
            limit=query.limit,
        )
        if query.at is None and query.known_at is None:
            views, last_key = service().views.list(self.table, scope, selection)
        else:
            times = times_of(query)
            views, last_key = service().as_of_views.list(self.table, scope, selection, times)
        return self.view_list.model_construct(**list_fields(views, last_key, query))

    def find_view(self, query: ViewQuery, token: Token, **path: str) -> BaseModel:
        return self.find(query, token, self._id(path), times_of(query)).view

    def list_intervals(self, query: HistoryQuery, token: Token, **path: str) -> BaseModel:
        id_, times = self._id(path), times_of(query)
        subject = self.find(query, token, id_, times)
        intervals, last_key = service().as_of_views.history(
            self.table,
            (subject.org_id, id_),
            scope_of(token, query.org_id),
            times,
            start=query.from_,
            end=query.to,
            after=query.cursor[0] if query.cursor else None,
            limit=query.limit,
        )
        return self.history.model_construct(**list_fields(intervals, last_key, query))

    def explain(self, query: ViewQuery, token: Token, **path: str) -> BaseModel:
        id_, times = self._id(path), times_of(query)
        subject = self.find(query, token, id_, times)
        return service().explainer.explain(
            self.table, (subject.org_id, id_), scope_of(token, query.org_id), times
        )

    def list_events(self, query: EventsQuery, token: Token, **path: str) -> BaseModel:
        id_ = self._id(path)
        times = service().as_of_views.resolve(None, None)
        subject = self.find(query, token, id_, times)
        rows, last_key = service().log_search.of_subject(
            self.table,
            (subject.org_id, id_),
            scope_of(token, query.org_id),
            times,
            order=query.order,
            after=query.cursor[0] if query.cursor else 0,
            limit=query.limit,
        )
        return EventList.model_construct(**list_fields(rows, last_key, query))

    def _id(self, path: dict[str, str]) -> str:
        return path[f"{self.noun}_id"]

    def find(self, query: OrganisationQuery, token: Token, id_: str, times: AsOf) -> FoundSubject:
        """The one subject of this id that the caller may see; Problem 404, 409 or 403.

        To a token of some teams, a subject of other teams is as one that there is not.
        """
        scope = scope_of(token, query.org_id)
        subjects = service().as_of_views.find(self.table, scope, id_, times)
        if not subjects and scope.team_ids is not None:
            raise Problem(403, f"The token's teams take part in no {self.noun} {id_!r}.")
        if not subjects:
            raise Problem(404, f"No {self.noun} is known by the id {id_!r}.")
        if len(subjects) > 1:
            org_ids = [subject.org_id for subject in subjects]
            detail = f"Several organisations have it, say which by orgId: {', '.join(org_ids)}."
            raise Problem(409, detail, org_ids=org_ids)
        return subjects[0]
