"""The timeline of an agent: days worked out by hand, two times, bounds, and who may read it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from projector.operations.names import NameEntry
from tests.conftest import Site, open_site, sample
from tests.examples import (
    LIVES,
    NOW,
    RECORDED,
    Body,
    Life,
    at,
    channel,
    login,
    logout,
    story,
    v1,
    v2,
)
from tests.integration.driving import Clock

HOUR = 3_600_000
DAY = 24 * HOUR
SPAN = "kind from to durationMs byTime eventId"
FIELDS = {
    "session": f"{SPAN} loggedOutBy profileType",
    "status": f"{SPAN} status currentState taskId queueId idleCodeId idleCodeName",
    "leg": f"{SPAN} taskId state channelId channelType queueId",
    "channel": f"{SPAN} channelType state idleCodeName",
}
SHOWN = {  # in a brief row
    "session": ("loggedOutBy",),
    "status": ("status", "idleCodeName"),
    "leg": ("taskId", "state", "channelType"),
    "channel": ("channelType", "state", "idleCodeName"),
}
PHONE = ("ann-phone", "telephony")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(database_url, tmp_path, clock):
    """A service whose clock stands an hour after the last event of a day."""
    with open_site(database_url, tmp_path, clock=clock) as opened:
        clock.now = at(HOUR)
        yield opened


def deliver(site: Site, *bodies: Body) -> None:
    answer = site.post(list(story(*bodies)))
    assert len(bodies) == answer.json["appended"], answer.text
    site.project()


def timeline(
    site: Site, start: int = 0, end: int = DAY, name: str = "ann", **query: Any
) -> dict[str, Any]:
    """The answer of a window, which is given in ms after dawn."""
    window = {"from": at(start), "to": at(end)}
    answer = site.get(f"/api/v1/agents/{name}/timeline", query_string=window | query)
    assert 200 == answer.status_code, answer.text
    assert len(answer.json["data"]) == answer.json["meta"]["count"]
    return answer.json


def brief(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row in one line: kind, from and to in ms after dawn, its event, and its own fields."""
    end = None if row["to"] is None else row["to"] - at(0)
    assert row["durationMs"] == (None if end is None else row["to"] - row["from"])
    assert FIELDS[row["kind"]].split() == [*row]
    by_time = ("by time",) if row["byTime"] else ()
    own = (row[name] for name in SHOWN[row["kind"]])
    return (row["kind"], row["from"] - at(0), end, row["eventId"], *own, *by_time)


def rows(site: Site, start: int = 0, end: int = DAY, **query: Any) -> list[tuple[Any, ...]]:
    return [brief(row) for row in timeline(site, start, end, **query)["data"]]


# --- days worked out by hand ---

MORNING = (
    login(0, "ann", idleCodeName="Sign-in"),
    channel(0, "ann", "telephony", "Available"),
    v1(1_000, "ann", "available"),
    v2(5_000, "ann", "ringing", "t", on=PHONE, queueId="q"),
    v2(8_000, "ann", "connected", "t", on=PHONE),
    channel(8_000, "ann", "telephony", "Engaged"),
    v2(60_000, "ann", "wrapup", "t", on=PHONE),
    v2(70_000, "ann", "wrapup-done", "t", on=PHONE),
    channel(70_000, "ann", "telephony", "Idle", idleCodeName="Lunch"),
    v1(70_000, "ann", "idle", idleCodeName="Lunch"),
    channel(80_000, "ann", "telephony", "Idle", idleCodeName="Meeting"),
    logout(90_000, "ann", "ann"),
)


