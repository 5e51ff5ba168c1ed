"""Rows of the vendor's APIs: what they state, and what of them cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from projector.domain.events import Origin, Recorded, TimeSource
from projector.operations.reconciliation.event_matching import match_events
from projector.webex import api_rows as rows
from projector.webex.api_events import ApiEvent, RowWithoutWebhook, agent_events, task_events
from projector.webex.api_rows import UnusableRow
from projector.webex.webhook import judge

NOW = 1_795_000_000_000
ORG = "acme"


def session(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A session with one channel, and what was done on it."""
    channel = {"channelId": "c1", "channelType": "telephony", "activities": {"nodes": [*nodes]}}
    about = {"agentId": "ann", "agentSessionId": "s1", "teamId": "red", "channelInfo": [channel]}
    return about | more


def node(state: str, start: int, end: int | None = None, **more: Any) -> dict[str, Any]:
    return {"id": f"c1-telephony-{NOW + start}-{state}", "state": state, "startTime": NOW + start,
            "endTime": None if end is None else NOW + end, **more}  # fmt: skip


def told(*sessions: dict[str, Any]) -> list[Any]:
    found = [row for it in sessions for row in rows.read_session(it)]
    flaws = [it for it in found if isinstance(it, UnusableRow)]
    usable = [it for it in found if not isinstance(it, UnusableRow)]
    return [*flaws, *agent_events(usable, org_id=ORG, now=NOW + 10**6)]


def data(fact: ApiEvent) -> dict[str, Any]:
    """What a fact says, without whose and when."""
    said = json.loads(fact.offered.body)["data"]
    return {name: it for name, it in said.items() if name not in {"agentId", "createdTime"}}


def test_a_row_is_the_event_that_its_webhook_would_have_been():
    """With the row's id, its time and the fields that webhooks have."""
    [fact] = told(session(node("connected", 5, taskId="t1", queue={"id": "q1", "name": "Sales"})))
    event = fact.offered.event
    assert ("agent:channel_state_change", "connected", "ann") == (
        event.type, event.word, event.agent_id)  # fmt: skip
    assert f"c1-telephony-{NOW + 5}-connected" == event.id
    assert NOW + 5 == fact.time == fact.offered.created
    assert {"currentState": "connected", "taskId": "t1", "queueId": "q1", "channelId": "c1",
            "channelType": "telephony", "teamId": "red"} == data(fact)  # fmt: skip


def test_logins_and_logouts_are_told_by_their_flags():
    """Whatever the state's word; one of each session, however many channels tell it."""
    login = node("idle", 0, 3, isLoginActivity=True, idleCode={"id": "i1", "name": "Start"})
    logout = node("logged-out", 9, 9, isLogoutActivity=True)
    it = session(login, logout)
    it["channelInfo"] = [it["channelInfo"][0] | {"channelId": name} for name in ("c1", "c2")]
    first, last = told(it)
    assert ("agent:login", f"s1-{NOW}-login") == (first.offered.event.type, first.offered.event.id)
    assert {"currentState": "idle", "idleCodeId": "i1", "teamId": "red"} == data(first)
    assert ("agent:logout", f"s1-{NOW + 9}-logout") == (
        last.offered.event.type, last.offered.event.id)  # fmt: skip


def test_a_moment_of_several_channels_is_one_fact_and_a_task_is_told_by_its_own():
    """Idle and available without a task are the agent's: the first channel speaks for all."""
    chat = {
        "channelId": "a",
        "channelType": "chat",
        "activities": {"nodes": [node("available", 5), node("connected", 9, taskId="t")]},
    }
    it = session(node("available", 5), node("connected", 9, taskId="u"))
    it["channelInfo"].append(chat)
    found = told(it)
    assert [("available", "telephony", None), ("connected", "telephony", "u"),
            ("connected", "chat", "t")] == [
        (fact.offered.event.word, fact.offered.event.channel_type, fact.offered.event.task_id)
        for fact in found
    ]  # fmt: skip


