"""Events of tasks: what a row of the vendor's states, and of which contact."""

from __future__ import annotations

import json
from typing import Any

import pytest

from projector.webex import api_rows as rows
from projector.webex.api_events import ApiEvent, Certainty
from projector.webex.task_events import task_events

NOW = 1_795_000_000_000
ORG = "acme"


def task(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"id": "t1", "channelType": "telephony", "origin": "+1", "destination": "+2",
             "direction": "inbound", "terminatingEnd": "Customer"}  # fmt: skip
    return about | {"activities": [*nodes]} | more


def task_row(word: str, time: int, **more: Any) -> dict[str, Any]:
    return {"id": f"t1-{NOW + time}-{word}", "eventName": word, "createdTime": NOW + time, **more}


def of_task(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The bodies of the events of a task."""
    events = task_events(rows.read_task_details(task), org_id=ORG, now=NOW + 10**6)
    return [json.loads(it.offered.body) for it in events if isinstance(it, ApiEvent)]


def test_an_event_of_a_task_holds_what_was_true_at_its_time():
    """The origin at the beginning, and at each end who ended it; the last as the task says."""
    new, queued, first, last = of_task(
        task(
            task_row("new", 0),
            task_row("parked", 1, queueId="q1"),
            task_row("ended", 2, terminationReason="Agent Left"),
            task_row("ended", 3, terminationReason="Customer Left"),
        )
    )
    assert ("task:new", "+1", "+2") == (
        new["type"], new["data"]["origin"], new["data"]["destination"])  # fmt: skip
    assert ({"taskId", "channelType", "queueId", "direction", "createdTime"}) == {*queued["data"]}
    assert ("INBOUND", "q1") == (queued["data"]["direction"], queued["data"]["queueId"])
    parties = [(it["data"]["terminatingParty"], it["data"]["reason"]) for it in (first, last)]
    assert [("Agent", "Agent Left"), ("Customer", "Customer Left")] == parties


@pytest.mark.parametrize(
    ("reason", "party"),
    [
        ("RONA Timer Expired", "System"),
        ("Customer Left", "Customer"),
        ("Agent Left", "Agent"),
        (None, None),
    ],
)
def test_who_ended_a_part_follows_from_the_reason(reason, party):
    """The row of the task is about its last end only."""
    parts = task(task_row("ended", 1, terminationReason=reason), task_row("ended", 2))
    assert party == of_task(parts)[0]["data"].get("terminatingParty")


def test_a_callback_has_a_direction_at_its_end_alone():
    """The row holds the last direction; before, it was another one."""
    bodies = of_task(
        task(
            task_row("new", 0), task_row("connect", 5), task_row("ended", 9),
            direction="outbound", isCallback=True,
        )
    )  # fmt: skip
    assert [None, None, "OUTBOUND"] == [it["data"].get("direction") for it in bodies]
    assert "COURTESY_CALLBACK" == bodies[2]["data"]["outboundType"]


def test_what_no_webhook_has_is_no_event():
    """Treatments, starts of recordings and wrap-ups of a task are none; captures are events."""
    names = ["flow-activity", "recording-started", "WrapUp", "recording-available"]
    found = of_task(task(*(task_row(word, time) for time, word in enumerate(names))))
    assert ["capture:available"] == [it["type"] for it in found]


# --- consults to an entry point or queue ---

# As in the vendor's samples: the rows of the consult's own contact among those of the task.
CONSULT = ["new", "connect", "connected", "on-hold", "consulting", "new", "connect", "connected",
           "consult-done", "ended", "hold-done", "ended", "WrapUp"]  # fmt: skip
CHILD = {5, 6, 7, 9}


def certainties(marked: set[int], words: list[str] = CONSULT, **more: Any) -> list[str]:
    """How sure each row of a task with a consult is, where some rows are marked."""
    listed = [
        task_row(word, 1_000 * at, childContactId="child" if at in marked else None)
        for at, word in enumerate(words)
    ]
    last_end = max(at for at, word in enumerate(words) if word == "ended")
    about = {"isActive": False, "endedTime": NOW + 1_000 * last_end} | more
    events = task_events(
        rows.read_task_details(task(*listed, **about)), org_id=ORG, now=NOW + 10**6
    )
    return [f"{it.offered.event.word} {it.certainty}" for it in events if isinstance(it, ApiEvent)]


def test_marked_rows_of_a_consult_are_those_of_its_own_contact():
    """Where the vendor marks them, all others are the task's."""
    found = certainties(CHILD)
    assert ["new of-child", "connect of-child", "connected of-child"] == found[5:8]
    assert ["consult-done sure", "ended of-child", "hold-done sure", "ended sure"] == found[8:]
    assert 4 == sum("of-child" in it for it in found)


def test_a_mark_says_nothing_of_unmarked_rows():
    """The consult's end may lack it."""
    assert "ended doubtful" == certainties(CHILD - {9})[9]


@pytest.mark.parametrize("lost", [{"arePart": True}, {"activities": [{"eventName": "new"}]}])
def test_of_a_list_that_came_in_part_shared_words_are_doubtful(lost):
    """The sign of a consult may be among what did not come, or among rows that cannot be read."""
    words = ["connect", "connected", "hold-done", "ended"]
    listed = [task_row(word, 1_000 * at) for at, word in enumerate(words)]
    one = task(*listed, *lost.get("activities", []), isActive=True) | {
        name: it for name, it in lost.items() if name == "arePart"
    }
    events = task_events(
        [it for it in rows.read_task_details(one) if isinstance(it, rows.TaskActivity)],
        org_id=ORG,
        now=NOW + 10**6,
    )
    found = [f"{it.offered.event.word} {it.certainty}" for it in events if isinstance(it, ApiEvent)]
    assert ["connect doubtful", "connected doubtful", "hold-done sure", "ended doubtful"] == found


@pytest.mark.parametrize("marked", [set(), {5}])
def test_unmarked_rows_of_a_consult_are_doubtful(marked):
    """Only the second beginning tells itself, and the end that the task has."""
    found = certainties(marked)
    assert ["new of-child", "connect doubtful", "connected doubtful"] == found[5:8]
    assert ["consult-done sure", "ended doubtful", "hold-done sure", "ended sure"] == found[8:]
    assert {"sure"} == {it.split()[-1] for it in found[:5]}


def test_an_end_is_doubtful_while_the_task_goes_on():
    """It may be that of the consult."""
    going_on = certainties(set(), CONSULT[:10], isActive=True, endedTime=None)
    assert "ended doubtful" == going_on[-1]


def test_a_mark_at_the_consult_itself_is_a_sign_only():
    """The row is the task's own: it names the contact that it leads to."""
    found = certainties({4})
    assert ["consulting sure", "new of-child", "connect doubtful"] == found[4:7]


def test_a_row_with_another_tasks_id_is_of_that_task():
    """The vendor makes the id of a row of the contact's id."""
    foreign = task_row("ended", 5) | {"id": f"t2-{NOW + 5}-ended"}
    events = task_events(
        rows.read_task_details(task(task_row("new", 0), foreign)), org_id=ORG, now=NOW + 10**6
    )
    assert [Certainty.SURE, Certainty.OF_CHILD] == [it.certainty for it in events]


def test_after_the_consult_the_rows_are_the_tasks_own():
    """A call that is transferred to the consulted agent is connected again."""
    words = [*CONSULT[:8], "ConsultTransfer", "Transferred", "connected", "ended", "ended"]
    assert ["connected sure", "ended doubtful", "ended sure"] == certainties(set(), words)[-3:]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("inbound", ("INBOUND", None)),
        ("OUTBOUND", ("OUTBOUND", None)),
        ("outdial", ("OUTBOUND", "OUTDIAL")),
    ],
)
def test_an_outdial_is_outbound(direction, expected):
    """In webhooks it is a type of outbound task."""
    [body] = of_task(task(task_row("new", 0), direction=direction))
    assert expected == (body["data"]["direction"], body["data"].get("outboundType"))
