"""Every event in every state: nothing raises, and the result is the one that the page states."""

from __future__ import annotations

import pytest

from projector.domain.fold import fold
from projector.domain.state_names import AGENT_WORDS
from projector.projection.read_models import TASKS
from projector.webex.simulator.captured_webhooks import GUIDE
from tests.conftest import slow
from tests.examples import (
    NOW,
    RECORDED,
    body,
    capture,
    channel,
    ended,
    login,
    logout,
    story,
    v1,
    v2,
)
from tests.examples import task as step
from tests.laws.memory import MemoryLog, answers, deliver_all, oracle_answers
from tests.oracle import Oracle

# --- tasks ----------------------------------------------------------------------------------------

OPENING = ("new", "parked", "connect", "connected", "on-hold", "consulting", "conferencing")
TASK_STATES = {word: [step(0, "t", word)] for word in OPENING} | {
    "unknown": [capture(0, "t", "/first")],
    "ended": [step(0, "t", "connected"), ended(1, "t")],
    "failed": [step(0, "t", "failed")],
}
STAYS = None
# What follows, from a state that is not over and from one that is (semantics 5).
TASK_STEPS = {word: (step(9, "t", word), word, word) for word in OPENING} | {
    "hold-done": (step(9, "t", "hold-done"), "connected", STAYS),
    "conference-done": (step(9, "t", "conference-done"), "connected", STAYS),
    "conference-transferred": (step(9, "t", "conference-transferred"), "connected", STAYS),
    "consult-done": (step(9, "t", "consult-done"), "on-hold", STAYS),
    "ended": (ended(9, "t"), "ended", "ended"),
    "RONA": (ended(9, "t", "system", "Rona Timer Expired"), STAYS, STAYS),
    "failed": (step(9, "t", "failed"), "failed", "failed"),
    "origin-updated": (step(9, "t", "origin-updated"), STAYS, STAYS),
    "capture": (capture(9, "t", "/x"), STAYS, STAYS),
    "another word": (step(9, "t", "customer-left"), STAYS, STAYS),
    "an agent's word": (v1(9, "ann", "connected", "t"), STAYS, STAYS),
}


@pytest.mark.parametrize("before", TASK_STATES)
@pytest.mark.parametrize("word", TASK_STEPS)
def test_every_event_of_a_task_in_every_state(before, word):
    """The table of semantics 5, cell by cell; and all else as the oracle says."""
    event, while_open, once_over = TASK_STEPS[word]
    bodies = story(*TASK_STATES[before], event)
    (events,) = deliver_all(MemoryLog(), bodies, RECORDED).of(TASKS).values()
    leads_to = once_over if before in ("ended", "failed") else while_open
    assert (leads_to or before) == fold(TASKS.fresh(), events).state.current_state
    assert_as_the_oracle_says(bodies)


AT_WORK = {
    *("connected", "on-hold", "hold-done", "consulting", "conferencing", "conference-done"),
    "wrapup",
}


@pytest.mark.parametrize("word", sorted({*AGENT_WORDS, "Odd_Word"}))
def test_an_ended_task_is_complete_where_nobody_is_at_work(word):
    """Each agent word of semantics 5, said before the end and after it."""
    for bodies in (
        [v1(1, "ann", word, "t"), ended(2, "t")],
        [ended(2, "t"), v1(3, "ann", word, "t")],
    ):
        (events,) = deliver_all(MemoryLog(), story(*bodies), RECORDED).of(TASKS).values()
        assert (word not in AT_WORK) is fold(TASKS.fresh(), events).state.complete


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *[(word, "completed") for word in ("connected", "on-hold", "hold-done", "consulting")],
        ("conferencing", "completed"),
        *[(word, "completed") for word in ("consult-done", "conference-done")],
        ("conference-transferred", "completed"),
        *[(word, "abandoned") for word in ("new", "parked", "connect", "origin-updated")],
    ],
)
def test_a_task_once_in_conversation_is_completed_else_abandoned(word, status):
    """The words that count as a conversation, each alone before the end."""
    bodies = story(step(0, "t", word), ended(9, "t"))
    (events,) = deliver_all(MemoryLog(), bodies, RECORDED).of(TASKS).values()
    assert status == fold(TASKS.fresh(), events).state.status()


# --- agents ---------------------------------------------------------------------------------------

