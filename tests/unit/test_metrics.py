"""Metrics: what one task adds to their totals, and the formulas over these."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest

from projector.domain.metrics import FORMULAS, kpi_facts, metrics
from projector.projection.read_models import TASKS, kpi_facts_to_array
from tests.examples import at, capture, ended, task, v1
from tests.folds import folded

HOUR = 3_600_000
NOTHING = {
    "waiting_since": None,
    "answered": None,
    "answered_after_ms": None,
    "abandoned": None,
    "offered": None,
    "offers": 0,
    "refused": 0,
    "completed": None,
    "handled": None,
    "talk_ms": 0,
    "hold_ms": 0,
    "consult_ms": 0,
    "wrap_up_ms": 0,
}
OUTBOUND = {"direction": "OUTBOUND"}


def added(*bodies: Any, until: int = 0) -> dict[str, Any]:
    """The KPI facts of a task, without those that are 0 or None."""
    facts = asdict(kpi_facts(folded(TASKS, *bodies, until=until).state))
    assert NOTHING.keys() == facts.keys()
    return {name: value for name, value in facts.items() if value != NOTHING[name]}


# --- waits ---


def test_a_task_that_is_only_there_is_not_counted():
    """It is in a flow, and waits for nobody yet; it may also end there."""
    assert {} == added(task(0, "t", "new"))
    assert {"completed": at(5)} == added(task(0, "t", "new"), ended(5, "t"))


@pytest.mark.parametrize("more", [{}, OUTBOUND])
def test_a_queued_task_waits_until_somebody_takes_it(more):
    """Being offered does not end its wait, nor does going back to the queue."""
    bodies = [task(1_000, "t", "parked", **more)]
    assert {"waiting_since": at(1_000)} == added(*bodies)
    bodies += [task(4_000, "t", "connect", **more), task(9_000, "t", "parked", **more)]
    offer = {"offered": at(4_000), "offers": 1}
    assert {"waiting_since": at(1_000)} | offer == added(*bodies)
    bodies.append(task(16_000, "t", "connected", **more))
    answer = {"answered": at(16_000), "answered_after_ms": 15_000}
    assert answer | offer == added(*bodies)


def test_a_task_that_is_offered_at_once_waits_for_the_answer():
    """Its wait begins with the offer: nobody queued it."""
    bodies = [task(0, "t", "new"), task(1_000, "t", "connect"), task(9_000, "t", "parked")]
    assert {"waiting_since": at(1_000), "offered": at(1_000), "offers": 1} == added(*bodies)
    bodies.append(v1(11_000, "ann", "connected", "t"))
    assert 10_000 == added(*bodies)["answered_after_ms"]


def test_who_is_answered_at_once_waited_for_nothing():
    """That is a wait of 0 ms."""
    bodies = [task(0, "t", "parked"), task(0, "t", "connected")]
    assert {"answered": at(0), "answered_after_ms": 0} == added(*bodies)


def test_who_is_called_does_not_wait():
    """The agent made the call, and the time until the answer is no wait in a queue."""
    bodies = [task(0, "t", "connect", **OUTBOUND)]
    assert {"offered": at(0), "offers": 1} == added(*bodies)
    bodies.append(task(9_000, "t", "connected", **OUTBOUND))
    assert {"offered": at(0), "offers": 1} == added(*bodies)


def test_a_customer_who_leaves_the_queue_has_abandoned():
    """At the end of the wait; a customer who was in a conversation has not."""
    queued = [task(1_000, "t", "parked"), ended(7_000, "t")]
    assert {"abandoned": at(7_000), "completed": at(7_000)} == added(*queued)
    talked = [task(0, "t", "connected"), *queued]
    assert {"talk_ms": 1_000, "completed": at(7_000), "handled": at(7_000)} == added(*talked)


def test_a_failed_task_was_neither_answered_nor_abandoned():
    """Nobody gave up; its status says that it failed."""
    assert {} == added(task(1_000, "t", "parked"), task(2_000, "t", "failed"))


def test_an_abandoned_task_that_is_taken_up_again_is_answered():
    """As if it had not ended."""
    bodies = [task(1_000, "t", "parked"), ended(2_000, "t"), task(5_000, "t", "connected")]
    assert {"answered": at(5_000), "answered_after_ms": 4_000} == added(*bodies)


def test_a_task_that_goes_back_to_a_queue_waits_again():
    """The wait begins there; the speed of answer counts the first wait alone."""
    bodies = [
        task(0, "t", "parked"),
        task(3_000, "t", "connected"),
        task(60_000, "t", "parked"),
    ]
    facts = added(*bodies)
    assert (at(60_000), 3_000) == (facts["waiting_since"], facts["answered_after_ms"])


# --- what it took ---


def test_a_task_is_handled_once_it_is_complete():
    """All the work on it counts: talk 10 + 20 s, hold 5 s, consult 7 s, wrap-up 30 s."""
    bodies = [
        task(0, "t", "connected"),
        v1(0, "ann", "connected", "t"),
        task(10_000, "t", "on-hold"),
        task(15_000, "t", "hold-done"),
        task(35_000, "t", "consulting"),
        task(42_000, "t", "ended"),
        v1(42_000, "ann", "wrapup", "t"),
    ]
    due = {"completed": at(42_000 + HOUR), "handled": at(42_000 + HOUR)}
    spent = {"talk_ms": 30_000, "hold_ms": 5_000, "consult_ms": 7_000}
    assert due | spent == added(*bodies)
    bodies.append(v1(72_000, "ann", "wrapup-done", "t"))
    done = {"completed": at(72_000), "handled": at(72_000), "wrap_up_ms": 30_000}
    assert done | spent == added(*bodies)
    assert done | spent == added(*bodies, capture(90_000, "t", "/r.wav"))


def test_one_whose_wrap_up_never_ends_is_handled_after_an_hour():
    """The facts say so before the hour has passed, and after it."""
    bodies = [task(0, "t", "connected"), v1(1, "ann", "wrapup", "t"), ended(2, "t")]
    assert at(2 + HOUR) == added(*bodies)["handled"]
    assert at(2 + HOUR) == added(*bodies, until=2 + HOUR)["handled"]


# --- offers ---


def test_offers_and_those_that_were_refused():
    """Refused twice of three; a refusal whose offer was lost was an offer."""
    refusals = [
        part
        for start in (1_000, 20_000)
        for part in (
            task(start, "t", "connect"),
            v1(start + 9_000, "ann", "not-responding", "t"),
            ended(start + 9_000, "t", "System", "RONA Timer Expired"),
        )
    ]
    facts = added(*refusals, task(40_000, "t", "connect"))
    assert (at(1_000), 3, 2) == (facts["offered"], facts["offers"], facts["refused"])
    facts = added(v1(9_000, "ann", "not-responding", "t"))
    assert {"offers": 1, "refused": 1} == facts


def test_as_the_database_writes_it():
    """In the order of its fields."""
    waiting = kpi_facts(folded(TASKS, task(1, "t", "parked")).state)
    assert f"{{{at(1)},NULL,NULL,NULL,NULL,0,0,NULL,NULL,0,0,0,0}}" == kpi_facts_to_array(waiting)


# --- formulas ---


def reckoned(name: str, provisional: frozenset[str] = frozenset(), **totals: int) -> Any:
    return metrics(Counter(totals), provisional)[name]


@pytest.mark.parametrize(
    ("name", "totals", "value", "count"),
    [
        # Of 16, 8 were answered in time and 6 gave up; four had waited 50 s together.
        ("service_level", {"answered": 10, "answered_in_time": 8, "abandoned": 6}, 0.5, 16),
        ("abandonment", {"answered": 10, "abandoned": 6}, 0.375, 16),
        ("abandonment", {"answered": 0, "abandoned": 6}, 1.0, 6),
        ("asa_ms", {"answered": 4, "answered_after_ms": 50_000, "abandoned": 9}, 12_500, 4),
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
        ("rona", {"offers": 8, "refused": 2}, 0.25, 8),
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
    ("provisional", "expected"),
    [
        ("abandoned", {"service_level", "abandonment"}),
        ("answered", {"service_level", "abandonment", "asa_ms"}),
        ("handled", {"aht_ms", "talk_ms", "hold_ms", "wrap_up_ms"}),
        ("offers", {"rona"}),
        ("agents", {"occupancy"}),
    ],
)
def test_a_figure_is_as_settled_as_what_it_counts(provisional, expected):
    """One count of it that may change is enough."""
    computed = metrics(Counter(), {provisional})
    assert expected == {name for name, metric in computed.items() if not metric.settled}
