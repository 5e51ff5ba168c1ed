"""What there is to ask the vendor with: the settings, and a file of the data folder.

Rule: settings go before the file. The file holds renewed tokens, and what `projector connect`
stores. Only its owner can read it. Every process reads it when it needs it, so it sees what was
stored meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.private_file import write_private
from projector.infrastructure.settings import Settings

NOTHING_CONFIGURED = (
    "Nothing is configured with which the vendor could be asked: run `projector connect`, or set"
    " PROJECTOR_WEBEX_CLIENT_ID, PROJECTOR_WEBEX_CLIENT_SECRET and PROJECTOR_WEBEX_REFRESH_TOKEN."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """The integration or service app, as the vendor knows it."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An access token, and the token that renews it; both expire, in epoch seconds.

    ``scopes`` are what the vendor says that the token opens; None where it does not say.
    """

    token: str = field(repr=False)
    expires: float
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires: float | None = None
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredentials:
    """What the file holds. The client's secret is None where only the settings have it."""

    client_id: str
    client_secret: str | None = field(repr=False)
    access: Access


class CredentialFile:
    """The file of a data folder with the tokens of one client."""

    def __init__(self, settings: Settings) -> None:
        self.path: Path = settings.data_dir / "webex-token"

    def read(self) -> StoredCredentials | None:
        """What is stored; None where nothing is, or nothing of ours."""
        try:
            stored = json.loads(self.path.read_text())
            scope = stored.get("scope")
            return StoredCredentials(
                client_id=stored["client_id"],
                client_secret=stored.get("client_secret"),
                access=Access(
                    token=stored["access_token"],
                    expires=float(stored["until"]),
                    refresh_token=stored["refresh_token"],
                    refresh_expires=stored.get("refresh_until"),
                    scopes=None if scope is None else tuple(scope.split()),
                ),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, stored: StoredCredentials) -> None:
        """Store in place of what is there; ProjectorError where that is impossible."""
        access = stored.access
        fields = {
            "client_id": stored.client_id,
            "client_secret": stored.client_secret,
            "access_token": access.token,
            "refresh_token": access.refresh_token,
            "until": access.expires,
            "refresh_until": access.refresh_expires,
            "scope": None if access.scopes is None else " ".join(access.scopes),
        }
        try:
            write_private(self.path, json.dumps(fields))
        except OSError as error:
            raise ProjectorError(
                f"The vendor's token cannot be saved in {self.path.parent} ({error.strerror})."
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What renews a token: the client, and its refresh tokens in the order to try them."""

    client: OAuthClient
    refresh_tokens: list[str] = field(repr=False)
    stored: StoredCredentials | None


def renewal_of(settings: Settings) -> Renewal | None:
    """What the settings and the file hold together; None where a part is missing."""
    stored = CredentialFile(settings).read()
    if stored is not None and settings.webex_client_id not in {None, stored.client_id}:
        stored = None  # it is of another client
    client_id, secret = settings.webex_client_id, settings.webex_client_secret
    candidates = [settings.webex_refresh_token]
    if stored is not None:
        client_id, secret = stored.client_id, secret or stored.client_secret
        # The stored refresh token comes first; that of the settings may be newer than the file.
        candidates = [stored.access.refresh_token, *candidates]
    refresh_tokens = [*dict.fromkeys(filter(None, candidates))]
    if not (client_id and secret and refresh_tokens):
        return None
    client = OAuthClient(id=client_id, secret=secret)
    return Renewal(client=client, refresh_tokens=refresh_tokens, stored=stored)


def has_credentials(settings: Settings) -> bool:
    """Whether there is anything with which the vendor could be asked, in settings or stored."""
    return settings.webex_access_token is not None or renewal_of(settings) is not None
