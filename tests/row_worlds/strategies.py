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
    for name, write in draw(st.lists(_shifts(), min_size=1, max_size=3)):
        after_ms = draw(st.integers(0, 180 * MINUTE_MS))
        write(day, day.start + 5 * MINUTE_MS + after_ms)
        day.worlds.append(f"{name} at +{after_ms}")
    how = draw(st.sampled_from(("whole", "whole", "window", "until")))
    if how == "whole":
        return day
    times = [created for it in day.webhooks if (created := it.body["data"].get("createdTime"))]
    end = draw(st.sampled_from(sorted(times))) + draw(st.sampled_from((-1, 1, 2_000, 60_000)))
    end = max(end, day.start + MINUTE_MS)
    return day.window(end) if how == "window" else day.until(end)


def _shifts() -> st.SearchStrategy[tuple[str, Shift]]:
    """A shift of drawn contacts, or one that is about the session itself; with its name."""
    contacts = st.lists(st.sampled_from([*CONTACTS]), min_size=1, max_size=3)
    usual = st.builds(_shift, contacts, st.sampled_from(LOGOUTS))
    return usual | st.sampled_from([*SHIFTS.items()])


def _shift(names: Sequence[str], logout: str) -> tuple[str, Shift]:
    contacts = [CONTACTS[name] for name in names]
    return f"{', '.join(names)}; logout: {logout}", partial(shift, contacts=contacts, logout=logout)


def fates(day: VendorDay) -> st.SearchStrategy[dict[int, Fate]]:
    """What becomes of the webhooks of a day, by their places; the others arrive."""
    size = len(day.webhooks)
    few = st.dictionaries(st.integers(0, size - 1), st.sampled_from(Fate), max_size=12)
    return few | st.lists(st.sampled_from(Fate), min_size=size, max_size=size).map(_exceptions)


def _exceptions(all_: Sequence[Fate]) -> dict[int, Fate]:
    return {place: fate for place, fate in enumerate(all_) if fate is not Fate.ARRIVES}
