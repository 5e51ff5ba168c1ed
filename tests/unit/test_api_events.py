"""Events of the vendor's APIs: what a row states, which rows cannot be used, what the log has."""

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
    """A session with one channel and its activities."""
    channel = {"channelId": "c1", "channelType": "telephony", "activities": {"nodes": [*nodes]}}
    about = {"agentId": "ann", "agentSessionId": "s1", "teamId": "red", "channelInfo": [channel]}
    return about | more


def node(state: str, start: int, end: int | None = None, **more: Any) -> dict[str, Any]:
    return {"id": f"c1-telephony-{NOW + start}-{state}", "state": state, "startTime": NOW + start,
            "endTime": None if end is None else NOW + end, **more}  # fmt: skip


def events_of(*sessions: dict[str, Any]) -> list[Any]:
    """The unusable rows of sessions, then what the others state."""
    read = [row for it in sessions for row in rows.read_session(it)]
    unusable = [it for it in read if isinstance(it, UnusableRow)]
    usable = [it for it in read if not isinstance(it, UnusableRow)]
    return [*unusable, *agent_events(usable, org_id=ORG, now=NOW + 10**6)]


def data(event: ApiEvent) -> dict[str, Any]:
    """The data of an event, without its agent and time."""
    fields = json.loads(event.offered.body)["data"]
    return {name: it for name, it in fields.items() if name not in {"agentId", "createdTime"}}


def test_a_row_is_the_event_that_its_webhook_would_have_been():
    """With the row's id, its time and the fields that webhooks have."""
    [found] = events_of(
        session(node("connected", 5, taskId="t1", queue={"id": "q1", "name": "Sales"}))
    )
    event = found.offered.event
    assert ("agent:channel_state_change", "connected", "ann") == (
        event.type, event.word, event.agent_id)  # fmt: skip
    assert f"c1-telephony-{NOW + 5}-connected" == event.id
    assert NOW + 5 == found.time == found.offered.created
    assert {"currentState": "connected", "taskId": "t1", "queueId": "q1", "channelId": "c1",
            "channelType": "telephony", "teamId": "red"} == data(found)  # fmt: skip


def test_logins_and_logouts_follow_from_their_flags():
    """Whatever the state is. Rows on several channels make one event of a session."""
    login = node("idle", 0, 3, isLoginActivity=True, idleCode={"id": "i1", "name": "Start"})
    logout = node("logged-out", 9, 9, isLogoutActivity=True)
    it = session(login, logout)
    it["channelInfo"] = [it["channelInfo"][0] | {"channelId": name} for name in ("c1", "c2")]
    first, last = events_of(it)
    assert ("agent:login", f"s1-{NOW}-login") == (first.offered.event.type, first.offered.event.id)
    assert {"currentState": "idle", "idleCodeId": "i1", "teamId": "red"} == data(first)
    assert ("agent:logout", f"s1-{NOW + 9}-logout") == (
        last.offered.event.type, last.offered.event.id)  # fmt: skip


def test_rows_of_several_channels_state_one_event_unless_they_name_a_task():
    """Idle and available without a task concern the agent: the first channel is named."""
    chat = {
        "channelId": "a",
        "channelType": "chat",
        "activities": {"nodes": [node("available", 5), node("connected", 9, taskId="t")]},
    }
    it = session(node("available", 5), node("connected", 9, taskId="u"))
    it["channelInfo"].append(chat)
    found = events_of(it)
    assert [("available", "telephony", None), ("connected", "telephony", "u"),
            ("connected", "chat", "t")] == [
        (it.offered.event.word, it.offered.event.channel_type, it.offered.event.task_id)
        for it in found
    ]  # fmt: skip


def test_a_finished_wrap_up_is_done_also_without_a_row_of_it():
    """With the code that was chosen. A row of wrapup-done is used where there is one."""
    wrap = node("wrapup", 0, 7, taskId="t", wrapupCode={"id": "w1", "name": "Sale"})
    derived = events_of(session(wrap, node("available", 7)))
    assert ["wrapup", "available", "wrapup-done"] == [it.offered.event.word for it in derived]
    assert ("w1", NOW + 7) == (data(derived[2])["wrapUpAuxCodeId"], derived[2].time)
    said = events_of(session(wrap, node("wrapup-done", 7, 8, taskId="t", wrapupCode={"id": "w1"})))
    assert [("wrapup", None), ("wrapup-done", "w1")] == [
        (it.offered.event.word, data(it).get("wrapUpAuxCodeId")) for it in said
    ]


@pytest.mark.parametrize("word", ["skill-update", "available-consulting", "ctq-reserved", "???"])
def test_a_state_that_no_webhook_has_makes_no_event(word):
    """Such an event would show a state that no agent is in."""
    assert [RowWithoutWebhook(source=rows.ApiSource.AGENT_SESSIONS, word=word)] == events_of(
        session(node(word, 1))
    )


