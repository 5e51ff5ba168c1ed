"""Counters: what is counted and summed over the life of a subject.

Rule: events only add to counters, and no event is folded by what counters say. So a late event adds
the same amount to all later counters, and nothing need be folded again for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EVENT_COUNT, ANOMALY_COUNT = "events", "anomalies"
OFFERS, HOLDS, CONSULTS = "offers", "holds", "consults"
CONFERENCES, TRANSFERS = "conferences", "transfers"
# Offers without a response: as agents' events report them, and as the task's own events do.
AGENT_REFUSALS, SYSTEM_REFUSALS = "refusals", "refused-offers"
QUEUED, TALK, HOLD, CONSULT, WRAP_UP = "queued-ms", "talk-ms", "hold-ms", "consult-ms", "wrap-up-ms"

# A state to the counter of the time that was spent in it (ms), without the time still running.
DURATION_OF = {
    "parked": QUEUED,
    "connected": TALK,
    "conferencing": TALK,
    "on-hold": HOLD,
    "consulting": CONSULT,
    "wrapup": WRAP_UP,
}
NO_COUNTS: Mapping[str, int] = MappingProxyType({})


class Counters(dict[str, int]):
    """Name to number; 0 for a name that is missing."""

    __slots__ = ()

    def __missing__(self, _: str) -> int:
        return 0

    def add(self, other: Mapping[str, int], *, times: int = 1) -> None:
        """Add the numbers of others, multiplied by ``times``, in place."""
        for name, count in other.items():
            self[name] += times * count

    def plus(self, other: Mapping[str, int], *, times: int = 1) -> Counters:
        """New counters with the numbers of others added, multiplied by ``times``."""
        result = Counters(self)
        result.add(other, times=times)
        return result

    def counts(self) -> dict[str, int]:
        """The numbers other than 0, in the order of names: equal counters give equal text."""
        return {name: count for name, count in sorted(self.items()) if count}


def rona(counters: Counters) -> int:
    """The number of offers that no agent answered.

    Events of agents and of tasks report the same refusals. The greater number lost fewer events.
    """
    return max(counters[AGENT_REFUSALS], counters[SYSTEM_REFUSALS])
