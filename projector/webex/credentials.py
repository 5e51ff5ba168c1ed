"""Credentials for the vendor's APIs: an access token that is renewed before it expires.

Rule: no secret is ever part of an error, a log line or a report. Renewed tokens, and what
`projector connect` stores, stand in a file that only its owner can read. Settings go before the
file. Every process reads the file when it needs it, so it sees what was stored meanwhile.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.private_file import write_private
from projector.infrastructure.settings import Settings
from projector.webex.failed_calls import TRIES
from projector.webex.token_service import Access, OAuthClient, TokenRefused, TokenService

RENEW_BEFORE_SECONDS = 300
NOTHING_CONFIGURED = (
    "Nothing is configured with which the vendor could be asked: run `projector connect`, or set"
    " PROJECTOR_WEBEX_CLIENT_ID, PROJECTOR_WEBEX_CLIENT_SECRET and PROJECTOR_WEBEX_REFRESH_TOKEN."
)
_TOKEN_FORM = re.compile(r".+_[^_]+_([^_]+)")  # the token, its cluster, its organisation


class NoCredentials(ProjectorError):  # noqa: N818 - named for what callers handle
    """Neither the settings nor the data folder hold credentials for the vendor's APIs."""


class CredentialsRefused(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor no longer accepts the configured credentials; the sentence says what to do."""


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


def has_credentials(settings: Settings) -> bool:
    """Whether there is anything with which the vendor could be asked, in settings or stored."""
    return settings.webex_access_token is not None or _renewal(settings) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewal:
    """What renews a token: the client, and its refresh tokens in the order to try them."""

    client: OAuthClient
    refresh_tokens: list[str] = field(repr=False)
    stored: StoredCredentials | None


def _renewal(settings: Settings) -> _Renewal | None:
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
    return _Renewal(client=client, refresh_tokens=refresh_tokens, stored=stored)


class Credentials(httpx.Auth):
    """The vendor's access token, for every request of a client; a refused one is renewed once.

    Thread-safe. All processes of a data folder share one file. Without a usable token a request
    raises NoCredentials, CredentialsRefused or TokenServiceSilent. ``sleep`` is what waits between
    tries of the token service: a client of the APIs sets its own, which a stop ends.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tries: int = TRIES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sleep: Callable[[float], Any] = time.sleep
        self._settings = settings
        self._clock = clock
        self._file = CredentialFile(settings)
        self._service = TokenService(
            settings.webex_oauth, tries=tries, clock=clock, sleep=self._wait
        )
        self._lock = threading.Lock()
        self._access: Access | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with the token, and once more with another where the vendor refuses it."""
        token = self.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            request.headers["Authorization"] = f"Bearer {self.renew(token)}"
            yield request

    def token(self) -> str:
        """A valid token; NoCredentials where none is configured, CredentialsRefused where none is
        valid.
        """
        return self.access().token

    def access(self) -> Access:
        """The valid token with what the vendor said of it; raises as ``token`` does."""
        with self._lock:
            if self._access is None or not self._holds(self._access):
                self._access = self._instead_of(self._access)
            return self._access

    def renew(self, refused: str) -> str:
        """A new token in place of one that the vendor refused."""
        with self._lock:
            if self._access is None or self._access.token == refused:
                self._access = self._instead_of(self._access)
            return self._access.token

    @property
    def org_id(self) -> str:
        """The organisation whose data the token opens: as configured, else as the token ends."""
        configured = self._settings.webex_org_id
        if configured is not None:
            return configured
        named = _TOKEN_FORM.fullmatch(self.token())
        if named is None:
            raise ProjectorError(
                "The vendor's token does not end with its organisation: set PROJECTOR_WEBEX_ORG_ID."
            )
        return named[1]

    def _wait(self, seconds: float) -> None:
        self.sleep(seconds)

    def _holds(self, access: Access) -> bool:
        return access.expires - RENEW_BEFORE_SECONDS >= self._clock()

    def _instead_of(self, spent: Access | None) -> Access:
        """A token in place of one that is spent: as configured, else as stored, else a new one."""
        configured = self._settings.webex_access_token
        if configured is not None:
            if spent is not None:
                raise CredentialsRefused(
                    "The vendor refuses PROJECTOR_WEBEX_ACCESS_TOKEN: it has expired, or it is not"
                    " of this organisation. Set a new one, or unset it and run `projector connect`."
                )
            return Access(token=configured, expires=float("inf"))
        renewal = _renewal(self._settings)
        if renewal is None:
            raise NoCredentials(NOTHING_CONFIGURED)
        stored = renewal.stored
        if stored is not None and stored.access != spent and self._holds(stored.access):
            return stored.access  # from `projector connect`, or another process has renewed it
        return self._renewed(renewal)

    def _renewed(self, renewal: _Renewal) -> Access:
        stored, refusal = renewal.stored, ""
        for refresh_token in renewal.refresh_tokens:
            try:
                access = self._service.refresh(renewal.client, refresh_token)
            except TokenRefused as error:
                refusal = str(error)
                continue
            if access.scopes is None and stored is not None:
                access = replace(access, scopes=stored.access.scopes)
            renewed = StoredCredentials(
                client_id=renewal.client.id,
                client_secret=None if stored is None else stored.client_secret,
                access=access,
            )
            self._file.write(renewed)
            return access
        raise CredentialsRefused(
            f"{refusal} Authorise the integration or service app anew with `projector connect`, or"
            " set PROJECTOR_WEBEX_REFRESH_TOKEN."
        )
