"""Posts deliveries when they are due, over several connections, and counts the answers.

A delivery is counted only from the 202 that acknowledges it. While the service is out of reach
or asks to wait (503), a request is repeated unchanged until it is answered or `PATIENCE_S` is
over; any other answer stops the run, since it would be the same for every request after it.
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
from projector.webex.simulator.network import Delivery

SINGLE_UP_TO_RATE = 200  # above it deliveries are put together into arrays
LARGEST_BATCH = 100
BATCH_SPAN_MS = 50
CONNECTIONS = 4
PATIENCE_S = 60.0
PROGRESS_EVERY_S = 0.25
COUNTS = ("received", "appended", "duplicates", "conflicts", "quarantined")

# Bodies waiting for a connection; None ends a worker.
Waiting = queue.Queue[bytes | None]

REASONS = {
    401: "the signature was refused (401): give --secret the secret the service knows",
    404: "it has no such address (404): give --url the service's root",
    413: "the request was too large for it (413): lower --rate, so that batches get smaller",
}


class SendError(ProjectorError):
    """The service refused what was sent, or could not be reached."""


@dataclass
class Totals:
    sent: int = 0
    acknowledged: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    requests: int = 0
    waits: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3), "rate": round(self.rate, 1)}


def send(  # noqa: PLR0913 - all but the first three are by name and have a default
    deliveries: Iterable[Delivery],
    url: str,
    *,
    rate: float,
    start_ms: int,
    secret: str | None = None,
    patience_s: float = PATIENCE_S,
    progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Sends each delivery as long after this call as it is due after `start_ms`.

    `url` is the service's root. `rate` decides whether deliveries are put together. An interrupt
    (Ctrl-C) ends the run early, with what was acknowledged by then.
    """
    with Sender(url, secret=secret, patience_s=patience_s) as sender:
        return sender.send(batches(deliveries, rate), start_ms, progress)


class Sender:
    """Connections to one service and what it acknowledged. Leaving the context closes them."""

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
        self.totals = Totals()

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
        groups: Iterable[list[Delivery]],
        start_ms: int,
        progress: Callable[[Totals], None],
    ) -> Totals:
        began = time.monotonic()
        waiting: Waiting = queue.Queue(maxsize=2 * CONNECTIONS)
        workers = [self._worker(waiting) for _ in range(CONNECTIONS)]
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
        groups: Iterable[list[Delivery]],
        zero: float,
        progress: Callable[[Totals], None],
    ) -> None:
        shown = began = time.monotonic()
        for group in groups:
            body = encode(group)
            due = zero + group[-1].due_ms / 1_000
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
        """Posts until the body is acknowledged or the run is stopped."""
        gives_up = time.monotonic() + self._patience_s
        while not self._stop.is_set():
            answer = self._post(body)
            if answer is not None and answer.status_code == 202:
                self._count(_counts(answer))
                return
            if answer is not None and answer.status_code != 503:
                raise SendError(refusal(answer.status_code))
            if time.monotonic() > gives_up:
                raise SendError(f"The service was not ready for {self._patience_s:.0f} s.")
            with self._lock:
                self.totals.waits += 1
            self._stop.wait(_asked_pause(answer))

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
            for name in COUNTS:
                self.totals.acknowledged[name] += counts[name]


def batches(deliveries: Iterable[Delivery], rate: float) -> Iterator[list[Delivery]]:
    """One by one at a low rate; else those due close together, up to the largest batch."""
    largest = LARGEST_BATCH if rate > SINGLE_UP_TO_RATE else 1
    batch: list[Delivery] = []
    for delivery in deliveries:
        if batch and (len(batch) == largest or delivery.due_ms - batch[0].due_ms > BATCH_SPAN_MS):
            yield batch
            batch = []
        batch.append(delivery)
    if batch:
        yield batch


def encode(batch: list[Delivery]) -> bytes:
    bodies = [delivery.body for delivery in batch]
    return json.dumps(bodies[0] if len(bodies) == 1 else bodies).encode()


def refusal(status: int) -> str:
    reason = REASONS.get(status, f"it answered {status}")
    return f"The service did not take the webhooks: {reason}."


def _counts(answer: httpx.Response) -> dict[str, int]:
    try:
        body = answer.json()
        return {name: int(body[name]) for name in COUNTS}
    except (ValueError, KeyError, TypeError) as error:
        raise SendError(f"What answers at {answer.url} is not this service.") from error


def _asked_pause(answer: httpx.Response | None) -> float:
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    return min(float(asked), 10.0) if asked.isdecimal() else 0.5


def _put(waiting: Waiting, item: bytes | None) -> bool:
    try:
        waiting.put(item, timeout=PROGRESS_EVERY_S)
    except queue.Full:
        return False
    return True
