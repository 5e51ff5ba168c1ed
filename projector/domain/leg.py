"""The leg: one agent's part in one task, and what opens and closes it.

Rule: a leg closes neither too early nor too late. Too early, an agent is shown available while on a
call. Too late, an agent is shown busy for ever (semantics 4, Legs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from projector.domain.deadlines import deadline_after, is_telephony, leg_limit_ms
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Event, Recorded, plain_word
from projector.domain.fold import Transitions, insert_sorted

# Busiest first. An unknown word comes after all of them.
STATUS_PRECEDENCE = ("conferencing", "consulting", "connected", "on-hold", "ringing", "wrapup")
LEG_STATUS = {"hold-done": "connected", "conference-done": "connected", "consult-done": "on-hold"}
FREE = frozenset({"idle", "available"})
CLOSING = FREE | {"wrapup-done", "not-responding"}
# Before or after the conversation: more events close such a leg than one in conversation.
OUTSIDE_CONVERSATION = frozenset({"ringing", "wrapup"})
IN_CONVERSATION = frozenset(
    {
        *("connected", "on-hold", "hold-done", "consulting", "consult-done"),
        *("conferencing", "conference-done"),
    }
)
CONSULT_DONE = "consult-done"
# The words of an agent who is only consulted. Their own consult-done releases them.
CONSULTED_WORDS = frozenset({"ringing", "consulting"})

NO_LEG = "none"
_TALKING = frozenset({"on-hold", "consulting", "conferencing", "wrapup", *FREE})
LEG_TRANSITIONS: Transitions = {
    NO_LEG: frozenset({"ringing", "connected", "consulting", *FREE}),
    "ringing": frozenset({"connected", "consulting", "not-responding", *FREE}),
    "connected": _TALKING,
    "on-hold": frozenset(
        {"hold-done", "consulting", "consult-done", "conferencing", "wrapup", *FREE}
    ),
    "hold-done": _TALKING | {"conference-done"},
    "consulting": frozenset(
        {"consult-done", "conferencing", "connected", "on-hold", "hold-done", "wrapup", *FREE}
    ),
    "consult-done": frozenset({"hold-done", "on-hold", "consulting", "wrapup", *FREE}),
    "conferencing": frozenset({"conference-done", "hold-done", "connected", "wrapup", *FREE}),
    "conference-done": _TALKING | {"hold-done", "connected"},
    "wrapup": frozenset({"wrapup-done", "connected", *FREE}),
}


@dataclass(slots=True, kw_only=True)
class Leg:
    """An open leg; ``since`` is the start of its state (epoch ms)."""

    state: str
    since: int
    known_time: int  # when the beginning of the state became known
    is_only_consulted: bool = False  # its words so far are those of an agent who is consulted
    channel_id: str | None = None
    channel_type: str | None = None
    queue_id: str | None = None

    def status(self) -> str:
        """The state as a supervisor reads it."""
        return LEG_STATUS.get(self.state, self.state)

    def deadline(self) -> int | None:
        """When the passing of time closes the leg (epoch ms); None for never."""
        limit = leg_limit_ms(self.state, self.channel_type)
        return deadline_after(self.since, self.known_time, limit)

    def is_in_conversation(self) -> bool:
        """Whether the agent is with the customer, or with whoever is consulted."""
        return self.state in IN_CONVERSATION

    def is_outside_conversation(self) -> bool:
        """Whether the conversation has not begun, or is over."""
        return self.state in OUTSIDE_CONVERSATION

    def is_on_channel_of(self, event: Event) -> bool:
        """Whether both have one channel id, or, where one has no id, one channel type."""
        if self.channel_id and event.channel_id:
            return self.channel_id == event.channel_id
        return self.channel_type is not None and self.channel_type == event.channel_type


Legs = dict[str, Leg]  # open legs by task


def busiest(legs: Legs) -> tuple[str | None, Leg | None]:
    """The leg that gives the status, with its task; (None, None) where no leg is open.

    Of equally busy legs the one with the later state wins, then the one with the smaller task id.
    """
    return min(legs.items(), key=_precedence) if legs else (None, None)


def _precedence(item: tuple[str, Leg]) -> tuple[int, int, str]:
    task_id, leg = item
    return (_PRECEDENCE_OF.get(leg.state, len(STATUS_PRECEDENCE)), -leg.since, task_id)


_PRECEDENCE_OF = {word: precedence for precedence, word in enumerate(STATUS_PRECEDENCE)}
_PRECEDENCE_OF |= {word: _PRECEDENCE_OF[status] for word, status in LEG_STATUS.items()}


def apply_to_legs(legs: Legs, recorded: Recorded, word: str) -> None:
    """Change the legs of an agent, in place, by a state event with a word."""
    event = recorded.event
    _close_unlisted(legs, event)
    if event.task_id is None:
        if word in FREE:
            _close_by_free_word(legs, event, word)
    elif word in CLOSING:
        legs.pop(event.task_id, None)
    else:
        _close_earlier_on_channel(legs, event, event.task_id)
        _open_or_update(legs, recorded, event.task_id, word)


def close_leg(legs: Legs, event: Event) -> None:
    """Close the leg of an event's task, and those that it lists no longer."""
    _close_unlisted(legs, event)
    legs.pop(event.task_id or "", None)


