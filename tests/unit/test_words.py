"""How words are spelt when they are shown."""

from __future__ import annotations

import pytest

from projector.events import Kind
from projector.words import spelling


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
    """Without regard to case, ``-`` and ``_``; one that is not known stays as it came."""
    assert expected == spelling(kind, came)
