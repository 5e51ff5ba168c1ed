"""The vendor's access token: read, renewed before it expires, and stored.

The rule of this file: no secret is ever part of an error, a log line or a report. A renewed token
is stored in a private file of the data folder.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.private_file import write_private
from projector.infrastructure.settings import Settings

RENEW_BEFORE_SECONDS = 300
SECONDS = 30.0


class NoCredentials(ProjectorError):  # noqa: N818 - named for what callers handle
    """The settings have nothing that the vendor's APIs would accept."""


class CredentialsRefused(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor refuses the configured credentials; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An access token, when it expires (epoch seconds), and the token that renews it."""

    token: str
    until: float
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return f"Access(until={self.until:.0f})"


class Credentials(httpx.Auth):
    """The vendor's access token, for every request of a client; a refused one is renewed once.

    Thread-safe. One file serves all processes of a data folder. Without a usable token a request
    raises NoCredentials or CredentialsRefused.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._file = settings.data_dir / "webex-token"
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
        """A valid token; NoCredentials without settings for one, CredentialsRefused if refused."""
        with self._lock:
            if self._access is None:
                self._access = self._kept()
            if self._access is None or self._access.until - RENEW_BEFORE_SECONDS < self._clock():
                self._access = self._renewed()
            return self._access.token

    def renew(self, refused: str) -> str:
        """A new token, in place of one that the vendor has refused."""
        with self._lock:
            if self._access is None or self._access.token == refused:
                self._access = self._renewed()
            return self._access.token

    @property
    def org_id(self) -> str:
        """The organisation: as configured, else the last part of the token."""
        configured = self._settings.webex_org_id
        return configured or self.token().rpartition("_")[2]

    def _renewed(self) -> Access:
        settings = self._settings
        if settings.webex_access_token is not None:
            if self._access is not None:
                raise CredentialsRefused(
                    "The vendor refuses PROJECTOR_WEBEX_ACCESS_TOKEN: it has expired, or it is not"
                    " of this organisation. Set a new one, or a refresh token."
                )
            return Access(token=settings.webex_access_token, until=float("inf"))
        if not settings.asks_vendor:
            raise NoCredentials(
                "Nothing is configured with which the vendor could be asked: set"
                " PROJECTOR_WEBEX_CLIENT_ID, PROJECTOR_WEBEX_CLIENT_SECRET and"
                " PROJECTOR_WEBEX_REFRESH_TOKEN."
            )
        kept = self._kept()
        if kept is not None and kept != self._access and kept.until > self._clock():
            return kept  # another process was faster
        # First the token renewed last; then the configured one, which may be newer than the file.
        tries = [kept.refresh_token if kept else None, settings.webex_refresh_token]
        for refresh_token in dict.fromkeys(filter(None, tries)):
            access = self._ask(refresh_token)
            if access is not None:
                self._keep(access)
                return access
        raise CredentialsRefused(
            "The vendor refuses the refresh token: it has expired, or it is not of this client."
            " Authorise the integration or service app anew and set PROJECTOR_WEBEX_REFRESH_TOKEN."
        )

    def _ask(self, refresh_token: str) -> Access | None:
        settings = self._settings
        try:
            answer = httpx.post(
                f"{settings.webex_oauth}/v1/access_token",
                data={
                    "grant_type": "refresh_token",
                    "client_id": settings.webex_client_id,
                    "client_secret": settings.webex_client_secret,
                    "refresh_token": refresh_token,
                },
                timeout=SECONDS,
            )
        except httpx.HTTPError as error:
            raise ProjectorError(
                f"The vendor's token service at {settings.webex_oauth} does not answer"
                f" ({type(error).__name__})."
            ) from None
        if answer.status_code in {400, 401, 403}:
            return None
        try:
            answer.raise_for_status()
            return self._access_of(answer.json(), refresh_token)
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            raise ProjectorError(
                f"The vendor's token service answers {answer.status_code} and no token."
            ) from None

    def _access_of(self, told: dict[str, Any], refresh_token: str) -> Access:
        return Access(
            token=str(told["access_token"]),
            until=self._clock() + float(told["expires_in"]),
            refresh_token=str(told.get("refresh_token") or refresh_token),
        )

    def _kept(self) -> Access | None:
        try:
            told = json.loads(self._file.read_text())
            if told["client_id"] != self._settings.webex_client_id:
                return None
            return Access(
                token=told["access_token"],
                until=float(told["until"]),
                refresh_token=told["refresh_token"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # none yet, or not ours

    def _keep(self, access: Access) -> None:
        told = {
            "client_id": self._settings.webex_client_id,
            "access_token": access.token,
            "refresh_token": access.refresh_token,
            "until": access.until,
        }
        try:
            write_private(self._file, json.dumps(told))
        except OSError as error:
            raise ProjectorError(
                f"The vendor's renewed token cannot be kept in {self._file.parent}"
                f" ({error.strerror})."
            ) from None
