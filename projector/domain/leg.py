"""The leg: one agent's part in one task, and what opens and closes it.

Rule: a leg closes neither too early nor too late. Too early, an agent is shown available while on a
call. Too late, an agent is shown busy for ever (semantics 4, Legs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from projector.domain.events import Event, plain_word
from projector.domain.fold import Transitions, insert_sorted

# Busiest first. An unknown word comes after all of them.
STATUS_PRECEDENCE = ("conferencing", "consulting", "connected", "on-hold", "ringing", "wrapup")
LEG_STATUS = {"hold-done": "connected", "conference-done": "connected", "consult-done": "on-hold"}
FREE = frozenset({"idle", "available"})
CLOSING = FREE | {"wrapup-done", "not-responding"}
# Before or after the conversation: more events close such a leg than one in conversation.
OUTSIDE_CONVERSATION = frozenset({"ringing", "wrapup"})

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
    channel_id: str | None = None
    channel_type: str | None = None
    queue_id: str | None = None

    def status(self) -> str:
        """The state as a supervisor reads it."""
        return LEG_STATUS.get(self.state, self.state)

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


def apply_to_legs(legs: Legs, event: Event, word: str, time: int) -> None:
    """Change the legs of an agent, in place, by a state event with a word."""
    _close_unlisted(legs, event)
    if event.task_id is None:
        if word in FREE:
            _close_by_free_word(legs, event, word)
    elif word in CLOSING:
        legs.pop(event.task_id, None)
    else:
        _close_earlier_on_channel(legs, event, event.task_id)
        _open_or_update(legs, event, event.task_id, word, time)


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
        ends_all = word == "available"
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


def _open_or_update(legs: Legs, event: Event, task_id: str, word: str, time: int) -> None:
    leg = legs.get(task_id) or insert_sorted(legs, task_id, Leg(state=word, since=time))
    if plain_word(leg.state) != plain_word(word):
        leg.state, leg.since = word, time
    leg.channel_id = event.channel_id or leg.channel_id
    leg.channel_type = event.channel_type or leg.channel_type
    leg.queue_id = event.queue_id or leg.queue_id
