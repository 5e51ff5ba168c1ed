"""Why bytes make no event: the reason says what is wrong, and with which name."""

from __future__ import annotations

import codecs
import json

import pytest

from projector.domain.events import Kind
from projector.webex.json_body import Delivery, is_too_deep, read_delivery, read_element
from projector.webex.webhook import Unusable, judge

NOW = 1_800_000_000_000
SOUND = {
    "id": "e1",
    "type": "agent:login",
    "comciscoorgid": "acme",
    "data": {"agentId": "ann", "taskId": "t", "currentState": "idle"},
}
WRONG = {"no": "", "too-long": "x" * 513, "unsound": "a\0"}


def judged(element):
    body = json.dumps(element).encode()
    return judge(body, read_element(body), now=NOW, default_org=None)


def with_name(name, value):
    """An element with one name changed: an event of a task, if that name is the task's."""
    if name == "taskId":
        changed = {"type": "task:new", "data": SOUND["data"] | {name: value}}
    elif name == "agentId":
        changed = {"data": SOUND["data"] | {name: value}}
    elif name == "comciscocorgid":
        changed = {"comciscoorgid": None, name: value}
    else:
        changed = {name: value}
    return SOUND | changed


@pytest.mark.parametrize("defect", WRONG)
@pytest.mark.parametrize(
    ("name", "reason_name"),
    [
        ("id", "id"),
        ("type", "type"),
        ("comciscoorgid", "organisation"),
        ("comciscocorgid", "organisation"),
        ("agentId", "agent-id"),
        ("taskId", "task-id"),
    ],
)
def test_the_reason_says_which_name_is_wrong_and_how(name, reason_name, defect):
    """An operator reads it; the bytes are unchanged."""
    element = with_name(name, WRONG[defect])
    expected = Unusable(body=json.dumps(element).encode(), reason=f"{defect}-{reason_name}")
    assert expected == judged(element)


def test_a_name_of_many_bytes_is_too_long():
    """Bytes count, not characters."""
    assert "too-long-id" == judged(SOUND | {"id": "é" * 257}).reason


def nested(depth, kind, core):
    value = core
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
def test_what_nests_too_deep_is_unusable(kind):
    """Arrays and objects alike, in any field."""
    assert "nested-too-deep" == judged(SOUND | {"more": nested(500, kind, 1)}).reason
    assert not isinstance(judged(SOUND | {"more": nested(250, kind, 1)}), Unusable)


@pytest.mark.parametrize("kind", [list, dict])
@pytest.mark.parametrize(("depth", "expected"), [(300, False), (302, True)])
def test_the_limit_of_nesting_is_300(depth, expected, kind):
    """As the docs say."""
    value = nested(depth, kind, 1)
    assert expected is is_too_deep(json.dumps(value).encode(), value)


def test_a_capture_of_any_type_needs_its_task():
    """As task:* does; without it there is no subject."""
    capture = SOUND | {"type": "capture:deleted", "data": {"agentId": "ann"}}
    assert "no-task-id" == judged(capture).reason


def test_types_of_nobodys_family_are_events_without_a_word():
    """They are stored in the log, and change no state."""
    event = judged(SOUND | {"type": "flow:error"}).event
    assert (Kind.OTHER, None) == (event.kind, event.word)
    coffee = judged(SOUND | {"type": "agent:coffee"}).event
    assert (Kind.AGENT_OTHER, "idle") == (coffee.kind, coffee.word)  # only to tell facts apart


def test_a_tasks_word_is_all_behind_its_family():
    """A type that only ends like a known one is not that one."""
    assert "later:connected" == judged(SOUND | {"type": "task:later:connected"}).event.word


@pytest.mark.parametrize("body", [b"[1]x", b"[1]]", b"[]]", b"[] 1", b"[1],"])
def test_nothing_may_follow_an_array(body):
    """Not even one character."""
    assert Delivery(unreadable=(body,)) == read_delivery(body)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_mark_before_a_raw_surrogate_makes_no_difference(mark):
    """Lone surrogates are legal in values, however the body begins."""
    assert {"a": "\ud800"} == read_element(mark + b'{"a":"\xed\xa0\x80"}')
