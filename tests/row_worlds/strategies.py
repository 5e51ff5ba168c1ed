"""Hypothesis strategies: days composed of row worlds, and what becomes of their webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial

from hypothesis import strategies as st

from tests.row_worlds.calls import CALLS
from tests.row_worlds.consults import CONSULTS
from tests.row_worlds.day import MINUTE_MS, STILL_RUNNING, VendorDay
from tests.row_worlds.shifts import LOGOUTS, SHIFTS, Shift, shift

CONTACTS = CALLS | CONSULTS
SKEWS_MS = (0, 0, 0, 1, -1, 40, 900, -900, 1_500)  # rows may be later or earlier than webhooks


class Fate(StrEnum):
    """What becomes of a webhook. A late one arrives after the reconciliation."""

    ARRIVES = "arrives"
    TWICE = "arrives twice"
    LOST = "lost"
    LATE = "late"


@st.composite
def vendor_days(draw: st.DrawFn) -> VendorDay:
    """A day of some shifts. It may end amid them, for the vendor or for the window of the run."""
    day = VendorDay(
        skew_ms=draw(st.sampled_from(SKEWS_MS)),
        apart_ms=draw(st.sampled_from((0, 1, 2))),
        running_end=draw(st.sampled_from((STILL_RUNNING, None))),
    )
    start = day.start + 5 * MINUTE_MS
    for write in draw(st.lists(_shifts(), min_size=1, max_size=3)):
        write(day, start + draw(st.integers(0, 180 * MINUTE_MS)))
    cuts = sorted(end for it in day.webhooks if (end := it.body["data"].get("createdTime")))
    end = draw(st.sampled_from(cuts)) + draw(st.sampled_from((-1, 1, 2_000, 60_000)))
    end = max(end, day.start + MINUTE_MS)
    return draw(
        st.sampled_from(
            (lambda: day, lambda: day, partial(day.window, end), partial(day.until, end))
        )
    )()


def _shifts() -> st.SearchStrategy[Shift]:
    """A shift of drawn contacts, or one that is about the session itself."""
    contacts = st.lists(st.sampled_from([*CONTACTS.values()]), min_size=1, max_size=3)
    usual = st.builds(
        lambda contacts, logout: partial(shift, contacts=contacts, logout=logout),
        contacts,
        st.sampled_from(LOGOUTS),
    )
    return usual | st.sampled_from([*SHIFTS.values()])


def fates(day: VendorDay) -> st.SearchStrategy[Sequence[Fate]]:
    """The fate of each webhook of a day."""
    size = len(day.webhooks)
    return st.lists(st.sampled_from(Fate), min_size=size, max_size=size)
