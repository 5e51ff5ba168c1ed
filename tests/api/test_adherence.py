"""Adherence: rows by hand, as of two times, as pages, files and a stream, and who may see them."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.api.test_access import TOKENS
from tests.api.test_stream import Listener, settle, tell
from tests.conftest import Site, open_site
from tests.examples import NOW, ORG, RECORDED, at, channel, login, logout, story, v1, v2
from tests.integration.driving import Clock

PATH = "/api/v1/reports/adherence"
DAY = 24 * 3_600_000
NDJSON, CSV, EVENTS = "application/x-ndjson", "text/csv", "text/event-stream"
NAMES = (
    "agentId orgId teamId status reasonCode reasonName since durationMs time currentState loggedIn"
    " settled"
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(database_url, tmp_path, clock):
    """A service whose clock the test moves."""
    clock.now = at(100_000)
    tokens = {"PROJECTOR_TOKENS": json.dumps(TOKENS)}
    with open_site(database_url, tmp_path, clock=clock, **tokens) as opened:
        yield opened


def rows(site: Site, token: str = "all", **query: Any) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"}
    answer = site.client.get(PATH, headers=headers, query_string=query)
    assert 200 == answer.status_code, answer.text
    assert len(answer.json["data"]) == answer.json["meta"]["count"]
    return answer.json["data"]


def row_of(site: Site, agent: str, **query: Any) -> dict[str, Any]:
    (row,) = rows(site, agentId=agent, **query)
    return row


def brief(row: dict[str, Any]) -> tuple[Any, ...]:
    """Status, reason, since (ms after dawn) and duration."""
    return row["status"], row["reasonCode"], row["since"] - at(0), row["durationMs"]


LUNCH_THEN_BREAK = (
    login(0, "a1", "Available"),
    v1(10_000, "a1", "idle", idleCodeId="lunch", idleCodeName="Lunch"),
    v1(40_000, "a1", "idle", idleCodeId="break", idleCodeName="Break"),
    channel(50_000, "a1", "chat", "Idle"),
)


def test_a_row_is_whole(site, clock):
    """All fields, of an agent on a break after lunch; time is the clock."""
    tell(site, *LUNCH_THEN_BREAK)
    clock.now = at(500_000)
    expected = {
        "agentId": "a1",
        "orgId": ORG,
        "teamId": "team-1",
        "status": "idle",
        "reasonCode": "break",
        "reasonName": "Break",
        "since": at(40_000),
        "durationMs": 460_000,
        "time": at(500_000),
        "currentState": "idle",
        "loggedIn": True,
        "settled": True,
    }
    (row,) = rows(site)
    assert NAMES.split() == [*row]
    assert expected == row


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (0, ("available", None, 0, 0)),
        (10_000, ("idle", "lunch", 10_000, 0)),
        (39_999, ("idle", "lunch", 10_000, 29_999)),
        (40_000, ("idle", "break", 40_000, 0)),
        (60_000, ("idle", "break", 40_000, 20_000)),
    ],
)
def test_another_reason_begins_anew(site, moment, expected):
    """As of ``at``; the view's statusSince stays where the idle words began."""
    tell(site, *LUNCH_THEN_BREAK)
    row = row_of(site, "a1", at=at(moment))
    assert expected == brief(row)
    assert at(moment) == row["time"]


def test_a_busy_agent_has_no_reason(site):
    """The idle code counts only while idle; the same word again does not begin anew."""
    tell(
        site,
        *LUNCH_THEN_BREAK,
        v2(60_000, "a1", "connected", "t", ("c1", "telephony")),
        v2(70_000, "a1", "connected", "t", ("c1", "telephony")),
    )
    assert ("connected", None, 60_000, 40_000) == brief(row_of(site, "a1"))


def test_a_channel_that_ends_a_call_makes_idle_without_a_reason(site):
    """Idle since then, though the run of intervals goes back further."""
    tell(
        site,
        login(0, "a1"),
        v2(10_000, "a1", "connected", "t", ("c1", "telephony")),
        channel(30_000, "a1", "telephony", "Idle"),
    )
    assert ("idle", None, 30_000, 70_000) == brief(row_of(site, "a1"))


