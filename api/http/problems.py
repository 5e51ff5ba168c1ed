"""Problem documents (RFC 9457): the one form of every answer that is an error."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from api.auth.errors import AccessDenied
from projector.contract.base import Shape
from projector.event_log.intake import NotAuthentic
from projector.infrastructure.database import StoreUnavailable
from projector.infrastructure.slots import NoSlot
from projector.projection.partitions import OtherFold

RETRY_LATER = {"Retry-After": "1"}  # seconds
_KEPT_HEADERS = ("Allow", "Retry-After")  # of Flask's own errors, such as 405

log = logging.getLogger(__name__)


class ParameterError(Shape):
    """What is wrong with one parameter."""

    parameter: str
    given: str | list[str]
    allowed: str


class ProblemDocument(Shape):
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ParameterError] | None = None
    org_ids: list[str] | None = None  # of a 409: the organisations to choose from


class Problem(Exception):  # noqa: N818 - an answer, not a fault of the program
    """Ends the request with a problem document of this status and detail."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[ParameterError] | None = None,
        org_ids: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.fields = {"errors": errors, "org_ids": org_ids}
        self.headers = headers or {}


def register(app: Flask) -> None:
    """Let an application answer every error with a problem document."""
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(AccessDenied, _access_denied)
    app.register_error_handler(NotAuthentic, _not_authentic)
    app.register_error_handler(NoSlot, _no_slot)
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(OtherFold, _unavailable)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(Exception, _unexpected)


def problem_response(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **fields: Any
) -> Response:
    """A problem document; ``fields`` are those beside title, status and detail."""
    document = ProblemDocument(
        title=HTTPStatus(status).phrase, status=status, detail=detail, **fields
    )
    content = document.model_dump(by_alias=True, exclude_none=True)
    response = Response(json.dumps(content), status=status, content_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def _problem(error: Problem) -> Response:
    return problem_response(error.status, str(error), headers=error.headers, **error.fields)


def _access_denied(error: AccessDenied) -> Response:
    return problem_response(error.status, str(error), headers=error.headers)


def _not_authentic(error: NotAuthentic) -> Response:
    return problem_response(401, str(error))


def _unavailable(error: StoreUnavailable | OtherFold) -> Response:
    return problem_response(503, str(error), headers=RETRY_LATER)


def _no_slot(error: NoSlot) -> Response:
    return problem_response(503, str(error), headers={"Retry-After": str(error.retry_seconds)})


def http_problem(error: HTTPException) -> Response:
    """The problem document of an error of Flask's own, such as 404 or 405."""
    headers = {name: value for name, value in error.get_headers() if name in _KEPT_HEADERS}
    return problem_response(error.code or 500, error.description or error.name, headers=headers)


def _unexpected(error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return problem_response(500, "The service failed to answer; its log says why.")
