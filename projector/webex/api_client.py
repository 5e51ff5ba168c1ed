"""The client of the vendor's APIs: it keeps to the rate limit and repeats what failed for a while.

Rule: a call that changes something is repeated only if the vendor certainly did not process it. An
error is a sentence that names the call, and never the token.
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

REQUESTS_A_MINUTE = 300  # what the vendor allows to one client
TRIES = 6
LONGEST_WAIT_SECONDS = 60.0
TIMEOUT, SHORT_TIMEOUT = httpx.Timeout(60.0, connect=10.0), httpx.Timeout(10.0)


class VendorRefuses(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor refuses a call, with an HTTP status; to repeat it would change nothing."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class VendorSilent(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor gave no usable answer to a call in any of the tries."""


class Pace:
    """A rate limit: at most ``a_minute`` calls begin within 60 s, the others wait. Thread-safe."""

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
        self._start_times: list[float] = []  # of the calls of the last minute

    def wait(self) -> None:
        """Wait until another call may begin."""
        with self._lock:
            now = self._clock()
            self._start_times = [time for time in self._start_times if time > now - 60]
            if len(self._start_times) >= self._a_minute:
                self._sleep(self._start_times[0] + 60 - now)
            self._start_times.append(self._clock())


class ApiClient:
    """Calls of the APIs at one root, for the organisation of the credentials.

    Every call may raise VendorRefuses, VendorSilent, NoCredentials or CredentialsRefused.
    ``requests`` counts the requests that were sent, repeated ones included.
    """

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
            event_hooks={"request": [self._before_request]},
        )
        self.requests = 0

    def close(self) -> None:
        self._http.close()

    @property
    def org_id(self) -> str:
        """The organisation of the credentials."""
        return self._credentials.org_id

    def get(self, path: str, parameters: Mapping[str, Any]) -> Any:
        """The JSON answer to a GET; parameters that are None are left out."""
        params = {name: value for name, value in parameters.items() if value is not None}
        return self._call("GET", path, params=params)

    def query(self, path: str, body: Mapping[str, Any], **params: str) -> Any:
        """The JSON answer to a POST that only reads, and so may be repeated."""
        return self._call("POST", path, json=body, params=params)

    def change(self, method: str, path: str, body: Mapping[str, Any] | None, **params: str) -> Any:
        """The JSON answer to a call that changes something.

        It is repeated only after a refused connection or a 429, which mean that nothing happened.
        """
        return self._call(method, path, is_safe=False, json=body, params=params)

    def _call(self, method: str, path: str, *, is_safe: bool = True, **options: Any) -> Any:
        for tried in range(1, self._tries + 1):
            try:
                return self._try(method, path, **options)
            except _TryAgain as failure:
                if tried == self._tries or not (is_safe or failure.was_not_processed):
                    times = "once" if tried == 1 else f"{tried} times"
                    raise VendorSilent(
                        f"The vendor does not answer {method} {path} ({failure.why}, tried"
                        f" {times})."
                    ) from None
                self._sleep(_pause(tried, failure.seconds))
        raise AssertionError  # pragma: no cover - the last try answers or raises

    def _try(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer to one request; _TryAgain where another try may succeed."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            was_not_sent = isinstance(error, httpx.ConnectError)
            raise _TryAgain(type(error).__name__, was_not_processed=was_not_sent) from None
        status = answer.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            retry_after = answer.headers.get("Retry-After", "")
            is_number = retry_after.isascii() and retry_after.isdigit()
            seconds = float(retry_after) if is_number else None
            raise _TryAgain("429", was_not_processed=True, seconds=seconds)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _TryAgain(str(status))
        if not answer.is_success:
            raise _refusal(method, path, answer)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise _TryAgain("no whole JSON") from None

    def _before_request(self, _: httpx.Request) -> None:
        """Wait for the turn of a request. httpx calls it also where a new token repeats one."""
        self._pace.wait()
        self.requests += 1


class _TryAgain(Exception):  # noqa: N818 - a signal inside this file, never an error outside
    """Why a try failed, whether the vendor did not process it, and the seconds that it says."""

    def __init__(
        self,
        why: str,
        *,
        was_not_processed: bool = False,
        seconds: float | None = None,
    ) -> None:
        super().__init__(why)
        self.why = why
        self.was_not_processed = was_not_processed
        self.seconds = seconds


def _pause(tried: int, retry_after: float | None) -> float:
    """Seconds before the next try: as the vendor says, else twice as many each time."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT_SECONDS)
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
    reason = "; ".join(_sentences(answer)) or advice.get(status, "no reason given")
    if status in advice and reason != advice[status]:
        reason = f"{advice[status]}: {reason}"
    sentence = f"The vendor refuses {method} {path} ({status}): {reason[:300]}."
    return VendorRefuses(sentence, status)


def _sentences(answer: httpx.Response) -> list[str]:
    try:
        messages = answer.json()["error"]["message"]
        return [str(it["description"]).rstrip(".") for it in messages]
    except (ValueError, KeyError, TypeError):
        return []
