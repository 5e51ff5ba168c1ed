"""The participant: an agent's part in a task, as the agent's own words about the task say."""

from __future__ import annotations

from dataclasses import dataclass

from projector.domain.leg import CLOSING, CONSULT_DONE, CONSULTED_WORDS, IN_CONVERSATION
from projector.domain.state_names import LOGGED_OUT

LEFT_STATES = CLOSING | {LOGGED_OUT}

Moment = tuple[int, int]  # a time (epoch ms), and the number of the word in that millisecond
NEVER: Moment = (-1, 0)


@dataclass(slots=True, kw_only=True)
class Participant:
    """An agent in this task, as the agent's own state events say; times are epoch ms."""

    state: str
    since: int
    joined_time: int
    wrap_up_aux_code_id: str | None = None
    refused_time: int | None = None  # when the agent last did not respond
    is_only_consulted: bool = (
        False  # the words since joining are those of an agent who is consulted
    )
    is_consulted: bool = False  # the words since ringing are so, and consulting is one of them
    is_released: bool = False  # by the end of the consult
    # For consult transfers: when the last ringing or the first word came, since when the agent
    # talks, and when it last conferenced, took over from another one, or left a conversation.
    part_began: Moment | None = None
    talks_since: Moment | None = None
    conferenced: Moment | None = None
    took_over: Moment | None = None
    left: Moment | None = None
    team_id: str | None = None  # the latest that an event of the agent and this task carried
    wraps_up: Moment | None = None  # when the contact began that the wrap-up belongs to

    def is_open(self) -> bool:
        """Whether the agent has not left the task."""
        return self.state not in LEFT_STATES and not self.is_released

    def is_in_conversation(self) -> bool:
        """Whether the agent is with the customer, or with whoever is consulted."""
        return self.state in IN_CONVERSATION and not self.is_released

    def note_consulted(self, word: str) -> None:
        """Keep in mind whether the agent is only consulted in this task."""
        is_in_part = bool(self.state) and self.is_open()
        was_only_consulted = is_in_part and self.is_only_consulted
        self.is_released = was_only_consulted and word == CONSULT_DONE
        self.is_only_consulted = word in CONSULTED_WORDS and (was_only_consulted or not is_in_part)
        is_after_ring = self.state in {"", "ringing"} or not is_in_part
        self.is_consulted = word == "consulting" and (is_after_ring or self.is_consulted)