def releases(legs: Legs, task_id: str | None, word: str) -> bool:
    """Whether a word ends the leg of an agent who was only consulted."""
    leg = legs.get(task_id or "")
    return word == CONSULT_DONE and leg is not None and leg.is_only_consulted


def close_calls(legs: Legs, time: int) -> None:
    """Close the calls that began some time before: a change of their channel type ends them."""
    _close(
        legs,
        lambda _, leg: (
            is_telephony(leg.channel_type) and time - leg.since > RECONCILIATION_TOLERANCE_MS
        ),
    )


def close_overdue(legs: Legs, time: int) -> list[str]:
    """Close the legs whose deadline has passed; return their tasks, in the order of (since, id)."""
    overdue = [
        (leg.since, task_id)
        for task_id, leg in legs.items()
        if (deadline := leg.deadline()) is not None and deadline <= time
    ]
    tasks = [task_id for _, task_id in sorted(overdue)]
    for task_id in tasks:
        del legs[task_id]
    return tasks


def _close(legs: Legs, closes: Callable[[str, Leg], bool]) -> None:
    for task_id in [task_id for task_id, leg in legs.items() if closes(task_id, leg)]:
        del legs[task_id]


def _close_unlisted(legs: Legs, event: Event) -> None:
    """Where the vendor lists the channels in use, a conversation that is not listed is over."""
    listed = event.connected_channels
    if listed is not None:
        _close(
            legs,
            lambda task_id, leg: (
                task_id != event.task_id
                and not leg.is_outside_conversation()
                and task_id not in listed
                and leg.channel_id not in listed
            ),
        )


def _close_by_free_word(legs: Legs, event: Event, word: str) -> None:
    if event.channel_id or event.channel_type:
        # While a call goes on, its agent cannot be idle; in other channels that may be.
        ends_all = (
            word == "available"
            or is_telephony(event.channel_type)
            or any(
                is_telephony(leg.channel_type) and leg.is_on_channel_of(event)
                for leg in legs.values()
            )
        )
        _close(
            legs,
            lambda _, leg: (
                leg.is_on_channel_of(event) and (ends_all or leg.is_outside_conversation())
            ),
        )
    else:
        # The older version of the event has no channels: its word is about legs without one.
        is_older = not event.knows_channels and event.connected_channels is None
        _close(
            legs,
            lambda _, leg: leg.is_outside_conversation() or (is_older and leg.channel_id is None),
        )


def _close_earlier_on_channel(legs: Legs, event: Event, task_id: str) -> None:
    """A channel that begins to serve a task closes what rang or wrapped up on it before."""
    channel_id, leg = event.channel_id, legs.get(task_id)
    if channel_id is not None and (leg is None or leg.channel_id != channel_id):
        _close(
            legs,
            lambda other, older: (
                other != task_id
                and older.channel_id == channel_id
                and older.is_outside_conversation()
            ),
        )


def _open_or_update(legs: Legs, recorded: Recorded, task_id: str, word: str) -> None:
    event, leg = recorded.event, legs.get(task_id)
    is_consulted = word in CONSULTED_WORDS
    if leg is None:
        begun = Leg(
            state=word,
            since=recorded.time,
            known_time=recorded.known_time,
            is_only_consulted=is_consulted,
        )
        leg = insert_sorted(legs, task_id, begun)
    elif plain_word(leg.state) != plain_word(word):
        leg.state, leg.since, leg.known_time = word, recorded.time, recorded.known_time
        leg.is_only_consulted = leg.is_only_consulted and is_consulted
    else:  # known since the first event that says so
        leg.known_time = min(leg.known_time, recorded.known_time)
    leg.channel_id = event.channel_id or leg.channel_id
    leg.channel_type = event.channel_type or leg.channel_type
    leg.queue_id = event.queue_id or leg.queue_id
