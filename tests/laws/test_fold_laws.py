"""The laws of the fold: the answer is a function of the set of events, whatever their arrival."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projector.events import Origin
from projector.machine import fold
from projector.shapes import interval_rows
from projector.tables import TABLES
from tests.examples import NOW, RECORDED
from tests.laws.memory import MemoryLog, answers, deliver_all, oracle_answers
from tests.oracle import Oracle
from tests.strategies import arrivals, batches, believable_deliveries, noisy_deliveries

believable = believable_deliveries()
noise = noisy_deliveries()
orderless = st.one_of(believable_deliveries(), noisy_deliveries(arrival_decides=False))


def folded(bodies: list[Any]) -> Any:
    return answers(deliver_all(MemoryLog(), bodies, RECORDED), NOW)


def expected(bodies: list[Any]) -> Any:
    return oracle_answers(deliver_all(Oracle(), bodies, RECORDED), NOW)


@given(believable)
def test_believable_lives_fold_as_the_oracle_says(bodies):
    """A day as it could be comes out as the specification says, by code that shares nothing."""
    assert expected(bodies) == folded(bodies)


@given(noise)
def test_noise_folds_as_the_oracle_says(bodies):
    """What no day would bring still comes out as the specification says."""
    assert expected(bodies) == folded(bodies)


@given(st.data())
def test_order_and_repetition_do_not_matter(data):
    """Any order of arrival, with any repeats, gives the same views and intervals."""
    bodies = data.draw(orderless)
    assert folded(bodies) == folded(data.draw(arrivals(bodies)))


@given(st.data())
def test_batching_does_not_matter(data):
    """One body a request or many in an array: the same views and intervals."""
    bodies = data.draw(orderless)
    assert folded(bodies) == folded(data.draw(batches(bodies)))


@given(st.data())
def test_a_prefix_and_then_the_rest_is_the_whole(data):
    """To stop after any millisecond, keep the state, and go on gives what folding at once gives."""
    log = deliver_all(MemoryLog(), data.draw(orderless), RECORDED)
    for table in TABLES:
        for key, events in log.of(table).items():
            cut = data.draw(st.sampled_from([recorded.time for recorded in events]))
            whole = fold(table.fresh(), events)
            first = fold(table.fresh(), [it for it in events if it.time <= cut])
            kept = table.load(table.dump(first.state))
            rest = fold(kept, [it for it in events if it.time > cut])
            assert whole.state == rest.state, key
            assert whole.intervals == [*first.intervals, *rest.intervals]
            assert whole.anomalies == [*first.anomalies, *rest.anomalies]


@given(orderless)
def test_intervals_tile_time(bodies):
    """No interval is empty, none overlaps, none is missing from the first event on."""
    log = deliver_all(MemoryLog(), bodies, RECORDED)
    for table in TABLES:
        for events in log.of(table).values():
            story = fold(table.fresh(), events).until(NOW)
            rows = interval_rows(table.interval, story.intervals, NOW)
            assert rows[0].from_ == events[0].time
            assert all(row.duration_ms > 0 for row in rows)
            assert sum(row.duration_ms for row in rows) == NOW - events[0].time


@given(orderless)
def test_an_agent_on_a_call_is_never_shown_available(bodies):
    """While a leg is connected the status is connected or busier."""
    for view in folded(bodies)["agents"].values():
        if any(leg["state"] == "connected" for leg in view["interactions"]):
            assert view["status"] in ("conferencing", "consulting", "connected")


@given(st.data())
def test_reconciled_facts_give_way_to_webhooks(data):
    """Whatever origin each event has and whichever comes first, the oracle's answer."""
    bodies = data.draw(orderless)
    told = [(body, data.draw(st.sampled_from(Origin))) for body in bodies]
    log, oracle = MemoryLog(), Oracle()
    for body, origin in told:
        log.deliver(body, RECORDED, origin)
        oracle.deliver(body, RECORDED, origin=origin.value)
    assert oracle_answers(oracle, NOW) == answers(log, NOW)


@given(st.data())
def test_folding_goes_on_only_where_nothing_belongs_before(data):
    """Where a state says that the rest may be added, adding it is folding the whole."""
    log = MemoryLog()
    for body in data.draw(orderless):
        log.deliver(body, RECORDED, data.draw(st.sampled_from(Origin)))
    for table in TABLES:
        for events in log.of(table).values():
            cut = data.draw(st.integers(1, len(events)))
            kept = fold(table.fresh(), events[:cut]).state
            if events[cut:] and kept.is_before(events[cut:]):
                assert fold(table.fresh(), events).state == fold(kept, events[cut:]).state
