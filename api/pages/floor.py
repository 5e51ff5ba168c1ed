"""The first page: the floor as a person reads it.

The rule of this file: a page shows what the API would show the same token, and the token leaves the
address bar at once. It then lives in a cookie that no script can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from api.auth import access
from api.http.problems import RETRY_AFTER_SECONDS, Problem
from api.pages import presentation
from api.pages.presentation import Freshness, Rows
from projector.contract.schemas import AgentView, TaskView
from projector.event_log.store import now_ms
from projector.infrastructure.database import StoreUnavailable
from projector.infrastructure.settings import Role
from projector.projection.read_models import AGENTS, TASKS, Table
from projector.query.current_views import Selection
from projector.query.scope import Scope

ROWS_AT_MOST = 200  # the last changed
DONE_ROWS_AT_MOST = 20

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What the page shows; read in an order that never makes it look fresher than it is."""

    now: int
    freshness: Freshness
    counts: Sequence[tuple[str, int]]
    agents: Rows[AgentView]
    open_tasks: Rows[TaskView]
    done_tasks: Rows[TaskView]
    several_organisations: bool


@blueprint.get("/")
def first_page() -> Response:
    token = request.args.get("token")
    return _page("page.html") if token is None else _sign_in(token)


@blueprint.get("/floor")
def floor() -> Response:
    """The part of the page that changes."""
    return _page("floor.html")


@blueprint.post("/session")
def sign_in() -> Response:
    if not _is_from_this_site():
        raise Problem(403, "Only this service's own page may sign in here.")
    return _sign_in(request.form.get("token", ""))


@blueprint.after_request
def _protect(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@blueprint.errorhandler(Problem)
def _refuse(problem: Problem) -> Response:
    response = make_response(render_template("refused.html", detail=problem), problem.status)
    response.headers.update(problem.headers)
    # With no-referrer, browsers hide the origin of the form's post also from ourselves.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@blueprint.errorhandler(StoreUnavailable)
def _wait(error: StoreUnavailable) -> Response:
    response = make_response(render_template("unavailable.html", detail=error), 503)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _page(template: str) -> Response:
    shown = _read_floor(access.scope(access.caller(Role.VIEWER), []))
    moment = partial(presentation.moment, now=shown.now)
    return make_response(
        render_template(template, floor=shown, moment=moment, tone=presentation.tone)
    )


def _sign_in(given: str) -> Response:
    token = given.strip()
    if access.service().token(token) is None:
        raise Problem(401, "This token is not known here.")
    response = make_response(redirect(url_for("pages.first_page"), 303))
    response.set_cookie(
        access.SESSION_COOKIE, token, httponly=True, samesite="Lax", secure=_is_https()
    )
    return response


def _is_https() -> bool:
    """Said by the connection, or by a proxy that ends TLS before us."""
    return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def _is_from_this_site() -> bool:
    """As the browser says; what is no browser has no cookie that could be misused."""
    fetched_from = request.headers.get("Sec-Fetch-Site")
    if fetched_from is not None:
        return fetched_from in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _read_floor(scope: Scope) -> Floor:
    freshness = _freshness()
    views = access.service().views
    statuses = views.count(AGENTS, scope, "status")
    tasks = views.count(TASKS, scope, "open")
    agents = presentation.present_first(_newest(AGENTS, scope, ROWS_AT_MOST))
    unfinished = presentation.newest_first(_newest(TASKS, scope, ROWS_AT_MOST, open=["true"]))
    done = presentation.last_done_first(_newest(TASKS, scope, DONE_ROWS_AT_MOST, open=["false"]))
    return Floor(
        now=now_ms(),
        freshness=freshness,
        counts=presentation.in_order(statuses),
        agents=Rows(shown=agents, counted=sum(statuses.values())),
        open_tasks=Rows(shown=unfinished, counted=tasks.get("true", 0)),
        done_tasks=Rows(shown=done, counted=tasks.get("false", 0)),
        several_organisations=len(presentation.organisations(agents, unfinished, done)) > 1,
    )


def _freshness() -> Freshness:
    service = access.service()
    position = service.views.position()
    return presentation.freshness(service.store.head(), position, service.status.unready())


def _newest(table: Table[Any], scope: Scope, limit: int, **facets: Sequence[str]) -> Sequence[Any]:
    selection = Selection(facets=facets, limit=limit, newest=True)
    return access.service().views.list(table, scope, selection)[0]