def test_a_finished_wrap_up_is_done_where_no_row_says_so():
    """With the code that was chosen; where a row says it, that one does."""
    wrap = node("wrapup", 0, 7, taskId="t", wrapupCode={"id": "w1", "name": "Sale"})
    derived = told(session(wrap, node("available", 7)))
    assert ["wrapup", "available", "wrapup-done"] == [it.offered.event.word for it in derived]
    assert ("w1", NOW + 7) == (data(derived[2])["wrapUpAuxCodeId"], derived[2].time)
    said = told(session(wrap, node("wrapup-done", 7, 8, taskId="t", wrapupCode={"id": "w1"})))
    assert [("wrapup", None), ("wrapup-done", "w1")] == [
        (it.offered.event.word, data(it).get("wrapUpAuxCodeId")) for it in said
    ]


@pytest.mark.parametrize("word", ["skill-update", "available-consulting", "ctq-reserved", "???"])
def test_a_state_that_no_webhook_has_makes_no_event(word):
    """It would show a state that no agent is in."""
    assert [RowWithoutWebhook(source=rows.ApiSource.AGENT_SESSIONS, word=word)] == told(
        session(node(word, 1))
    )


@pytest.mark.parametrize(
    ("spelt", "word"), [("WrapUp", "wrapup"), ("Conference", "conferencing"), ("IDLE", "idle")]
)
def test_states_are_known_however_they_are_spelt(spelt, word):
    """The vendor's history has other capitals, and a few other names."""
    [fact] = told(session(node(spelt, 1, taskId="t")))
    assert word == fact.offered.event.word


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"startTime": None}, "no startTime"),
        ({"startTime": NOW // 1_000}, "startTime is in seconds, not milliseconds"),
        ({"startTime": "yesterday"}, "startTime is no time in milliseconds"),
        ({"startTime": True}, "startTime is no time in milliseconds"),
        ({"startTime": -1}, "startTime is no time in milliseconds"),
        ({"state": None}, "no state"),
        ({"state": 7}, "no state"),
    ],
)
def test_a_row_that_lacks_something_is_told_with_its_id(spoilt, reason):
    """And costs no other row."""
    flaw, fact = told(session(node("idle", 1) | spoilt, node("available", 2)))
    assert (
        UnusableRow(source=rows.ApiSource.AGENT_SESSIONS, reason=reason, row=node("idle", 1)["id"])
        == flaw
    )
    assert "available" == fact.offered.event.word


@pytest.mark.parametrize("odd", [None, 7, "text", [], {"channelInfo": 7}, {"channelInfo": [7]},
                                 {"channelInfo": [{"activities": None}]}])  # fmt: skip
def test_whatever_comes_instead_of_a_session_is_passed_over(odd):
    """Nothing of it can be used, and nothing fails."""
    assert [] == told(odd)


def test_a_row_of_the_far_future_is_no_fact():
    """As of any event: it would pin its subject there."""
    [flaw] = told(session(node("idle", 10**9)))
    assert "time-in-the-future" == flaw.reason


def contact(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"id": "t1", "channelType": "telephony", "origin": "+1", "destination": "+2",
             "direction": "inbound", "terminatingEnd": "Customer"}  # fmt: skip
    return about | {"activities": {"nodes": [*nodes]}} | more


def happened(word: str, time: int, **more: Any) -> dict[str, Any]:
    return {"id": f"t1-{NOW + time}-{word}", "eventName": word, "createdTime": NOW + time, **more}


def of_task(task: dict[str, Any]) -> list[dict[str, Any]]:
    facts = task_events(rows.read_task_details(task), org_id=ORG, now=NOW + 10**6)
    found = [it for it in facts if isinstance(it, ApiEvent)]
    return [json.loads(it.offered.body) for it in found]


