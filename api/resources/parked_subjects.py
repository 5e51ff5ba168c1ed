"""Parked subjects: what waits because an event cannot be folded, and how it goes on."""

from __future__ import annotations

from typing import Self

from flask import Blueprint
from pydantic import Field, model_validator

from api.auth.authorization import scope_of
from api.http.pagination import ListMeta, envelope
from api.http.parameters import Limit, OneQuery, ParkedCursor, Query, StoredName
from api.http.problems import Problem
from api.http.routing import operate, read
from api.service import service
from projector.contract.schemas import Shape
from projector.infrastructure.settings import Role, Token
from projector.projection.parking import NotParked

blueprint = Blueprint("parked", __name__)


class ParkedRow(Shape):
    """A subject that waits from `position` on."""

    kind: str = Field(description="`agent` or `task`.")
    org_id: str
    id: str
    position: int
    event_position: int = Field(description="Of the event that cannot be folded.")
    event_id: str
    cause: str
    parked_time: int
    waiting: int = Field(description="Events, the parked one included.")


class ParkedList(Shape):
    meta: ListMeta
    data: list[ParkedRow]


class ResumedShape(Shape):
    """How many events were folded, and whether the subject is parked again."""

    folded: int
    parked: bool


class ParkedSubject(Query):
    """One parked agent or task."""

    org_id: StoredName
    agent_id: StoredName | None = None
    task_id: StoredName | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.agent_id is None) == (self.task_id is None):
            raise ValueError("either agentId or taskId")
        return self


class ParkedQuery(OneQuery):
    """A page of what is parked."""

    limit: Limit = 100
    cursor: ParkedCursor | None = None


@read(
    blueprint,
    "/api/v1/parked",
    summary="Subjects that wait because an event cannot be folded.",
    answers=ParkedList,
    query=ParkedQuery,
    role=Role.OPERATOR,
)
def list_parked(query: ParkedQuery, token: Token) -> ParkedList:
    scope = scope_of(token, query.org_id)
    found, place = service().parking.list(scope, after=query.cursor, limit=query.limit)
    return ParkedList.model_construct(**envelope([*map(ParkedRow.model_validate, found)], place))


@operate(
    blueprint,
    "/api/v1/parked/retry",
    summary="Fold what waits for a parked subject.",
    answers=ResumedShape,
    body=ParkedSubject,
)
def retry(asked: ParkedSubject, token: Token) -> ResumedShape:
    return _resume(asked, token, skip=False)


@operate(
    blueprint,
    "/api/v1/parked/skip",
    summary="Leave the parked event out of its subject for good, and fold the rest.",
    answers=ResumedShape,
    body=ParkedSubject,
)
def skip(asked: ParkedSubject, token: Token) -> ResumedShape:
    return _resume(asked, token, skip=True)


def _resume(asked: ParkedSubject, token: Token, *, skip: bool) -> ResumedShape:
    scope, parking = scope_of(token, [asked.org_id]), service().parking
    kind, id_ = ("agent", asked.agent_id) if asked.agent_id else ("task", asked.task_id or "")
    if parking.find(scope, kind, id_) is None:
        raise Problem(404, f"No {kind} {id_!r} of {asked.org_id!r} is parked.")
    act = parking.skip if skip else parking.retry
    try:
        folded = act(kind, asked.org_id, id_)
    except NotParked as error:  # another operator was faster
        raise Problem(404, str(error)) from None
    still = parking.find(scope, kind, id_) is not None
    return ResumedShape(folded=folded, parked=still)
