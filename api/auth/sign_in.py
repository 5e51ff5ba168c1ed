"""Signing in: a token is shown once, and a session comes in its place.

The rule of this file: only this service's own page, or a client that is no browser, signs anybody
in. So no other site makes a visitor see what another token may see.
"""

from __future__ import annotations

import logging

from flask import request

from api.auth.authentication import find_token
from api.auth.errors import AccessDenied
from api.auth.origin import is_from_own_page, is_on_this_machine, require_json
from api.service import service
from projector.infrastructure.tokens import Token

log = logging.getLogger(__name__)


def by_json(text: str) -> Token:
    """The token in a JSON body; AccessDenied 403 from another site, 401 where it is unknown."""
    _require_own_page()
    require_json()
    return _known(text)


def by_address(text: str) -> Token:
    """The token in the page's address, as it is printed on this machine.

    Raises AccessDenied 403 elsewhere, since addresses are logged on the way, and where a page of
    another site leads here; 401 where the token is unknown.
    """
    if not is_on_this_machine():
        detail = "An address with a token is for the service's own machine: paste the token here."
        raise AccessDenied(403, detail)
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise AccessDenied(403, "A link on another site does not sign in: paste the token here.")
    return _known(text)


def _require_own_page() -> None:
    if is_from_own_page() is False:
        raise AccessDenied(403, "Only this service's own page may sign in here.")


def _known(text: str) -> Token:
    token = find_token(text)
    if token is None:
        log.warning(
            "an unknown token from %s; attempts that failed since the start: %d",
            request.remote_addr,
            service().failed_attempts.total,
        )
        raise AccessDenied(401, "This token is not known here.")
    return token
