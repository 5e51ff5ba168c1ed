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
    """A day of some shifts. The window may begin and end amid them; the rows may end, too."""
    day = VendorDay(
        version=draw(st.sampled_from(("2", "2", "1"))),
        skew_ms=draw(st.sampled_from(SKEWS_MS)),
        apart_ms=draw(st.sampled_from((0, 1, 2))),
        running_end=draw(st.sampled_from((STILL_RUNNING, None))),
    )
    for name, write in draw(st.lists(_shifts(), min_size=1, max_size=3)):
        after_ms = draw(st.integers(0, 180 * MINUTE_MS))
        write(day, day.start + 5 * MINUTE_MS + after_ms)
        day.worlds.append(f"{name} at +{after_ms}")
    how = draw(st.sampled_from(("whole", "whole", "window", "until")))
    if how == "whole":
        return day
    times = [created for it in day.webhooks if (created := it.body["data"].get("createdTime"))]
    near = st.sampled_from(sorted(times)).flatmap(
        lambda time: st.sampled_from((-1, 1, 2_000, 60_000)).map(lambda apart: time + apart)
    )
    if how == "until":
        return day.until(max(draw(near), day.start + MINUTE_MS))
    start, end = sorted((draw(near), draw(near)))
    return day.window(start, max(end, start + MINUTE_MS))


def _shifts() -> st.SearchStrategy[tuple[str, Shift]]:
    """A shift of drawn contacts, or one that is about the session itself; with its name."""
    contacts = st.lists(st.sampled_from([*CONTACTS]), min_size=1, max_size=3)
    usual = st.builds(_shift, contacts, st.sampled_from(LOGOUTS))
    return usual | st.sampled_from([*SHIFTS.items()])


def _shift(names: Sequence[str], logout: str) -> tuple[str, Shift]:
    contacts = [CONTACTS[name] for name in names]
    return f"{', '.join(names)}; logout: {logout}", partial(shift, contacts=contacts, logout=logout)


@st.composite
def fates(draw: st.DrawFn, day: VendorDay) -> dict[int, Fate]:
    """What becomes of the webhooks of a day, by their places; the others arrive.

    So do those whose rows a run need not read.
    """
    size = len(day.webhooks)
    few = st.dictionaries(st.integers(0, size - 1), st.sampled_from(Fate), max_size=12)
    many = st.lists(st.sampled_from(Fate), min_size=size, max_size=size)
    drawn = draw(few | many.map(lambda all_: dict(enumerate(all_))))
    return {
        place: fate
        for place, fate in drawn.items()
        if fate is not Fate.ARRIVES and day.webhooks[place].is_read
    }
