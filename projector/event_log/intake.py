"""Intake: a request's raw body becomes durable, and then gets a receipt.

Rule: all that is authentic is stored, as an event or in quarantine, and nothing is acknowledged
before its commit. What no known secret has signed is never parsed: the signature is checked over
the bytes first. Requests that wait at the same time are committed together: appends take turns
anyway, and a commit costs the same for one request as for a hundred.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from projector.domain.events import Offered
from projector.event_log.delivery_monitor import DeliveryMonitor
from projector.event_log.store import EventStore, Receipt, Request
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import StoreUnavailable
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import Settings
from projector.webex.cloudevents import is_binary, read_binary
from projector.webex.content_encoding import BrokenEncoding, decode_content
from projector.webex.json_body import Delivery, read_delivery
from projector.webex.keyring import Keyring, may_be_signature
from projector.webex.webhook import (
    LATEST_TIME,
    TIME_IN_THE_FUTURE,
    Unusable,
    judge,
    stated_source,
)
from projector.webex.webhook_secrets import WebhookSecrets

QUEUE_REQUESTS = 2_000
COMMIT_EVENTS = 1_000  # about as many are committed together
ANSWER_SECONDS = 4.5  # the vendor gives up after 5 s
PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_REFUSAL = "The signature is not that of every subscription and organisation that the body names."
_REFUSAL_OF_HEADERS = (
    "No signature covers headers, where the binary mode of CloudEvents has its attributes: "
    "a subscription with a secret sends in structured mode."
)


class NotAuthentic(ProjectorError):  # noqa: N818 - named for what callers handle
    """No configured secret fits the signature; nothing was stored."""


class Intake:
    """Accepts deliveries for one process. Thread-safe."""

    def __init__(
        self,
        store: EventStore,
        settings: Settings,
        secrets: WebhookSecrets,
        monitor: DeliveryMonitor,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._secrets = secrets
        self._monitor = monitor
        self._committer = GroupCommitter(store)
        self.refused: Counter[str] = Counter()  # since the start of the process, by reason

    def require_signature(self, signature: str | None, headers: Mapping[str, str]) -> None:
        """NotAuthentic where no body could be authentic that comes with this signature.

        The names of ``headers`` are in title case, as servers give them.
        """
        if not self._secrets.allows_unsigned and (
            is_binary(headers) or not may_be_signature(signature)
        ):
            raise self._refusal(headers)

    def accept(self, body: bytes, signature: str | None, headers: Mapping[str, str]) -> Receipt:
        """Make a delivery durable and say what became of it.

        The names of ``headers`` are in title case. NotAuthentic where a subscription that is named
        has not signed it; UnsupportedEncoding or BodyTooLarge where the body cannot be decoded
        within the limit; StoreUnavailable where it could not be made durable.
        """
        self.require_signature(signature, headers)
        keyring = self._secrets.keyring()
        decoded = self._decoded(body, headers)
        signers = self._signers(keyring, signature, body, decoded, headers)
        if not signers and not keyring.allows_unsigned:
            raise self._refusal(headers)
        delivery = _read(body, decoded, headers)
        default_org = self._settings.default_org_id
        sources = {stated_source(element, default_org) for _, element in delivery.elements}
        names_nobody = delivery.unreadable or not sources
        if not keyring.admits(sources, signers) or (
            names_nobody and not keyring.admits_unreadable(signers)
        ):
            raise self._refusal(headers)
        receipt = self._committer.commit(self._request(delivery, headers))
        self._monitor.count({it.subscription for it in sources if it.subscription is not None})
        return receipt

    def close(self) -> None:
        self._committer.close()

    def _refusal(self, headers: Mapping[str, str]) -> NotAuthentic:
        self.refused["not-authentic"] += 1
        return NotAuthentic(_REFUSAL_OF_HEADERS if is_binary(headers) else _REFUSAL)

    def _decoded(self, body: bytes, headers: Mapping[str, str]) -> bytes | None:
        """The body without its Content-Encoding; null where it is not what that says."""
        encoding = headers.get("Content-Encoding")
        if not encoding:
            return body
        try:
            return decode_content(body, encoding, self._settings.body_limit)
        except BrokenEncoding:
            return None

    def _signers(
        self,
        keyring: Keyring,
        signature: str | None,
        body: bytes,
        decoded: bytes | None,
        headers: Mapping[str, str],
    ) -> frozenset[str]:
        """Whose secret has signed the body, as it was received or as it was before a proxy.

        A signature covers no header. In binary mode it would let anyone who has seen one delivery
        send its data again under another id, type or organisation. So none is trusted there.
        """
        if is_binary(headers):
            return frozenset()
        signers = keyring.signers(signature, body)
        if decoded is not None and decoded is not body:
            signers |= keyring.signers(signature, decoded)
        return signers

    def _request(self, delivery: Delivery, headers: Mapping[str, str]) -> Request:
        judged = self._judge(delivery)
        unusable = [Unusable(body=body, reason=delivery.defect) for body in delivery.unreadable]
        unusable += [it for it in judged if isinstance(it, Unusable)]
        return Request(
            events=[it for it in judged if not isinstance(it, Unusable)],
            unusable=unusable,
            headers=_public(headers) if unusable else None,
        )

    def _judge(self, delivery: Delivery) -> Sequence[Offered | Unusable]:
        """What each element states. A body that an operator has released may be far ahead."""
        now, default_org = self._clock(), self._settings.default_org_id
        judged = [
            judge(text, element, now=now, default_org=default_org)
            for text, element in delivery.elements
        ]
        ahead = {
            it.body for it in judged if isinstance(it, Unusable) and it.reason == TIME_IN_THE_FUTURE
        }
        if not ahead:
            return judged
        released = self._store.released(ahead)
        return [
            judge(text, element, now=now, default_org=default_org, latest=LATEST_TIME)
            if text in released
            else it
            for it, (text, element) in zip(judged, delivery.elements, strict=True)
        ]


def _read(body: bytes, decoded: bytes | None, headers: Mapping[str, str]) -> Delivery:
    if decoded is None:
        return Delivery(unreadable=(body,))
    return read_binary(decoded, headers) if is_binary(headers) else read_delivery(decoded)


def _public(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers that may be stored."""
    return {name: it for name, it in headers.items() if name.lower() not in PRIVATE_HEADERS}


