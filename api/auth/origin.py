"""Where a request comes from, as the browser and the connection say.

The rule of this file: a session changes nothing unless a page of this service asks for it. A
browser sends the cookie also for a page on another port of this host, which is the same site to it.
"""

from __future__ import annotations

import re

from flask import request

from api.auth.errors import AccessDenied
from api.service import service
from projector.infrastructure.settings import is_loopback

READING_METHODS = frozenset({"GET", "HEAD"})
_JSON_TYPE = "application/json"
_FORWARDING_HEADERS = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
)
_PORT = re.compile(r":\d*$")


def is_https() -> bool:
    """As the connection says, or a proxy that ends TLS in front of the service."""
    # Of several proxies the first one met the browser.
    first = request.headers.get("X-Forwarded-Proto", "").partition(",")[0]
    return request.is_secure or first.strip() == "https"


def is_from_own_page() -> bool | None:
    """Whether a page of this service asks, and no other; null where nothing tells.

    A browser tells with each change. A client that is none has no cookie that could be misused.
    """
    fetched_from = request.headers.get("Sec-Fetch-Site")
    if fetched_from is not None:
        return fetched_from == "same-origin"
    origin = request.headers.get("Origin")
    if origin is None:
        return None
    scheme = "https" if is_https() else "http"
    return origin == f"{scheme}://{request.host}"


def require_own_change() -> None:
    """Raise AccessDenied 403 where a session must not change what this request would change."""
    if not is_from_own_page():
        raise AccessDenied(403, "With a session, only this service's own pages change anything.")
    require_json()


def require_json() -> None:
    """Raise AccessDenied 403 for a body that a form of any site could send, too."""
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and request.mimetype != _JSON_TYPE:
        raise AccessDenied(403, f"The body needs Content-Type: {_JSON_TYPE}.")


def caller_address() -> str | None:
    """The address of the caller; null for a program on this machine.

    A proxy on this machine says in X-Forwarded-For whom it speaks for: its own entry is the last.
    """
    peer = request.remote_addr or ""
    if not is_loopback(peer):
        return peer
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return told if told and not is_loopback(told) else None


def is_on_this_machine() -> bool:
    """Whether service, caller and the name that was called are on loopback, and no proxy between.

    A proxy may listen on loopback too, and what it logs may be read by others.
    """
    host = _PORT.sub("", request.host).strip("[]")
    return (
        service().settings.is_local
        and is_loopback(request.remote_addr or "")
        and is_loopback(host)
        and not any(name in request.headers for name in _FORWARDING_HEADERS)
    )
