"""The status: the head of the log, the lag of the projections, the silence of the subscriptions."""

from __future__ import annotations

from flask import Blueprint

from api.auth.authorization import scope_of
from api.http.routing import Route
from api.service import service
from projector.contract.status import StatusShape
from projector.infrastructure.settings import Role, Token

blueprint = Blueprint("status", __name__)


@Route(
    blueprint,
    "get",
    "/api/v1/status",
    role=Role.VIEWER,
    summary="Head of the log, lag of each projection, subscriptions, sizes of ledgers, versions.",
    answers=StatusShape,
)
def status(token: Token) -> StatusShape:
    return service().status.read(scope_of(token, []))
