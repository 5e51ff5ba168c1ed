"""Names in the vendor's rows: whatever stands beside an id."""

from __future__ import annotations

from typing import Any

import pytest

from projector.webex.row_names import names_in


def test_an_activity_names_its_ids():
    row = {
        "agentId": "a",
        "agentName": " John Smith ",
        "siteId": "s",
        "siteName": "Austin",
        "teamId": "t",
        "teamName": "email",
        "idleCode": "i",
        "idleCodeName": "Break",
        "queueId": "q",
        "queueName": "Support Queue",
        "taskId": "x",
    }
    assert {
        ("agent", "a", "John Smith"),
        ("site", "s", "Austin"),
        ("team", "t", "email"),
        ("idleCode", "i", "Break"),
        ("queue", "q", "Support Queue"),
    } == {*names_in([row])}


def test_a_session_names_what_its_activities_name():
    node = {
        "idleCode": {"id": "i", "name": "Break"},
        "queue": {"id": "q", "name": "Support"},
        "wrapupCode": {"id": "w", "name": "Sale"},
    }
    session = {
        "agentId": "a",
        "agentName": "Ann",
        "channelInfo": [{"channelId": "c", "activities": {"nodes": [node, {"queue": None}]}}],
    }
    assert {
        ("agent", "a", "Ann"),
        ("idleCode", "i", "Break"),
        ("queue", "q", "Support"),
        ("wrapUpCode", "w", "Sale"),
    } == {*names_in(session)}


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        "agentId",
        {"agentId": "a"},
        {"agentName": "Ann"},
        {"agentId": "a", "agentName": None},
        {"agentId": "a", "agentName": "  "},
        {"agentId": "", "agentName": "Ann"},
        {"agentId": 7, "agentName": "Ann"},
        {"agentId": "a", "agentName": ["Ann"]},
        {"agentId": "a", "agentName": "A\0nn"},
        {"agentId": "a", "agentName": "A\ud800nn"},
        {"agentId": "a", "agentName": "A" * 513},
        {"queue": {"id": None, "name": "Support"}},
        {"queue": {"id": "q" * 513, "name": "Support"}},
    ],
    ids=str,
)
def test_what_names_nothing(row: Any):
    assert [] == [*names_in(row)]
