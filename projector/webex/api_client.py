"""The client of the vendor's APIs: it keeps the rate limit, and repeats what failed briefly.

The rule of this file: a call that changes something is repeated only if the vendor did not take it.
An error names the call, never the token.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from projector.infrastructure.errors import ProjectorError
from projector.webex.credentials import Credentials

REQUESTS_A_MINUTE = 300  # of one client, as the vendor allows
TRIES = 6
LONGEST_WAIT_SECONDS = 60.0
TIMEOUT, SHORT_TIMEOUT = httpx.Timeout(60.0, connect=10.0), httpx.Timeout(10.0)


class VendorRefuses(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor refuses a call; repeating it would not help."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class VendorSilent(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor gave no usable answer to a call, however often it was tried."""


class Pace:
    """Lets at most ``a_minute`` calls through in a minute; the others wait."""

    def __init__(
        self,
        a_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._begun: list[float] = []  # of the last minute

    def wait(self) -> None:
        with self._lock:
            now = self._clock()
            self._begun = [begun for begun in self._begun if begun > now - 60]
            if len(self._begun) >= self._a_minute:
                self._sleep(self._begun[0] + 60 - now)
            self._begun.append(self._clock())


class Vendor:
    """Calls of one organisation's APIs, at one root."""

    def __init__(  # noqa: PLR0913 - all but two by name
        self,
        root: str,
        credentials: Credentials,
        *,
        pace: Pace | None = None,
        tries: int = TRIES,
        timeout: httpx.Timeout = TIMEOUT,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._credentials = credentials
        self._pace = pace or Pace(REQUESTS_A_MINUTE)
        self._sleep = sleep
        self._tries = tries
        self._http = httpx.Client(
            base_url=root,
            auth=credentials,
            headers={"Accept": "application/json"},
            timeout=timeout,
            event_hooks={"request": [self._count]},
        )
        self.requests = 0

    def close(self) -> None:
        self._http.close()

    @property
    def org_id(self) -> str:
        return self._credentials.org_id

    def get(self, path: str, query: Mapping[str, Any]) -> Any:
        """The JSON that a GET answers; VendorRefuses or VendorSilent otherwise."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", path, params=given)

    def query(self, path: str, body: Mapping[str, Any], **params: str) -> Any:
        """The JSON that a POST answers which changes nothing, and so may be repeated."""
        return self._call("POST", path, json=body, params=params)

    def change(self, method: str, path: str, body: Mapping[str, Any] | None, **params: str) -> Any:
        """The JSON that a changing call answers; repeated only if the vendor did not take it."""
        return self._call(method, path, is_safe=False, json=body, params=params)

    def _call(self, method: str, path: str, *, is_safe: bool = True, **given: Any) -> Any:
        for tried in range(1, self._tries + 1):
            try:
                return self._try(method, path, **given)
            except _Again as again:
                if tried == self._tries or not (is_safe or again.was_not_taken):
                    times = "once" if tried == 1 else f"{tried} times"
                    raise VendorSilent(
                        f"The vendor does not answer {method} {path} ({again.why}, tried {times})."
                    ) from None
                self._sleep(_pause(tried, again.seconds))
        raise AssertionError  # pragma: no cover - the last try answers or raises

    def _try(self, method: str, path: str, **given: Any) -> Any:
        """One call: what it answers, or why it may be tried again."""
        try:
            answer = self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            never_sent = isinstance(error, httpx.ConnectError)
            raise _Again(type(error).__name__, was_not_taken=never_sent) from None
        status = answer.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            asked = answer.headers.get("Retry-After", "")
            seconds = float(asked) if asked.isascii() and asked.isdigit() else None
            raise _Again("429", was_not_taken=True, seconds=seconds)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Again(str(status))
        if not answer.is_success:
            raise _refusal(method, path, answer)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise _Again("no whole JSON") from None

    def _count(self, _: httpx.Request) -> None:
        """Wait for the turn of a request; one that is sent again with a new token has its own."""
        self._pace.wait()
        self.requests += 1


class _Again(Exception):  # noqa: N818 - a signal inside this file, never an error outside
    """A call may be tried again: why, whether the vendor took it, and when (seconds)."""

    def __init__(
        self,
        why: str,
        *,
        was_not_taken: bool = False,
        seconds: float | None = None,
    ) -> None:
        super().__init__(why)
        self.why = why
        self.was_not_taken = was_not_taken
        self.seconds = seconds


def _pause(tried: int, asked: float | None) -> float:
    """Seconds before the next try: what the vendor asks for, else longer each time."""
    if asked is not None:
        return min(asked, LONGEST_WAIT_SECONDS)
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads tries, no secret
    return min(2.0 ** (tried - 1), LONGEST_WAIT_SECONDS) * spread


def _refusal(method: str, path: str, answer: httpx.Response) -> VendorRefuses:
    status = answer.status_code
    advice = {
        401: "the credentials are expired or wrong",
        403: "the credentials lack a scope or a role for it, or do not cover the organisation",
        404: "it has no such thing",
        413: "it asks for too much",
    }
    said = "; ".join(_sentences(answer)) or advice.get(status, "no reason given")
    if status in advice and said != advice[status]:
        said = f"{advice[status]}: {said}"
    return VendorRefuses(f"The vendor refuses {method} {path} ({status}): {said[:300]}.", status)


def _sentences(answer: httpx.Response) -> list[str]:
    try:
        messages = answer.json()["error"]["message"]
        return [str(it["description"]).rstrip(".") for it in messages]
    except (ValueError, KeyError, TypeError):
        return []