WORDS = sorted({*AGENT_WORDS, "Odd_Word"})
PHONE, CHAT = ("c-1", "telephony"), ("c-2", "chat")
SESSIONS = {
    "never seen": [],
    "logged in": [login(0, "ann")],
    "logged out": [login(0, "ann"), v2(1, "ann", "wrapup", "t", PHONE), logout(2, "ann", "AGENT")],
    "known by a channel": [channel(0, "ann", "chat", "Engaged")],
    "logged out of a channel": [channel(0, "ann", "chat", "LoggedOut")],
}
WITHOUT_A_TASK = {f"{word}": [login(0, "ann"), v1(1, "ann", word)] for word in WORDS}
ON_A_TASK = {
    f"{word} on a task": [login(0, "ann"), v2(1, "ann", word, "t", PHONE)] for word in WORDS
}
ON_TWO = {
    f"{word} beside a chat": [*bodies, v2(2, "ann", "connected", "t2", CHAT)]
    for word, bodies in ON_A_TASK.items()
}
AGENT_STATES = SESSIONS | WITHOUT_A_TASK | ON_A_TASK | ON_TWO
NAMES = [*(SESSIONS | WITHOUT_A_TASK), *slow(*(ON_A_TASK | ON_TWO))]
AGENT_STEPS = [
    login(9, "ann", "Available"),
    logout(9, "ann", "SYSTEM"),
    body("agent:login", 9, agentId="ann"),
    body("agent:coffee", 9, agentId="ann", currentState="idle"),
    *[channel(9, "ann", "chat", word) for word in ("Available", "LoggedOut", "Dreaming")],
    body("agent:channelType_state_change", 9, agentId="ann", channelType="chat"),
    v1(9, "ann", None, "t", idleCodeId="lunch"),
    *[v1(9, "ann", word) for word in WORDS],
    *[v2(9, "ann", word) for word in WORDS],
    *[v2(9, "ann", word, None, PHONE) for word in WORDS],
    *[v1(9, "ann", word, "t") for word in WORDS],
    *[v2(9, "ann", word, "t", PHONE) for word in WORDS],
    *[v2(9, "ann", word, "t3", PHONE) for word in WORDS],
    *[v1(9, "ann", word, "t", connectedChannels=[]) for word in WORDS],
    *[v1(9, "ann", word, connectedChannels=["c-2"]) for word in WORDS],
]


@pytest.mark.parametrize("before", NAMES)
def test_every_event_of_an_agent_in_every_state(before):
    """View, intervals and anomalies of the agent and of its tasks."""
    for event in AGENT_STEPS:
        assert_as_the_oracle_says(story(*AGENT_STATES[before], event))


def assert_as_the_oracle_says(bodies):
    expected = oracle_answers(deliver_all(Oracle(), bodies, RECORDED), NOW)
    assert expected == answers(deliver_all(MemoryLog(), bodies, RECORDED), NOW), bodies


# --- the guide ------------------------------------------------------------------------------------

GUIDE_RECORDED = 1_900_000_000_000


SHOWN = {
    # agents: status, what else the example tells, events
    "8e18afd-db79-449b-b4f5-ae4f1d49f45e": (
        "idle",
        {"idleCodeId": "5", "destination": "31476521"},
        1,
    ),
    "8e18afd-db79-449b-b4f5-ee4f14d9f45e": ("logged-out", {"wrapUpAuxCodeId": "3183"}, 3),
    "11bafc46-ae09-4ddf-bf0b-26d24e924f9f": ("unknown", {"stateSince": None}, 1),
    # tasks: the page's own words in other organisations, and the whole life in one
    "40fa44a7-b640-4b72-a8cd-5a0502ab2e81": ("unknown", {"complete": False}, 2),
    "8e18afdf-db79-449b-b4f5-ee4f14d9f45e": ("unknown", {"currentState": "unknown"}, 1),
    "new": ("created", {"outboundType": None, "direction": "INBOUND"}, 1),
    "parked": ("queued", {"queueId": "AXbm0MeV1O4n5kITbT6"}, 1),
    # conference-done comes twice without a time of its own: one fact
    "ended": ("completed", {"complete": True, "terminatingParty": "Customer"}, 12),
}


def test_every_example_of_the_guide_is_folded_as_it_tells():
    """Each is some agent's or task's event, twelve digits, misspelt names and headings included."""
    bodies = [
        example | {"id": f"{index:02}-{example['id']}"} for index, example in enumerate(GUIDE)
    ]
    result = answers(deliver_all(MemoryLog(), bodies, GUIDE_RECORDED), GUIDE_RECORDED)
    views = [*result["agents"].values(), *result["tasks"].values()]
    assert len(SHOWN) == len(views)
    for view in views:
        name = view.get("agentId") or view["taskId"]
        status, fields, events = SHOWN.get(name) or SHOWN[view["currentState"]]
        assert (status, events) == (view["status"], view["eventCount"]), name
        assert fields == {field: view[field] for field in fields}
    assert len(GUIDE) + 2 - 1 == sum(view["eventCount"] for view in views)
