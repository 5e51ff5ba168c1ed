"""What is counted and summed over a task's life."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Counts:
    """How often each thing happened."""

    offers: int = 0
    holds: int = 0
    consults: int = 0
    conferences: int = 0
    transfers: int = 0
    refusals: int = 0  # by agents who did not respond
    refused_offers: int = 0  # by the system's word

    @property
    def rona(self) -> int:
        """The two tell the same story; the one that lost fewer webhooks is right."""
        return max(self.refusals, self.refused_offers)


@dataclass(slots=True, kw_only=True)
class Durations:
    """Finished stretches, summed, in milliseconds."""

    queued_ms: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    consult_ms: int = 0
    wrap_up_ms: int = 0

    def add(self, state: str, ms: int) -> None:
        name = _DURATION_OF.get(state)
        if name is not None:
            setattr(self, name, getattr(self, name) + ms)


_DURATION_OF = {
    "parked": "queued_ms",
    "connected": "talk_ms",
    "conferencing": "talk_ms",
    "on-hold": "hold_ms",
    "consulting": "consult_ms",
    "wrapup": "wrap_up_ms",
}
