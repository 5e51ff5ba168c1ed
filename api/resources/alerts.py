"""Alerts: the agents and queues that are amber or red now."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint

from api.auth.authorization import scope_of
from api.http.parameters import Allowed, NamedQuery, Names, OrganisationQuery
from api.http.routing import Route
from api.service import service
from projector.contract.alerts import Alert, AlertCounts, AlertPosts
from projector.contract.base import Shape
from projector.contract.thresholds import AlertLevel
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.alerts.current_alerts import counted, of_level

blueprint = Blueprint("alerts", __name__)


class AlertsQuery(OrganisationQuery, NamedQuery):
    """Which alerts, and whether with names."""

    team_id: Names = ()
    queue_id: Names = ()
    level: Annotated[tuple[AlertLevel, ...], Allowed("amber or red")] = ()


class AlertsMeta(Shape):
    """How many rows there are, and how many alerts of each level, whichever is asked for."""

    count: int
    levels: AlertCounts
    posts: AlertPosts


class AlertList(Shape):
    meta: AlertsMeta
    data: list[Alert]


@Route(
    blueprint,
    "get",
    "/api/v1/alerts",
    role=Role.VIEWER,
    summary="Agents and queues that are amber or red now: red first, then the oldest.",
    answers=AlertList,
    query=AlertsQuery,
)
def list_alerts(query: AlertsQuery, token: Token) -> AlertList:
    scope = scope_of(token, query.org_id)
    if query.team_id:
        scope = scope.narrowed(query.team_id)
    alerts = service().alerts.find(scope, queue_ids=query.queue_id)
    rows = of_level(alerts, query.level)
    posts = service().status.alert_posts(scope_of(token, []))
    meta = AlertsMeta(count=len(rows), levels=counted(alerts), posts=posts)
    return AlertList.model_construct(meta=meta, data=rows)
