"""Tokens of the HTTP interface: those of the settings, or one of a local operator.

Whoever starts the service on their own machine configures nothing: the first start makes a token,
in a private file of the data folder, and every command finds it there.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from projector.infrastructure.private_file import create_private
from projector.infrastructure.settings import ConfiguredToken, Role, Settings, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who asks: what may be read and done with a token; null organisations or teams mean all."""

    sha256: bytes
    role: Role
    org_ids: frozenset[str] | None = None
    team_ids: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """The role, and eight digits of the SHA-256: a name that does not give the token away."""
        return f"{self.role.value} {token_id(self.sha256)}"


def token_id(sha256: bytes) -> str:
    """Eight digits, by which people name a token."""
    return sha256.hex()[:8]


def configured_tokens(settings: Settings) -> list[Token]:
    """The tokens of the settings, or the local operator's, which is made at the first call."""
    return [
        Token(sha256=token_digest(it.token), role=it.role, org_ids=it.org_ids, team_ids=it.team_ids)
        for it in local_tokens(settings) or settings.tokens
    ]


def token_digest(text: str) -> bytes:
    """The SHA-256 of a token, by which it is looked up and named without being given away."""
    return hashlib.sha256(text.encode()).digest()


def local_tokens(settings: Settings) -> list[ConfiguredToken]:
    """The local operator's token, made at the first call.

    Empty where tokens are configured, and where the service listens beyond this machine.
    """
    if settings.tokens or not settings.is_local:
        return []
    path = _file(settings)
    if not path.exists():
        create_private(path, secrets.token_urlsafe(24))
    return valid_tokens(settings)


def valid_tokens(settings: Settings) -> list[ConfiguredToken]:
    """The configured tokens, or the local operator's if one was made; SettingsError if empty."""
    path = _file(settings)
    if settings.tokens or not path.exists():
        return settings.tokens
    text = path.read_text().strip()
    if not text:
        raise SettingsError(f"{path} is empty: remove it, and the next start makes a token.")
    return [ConfiguredToken(token=text, role=Role.OPERATOR)]


def _file(settings: Settings) -> Path:
    return settings.data_dir / "operator-token"
