"""The fold: when it may go on, what the hour after a task's end changes, and its anomalies."""

from __future__ import annotations

import pytest

from projector.domain.fold import Anomaly, AnomalyKind, fold
from projector.projection.read_models import AGENTS, TASKS
from tests.examples import at, channel, ended, login, task, v1
from tests.folds import folded, kinds, ordered, view

HOUR = 3_600_000
# A call that ended at 1,000 with an agent still at work; its hour is over at HOUR + 1,000.
AT_WORK = (task(0, "t", "connected"), v1(10, "ann", "connected", "t"), ended(1_000, "t"))


# --- when a fold may go on ---


def goes_on(folded_times, folded_fetched_times, new_times, new_fetched_times):
    """Whether a state after idle events at some times lets events at other times be appended."""
    state = folded(
        AGENTS, *idle_events(folded_times), fetched=idle_events(folded_fetched_times)
    ).state
    return state.can_append(
        ordered(AGENTS, *idle_events(new_times), fetched=idle_events(new_fetched_times)),
        at(max([*folded_times, *folded_fetched_times])),
    )


def idle_events(times):
    return [v1(time, "ann", "idle") for time in times]


def test_a_fresh_state_takes_anything():
    """Nothing is folded, so every event comes after it."""
    assert AGENTS.fresh().can_append(ordered(AGENTS, login(0, "ann")), 0)


def test_what_only_restates_is_known_too():
    """No state remembers it, yet what comes before it is late."""
    state = folded(AGENTS, v1(0, "ann", "idle"), fetched=[v1(1_000, "ann", "idle")]).state
    assert at(0) == state.last_event.time
    new = ordered(AGENTS, v1(1_000, "ann", "available"))
    assert not state.can_append(new, at(1_000))
    assert state.can_append(ordered(AGENTS, v1(1_001, "ann", "available")), at(1_000))


@pytest.mark.parametrize(("time", "expected"), [(4_999, False), (5_000, False), (5_001, True)])
def test_webhooks_go_on_after_the_last_millisecond(time, expected):
    """Events of one millisecond are ordered together, so an equal time is too early."""
    assert expected is goes_on([0, 5_000], [], [time, 9_000], [])


@pytest.mark.parametrize(("time", "expected"), [(6_999, False), (7_000, False), (7_001, True)])
def test_webhooks_near_a_reconciled_event_are_weighed_with_it(time, expected):
    """The reconciled event gives way to a webhook within two seconds, so it is folded again."""
    assert expected is goes_on([0], [5_000], [time], [])


@pytest.mark.parametrize(("time", "expected"), [(6_999, False), (7_000, False), (7_001, True)])
def test_what_is_fetched_near_a_webhook_is_weighed_with_it(time, expected):
    """The reconciled event gives way, so it is compared with the webhook."""
    assert expected is goes_on([0, 5_000], [], [20_000], [time])


def test_only_the_last_reconciled_event_is_near():
    """An earlier reconciled event does not matter."""
    assert goes_on([60_000], [5_000], [60_001], [])


# --- the hour ---


def rows(*bodies, until):
    intervals = folded(TASKS, *bodies, until=until).intervals
    return [(it.start - at(0), it.display.status, it.event_id) for it in intervals]


def test_the_hour_completes_what_nobody_finished():
    """In that millisecond and not before; no event began the interval."""
    assert [(0, "assigned", "e1")] == rows(*AT_WORK, until=HOUR + 999)[:1]
    assert "assigned" == rows(*AT_WORK, until=HOUR + 999)[-1][1]
    assert (HOUR + 1_000, "completed", None) == rows(*AT_WORK, until=HOUR + 1_000)[-1]


def test_the_hour_is_over_after_all_events_of_its_millisecond():
    """Whoever finishes in it is in time: there is no anomaly, and the event begins the interval."""
    result = folded(TASKS, *AT_WORK, v1(HOUR + 1_000, "ann", "wrapup-done", "t"), until=2 * HOUR)
    assert [] == kinds(result)
    assert at(HOUR + 1_000) == result.state.completed_time
    assert "e4" == result.intervals[-1].event_id


def test_an_event_that_shows_nothing_does_not_begin_the_hours_interval():
    """The passing of time began it, though an event is in the same millisecond."""
    note = task(HOUR + 1_000, "t", "customer-note")
    assert (HOUR + 1_000, "completed", None) == rows(*AT_WORK, note, until=2 * HOUR)[-1]


def test_a_second_end_in_the_hours_millisecond_moves_the_hour():
    """All events of it come first, and the hour is counted from the last end."""
    result = folded(TASKS, *AT_WORK, ended(HOUR + 1_000, "t", "Agent"), until=HOUR + 1_000)
    assert (False, at(2 * HOUR + 1_000)) == (result.state.complete, result.state.deadline())