def test_a_silent_agent_is_logged_out_by_time(site, clock):
    """A day without news, and not a millisecond before (missing-logout)."""
    tell(site, login(0, "a1", "Available"))
    for now, expected in (
        (at(DAY) - 1, ("available", None, 0, DAY - 1)),
        (at(DAY), ("logged-out", None, DAY, 0)),
        (at(DAY) + 5_000, ("logged-out", None, DAY, 5_000)),
    ):
        clock.now = now
        assert expected == brief(row_of(site, "a1"))
        assert expected == brief(row_of(site, "a1", at=now))
        assert (expected[0] == "available") == row_of(site, "a1")["loggedIn"]
    assert [] == rows(site, status="available")
    assert ["a1"] == [row["agentId"] for row in rows(site, status="logged-out")]


def test_an_agent_who_is_idle_again_by_time_is_so_since_then(site, clock):
    """The deadline of a leg begins an interval that no table has."""
    tell(
        site,
        login(0, "a1"),
        v2(10_000, "a1", "ringing", "t", ("c1", "telephony")),
        v2(20_000, "a1", "idle", None, ("c2", "chat"), idleCodeId="lunch"),
    )
    clock.now = at(310_000) + 5_000
    status, reason, since, duration = brief(row_of(site, "a1"))
    view = site.get("/api/v1/agents/a1").json
    history = site.get("/api/v1/agents/a1/history").json["data"]
    assert (view["status"], view["idleCodeId"]) == (status, reason)
    assert history[-1]["from"] == at(since)
    assert (310_000, 5_000) == (since, duration)


def test_what_was_known_then(site, clock):
    """A code that came late was not known before."""
    early, late = story(
        v1(10_000, "a1", "idle", idleCodeId="lunch"), v1(5_000, "a1", "idle", idleCodeId="tea")
    )
    for clock.now, body in ((RECORDED, early), (RECORDED + 1_000, late)):
        site.post(body)
        site.project()
    clock.now = NOW
    assert "lunch" == row_of(site, "a1", knownAt=RECORDED)["reasonCode"]
    assert at(10_000) == row_of(site, "a1", knownAt=RECORDED)["since"]
    both = {"at": at(5_000), "knownAt": RECORDED + 1_000}
    assert ("idle", "tea", 5_000, 0) == brief(row_of(site, "a1", **both))
    assert [] == rows(site, at=at(5_000), knownAt=RECORDED)


def test_a_late_code_does_not_change_what_was_known_before(site, clock, monkeypatch):
    """Where the fold goes on from a snapshot, the start is that of an interval known then."""
    monkeypatch.setattr("projector.domain.events.EVENTS_PER_SNAPSHOT", 1)
    lunch, chat, late = story(
        v1(10_000, "a1", "idle", idleCodeId="lunch"),
        channel(60_000, "a1", "chat", "Idle"),
        v1(30_000, "a1", "idle", idleCodeId="tea"),
    )
    for clock.now, bodies in ((RECORDED, [lunch, chat]), (RECORDED + 1_000, [late])):
        site.post(bodies)
        site.project()
    clock.now = NOW
    assert ("idle", "lunch", at(10_000)) == started(row_of(site, "a1", knownAt=RECORDED))
    assert ("idle", "tea", at(30_000)) == started(row_of(site, "a1"))


