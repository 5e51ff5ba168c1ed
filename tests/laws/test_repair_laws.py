"""The laws of repair: batches with late events give what one fold of all events gives."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

import projector.domain.events
from projector.domain.events import Origin, Recorded, facts_once
from projector.domain.fold import Interval, anomaly_keys, fold
from projector.domain.late_events.changeset import Snapshot
from projector.domain.late_events.corrections import ShownInterval
from projector.projection.read_models import AGENTS, TABLES, TASKS, Table
from tests.examples import RECORDED, v1
from tests.laws.memory import MemoryLog, line
from tests.laws.subject_tables import SubjectTables
from tests.strategies import believable_deliveries, noisy_deliveries, reconciled, tuned

BELIEVABLE = believable_deliveries()
NOISE = noisy_deliveries()
both = pytest.mark.parametrize("lives", [BELIEVABLE, NOISE], ids=["believable", "noise"])
any_data = given(data=st.data())


@pytest.fixture(autouse=True)
def _usual_spacing(monkeypatch):
    """A test may change it; the next test has the usual one."""
    monkeypatch.setattr(
        projector.domain.events, "EVENTS_PER_SNAPSHOT", projector.domain.events.EVENTS_PER_SNAPSHOT
    )


def arrived(data: Any, lives: Any) -> MemoryLog:
    """Some lives in any order of arrival, in requests of any size, from any origin.

    Snapshots are at every event, at about every second one, or at few.
    """
    projector.domain.events.EVENTS_PER_SNAPSHOT = data.draw(st.sampled_from([1, 2, 32]))
    bodies = data.draw(lives)
    bodies = [*bodies, *data.draw(tuned(bodies))]
    fetched, origins = [], st.just(Origin.WEBHOOK)
    if data.draw(st.booleans()):
        fetched, origins = data.draw(reconciled(bodies)), st.sampled_from(Origin)
    deliveries = [(body, data.draw(origins)) for body in bodies]
    deliveries += [(body, Origin.RECONCILIATION) for body in fetched]
    log = MemoryLog()
    for index, (body, origin) in enumerate(data.draw(st.permutations(deliveries))):
        if index == 0 or data.draw(st.booleans()):
            log.begin_request()
        log.deliver(body, RECORDED + index, origin)
        note(f"{origin} {line(body)}")
    return log


def requests(events: list[Recorded]) -> list[list[Recorded]]:
    arrival = sorted(events, key=lambda it: it.position)
    return [list(request) for _, request in groupby(arrival, key=lambda it: it.request_position)]


def projected(
    table: Table[Any], batches: list[list[list[Recorded]]], read_size: int
) -> SubjectTables:
    subject = SubjectTables(table, read_size)
    for batch in batches:
        subject.project([recorded for request in batch for recorded in request])
    return subject


def in_batches(data: Any, requests_: list[list[Recorded]]) -> list[list[list[Recorded]]]:
    batches: list[list[list[Recorded]]] = []
    for request in requests_:
        if not batches or data.draw(st.booleans()):
            batches.append([])
        batches[-1].append(request)
    return batches


@both
@any_data
def test_batches_give_what_one_fold_gives(lives, data):
    """State, counters, intervals and anomalies of any batches are those of all events at once."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            subject = projected(
                table, in_batches(data, requests(events)), data.draw(st.integers(1, 4))
            )
            whole = fold(table.fresh(), events)
            assert table.dump(whole.state) == subject.state
            assert whole.state.counters.counts() == subject.counters.counts()
            assert whole.intervals == subject.current_intervals()
            assert anomaly_keys(whole.anomalies) == subject.anomalies


@both
@any_data
def test_facts_are_those_that_were_known(lives, data):
    """At the position of each request they are the facts of all events up to it."""
    log = arrived(data, lives)
    for events in log.of(TASKS).values():
        all_requests = requests(events)
        subject = projected(TASKS, in_batches(data, all_requests), data.draw(st.integers(1, 4)))
        for request in all_requests:
            position = request[0].request_position
            known = [it for it in events if it.request_position <= position]
            assert fold(TASKS.fresh(), known).facts() == subject.facts_known_at(position)


