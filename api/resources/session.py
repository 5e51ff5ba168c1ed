"""The caller's own session: signing in with a token, who one is, and signing out."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from api.auth import session, sign_in
from api.auth.authentication import Caller, identify
from api.auth.errors import AccessDenied
from api.http import exports
from api.http.parameters import Flag, JsonFlag, Parameters, StorableName
from api.http.problems import Problem
from api.http.routing import Route
from projector.contract.base import Shape, to_json
from projector.infrastructure.clock import now_ms
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token

PATH = "/api/v1/session"

blueprint = Blueprint("session", __name__)


class SignInBody(Parameters):
    """The token to sign in with."""

    token: StorableName
    wall: JsonFlag = Field(
        default=False,
        description="A session for a screen that nobody attends: it lasts 90 days and only looks."
        " The token must be a viewer's.",
    )


class SignOutQuery(Parameters):
    """Which sessions end: the request's own, or all of the same token."""

    everywhere: Flag = "false"


class CallerShape(Shape):
    """Who asks, and what they may see; null organisations or teams mean all. Times are epoch ms."""

    role: Role
    org_ids: list[str] | None
    team_ids: list[str] | None
    who: str = Field(description="The name that is stored with what the caller starts.")
    kind: Literal["token", "session"]
    wall: bool
    expires_time: int | None = Field(description="When the session ends at the latest.")
    service_time: int


class EndedSessions(Shape):
    """How many sessions were ended."""

    ended: int


@Route(
    blueprint,
    "post",
    PATH,
    role=None,  # the token is in the body
    summary="Sign in: the answer sets the cookie of a session.",
    answers=CallerShape,
    body=SignInBody,
    status=201,
)
def create_session(body: SignInBody) -> Response:
    token = sign_in.by_json(body.token)
    if body.wall and token.role is not Role.VIEWER:
        raise AccessDenied(403, f"A wall needs a viewer's token; this one is {token.role.value}.")
    response = Response(status=201)
    started = session.start(response, token, "wall" if body.wall else "person")
    return _with_content(response, _shape(Caller(token=token, session=started)))


@Route(
    blueprint,
    "get",
    PATH,
    role=Role.VIEWER,
    summary="Who the caller is, and what they may see.",
    answers=CallerShape,
)
def show_session(_: Token) -> Response:
    return _with_content(Response(), _shape(identify()))


@Route(
    blueprint,
    "delete",
    PATH,
    role=Role.VIEWER,
    summary="Sign out, here or everywhere.",
    answers=EndedSessions,
    query=SignOutQuery,
)
def end_session(query: SignOutQuery, token: Token) -> Response:
    response = Response()
    if query.everywhere == "true":
        return _with_content(response, EndedSessions(ended=session.end_all(response, token)))
    if identify().session is None:
        detail = "The request has no session; everywhere=true ends those of its token."
        raise Problem(404, detail)
    return _with_content(response, EndedSessions(ended=session.end(response)))


def _shape(caller: Caller) -> CallerShape:
    token, its_session = caller.token, caller.session
    return CallerShape(
        role=token.role,
        org_ids=None if token.org_ids is None else sorted(token.org_ids),
        team_ids=None if token.team_ids is None else sorted(token.team_ids),
        who=token.name,
        kind="token" if its_session is None else "session",
        wall=its_session is not None and its_session.kind == "wall",
        expires_time=None if its_session is None else its_session.expires_time,
        service_time=now_ms(),
    )


def _with_content(response: Response, content: BaseModel) -> Response:
    """The response with a model as JSON."""
    response.data = to_json(content)
    response.content_type = exports.JSON
    return response