def test_a_morning_as_lanes(site):
    """Each row with the event that began it; of one time by kind; legs and channels by state."""
    deliver(site, *MORNING)
    assert [
        ("session", 0, 90_000, "e1", "ann"),
        ("status", 0, 1_000, "e2", "idle", "Sign-in"),
        ("channel", 0, 8_000, "e2", "telephony", "Available", None),
        ("status", 1_000, 5_000, "e3", "available", None),
        ("status", 5_000, 8_000, "e4", "ringing", None),
        ("leg", 5_000, 8_000, "e4", "t", "ringing", "telephony"),
        ("status", 8_000, 60_000, "e6", "connected", None),
        ("leg", 8_000, 60_000, "e5", "t", "connected", "telephony"),
        ("channel", 8_000, 70_000, "e6", "telephony", "Engaged", None),
        ("status", 60_000, 70_000, "e7", "wrapup", None),
        ("leg", 60_000, 70_000, "e7", "t", "wrapup", "telephony"),
        ("status", 70_000, 90_000, "e9", "idle", "Lunch"),
        ("channel", 70_000, 80_000, "e9", "telephony", "Idle", "Lunch"),
        ("channel", 80_000, 90_000, "e11", "telephony", "Idle", "Meeting"),
        ("status", 90_000, None, "e12", "logged-out", None),
        ("channel", 90_000, None, "e12", "telephony", "LoggedOut", None),
    ] == rows(site)


def test_a_window_cuts_no_row(site):
    """What overlaps ``[from, to)`` is told with its own beginning and end."""
    deliver(site, *MORNING)
    whole = rows(site)
    assert [it for it in whole if it[1] < 61_000 and (it[2] or DAY) > 60_000] == (
        rows(site, 60_000, 61_000)
    )
    assert [it for it in whole if it[1] <= 4_999 and it[2] > 4_999] == rows(site, 4_999, 5_000)
    assert [] == rows(site, -DAY, 0) == rows(site, -9 * DAY, -8 * DAY)


def test_what_a_leg_is_told_later_is_in_the_row_of_its_state(site):
    """The older version of an event knows no channel; the state goes on."""
    deliver(
        site,
        v1(0, "ann", "connected", "t"),
        v2(50, "ann", "connected", "t", on=PHONE, queueId="q"),
    )
    (leg,) = [it for it in timeline(site)["data"] if it["kind"] == "leg"]
    assert (at(0), None, "e1") == (leg["from"], leg["to"], leg["eventId"])
    assert (*PHONE, "q") == (leg["channelId"], leg["channelType"], leg["queueId"])


def test_each_row_has_its_own_event_of_a_millisecond(site):
    """A status interval has the last of them, as in the history; what lasts no time is left out."""
    deliver(
        site,
        login(0, "ann"),
        v2(1_000, "ann", "ringing", "t", on=PHONE),
        v2(1_000, "ann", "connected", "t", on=PHONE),
        channel(1_000, "ann", "telephony", "Engaged"),
    )
    at_once = [it for it in rows(site) if it[1] == 1_000]
    assert ["status", "leg", "channel"] == [it[0] for it in at_once]
    assert ("leg", 1_000, None, "e3", "t", "connected", "telephony") == at_once[1]
    assert ("channel", 1_000, None, "e4", "telephony", "Engaged", None) == at_once[2]


def test_a_second_login_begins_a_second_session(site):
    """Where the logout between them was lost, who ended the first is not known."""
    deliver(site, login(0, "ann"), login(5_000, "ann"), logout(9_000, "ann", "boss"))
    assert [("session", 0, 5_000, "e1", None), ("session", 5_000, 9_000, "e2", "boss")] == [
        it for it in rows(site) if it[0] == "session"
    ]


def test_the_passing_of_time_ends_legs_and_sessions(site, clock):
    """As in the view, to the millisecond; a row that time began has no event."""
    clock.now = at(1_000)
    deliver(
        site,
        login(0, "ann"),
        channel(0, "ann", "telephony", "Available"),
        v2(1_000, "ann", "ringing", "t", on=PHONE),
    )
    silence, night = 1_000 + 5 * 60_000, 1_000 + DAY
    clock.now = at(silence) - 1
    assert ("leg", 1_000, None, "e3", "t", "ringing", "telephony") in rows(site)
    clock.now = at(silence)
    assert ("leg", 1_000, silence, "e3", "t", "ringing", "telephony", "by time") in rows(site)
    assert ("status", 1_000, silence, "e3", "ringing", None, "by time") in rows(site)
    assert ("status", silence, None, None, "unknown", None) in rows(site)
    clock.now = at(night) + 7
    told = rows(site, 0, 2 * DAY)
    assert ("session", 0, night, "e1", None, "by time") in told
    assert ("channel", 0, night, "e2", "telephony", "Available", None, "by time") in told
    assert ("channel", night, None, None, "telephony", "LoggedOut", None) in told
    assert ("status", night, None, None, "logged-out", None) in told
    assert at(night) + 7 == timeline(site)["meta"]["time"]


