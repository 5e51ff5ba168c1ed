"""Tokens of the HTTP interface: those of the settings, or one of a local operator.

Whoever starts the service on their own machine configures nothing: the first start makes a token,
in a private file of the data folder, and every command finds it there.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from projector.infrastructure.private_file import create_private
from projector.infrastructure.settings import Role, Settings, SettingsError, Token


def token_digest(text: str) -> bytes:
    """The SHA-256 of a token, by which it is looked up and named without being given away."""
    return hashlib.sha256(text.encode()).digest()


def local_tokens(settings: Settings) -> list[Token]:
    """The local operator's token, made at the first call.

    Empty where tokens are configured, and where the service listens beyond this machine.
    """
    if settings.tokens or not settings.is_local:
        return []
    path = _file(settings)
    if not path.exists():
        create_private(path, secrets.token_urlsafe(24))
    return valid_tokens(settings)


def valid_tokens(settings: Settings) -> list[Token]:
    """The configured tokens, or the local operator's if one was made; SettingsError if empty."""
    path = _file(settings)
    if settings.tokens or not path.exists():
        return settings.tokens
    text = path.read_text().strip()
    if not text:
        raise SettingsError(f"{path} is empty: remove it, and the next start makes a token.")
    return [Token(token=text, role=Role.OPERATOR)]


def _file(settings: Settings) -> Path:
    return settings.data_dir / "operator-token"
