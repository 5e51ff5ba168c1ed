"""Answers as of two times: what happened, what was shown, and what we knew of it when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Site, open_site
from tests.examples import DAWN, NOW, ORG, RECORDED, at, login, story, v1
from tests.integration.driving import Clock

LOGIN, TALK, LATE, AWAY, MOVED = story(
    login(0, "ann", "Available"),
    v1(10_000, "ann", "connected", "t", teamId="team-1"),
    v1(5_000, "ann", "idle", teamId="team-1"),
    v1(20_000, "ann", "idle", teamId="team-1"),
    v1(30_000, "ann", "available", teamId="team-2"),
)
# Each is one publication: the third comes late, and the times tell when each was stored.
ARRIVED = {RECORDED: LOGIN, RECORDED + 1_000: TALK, RECORDED + 2_000: LATE, RECORDED + 3_000: AWAY}
BEFORE_LATE, SINCE_LATE = RECORDED + 1_500, RECORDED + 2_000


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told(database_url, tmp_path, clock):
    """A site that was told all of it, each folded before the next came; now it is later."""
    tokens = [
        {"token": "all", "role": "operator"},
        {"token": "one", "role": "viewer", "teamIds": ["team-1"]},
        {"token": "two", "role": "viewer", "teamIds": ["team-2"]},
    ]
    settings = {"PROJECTOR_TOKENS": json.dumps(tokens)}
    with open_site(database_url, tmp_path, clock=clock, **settings) as site:
        for clock.now, body in (ARRIVED | {RECORDED + 4_000: MOVED}).items():
            assert 202 == site.post(body).status_code
            site.project()
        clock.now = NOW
        yield site


def status(site: Site, **times: int) -> str | None:
    view = site.get("/api/v1/agents/ann", query_string=times).json
    return view.get("status")


def test_four_questions(told):
    """Now; what had happened by then; what was shown then; what was known then of before."""
    assert "available" == status(told)
    assert "idle" == status(told, at=at(9_000))
    assert "connected" == status(told, knownAt=BEFORE_LATE)
    assert "available" == status(told, at=at(9_000), knownAt=BEFORE_LATE)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"at": at(10_000)}, "connected"),
        ({"at": at(10_000) - 1}, "idle"),
        ({"at": at(5_000)}, "idle"),
        ({"at": at(5_000) - 1}, "available"),
        ({"knownAt": SINCE_LATE - 1, "at": at(5_000)}, "available"),
        ({"knownAt": SINCE_LATE, "at": at(5_000)}, "idle"),
        ({"at": NOW + 3_600_000}, "available"),
        ({"knownAt": NOW + 3_600_000}, "available"),
        ({"at": NOW * 2}, "logged-out"),
        ({"knownAt": NOW * 2}, "logged-out"),
    ],
)
def test_both_times_are_inclusive(told, times, expected):
    """To the millisecond. A moment to come is as now, but for what the passing of time ends."""
    assert expected == status(told, **times)


@pytest.mark.parametrize("times", [{"at": at(-1)}, {"knownAt": RECORDED - 1}, {"at": 0}])
@pytest.mark.parametrize("part", ["", "/history", "/explain"])
def test_a_subject_that_did_not_exist_yet_is_not_found(told, times, part):
    """Whether it had not happened or was not known; lists are empty."""
    assert 404 == told.get(f"/api/v1/agents/ann{part}", query_string=times).status_code
    assert [] == told.get("/api/v1/agents", query_string=times).json["data"]


def test_a_history_is_of_both_times(told):
    """Its last interval is open, as it was."""

    def history(**times: int) -> list[tuple[int, int | None, str]]:
        rows = told.get("/api/v1/agents/ann/history", query_string=times).json["data"]
        return [((it["from"] - DAWN), it["to"] and it["to"] - DAWN, it["status"]) for it in rows]

    assert [(0, 5_000, "available"), (5_000, 10_000, "idle"), (10_000, None, "connected")] == (
        history(at=at(15_000))
    )
    assert [(0, 10_000, "available"), (10_000, None, "connected")] == history(knownAt=BEFORE_LATE)
    assert [(0, None, "available")] == history(at=at(9_999), knownAt=BEFORE_LATE)


def test_a_list_repeats_the_times(told):
    """Both, when either is given; none where neither is."""
    meta = told.get("/api/v1/agents", query_string={"at": at(1)}).json["meta"]
    assert {"nextCursor": None, "count": 1, "at": at(1), "knownAt": None} == meta
    assert {"nextCursor", "count"} == told.get("/api/v1/agents").json["meta"].keys()
    query = {"knownAt": SINCE_LATE}
    meta = told.get("/api/v1/agents/ann/history", query_string=query).json["meta"]
    assert (None, SINCE_LATE) == (meta["at"], meta["knownAt"])


def test_filters_are_of_the_view_as_it_was(told):
    """Not of the one that stands."""

    def found(**query: Any) -> int:
        return told.get("/api/v1/agents", query_string=query).json["meta"]["count"]

    assert 0 == found(status="connected")
    assert 1 == found(status="connected", at=at(10_000))
    assert 0 == found(status="available", at=at(10_000))
    assert 1 == found(teamId="team-1", at=at(29_999))
    assert 0 == found(teamId="team-1", at=at(30_000))
    tasks = told.get("/api/v1/tasks", query_string={"open": "true", "at": at(12_000)})
    assert ["t"] == [view["taskId"] for view in tasks.json["data"]]


@pytest.mark.parametrize(
    ("token", "moment", "expected"),
    [("one", 20_000, 200), ("two", 20_000, 403), ("one", 30_000, 403), ("two", 30_000, 200)],
)
def test_teams_are_those_of_the_question(told, token, moment, expected):
    """Who moved to another team is seen by the one of then; so are tasks."""
    headers = {"Authorization": f"Bearer {token}"}
    for path, name in (("/api/v1/agents", "ann"), ("/api/v1/tasks", "t")):
        query = {"at": at(moment)}
        one = told.get(f"{path}/{name}", query_string=query, headers=headers)
        assert expected == one.status_code
        many = told.get(path, query_string=query, headers=headers).json
        assert int(expected == 200) == many["meta"]["count"]


@pytest.mark.parametrize("name", ["at", "knownAt"])
@pytest.mark.parametrize("given", ["", "x", "-1", "1.5", str(2**53), "1e3"])
@pytest.mark.parametrize(
    "path", ["agents", "agents/ann", "agents/ann/history", "agents/ann/explain", "tasks/t/explain"]
)
def test_a_bad_time_is_named(site, path, name, given):
    """With what was given and what is allowed, before anything is looked up."""
    answer = site.get(f"/api/v1/{path}", query_string={name: given})
    assert 400 == answer.status_code
    (error,) = answer.json["errors"]
    assert (name, given) == (error["parameter"], error["given"])
    assert "epoch milliseconds" in error["allowed"]


def test_what_was_known_is_waited_for(told, clock, monkeypatch):
    """An answer of what was known then lacks nothing of it: where the views are behind, 503."""
    monkeypatch.setattr("api.http.freshness.WAIT_SECONDS", 0.05)
    (late,) = story(v1(40_000, "ann", "idle"))
    told.post(late | {"id": "later"})
    query = {"knownAt": clock.now}
    assert 503 == told.get("/api/v1/agents/ann", query_string=query).status_code
    assert "available" == status(told, knownAt=NOW - 1)
    told.project()
    assert "idle" == status(told, **query)


def test_what_a_parked_subject_waits_for_is_in_no_answer(told, clock):
    """As of any times; once it is folded, it is as if it had never waited."""
    waiting, after = story(v1(40_000, "ann", "idle"), v1(50_000, "ann", "available"))
    told.post(waiting | {"id": "w"})
    told.post(after | {"id": "a"})
    told.project()
    assert "idle" == status(told, at=at(45_000))
    assert ORG == told.get("/api/v1/agents/ann", query_string={"at": at(45_000)}).json["orgId"]


def test_a_small_page_of_a_rare_filter_goes_on(told, clock, monkeypatch):
    """Where few fit, a page is what was found among so many, and the next goes on from there."""
    monkeypatch.setattr("projector.query.as_of.views.CANDIDATES_TOGETHER", 3)
    monkeypatch.setattr("projector.query.as_of.views.CANDIDATES_PER_PAGE", 6)
    told.post(
        story(*(v1(1_000, f"b{n:02}", "idle" if n == 19 else "available") for n in range(20)))
    )
    told.project()
    query = {"at": at(2_000), "status": "idle", "limit": 1}
    found, pages, cursor = [], 0, ""
    while cursor is not None:
        page = query | ({"cursor": cursor} if cursor else {})
        answer = told.get("/api/v1/agents", query_string=page).json
        found += [view["agentId"] for view in answer["data"]]
        cursor, pages = answer["meta"]["nextCursor"], pages + 1
    assert (["b19"], True) == (found, pages > 2)
