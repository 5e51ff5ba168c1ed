"""The audit trail: what callers did beyond reading, and the files they took."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from api.auth.authorization import Reach
from api.http.pagination import ListMeta, PositionCursor, list_fields
from api.http.parameters import Limit, Names, Parameters, Time
from api.http.routing import Route
from api.service import service
from projector.contract.audit_trail import TrailRow
from projector.contract.base import Shape
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.audit.trail import TrailSelection

blueprint = Blueprint("audit_trail", __name__)


class TrailQuery(Parameters):
    """A page of the requests of some callers or actions in ``[from, to)``, the newest first."""

    who: Names = ()
    action: Names = ()
    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    limit: Limit = 100
    cursor: PositionCursor | None = None


class TrailList(Shape):
    meta: ListMeta
    data: list[TrailRow]


@Route(
    blueprint,
    "get",
    "/api/v1/audit-trail",
    role=Role.AUDITOR,
    reach=Reach.EVERYTHING,
    summary="Who changed something or took a file, why, from where, and the answer.",
    answers=TrailList,
    query=TrailQuery,
)
def list_trail(query: TrailQuery, _: Token) -> TrailList:
    rows, last_number = service().trail_reader.page(
        TrailSelection(
            who=query.who,
            actions=query.action,
            start=query.from_,
            end=query.to,
            before=query.cursor[0] if query.cursor else None,
            limit=query.limit,
        )
    )
    return TrailList.model_construct(**list_fields(rows, last_number, query))
