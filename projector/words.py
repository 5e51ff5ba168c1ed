"""The state words: how the vendor spells them, and their order within one millisecond.

The rule of the order: what lasts no time comes before what follows it, and what others depend on
comes before them (semantics 3). Changing it changes states, so each cut has its reason beside it.
"""

from __future__ import annotations

from projector.events import Kind, plain_word

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
    ((Kind.TASK, "new"),),
    ((Kind.TASK, "origin-updated"),),
    ((Kind.TASK, "parked"),),
    ((Kind.TASK, "connect"),),
    ((Kind.TASK, "connected"),),
    ((Kind.TASK, "on-hold"),),
    ((Kind.TASK, "consulting"),),
    ((Kind.TASK, "consult-done"),),
    ((Kind.TASK, "conferencing"),),
    ((Kind.TASK, "conference-done"),),
    ((Kind.TASK, "conference-transferred"),),
    ((Kind.TASK, "hold-done"),),
    # The parts of a conversation are over before the task is.
    ((Kind.TASK, "ended"),),
    ((Kind.TASK, "failed"),),
    ((Kind.TASK, ANY),),
    ((Kind.CAPTURE, ANY),),
    # Whatever else an agent does in this millisecond is done in the session.
    ((Kind.LOGIN, ANY),),
    # The old task is wrapped up, or refused, before the agent is free and the next one comes.
    ((Kind.STATE, "wrapup"),),
    ((Kind.STATE, "wrapup-done"),),
    ((Kind.STATE, "not-responding"),),
    ((Kind.STATE, "idle"),),
    ((Kind.STATE, "available"),),
    ((Kind.STATE, "ringing"),),
    ((Kind.STATE, "connected"),),
    ((Kind.STATE, "on-hold"),),
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
