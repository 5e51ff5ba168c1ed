"""Posts deliveries when they are due, over several connections, and counts the answers.

Rule: a delivery counts once a 202 acknowledges it. While the service is out of reach or answers
503, a request is repeated unchanged for `PATIENCE_S`. Any other answer stops the run, since every
request after it would get the same one.
"""

import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from projector.infrastructure.errors import ProjectorError
from projector.webex.simulator.network import NetworkDelivery

SINGLE_UP_TO_RATE = 200  # at a higher rate a request has an array of deliveries
LARGEST_BATCH = 100
BATCH_SPAN_MS = 50
SENDER_CONNECTIONS = 4
PATIENCE_S = 60.0
PROGRESS_EVERY_S = 0.25
RECEIPT_COUNTS = ("received", "appended", "duplicates", "conflicts", "quarantined")

# Bodies that wait for a connection; None ends a worker.
Waiting = queue.Queue[bytes | None]

REFUSAL_REASONS = {
    401: "the signature was refused (401): give --secret the secret the service knows",
    404: "it has no such address (404): give --url the service's root",
    413: "the request was too large for it (413): lower --rate, so that batches get smaller",
}


class SendError(ProjectorError):
    """The service refused what was sent, or could not be reached."""


@dataclass
class SendTotals:
    """What was sent and acknowledged so far."""

    sent: int = 0
    acknowledged: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RECEIPT_COUNTS, 0))
    requests: int = 0
    waits: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3), "rate": round(self.rate, 1)}


def send(  # noqa: PLR0913 - all but the first three are by name and have a default
    deliveries: Iterable[NetworkDelivery],
    url: str,
    *,
    rate: float,
    start_ms: int,
    secret: str | None = None,
    patience_s: float = PATIENCE_S,
    progress: Callable[[SendTotals], None] = lambda _: None,
) -> SendTotals:
    """Sends each delivery as long after this call as it is due after `start_ms` (epoch ms).

    `url` is the service's root. A high `rate` puts several deliveries into one request. An
    interrupt (Ctrl-C) ends the run early, and the totals hold what was acknowledged by then.
    Raises SendError where the service refuses a request or cannot be reached.
    """
    with Sender(url, secret=secret, patience_s=patience_s) as sender:
        return sender.send(batches(deliveries, rate), start_ms, progress)