class GroupCommitter:
    """One thread appends all requests that wait, in one transaction."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: queue.Queue[tuple[Request, Future[Receipt]] | None] = queue.Queue(
            QUEUE_REQUESTS
        )
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def commit(self, request: Request) -> Receipt:
        """Wait until a request is durable; StoreUnavailable where that failed or took too long."""
        future: Future[Receipt] = Future()
        try:
            self._waiting.put_nowait((request, future))
            return future.result(ANSWER_SECONDS)
        except queue.Full:
            raise StoreUnavailable("More requests wait than can be kept: try again.") from None
        except FutureTimeout:
            # It may still be committed. If the vendor sends it again, that is a duplicate.
            raise StoreUnavailable("The commit takes too long: try again.") from None

    def close(self) -> None:
        """Commit what waits, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            group = [first]
            events = len(first[0].events)
            while events < COMMIT_EVENTS and not self._waiting.empty():
                following = self._waiting.get_nowait()
                if following is None:
                    self._append(group)
                    return
                group.append(following)
                events += len(following[0].events)
            self._append(group)

    def _append(self, group: Sequence[tuple[Request, Future[Receipt]]]) -> None:
        try:
            receipts = self._store.append([request for request, _ in group])
        except Exception as error:  # noqa: BLE001 - each waiting request must get its answer
            self._fail(group, error)
            return
        for (_, future), receipt in zip(group, receipts, strict=True):
            future.set_result(receipt)

    def _fail(self, group: Sequence[tuple[Request, Future[Receipt]]], error: Exception) -> None:
        if len(group) == 1 or isinstance(error, StoreUnavailable):
            for _, future in group:
                future.set_exception(error)
            return
        for request_and_future in group:  # one bad request must not fail the others
            self._append([request_and_future])
