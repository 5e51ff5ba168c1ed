"""The laws of the fold: the answer is a function of the set of events, whatever their arrival.

Each law holds for believable lives and for arbitrary noise. `make laws` tries 2,000 of each.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from projector.contract.intervals import interval_rows
from projector.domain.counters import CONSULT, HOLD, QUEUED, TALK, WRAP_UP
from projector.domain.events import Kind, Origin, Recorded, restatements
from projector.domain.fold import Fold, fold
from projector.projection.read_models import AGENTS, TABLES, TASKS
from tests.examples import NOW, RECORDED
from tests.laws.memory import MemoryLog, answers, deliver_all, line, oracle_answers
from tests.oracle import Oracle
from tests.strategies import (
    arrivals,
    batches,
    believable_deliveries,
    disputed,
    noisy_deliveries,
    reconciled,
    restated,
    tuned,
)

BELIEVABLE = believable_deliveries()
NOISE = noisy_deliveries()
LATE_NOISE = noisy_deliveries(arrival_decides=False)  # whose arrival may be changed

both = pytest.mark.parametrize("lives", [BELIEVABLE, LATE_NOISE], ids=["believable", "noise"])
any_data = given(data=st.data())


def draw(data: Any, lives: Any) -> list[Any]:
    """The bodies of some lives; a failure shows each of them in a line."""
    bodies = data.draw(lives)
    note("\n".join(line(body) for body in bodies))
    return bodies


def logged(bodies: list[Any]) -> MemoryLog:
    return deliver_all(MemoryLog(), bodies, RECORDED)


def folded(bodies: list[Any]) -> Any:
    return answers(logged(bodies), NOW)


def counts(bodies: list[Any]) -> dict[Any, int]:
    result = folded(bodies)
    return {
        (table.name, key): view["eventCount"]
        for table in TABLES
        for key, view in result[table.name].items()
    }


# --- the oracle -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lives", [BELIEVABLE, NOISE], ids=["believable", "noise"])
@any_data
def test_a_life_folds_as_the_oracle_says(lives, data):
    """Views, intervals and anomalies as the page has them, by code that shares nothing."""
    bodies = draw(data, lives)
    assert oracle_answers(deliver_all(Oracle(), bodies, RECORDED), NOW) == folded(bodies)


@both
@any_data
def test_reconciled_facts_give_way_to_webhooks(lives, data):
    """Whatever origin each event has and whichever comes first, the oracle's answer."""
    log, oracle = MemoryLog(), Oracle()
    for body, origin in data.draw(st.permutations(with_origins(data, draw(data, lives)))):
        log.deliver(body, RECORDED, origin)
        oracle.deliver(body, RECORDED, origin=origin.value)
    assert oracle_answers(oracle, NOW) == answers(log, NOW)


@both
@any_data
def test_order_and_repetition_do_not_matter_to_reconciled_facts(lives, data):
    """Any order of arrival of webhooks and reconciled events, with repeats, gives the same."""
    deliveries = with_origins(data, draw(data, lives))
    logs = MemoryLog(), MemoryLog()
    for log, arrival in zip(logs, (deliveries, data.draw(arrivals(deliveries))), strict=True):
        for body, origin in arrival:
            log.deliver(body, RECORDED, origin)
    assert answers(logs[0], NOW) == answers(logs[1], NOW)


def with_origins(data: Any, bodies: list[Any]) -> list[tuple[Any, Origin]]:
    """Bodies of any origin, and channel types and reconciled events near some of them."""
    channels = data.draw(tuned(bodies))
    bodies = [*bodies, *channels]
    fetched = data.draw(reconciled(bodies))
    note("\n".join(line(body) for body in (*channels, *fetched)))
    origins = st.sampled_from([Origin.WEBHOOK, *Origin])
    return [(body, data.draw(origins)) for body in bodies] + [
        (body, Origin.RECONCILIATION) for body in fetched
    ]


# --- arrival --------------------------------------------------------------------------------------


@both
@any_data
def test_order_does_not_matter(lives, data):
    """Any order of arrival gives the same views, intervals and anomalies."""
    bodies = draw(data, lives)
    assert folded(bodies) == folded(data.draw(st.permutations(bodies)))


@both
@any_data
def test_repetition_does_not_matter(lives, data):
    """Any repeats anywhere change nothing."""
    bodies = draw(data, lives)
    assert folded(bodies) == folded(data.draw(arrivals(bodies)))


@both
@any_data
def test_batching_does_not_matter(lives, data):
    """One body a request or many in an array: the same."""
    bodies = draw(data, lives)
    assert folded(bodies) == folded(data.draw(batches(bodies)))


@both
@any_data
def test_what_was_lost_and_comes_later_makes_the_whole(lives, data):
    """Some events are lost, answers are given without them, then they come after all."""
    bodies = draw(data, lives)
    lost = data.draw(st.sets(st.sampled_from(range(len(bodies))))) if bodies else set()
    log = logged([body for index, body in enumerate(bodies) if index not in lost])
    answers(log, NOW)
    deliver_all(log, [bodies[index] for index in lost], RECORDED)
    assert folded(bodies) == answers(log, NOW)


