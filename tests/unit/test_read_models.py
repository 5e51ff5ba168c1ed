"""The facets by which lists find a view."""

from __future__ import annotations

from dataclasses import replace

from projector.domain.fold import fold
from projector.projection.read_models import AGENTS, TASKS
from tests.examples import at, channel, ended, login, logout, task, v1, v2
from tests.folds import folded, ordered

HOUR = 3_600_000


def test_a_busy_agent_is_found_by_legs_and_channels():
    """By the queue of the leg that gives the status, and by each type of channel in use."""
    state = folded(
        AGENTS,
        login(0, "ann"),
        channel(1, "ann", "email", "Idle"),
        channel(2, "ann", "Chat", "Engaged"),
        v2(5, "ann", "connected", "t", on=("c", "telephony"), queueId="q-1"),
        v2(6, "ann", "ringing", "u", on=("d", "chat"), queueId="q-2"),
        v1(7, "ann", "wrapup", "v"),
    ).state
    assert {
        "status": ["connected"],
        "currentState": ["wrapup"],
        "teamId": ["team-1"],
        "queueId": ["q-1"],
        "channelType": ["chat", "email", "telephony"],
        "loggedIn": ["true"],
    } == AGENTS.facets(state)


def test_a_facet_without_a_value_is_an_empty_list():
    """So no filter of that name finds the view."""
    state = folded(AGENTS, logout(0, "ann", "AGENT")).state
    assert {
        "status": ["logged-out"],
        "currentState": ["logged-out"],
        "teamId": [],
        "queueId": [],
        "channelType": [],
        "loggedIn": ["false"],
    } == AGENTS.facets(state)


def test_a_task_is_found_by_its_agents_while_open_or_not():
    """By all agents that took part, in order."""
    bodies = [
        task(0, "t", "new", queueId="q-1"),
        v1(5, "bob", "ringing", "t"),
        v1(6, "bob", "not-responding", "t"),
        v1(9, "ann", "connected", "t"),
    ]
    open_task = {
        "status": ["created"],
        "currentState": ["new"],
        "queueId": ["q-1"],
        "channelType": ["telephony"],
        "direction": ["INBOUND"],
        "agentId": ["ann", "bob"],
        "open": ["true"],
        "stale": ["false"],
    }
    assert open_task == TASKS.facets(folded(TASKS, *bodies).state)
    failed = {"status": ["failed"], "currentState": ["failed"], "open": ["false"]}
    assert open_task | failed == TASKS.facets(folded(TASKS, *bodies, task(20, "t", "failed")).state)


def test_a_complete_task_is_not_open():
    """Whatever ended it."""
    facets = TASKS.facets(folded(TASKS, task(0, "t", "new"), ended(5, "t")).state)
    assert (["abandoned"], ["false"]) == (facets["status"], facets["open"])


def test_a_task_is_also_found_as_it_will_be_after_its_deadline():
    """An hour after its end. To compute that changes nothing of the present state."""
    state = folded(
        TASKS, task(0, "t", "connected"), v1(1, "ann", "connected", "t"), ended(5, "t")
    ).state
    before = TASKS.dump(state)
    outlook = TASKS.outlook(state)
    [stage] = outlook.stages
    assert (["completed"], ["false"]) == (stage.facets["status"], stage.facets["open"])
    assert at(5) + HOUR == stage.time == state.deadline() == outlook.anomaly_time
    assert ["wrapup-missing"] == [it.kind for it in outlook.anomalies]
    assert (before, 0) == (TASKS.dump(state), state.anomaly_count)


def test_an_agent_is_also_found_as_each_deadline_will_leave_it():
    """The ring ends, then the call, then the session: one after the other."""
    bodies = [
        login(0, "ann"),
        v2(1, "ann", "connected", "t", ("c-1", "telephony")),
        v2(2, "ann", "ringing", "u", ("c-2", "chat")),
    ]
    events = [replace(it, recorded_time=it.time + 1) for it in ordered(AGENTS, *bodies)]
    state = fold(AGENTS.fresh(), events).state
    stages = AGENTS.outlook(state).stages
    hours = [(it.time - at(0)) // HOUR for it in stages]
    assert [1, 12, 24] == hours
    shown = [it.facets["status"] for it in stages]
    assert [["connected"], ["unknown"], ["logged-out"]] == shown
    kinds = [it.kind.value for it in AGENTS.outlook(state).anomalies]
    assert ["overdue", "overdue", "missing-logout"] == kinds
    assert 2 == len(state.legs)


def test_without_a_deadline_nothing_is_ahead():
    """An agent who is logged out, and a task that has failed."""
    for table, *bodies in (
        (AGENTS, login(0, "ann"), logout(1, "ann", "SELF")),
        (TASKS, task(0, "t", "new"), task(1, "t", "failed")),
    ):
        outlook = table.outlook(folded(table, *bodies).state)
        assert ([], [], None) == (outlook.stages, outlook.anomalies, outlook.anomaly_time)
        assert outlook.stages_to_json() is outlook.anomalies_to_json() is None
