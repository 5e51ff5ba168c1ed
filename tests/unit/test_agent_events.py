"""Events of agents: what a row of the vendor's states, and which rows cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from projector.webex import api_rows as rows
from projector.webex.agent_events import agent_events
from projector.webex.api_events import ApiEvent, Certainty, RowWithoutWebhook
from projector.webex.api_rows import UnusableRow

NOW = 1_795_000_000_000
ORG = "acme"


def session(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A session with one channel and its activities."""
    channel = {"channelId": "c1", "channelType": "telephony", "activities": [*nodes]}
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
    assert ("agent:login", "s1-login") == (first.offered.event.type, first.offered.event.id)
    assert {"currentState": "idle", "idleCodeId": "i1", "teamId": "red"} == data(first)
    assert ("agent:logout", "s1-logout") == (
        last.offered.event.type, last.offered.event.id)  # fmt: skip


def test_rows_of_several_channels_state_one_event_unless_they_name_a_task():
    """Idle and available without a task concern the agent: the first channel is named."""
    chat = {
        "channelId": "a",
        "channelType": "chat",
        "activities": [node("available", 5), node("connected", 9, taskId="t")],
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


@pytest.mark.parametrize("word", ["supervising", "???"])
def test_an_unknown_state_is_named_and_makes_no_event(word):
    """Such an event would show a state that no agent is in."""
    assert [RowWithoutWebhook(source=rows.ApiSource.AGENT_SESSIONS, word=word)] == events_of(
        session(node(word, 1))
    )


@pytest.mark.parametrize("word", ["skill-update", "call-ended", "ConsultTransfer", "EndConsult"])
def test_a_step_without_a_webhook_makes_no_event(word):
    """The state before it goes on, and is not stated again."""
    found = events_of(session(node("available", 1), node(word, 2), node("available", 2)))
    assert [("available", NOW + 1)] == words(found)


def words(events: list[Any]) -> list[tuple[str, int]]:
    return [(it.offered.event.word, it.time) for it in events]


def test_an_agent_who_is_consulted_rings_and_consults():
    """In the vendor's history the words of a consult have the state before in their name."""
    states = ["AvailableConsultReserved", "available-consulting"]
    found = events_of(session(*(node(it, time, taskId="t") for time, it in enumerate(states))))
    assert [("ringing", NOW), ("consulting", NOW + 1)] == words(found)
    states = ["ctq-reserved", "ctq-accepted"]
    found = events_of(session(*(node(it, time, taskId="t") for time, it in enumerate(states))))
    assert [("ringing", NOW), ("consulting", NOW + 1)] == words(found)


def test_an_agent_who_consults_does_not_ring():
    """The request and its parts are no states; consulting is stated once."""
    states = ["connected", "on-hold", "consult", "ConnectedConsultReserved", "consulting"]
    states += ["connected-consulting", "EndConsult", "consult-done", "hold-done"]
    found = events_of(session(*(node(it, time, taskId="t") for time, it in enumerate(states))))
    assert [
        ("connected", NOW),
        ("on-hold", NOW + 1),
        ("consulting", NOW + 4),
        ("consult-done", NOW + 7),
        ("hold-done", NOW + 8),
    ] == words(found)


def test_an_agent_in_a_call_who_is_consulted_in_another_rings():
    """The task tells who is asked."""
    found = events_of(
        session(node("connected", 0, taskId="t"), node("ConnectedConsultReserved", 1, taskId="u"))
    )
    assert [("connected", NOW), ("ringing", NOW + 1)] == words(found)


def test_an_outdial_rings_until_it_is_answered():
    """The agent is reserved for it."""
    found = events_of(
        session(node("outdial-reserved", 0, taskId="t"), node("connected", 1, taskId="t"))
    )
    assert [("ringing", NOW), ("connected", NOW + 1)] == words(found)


def test_the_request_of_a_conference_is_the_conference_where_no_row_of_it_follows():
    """Else it is a step without a webhook."""
    asked = session(node("Conference", 0, taskId="t"), node("conferencing", 700, taskId="t"))
    assert [("conferencing", NOW + 700)] == words(events_of(asked))
    alone = session(node("Conference", 0, taskId="t"), node("hold-done", 700, taskId="t"))
    assert ("conferencing", NOW) == words(events_of(alone))[0]


@pytest.mark.parametrize(
    ("spelt", "word"),
    [("WrapUp", "wrapup"), ("Not_Responding", "not-responding"), ("IDLE", "idle")],
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


@pytest.mark.parametrize("odd", [{}, {"channelInfo": 7}, {"channelInfo": [7]},
                                 {"channelInfo": [{"activities": None}]}])  # fmt: skip
def test_what_is_no_session_is_ignored(odd):
    """It states no event, and nothing fails."""
    assert [] == events_of(odd)


def test_a_row_of_the_far_future_is_unusable():
    """Like any such event: its subject would stay in that state until then."""
    [row] = events_of(session(node("idle", 10**9)))
    assert "time-in-the-future" == row.reason


def channels(*nodes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A session with several channels."""
    kinds = ("telephony", "chat", "email", "social")
    info = [
        {"channelId": f"c{index}", "channelType": kind, "activities": of_channel}
        for index, (kind, of_channel) in enumerate(zip(kinds, nodes, strict=False))
    ]
    return session() | {"channelInfo": info} | more


def test_one_session_has_one_login():
    """The channels follow each other by milliseconds. The first one counts."""
    rows_ = [[node("idle", time, 9, isLoginActivity=True)] for time in (1, 0, 2)]
    [login] = events_of(channels(*rows_))
    assert ("agent:login", NOW) == (login.offered.event.type, login.time)


def test_an_unmarked_row_of_the_login_states_nothing_more():
    """Where the vendor marks one channel only."""
    rows_ = [[node("idle", 0, isLoginActivity=True)], [node("idle", 2)]]
    [login] = events_of(channels(*rows_))
    assert "agent:login" == login.offered.event.type


def test_rests_of_one_moment_are_one_event_of_all_their_channels():
    """The first channel is named, with the earliest time. What comes later is another event."""
    found = events_of(channels([node("idle", 5)], [node("idle", 4)], [node("idle", 5_000)]))
    assert [("idle", NOW + 4), ("idle", NOW + 5_000)] == words(found)
    assert [frozenset({"c0", "c1"}), frozenset({"c2"})] == [it.channel_ids for it in found]


def test_an_idle_code_makes_another_event():
    """Also a second after the first."""
    codes = [{"id": "break"}, {"id": "lunch"}]
    found = events_of(
        session(*(node("idle", 1_200 * at, idleCode=code) for at, code in enumerate(codes)))
    )
    assert ["break", "lunch"] == [it.offered.event.idle_code_id for it in found]


@pytest.mark.parametrize(
    ("last", "more", "time"),
    [
        (node("logged-out", 9, 9, isLogoutActivity=True), {}, 9),
        (node("idle", 5, 9, isLogoutActivity=True), {}, 9),
        (node("logged-out", 9, 9), {"isActive": False, "endTime": NOW + 11}, 9),
        (node("idle", 5, 9), {"isActive": False, "endTime": NOW + 11}, 11),
        (node("idle", 5, 9), {"isActive": True, "endTime": None}, None),
        (node("idle", 5, 9), {"isActive": True, "endTime": -1}, None),
    ],
)
def test_a_session_ends_once(last, more, time):
    """As a row of the logout says, else where a row marked so ends, else as the session says."""
    found = events_of(channels([node("available", 0), last], [node("available", 0)], **more))
    logouts = [it.time - NOW for it in found if it.offered.event.type == "agent:logout"]
    assert ([] if time is None else [time]) == logouts
    assert ("idle" in dict(words(found))) is (last["state"] == "idle")


@pytest.mark.parametrize(("reason", "by"), [("SELF", "SELF"), ("Agent Logout", None), (None, None)])
def test_who_logged_out_is_known_where_the_words_are_equal(reason, by):
    """The session's reason is stored beside it."""
    [logout] = events_of(session(isActive=False, endTime=NOW, agentSignOutReason=reason))
    assert by == logout.offered.event.logged_out_by
    assert reason == data(logout).get("agentSignOutReason")


def test_a_login_has_the_number_and_the_profile_of_its_session():
    """The number is that of the phone, and the profile is spelt as in webhooks."""
    login = [node("idle", 0, isLoginActivity=True)]
    it = channels(login, login, multiMediaProfileType="Blended Real-time")
    it["channelInfo"][0]["agentPhoneNumber"] = "+1555"
    it["channelInfo"][1]["agentPhoneNumber"] = "ann@example.com"
    [event] = events_of(it)
    assert ("+1555", "BLENDED_REALTIME") == (
        event.offered.event.destination,
        event.offered.event.profile_type,
    )


def test_the_first_row_of_a_cut_channel_is_doubtful():
    """The activities API begins at the window: the row may repeat the state before it."""
    about = {"agentId": "ann", "agentSessionId": "s1", "channelId": "c1", "active": False,
             "channelType": "telephony", "isLogin": 0}  # fmt: skip
    states = [("available", 0), ("idle", 5)]
    read = rows.read_activities(
        [
            about | {"currentState": state, "startTime": NOW + time, "endTime": NOW + time + 5}
            for state, time in states
        ]
    )
    found = [*agent_events(read, org_id=ORG, now=NOW + 10**6)]
    assert [Certainty.DOUBTFUL, Certainty.SURE] == [it.certainty for it in found]


@pytest.mark.parametrize("later_ms", [2, 150, 500])
def test_channels_that_follow_one_step_state_it_once(later_ms):
    """Published rows are 1 to 2 ms apart; half a second leaves a margin."""
    step = NOW + 60_000
    channels = [
        {
            "channelId": channel,
            "channelType": channel,
            "activities": [
                {"id": f"{channel}-1", "state": "idle", "startTime": NOW, "endTime": step + later,
                 "isLoginActivity": True},
                {"id": f"{channel}-2", "state": "available", "startTime": step + later,
                 "endTime": step + 60_000},
            ],
        }
        for channel, later in (("telephony", 0), ("chat", later_ms))
    ]  # fmt: skip
    session = {"agentId": "ann", "agentSessionId": "s", "channelInfo": channels}
    found = agent_events(rows.read_session(session), org_id=ORG, now=NOW + 10**6)
    words = [it.offered.event.word for it in found if isinstance(it, ApiEvent)]
    assert ["idle", "available"] == words
