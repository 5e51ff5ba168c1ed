"""The contact: one conversation with a customer, and what each agent does in it.

Rule: it is handled when it has ended and all its wrap-ups are finished, at the latest an hour after
its end. Until then events may change what is counted of it (semantics 10).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from projector.domain.counters import CONSULT, DURATION_OF, HOLD, TALK
from projector.domain.deadlines import COMPLETION_LIMIT_MS
from projector.domain.facts import AgentPart, Fact, FactKind
from projector.domain.fold import insert_sorted
from projector.domain.leg import LEG_STATUS
from projector.domain.participant import Moment, Participant

_CONSULT_WORDS = frozenset({"consulting", "consult-done"})


class FactTask(Protocol):
    """What facts take from their task."""

    queue_id: str | None
    channel_type: str | None
    direction: str | None
    participants: dict[str, Participant]


@dataclass(slots=True, kw_only=True)
class Share:
    """What an agent does in a contact so far; durations are ms."""

    team_id: str | None = None
    conversed: bool = False  # had a word of conversation, whichever
    talked: bool = False  # had one that is not of a consult alone
    wraps_up: bool = False
    talk_ms: int = 0
    hold_ms: int = 0
    consult_ms: int = 0
    wrap_up_ms: int = 0


@dataclass(slots=True, kw_only=True)
class Contact:
    """A conversation with the customer, as long as events may change what is counted of it."""

    start: int
    number: int
    queue_id: str | None
    end: int | None = None
    channel_type: str | None = None  # as of the end
    direction: str | None = None  # as of the end
    talk_ms: int = 0
    hold_ms: int = 0
    consult_ms: int = 0
    wrap_up_end: int = 0  # of the last finished wrap-up
    shares: dict[str, Share] = field(default_factory=dict)  # by agent, sorted

    @property
    def moment(self) -> Moment:
        """When it began."""
        return self.start, self.number

    @property
    def limit(self) -> int | None:
        """When it is handled, whoever still wraps up (epoch ms); None while it goes on."""
        return None if self.end is None else self.end + COMPLETION_LIMIT_MS

    def is_final(self, time: int, *, has_next: bool) -> bool:
        """Whether no event from a time (epoch ms) on can change what is counted of it."""
        limit = self.limit
        return limit is not None and (limit < time or (has_next and not self.has_wrap_up()))

    def has_wrap_up(self) -> bool:
        """Whether a participant still wraps up."""
        return any(share.wraps_up for share in self.shares.values())

    def fact(self, task: FactTask) -> Fact:
        """The contact as it is counted, if it has ended and no event comes."""
        is_doubtful, counted = False, None
        if self.end is not None:
            is_doubtful = self.has_wrap_up()
            counted = self.limit if is_doubtful else max(self.end, self.wrap_up_end)
        goes_on = self.end is None
        return Fact(
            kind=FactKind.CONTACT,
            start=self.start,
            number=self.number,
            end=self.end,
            counted_time=counted,
            outcome=None,
            queue_id=self.queue_id,
            channel_type=task.channel_type if goes_on else self.channel_type,
            direction=task.direction if goes_on else self.direction,
            talk_ms=self.talk_ms,
            hold_ms=self.hold_ms,
            consult_ms=self.consult_ms,
            wrap_up_ms=sum(share.wrap_up_ms for share in self.shares.values()),
            is_doubtful=is_doubtful,
            parts={name: _part(share) for name, share in self.shares.items()},
        )

    # --- participants ---

    def share_of(self, agent_id: str) -> Share:
        """The agent's share; a new one where there is none."""
        return self.shares.get(agent_id) or insert_sorted(self.shares, agent_id, Share())

    def note_word(self, agent_id: str, word: str) -> None:
        """An agent says a word of conversation, or is in that state when the contact begins."""
        share = self.share_of(agent_id)
        share.conversed = True
        share.talked = share.talked or word not in _CONSULT_WORDS

    def add_stretch(self, state: str, ms: int, share: Share | None = None) -> None:
        """Add the time that the task, or an agent with that share, spent in a state."""
        kind, sums = DURATION_OF.get(LEG_STATUS.get(state, state)), share or self
        if kind == TALK:
            sums.talk_ms += ms
        elif kind == HOLD:
            sums.hold_ms += ms
        elif kind == CONSULT:
            sums.consult_ms += ms


def _part(share: Share) -> AgentPart:
    return AgentPart(
        team_id=share.team_id,
        handled=share.talked or not share.conversed,
        talk_ms=share.talk_ms,
        hold_ms=share.hold_ms,
        consult_ms=share.consult_ms,
        wrap_up_ms=share.wrap_up_ms,
    )
