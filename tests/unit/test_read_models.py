"""The facets by which lists find a view."""

from __future__ import annotations

from projector.projection.read_models import AGENTS, TASKS
from tests.examples import at, channel, ended, login, logout, task, v1, v2
from tests.folds import folded

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
    }
    assert open_task == TASKS.facets(folded(TASKS, *bodies).state)
    failed = {"status": ["failed"], "currentState": ["failed"], "open": ["false"]}
    assert open_task | failed == TASKS.facets(folded(TASKS, *bodies, task(20, "t", "failed")).state)


def test_a_complete_task_is_not_open():
    """Whatever ended it."""
    facets = TASKS.facets(folded(TASKS, task(0, "t", "new"), ended(5, "t")).state)
    assert (["abandoned"], ["false"]) == (facets["status"], facets["open"])


def test_a_task_is_also_found_as_it_will_be_after_its_deadline():
    """An hour after its end. To compute that state does not change the present one."""
    state = folded(
        TASKS, task(0, "t", "connected"), v1(1, "ann", "connected", "t"), ended(5, "t")
    ).state
    after_deadline = TASKS.facets(TASKS.state_at_deadline(state))
    assert (["completed"], ["false"]) == (after_deadline["status"], after_deadline["open"])
    now = TASKS.facets(state)
    assert (["assigned"], ["true"]) == (now["status"], now["open"])
    assert at(5) + HOUR == state.deadline()
    assert 0 == state.anomaly_count


def test_without_a_deadline_there_is_no_state_after_it():
    """Agents have none, and tasks that have not ended have none."""
    assert None is AGENTS.state_at_deadline(folded(AGENTS, login(0, "ann")).state)
    assert None is TASKS.state_at_deadline(folded(TASKS, task(0, "t", "new")).state)
