"""Who asks, what they may see, and how fresh the answer must be."""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import current_app, request

from api.http.parameters import LONGEST_POSITION, WHOLE, AsOfQuery
from api.http.problems import ParameterError, Problem
from projector.bootstrap import Service
from projector.infrastructure.settings import Role, Token
from projector.query.as_of.reconstruct import AsOf
from projector.query.scope import Scope

SESSION_COOKIE = "projector-session"
MIN_POSITION = "X-Min-Position"
LAST_EVENT_ID = "Last-Event-ID"
WAIT_SECONDS = 5.0
LOOK_EVERY_SECONDS = 0.01
_RANKS = {Role.VIEWER: 0, Role.AUDITOR: 1, Role.OPERATOR: 2}


def service() -> Service:
    """The service that this application answers for."""
    found: Service = current_app.extensions["service"]
    return found


def caller(role: Role) -> Token:
    """Who asks, by bearer token or session; Problem 401 or 403."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        given = "" if kind else request.cookies.get(SESSION_COOKIE, "")
    token = service().token(given.strip())
    if token is None:
        raise Problem(
            401,
            "A valid bearer token is needed.",
            headers={"WWW-Authenticate": 'Bearer realm="projector"'},
        )
    if _RANKS[token.role] < _RANKS[role]:
        raise Problem(403, f"This needs the role {role.value}; the token has {token.role.value}.")
    return token


def scope(token: Token, org_ids: Sequence[str]) -> Scope:
    """What the caller may see of the organisations asked for; Problem 403 for any other."""
    asked = frozenset(org_ids) or token.org_ids
    if token.org_ids is not None and not frozenset(org_ids) <= token.org_ids:
        raise Problem(403, "The token does not cover the organisation that is asked for.")
    return Scope(org_ids=asked, team_ids=token.team_ids)


def min_position() -> int | None:
    """The position that the answer must have reached; Problem 400 where it is none."""
    return _position(MIN_POSITION)


def last_event_id() -> int | None:
    """The position that a stream goes on from; Problem 400 where it is none."""
    return _position(LAST_EVENT_ID)


def known_position(position: int | None) -> None:
    """Problem 400 where a stream is to go on from what the log does not have yet."""
    if position is not None and position > (head := service().store.head()):
        allowed = f"a position up to {head}, where the log ends"
        raise _bad_header(LAST_EVENT_ID, str(position), allowed)


def _position(header: str) -> int | None:
    given = request.headers.get(header)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= LONGEST_POSITION):
        raise _bad_header(header, given, f"a position, {WHOLE}")
    return int(given)


def _bad_header(header: str, given: str, allowed: str) -> Problem:
    error = ParameterError(parameter=header, given=given, allowed=allowed)
    return Problem(400, f"Bad header: {header}.", errors=[error])


def wait_for(position: int | None) -> None:
    """Wait until the views have reached a position; Problem 503 after 5 s."""
    if position is None:
        return
    deadline = time.monotonic() + WAIT_SECONDS
    while service().views.position() < position:
        if time.monotonic() > deadline:
            raise Problem(
                503,
                f"The views have not reached position {position} yet.",
                headers={"Retry-After": "1"},
            )
        time.sleep(LOOK_EVERY_SECONDS)


def as_of(query: AsOfQuery) -> AsOf:
    """The two times of a question; Problem 503 where the views lack what was known by then."""
    found = service().past.as_of(query.at, query.known_at)
    if query.known_at is not None:
        wait_for(found.position)
    return found
