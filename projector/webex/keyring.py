"""Whose secret has signed a delivery, and which elements that admits. Pure.

Rule: a signature speaks for the subscription whose secret made it, and for no other one; only a
secret of ``*`` speaks for all. One element that it does not speak for refuses the whole delivery,
since what is refused must not depend on what stands beside it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from projector.infrastructure.settings import SubscriptionSecrets
from projector.webex.webhook import StatedSource

ANY_SUBSCRIPTION = "*"
_SIGNATURE = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Keyring:
    """The secrets of one moment, by subscription id.

    ``allows_unsigned`` says whether what comes from a subscription without a secret is taken.
    """

    by_subscription: Mapping[str, SubscriptionSecrets]
    allows_unsigned: bool

    @property
    def has_secrets(self) -> bool:
        """Whether any subscription has one."""
        return any(it.secrets for it in self.by_subscription.values())

    def signers(self, signature: str | None, body: bytes) -> frozenset[str]:
        """The subscriptions whose secret makes this signature (hex) of a body; ``*`` is one."""
        offered = _hex(signature)
        if offered is None:
            return frozenset()
        return frozenset(
            id_ for id_, it in self.by_subscription.items() if _fits(it.secrets, body, offered)
        )

    def admits(self, sources: Iterable[StatedSource], signers: Collection[str]) -> bool:
        """Whether every element may come that was signed so."""
        return all(self._admits(it, signers) for it in sources)

    def admits_unreadable(self, signers: Collection[str]) -> bool:
        """Whether something may come that names nobody since it cannot be read.

        It becomes no event, so any subscription's secret is enough.
        """
        return bool(signers) if self.has_secrets else self.allows_unsigned

    def _admits(self, source: StatedSource, signers: Collection[str]) -> bool:
        own_id = source.subscription or ANY_SUBSCRIPTION
        own = self.by_subscription.get(own_id)
        of_any = self.by_subscription.get(ANY_SUBSCRIPTION)
        if own is not None and not own.covers(source.org_id):
            return False
        speaking = {own_id: own, ANY_SUBSCRIPTION: of_any}
        needed = {id_: it for id_, it in speaking.items() if it is not None and it.secrets}
        if needed:
            return any(id_ in signers and it.covers(source.org_id) for id_, it in needed.items())
        if source.subscription is None and self.has_secrets:
            return False  # it would pass by every secret by naming nobody
        return self.allows_unsigned and (of_any is None or of_any.covers(source.org_id))


def may_be_signature(signature: str | None) -> bool:
    """Whether a header's value has the form of one: 64 hexadecimal digits."""
    return _hex(signature) is not None


def _hex(signature: str | None) -> bytes | None:
    text = (signature or "").strip().lower()
    return text.encode() if _SIGNATURE.fullmatch(text) else None


def _fits(secrets: Sequence[str], body: bytes, offered: bytes) -> bool:
    """Whether one of them does; each is tried, so that the time tells nothing."""
    return sum(hmac.compare_digest(_sign(secret, body), offered) for secret in secrets) > 0


def _sign(secret: str, body: bytes) -> bytes:
    return hmac.digest(secret.encode(), body, "sha256").hex().encode()