def test_time_ends_one_leg_in_the_millisecond_in_which_an_event_ends_another(site, clock):
    """Each row says what ended it."""
    limit = 5 * 60_000
    clock.now = at(0)
    deliver(
        site,
        v2(0, "ann", "ringing", "t", on=PHONE),
        v2(0, "ann", "ringing", "u", on=("ann-chat", "telephony")),
        v2(limit, "ann", "not-responding", "u", on=("ann-chat", "telephony")),
    )
    clock.now = at(HOUR)
    legs = {it[4]: it for it in rows(site) if it[0] == "leg"}
    assert ("leg", 0, limit, "e1", "t", "ringing", "telephony", "by time") == legs["t"]
    assert ("leg", 0, limit, "e2", "u", "ringing", "telephony") == legs["u"]


# --- views, histories, and the order of arrival ---


def test_the_status_rows_are_the_history(site):
    deliver(site, *MORNING)
    for start, end in ((0, DAY), (5_000, 8_000), (7_999, 60_001)):
        window = {"from": at(start), "to": at(end)}
        history = site.get("/api/v1/agents/ann/history", query_string=window).json["data"]
        own = {"kind", "byTime", "idleCodeName"}
        told = [it for it in timeline(site, start, end)["data"] if it["kind"] == "status"]
        assert history == [{k: v for k, v in it.items() if k not in own} for it in told]


def state_of(view: dict[str, Any]) -> set[tuple[Any, ...]]:
    """Status, session, legs and channels of a view."""
    channels = view["channels"].items()
    return {
        ("status", view["status"]),
        *([("session", view["session"]["profileType"])] if view["loggedIn"] else []),
        *(("leg", it["taskId"], it["state"], it["since"]) for it in view["interactions"]),
        *(("channel", name, it["currentState"], it["idleCodeName"]) for name, it in channels),
    }


def state_in(rows: list[dict[str, Any]], moment: int) -> set[tuple[Any, ...]]:
    """The same, of the rows that cover a moment; no lane has two."""
    names = {
        "status": ("status",),
        "session": ("profileType",),
        "leg": ("taskId", "state", "from"),
        "channel": ("channelType", "state", "idleCodeName"),
    }
    covering = [it for it in rows if it["from"] <= moment and (it["to"] or moment + 1) > moment]
    state = {(it["kind"], *(it[name] for name in names[it["kind"]])) for it in covering}
    assert len(covering) == len(state)
    return state


@pytest.mark.parametrize("life", sample(LIVES, every=3), ids=lambda life: life.name)
def test_a_life_has_the_timeline_of_its_views(site, clock, life: Life):
    """At each change and just before, in its own order of arrival."""
    clock.now = NOW
    for body in life.bodies():
        site.post(body)
    site.project()
    agents = site.get("/api/v1/agents").json["data"]
    told = {it["agentId"]: timeline(site, name=it["agentId"]) for it in agents}
    for name, answer in told.items():
        events = site.get(f"/api/v1/agents/{name}/events").json["data"]
        times = {it["createdTime"] for it in events if it["createdTime"]}
        times |= {it["to"] for it in answer["data"] if it["to"]}
        for moment in {time - before for time in times for before in (0, 1)}:
            view = site.get(f"/api/v1/agents/{name}", query_string={"at": moment})
            if at(0) <= moment < at(DAY) and view.status_code == 200:
                assert state_of(view.json) == state_in(answer["data"], moment)


