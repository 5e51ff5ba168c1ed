"""What has changed in a report since it was mailed, by how much, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Site, open_site
from tests.examples import at, ended, login, story, task, v1
from tests.integration.driving import Clock

MINUTE, HOUR = 60_000, 3_600_000
SPAN = {"from": at(0), "to": at(2 * HOUR), "interval": "1h"}
MAILED = at(3 * HOUR)


@pytest.fixture
def told(database_url, tmp_path):
    """Tells some events at moments of its clock."""
    clock = Clock()
    with open_site(database_url, tmp_path, clock=clock) as site:

        def tell(moment: int, *bodies: dict[str, Any]) -> Site:
            clock.now = at(moment)
            site.post([*story(*bodies)])
            site.project()
            return site

        yield tell


def asked(site: Site, **query: Any) -> dict[str, Any]:
    answer = site.get("/api/v1/reports/differences", query_string=SPAN | query)
    assert 200 == answer.status_code, answer.text
    told: dict[str, Any] = answer.json
    return told


def abandoned_call(tell: Any) -> Site:
    """A call that is thought to be given up; an hour later it is told that ann took it."""
    tell(
        2 * HOUR,
        login(0, "ann", "Available"),
        task(10 * MINUTE, "t", "parked", queueId="q"),
        v1(10 * MINUTE, "ann", "ringing", "t"),
        ended(12 * MINUTE, "t"),
        v1(13 * MINUTE, "ann", "available", "t"),
        task(70 * MINUTE, "other", "parked", queueId="q"),
        ended(71 * MINUTE, "other"),
    )
    late = task(11 * MINUTE, "t", "connected") | {"id": "late"}
    site: Site = tell(4 * HOUR, late)
    return site


def test_a_late_answer_changes_the_row_of_its_hour(told):
    """The other hour stays, and is not listed."""
    site = abandoned_call(told)
    answer = asked(site, knownAt=MAILED)
    (row,) = answer["data"]
    assert {"nextCursor": None, "count": 1, "knownAt": [MAILED, None]} == answer["meta"]
    assert (at(0), at(HOUR), "q", "telephony", None, True, True) == tuple(
        row[name]
        for name in ("from", "to", "queueId", "channelType", "agentId", "existed", "exists")
    )
    wait = {"before": 0, "after": MINUTE, "difference": MINUTE}
    assert {
        "answered": {"before": 0, "after": 1, "difference": 1},
        "abandoned": {"before": 1, "after": 0, "difference": -1},
        "waitMs": wait,
        "maxWaitMs": {"before": 2 * MINUTE, "after": MINUTE, "difference": -MINUTE},
        "abandonedWaitMs": {"before": 2 * MINUTE, "after": 0, "difference": -2 * MINUTE},
        "handled": {"before": 0, "after": 1, "difference": 1},
        "talkMs": wait,
        "abandonment": {"before": 1, "after": 0, "difference": -1},
        "asaMs": {"before": None, "after": MINUTE, "difference": MINUTE},
        "ahtMs": {"before": None, "after": MINUTE, "difference": MINUTE},
    } == row["changes"]
    (reason,) = row["corrections"]
    assert (None, "t", at(4 * HOUR)) == tuple(
        reason[name] for name in ("agentId", "taskId", "recordedTime")
    )
    assert [("late", at(11 * MINUTE))] == [(it["eventId"], it["time"]) for it in reason["events"]]
    assert (1, False) == (row["correctionCount"], row["byTime"])


def test_what_came_before_both_moments_is_no_difference(told):
    """In whichever order they are given."""
    site = abandoned_call(told)
    assert [] == asked(site, knownAt=[at(2 * HOUR), MAILED])["data"]
    later = [at(5 * HOUR), MAILED]
    answer = asked(site, knownAt=later)
    assert [MAILED, at(5 * HOUR)] == answer["meta"]["knownAt"]
    assert 1 == len(answer["data"])
    assert answer["data"] == asked(site, knownAt=later[::-1])["data"]


def test_a_row_that_was_not_known_then_is_new(told):
    """And all that it has is told as grown from nothing."""
    site = abandoned_call(told)
    rows = asked(site, knownAt=[at(HOUR), MAILED])["data"]
    assert [(at(0), False, True), (at(HOUR), False, True)] == [
        (row["from"], row["existed"], row["exists"]) for row in rows
    ]
    assert {"before": None, "after": 1, "difference": 1} == rows[1]["changes"]["offered"]


def test_a_late_state_changes_the_times_of_its_agent(told):
    """By status, with the request that brought it."""
    told(2 * HOUR, login(0, "ann", "Available"), v1(90 * MINUTE, "ann", "idle"))
    site = told(4 * HOUR, v1(30 * MINUTE, "ann", "idle") | {"id": "late"},
                v1(40 * MINUTE, "ann", "available") | {"id": "late2"})  # fmt: skip
    (row,) = asked(site, report="agents", knownAt=MAILED)["data"]
    minutes = {"before": 60 * MINUTE, "after": 50 * MINUTE, "difference": -10 * MINUTE}
    idle = {"before": None, "after": 10 * MINUTE, "difference": 10 * MINUTE}
    assert ("ann", at(0)) == (row["agentId"], row["from"])
    assert {
        "statusMs.available": minutes, "statusMs.idle": idle, "idleMs.none": idle,
    } == row["changes"]  # fmt: skip
    (reason,) = row["corrections"]
    assert ["late", "late2"] == [it["eventId"] for it in reason["events"]]
    assert ("ann", None) == (reason["agentId"], reason["taskId"])


def test_the_passing_of_time_is_a_reason(told):
    """An agent who rings without end: from then on what was shown is doubtful."""
    site = told(
        60_500, login(0, "ann", "Available"), v1(MINUTE, "ann", "ringing", "t") | {"id": "ring"}
    )
    known = [at(2 * MINUTE), at(30 * MINUTE)]
    (row,) = asked(site, report="agents", to=at(2 * MINUTE), knownAt=known)["data"]
    assert ([], True) == (row["corrections"], row["byTime"])
    assert {"before": 0, "after": MINUTE, "difference": MINUTE} == row["changes"]["doubtfulMs"]


def test_pages_are_the_file(told):
    """Of both reports: each row once, in one order."""
    site = abandoned_call(told)
    for report in ("queues", "agents"):
        query = {"report": report, "interval": "15m", "knownAt": at(1), "tz": "Europe/Berlin"}
        file = site.get(
            "/api/v1/reports/differences",
            query_string=SPAN | query,
            headers={"Accept": "application/x-ndjson"},
        )
        rows, cursor = [], None
        while True:
            page = asked(site, **query, limit=1, **({"cursor": cursor} if cursor else {}))
            rows += page["data"]
            cursor = page["meta"]["nextCursor"]
            if cursor is None:
                break
        assert len(rows) > 1
        assert rows == [json.loads(line) for line in file.text.splitlines()]
        assert "Europe/Berlin" == file.headers["X-Time-Zone"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({}, "knownAt"),
        ({"knownAt": ["1", "2", "3"]}, "knownAt"),
        ({"knownAt": "x"}, "knownAt"),
        ({"knownAt": "1", "report": "floors"}, "report"),
        ({"knownAt": "1", "interval": "0"}, "interval"),
        ({"knownAt": "1", "unknown": "1"}, "unknown"),
    ],
)
def test_bad_input_is_named(told, query, parameter):
    """With what is allowed."""
    answer = told(0).get("/api/v1/reports/differences", query_string=SPAN | query)
    (error,) = answer.json["errors"]
    assert (400, parameter) == (answer.status_code, error["parameter"])
    assert error["allowed"]


def test_a_team_sees_its_own(database_url, tmp_path):
    """As in the report itself."""
    tokens = [{"token": "one", "role": "viewer", "teamIds": ["team-1"]}]
    clock = Clock()
    with open_site(
        database_url, tmp_path, clock=clock, PROJECTOR_TOKENS=json.dumps(tokens)
    ) as site:
        clock.now = at(HOUR)
        site.post([*story(login(0, "ann", "Available"), login(0, "bob", teamId="team-2"))])
        site.project()
        answer = site.get(
            "/api/v1/reports/differences",
            query_string=SPAN | {"report": "agents", "knownAt": "1"},
            headers={"Authorization": "Bearer one"},
        )
        assert {"ann"} == {row["agentId"] for row in answer.json["data"]}


def test_reasons_are_of_what_the_row_counts_and_the_caller_sees(database_url, tmp_path):
    """Another team's task is none; of what was the team's once, no name is told."""
    tokens = [{"token": "all", "role": "operator"},
              {"token": "one", "role": "viewer", "teamIds": ["team-1"]}]  # fmt: skip
    clock = Clock()
    agents = {"ann": "team-1", "bob": "team-2", "cy": "team-1"}

    def call(name: str) -> list[dict[str, Any]]:
        return [
            task(MINUTE, f"of-{name}", "parked", queueId="q"),
            v1(2 * MINUTE, name, "connected", f"of-{name}", teamId=agents[name]),
            task(2 * MINUTE, f"of-{name}", "connected"),
            ended(10 * MINUTE, f"of-{name}"),
        ]

    with open_site(
        database_url, tmp_path, clock=clock, PROJECTOR_TOKENS=json.dumps(tokens)
    ) as site:
        clock.now = at(HOUR)
        site.post([*story(*(login(0, name, teamId=team) for name, team in agents.items()),
                          *(step for name in agents for step in call(name)))])  # fmt: skip
        site.project()
        clock.now = at(3 * HOUR)
        for name in agents:
            site.post(task(5 * MINUTE, f"of-{name}", "on-hold") | {"id": f"late {name}"})
        site.post(login(2 * HOUR, "cy", teamId="team-2") | {"id": "moved"})
        site.project()

        def tasks(token: str, **query: Any) -> tuple[int, list[str | None]]:
            answer = site.get(
                "/api/v1/reports/differences",
                query_string=SPAN | {"knownAt": at(2 * HOUR)} | query,
                headers={"Authorization": f"Bearer {token}"},
            )
            (row,) = answer.json["data"]
            assert all(bool(it["taskId"]) == bool(it["events"]) for it in row["corrections"])
            return row["correctionCount"], [it["taskId"] for it in row["corrections"]]

        assert (3, ["of-ann", "of-bob", "of-cy"]) == tasks("all")
        assert (1, ["of-bob"]) == tasks("all", agentId="bob")
        assert (2, ["of-ann", None]) == tasks("one")