@both
@any_data
def test_batches_leave_no_trace(lives, data):
    """Superseded rows, snapshots and corrections depend on the log alone."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            all_requests = requests(events)
            one = projected(table, [all_requests], 3)
            other = projected(table, in_batches(data, all_requests), 1)
            assert sorted(map(str, one.rows)) == sorted(map(str, other.rows))
            assert sorted(map(str, one.facts)) == sorted(map(str, other.facts))
            assert snapshots_of(one) == snapshots_of(other)
            assert one.corrections == other.corrections


def test_batches_know_what_only_restates():
    """An event that sorts before the last known one is late, also where that one is not folded."""
    log = MemoryLog()
    for recorded, (body, origin) in enumerate(
        (
            (v1(0, "ann", "available", id="a"), Origin.WEBHOOK),
            (v1(1_000, "ann", "available", id="b"), Origin.RECONCILIATION),
            (v1(1_000, "ann", "idle", id="c"), Origin.WEBHOOK),
        ),
        RECORDED,
    ):
        log.begin_request()
        log.deliver(body, recorded, origin)
    (events,) = log.of(AGENTS).values()
    (events,) = log.of(AGENTS).values()
    for batches in ([requests(events)], [[request] for request in requests(events)]):
        (late,) = projected(AGENTS, batches, 1).late_counts
        assert late.known_from == 3


def snapshots_of(subject: SubjectTables) -> list[Any]:
    return sorted(map(str, [*subject.snapshots, *subject.late_counts]))


@both
@any_data
def test_a_snapshot_is_the_fold_up_to_its_time(lives, data):
    """As it was known at any position, so that any fold may begin there."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            subject = projected(table, in_batches(data, requests(events)), 2)
            known = data.draw(
                st.sampled_from([request[-1].position for request in requests(events)])
            )
            for time in {it.time for it in events}:
                snapshot = subject.snapshot(time, known)
                if snapshot is not None:
                    recorded = [it for it in events if it.position <= known]
                    expected = folded(table, recorded, snapshot)
                    assert expected == (snapshot.state, snapshot.counters.counts())


def folded(table: Table[Any], events: list[Recorded], snapshot: Snapshot) -> tuple[str, Any]:
    """All events up to the snapshot, without those that restate a fact of any event."""
    unique = [it for it in facts_once(events) if it.time <= snapshot.time]
    state = fold(table.fresh(), unique).state
    return table.dump(state), state.counters.counts()


@both
@any_data
def test_corrections_are_what_each_request_changed(lives, data):
    """A comparison, instant by instant, of what was shown before and after it gives the same."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            all_requests = requests(events)
            subject = projected(table, in_batches(data, all_requests), 2)
            expected = [
                it
                for index in range(1, len(all_requests))
                for it in changes(table, all_requests, index)
            ]
            actual = [
                (it.start, it.end, list(it.before), list(it.after), [e.position for e in it.late])
                for it in subject.corrections
            ]
            assert expected == actual, "\n".join(map(str, [*expected, "--", *actual]))


def changes(table: Table[Any], all_requests: list[list[Recorded]], index: int) -> list[Any]:
    """What the request at an index changed, from two folds of everything."""
    earlier = sorted(
        (it for request in all_requests[:index] for it in request), key=lambda it: it.order
    )
    request = sorted(all_requests[index], key=lambda it: it.order)
    late = [it for it in request if it.order < earlier[-1].order]
    if not late:
        return []
    shown_at = late[0].recorded_time
    before, after = (
        with_ends(fold(table.fresh(), events).advance_to(shown_at).intervals)
        for events in (earlier, sorted([*earlier, *request], key=lambda it: it.order))
    )
    edges = sorted(
        {edge for it in (*before, *after) for edge in (it.interval.start, it.end)} - {None}
    )
    stretches: list[list[Any]] = []
    for edge in edges:
        old, new = at(before, edge), at(after, edge)
        # Nothing is shown any more where a later webhook replaced the reconciled first event.
        if old is not None and (new is None or old.interval.display != new.interval.display):
            if not stretches or stretches[-1][1] is not None:
                stretches.append([edge, None])
        elif stretches and stretches[-1][1] is None:
            stretches[-1][1] = edge
    return [
        (
            start,
            end,
            over(before, start, end),
            over(after, start, end),
            [it.position for it in late],
        )
        for start, end in stretches
        if not (
            end is None
            and len(over(before, start, end)) == 1
            and over(before, start, end)[0].interval.start < start
            and start in {it.time for it in late}
        )
    ]


def with_ends(intervals: list[Interval]) -> list[ShownInterval]:
    ends = [*(it.start for it in intervals[1:]), None]
    return [ShownInterval(interval=it, end=end) for it, end in zip(intervals, ends, strict=True)]


def at(shown: list[ShownInterval], time: int) -> ShownInterval | None:
    for it in shown:
        if it.interval.start <= time and (it.end is None or time < it.end):
            return it
    return None


def over(shown: list[ShownInterval], start: int, end: int | None) -> list[ShownInterval]:
    return [
        it
        for it in shown
        if (it.end is None or it.end > start) and (end is None or it.interval.start < end)
    ]
