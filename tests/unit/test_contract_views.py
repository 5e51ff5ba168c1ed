"""The views of agents and tasks: what is null, what is hidden, and the order of lists."""

from __future__ import annotations

from projector.contract.events import event_row
from projector.projection.read_models import AGENTS, TASKS
from tests.examples import ORG, RECORDED, at, channel, ended, login, task, v1, v2
from tests.folds import folded, ordered, view


def test_one_who_never_had_a_session_has_an_empty_one():
    """The session is always an object; its fields are null where nothing is known."""
    it = view(AGENTS, folded(AGENTS, channel(0, "ann", "chat", "LoggedOut")))
    names = ("loginTime", "logoutTime", "loggedOutBy", "profileType", "destination")
    assert dict.fromkeys(names) == it["session"]


def test_an_idle_code_is_hidden_while_a_leg_is_open():
    """Its id and its name: the agent reads as connected, though the last word was idle."""
    bodies = [
        login(0, "ann"),
        v2(5, "ann", "connected", "t", on=("c", "chat")),
        v2(9, "ann", "idle", on=("d", "email"), idleCodeId="lunch", idleCodeName="Lunch"),
    ]
    it = view(AGENTS, folded(AGENTS, *bodies))
    seen = (it["status"], it["currentState"], it["idleCodeId"], it["idleCodeName"])
    assert ("connected", "idle", None, None) == seen


def test_legs_come_by_their_beginning_and_channels_by_name():
    """Of legs that began at once the smaller task comes first."""
    bodies = [
        login(0, "ann"),
        channel(1, "ann", "Telephony", "Idle"),
        channel(2, "ann", "CHAT", "Idle"),
        v1(5, "ann", "connected", "t-3"),
        v1(5, "ann", "connected", "t-2"),
        v1(3, "ann", "connected", "t-9"),
    ]
    it = view(AGENTS, folded(AGENTS, *bodies))
    assert ["t-9", "t-2", "t-3"] == [leg["taskId"] for leg in it["interactions"]]
    assert ["chat", "telephony"] == list(it["channels"])


def test_participants_come_as_they_joined():
    """Of those who joined at once the smaller id comes first."""
    bodies = [v1(5, name, "connected", "t") for name in ("cy", "bob")]
    it = view(TASKS, folded(TASKS, *bodies, v1(3, "dee", "connected", "t")))
    assert ["dee", "bob", "cy"] == [agent["agentId"] for agent in it["participants"]]


def test_one_back_at_work_takes_completion_back():
    """Within the hour a task that is no longer complete has no time of completion."""
    bodies = [task(0, "t", "connected"), ended(10, "t"), v1(20, "ann", "wrapup", "t")]
    first, then = (folded(TASKS, *bodies[:end]) for end in (2, 3))
    assert (True, at(10)) == (first.state.complete, first.state.completed_time)
    assert (False, None) == (then.state.complete, then.state.completed_time)


def test_an_event_of_the_log_is_told_whole():
    """With all three of its times, and the event whose fact it repeats."""
    body = v1(5, "ann", "idle", "t", id="e-9")
    (fetched,) = ordered(AGENTS, fetched=[body])
    assert {
        "position": 1,
        "id": "e-9",
        "type": "agent:state_change",
        "orgId": ORG,
        "agentId": "ann",
        "taskId": "t",
        "createdTime": at(5),
        "time": at(5),
        "timeSource": "created",
        "recordedTime": RECORDED,
        "origin": "reconciliation",
        "restates": 7,
    } == event_row(fetched, 7).model_dump(by_alias=True)
    assert None is event_row(fetched, None).restates
