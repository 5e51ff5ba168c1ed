"""Attempts with credentials that do not count, by the address from which they come.

Rule: who has failed with many different credentials within a minute waits for the next minute, even
with credentials that are right: else guessing would go on. What was right from the same address
before is not held up, so a neighbour's guesses shut nobody out who is in.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

ATTEMPTS = 20  # different ones in a window
ATTEMPTS_WITHIN_SECONDS = 60.0
ADDRESSES_KEPT = 10_000
RIGHT_KEPT = 100_000
_IPV6_PREFIX = 64  # bits: of one subscriber


@dataclass(slots=True)
class _Guesses:
    start: float
    wrong: set[bytes] = field(default_factory=set)


class FailedAttempts:
    """Counts in memory, for this process. ``clock`` gives seconds and never goes back."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._windows: dict[str, _Guesses] = {}
        self._right: set[tuple[str, bytes]] = set()
        self.total = 0  # since the process began

    def wait_seconds(self, address: str, digest: bytes) -> int:
        """How long these credentials must wait; 0: they may be tried."""
        place = _network(address)
        with self._lock:
            window = self._windows.get(place)
            if window is None or len(window.wrong) < ATTEMPTS or (place, digest) in self._right:
                return 0
            return max(0, math.ceil(window.start + ATTEMPTS_WITHIN_SECONDS - self._clock()))

    def failed(self, address: str | None, digest: bytes) -> None:
        """Note that credentials do not count. The same ones again are no further attempt.

        Without an address they only count in the total.
        """
        now = self._clock()
        with self._lock:
            self.total += 1
            if address is None:
                return
            place = _network(address)
            self._right.discard((place, digest))
            window = self._windows.get(place)
            if window is None or window.start + ATTEMPTS_WITHIN_SECONDS <= now:
                if len(self._windows) >= ADDRESSES_KEPT:
                    self._forget_one(now)
                window = self._windows[place] = _Guesses(now)
            if len(window.wrong) < ATTEMPTS:
                window.wrong.add(digest)

    def succeeded(self, address: str, digest: bytes) -> None:
        """Note that credentials count."""
        with self._lock:
            if len(self._right) >= RIGHT_KEPT:
                self._right.clear()
            self._right.add((_network(address), digest))

    def _forget_one(self, now: float) -> None:
        """Of an address whose window is over, or of the one that has tried least."""
        over = (
            it
            for it, window in self._windows.items()
            if window.start + ATTEMPTS_WITHIN_SECONDS <= now
        )
        least = next(over, None) or min(self._windows, key=lambda it: len(self._windows[it].wrong))
        del self._windows[least]


def _network(address: str) -> str:
    """What counts as one address: of IPv6 the network that one subscriber has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))
