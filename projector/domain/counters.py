"""What is counted and summed over a subject's life.

The rule of this file: a counters is only ever added to, and no step of a fold depends on it. So what
an event adds can be told apart from what it changes: a late one moves every later counters by the same
amount, and need not be folded on for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EVENTS, ANOMALIES = "events", "anomalies"
OFFERS, HOLDS, CONSULTS = "offers", "holds", "consults"
CONFERENCES, TRANSFERS = "conferences", "transfers"
REFUSALS = "refusals"  # by agents who did not respond
REFUSED_OFFERS = "refused-offers"  # by the system's word
QUEUED, TALK, HOLD, CONSULT, WRAP_UP = "queued-ms", "talk-ms", "hold-ms", "consult-ms", "wrap-up-ms"

# The finished stretches of these states are summed, in milliseconds.
DURATION_OF = {
    "parked": QUEUED,
    "connected": TALK,
    "conferencing": TALK,
    "on-hold": HOLD,
    "consulting": CONSULT,
    "wrapup": WRAP_UP,
}


NOTHING: Mapping[str, int] = MappingProxyType({})


class Counters(dict[str, int]):
    """A number for each name, 0 where there is none."""

    __slots__ = ()

    def __missing__(self, _: str) -> int:
        return 0

    def add(self, other: Mapping[str, int], *, times: int = 1) -> None:
        for name, count in other.items():
            self[name] += times * count

    def plus(self, other: Mapping[str, int], *, times: int = 1) -> Counters:
        found = Counters(self)
        found.add(other, times=times)
        return found

    def counts(self) -> dict[str, int]:
        """Without zeros, in one order: equal counters are equal here."""
        return {name: count for name, count in sorted(self.items()) if count}


def rona(counters: Counters) -> int:
    """Refusals and refused offers tell the same story; the one that lost fewer events is right."""
    return max(counters[REFUSALS], counters[REFUSED_OFFERS])
