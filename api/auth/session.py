"""The cookie of a session: a random id that no script can read and no other site makes use of.

A browser sends cookies to every port of a host. So without TLS the name has the port, by which two
services on one machine do not sign each other's visitors out. With TLS the prefix ``__Host-`` makes
the browser see to it that only this host sets the cookie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from flask import Response, request

from api.auth.origin import is_https
from api.service import service
from projector.bootstrap.service import Service
from projector.infrastructure.database import StoreUnavailable
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.sessions import WALL_MS, CallerKind, CallerSession

SECURE_COOKIE = "__Host-projector-session"
PLAIN_COOKIE = "projector-session-{port}"
_PLAIN_PORT = re.compile(r":(\d{1,5})$")


def find() -> tuple[Token, CallerSession] | None:
    """The session of the request and its token; null without one, or where it is over.

    It is over, too, where the service no longer has the token, or a wall's token is no viewer's.
    """
    return _valid(service(), id_of_request())


def start(response: Response, token: Token, kind: CallerKind) -> CallerSession:
    """Start a session of this token with the response; the request's own one ends."""
    if id_of_request():
        service().sessions.end(id_of_request())
    id_, session = service().sessions.begin(token.sha256, kind)
    response.set_cookie(
        _cookie_name(),
        id_,
        # A wall's outlives the browser, a person's does not.
        max_age=WALL_MS // 1_000 if kind == "wall" else None,
        secure=is_https(),
        httponly=True,
        samesite="Strict",
    )
    return session


def end(response: Response) -> int:
    """End the request's session, and let the response take its cookie back; how many ended."""
    ended = service().sessions.end(id_of_request())
    _forget(response)
    return ended


def end_all(response: Response, token: Token) -> int:
    """End all sessions of a token, wherever they are; how many ended."""
    ended = service().sessions.end_all(token.sha256)
    _forget(response)
    return ended


def while_valid(messages: Iterable[bytes]) -> Iterator[bytes]:
    """The messages of a stream, as long as the request's session is not over."""
    return _while_valid(messages, service(), id_of_request())


def _while_valid(messages: Iterable[bytes], of: Service, id_: str) -> Iterator[bytes]:
    with suppress(StoreUnavailable):  # the client asks again, and is told
        for message in messages:
            if _valid(of, id_) is None:
                return
            yield message


def _forget(response: Response) -> None:
    response.delete_cookie(_cookie_name(), secure=is_https(), httponly=True, samesite="Strict")


def _valid(of: Service, id_: str) -> tuple[Token, CallerSession] | None:
    session = of.sessions.find(id_) if id_ else None
    token = of.tokens.by_sha256(session.token_sha256) if session is not None else None
    if session is None or token is None:
        return None
    if session.kind == "wall" and token.role is not Role.VIEWER:
        return None
    return token, session


def id_of_request() -> str:
    """What the request's cookie holds, empty without one; it is not checked yet."""
    return request.cookies.get(_cookie_name(), "")


def _cookie_name() -> str:
    if is_https():
        return SECURE_COOKIE
    port = _PLAIN_PORT.search(request.host)
    return PLAIN_COOKIE.format(port=port[1] if port else 80)
