"""The watch over subscriptions: records what the vendor says of them, and switches on ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.errors import ProjectorError
from projector.webex.api_client import ApiClient
from projector.webex.subscriptions import Listing, Subscriptions
from projector.webex.webhook_secrets import WebhookSecrets

CHECK_EVERY_SECONDS = 300.0
log = logging.getLogger(__name__)


class SubscriptionWatch:
    """Used by the worker that holds the lock.

    ``connect`` makes a client of the vendor's APIs; it returns None as long as there are no
    credentials for one.
    """

    def __init__(
        self,
        pool: Pool,
        connect: Callable[[], ApiClient | None],
        webhook_secrets: WebhookSecrets,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._connect = connect
        self._webhook_secrets = webhook_secrets
        self._clock = clock
        self._checked_at = float("-inf")

    def check_if_due(self) -> None:
        """Check every five minutes, also after a check that failed."""
        if self._clock() < self._checked_at + CHECK_EVERY_SECONDS:
            return
        client = self._connect()
        if client is None:
            return
        self._checked_at = self._clock()
        try:
            self._check(client)
        except ProjectorError as error:
            log.warning("the subscriptions could not be checked: %s", error)

    def _check(self, client: ApiClient) -> None:
        """Switch on what is ours and inactive, and record the state of all subscriptions."""
        try:
            subscriptions = Subscriptions(client, self._webhook_secrets)
            for it in subscriptions.switch_on():
                log.warning("the subscription %s was inactive and is switched on again", it.id)
            self._record(subscriptions.listed())
        finally:
            client.close()

    def _record(self, listing: Listing) -> None:
        now = now_ms()
        with translated(), self._pool.connection() as connection, connection.transaction():
            connection.execute("DELETE FROM subscriptions")
            connection.cursor().executemany(
                "INSERT INTO subscriptions (id, name, resource_version, status, checked_time)"
                " VALUES (%(id)s, %(name)s, %(resource_version)s, %(status)s, %(now)s)",
                [asdict(it) | {"now": now} for it in listing.subscriptions],
            )
