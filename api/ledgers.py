"""The ledgers: what was odd about the events, and what late ones changed."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from api import access
from api.lists import ListMeta, envelope
from api.parameters import LedgerCursor, Limit, Names, OneQuery, Time
from api.routes import read
from projector.audit import LedgerQuestion
from projector.settings import Token
from projector.shapes import AnomalyRow, CorrectionRow, Shape

blueprint = Blueprint("ledgers", __name__)


class LedgerQuery(OneQuery):
    """Rows of any of the subjects named, whose time overlaps ``[from, to)``."""

    agent_id: Names = ()
    task_id: Names = ()
    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    limit: Limit = 100
    cursor: LedgerCursor | None = None


class AnomalyList(Shape):
    meta: ListMeta
    data: list[AnomalyRow]


class CorrectionList(Shape):
    meta: ListMeta
    data: list[CorrectionRow]


@read(
    blueprint,
    "/api/v1/anomalies",
    summary="Steps that were not expected, by time.",
    answers=AnomalyList,
    query=LedgerQuery,
)
def list_anomalies(query: LedgerQuery, token: Token) -> AnomalyList:
    rows = access.service().audit.anomalies(access.scope(token, query.org_id), _question(query))
    return AnomalyList.model_construct(**envelope(*rows))


@read(
    blueprint,
    "/api/v1/corrections",
    summary="What late events changed of what had been shown, by the time that they change.",
    answers=CorrectionList,
    query=LedgerQuery,
)
def list_corrections(query: LedgerQuery, token: Token) -> CorrectionList:
    rows = access.service().audit.corrections(access.scope(token, query.org_id), _question(query))
    return CorrectionList.model_construct(**envelope(*rows))


def _question(query: LedgerQuery) -> LedgerQuestion:
    return LedgerQuestion(
        agent_ids=query.agent_id,
        task_ids=query.task_id,
        start=query.from_,
        end=query.to,
        after=query.cursor,
        limit=query.limit,
    )