@pytest.mark.parametrize("seed", range(3))
def test_order_and_repetition_of_arrival_change_nothing(site, make_site, clock, seed):
    """In pages of two events, so that nearly every event is late."""
    deliver(site, *MORNING)
    other = make_site()
    bodies = [*story(*MORNING), *story(*MORNING)[::3]]
    random.Random(seed).shuffle(bodies)
    for body in bodies:
        other.post(body)
        other.project(batch_events=2)
    assert timeline(site)["data"] == timeline(other)["data"]


# --- two times ---


def test_what_had_happened_by_then(site):
    """``at`` is inclusive, and what has not ended by then goes on."""
    deliver(site, *MORNING)
    whole = rows(site)
    for moment in (4_999, 5_000, 60_000, 89_999):
        told = rows(site, at=at(moment))
        assert [it[:2] for it in whole if it[1] <= moment] == [it[:2] for it in told]
        assert [it[2] if it[2] and it[2] <= moment else None for it in whole[: len(told)]] == [
            it[2] for it in told
        ]
    window = {"from": at(0), "to": at(DAY), "at": at(0) - 1}
    answer = site.get("/api/v1/agents/ann/timeline", query_string=window)
    assert 404 == answer.status_code


def test_what_was_known_then(site, clock):
    """A ringing that came late was not known before."""
    begun, talk, ringing = story(
        login(0, "ann"),
        v2(8_000, "ann", "connected", "t", on=PHONE),
        v2(5_000, "ann", "ringing", "t", on=PHONE),
    )
    for clock.now, bodies in ((RECORDED, [begun, talk]), (RECORDED + 1_000, [ringing])):
        site.post(bodies)
        site.project()
    clock.now = NOW

    def legs(**query: int) -> list[tuple[Any, ...]]:
        return [it[1:4] for it in rows(site, **query) if it[0] == "leg"]

    assert [(8_000, None, "e2")] == legs(knownAt=RECORDED + 999)
    assert [(5_000, 8_000, "e3"), (8_000, None, "e2")] == legs(knownAt=RECORDED + 1_000)
    assert [] == legs(knownAt=RECORDED, at=at(7_999))
    meta = timeline(site, at=at(7_999), knownAt=RECORDED)["meta"]
    assert (at(7_999), RECORDED, at(7_999)) == (meta["at"], meta["knownAt"], meta["time"])


# --- bounds ---


def test_the_meta_of_a_timeline(site, clock):
    deliver(site, *MORNING)
    nulls = dict.fromkeys(("nextCursor", "at", "knownAt", "lookedFrom", "lookedTo"))
    told = {"count": 16, "agentId": "ann", "orgId": "acme", "time": clock.now}
    assert nulls | told == timeline(site)["meta"]


def test_of_very_many_events_only_those_around_the_window_are_folded(site, monkeypatch):
    """What went on when the fold began is told from its state; its event is not looked for."""
    monkeypatch.setattr("projector.query.as_of.lanes.SNAPSHOTS_BEFORE", 0)
    monkeypatch.setattr("projector.domain.events.EVENTS_PER_SNAPSHOT", 1)
    deliver(site, *MORNING)
    answer = timeline(site, 9_000, 60_000)
    assert at(8_000) == answer["meta"]["lookedFrom"]
    assert [
        ("session", 0, 90_000, None, "ann"),
        ("status", 8_000, 60_000, "e6", "connected", None),
        ("leg", 8_000, 60_000, None, "t", "connected", "telephony"),
        ("channel", 8_000, 70_000, None, "telephony", "Engaged", None),
    ] == [brief(it) for it in answer["data"]]


