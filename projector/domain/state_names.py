"""The state words: how the vendor spells them, and their order within one millisecond.

Rule of the order: a state without length comes before the state that follows it, and an event comes
before those that depend on it (semantics 3). Another order gives other states, so each row has its
reason beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from projector.domain.events import Kind, Recorded, plain_word

LOGIN_DEFAULT_WORD = "idle"  # the word of a login that has none
LOGGED_OUT = "logged-out"
CHANNEL_LOGGED_OUT = "LoggedOut"
CHANNEL_WORDS = frozenset(
    {"Available", "Idle", "Engaged", "EngagedOther", "WrapUp", "Reserved", CHANNEL_LOGGED_OUT}
)
ANY = None  # all words of a kind that have no row of their own

# Rank by rank; the entries of one row have one rank.
ORDER: tuple[tuple[tuple[Kind, str | None], ...], ...] = (
    # A task's events in the order of its life. Events of agents follow from them.
    ((Kind.TASK, "new"),),  # nothing can come before the task begins
    ((Kind.TASK, "origin-updated"),),  # the customer's address comes before queue and offer
    ((Kind.TASK, "parked"),),  # queued, before it is offered
    ((Kind.TASK, "connect"),),  # offered, before it is answered
    ((Kind.TASK, "connected"),),  # answered, before anything happens in the call
    ((Kind.TASK, "on-hold"),),  # the customer is put on hold, then others are consulted
    ((Kind.TASK, "consulting"),),  # begins before it is done
    ((Kind.TASK, "consult-done"),),  # done, before the customer joins
    ((Kind.TASK, "conferencing"),),  # begins before it is done
    ((Kind.TASK, "conference-done"),),  # done, before the customer is handed over
    ((Kind.TASK, "conference-transferred"),),  # handed over, before the hold ends
    ((Kind.TASK, "hold-done"),),  # in real calls it comes after all of these
    # The parts of a conversation end before the task does.
    ((Kind.TASK, "ended"),),
    ((Kind.TASK, "failed"),),  # after an end it withdraws the completion
    ((Kind.TASK, ANY),),  # changes no state, so it may come after all that do
    ((Kind.CAPTURE, ANY),),  # a recording of what is over
    # Whatever else an agent does in this millisecond belongs to the session.
    ((Kind.LOGIN, ANY),),
    # The old task is wrapped up, or refused, before the agent is free and gets the next one.
    ((Kind.STATE, "wrapup"),),
    ((Kind.STATE, "wrapup-done"),),  # wrapped up, before anything new
    ((Kind.STATE, "not-responding"),),  # refused, before the idle that it leads to
    ((Kind.STATE, "idle"),),  # idle, before ready where both occur
    ((Kind.STATE, "available"),),  # ready, before the next task rings
    ((Kind.STATE, "ringing"),),  # rings, before it is answered
    ((Kind.STATE, "connected"),),  # answered, before anything happens in the call
    ((Kind.STATE, "on-hold"),),  # from here on as in the task
    ((Kind.STATE, "consulting"),),
    ((Kind.STATE, "consult-done"),),
    ((Kind.STATE, "conferencing"),),
    ((Kind.STATE, "conference-done"),),
    ((Kind.STATE, "hold-done"),),
    # We know nothing about these words, so they come after the words that we know.
    ((Kind.STATE, ANY), (Kind.AGENT_OTHER, ANY)),
    # Availability follows from what the agent does.
    ((Kind.CHANNEL, ANY),),
    # The session ends after everything in it.
    ((Kind.STATE, LOGGED_OUT), (Kind.LOGOUT, ANY)),
)
_RANKS = {entry: rank for rank, row in enumerate(ORDER) for entry in row}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """Two kinds of events that change places where the state before their millisecond asks for it.

    Events of ``first`` then come before those of ``second``, whatever their ranks.
    """

    first: frozenset[tuple[Kind, str | None]]
    second: frozenset[tuple[Kind, str | None]]


# Of an agent in a session: the old session ends before the new one begins.
RELOGIN = Tie(
    first=frozenset({(Kind.STATE, LOGGED_OUT), (Kind.LOGOUT, ANY)}),
    second=frozenset({(Kind.LOGIN, ANY)}),
)
# Of a task or leg on hold: the old hold ends before the new one begins.
HELD_AGAIN = Tie(
    first=frozenset({(Kind.STATE, "hold-done"), (Kind.TASK, "hold-done")}),
    second=frozenset({(Kind.STATE, "on-hold"), (Kind.TASK, "on-hold")}),
)
TIES = (RELOGIN, HELD_AGAIN)


def has_tie(events: Sequence[Recorded]) -> bool:
    """Whether the order of some events of one millisecond may depend on the state before it."""
    entries = {(it.event.kind, it.event.word) for it in events}
    entries |= {(kind, ANY) for kind, _ in entries}
    return any(
        not entries.isdisjoint(tie.first) and not entries.isdisjoint(tie.second) for tie in TIES
    )


def with_tie(
    events: Sequence[Recorded],
    tie: Tie,
    *,
    kind: Kind | None = None,
    task_id: str | None = None,
    agent_id: str | None = None,
) -> Sequence[Recorded]:
    """Events of one millisecond with a tie, of those that have the given kind, task or agent."""

    def is_of(entries: frozenset[tuple[Kind, str | None]], recorded: Recorded) -> bool:
        event = recorded.event
        return (
            ((event.kind, event.word) in entries or (event.kind, ANY) in entries)
            and (kind is None or event.kind is kind)
            and (task_id is None or event.task_id == task_id)
            and (agent_id is None or event.agent_id == agent_id)
        )

    first = [it for it in events if is_of(tie.first, it)]
    index = next((at for at, it in enumerate(events) if is_of(tie.second, it)), None)
    if index is None or not first:
        return events
    before = [it for it in events[:index] if it not in first]
    return [*before, *first, *(it for it in events[index:] if it not in first)]


AGENT_WORDS = frozenset(word for kind, word in _RANKS if kind is Kind.STATE and word is not ANY)
_AGENT_SPELLING = {plain_word(word): word for word in AGENT_WORDS}
_CHANNEL_SPELLING = {plain_word(word): word for word in CHANNEL_WORDS}


def rank(kind: Kind, word: str | None) -> int:
    """The rank among the events of one millisecond, from 0; a later event has a greater one."""
    own = _RANKS.get((kind, word))
    return own if own is not None else _RANKS.get((kind, ANY), len(ORDER))


def spelling(kind: Kind, word: str) -> str:
    """The vendor's spelling of a word. A word that we do not know stays as it is."""
    spellings = _CHANNEL_SPELLING if kind is Kind.CHANNEL else _AGENT_SPELLING
    return spellings.get(plain_word(word), word)