def test_a_fact_of_a_task_carries_what_was_true_at_its_time():
    """The origin at its beginning; who ended it at each end, the last as the task says."""
    new, queued, first, last = of_task(
        contact(
            happened("new", 0),
            happened("parked", 1, queueId="q1"),
            happened("ended", 2, terminationReason="Agent Left"),
            happened("ended", 3, terminationReason="Customer Left"),
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
def test_who_ended_a_part_is_told_by_the_reason(reason, party):
    """Of an end that another follows the task's row says nothing."""
    task = contact(happened("ended", 1, terminationReason=reason), happened("ended", 2))
    assert party == of_task(task)[0]["data"].get("terminatingParty")


def test_a_callback_turns_the_direction_at_its_end_alone():
    """The row says what it was at last; before, it was another."""
    facts = of_task(
        contact(
            happened("new", 0), happened("connect", 5), happened("ended", 9),
            direction="outbound", isCallback=True,
        )
    )  # fmt: skip
    assert [None, None, "OUTBOUND"] == [it["data"].get("direction") for it in facts]
    assert "COURTESY_CALLBACK" == facts[2]["data"]["outboundType"]


def test_what_no_webhook_has_is_no_event():
    """Treatments, recordings that begin, wrap-ups of the task's history; captures are."""
    names = ["flow-activity", "recording-started", "WrapUp", "recording-available"]
    found = of_task(contact(*(happened(word, time) for time, word in enumerate(names))))
    assert ["capture:available"] == [it["type"] for it in found]


# --- matching ---


def fact(time: int, word: str = "connect") -> ApiEvent:
    [found] = task_events(
        rows.read_task_details(contact(happened(word, time))), org_id=ORG, now=NOW + 10**6
    )
    assert isinstance(found, ApiEvent)
    return found


def known(time: int, word: str = "connect", origin: Origin = Origin.WEBHOOK) -> Recorded:
    element = {"id": f"w{time}-{word}", "type": f"task:{word}", "comciscoorgid": ORG,
               "data": {"taskId": "t1", "createdTime": NOW + time}}  # fmt: skip
    offered = judge(b"{}", element, now=NOW + 10**6, default_org=None)
    return Recorded(event=offered.event, position=time + 1, time=NOW + time,
                    time_source=TimeSource.CREATED, created=NOW + time, recorded_time=NOW,
                    origin=origin)  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "log", "matched", "missing", "indistinct"),
    [
        ([0], [], [], [0], []),
        ([0], [known(0)], [0], [], []),
        ([0], [known(2_000)], [0], [], []),
        ([0], [known(2_001)], [], [0], []),
        ([0], [known(0, "parked")], [], [0], []),
        ([0, 1_000], [known(0)], [0], [], [1_000]),
        ([0, 1_000], [known(1_000)], [1_000], [], [0]),
        ([0, 1_000], [known(1), known(999)], [0, 1_000], [], []),
        ([0, 1_000, 5_000], [known(600)], [0], [5_000], [1_000]),
        ([0, 1_000, 2_000], [known(1_500), known(2_500)], [0, 1_000], [], [2_000]),
        ([1_500, 2_800], [known(0), known(1_300)], [1_500, 2_800], [], []),
        ([0], [known(0, origin=Origin.RECONCILIATION)], [0], [], []),
        ([0], [known(1, origin=Origin.RECONCILIATION)], [], [0], []),
        ([0], [known(0, origin=Origin.IMPORT)], [0], [], []),
        ([0], [known(1, origin=Origin.IMPORT)], [], [0], []),
    ],
)
def test_each_webhook_stands_for_one_fact(facts, log, matched, missing, indistinct):
    """Of its time, else in order within the tolerance; of what else is near it cannot be said."""
    found = match_events([fact(time) for time in facts], log)
    assert (matched, missing, indistinct) == tuple(
        sorted(it.time - NOW for it in some)
        for some in (found.matched, found.missing, found.indistinct)
    )


def test_a_fact_whose_row_was_appended_before_is_known():
    """By its id, whatever else is said of it now."""
    one = fact(0)
    appended = Recorded(event=one.offered.event, position=1, time=one.time,
                        time_source=TimeSource.CREATED, created=one.time, recorded_time=NOW,
                        origin=Origin.RECONCILIATION)  # fmt: skip
    assert [one] == match_events([one], [appended]).matched
