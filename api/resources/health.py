"""Whether the process lives, whether it should get traffic, and what it knows of itself."""

from __future__ import annotations

from flask import Blueprint, Response

from api.http.parameters import Query
from api.http.problems import RETRY_LATER, Problem
from api.http.routing import answer, read, read_open
from api.service import service
from projector.contract.schemas import Shape
from projector.infrastructure.database import StoreUnavailable
from projector.infrastructure.settings import Token
from projector.query.status import StatusShape

blueprint = Blueprint("health", __name__)


class Health(Shape):
    status: str


class Readiness(Health):
    """Ready, and what does not come though it should: more traffic would not help."""

    warnings: list[str]


@read_open(blueprint, "/healthz", summary="The process lives.", answers=Health)
def healthz() -> Response:
    return answer(Health(status="alive"))


@read_open(
    blueprint,
    "/readyz",
    summary="The store is reachable and the projections keep up; 503 with reasons where not.",
    answers=Readiness,
)
def readyz() -> Response:
    warnings: list[str] = []
    try:
        reasons = service().status.unready()
        warnings = service().status.warnings()
    except StoreUnavailable as error:
        reasons = [str(error)]
    if reasons:
        raise Problem(503, "; ".join(reasons), headers=RETRY_LATER)
    return answer(Readiness(status="ready", warnings=warnings))


@read(
    blueprint,
    "/api/v1/status",
    summary="The log's head, each projection's lag, subscriptions, ledgers, versions.",
    answers=StatusShape,
    query=Query,
)
def status(_: Query, __: Token) -> StatusShape:
    return service().status.read()
