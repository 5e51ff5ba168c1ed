"""Who asks: the token of a request is checked here."""

from __future__ import annotations

import hashlib

from flask import request

from api.auth import session
from api.auth.errors import AccessDenied
from api.service import service
from projector.infrastructure.settings import Token

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="projector"'}


def authenticate() -> Token:
    """The caller's token, by bearer token or by the page's session.

    Raises AccessDenied 401 where there is none, or one that the service does not have.
    """
    token = find_token(_text_of_request())
    if token is None:
        raise AccessDenied(401, "A valid bearer token is needed.", headers=_CHALLENGE)
    return token


def find_token(text: str) -> Token | None:
    """The token with this text, null where the service has none such."""
    return service().token(text.strip())


def caller_name(token: Token) -> str:
    """The role, and eight digits of the token's SHA-256: a name that does not give the token away.

    It is stored with what a caller starts.
    """
    return f"{token.role.value} {hashlib.sha256(token.token.encode()).hexdigest()[:8]}"


def _text_of_request() -> str:
    """The session counts only without an Authorization header: a wrong header stays wrong."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return session.token_text()
    return credentials if scheme.lower() == "bearer" else ""
