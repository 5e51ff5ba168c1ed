"""Credentials for the vendor's APIs: an access token that is renewed before it expires.

Rule: no secret is ever part of an error, a log line or a report. Renewed tokens stand in a file
that only its owner can read.
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
TOKEN_TIMEOUT_SECONDS = 30.0


class NoCredentials(ProjectorError):  # noqa: N818 - named for what callers handle
    """The settings hold no credentials for the vendor's APIs."""


class CredentialsRefused(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor no longer accepts the configured credentials; the sentence says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An access token, when it expires (epoch s), and the token that renews it."""

    token: str
    expires: float
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return f"Access(expires={self.expires:.0f})"


class Credentials(httpx.Auth):
    """The vendor's access token, for every request of a client; a refused one is renewed once.

    Thread-safe. All processes of a data folder share one file. Without a usable token a request
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
        """A valid token; NoCredentials where none is configured, CredentialsRefused where none is
        valid.
        """
        with self._lock:
            if self._access is None:
                self._access = self._saved()
            if self._access is None or self._access.expires - RENEW_BEFORE_SECONDS < self._clock():
                self._access = self._renewed()
            return self._access.token

    def renew(self, refused: str) -> str:
        """A new token in place of one that the vendor refused."""
        with self._lock:
            if self._access is None or self._access.token == refused:
                self._access = self._renewed()
            return self._access.token

    @property
    def org_id(self) -> str:
        """The organisation whose data the token opens: as configured, else as the token ends."""
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
            return Access(token=settings.webex_access_token, expires=float("inf"))
        if not settings.asks_vendor:
            raise NoCredentials(
                "Nothing is configured with which the vendor could be asked: set"
                " PROJECTOR_WEBEX_CLIENT_ID, PROJECTOR_WEBEX_CLIENT_SECRET and"
                " PROJECTOR_WEBEX_REFRESH_TOKEN."
            )
        saved = self._saved()
        if saved is not None and saved != self._access and saved.expires > self._clock():
            return saved  # another process has renewed it
        # The saved refresh token comes first; the one of the settings may be newer than the file.
        candidates = [saved.refresh_token if saved else None, settings.webex_refresh_token]
        for refresh_token in dict.fromkeys(filter(None, candidates)):
            access = self._request(refresh_token)
            if access is not None:
                self._save(access)
                return access
        raise CredentialsRefused(
            "The vendor refuses the refresh token: it has expired, or it is not of this client."
            " Authorise the integration or service app anew and set PROJECTOR_WEBEX_REFRESH_TOKEN."
        )

    def _request(self, refresh_token: str) -> Access | None:
        """A new access token; None where the vendor refuses the refresh token."""
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
                timeout=TOKEN_TIMEOUT_SECONDS,
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

    def _access_of(self, answer: dict[str, Any], refresh_token: str) -> Access:
        return Access(
            token=str(answer["access_token"]),
            expires=self._clock() + float(answer["expires_in"]),
            refresh_token=str(answer.get("refresh_token") or refresh_token),
        )

    def _saved(self) -> Access | None:
        try:
            saved = json.loads(self._file.read_text())
            if saved["client_id"] != self._settings.webex_client_id:
                return None
            return Access(
                token=saved["access_token"],
                expires=float(saved["until"]),
                refresh_token=saved["refresh_token"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # there is none yet, or it is no file of ours

    def _save(self, access: Access) -> None:
        saved = {
            "client_id": self._settings.webex_client_id,
            "access_token": access.token,
            "refresh_token": access.refresh_token,
            "until": access.expires,
        }
        try:
            write_private(self._file, json.dumps(saved))
        except OSError as error:
            raise ProjectorError(
                f"The vendor's renewed token cannot be saved in {self._file.parent}"
                f" ({error.strerror})."
            ) from None
