"""How the floor is put into words."""

import pytest

from api.pages.presentation import TONES, TableRows, ago, display_time, freshness, in_order, tone
from projector.contract.views import agent_view
from projector.domain.agent import AgentState
from projector.domain.leg import STATUS_PRECEDENCE

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (0, "0 s"),
        (59_999, "59 s"),
        (MINUTE, "1 min"),
        (59 * MINUTE + 59 * SECOND, "59 min"),
        (HOUR, "1 h"),
        (24 * HOUR - 1, "23 h"),
        (48 * HOUR, "2 d"),
        (1_234 * 24 * HOUR, "1,234 d"),
        (-5 * MINUTE, "0 s"),
    ],
)
def test_ago_has_one_unit_and_rounds_down(before: int, words: str) -> None:
    """A clock ahead of ours reads as now."""
    assert words == ago(NOW - before, NOW)


def test_a_moment_is_exact_in_utc() -> None:
    """To the millisecond, for people and for machines."""
    read = display_time(NOW - 1, NOW)
    assert (read.ago, read.exact) == ("0 s", "2025-12-31 23:59:59.999 UTC")
    assert read.iso == "2025-12-31T23:59:59.999Z"


def test_a_moment_beyond_the_calendar_is_told_in_milliseconds() -> None:
    """The contract's last time is in the year 287396."""
    read = display_time(2**53 - 1, NOW)
    assert (read.exact, read.iso) == ("9007199254740991 ms since 1970", None)


@pytest.mark.parametrize(
    ("head", "position", "words"),
    [
        (0, 0, "no events yet"),
        (7, 7, "up to date"),
        (7, 8, "up to date"),  # the head was read before
        (7, 6, "1 event behind"),
        (5_007, 7, "5,000 events behind"),
    ],
)
def test_freshness_tells_an_empty_log_from_one_that_is_folded(
    head: int, position: int, words: str
) -> None:
    """Nothing to show yet is another matter than nothing to do."""
    assert words == freshness(head, position, []).words


def test_a_service_that_is_not_ready_does_not_look_well() -> None:
    """Whatever its position, and it keeps the reasons."""
    told = freshness(7, 7, ["the projection floor is 40 s behind the log"])
    assert (told.tone, told.reasons) == ("lost", ["the projection floor is 40 s behind the log"])


@pytest.mark.parametrize(("shown", "counted", "total"), [(3, 3, "3"), (200, 1_000, "200 of 1,000")])
def test_a_cut_table_says_so(shown: int, counted: int, total: str) -> None:
    """And a whole one says how many it has."""
    view = agent_view("acme", "agent-1", AgentState(), settled=True)
    assert total == TableRows(shown=[view] * shown, counted=counted).total


def test_a_status_never_becomes_a_class() -> None:
    """Words from outside have one tone for all."""
    assert (tone("available"), tone("x y"), tone("free")) == ("free", "other", "other")


def test_counts_come_in_the_order_of_the_tones_and_unknown_words_last() -> None:
    """So that they stay in their places while they change."""
    counts = {"logged-out": 2, "b": 1, "a": 1, "available": 1}
    assert in_order(counts) == [("available", 1), ("logged-out", 2), ("a", 1), ("b", 1)]
    assert next(iter(TONES)) == "available"


def test_every_status_of_a_leg_has_a_tone() -> None:
    """A new one is not shown in the tone of a status that nobody knows."""
    assert set() == set(STATUS_PRECEDENCE) - TONES.keys()
