"""Problem documents (RFC 9457) for everything that goes wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from api.auth.errors import AccessDenied
from projector.contract.schemas import Shape
from projector.event_log.intake import NotAuthentic
from projector.infrastructure.database import StoreUnavailable

RETRY_LATER = {"Retry-After": "1"}  # seconds
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
    """Ends a request with a problem document."""

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
        self.more = {"errors": errors, "org_ids": org_ids}
        self.headers = headers or {}


def register(app: Flask) -> None:
    """Answer every error of an application with a problem document."""
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(AccessDenied, _access_denied)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(NotAuthentic, lambda error: answer(401, str(error)))
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(Exception, _fault)


def answer(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """A problem document; ``more`` are its fields beside title, status and detail."""
    document = ProblemDocument(
        title=HTTPStatus(status).phrase, status=status, detail=detail, **more
    )
    content = document.model_dump(by_alias=True, exclude_none=True)
    response = Response(json.dumps(content), status=status, content_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def _problem(problem: Problem) -> Response:
    return answer(problem.status, str(problem), headers=problem.headers, **problem.more)


def _access_denied(error: AccessDenied) -> Response:
    return answer(error.status, str(error), headers=error.headers)


def _http(error: HTTPException) -> Response:
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return answer(error.code or 500, error.description or error.name, headers=kept)


def _unavailable(error: StoreUnavailable) -> Response:
    return answer(503, str(error), headers=RETRY_LATER)


def _fault(error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return answer(500, "The service failed to answer; its log says why.")
