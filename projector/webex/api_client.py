"""The client of the vendor's APIs: it keeps to the rate limit and repeats what failed for a while.

Rule: a call that changes something is repeated only if the vendor certainly did not process it. An
error is a sentence that names the call and has the vendor's words, and never the token.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from projector.infrastructure.certificates import trusted_certificates
from projector.infrastructure.errors import ProjectorError
from projector.webex.credentials import Credentials
from projector.webex.failed_calls import TRIES, pause_seconds, reason

REQUESTS_A_MINUTE = 300  # what the vendor allows to one client
LONGEST_WAIT_SECONDS, SHORT_WAIT_SECONDS = 900.0, 10.0  # that the vendor may ask for
TIMEOUT, SHORT_TIMEOUT = httpx.Timeout(60.0, connect=10.0), httpx.Timeout(10.0)
MAX_RETRY_AFTER_SECONDS = 7 * 86_400.0  # more cannot be meant
STOP_CHECK_SECONDS = 1.0
log = logging.getLogger(__name__)


class VendorRefuses(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor refuses a call, with an HTTP status; to repeat it would change nothing."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class VendorSilent(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor gave no usable answer to a call in any of the tries, or asks for a long wait."""


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

    ``requests`` counts the requests that were sent, repeated ones included. ``check_stop`` is
    called every second of a wait; what it raises ends the call.
    """

    check_stop: Callable[[], object]

    def __init__(  # noqa: PLR0913 - all but two by name
        self,
        root: str,
        credentials: Credentials,
        *,
        pace: Pace | None = None,
        tries: int = TRIES,
        timeout: httpx.Timeout = TIMEOUT,
        longest_wait: float = LONGEST_WAIT_SECONDS,
        sleep: Callable[[float], Any] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._pace = pace or Pace(REQUESTS_A_MINUTE, sleep=self._wait)
        self._sleep = sleep
        self._clock = clock
        self._tries = tries
        self._longest_wait = longest_wait
        self._http = httpx.Client(
            base_url=root,
            auth=credentials,
            headers={"Accept": "application/json"},
            timeout=timeout,
            verify=trusted_certificates(),
            event_hooks={"request": [self._before_request], "response": [self._compare_clocks]},
        )
        self._pauses: dict[str, _Pause] = {}  # that were too long to wait for, by path
        self._measured_ahead_ms: int | None = None
        self.requests = 0
        self.check_stop = lambda: None
        credentials.sleep = self._wait

    def close(self) -> None:
        self._http.close()

    @property
    def clock_ahead_ms(self) -> int:
        """How far our clock is ahead of the vendor's at most; 0 where it is not, or not yet known.

        Answers tell the time in whole seconds, so it is up to a second too much. The present time
        minus this is not in the vendor's future.
        """
        return max(0, self._measured_ahead_ms or 0)

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
            self._refuse_in_pause(method, path)
            try:
                return self._try(method, path, **options)
            except _TryAgain as failure:
                if failure.retry_after > self._longest_wait:
                    until = self._clock() + failure.retry_after
                    self._pauses[path] = _Pause(until=until, why=failure.why)
                    self._refuse_in_pause(method, path)
                if tried == self._tries or not (is_safe or failure.was_not_processed):
                    times = "once" if tried == 1 else f"{tried} times"
                    raise VendorSilent(
                        f"The vendor does not answer {method} {path} ({failure.why}; tried"
                        f" {times})."
                    ) from None
                if failure.retry_after:
                    log.warning("the vendor asks for a pause of %.0f s", failure.retry_after)
                self._wait(failure.retry_after or pause_seconds(tried))
        raise AssertionError  # pragma: no cover - the last try answers or raises

    def _refuse_in_pause(self, method: str, path: str) -> None:
        """Raise VendorSilent where the vendor asked for a pause that has not ended yet."""
        pause = self._pauses.get(path)
        if pause is not None and self._clock() < pause.until:
            until = datetime.fromtimestamp(pause.until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            raise VendorSilent(
                f"The vendor does not answer {method} {path} before {until} ({pause.why}): repeat"
                " it then."
            )

    def _wait(self, seconds: float) -> None:
        """Sleep for some seconds, and check now and then whether to stop."""
        while seconds > 0:
            self.check_stop()
            self._sleep(min(seconds, STOP_CHECK_SECONDS))
            seconds -= STOP_CHECK_SECONDS

    def _try(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer to one request; _TryAgain where another try may succeed."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            was_not_sent = isinstance(error, httpx.ConnectError)
            raise _TryAgain(type(error).__name__, was_not_processed=was_not_sent) from None
        status = answer.status_code
        is_limit = status == HTTPStatus.TOO_MANY_REQUESTS
        if is_limit or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            words = reason(answer)
            raise _TryAgain(
                f"{status}: {words}" if words else str(status),
                was_not_processed=is_limit,
                retry_after=_retry_after(answer.headers, self._clock),
            )
        if not answer.is_success:
            raise _refusal(method, path, answer)
        try:
            return answer.json() if answer.content else None
        except (ValueError, RecursionError):
            raise _TryAgain("no whole JSON") from None

    def _compare_clocks(self, answer: httpx.Response) -> None:
        """Measure ``clock_ahead_ms``. Each answer gives an upper bound, so the least one counts."""
        vendor_time = _http_date(answer.headers.get("Date", ""))
        if vendor_time is not None:
            ahead_ms = round((self._clock() - vendor_time) * 1_000)
            known = self._measured_ahead_ms
            self._measured_ahead_ms = ahead_ms if known is None else min(known, ahead_ms)

    def _before_request(self, _: httpx.Request) -> None:
        """Wait for the turn of a request. httpx calls it also where a new token repeats one."""
        self._pace.wait()
        self.requests += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pause:
    """The vendor answers no call of a path until then (epoch s), and why."""

    until: float
    why: str


class _TryAgain(Exception):  # noqa: N818 - a signal inside this file, never an error outside
    """Why a try failed, whether the vendor did not process it, and the seconds that it says.

    The seconds are 0 where it says none.
    """

    def __init__(
        self,
        why: str,
        *,
        was_not_processed: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(why)
        self.why = why
        self.was_not_processed = was_not_processed
        self.retry_after = retry_after


def _retry_after(headers: Mapping[str, str], clock: Callable[[], float]) -> float:
    """The seconds that ``Retry-After`` says, as a number or as a date.

    0 where it says none, or what cannot be meant: what is past, or more than a week away.
    """
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        date, now = (_http_date(it) for it in (text, headers.get("Date", "")))
        seconds = 0.0 if date is None else date - (clock() if now is None else now)
    return seconds if 0 < seconds <= MAX_RETRY_AFTER_SECONDS else 0.0


def _http_date(text: str) -> float | None:
    """An HTTP date as epoch seconds; None where it is none."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _refusal(method: str, path: str, answer: httpx.Response) -> VendorRefuses:
    status = answer.status_code
    advice = {
        401: "the credentials are expired or wrong",
        403: "the credentials lack a scope or a role for it, or do not cover the organisation",
        404: "it has no such thing",
        413: "it asks for too much",
    }
    words = [it for it in (advice.get(status), reason(answer)) if it]
    why = ": ".join(words) or "no reason given"
    return VendorRefuses(f"The vendor refuses {method} {path} ({status}): {why}.", status)
