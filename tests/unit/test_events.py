"""Events: the keys and fingerprints that are stored, and restatements."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from projector.domain.events import (
    bucket,
    event_key,
    fingerprint,
    restatements,
    states_fact_of,
)
from projector.projection.read_models import AGENTS, TASKS
from tests.examples import body, capture, channel, login, task, v1, v2
from tests.folds import folded, ordered


def repeated(table, *bodies, fetched=()):
    """The id of each restatement, with the id of the event that is folded instead."""
    events = ordered(table, *bodies, fetched=fetched)
    named = {recorded.position: recorded.event.id for recorded in events}
    return {named[again]: named[first] for again, first in restatements(events).items()}


# --- what the log holds ---


@pytest.mark.parametrize(
    ("discriminators", "expected"),
    [
        ((), "a309eea5-9b1a-5152-b061-7e7f271fa700"),
        ((5,), "0f8cf7f3-d5f8-5469-b74d-cd2f3f02996c"),
        ((None,), "8a41e3da-cb03-5043-8d00-cb31dafc8e40"),
    ],
)
def test_a_key_is_for_ever(discriminators, expected):
    """The log holds keys, and an event that comes again in a year must be recognized."""
    assert UUID(expected) == event_key("acme", "task:new", "e1", *discriminators)


def test_a_fingerprint_is_for_ever():
    """The log holds them, and a duplicate in a year must be no conflict; 16 bytes each."""
    expected = "fee3b36b79785a95356e7205700de4f5"
    assert expected == fingerprint({"b": [1, "é", None], "a": {}}).hex()


def test_a_bucket_is_for_ever():
    """The bucket of a subject is stored with its events; without a subject there is none."""
    assert [223, 7, 69, 236, None] == [
        bucket("agent", "acme", "ann"),
        bucket("task", "acme", "ann"),
        bucket("agent", "umbra", "ann"),
        bucket("agent", "acme", "bob"),
        bucket("agent", "acme", None),
    ]


# --- restatements ---


def test_the_first_in_order_says_it():
    """Of events with one fact the one with the smallest id is folded; the others restate it."""
    again = [v1(0, "ann", "idle", id=name) for name in ("c", "a", "b")]
    assert {"b": "a", "c": "a"} == repeated(AGENTS, *again)


def test_a_path_makes_two_facts_of_captures_alone():
    """Two recordings of one millisecond are two facts; of other events the path is no part."""
    captures = [capture(0, "t", "/a"), capture(0, "t", "/b"), capture(0, "t", "/a")]
    assert {"e3": "e1"} == repeated(TASKS, *captures)
    bodies = [v1(0, "ann", "idle", filePath=path) for path in ("/a", "/b")]
    assert {"e2": "e1"} == repeated(AGENTS, *bodies)


@pytest.mark.parametrize(
    ("time", "expected"), [(0, 1), (2_999, 2), (3_000, 1), (7_000, 1), (7_001, 2)]
)
def test_reconciliation_gives_way_within_two_seconds(time, expected):
    """Before and after the webhook, up to 2,000 ms and no more."""
    webhook, fetched = v1(5_000, "ann", "idle"), v1(time, "ann", "idle")
    if time == 0:
        fetched = v2(5_000, "ann", "idle")  # the other version says the same
    result = folded(AGENTS, webhook, fetched=[fetched])
    assert expected == result.state.event_count


@pytest.mark.parametrize(
    ("table", "webhook", "fetched"),
    [
        (AGENTS, v1(0, "ann", "idle"), v1(100, "ann", "available")),
        (AGENTS, v1(0, "ann", "connected", "t"), v1(100, "ann", "connected", "u")),
        (AGENTS, channel(0, "ann", "chat", "Idle"), channel(100, "ann", "email", "Idle")),
        (AGENTS, login(0, "ann"), v1(100, "ann", "idle")),
        (
            AGENTS,
            v1(0, "ann") | {"type": "agent:coffee"},
            v1(100, "ann") | {"type": "agent:tea"},
        ),
    ],
    ids=["word", "task", "channel-type", "kind", "type"],
)
def test_reconciliation_that_says_something_else_is_folded(table, webhook, fetched):
    """To be close in time is not enough."""
    assert 2 == folded(table, webhook, fetched=[fetched]).state.event_count


@pytest.mark.parametrize(
    ("table", "webhook", "fetched"),
    [
        (
            AGENTS,
            v2(0, "ann", "idle", on=("c", "chat"), filePath="/a"),
            v2(100, "ann", "idle", filePath="/b"),
        ),
        (TASKS, task(0, "t", "new", filePath="/a"), task(100, "t", "new", filePath="/b")),
        (TASKS, capture(0, "t", "/a"), capture(100, "t", "/a")),
        (TASKS, capture(0, "t", "/a"), capture(100, "t", "/b")),
        (TASKS, capture(0, "t", "/a"), body("capture:available", 100, taskId="t")),
    ],
    ids=["state", "task", "capture", "another path", "no path"],
)
def test_reconciliation_may_know_less(table, webhook, fetched):
    """Subject, task and word are enough to recognize the webhook's fact."""
    assert 1 == folded(table, webhook, fetched=[fetched]).state.event_count


