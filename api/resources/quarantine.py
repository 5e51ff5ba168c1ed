"""The quarantine: one of its bodies, and what an operator does with it; ``ledgers`` lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field, StringConstraints

from api.auth.authorization import Reach, scope_of
from api.http.parameters import Allowed, Parameters, Reason
from api.http.problems import Problem
from api.http.routing import Route, json_response
from api.service import service
from projector.contract.base import Shape
from projector.contract.ledgers import QuarantineResolution, QuarantineRow
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.quarantine import NotQuarantined, NotResolvable, QuarantineAttempt

blueprint = Blueprint("quarantine", __name__)


class QuarantineRequest(Parameters):
    """Why a body is retried or released; it is kept with the body."""

    why: Annotated[
        Reason, StringConstraints(min_length=1), Allowed("a text of 1 to 500 characters")
    ]


class ElementShape(Shape):
    """What became of one element of a body."""

    outcome: str = Field(description="`appended`, `duplicate`, `conflict` or `quarantined`.")
    position: int | None = Field(description="Of the event of the log with its key.")
    reason: str | None = Field(description="Why it makes no event.")


class AttemptShape(Shape):
    """What became of a quarantined body; most bodies have one element."""

    id: int
    elements: list[ElementShape]
    resolution: QuarantineResolution | None = Field(description="Null: it is still in quarantine.")


@Route(
    blueprint,
    "get",
    "/api/v1/quarantine/<id>",
    role=Role.VIEWER,
    reach=Reach.ORGANISATIONS,
    summary="One authentic body that is no usable event.",
    answers=QuarantineRow,
)
def show(token: Token, id: int) -> QuarantineRow:  # noqa: A002 - the path's name
    row = service().ledgers.quarantined(scope_of(token, []), id)
    if row is None:
        raise Problem(404, f"There is no body {id} in quarantine.")
    return row


@Route(
    blueprint,
    "post",
    "/api/v1/quarantine/<id>/retry",
    role=Role.OPERATOR,
    reach=Reach.EVERYTHING,
    summary="Judge a quarantined body again, and append what it states.",
    answers=AttemptShape,
    body=QuarantineRequest,
)
def retry(body: QuarantineRequest, token: Token, id: int) -> Response:  # noqa: A002
    return _attempt(service().quarantine.retry, body, token, id)


@Route(
    blueprint,
    "post",
    "/api/v1/quarantine/<id>/release",
    role=Role.OPERATOR,
    reach=Reach.EVERYTHING,
    summary="Append what a quarantined body states, although its time is far ahead.",
    answers=AttemptShape,
    body=QuarantineRequest,
)
def release(body: QuarantineRequest, token: Token, id: int) -> Response:  # noqa: A002
    return _attempt(service().quarantine.release, body, token, id)


def _attempt(
    attempt: Callable[..., QuarantineAttempt], body: QuarantineRequest, token: Token, id_: int
) -> Response:
    try:
        result = attempt(id_, who=token.name, why=body.why)
    except NotQuarantined as error:
        raise Problem(404, str(error)) from None
    except NotResolvable as error:
        raise Problem(409, str(error)) from None
    answer = AttemptShape.model_validate(
        {"id": id_, "elements": result.elements, "resolution": result.resolution}
    )
    response = json_response(answer)
    response.headers["X-Position"] = str(result.head)
    return response
