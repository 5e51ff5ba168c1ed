"""The watch: looks now and then what the vendor says of subscriptions, and switches on ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.errors import ProjectorError
from projector.webex.api_client import Vendor
from projector.webex.subscriptions import Listing, Subscriptions
from projector.webex.webhook_secrets import WebhookSecrets

LOOK_EVERY_SECONDS = 300.0
log = logging.getLogger(__name__)


class Watch:
    """Held by whoever holds the worker's lock; ``vendor`` is null where it cannot be asked."""

    def __init__(
        self,
        pool: Pool,
        vendor: Callable[[], Vendor] | None,
        keyring: WebhookSecrets,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._vendor = vendor
        self._keyring = keyring
        self._clock = clock
        self._looked_at = float("-inf")

    def look_if_due(self) -> None:
        """Look every five minutes; a vendor that does not answer is asked again then."""
        if self._vendor is None or self._clock() < self._looked_at + LOOK_EVERY_SECONDS:
            return
        self._looked_at = self._clock()
        try:
            self.look()
        except ProjectorError as error:
            log.warning("the subscriptions could not be looked at: %s", error)

    def look(self) -> None:
        """Keep what the vendor says, and switch on what is ours and inactive."""
        assert self._vendor is not None  # noqa: S101 - else nothing is due
        vendor = self._vendor()
        try:
            subscriptions = Subscriptions(vendor, self._keyring)
            for it in subscriptions.switch_on():
                log.warning("the subscription %s was inactive and is switched on again", it.id)
            self._keep(subscriptions.listed())
        finally:
            vendor.close()

    def _keep(self, listing: Listing) -> None:
        now = now_ms()
        with translated(), self._pool.connection() as connection, connection.transaction():
            connection.execute("DELETE FROM subscriptions")
            connection.cursor().executemany(
                "INSERT INTO subscriptions (id, name, resource_version, status, checked_time)"
                " VALUES (%s, %s, %s, %s, %s)",
                [(it.id, it.name, it.resource_version, it.status, now)
                 for it in listing.subscriptions],
            )  # fmt: skip
