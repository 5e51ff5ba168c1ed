"""The first page: the floor, for a person at a browser.

The rule of this file: the page shows what the API would show the same token, and the token leaves
the address bar at once, for a cookie that no script can read. These routes answer HTML, also where
they refuse, so they are plain Flask routes that the OpenAPI document does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from api.auth import session, sign_in
from api.auth.authorization import admit, scope_of
from api.auth.errors import AccessDenied
from api.http.problems import RETRY_LATER
from api.pages import presentation
from api.pages.presentation import Freshness, TableRows
from api.service import service
from projector.contract.names import NamesByKind, ids_in
from projector.contract.views import AgentView, TaskView
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import StoreUnavailable
from projector.infrastructure.settings import Role, Token
from projector.projection.read_models import AGENTS, TASKS, Table
from projector.query.current_views import Selection
from projector.query.scope import Scope

ROWS_AT_MOST = 200  # of those that changed last
DONE_ROWS_AT_MOST = 20

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True, kw_only=True)
class FloorPage:
    """What the page shows."""

    now: int
    freshness: Freshness
    counts: Sequence[tuple[str, int]]
    agents: TableRows[AgentView]
    open_tasks: TableRows[TaskView]
    stale_tasks: TableRows[TaskView]
    done_tasks: TableRows[TaskView]
    several_organisations: bool
    names: NamesByKind  # of the ids in the rows


@blueprint.get("/")
def first_page() -> Response:
    token = request.args.get("token")
    if token is None:
        return _page("page.html")
    return _signed_in(sign_in.by_address(token))


@blueprint.get("/floor")
def floor() -> Response:
    """The part of the page that changes, which the script of the page asks for again and again."""
    return _page("floor.html")


@blueprint.post("/session")
def take_form() -> Response:
    return _signed_in(sign_in.by_form(request.form.get("token", "")))


@blueprint.after_request
def _protect(response: Response) -> Response:
    for name, value in PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@blueprint.errorhandler(AccessDenied)
def _refuse(error: AccessDenied) -> Response:
    response = make_response(render_template("refused.html", detail=error), error.status)
    response.headers.update(error.headers)
    # With no-referrer, browsers would hide from us that the form comes from this site.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@blueprint.errorhandler(StoreUnavailable)
def _unavailable(error: StoreUnavailable) -> Response:
    response = make_response(render_template("unavailable.html", detail=error), 503)
    response.headers.update(RETRY_LATER)
    return response


def _page(template: str) -> Response:
    page = _read_floor(scope_of(admit(Role.VIEWER), []))
    display_time = partial(presentation.display_time, now=page.now)
    return make_response(
        render_template(template, floor=page, display_time=display_time, tone=presentation.tone)
    )


def _signed_in(token: Token) -> Response:
    response = make_response(redirect(url_for("pages.first_page"), 303))
    session.start(response, token, "person")
    return response


def _read_floor(scope: Scope) -> FloorPage:
    """Reads the freshness before the rows: they may be newer than the page says, never older."""
    freshness = _freshness()
    views = service().views
    statuses = views.count(AGENTS, scope, "status")
    tasks, stale_tasks = views.count(TASKS, scope, "open"), views.count(TASKS, scope, "stale")
    agents = presentation.logged_in_first(_newest(AGENTS, scope, ROWS_AT_MOST))
    unfinished = presentation.newest_first(_newest(TASKS, scope, ROWS_AT_MOST, open=["true"]))
    stale = presentation.newest_first(_newest(TASKS, scope, DONE_ROWS_AT_MOST, stale=["true"]))
    done = presentation.last_done_first(
        _newest(TASKS, scope, DONE_ROWS_AT_MOST, open=["false"], stale=["false"])
    )
    ids = ids_in([view.model_dump(by_alias=True) for view in (*agents, *unfinished, *stale, *done)])
    return FloorPage(
        now=now_ms(),
        freshness=freshness,
        counts=presentation.in_order(statuses),
        agents=TableRows(shown=agents, counted=sum(statuses.values())),
        open_tasks=TableRows(shown=unfinished, counted=tasks.get("true", 0)),
        stale_tasks=TableRows(shown=stale, counted=stale_tasks.get("true", 0)),
        done_tasks=TableRows(
            shown=done, counted=tasks.get("false", 0) - stale_tasks.get("true", 0)
        ),
        several_organisations=len(presentation.organisations(agents, unfinished, stale, done)) > 1,
        names=service().directory.of_ids(scope, ids),
    )


def _freshness() -> Freshness:
    position = service().views.position()  # before the head, so that the lag is never too small
    return presentation.freshness(service().store.head(), position, service().status.unready())


def _newest(table: Table[Any], scope: Scope, limit: int, **facets: Sequence[str]) -> Sequence[Any]:
    selection = Selection(facets=facets, limit=limit, newest=True)
    return service().views.list(table, scope, selection)[0]