def started(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["status"], row["reasonCode"], row["since"]


# --- filters, pages, access ---

FLOOR = (
    login(0, "a1"),
    login(0, "a2", teamId="team-2"),
    login(0, "a3", teamId=None),
    v1(5, "a2", "Available"),
    logout(6, "a3", "AGENT"),
    login(0, "b1") | {"comciscoorgid": "beta"},
)


@pytest.mark.parametrize(
    ("token", "query", "expected"),
    [
        ("all", {}, "a1 a2 a3 b1"),
        ("all", {"orgId": "beta"}, "b1"),
        ("all", {"agentId": ["a3", "a1", "none"]}, "a1 a3"),
        ("all", {"teamId": "team-2"}, "a2"),
        ("all", {"teamId": ["team-1", "team-2"]}, "a1 a2 b1"),
        ("all", {"status": ["available", "logged-out"]}, "a2 a3"),
        ("all", {"status": "available", "teamId": "team-1"}, ""),
        ("acme", {}, "a1 a2 a3"),
        ("team-1", {}, "a1 b1"),
        ("team-1", {"teamId": "team-2"}, ""),
        ("no-team", {}, ""),
        ("beta-1", {}, "b1"),
    ],
    ids=str,
)
def test_rows_are_filtered_and_scoped(site, token, query, expected):
    """As lists of agents are, in every form of the answer."""
    tell(site, *FLOOR)
    assert expected.split() == [row["agentId"] for row in rows(site, token, **query)]
    headers = {"Authorization": f"Bearer {token}", "Accept": NDJSON}
    lines = site.client.get(PATH, headers=headers, query_string=query).text.splitlines()
    assert expected.split() == [json.loads(line)["agentId"] for line in lines]


def test_pages_go_on(site):
    """By organisation and id; a cursor belongs to its filters."""
    tell(site, *FLOOR)
    found, cursor = [], ""
    while cursor is not None:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        answer = site.get(PATH, query_string=query).json
        found += [row["agentId"] for row in answer["data"]]
        last, cursor = cursor, answer["meta"]["nextCursor"]
    assert ["a1", "a2", "a3", "b1"] == found
    assert 400 == site.get(PATH, query_string={"status": "idle", "cursor": last}).status_code


def test_a_list_without_agents_is_a_list(site):
    """Before anything came."""
    assert {"meta": {"nextCursor": None, "count": 0}, "data": []} == site.get(PATH).json


# --- files ---


def test_a_file_has_all_rows_as_of_one_moment(site, monkeypatch):
    """Its headers tell the filters, the position and its time; CSV has one header line."""
    monkeypatch.setattr("projector.query.as_of.views.AGENTS_TOGETHER", 1)
    position = tell(site, *FLOOR)
    answer = site.get(PATH, headers={"Accept": NDJSON}, query_string={"orgId": ORG})
    assert f"{NDJSON}; charset=utf-8" == answer.headers["Content-Type"]
    assert rows(site, orgId=ORG) == [json.loads(line) for line in answer.text.splitlines()]
    assert {"orgId": [ORG]} == json.loads(answer.headers["X-Filters"])
    assert str(position) == answer.headers["X-As-Of-Position"]
    assert str(at(100_000)) == answer.headers["X-As-Of"]
    assert 'filename="adherence.ndjson"' in answer.headers["Content-Disposition"]
    table = list(csv.reader(io.StringIO(site.get(PATH, headers={"Accept": CSV}).text)))
    assert NAMES.split() == table[0]
    assert ["a1", "a2", "a3", "b1"] == [line[0] for line in table[1:]]


def test_a_file_of_the_past_is_the_list_of_the_past(site):
    """``at`` and ``knownAt`` hold for both."""
    tell(site, *LUNCH_THEN_BREAK)
    query = {"at": at(39_999)}
    lines = site.get(PATH, headers={"Accept": NDJSON}, query_string=query).text.splitlines()
    assert rows(site, **query) == [json.loads(line) for line in lines]
    assert ["lunch"] == [json.loads(line)["reasonCode"] for line in lines]


@pytest.mark.parametrize(
    ("accept", "query", "wrong"),
    [
        ("application/json", {"limit": 0}, "limit"),
        ("application/json", {"window": 1}, "window"),
        ("application/json", {"at": "x"}, "at"),
        ("application/json", {"agentId": ""}, "agentId"),
        (NDJSON, {"limit": 1}, "limit"),
        (CSV, {"limit": 1}, "limit"),
        (EVENTS, {"limit": 1}, "limit"),
        (EVENTS, {"at": 1}, "at"),
        (EVENTS, {"knownAt": 1}, "knownAt"),
        (EVENTS, {"taskId": "t"}, "taskId"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(site, accept, query, wrong):
    """400, by name."""
    answer = site.get(PATH, headers={"Accept": accept}, query_string=query)
    assert 400 == answer.status_code
    assert [wrong] == [error["parameter"] for error in answer.json["errors"]]


# --- the stream ---


@contextmanager
def listening(site: Site, *, since: int | None = None, token: str = "all", **query: Any):
    headers = {"Accept": EVENTS, "Authorization": f"Bearer {token}"}
    headers |= {} if since is None else {"Last-Event-ID": str(since)}
    with closing(Listener(site, headers, query, path=PATH)) as listener:
        yield listener.await_(lambda it: it.last_id is not None)


def told(listener: Listener, agent: str) -> list[tuple[Any, ...]]:
    return [
        (row["status"], row["reasonCode"], row["since"] - at(0))
        for row in listener.of("adherence")
        if row["agentId"] == agent
    ]


def test_the_stream_tells_what_changes(site):
    """Each status and each reason once; what a channel says changes no row, nor does a task."""
    tell(site, login(0, "a1", "Available"))
    with listening(site) as listener:
        for body in LUNCH_THEN_BREAK[1:]:
            tell(site, body)
            settle(listener, site)
        assert [("idle", "lunch", 10_000), ("idle", "break", 40_000)] == told(listener, "a1")
        assert {"adherence"} == {event for _, event, _ in listener.frames}
        assert NAMES.split() == [*listener.of("adherence")[0]]


def test_the_stream_resumes(site):
    """After a position: each agent that changed since, as it is now."""
    since = tell(site, login(0, "a1", "Available"), login(0, "a2"))
    tell(site, *LUNCH_THEN_BREAK[1:3])
    with listening(site, since=since) as listener:
        settle(listener, site)
        assert [("idle", "break", 40_000)] == told(listener, "a1")
        assert [] == told(listener, "a2")


def test_the_stream_tells_who_leaves_a_filter(site):
    """``left`` for whom the filter found before; others are never told."""
    tell(site, login(0, "a1", "Available"), login(0, "a2"))
    with listening(site, status=["available", "idle"], agentId=["a1"]) as listener:
        tell(site, v1(10_000, "a2", "available"))
        tell(site, v1(10_000, "a1", "connected", "t"))
        listener.await_(lambda it: it.of("left"))
        left = {"kind": "agent", "orgId": ORG, "agentId": "a1", "taskId": None}
        assert [("left", left)] == [(event, data) for _, event, data in listener.frames]


def test_the_stream_of_a_team_has_its_agents_alone(site):
    """As the token says; an agent who goes to another team has left."""
    tell(site, login(0, "a1"), login(0, "a2", teamId="team-2"))
    with listening(site, token="team-1") as listener:
        tell(site, v1(10_000, "a2", "available"), v1(10_000, "a1", "available"))
        tell(site, v1(20_000, "a1", "available", teamId="team-2"))
        listener.await_(lambda it: it.of("left"))
        assert {"a1"} == {data["agentId"] for _, _, data in listener.frames}


def test_the_stream_tells_what_time_changes(site, clock):
    """A missing logout, within the second in which it is looked for."""
    tell(site, login(0, "a1", "Available"))
    with listening(site) as listener:
        settle(listener, site)
        clock.now = at(DAY) + 2_000
        listener.await_(lambda it: told(it, "a1"))
        assert [("logged-out", None, DAY)] == told(listener, "a1")


def test_the_general_stream_has_no_adherence(site):
    """Its events are as before, also while a stream of adherence is open."""
    with listening(site), closing(Listener(site, {})) as general:
        general.await_(lambda it: it.last_id is not None)
        tell(site, login(0, "a1"))
        settle(general, site)
        assert {"agent"} == {event for _, event, _ in general.frames}
