"""Metrics: the formulas over their totals."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from projector.domain.metrics import FORMULAS, metrics


def reckoned(name: str, provisional: frozenset[str] = frozenset(), **totals: int) -> Any:
    return metrics(Counter(totals), provisional)[name]


@pytest.mark.parametrize(
    ("name", "totals", "value", "count"),
    [
        # Of 16, 8 were answered in time and 6 gave up; four had waited 50 s together.
        ("service_level", {"answered": 10, "answered_in_time": 8, "abandoned": 6}, 0.5, 16),
        ("abandonment", {"answered": 10, "abandoned": 6}, 0.375, 16),
        ("abandonment", {"answered": 0, "abandoned": 6}, 1.0, 6),
        ("asa_ms", {"answered": 4, "wait_ms": 50_000, "abandoned": 9}, 12_500, 4),
        # Talk 180, hold 40, consult 30, wrap-up 50 s of two tasks: 300 s, 150 each.
        (
            "aht_ms",
            {"handled": 2, "talk_ms": 180_000, "hold_ms": 40_000, "consult_ms": 30_000,
             "wrap_up_ms": 50_000},
            150_000,
            2,
        ),
        ("talk_ms", {"handled": 3, "talk_ms": 100}, 100 / 3, 3),
        ("hold_ms", {"handled": 2, "hold_ms": 5}, 2.5, 2),
        ("wrap_up_ms", {"handled": 2, "wrap_up_ms": 0}, 0, 2),
        # 45 minutes of work in an hour, by two agents.
        ("occupancy", {"at_work_ms": 2_700, "ready_ms": 900, "agents": 2}, 0.75, 2),
        ("occupancy", {"at_work_ms": 0, "ready_ms": 900, "agents": 1}, 0, 1),
        ("rona", {"accepted": 6, "refused": 2}, 0.25, 8),
    ],
)  # fmt: skip
def test_a_formula(name, totals, value, count):
    """Worked out by hand."""
    metric = reckoned(name, **totals)
    assert (value, count) == (metric.value, metric.count)


@pytest.mark.parametrize("name", FORMULAS)
def test_nothing_counted_has_no_value(name):
    """That nothing was there to be counted is no zero."""
    metric = reckoned(name)
    assert (None, 0, True) == (metric.value, metric.count, metric.settled)


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        ("unknown", {"service_level", "abandonment", "asa_ms"}),
        ("doubtful_contacts", {"aht_ms", "talk_ms", "hold_ms", "wrap_up_ms"}),
        ("doubtful_ms", {"occupancy"}),
    ],
)
def test_a_figure_tells_what_it_leaves_out(left_out, expected):
    """It is in no value and in no count."""
    computed = metrics(Counter({left_out: 3}), frozenset())
    assert expected == {name for name, metric in computed.items() if metric.doubtful == 3}
    assert {0} == {metric.count for metric in computed.values()}


@pytest.mark.parametrize(
    ("provisional", "expected"),
    [
        ("abandoned", {"service_level", "abandonment"}),
        ("answered", {"service_level", "abandonment", "asa_ms"}),
        ("handled", {"aht_ms", "talk_ms", "hold_ms", "wrap_up_ms"}),
        ("refused", {"rona"}),
        ("agents", {"occupancy"}),
    ],
)
def test_a_figure_is_as_settled_as_what_it_counts(provisional, expected):
    """One count of it that may change is enough."""
    computed = metrics(Counter(), {provisional})
    assert expected == {name for name, metric in computed.items() if not metric.settled}
