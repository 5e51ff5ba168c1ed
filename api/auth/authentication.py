"""Who asks: the token of a request, or the session that was made with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import Response, request

from api.auth import session
from api.auth.errors import AccessDenied
from api.auth.origin import READING_METHODS, caller_address, require_own_change
from api.service import service
from projector.infrastructure.tokens import Token, token_digest
from projector.operations.sessions import CallerSession

T = TypeVar("T")

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="projector"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose token it is, and the session by which it came; null: it came itself."""

    token: Token
    session: CallerSession | None


def authenticate() -> Token:
    """The caller's token; see ``identify``."""
    return identify().token


def identify() -> Caller:
    """The caller, by bearer token or by session.

    The session counts only without an Authorization header: a wrong header stays wrong. Raises
    AccessDenied 401 where there is neither, or one that the service does not have; 403 where a
    session must not do what the request asks for; 429 as ``attempt``.
    """
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        token = find_token(credentials) if scheme.lower() == "bearer" else None
        if token is None:
            raise _unknown()
        return Caller(token=token, session=None)
    found = attempt(session.id_of_request(), session.find)
    if found is None:
        raise _unknown()
    if request.method not in READING_METHODS:
        _require_change(found[1])
    return Caller(token=found[0], session=found[1])


def end_stream_with_session(response: Response) -> None:
    """Let a stream that a session asks for end with it, at the next message."""
    if identify().session is not None:
        response.response = session.while_valid(response.iter_encoded())


def find_token(text: str) -> Token | None:
    """The token with this text, null where the service has none such; raises as ``attempt``."""
    text = text.strip()
    return attempt(text, lambda: service().tokens.find(text))


def attempt(credentials: str, find: Callable[[], T | None]) -> T | None:
    """What ``find`` finds by the credentials of the request; null is a failed attempt.

    Raises AccessDenied 429 for an address from which too many attempts failed.
    """
    address, attempts = caller_address(), service().failed_attempts
    if not credentials:
        return None
    digest = token_digest(credentials)
    if address is not None and (seconds := attempts.wait_seconds(address, digest)):
        detail = "Too many credentials from this address were wrong: wait, and try again."
        raise AccessDenied(429, detail, headers={"Retry-After": str(seconds)})
    found = find()
    if found is None:
        attempts.failed(address, digest)
    elif address is not None:
        attempts.succeeded(address, digest)
    return found


def _unknown() -> AccessDenied:
    return AccessDenied(401, "A valid bearer token is needed.", headers=_CHALLENGE)


def _require_change(of: CallerSession) -> None:
    if of.kind == "wall":
        raise AccessDenied(403, "A wall's session only looks: it changes nothing.")
    require_own_change()
