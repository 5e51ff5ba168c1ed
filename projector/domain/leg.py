"""The leg: one agent's part in one task, and what begins and ends it.

The rule of this file: a leg closes neither early nor late. Too early shows an agent available while
on a call; too late keeps one busy for ever (semantics 4, Legs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from projector.domain.events import Event, plain_word
from projector.domain.fold import Transitions, insert_sorted

# Busiest first; an unknown word comes after them all.
PRECEDENCE = ("conferencing", "consulting", "connected", "on-hold", "ringing", "wrapup")
SHOWN_AS = {"hold-done": "connected", "conference-done": "connected", "consult-done": "on-hold"}
FREE = frozenset({"idle", "available"})
CLOSING = FREE | {"wrapup-done", "not-responding"}
# Not yet or no longer in conversation: these end by what ends no conversation.
AT_THE_EDGE = frozenset({"ringing", "wrapup"})

NO_LEG = "none"
_TALKING = frozenset({"on-hold", "consulting", "conferencing", "wrapup", *FREE})
LEG: Transitions = {
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
    """An open leg; ``since`` is when its state began (epoch ms)."""

    state: str
    since: int
    channel_id: str | None = None
    channel_type: str | None = None
    queue_id: str | None = None

    def status(self) -> str:
        """The state as a supervisor reads it."""
        return SHOWN_AS.get(self.state, self.state)

    def at_the_edge(self) -> bool:
        return self.state in AT_THE_EDGE

    def is_on_channel_of(self, event: Event) -> bool:
        if self.channel_id and event.channel_id:
            return self.channel_id == event.channel_id
        return self.channel_type is not None and self.channel_type == event.channel_type


Legs = dict[str, Leg]  # open legs by task


def busiest(legs: Legs) -> tuple[str | None, Leg | None]:
    """The task and leg that give the status: of equals the later state, then the smaller task."""
    return min(legs.items(), key=_business) if legs else (None, None)


def _business(item: tuple[str, Leg]) -> tuple[int, int, str]:
    task_id, leg = item
    return (_PLACES.get(leg.state, len(PRECEDENCE)), -leg.since, task_id)


_PLACES = {word: place for place, word in enumerate(PRECEDENCE)}
_PLACES |= {word: _PLACES[status] for word, status in SHOWN_AS.items()}


def move(legs: Legs, event: Event, word: str, time: int) -> None:
    """What a state event does to the legs of its agent."""
    _close_unnamed(legs, event)
    if event.task_id is None:
        if word in FREE:
            _free(legs, event, word)
    elif word in CLOSING:
        legs.pop(event.task_id, None)
    else:
        _reuse_slot(legs, event, event.task_id)
        _hold(legs, event, event.task_id, word, time)


def _close(legs: Legs, closes: Callable[[str, Leg], bool]) -> None:
    for task_id in [task_id for task_id, leg in legs.items() if closes(task_id, leg)]:
        del legs[task_id]


def _close_unnamed(legs: Legs, event: Event) -> None:
    """Where the vendor lists the channels in use, a conversation not listed is over."""
    named = event.connected_channels
    if named is not None:
        _close(
            legs,
            lambda task_id, leg: (
                task_id != event.task_id
                and not leg.at_the_edge()
                and task_id not in named
                and leg.channel_id not in named
            ),
        )


def _free(legs: Legs, event: Event, word: str) -> None:
    if event.channel_id or event.channel_type:
        ends_all = word == "available"
        _close(legs, lambda _, leg: leg.is_on_channel_of(event) and (ends_all or leg.at_the_edge()))
    else:
        # The older version knows no channels: its word covers the legs that have none.
        covers = not event.knows_channels and event.connected_channels is None
        _close(legs, lambda _, leg: leg.at_the_edge() or (covers and leg.channel_id is None))


def _reuse_slot(legs: Legs, event: Event, task_id: str) -> None:
    """A slot that serves a new task has done with what rang or wrapped up there before."""
    slot, leg = event.channel_id, legs.get(task_id)
    if slot is not None and (leg is None or leg.channel_id != slot):
        _close(
            legs,
            lambda other, older: (
                other != task_id and older.channel_id == slot and older.at_the_edge()
            ),
        )


def _hold(legs: Legs, event: Event, task_id: str, word: str, time: int) -> None:
    leg = legs.get(task_id) or insert_sorted(legs, task_id, Leg(state=word, since=time))
    if plain_word(leg.state) != plain_word(word):
        leg.state, leg.since = word, time
    leg.channel_id = event.channel_id or leg.channel_id
    leg.channel_type = event.channel_type or leg.channel_type
    leg.queue_id = event.queue_id or leg.queue_id
