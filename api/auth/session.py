"""The session of the page: a cookie that holds the token, and that no script can read."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, request

from projector.infrastructure.settings import Token

SESSION_COOKIE = "projector-session"


def token_text() -> str:
    """What the session of the request holds, empty without a session; it is not checked yet."""
    return request.cookies.get(SESSION_COOKIE, "")


def start(response: Response, token: Token) -> None:
    """Start a session of this token with the response."""
    response.set_cookie(
        SESSION_COOKIE, token.token, httponly=True, samesite="Lax", secure=_is_https()
    )


def is_from_this_site() -> bool:
    """Whether the request comes from this service's own pages, as the browser says.

    A client that is no browser says nothing, and passes: it has no cookie that another site could
    misuse.
    """
    fetched_from = request.headers.get("Sec-Fetch-Site")
    if fetched_from is not None:
        return fetched_from in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _is_https() -> bool:
    """As the connection says, or a proxy that ends TLS in front of the service."""
    return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
