"""Health: whether the process lives, and whether it should get traffic."""

from __future__ import annotations

from flask import Blueprint

from api.auth.openness import may_name_subscriptions
from api.http.problems import RETRY_LATER, Problem
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.infrastructure.database import StoreUnavailable

blueprint = Blueprint("health", __name__)


class Health(Shape):
    status: str


class Readiness(Health):
    """Ready; a warning tells of silent subscriptions, which is no reason to move traffic."""

    warnings: list[str]


@Route(
    blueprint,
    "get",
    "/healthz",
    role=None,
    summary="Whether the process lives.",
    answers=Health,
    has_threads=True,
)
def healthz() -> Health:
    return Health(status="alive")


@Route(
    blueprint,
    "get",
    "/readyz",
    role=None,
    summary="Whether the database answers and the projections keep up; 503 with reasons if not.",
    answers=Readiness,
)
def readyz() -> Readiness:
    warnings: list[str] = []
    try:
        reasons = service().status.unready()
        warnings = service().status.warnings(named=may_name_subscriptions())
    except StoreUnavailable as error:
        reasons = [str(error)]
    if reasons:
        raise Problem(503, "; ".join(reasons), headers=RETRY_LATER)
    return Readiness(status="ready", warnings=warnings)
