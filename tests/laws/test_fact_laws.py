"""The laws of waits, offers and contacts: each is counted once, and as the reference has it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from projector.domain.events import Origin
from projector.domain.fold import fold
from projector.projection.read_models import TASKS
from tests.examples import RECORDED
from tests.fact_oracle import TaskFact, comparable, facts_of_task
from tests.facts import by_beginning, facts_at
from tests.laws.memory import MemoryLog, line
from tests.laws.test_fold_laws import BELIEVABLE, LIMITS, NOISE, timed_deliveries, with_origins
from tests.oracle import Oracle, shown

both = pytest.mark.parametrize("lives", [BELIEVABLE, NOISE], ids=["believable", "noise"])
any_data = given(data=st.data())
HOUR = 3_600_000


def told(data: Any, lives: Any) -> tuple[MemoryLog, Oracle, int]:
    """Some lives, live or recorded later, in any order; and a later time, near to a limit."""
    log, oracle = MemoryLog(), Oracle()
    if data.draw(st.booleans()):
        deliveries = [(body, recorded, Origin.WEBHOOK)
                      for body, recorded in data.draw(timed_deliveries(BELIEVABLE))]  # fmt: skip
    else:
        bodies = data.draw(lives)
        arrival = data.draw(st.permutations(with_origins(data, bodies)))
        deliveries = [(body, RECORDED, origin) for body, origin in arrival]
    for body, recorded, origin in deliveries:
        note(f"{origin} recorded {recorded}: {line(body)}")
        log.deliver(body, recorded, origin)
        oracle.deliver(body, recorded, origin=origin.value)
    instants = [it.time for it in log.events.values()] or [0]
    limit = data.draw(st.sampled_from((0, *LIMITS)))
    clock = data.draw(st.sampled_from(instants)) + limit + data.draw(st.sampled_from([-1, 0, 1]))
    return log, oracle, max(clock, *instants)


def as_shown(fact: TaskFact) -> TaskFact:
    """The fact with its names as they are shown: what cannot be stored is replaced."""
    return replace(
        fact,
        queue=shown(fact.queue),
        channel_type=shown(fact.channel_type),
        direction=shown(fact.direction),
        parts={shown(agent): replace(it, team=shown(it.team)) for agent, it in fact.parts.items()},
    )


@both
@any_data
def test_facts_are_those_of_the_reference(lives, data):
    """Of any lives, at any clock, by code that shares nothing."""
    log, oracle, clock = told(data, lives)
    for (org, task), events in log.of(TASKS).items():
        accepted = [it for it in oracle.accepted if (it.org, it.task) == (org, task)]
        expected = [as_shown(comparable(it)) for it in facts_of_task(accepted, clock)]
        assert by_beginning(expected) == facts_at(events, clock)


@both
@any_data
def test_a_view_says_since_when_the_customer_waits(lives, data):
    """As the open wait of the reference, while the task is open."""
    log, oracle, clock = told(data, lives)
    for (org, task), events in log.of(TASKS).items():
        accepted = [it for it in oracle.accepted if (it.org, it.task) == (org, task)]
        waits = [it for it in facts_of_task(accepted, clock) if (it.kind, it.end) == ("wait", None)]
        state = fold(TASKS.fresh(), events).advance_to(clock).state
        view = TASKS.view(org, task, state, settled=False)
        expected = waits[-1].start if waits and view.open else None
        assert expected == view.waiting_since


@both
@any_data
def test_each_wait_has_one_end(lives, data):
    """Waits of a task lie side by side, so do conversations; and those offered add up."""
    log, _, clock = told(data, lives)
    for events in log.of(TASKS).values():
        facts = facts_at(events, clock)
        for kind in ("wait", "contact"):
            of_kind = [fact for fact in facts if fact.kind == kind]
            for one, next_one in pairwise(of_kind):
                assert one.end is not None
                assert one.end <= next_one.start
        waits = [fact for fact in facts if fact.kind == "wait"]
        ends = Counter(fact.outcome for fact in waits)
        assert all((fact.outcome is None) == (fact.end is None) for fact in waits)
        assert ends[None] <= 1
        assert {*ends} <= {"answered", "abandoned", "unanswered", "moved", "unknown", None}


@both
@any_data
def test_a_fact_changes_no_more_once_its_hour_is_over(lives, data):
    """Events that come in order after that leave it as it is."""
    log, _, _ = told(data, lives)
    for events in log.of(TASKS).values():
        cut = data.draw(st.integers(0, len(events)))
        earlier = fold(TASKS.fresh(), events[:cut]).facts()
        later = fold(TASKS.fresh(), events).facts()
        if cut == len(events) or any(it.origin is Origin.RECONCILIATION for it in events):
            continue  # a reconciled event may give way to a webhook after it
        begins = events[cut].time
        for key, fact in earlier.items():
            is_over = fact.end is not None and fact.end < begins
            if is_over and fact.counted_time is not None and fact.counted_time < begins - HOUR:
                assert fact == later[key]