class Sender:
    """Connections to one service, and the totals of what it acknowledged."""

    def __init__(
        self, url: str, *, secret: str | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        self._address = url.rstrip("/") + "/webhooks/webex"
        self._secret = secret.encode() if secret else None
        self._patience_s = patience_s
        self._client = httpx.Client(timeout=30.0)
        self._lock = threading.Lock()
        self._error: SendError | None = None
        self._stop = threading.Event()
        self.totals = SendTotals()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def send(
        self,
        groups: Iterable[list[NetworkDelivery]],
        start_ms: int,
        progress: Callable[[SendTotals], None],
    ) -> SendTotals:
        began = time.monotonic()
        waiting: Waiting = queue.Queue(maxsize=2 * SENDER_CONNECTIONS)
        workers = [self._worker(waiting) for _ in range(SENDER_CONNECTIONS)]
        try:
            self._feed(waiting, groups, began - start_ms / 1_000, progress)
        except KeyboardInterrupt:
            self._stop.set()
        self._finish(waiting, workers)
        self.totals.seconds = time.monotonic() - began
        progress(self.totals)
        if self._error:
            raise self._error
        return self.totals

    def _feed(
        self,
        waiting: Waiting,
        groups: Iterable[list[NetworkDelivery]],
        start: float,
        progress: Callable[[SendTotals], None],
    ) -> None:
        shown = began = time.monotonic()
        for group in groups:
            body = encode(group)
            due = start + group[-1].due_ms / 1_000
            while not self._stop.wait(max(0.0, min(PROGRESS_EVERY_S, due - time.monotonic()))):
                if (now := time.monotonic()) - shown > PROGRESS_EVERY_S:
                    shown, self.totals.seconds = now, now - began
                    progress(self.totals)
                if now >= due and _put(waiting, body):
                    break
            if self._stop.is_set():
                return

    def _finish(self, waiting: Waiting, workers: list[threading.Thread]) -> None:
        for _ in workers:
            while any(worker.is_alive() for worker in workers) and not _put(waiting, None):
                pass
        for worker in workers:
            worker.join()

    def _worker(self, waiting: Waiting) -> threading.Thread:
        worker = threading.Thread(target=self._work, args=[waiting], daemon=True)
        worker.start()
        return worker

    def _work(self, waiting: Waiting) -> None:
        while (body := waiting.get()) is not None and not self._stop.is_set():
            try:
                self._deliver(body)
            except SendError as error:
                self._error = self._error or error
                self._stop.set()

    def _deliver(self, body: bytes) -> None:
        """Posts a body until it is acknowledged or the run stops."""
        deadline = time.monotonic() + self._patience_s
        while not self._stop.is_set():
            answer = self._post(body)
            if answer is not None and answer.status_code == 202:
                self._count(_counts(answer))
                return
            if answer is not None and answer.status_code != 503:
                raise SendError(refusal(answer.status_code))
            if time.monotonic() > deadline:
                raise SendError(f"The service was not ready for {self._patience_s:.0f} s.")
            with self._lock:
                self.totals.waits += 1
            self._stop.wait(_pause_seconds(answer))

    def _post(self, body: bytes) -> httpx.Response | None:
        """The answer, or None where the service went away during the run."""
        try:
            return self._client.post(self._address, content=body, headers=self._headers(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if self.totals.requests:
                return None
            raise SendError(f"No service answers at {self._address} ({error}).") from error

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._secret:
            signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
            headers["X-WebexCC-Signature"] = signature
        return headers

    def _count(self, counts: dict[str, int]) -> None:
        with self._lock:
            self.totals.requests += 1
            self.totals.sent += counts["received"]
            for name in RECEIPT_COUNTS:
                self.totals.acknowledged[name] += counts[name]


def batches(deliveries: Iterable[NetworkDelivery], rate: float) -> Iterator[list[NetworkDelivery]]:
    """Groups of deliveries for one request each: single ones at a low rate, else up to 100 that are
    due within 50 ms.
    """
    largest = LARGEST_BATCH if rate > SINGLE_UP_TO_RATE else 1
    batch: list[NetworkDelivery] = []
    for delivery in deliveries:
        if batch and (len(batch) == largest or delivery.due_ms - batch[0].due_ms > BATCH_SPAN_MS):
            yield batch
            batch = []
        batch.append(delivery)
    if batch:
        yield batch


def encode(batch: list[NetworkDelivery]) -> bytes:
    bodies = [delivery.body for delivery in batch]
    return json.dumps(bodies[0] if len(bodies) == 1 else bodies).encode()


def refusal(status: int) -> str:
    reason = REFUSAL_REASONS.get(status, f"it answered {status}")
    return f"The service did not take the webhooks: {reason}."


def _counts(answer: httpx.Response) -> dict[str, int]:
    try:
        body = answer.json()
        return {name: int(body[name]) for name in RECEIPT_COUNTS}
    except (ValueError, KeyError, TypeError) as error:
        raise SendError(f"What answers at {answer.url} is not this service.") from error


def _pause_seconds(answer: httpx.Response | None) -> float:
    retry_after = answer.headers.get("Retry-After", "") if answer is not None else ""
    return min(float(retry_after), 10.0) if retry_after.isdecimal() else 0.5


def _put(waiting: Waiting, item: bytes | None) -> bool:
    try:
        waiting.put(item, timeout=PROGRESS_EVERY_S)
    except queue.Full:
        return False
    return True
