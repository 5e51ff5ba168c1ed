"""Child contacts: a call that goes on, and in it an unmarked consult to an entry point."""

from __future__ import annotations

from typing import Any

from projector.webex import api_rows as rows
from projector.webex.api_events import ApiEvent, Certainty
from projector.webex.task_events import task_events

NOW = 1_795_000_000_000
ORG = "acme"
WORDS = (
    *("new", "connect", "connected", "consult", "on-hold", "consulting"),  # the task's own
    *("new", "connect", "connected", "consult-done", "ended"),  # the child's, but for consult-done
    "hold-done",
)
OF_CHILD = {6, 7, 8, 10}


def consult() -> list[dict[str, Any]]:
    """A call that goes on, in it a consult to an entry point; nothing is marked."""
    return [
        {
            "id": f"t1-{NOW + at * 10_000}-{word}",
            "eventName": word,
            "createdTime": NOW + at * 10_000,
        }
        for at, word in enumerate(WORDS)
    ]


def sure(activities: list[dict[str, Any]]) -> set[int]:
    task = {"id": "t1", "isActive": True, "endedTime": -1, "activities": activities}
    events = task_events(
        [it for it in rows.read_task_details(task) if not isinstance(it, rows.UnusableRow)],
        org_id=ORG,
        now=NOW + 10**6,
    )
    return {
        (it.time - NOW) // 10_000
        for it in events
        if isinstance(it, ApiEvent) and it.certainty is Certainty.SURE
    }


def test_a_list_that_lacks_its_oldest_rows_does_not_make_the_childs_rows_sure():
    """The first beginning that came may be the consult's."""
    assert not OF_CHILD & sure(consult()[5:])


def test_an_unreadable_first_row_does_not_make_the_childs_rows_sure():
    """It is known to be a beginning, so the next one may be the consult's."""
    activities = consult()
    activities[0]["createdTime"] = None
    assert not OF_CHILD & sure(activities)


def test_an_unreadable_first_row_of_the_child_does_not_make_its_other_rows_sure():
    """The beginning of the consult cannot be read."""
    activities = consult()
    activities[6]["createdTime"] = None
    assert not OF_CHILD & sure(activities)


def test_a_child_without_a_row_of_its_beginning_is_doubtful():
    """A row of a shared word amid a consult is a sign by itself."""
    assert not OF_CHILD & sure([it for at, it in enumerate(consult()) if at != 6])


def test_a_mark_on_some_of_the_childs_rows_does_not_make_the_others_sure():
    """The end lacks the mark."""
    activities = consult()
    for at in (6, 7, 8):
        activities[at]["childContactId"] = "child"
    assert not OF_CHILD & sure(activities)
