"""The vendor's token service: tokens for an authorisation code, and new tokens for a refresh token.

Rule: a secret that is sent is never part of an error. What fails for a reason that passes is tried
again, as a call of the APIs is. A refusal is told in the service's words.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx

from projector.infrastructure.certificates import trusted_certificates
from projector.infrastructure.errors import ProjectorError
from projector.webex.credential_store import Access, OAuthClient
from projector.webex.failed_calls import TRIES, pause_seconds, reason

TOKEN_TIMEOUT_SECONDS = 30.0


class TokenRefused(ProjectorError):  # noqa: N818 - named for what is noticed
    """The token service refuses a request; to repeat it would change nothing."""


class TokenServiceSilent(ProjectorError):  # noqa: N818 - named for what is noticed
    """The token service gave no token and no refusal in any of the tries."""


class TokenService:
    """Requests tokens of the service at one root.

    Each method raises TokenRefused or TokenServiceSilent.
    """

    def __init__(
        self,
        root: str,
        *,
        tries: int = TRIES,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._root = root
        self._tries = tries
        self._clock = clock
        self._sleep = sleep

    def exchange(self, client: OAuthClient, code: str, redirect_uri: str) -> Access:
        """The first tokens, for the code that an authorisation returned to a redirect URI."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return self._access_of(self._request("the authorisation code", client, form), None)

    def refresh(self, client: OAuthClient, refresh_token: str) -> Access:
        """New tokens; the refresh token is the same one if the service returns no other."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._access_of(self._request("the refresh token", client, form), refresh_token)

    def _request(self, what: str, client: OAuthClient, form: dict[str, str]) -> dict[str, Any]:
        form = {**form, "client_id": client.id, "client_secret": client.secret}
        why = ""
        for tried in range(1, self._tries + 1):
            try:
                url = f"{self._root}/v1/access_token"
                answer = httpx.post(
                    url,
                    data=form,
                    timeout=TOKEN_TIMEOUT_SECONDS,
                    verify=trusted_certificates(),
                )
            except httpx.HTTPError as error:
                why = type(error).__name__
            else:
                status, tokens = answer.status_code, _json(answer)
                if answer.is_success and _has_tokens(tokens):
                    return tokens
                if answer.is_success:  # what it says may be a token in another form
                    why = f"{status} and no token"
                else:
                    why = f"{status}: {_words(answer, form)}"
                if not _passes(status):
                    raise TokenRefused(f"The vendor refuses {what} ({why}).")
            if tried < self._tries:
                self._sleep(pause_seconds(tried))
        raise TokenServiceSilent(
            f"The vendor's token service at {self._root} does not answer ({why}; tried"
            f" {self._tries} times)."
        )

    def _access_of(self, answer: dict[str, Any], refresh_token: str | None) -> Access:
        now = self._clock()
        refresh_seconds: Any = answer.get("refresh_token_expires_in")
        scope = answer.get("scope")
        return Access(
            token=answer["access_token"],
            expires=now + answer["expires_in"],
            refresh_token=answer.get("refresh_token") or refresh_token,
            refresh_expires=now + refresh_seconds if _is_number(refresh_seconds) else None,
            scopes=tuple(sorted(scope.split())) if isinstance(scope, str) else None,
        )


def _has_tokens(answer: dict[str, Any]) -> bool:
    token = answer.get("access_token")
    return isinstance(token, str) and bool(token) and _is_number(answer.get("expires_in"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _passes(status: int) -> bool:
    """Whether another try may succeed after an answer without a token."""
    return (
        status < HTTPStatus.MULTIPLE_CHOICES
        or status == HTTPStatus.TOO_MANY_REQUESTS
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _words(answer: httpx.Response, form: dict[str, str]) -> str:
    """What the service says, without the secrets that were sent."""
    words = reason(answer) or "no reason given"
    for name in ("client_secret", "code", "refresh_token"):
        if form.get(name):
            words = words.replace(form[name], "…")
    return words


def _json(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