@both
@any_data
def test_a_second_subscription_changes_nothing(lives, data):
    """It tells each fact again under an id of its own, with other words beside the fact."""
    bodies = draw(data, lives)
    again = [data.draw(restated(body)) for body in bodies if data.draw(st.booleans())]
    together = data.draw(st.permutations([*bodies, *again]))
    assert folded(bodies) == folded(together)


@both
@any_data
def test_a_conflict_changes_nothing(lives, data):
    """Something else under a key that is known never changes state."""
    bodies = draw(data, lives)
    usable = [body for body in bodies if logged([body]).events]  # what is unusable takes no key
    disputes = [data.draw(disputed(body)) for body in usable if data.draw(st.booleans())]
    assert folded(bodies) == folded([*bodies, *disputes])


@both
@any_data
def test_the_count_of_events_never_falls(lives, data):
    """Another webhook adds to the counts of its subjects or leaves them."""
    bodies = draw(data, lives)
    whole, part = counts(bodies), counts(bodies[: data.draw(st.integers(0, len(bodies)))])
    assert part == {key: min(count, whole.get(key, 0)) for key, count in part.items()}


# --- where folding stops and goes on --------------------------------------------------------------


@both
@any_data
def test_a_prefix_and_then_the_rest_is_the_whole(lives, data):
    """To stop after any millisecond, keep the state, and go on gives what folding at once gives."""
    log = logged(draw(data, lives))
    for table in TABLES:
        for key, events in log.of(table).items():
            cut = data.draw(st.sampled_from([recorded.time for recorded in events]))
            whole = fold(table.fresh(), events)
            first = fold(table.fresh(), [it for it in events if it.time <= cut])
            saved = table.load(table.dump(first.state))
            rest = fold(saved, [it for it in events if it.time > cut])
            assert whole.state == rest.state, key
            assert whole.intervals == [*first.intervals, *rest.intervals]
            assert whole.anomalies == [*first.anomalies, *rest.anomalies]


@both
@any_data
def test_folding_goes_on_only_where_nothing_belongs_before(lives, data):
    """Where a state says that the rest may be added, adding it is folding the whole."""
    log = MemoryLog()
    for body, origin in with_origins(data, draw(data, lives)):
        log.deliver(body, RECORDED, origin)
    for table in TABLES:
        for events in log.of(table).values():
            cut = data.draw(st.integers(1, len(events)))
            saved = fold(table.fresh(), events[:cut]).state
            if events[cut:] and saved.can_append(events[cut:]):
                assert fold(table.fresh(), events).state == fold(saved, events[cut:]).state


# --- what is shown --------------------------------------------------------------------------------


@both
@any_data
def test_intervals_tile_time(lives, data):
    """None is empty, overlaps or repeats its neighbour; together they are the lifetime."""
    log = logged(draw(data, lives))
    for table in TABLES:
        for events in log.of(table).values():
            result = fold(table.fresh(), events).advance_to(NOW)
            rows = interval_rows(table.interval, result.intervals, NOW)
            assert events[0].time == rows[0].from_
            assert all(row.duration_ms > 0 for row in rows)
            assert all(one.to == other.from_ for one, other in pairwise(rows))
            assert NOW - events[0].time == sum(row.duration_ms for row in rows)
            shown = [interval.display for interval in result.intervals]
            assert not any(
                result.state.is_same_interval(one, other) for one, other in pairwise(shown)
            )


DURATIONS = {
    QUEUED: {"parked"},
    TALK: {"connected", "conferencing"},
    HOLD: {"on-hold"},
    CONSULT: {"consulting"},
}


@both
@any_data
def test_each_duration_is_the_sum_of_its_stretches(lives, data):
    """Of finished ones: up to where the running one began, and for wrap-up agent by agent."""
    for events in logged(draw(data, lives)).of(TASKS).values():
        result = fold(TASKS.fresh(), events)
        state, ends = result.state, [it.start for it in result.intervals[1:]]
        running = events[0].time if state.state_since is None else state.state_since
        for name, words in DURATIONS.items():
            stretches = [
                min(end, running) - interval.start
                for interval, end in zip(result.intervals, [*ends, running], strict=True)
                if interval.display.current_state in words and interval.start < running
            ]
            assert sum(stretches) == state.counters[name], name
        assert wrapped_up(events) == state.counters[WRAP_UP]


def wrapped_up(events: list[Recorded]) -> int:
    """The time from each agent's wrapup to that agent's next other word."""
    repeats = restatements(events)
    total, began = 0, {}
    for recorded in events:
        event = recorded.event
        if event.kind is not Kind.STATE or event.word is None or recorded.position in repeats:
            continue
        if event.word == "wrapup":
            began.setdefault(event.agent_id, recorded.time)
        elif event.agent_id in began:
            total += recorded.time - began.pop(event.agent_id)
    return total


@both
@any_data
def test_an_agent_on_a_call_is_never_shown_available(lives, data):
    """At no moment of the life: with a connected leg the status is connected or busier."""
    for events in logged(draw(data, lives)).of(AGENTS).values():
        result = Fold(AGENTS.fresh())
        for time, same_time in groupby(events, key=lambda recorded: recorded.time):
            result.apply(time, tuple(same_time))
            if any(leg.state == "connected" for leg in result.state.legs.values()):
                status = result.state.display_state().status
                assert status in ("conferencing", "consulting", "connected")
