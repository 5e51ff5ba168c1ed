"""Parked subjects: those with an event that cannot be folded; retry it, or skip it."""

from __future__ import annotations

from typing import Self

from flask import Blueprint
from pydantic import Field, model_validator

from api.auth.authorization import scope_of
from api.http.pagination import ListMeta, ParkedSubjectCursor, list_fields
from api.http.parameters import Limit, OrganisationQuery, Parameters, Reason, StorableName
from api.http.problems import Problem
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.parked_subjects import NotParked

blueprint = Blueprint("parked_subjects", __name__)


class ParkedRow(Shape):
    """A subject whose events wait from `position` on."""

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


class ParkedSubject(Parameters):
    """One parked agent or task, and why it is to go on."""

    org_id: StorableName
    agent_id: StorableName | None = None
    task_id: StorableName | None = None
    why: Reason | None = None

    @model_validator(mode="after")
    def _validate_subject(self) -> Self:
        if (self.agent_id is None) == (self.task_id is None):
            raise ValueError("either agentId or taskId")
        return self


class ParkedQuery(OrganisationQuery):
    """A page of parked subjects."""

    limit: Limit = 100
    cursor: ParkedSubjectCursor | None = None


@Route(
    blueprint,
    "get",
    "/api/v1/parked",
    role=Role.OPERATOR,
    summary="Subjects whose events wait because one of them cannot be folded.",
    answers=ParkedList,
    query=ParkedQuery,
)
def list_parked(query: ParkedQuery, token: Token) -> ParkedList:
    subjects, last_key = service().parked_subjects.list(
        scope_of(token, query.org_id), after=query.cursor, limit=query.limit
    )
    rows = [ParkedRow.model_validate(subject) for subject in subjects]
    return ParkedList.model_construct(**list_fields(rows, last_key, query))


@Route(
    blueprint,
    "post",
    "/api/v1/parked/retry",
    role=Role.OPERATOR,
    summary="Fold the waiting events of a parked subject.",
    answers=ResumedShape,
    body=ParkedSubject,
)
def retry(body: ParkedSubject, token: Token) -> ResumedShape:
    return _resume(body, token, skip=False)


@Route(
    blueprint,
    "post",
    "/api/v1/parked/skip",
    role=Role.OPERATOR,
    summary="Leave the parked event out of its subject for good, and fold the events after it.",
    answers=ResumedShape,
    body=ParkedSubject,
)
def skip(body: ParkedSubject, token: Token) -> ResumedShape:
    return _resume(body, token, skip=True)


def _resume(body: ParkedSubject, token: Token, *, skip: bool) -> ResumedShape:
    scope, parking = scope_of(token, [body.org_id]), service().parked_subjects
    kind, id_ = ("agent", body.agent_id) if body.agent_id else ("task", body.task_id or "")
    if parking.find(scope, kind, id_) is None:
        raise Problem(404, f"No {kind} {id_!r} of {body.org_id!r} is parked.")
    resume = parking.skip if skip else parking.retry
    try:
        folded = resume(kind, body.org_id, id_, who=token.name, why=body.why)
    except NotParked as error:  # another operator was faster
        raise Problem(404, str(error)) from None
    is_parked_again = parking.find(scope, kind, id_) is not None
    return ResumedShape(folded=folded, parked=is_parked_again)
