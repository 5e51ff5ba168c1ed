"""Facts: the waits, offers and contacts of a task, which figures count (semantics 10).

Rule: each fact is counted once, at one moment, so the figures of windows side by side add up. A
fact that the passing of time will end carries that end already, so no timer writes it: readers take
it as ended once their clock has reached it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FactKind(StrEnum):
    """What is counted of a task."""

    WAIT = "wait"
    OFFER = "offer"
    CONTACT = "contact"


class FactOutcome(StrEnum):
    """How a wait or an offer ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    UNANSWERED = "unanswered"
    MOVED = "moved"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


FactKey = tuple[str, int, int]  # kind, start, and the number among those that begin so


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPart:
    """An agent's part in a fact; the durations (ms) are the agent's own, of a contact alone."""

    team_id: str | None
    handled: bool = False  # the agent talked with the customer, and was not only consulted
    talk_ms: int = 0
    hold_ms: int = 0
    consult_ms: int = 0
    wrap_up_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A wait, an offer or a contact; times are epoch ms, durations ms.

    ``end`` is None while nothing will end it. An ``end`` or a ``counted_time`` in the future is
    one that the passing of time brings about, if no event comes before.
    """

    kind: FactKind
    start: int
    number: int  # among the facts of one kind that begin in the same millisecond
    end: int | None
    counted_time: int | None  # when figures count it
    outcome: FactOutcome | None  # None for a contact
    queue_id: str | None
    channel_type: str | None
    direction: str | None
    talk_ms: int = 0
    hold_ms: int = 0
    consult_ms: int = 0
    wrap_up_ms: int = 0
    is_doubtful: bool = False  # its end, or a part of it, was not told
    parts: Mapping[str, AgentPart] = field(default_factory=dict)  # by agent, sorted

    @property
    def key(self) -> FactKey:
        """What tells the fact from the others of its task."""
        return (self.kind.value, self.start, self.number)


Facts = dict[FactKey, Fact]