@pytest.mark.parametrize(
    ("spelt", "word"), [("WrapUp", "wrapup"), ("Conference", "conferencing"), ("IDLE", "idle")]
)
def test_states_are_known_however_they_are_spelt(spelt, word):
    """The vendor's history has other capitals, and a few other names."""
    [found] = events_of(session(node(spelt, 1, taskId="t")))
    assert word == found.offered.event.word


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
def test_an_unusable_row_is_reported_with_its_id(spoilt, reason):
    """The other rows are read."""
    unusable, event = events_of(session(node("idle", 1) | spoilt, node("available", 2)))
    assert (
        UnusableRow(source=rows.ApiSource.AGENT_SESSIONS, reason=reason, row=node("idle", 1)["id"])
        == unusable
    )
    assert "available" == event.offered.event.word


@pytest.mark.parametrize("odd", [None, 7, "text", [], {"channelInfo": 7}, {"channelInfo": [7]},
                                 {"channelInfo": [{"activities": None}]}])  # fmt: skip
def test_what_is_no_session_is_ignored(odd):
    """It states no event, and nothing fails."""
    assert [] == events_of(odd)


def test_a_row_of_the_far_future_is_unusable():
    """Like any such event: its subject would stay in that state until then."""
    [row] = events_of(session(node("idle", 10**9)))
    assert "time-in-the-future" == row.reason


def task(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"id": "t1", "channelType": "telephony", "origin": "+1", "destination": "+2",
             "direction": "inbound", "terminatingEnd": "Customer"}  # fmt: skip
    return about | {"activities": {"nodes": [*nodes]}} | more


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


# --- matching ---


def api_event(time: int, word: str = "connect") -> ApiEvent:
    details = task(task_row(word, time))
    [event] = task_events(rows.read_task_details(details), org_id=ORG, now=NOW + 10**6)
    assert isinstance(event, ApiEvent)
    return event


def recorded(time: int, word: str = "connect", origin: Origin = Origin.WEBHOOK) -> Recorded:
    element = {"id": f"w{time}-{word}", "type": f"task:{word}", "comciscoorgid": ORG,
               "data": {"taskId": "t1", "createdTime": NOW + time}}  # fmt: skip
    offered = judge(b"{}", element, now=NOW + 10**6, default_org=None)
    return Recorded(event=offered.event, position=time + 1, time=NOW + time,
                    time_source=TimeSource.CREATED, created=NOW + time, recorded_time=NOW,
                    origin=origin)  # fmt: skip


@pytest.mark.parametrize(
    ("times", "log", "matched", "missing", "indistinct"),
    [
        ([0], [], [], [0], []),
        ([0], [recorded(0)], [0], [], []),
        ([0], [recorded(2_000)], [0], [], []),
        ([0], [recorded(2_001)], [], [0], []),
        ([0], [recorded(0, "parked")], [], [0], []),
        ([0, 1_000], [recorded(0)], [0], [], [1_000]),
        ([0, 1_000], [recorded(1_000)], [1_000], [], [0]),
        ([0, 1_000], [recorded(1), recorded(999)], [0, 1_000], [], []),
        ([0, 1_000, 5_000], [recorded(600)], [0], [5_000], [1_000]),
        ([0, 1_000, 2_000], [recorded(1_500), recorded(2_500)], [0, 1_000], [], [2_000]),
        ([1_500, 2_800], [recorded(0), recorded(1_300)], [1_500, 2_800], [], []),
        ([0], [recorded(0, origin=Origin.RECONCILIATION)], [0], [], []),
        ([0], [recorded(1, origin=Origin.RECONCILIATION)], [], [0], []),
        ([0], [recorded(0, origin=Origin.IMPORT)], [0], [], []),
        ([0], [recorded(1, origin=Origin.IMPORT)], [], [0], []),
    ],
)
def test_each_webhook_states_one_event(times, log, matched, missing, indistinct):
    """That of its time, else the next in order within the tolerance; the rest is indistinct."""
    matches = match_events([api_event(time) for time in times], log)
    assert (matched, missing, indistinct) == tuple(
        sorted(it.time - NOW for it in events)
        for events in (matches.matched, matches.missing, matches.indistinct)
    )


def test_an_event_whose_row_was_appended_before_is_matched():
    """By its id, whatever else the row says now."""
    one = api_event(0)
    appended = Recorded(event=one.offered.event, position=1, time=one.time,
                        time_source=TimeSource.CREATED, created=one.time, recorded_time=NOW,
                        origin=Origin.RECONCILIATION)  # fmt: skip
    assert [one] == match_events([one], [appended]).matched