def test_a_reopening_just_before_the_hour_is_in_time():
    """Time passes only up to the millisecond before the event."""
    reopened = (*AT_WORK, task(HOUR + 999, "t", "connect"))
    result = folded(TASKS, *reopened, until=2 * HOUR)
    assert [] == kinds(result)
    assert [(HOUR + 999, "offered", "e4")] == rows(*reopened, until=2 * HOUR)[2:]


def test_a_reopening_just_after_the_hour_is_late():
    """The task was complete for a millisecond, which its history shows."""
    reopened = (*AT_WORK, task(HOUR + 1_001, "t", "connect"))
    history = [(HOUR + 1_000, "completed", None), (HOUR + 1_001, "offered", "e4")]
    assert history == rows(*reopened, until=2 * HOUR)[-2:]


def test_once_the_hour_has_passed_nothing_is_due():
    """And no later event of an agent changes the completion."""
    passed = folded(TASKS, *AT_WORK, until=HOUR + 1_000)
    assert None is passed.state.deadline()
    late = folded(TASKS, *AT_WORK, v1(HOUR + 5_000, "bob", "connected", "t"), until=2 * HOUR)
    assert (True, at(HOUR + 1_000)) == (late.state.complete, late.state.completed_time)


def test_the_hour_of_a_finished_task_is_no_anomaly():
    """The deadline passes and changes nothing."""
    done = (*AT_WORK, v1(2_000, "ann", "wrapup-done", "t"))
    result = folded(TASKS, *done, until=2 * HOUR)
    assert ([], None) == (kinds(result), result.state.deadline())
    assert at(2_000) == result.state.completed_time


# --- anomalies ---


def test_an_anomaly_names_its_event_and_the_gap_before_it():
    """The gap is from the last folded event to the one that was not expected."""
    result = folded(TASKS, task(0, "t", "new"), task(5_000, "t", "on-hold"))
    event = {"event_id": "e2", "position": 2}
    gap = {"gap_from": at(0), "gap_to": at(5_000)}
    expected = Anomaly(kind=AnomalyKind.UNEXPECTED_TRANSITION, **event, **gap)
    assert [expected] == result.anomalies


def test_before_the_first_event_nothing_is_known():
    """The gap of a first event has no start."""
    result = folded(AGENTS, v1(0, "ann", "idle"))
    event, gap = {"event_id": "e1", "position": 1}, {"gap_from": None, "gap_to": at(0)}
    assert [Anomaly(kind=AnomalyKind.MISSING_LOGIN, **event, **gap)] == result.anomalies


def test_a_missing_wrapup_is_looked_for_in_the_hour():
    """No event raised it. The gap is the hour after the end, and the state has the anomaly."""
    result = folded(TASKS, *AT_WORK, until=2 * HOUR)
    event = {"event_id": None, "position": None}
    gap = {"gap_from": at(1_000), "gap_to": at(HOUR + 1_000)}
    expected = Anomaly(kind=AnomalyKind.WRAPUP_MISSING, **event, **gap)
    assert ([], [expected]) == (result.anomalies, result.state.standing_anomalies())
    assert 1 == view(TASKS, result)["anomalyCount"]


def test_a_second_end_leaves_the_gap_of_the_first_hour():
    """The anomaly was raised by the first hour, and that is over."""
    first = folded(TASKS, *AT_WORK, until=2 * HOUR).state.standing_anomalies()
    again = ended(HOUR + 5_000, "t", "Agent")
    assert first == folded(TASKS, *AT_WORK, again, until=4 * HOUR).state.standing_anomalies()


def test_where_nothing_is_missing_time_has_shown_nothing():
    """Agents and finished tasks have no such anomaly."""
    assert not folded(AGENTS, login(0, "ann"), until=2 * HOUR).state.standing_anomalies()
    done = (*AT_WORK, v1(2_000, "ann", "wrapup-done", "t"))
    assert not folded(TASKS, *done, until=2 * HOUR).state.standing_anomalies()


def test_what_time_has_shown_counts_beside_what_events_have():
    """When the task is reopened, that anomaly alone is withdrawn."""
    life = (task(-9, "t", "new"), *AT_WORK)  # nobody offered it
    assert 2 == folded(TASKS, *life, until=2 * HOUR).state.anomaly_count
    again = task(HOUR + 9_000, "t", "connect")
    assert 1 == folded(TASKS, *life, again, until=2 * HOUR).state.anomaly_count


def test_anomalies_are_counted():
    """The count goes on when the fold does."""
    first = folded(AGENTS, login(0, "ann"), login(1, "ann"), channel(2, "ann", "chat", "Odd"))
    assert 2 == view(AGENTS, first)["anomalyCount"]
    more = ordered(AGENTS, login(5, "ann"))
    assert 3 == fold(first.state, more).state.anomaly_count
