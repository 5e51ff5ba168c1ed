"""The state words: how the vendor spells them, and their order within one millisecond.

The rule of the order: what lasts no time comes before what follows it, and what others depend on
comes before them (semantics 3). Changing it changes states, so each cut has its reason beside it.
"""

from __future__ import annotations

from projector.domain.events import Kind, plain_word

LOGGED_IN = "idle"  # what a login means that says nothing else
LOGGED_OUT = "logged-out"
CHANNEL_LOGGED_OUT = "LoggedOut"
CHANNEL_WORDS = frozenset(
    {"Available", "Idle", "Engaged", "EngagedOther", "WrapUp", "Reserved", CHANNEL_LOGGED_OUT}
)
ANY = None  # the words of a kind that stand nowhere else

# Rank by rank; what stands in one row has one rank.
ORDER: tuple[tuple[tuple[Kind, str | None], ...], ...] = (
    # A task's life in the order in which it is lived: agents' events answer to it.
    ((Kind.TASK, "new"),),  # nothing can come before a task is there
    ((Kind.TASK, "origin-updated"),),  # who it is from is known before it is queued or offered
    ((Kind.TASK, "parked"),),  # queued, before it is offered
    ((Kind.TASK, "connect"),),  # offered, before it is taken
    ((Kind.TASK, "connected"),),  # taken, before anything is done in the call
    ((Kind.TASK, "on-hold"),),  # the customer is held, then others are asked
    ((Kind.TASK, "consulting"),),  # begins before it is done
    ((Kind.TASK, "consult-done"),),  # done, before its people meet the customer
    ((Kind.TASK, "conferencing"),),  # begins before it is done
    ((Kind.TASK, "conference-done"),),  # done, before the rest is handed over
    ((Kind.TASK, "conference-transferred"),),  # handed over, before the customer is taken back
    ((Kind.TASK, "hold-done"),),  # taken back at last: real calls say it after all of these
    # The parts of a conversation are over before the task is.
    ((Kind.TASK, "ended"),),
    ((Kind.TASK, "failed"),),  # after an end it takes the completion back
    ((Kind.TASK, ANY),),  # changes no state, so it may stand behind all that do
    ((Kind.CAPTURE, ANY),),  # made of what is over
    # Whatever else an agent does in this millisecond is done in the session.
    ((Kind.LOGIN, ANY),),
    # The old task is wrapped up, or refused, before the agent is free and the next one comes.
    ((Kind.STATE, "wrapup"),),
    ((Kind.STATE, "wrapup-done"),),  # wrapped up, before anything new
    ((Kind.STATE, "not-responding"),),  # refused, before the idle that it leads to
    ((Kind.STATE, "idle"),),  # idle, before ready where both are said
    ((Kind.STATE, "available"),),  # ready, before the next task rings
    ((Kind.STATE, "ringing"),),  # rings, before it is answered
    ((Kind.STATE, "connected"),),  # answered, before anything is done in the call
    ((Kind.STATE, "on-hold"),),  # from here on as in the task
    ((Kind.STATE, "consulting"),),
    ((Kind.STATE, "consult-done"),),
    ((Kind.STATE, "conferencing"),),
    ((Kind.STATE, "conference-done"),),
    ((Kind.STATE, "hold-done"),),
    # Nothing is known of these words, so they take nothing from those that are known.
    ((Kind.STATE, ANY), (Kind.AGENT_OTHER, ANY)),
    # Availability follows from what the agent does.
    ((Kind.CHANNEL, ANY),),
    # The session ends after all that happened in it.
    ((Kind.STATE, LOGGED_OUT), (Kind.LOGOUT, ANY)),
)
_RANKS = {place: rank for rank, row in enumerate(ORDER) for place in row}

AGENT_WORDS = frozenset(word for kind, word in _RANKS if kind is Kind.STATE and word is not ANY)
_AGENT_SPELLING = {plain_word(word): word for word in AGENT_WORDS}
_CHANNEL_SPELLING = {plain_word(word): word for word in CHANNEL_WORDS}


def rank(kind: Kind, word: str | None) -> int:
    """The place among the events of one millisecond."""
    known = _RANKS.get((kind, word))
    return known if known is not None else _RANKS.get((kind, ANY), len(ORDER))


def spelling(kind: Kind, word: str) -> str:
    """The vendor's spelling of a word; one that is not known stays as it came."""
    known = _CHANNEL_SPELLING if kind is Kind.CHANNEL else _AGENT_SPELLING
    return known.get(plain_word(word), word)
