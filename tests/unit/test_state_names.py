"""The spelling of state words, and their order within one millisecond."""

from __future__ import annotations

import pytest

from projector.domain.events import Kind
from projector.domain.state_names import rank, spelling


@pytest.mark.parametrize(
    ("kind", "came", "expected"),
    [
        (Kind.STATE, "wrap-up", "wrapup"),
        (Kind.STATE, "WRAP_UP", "wrapup"),
        (Kind.STATE, "On_Hold", "on-hold"),
        (Kind.STATE, "NotResponding", "not-responding"),
        (Kind.LOGIN, "Avail-able", "available"),
        (Kind.CHANNEL, "engaged-other", "EngagedOther"),
        (Kind.CHANNEL, "logged_out", "LoggedOut"),
        (Kind.STATE, "Pon-der_ing", "Pon-der_ing"),
    ],
)
def test_a_known_word_is_shown_as_the_vendor_spells_it(kind, came, expected):
    """In whatever case, with or without ``-`` and ``_``; an unknown word stays as it came."""
    assert expected == spelling(kind, came)


AGENT_RANKS = """
    login wrapup wrapup-done not-responding idle available ringing connected on-hold consulting
    consult-done conferencing conference-done hold-done odd-word channel-type logout
"""
TASK_RANKS = """
    new origin-updated parked connect connected on-hold consulting consult-done conferencing
    conference-done conference-transferred hold-done ended failed another capture
"""
KINDS = {
    "login": (Kind.LOGIN, "idle"),
    "odd-word": (Kind.STATE, "odd"),
    "channel-type": (Kind.CHANNEL, "Idle"),
    "logout": (Kind.LOGOUT, "logged-out"),
    "another": (Kind.TASK, "customer-left"),
    "capture": (Kind.CAPTURE, "available"),
}


def test_words_of_one_millisecond_stand_in_the_pages_order():
    """Each word before the next one: first those of tasks, then those of agents."""
    places = [KINDS.get(word, (Kind.TASK, word)) for word in TASK_RANKS.split()]
    places += [KINDS.get(word, (Kind.STATE, word)) for word in AGENT_RANKS.split()]
    ranks = [rank(kind, word) for kind, word in places]
    assert sorted(set(ranks)) == ranks
    assert rank(Kind.STATE, "logged-out") == ranks[-1]
    assert rank(Kind.AGENT_OTHER, None) == rank(Kind.STATE, None) == rank(Kind.STATE, "odd")
