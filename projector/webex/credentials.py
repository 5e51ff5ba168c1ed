"""Credentials for the vendor's APIs: an access token that is renewed before it expires.

Rule: no secret is ever part of an error, a log line or a report.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import httpx

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import Settings
from projector.webex.credential_store import (
    NOTHING_CONFIGURED,
    Access,
    CredentialFile,
    Renewal,
    StoredCredentials,
    renewal_of,
)
from projector.webex.failed_calls import TRIES
from projector.webex.token_service import TokenRefused, TokenService

RENEW_BEFORE_SECONDS = 300
_TOKEN_FORM = re.compile(r".+_[^_]+_([^_]+)")  # the token, its cluster, its organisation


class NoCredentials(ProjectorError):  # noqa: N818 - named for what callers handle
    """Neither the settings nor the data folder hold credentials for the vendor's APIs."""


class CredentialsRefused(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor no longer accepts the configured credentials; the sentence says what to do."""


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
        renewal = renewal_of(self._settings)
        if renewal is None:
            raise NoCredentials(NOTHING_CONFIGURED)
        stored = renewal.stored
        if stored is not None and stored.access != spent and self._holds(stored.access):
            return stored.access  # from `projector connect`, or another process has renewed it
        return self._renewed(renewal)

    def _renewed(self, renewal: Renewal) -> Access:
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
