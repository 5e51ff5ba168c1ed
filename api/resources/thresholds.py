"""Thresholds: the rules that count now, an operator's own, and the changes of those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from flask import Blueprint
from pydantic import AfterValidator, StringConstraints

from api.auth.authorization import Reach, scope_of
from api.http.pagination import ListMeta, PositionCursor, list_fields
from api.http.parameters import (
    Allowed,
    Limit,
    NamedQuery,
    OrganisationQuery,
    Parameters,
    Position,
    PositionText,
    Reason,
)
from api.http.problems import Problem
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.contract.thresholds import (
    MOST_RULES,
    AgentThreshold,
    CountingThreshold,
    QueueThreshold,
    ThresholdChange,
    ThresholdRules,
)
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.thresholds import StaleVersion
from projector.query.scope import Scope

blueprint = Blueprint("thresholds", __name__)


def _told(why: str) -> str:
    if not why.strip():
        raise ValueError(why)
    return why


_Why = Annotated[
    Reason,
    StringConstraints(min_length=1),
    AfterValidator(_told),
    Allowed("a text of 1 to 500 characters, not all of them blanks"),
]


class ThresholdsQuery(OrganisationQuery, NamedQuery):
    """The organisations whose thresholds are shown, and whether with names."""


class ThresholdsMeta(Shape):
    """How many rules there are, and which change of the operator's counts; 0 before the first."""

    version: int
    count: int


class ThresholdList(Shape):
    meta: ThresholdsMeta
    data: list[CountingThreshold]


class ThresholdsBody(Parameters):
    """The operator's rules from now on, instead of those of a version that was read."""

    rules: Annotated[
        ThresholdRules,
        Allowed(
            f"a list of at most {MOST_RULES} rules, no two of them for the same, each as"
            ' {"subject": "agent", "status": …, "amberMs": …, "redMs": …} with perhaps orgId,'
            ' teamId and queueId, or {"subject": "queue", "measure": "longestWaitMs" or "waiting",'
            ' "amber": …, "red": …} with perhaps orgId, queueId and channelType; limits are whole'
            " numbers, and amber is not more than red"
        ),
    ]
    why: _Why
    version: Annotated[Position, Allowed("the version that GET /api/v1/thresholds told")]


class TakeBackQuery(Parameters):
    """Why the operator's rules of a version that was read are taken back."""

    why: _Why
    version: PositionText


class ThresholdChangesQuery(Parameters):
    """A page of changes, the newest first."""

    limit: Limit = 100
    cursor: PositionCursor | None = None


class ThresholdChangeList(Shape):
    meta: ListMeta
    data: list[ThresholdChange]


@Route(
    blueprint,
    "get",
    "/api/v1/thresholds",
    role=Role.VIEWER,
    summary="The thresholds that count now, each with its source.",
    answers=ThresholdList,
    query=ThresholdsQuery,
)
def list_thresholds(query: ThresholdsQuery, token: Token) -> ThresholdList:
    return _counting(scope_of(token, query.org_id))


@Route(
    blueprint,
    "put",
    "/api/v1/thresholds",
    role=Role.OPERATOR,
    reach=Reach.EVERYTHING,
    summary="Replace all rules of the operator's.",
    answers=ThresholdList,
    body=ThresholdsBody,
)
def replace_thresholds(body: ThresholdsBody, token: Token) -> ThresholdList:
    return _change(body.rules, body.version, body.why, token)


@Route(
    blueprint,
    "delete",
    "/api/v1/thresholds",
    role=Role.OPERATOR,
    reach=Reach.EVERYTHING,
    summary="Take the operator's rules back: those of the settings file and the defaults count.",
    answers=ThresholdList,
    query=TakeBackQuery,
)
def take_back_thresholds(query: TakeBackQuery, token: Token) -> ThresholdList:
    return _change(None, query.version, query.why, token)


@Route(
    blueprint,
    "get",
    "/api/v1/thresholds/changes",
    role=Role.OPERATOR,
    reach=Reach.EVERYTHING,
    summary="Who changed the operator's rules, why and when, the newest first.",
    answers=ThresholdChangeList,
    query=ThresholdChangesQuery,
)
def list_changes(query: ThresholdChangesQuery, _: Token) -> ThresholdChangeList:
    rows, last_key = service().threshold_reader.changes(
        before=query.cursor[0] if query.cursor else None, limit=query.limit
    )
    return ThresholdChangeList.model_construct(**list_fields(rows, last_key, query))


def _change(
    rules: Sequence[AgentThreshold | QueueThreshold] | None, version: int, why: str, token: Token
) -> ThresholdList:
    try:
        service().threshold_store.change(rules, version=version, who=token.name, why=why)
    except StaleVersion as error:
        raise Problem(409, str(error)) from None
    return _counting(scope_of(token, []))


def _counting(scope: Scope) -> ThresholdList:
    version, rules = service().threshold_reader.counting(scope)
    return ThresholdList(meta=ThresholdsMeta(version=version, count=len(rules)), data=[*rules])