A, B = {"idleCodeId": "a"}, {"idleCodeId": "b"}
PHONE, CHAT = ("c-phone", "telephony"), ("c-chat", "chat")


@pytest.mark.parametrize(
    ("webhook", "fetched", "expected"),
    [
        (v1(0, "ann", "idle", **A), v1(1_200, "ann", "idle", **B), 2),
        (v1(0, "ann", "idle", **A), v1(0, "ann", "idle", **B), 2),
        (v1(0, "ann", "idle", **A), v2(0, "ann", "idle", **B), 2),
        (v1(0, "ann", "idle", **A), v2(1_200, "ann", "idle", **A), 1),
        (v1(0, "ann", "idle", **A), v1(1_200, "ann", "idle"), 1),
        (v1(0, "ann", "idle"), v1(1_200, "ann", "idle", **B), 1),
        (v2(0, "ann", "idle", on=PHONE), v2(1_200, "ann", "idle", on=CHAT), 2),
        (v2(0, "ann", "idle", on=PHONE), v2(1_200, "ann", "idle", on=PHONE), 1),
        (v2(0, "ann", "idle", on=PHONE), v1(1_200, "ann", "idle"), 1),
        (v1(0, "ann", "idle"), v2(1_200, "ann", "idle", on=CHAT), 1),
        (v2(0, "ann", "idle", on=PHONE, **A), v2(1_200, "ann", "idle", on=PHONE, **B), 2),
        (login(0, "ann", **A), login(1_200, "ann", **B), 1),
    ],
    ids=range(12),
)
def test_another_idle_code_or_channel_is_another_fact(webhook, fetched, expected):
    """Where both events carry one, whichever id is smaller; a login is one, whatever its code."""
    for first, second in ("ab", "ba"):
        result = folded(AGENTS, webhook | {"id": first}, fetched=[fetched | {"id": second}])
        assert expected == result.state.event_count


def test_a_reconciled_event_gives_way_to_the_webhook_with_its_code():
    """Of the webhooks within two seconds, and not to the closest one."""
    webhooks = [v1(0, "ann", "idle", **A), v1(1_000, "ann", "idle", **B)]
    fetched = [v1(900, "ann", "idle", **A), v1(1_300, "ann", "idle", idleCodeId="c")]
    assert {"e3": "e1"} == repeated(AGENTS, *webhooks, fetched=fetched)


def test_two_idle_codes_of_one_moment_are_told_apart_by_origin():
    """Webhooks restate each other whatever their codes; a reconciled code stands beside them."""
    webhooks = [v1(0, "ann", "idle", **A), v1(0, "ann", "idle", **B)]
    fetched = [v1(0, "ann", "idle", idleCodeId="c"), v1(0, "ann", "idle", idleCodeId="d")]
    assert {"e2": "e1", "e4": "e3"} == repeated(AGENTS, *webhooks, fetched=fetched)


def test_what_states_a_reconciled_fact_has_no_other_code_or_channel():
    """The one question that reconciliation asks before it appends."""
    (webhook,) = ordered(AGENTS, v1(0, "ann", "idle", **A))
    (fetched,) = ordered(AGENTS, v2(0, "ann", "Idle", on=CHAT))
    assert states_fact_of(webhook.event, fetched.event)
    assert not states_fact_of(webhook.event, replace(fetched.event, idle_code_id="b"))
    (of_phone,) = ordered(AGENTS, v2(0, "ann", "Idle", on=PHONE))
    assert not states_fact_of(of_phone.event, fetched.event)


@pytest.mark.parametrize(
    ("apart_ms", "restates"), [(-2_001, False), (-2_000, True), (2_000, True), (2_001, False)]
)
def test_a_webhook_states_a_reconciled_fact_within_two_seconds(apart_ms, restates):
    """Before it or after it."""
    webhook, fetched = v1(10_000 + apart_ms, "ann", "idle"), v1(10_000, "ann", "idle")
    assert restates == bool(repeated(AGENTS, webhook, fetched=[fetched]))


def test_reconciliation_does_not_give_way_to_reconciliation():
    """Two reconciled events, one second apart, are two facts."""
    fetched = [v1(0, "ann", "idle"), v1(1_000, "ann", "idle")]
    assert 2 == folded(AGENTS, fetched=fetched).state.event_count
