"""Periods: fixed steps from the beginning, days and weeks by the midnights of a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.infrastructure.time_zones import time_zone
from projector.query.figures.periods import DAY_MS, LAST_CALENDAR_TIME, cut, day_start

HOUR = 3_600_000
BERLIN = time_zone("Europe/Berlin")


def ms(text: str) -> int:
    """The epoch time of a moment in ISO 8601."""
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def hours(edges: list[int]) -> list[float]:
    return [(end - start) / HOUR for start, end in pairwise(edges)]


def test_steps_are_counted_from_the_beginning():
    """The last one is cut to the span, and no zone matters."""
    assert [7, 17, 27, 30] == [*cut(7, 30, 10, BERLIN)]
    assert [7, 17, 27] == [*cut(7, 27, 10, BERLIN)]
    assert [7, 8] == [*cut(7, 8, 10, BERLIN)]


@pytest.mark.parametrize(
    ("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_a_day_on_which_clocks_change_is_shorter_or_longer(day, length):
    """In Berlin they go forward in March and back in October."""
    start = ms(f"{day}T00:00:00+00:00") - 2 * DAY_MS
    edges = cut(start, start + 5 * DAY_MS, "1d", BERLIN)
    begin = day_start(date.fromisoformat(day), BERLIN)
    assert length * HOUR == edges[edges.index(begin) + 1] - begin


def test_the_first_and_the_last_day_are_cut_to_the_span():
    """A span within a day is one period."""
    start, end = ms("2026-03-28T18:00:00+01:00"), ms("2026-03-30T06:00:00+02:00")
    assert [6, 23, 6] == hours([*cut(start, end, "1d", BERLIN)])
    assert [start, start + 1] == [*cut(start, start + 1, "1d", BERLIN)]


def test_weeks_begin_on_monday():
    """Also where the span begins with a midnight of another day."""
    start, end = ms("2026-03-22T00:00:00+01:00"), ms("2026-04-08T00:00:00+02:00")
    edges = cut(start, end, "1w", BERLIN)
    shown = [datetime.fromtimestamp(it / 1_000, BERLIN).strftime("%a %d %H") for it in edges]
    assert ["Sun 22 00", "Mon 23 00", "Mon 30 00", "Mon 06 00", "Wed 08 00"] == shown
    assert [24, 167, 168, 48] == hours([*edges])
    monday = ms("2026-03-23T00:00:00+01:00")
    assert monday == cut(monday, end, "1w", BERLIN)[0]


@pytest.mark.parametrize(
    ("zone", "day", "first", "length"),
    [
        # Clocks go from midnight to one o'clock.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00", 23),
        ("Africa/Cairo", "2024-04-26", "2024-04-26T01:00:00+03:00", 23),
        # From half past eleven to half past midnight.
        ("America/Toronto", "1919-03-31", "1919-03-31T00:30:00-04:00", 23.5),
        # Back from one o'clock to midnight: there are two.
        ("America/Havana", "2025-11-02", "2025-11-02T00:00:00-04:00", 25),
        # Left out, when the date line was moved.
        ("Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00", 0),
        ("UTC", "2026-01-01", "2026-01-01T00:00:00+00:00", 24),
        ("Asia/Kathmandu", "2026-01-01", "2026-01-01T00:00:00+05:45", 24),
    ],
)
def test_a_day_begins_with_its_first_instant(zone, day, first, length):
    """Where there is no midnight, or where there are two."""
    zone, day = time_zone(zone), date.fromisoformat(day)
    begin = day_start(day, zone)
    assert ms(first) == begin
    assert length * HOUR == day_start(day + timedelta(days=1), zone) - begin


def test_a_day_that_was_left_out_has_no_period():
    """Samoa went from the 29th to the 31st."""
    zone = time_zone("Pacific/Apia")
    start, end = ms("2011-12-29T00:00:00-10:00"), ms("2012-01-01T00:00:00+14:00")
    assert [24, 24] == hours([*cut(start, end, "1d", zone)])


@given(
    name=st.sampled_from(
        ["Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "America/St_Johns",
         "Australia/Lord_Howe", "Asia/Tehran", "UTC", "America/Havana", "Africa/Casablanca"]
    ),
    start=st.integers(0, ms("2040-01-01T00:00:00+00:00")),
    span=st.integers(1, 400 * DAY_MS),
    length=st.sampled_from(["1d", "1w"]) | st.integers(DAY_MS, 400 * DAY_MS),
)  # fmt: skip
def test_periods_are_the_whole_span(name, start, span, length):
    """Side by side, none of them empty; and each inner edge begins a local day or a Monday."""
    zone = time_zone(name)
    edges = [*cut(start, start + span, length, zone)]
    assert (start, start + span) == (edges[0], edges[-1])
    assert sorted(set(edges)) == edges
    if isinstance(length, int):
        return
    for edge in edges[1:-1]:
        before, at = (
            (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=it)).astimezone(zone).date()
            for it in (edge - 1, edge)
        )
        assert before < at
        assert length == "1d" or at.weekday() == 0
    longest = 8 if length == "1w" else 2
    assert max(hours(edges)) <= longest * 24


def test_the_ends_of_the_calendar_can_be_asked_for():
    """Wherever the zone is."""
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        assert 0 == cut(0, 1, "1w", time_zone(name))[0]
        end = LAST_CALENDAR_TIME
        assert [end - 1, end] == [*cut(end - 1, end, "1w", time_zone(name))][-2:]


@pytest.mark.parametrize(
    "name",
    [
        *("", "europe/berlin", "Mars/Olympus", "../zones", "Europe", "CET+1", "/etc/localtime"),
        "Europe/Berlin\0",
    ],
)
def test_a_name_that_is_no_zone_is_refused(name):
    """Whatever files there are."""
    with pytest.raises(ValueError, match="no time zone"):
        time_zone(name)
