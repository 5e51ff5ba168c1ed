"""The laws of repair: folded page by page, with late events, as if all had been there at once."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

import projector.domain.events
from projector.domain.events import Origin, Recorded, restatements
from projector.domain.fold import Interval, fold
from projector.domain.late_events.changeset import Snapshot
from projector.domain.late_events.corrections import ShownInterval
from projector.projection.read_models import TABLES, Table
from tests.examples import RECORDED
from tests.laws.memory import MemoryLog, line
from tests.laws.paged import Kept
from tests.strategies import believable_deliveries, noisy_deliveries

BELIEVABLE = believable_deliveries()
NOISE = noisy_deliveries()
both = pytest.mark.parametrize("lives", [BELIEVABLE, NOISE], ids=["believable", "noise"])
any_data = given(data=st.data())


@pytest.fixture(autouse=True)
def _usual_spacing(monkeypatch):
    """Whatever a test makes of it, the next one finds it as it is."""
    monkeypatch.setattr(
        projector.domain.events, "EVENTS_PER_SNAPSHOT", projector.domain.events.EVENTS_PER_SNAPSHOT
    )


def arrived(data: Any, lives: Any) -> MemoryLog:
    """Some lives in any order of arrival, in requests of any size, told by any origin.

    Snapshots stand at each moment, at about each second one, or as they do.
    """
    projector.domain.events.EVENTS_PER_SNAPSHOT = data.draw(st.sampled_from([1, 2, 32]))
    bodies = data.draw(st.permutations(data.draw(lives)))
    origins = st.sampled_from(Origin if data.draw(st.booleans()) else [Origin.WEBHOOK])
    log = MemoryLog()
    for place, body in enumerate(bodies):
        if place == 0 or data.draw(st.booleans()):
            log.begin_request()
        log.deliver(body, RECORDED + place, data.draw(origins))
    note("\n".join(line(body) for body in bodies))
    return log


def requests(events: list[Recorded]) -> list[list[Recorded]]:
    arrival = sorted(events, key=lambda it: it.position)
    return [list(told) for _, told in groupby(arrival, key=lambda it: it.request_position)]


def kept(table: Table[Any], pages: list[list[list[Recorded]]], chunk: int) -> Kept:
    subject = Kept(table, chunk)
    for page in pages:
        subject.take([recorded for request in page for recorded in request])
    return subject


def paged(data: Any, told: list[list[Recorded]]) -> list[list[list[Recorded]]]:
    pages: list[list[list[Recorded]]] = []
    for request in told:
        if not pages or data.draw(st.booleans()):
            pages.append([])
        pages[-1].append(request)
    return pages


@both
@any_data
def test_pages_tell_what_one_fold_tells(lives, data):
    """State, counters, intervals and anomalies of any pages are those of all events at once."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            subject = kept(table, paged(data, requests(events)), data.draw(st.integers(1, 4)))
            told = fold(table.fresh(), events)
            assert table.dump(told.state) == subject.state
            assert told.state.counters.counts() == subject.counters.counts()
            assert told.intervals == subject.standing()
            assert told.anomalies == [subject.anomalies[it.position] for it in told.anomalies]
            assert len(told.anomalies) == len(subject.anomalies)


@both
@any_data
def test_pages_leave_no_trace(lives, data):
    """Rows that were superseded, snapshots and corrections depend on the log alone."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            told = requests(events)
            one, other = kept(table, [told], 3), kept(table, paged(data, told), 1)
            assert sorted(map(str, one.rows)) == sorted(map(str, other.rows))
            assert told_of(one) == told_of(other)
            assert one.corrections == other.corrections


def told_of(subject: Kept) -> list[Any]:
    return sorted(map(str, [*subject.snapshots, *subject.late_counts]))


@both
@any_data
def test_a_snapshot_is_the_fold_up_to_its_time(lives, data):
    """As it was known at any position, so that any fold may begin there."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            subject = kept(table, paged(data, requests(events)), 2)
            known = data.draw(st.sampled_from([told[-1].position for told in requests(events)]))
            for time in {it.time for it in events}:
                found = subject.snapshot(time, known)
                if found is not None:
                    expected = folded(table, [it for it in events if it.position <= known], found)
                    assert expected == (found.state, found.counters.counts())


def folded(table: Table[Any], events: list[Recorded], snapshot: Snapshot) -> tuple[str, Any]:
    """All events up to the snapshot, without those that repeat what any of them states."""
    repeats = restatements(events)
    told = [it for it in events if it.time <= snapshot.time and it.position not in repeats]
    state = fold(table.fresh(), told).state
    return table.dump(state), state.counters.counts()


@both
@any_data
def test_corrections_are_what_each_request_changed(lives, data):
    """As told by comparing, instant by instant, what was shown before and after it."""
    log = arrived(data, lives)
    for table in TABLES:
        for events in log.of(table).values():
            told = requests(events)
            subject = kept(table, paged(data, told), 2)
            expected = [it for place in range(1, len(told)) for it in changes(table, told, place)]
            found = [
                (it.start, it.end, list(it.before), list(it.after), [e.position for e in it.late])
                for it in subject.corrections
            ]
            assert expected == found, "\n".join(map(str, [*expected, "--", *found]))


def changes(table: Table[Any], told: list[list[Recorded]], place: int) -> list[Any]:
    """What the request at a place changed, from two folds of everything."""
    known = sorted((it for request in told[:place] for it in request), key=lambda it: it.order)
    request = sorted(told[place], key=lambda it: it.order)
    late = [it for it in request if it.order < known[-1].order]
    if not late:
        return []
    moment = late[0].recorded_time
    before, after = (
        with_ends(fold(table.fresh(), events).advance_to(moment).intervals)
        for events in (known, sorted([*known, *request], key=lambda it: it.order))
    )
    edges = sorted(
        {edge for it in (*before, *after) for edge in (it.interval.start, it.end)} - {None}
    )
    stretches: list[list[Any]] = []
    for edge in edges:
        old, new = at(before, edge), at(after, edge)
        # Nothing is shown any more where a webhook took the place of a reconciled beginning.
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