def test_where_very_many_events_follow_the_window_an_end_may_be_unknown(site, clock, monkeypatch):
    """``lookedTo`` says up to when events were read; what has ended by then has its end."""
    monkeypatch.setattr("projector.query.as_of.lanes.TAILS_MS", (10_000,))
    monkeypatch.setattr("projector.query.as_of.lanes.MOST_SNAPSHOTS", 4)
    monkeypatch.setattr("projector.domain.events.EVENTS_PER_SNAPSHOT", 1)
    clock.now = at(DAY)
    deliver(
        site,
        login(0, "ann"),
        channel(0, "ann", "telephony", "Available"),
        channel(0, "ann", "chat", "Available"),
        v2(1_000, "ann", "ringing", "t", on=PHONE),
        v2(5_000, "ann", "connected", "t", on=PHONE),
        *(channel(20_000 + n * 1_000, "ann", "email", f"State{n}") for n in range(20)),
        channel(60_000, "ann", "telephony", "Idle"),
    )
    answer = timeline(site, 0, 2_000)
    assert at(12_000) == answer["meta"]["lookedTo"]
    assert {"leg": 5_000, "session": None, "status": 1_000} == {
        it["kind"]: it["to"] and it["to"] - at(0)
        for it in answer["data"]
        if it["kind"] != "channel" and (it["kind"] != "status" or it["from"] == at(0))
    }
    monkeypatch.setattr("projector.query.as_of.lanes.MOST_SNAPSHOTS", 1_000)
    whole = timeline(site, 0, 2_000)
    assert whole["meta"]["lookedTo"] is None
    ends = {it["channelType"]: it["to"] for it in whole["data"] if it["kind"] == "channel"}
    assert {"telephony": at(60_000), "chat": None} == ends


def test_a_window_with_too_many_events_is_told_from_a_later_time_on(site, monkeypatch):
    """``lookedFrom`` is then in the window; what was over by it is left out."""
    monkeypatch.setattr("projector.query.as_of.lanes.MOST_SNAPSHOTS", 1)
    monkeypatch.setattr("projector.domain.events.EVENTS_PER_SNAPSHOT", 1)
    deliver(site, *MORNING)
    answer = timeline(site)
    assert at(80_000) == answer["meta"]["lookedFrom"]
    ends = [it["to"] for it in answer["data"]]
    assert all(end is None or end > at(80_000) for end in ends)
    assert 5 == len(ends)


# --- the route ---


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"from": None}, "from"),
        ({"to": None}, "to"),
        ({"from": "-1"}, "from"),
        ({"from": "soon"}, "from"),
        ({"to": at(0)}, "to"),
        ({"to": at(0) - 1}, "to"),
        ({"to": at(7 * DAY) + 1}, "to"),
        ({"limit": 1}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"at": "-1"}, "at"),
        ({"knownAt": "soon"}, "knownAt"),
        ({"orgId": ""}, "orgId"),
        ({"names": "yes"}, "names"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(site, query, wrong):
    """400, by name, before the agent is looked for."""
    given = {"from": at(0), "to": at(7 * DAY)} | query
    answer = site.get(
        "/api/v1/agents/none/timeline",
        query_string={name: value for name, value in given.items() if value is not None},
    )
    assert 400 == answer.status_code
    assert [wrong] == [error["parameter"] for error in answer.json["errors"]]


def test_names_are_told_on_request(site):
    """Of the agent and of each queue."""
    deliver(site, *MORNING)
    names = {"agent": {"ann": "Ann Archer"}, "queue": {"q": "Sales"}}
    site.service.name_store.keep(
        "import",
        [
            NameEntry(org_id="acme", kind=kind, id=id_, name=name)
            for kind, name_by_id in names.items()
            for id_, name in name_by_id.items()
        ],
    )
    assert names == timeline(site, names="true")["names"]
    assert "names" not in timeline(site)


def test_seven_days_are_allowed(site):
    deliver(site, *MORNING)
    assert 16 == len(rows(site, 0, 7 * DAY))


def test_who_is_unknown_or_known_twice_is_refused(site):
    """404 and 409, as for the view; orgId decides."""
    window = {"from": at(0), "to": at(DAY)}
    path = "/api/v1/agents/ann/timeline"
    assert 404 == site.get(path, query_string=window).status_code
    ours = login(0, "ann")
    deliver(site, ours, ours | {"comciscoorgid": "other"})
    assert 409 == site.get(path, query_string=window).status_code
    assert "other" == timeline(site, orgId="other")["meta"]["orgId"]
