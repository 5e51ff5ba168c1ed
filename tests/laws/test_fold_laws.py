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
from projector.domain.leg import FREE
from projector.projection.read_models import AGENTS, TABLES, TASKS
from tests.examples import DAWN, NOW, RECORDED
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


MINUTE, DAY = 60_000, 24 * 3_600_000
STRETCHES = (1, 1, 5, 60, 400)  # of the pauses in a life
DELAYS = (300, 300, 300, 5 * MINUTE, 61 * MINUTE, 13 * 60 * MINUTE, DAY, DAY + 1, 31 * DAY)
LIMITS = (5 * MINUTE, 60 * MINUTE, 12 * 60 * MINUTE, DAY, 30 * DAY)


@st.composite
def timed_deliveries(draw, lives: Any) -> list[tuple[Any, int]]:
    """Bodies of stretched lives, and when each is recorded, in the order of that."""
    stretch = draw(st.sampled_from(STRETCHES))
    deliveries = []
    for body in draw(lives):
        time = DAWN + (body["data"]["createdTime"] - DAWN) * stretch
        delay = draw(st.sampled_from(DELAYS))
        deliveries.append((body | {"data": body["data"] | {"createdTime": time}}, time + delay))
    return sorted(deliveries, key=lambda it: it[1])


@any_data
def test_the_passing_of_time_ends_what_the_oracle_says(data):
    """At any time after the last event, on both sides of each limit, whenever each was recorded."""
    deliveries = data.draw(timed_deliveries(BELIEVABLE))
    log, oracle = MemoryLog(), Oracle()
    for body, recorded in deliveries:
        note(f"recorded {recorded}: {line(body)}")
        log.deliver(body, recorded)
        oracle.deliver(body, recorded)
    instants = [DAWN, *(body["data"]["createdTime"] for body, _ in deliveries)]
    instants += [recorded for _, recorded in deliveries]
    limit = data.draw(st.sampled_from(LIMITS))
    now = data.draw(st.sampled_from(instants)) + limit + data.draw(st.sampled_from([-1, 0, 1]))
    now = max(now, *instants)
    assert oracle_answers(oracle, now) == answers(log, now)


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
            if events[cut:] and saved.can_append(events[cut:], events[cut - 1].time):
                assert fold(table.fresh(), events).state == fold(saved, events[cut:]).state


# --- what is shown --------------------------------------------------------------------------------


@both
@any_data
def test_intervals_tile_time(lives, data):
    """None is empty, overlaps or repeats its neighbour; together they are the lifetime."""
    log = logged(draw(data, lives))
    for table in TABLES:
        for events in log.of(table).values():
            result = fold(table.fresh(), events).advance_to(NOW - 1)
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


# --- the passing of time ---

# As the page has them: by state, on telephony and without a channel type; `longest` has the others.
LEG_LIMITS = {
    "ringing": {"telephony": 5 * MINUTE, None: 5 * MINUTE},
    "wrapup": {"telephony": 60 * MINUTE, None: 60 * MINUTE},
}
CONVERSATION_LIMITS = {"telephony": 12 * 60 * MINUTE, None: DAY}


def longest(state: str, channel_type: str | None) -> int:
    limits = LEG_LIMITS.get(state, CONVERSATION_LIMITS)
    on_others = 60 * MINUTE if state in LEG_LIMITS else 30 * DAY
    return limits.get(channel_type, on_others)


@any_data
def test_nobody_is_shown_busy_longer_than_the_table_allows(data):
    """Each leg is closed when its time is up, if nothing else has closed it."""
    for events in live(data).of(AGENTS).values():
        legs = fold(AGENTS.fresh(), events).state.legs
        for task_id, leg in legs.items():
            until = max(leg.since + longest(leg.state, leg.channel_type), events[-1].time)
            assert task_id not in fold(AGENTS.fresh(), events).advance_to(until).state.legs


@any_data
def test_no_task_waits_longer_than_the_table_allows(data):
    """Without events for a day, or for a month on other channels, it is not open."""
    for events in live(data).of(TASKS).values():
        last = events[-1].time
        is_call = fold(TASKS.fresh(), events).state.channel_type in {None, "telephony"}
        later = fold(TASKS.fresh(), events).advance_to(last + (DAY if is_call else 30 * DAY)).state
        assert not later.is_open()


@any_data
def test_a_trace_never_makes_a_task_abandoned(data):
    """Somebody hung up or wrapped up: an inbound task that ended so is not called abandoned."""
    for events in live(data).of(TASKS).values():
        state = fold(TASKS.fresh(), events).state
        traced = any(
            it.event.kind is Kind.STATE and it.event.word in {"wrapup", "wrapup-done"}
            for it in events
        )
        if traced and not state.is_outbound():
            assert state.status() not in {"abandoned", "unanswered"}


@any_data
def test_whatever_is_lost_an_agent_whose_later_words_say_free_is_shown_free(data):
    """Within the limits of the table after the last word, which names no task."""
    bodies = draw(data, BELIEVABLE)
    kept = [body for body in bodies if data.draw(st.integers(0, 9)) > 2]
    log = MemoryLog()
    for body in sorted(kept, key=lambda body: body["data"]["createdTime"]):
        log.deliver(body, body["data"]["createdTime"] + 300)
    for events in log.of(AGENTS).values():
        words = [it for it in events if it.event.kind is Kind.STATE and it.event.word is not None]
        if words and words[-1].event.word in FREE and words[-1].event.task_id is None:
            last = events[-1].time
            state = fold(AGENTS.fresh(), events).advance_to(last + 30 * DAY).state
            assert not state.legs
            assert state.display_state().status in {*FREE, "unknown", "logged-out"}


def live(data: Any) -> MemoryLog:
    """The log of some lives of which each event was recorded at once."""
    log = MemoryLog()
    bodies = draw(data, BELIEVABLE)
    for body in sorted(bodies, key=lambda body: body["data"]["createdTime"]):
        log.deliver(body, body["data"]["createdTime"] + 300)
    return log
