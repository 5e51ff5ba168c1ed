"""The captured webhooks are what they claim to be."""

from collections import Counter

import pytest

from projector.cli import recorded_demo as demo
from projector.webex.simulator import captured_webhooks as captured

DOCUMENTED = {
    *("agent:login", "agent:logout", "agent:state_change", "agent:channel_state_change"),
    *("agent:channelType_state_change", "capture:available", "task:new", "task:parked"),
    *("task:connect", "task:connected", "task:on-hold", "task:hold-done", "task:consulting"),
    *("task:consult-done", "task:conferencing", "task:conference-done", "conference-done"),
    *("task:conference-transferred", "conference-transferred", "task:origin-updated"),
    *("task:ended", "task:failed", "task-message:appended", "task-message:append-failed"),
}


@pytest.mark.parametrize("body", captured.ALL, ids=lambda body: body["type"])
def test_every_body_is_a_whole_envelope(body):
    """Fields that the captures had lost have been filled in."""
    assert body["id"]
    assert body["type"]
    assert body["specversion"] == "1.0"
    assert body["source"].startswith("/com/cisco/wxcc/")
    assert body["datacontenttype"] == "application/json"
    assert body.get("comciscoorgid") or body.get("comciscocorgid")
    assert body["data"].get("agentId") or body["data"].get("taskId")


def test_every_documented_type_has_an_example():
    assert {body["type"] for body in captured.ALL} == DOCUMENTED


def test_no_two_events_share_their_key():
    """So that none is a duplicate of, or in conflict with, another."""
    keys = Counter(
        (body.get("comciscoorgid", body.get("comciscocorgid")), body["type"], body["id"])
        for body in captured.ALL
    )
    assert max(keys.values()) == 1


def test_every_event_has_a_time_of_its_own_or_a_stamp():
    """So the order of arrival changes nothing."""
    for body in captured.ALL:
        assert "createdTime" in body["data"] or "comciscotimestamp" in body


def test_one_time_keeps_the_twelve_digits_of_the_page():
    times = [body["data"].get("createdTime", captured.GUIDE_TIME) for body in captured.ALL]
    assert [time for time in times if time < 10**12] == [160269666391]


def test_the_end_of_a_chat_comes_just_before_the_wrapup():
    wrapup, ended = (body["data"]["createdTime"] for body in captured.CHAT_END)
    assert wrapup - ended == 47


def test_the_demo_posts_every_event_and_some_again():
    """Single and in arrays, in an order that is equal each time."""
    groups = [*demo.groups()]
    sent = Counter(body["id"] + body["type"] + str(body["data"]) for g in groups for body in g)
    assert len(sent) == len(captured.ALL)
    assert sent.total() == len(captured.ALL) + demo.REPEATED
    assert {len(group) for group in groups} >= {1, 3, 8}
    assert groups == [*demo.groups()]
