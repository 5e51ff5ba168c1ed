"""Thresholds over HTTP: what counts now, what an operator changes, and who changed it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from projector.contract.thresholds import MOST_RULES
from projector.query.alerts.defaults import DEFAULT_THRESHOLDS
from tests.conftest import Site, open_site
from tests.examples import story, task, v1

TOKENS = [
    {"token": "operator", "role": "operator"},
    {"token": "viewer", "role": "viewer"},
    {"token": "red", "role": "viewer", "teamIds": ["red"]},
    {"token": "acme", "role": "operator", "orgIds": ["acme"]},
    {"token": "red-operator", "role": "operator", "teamIds": ["red"]},
]
MINUTE = 60_000
IDLE = {"subject": "agent", "status": "idle", "amberMs": 5, "redMs": 9}
WAITING = {"subject": "queue", "measure": "waiting", "queueId": "sales", "amber": 1, "red": None}
FILE = [IDLE | {"teamId": "red", "amberMs": 7}, IDLE | {"status": "ringing"}]


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    path = tmp_path / "thresholds.json"
    path.write_text(json.dumps(FILE))
    settings = {"PROJECTOR_TOKENS": json.dumps(TOKENS), "PROJECTOR_THRESHOLDS": str(path)}
    with open_site(database_url, tmp_path, **settings) as opened:
        yield opened


def ask(
    site: Site, method: str, token: str = "operator", path: str = "", **more: Any
) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return site.client.open(f"/api/v1/thresholds{path}", method=method, headers=headers, **more)


def put(site: Site, rules: Any, version: Any, token: str = "operator", **more: Any) -> TestResponse:
    body = {"rules": rules, "version": version, "why": "a busy week", **more}
    return ask(site, "PUT", token, json=body)


def by_source(answer: TestResponse, source: str) -> list[dict[str, Any]]:
    """The rules of a source, without the fields that are null."""
    rows = [it for it in answer.json["data"] if it["source"] == source]
    return [{name: it for name, it in row.items() if it is not None} for row in rows]


def test_the_defaults_and_the_file_count_at_first(site: Site) -> None:
    """A rule of the file replaces the default that is for the same."""
    answer = ask(site, "GET", "viewer")
    assert {"version": 0, "count": len(DEFAULT_THRESHOLDS) + 1} == answer.json["meta"]
    assert [FILE[0] | {"source": "file"}, FILE[1] | {"source": "file"}] == by_source(answer, "file")
    assert len(DEFAULT_THRESHOLDS) - 1 == len(by_source(answer, "default"))


def test_an_operator_replaces_all_rules_of_the_operators(site: Site) -> None:
    """And takes them back; each change has the next version and is kept."""
    first = put(site, [IDLE, WAITING], 0)
    assert (200, 1) == (first.status_code, first.json["meta"]["version"])
    assert {("idle", None), (None, "waiting")} == {
        (it.get("status"), it.get("measure")) for it in by_source(first, "operator")
    }
    assert first.json == ask(site, "GET", "viewer").json
    second = put(site, [IDLE | {"amberMs": 6}], 1)
    assert [IDLE | {"amberMs": 6, "source": "operator"}] == by_source(second, "operator")
    third = ask(site, "DELETE", query_string={"why": "over", "version": 2})
    assert (200, 3) == (third.status_code, third.json["meta"]["version"])
    assert [] == by_source(third, "operator")
    changes = ask(site, "GET", path="/changes").json["data"]
    assert [(3, "over", None), (2, "a busy week", 1), (1, "a busy week", 2)] == [
        (it["version"], it["why"], it["rules"] and len(it["rules"])) for it in changes
    ]
    assert all(it["who"].startswith("operator ") and it["time"] > 0 for it in changes)
    assert WAITING.items() <= changes[2]["rules"][1].items()


def test_another_process_sees_a_change_at_once(site: Site, tmp_path: Path) -> None:
    """The rules are in the database alone."""
    settings = {"PROJECTOR_TOKENS": json.dumps(TOKENS)}
    with open_site(site.url, tmp_path, **settings) as other:
        for version in (0, 1):
            put(site, [IDLE | {"amberMs": version}], version)
            (rule,) = by_source(ask(other, "GET"), "operator")
            assert version == rule["amberMs"]


def test_a_writer_who_has_not_read_the_last_change_is_told(site: Site) -> None:
    """409, and nothing changes."""
    put(site, [IDLE], 0)
    for version in (0, 2, 10**9):
        stale = put(site, [], version)
        assert (409, "application/problem+json") == (stale.status_code, stale.content_type)
        gone = ask(site, "DELETE", query_string={"why": "x", "version": version})
        assert 409 == gone.status_code
    assert 1 == ask(site, "GET").json["meta"]["version"]


def test_of_writers_at_a_time_one_passes(site: Site) -> None:
    """The others are stale."""

    def write(number: int) -> int:
        client = site.client.application.test_client()
        body = {"rules": [IDLE | {"amberMs": number}], "version": 0, "why": "race"}
        headers = {"Authorization": "Bearer operator"}
        return client.put("/api/v1/thresholds", json=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = [*pool.map(write, range(8))]
    assert [200, *[409] * 7] == sorted(statuses)
    assert 1 == len(ask(site, "GET", path="/changes").json["data"])


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"rules": [IDLE | {"amberMs": 10}]}, "rules"),
        ({"rules": [IDLE, IDLE]}, "rules"),
        ({"rules": [IDLE | {"orgId": "a\0"}]}, "rules"),
        ({"rules": [IDLE | {"color": 1}]}, "rules"),
        ({"rules": [IDLE | {"status": f"s{n}"} for n in range(MOST_RULES + 1)]}, "rules"),
        ({"rules": {}}, "rules"),
        ({"rules": None}, "rules"),
        ({"why": ""}, "why"),
        ({"why": " "}, "why"),
        ({"why": "x" * 501}, "why"),
        ({"why": None}, "why"),
        ({"version": "0"}, "version"),
        ({"version": -1}, "version"),
        ({"more": 1}, "more"),
    ],
)
def test_what_cannot_be_used_is_named(site: Site, change: Any, parameter: str) -> None:
    """400, and nothing changes."""
    answer = put(site, **({"rules": [], "version": 0} | change))
    assert 400 == answer.status_code
    assert [parameter] == [it["parameter"] for it in answer.json["errors"]]
    assert 0 == ask(site, "GET").json["meta"]["version"]


def test_the_longest_list_of_rules_is_taken(site: Site) -> None:
    rules = [IDLE | {"status": f"s{n}"} for n in range(MOST_RULES)]
    assert 200 == put(site, rules, 0).status_code
    assert MOST_RULES == len(by_source(ask(site, "GET"), "operator"))


@pytest.mark.parametrize("token", ["viewer", "acme", "red-operator"])
def test_who_may_change_rules(site: Site, token: str) -> None:
    """An operator of all organisations and teams, since rules are replaced as a whole."""
    assert 403 == put(site, [], 0, token).status_code
    assert 403 == ask(site, "DELETE", token, query_string={"why": "x", "version": 0}).status_code
    assert 403 == ask(site, "GET", token, "/changes").status_code
    assert 401 == site.client.get("/api/v1/thresholds").status_code


def test_a_take_back_says_why(site: Site) -> None:
    answer = ask(site, "DELETE", query_string={"version": 0})
    assert (400, ["why"]) == (
        answer.status_code,
        [it["parameter"] for it in answer.json["errors"]],
    )


def test_a_caller_sees_the_rules_of_their_scope(site: Site) -> None:
    """Those for all, and those for an organisation or a team of the token."""
    rules = [
        IDLE | {"teamId": "blue"},
        IDLE | {"orgId": "acme", "teamId": "red"},
        IDLE | {"orgId": "other"},
        WAITING,
    ]
    put(site, rules, 0)
    seen = {
        token: [
            (it.get("orgId"), it.get("teamId"), it.get("queueId"))
            for it in by_source(ask(site, "GET", token), "operator")
        ]
        for token in ("viewer", "red", "acme")
    }
    of_other, of_sales = ("other", None, None), (None, None, "sales")
    blue, red = (None, "blue", None), ("acme", "red", None)
    assert {of_other, of_sales, blue, red} == {*seen["viewer"]}
    assert {of_other, red} == {*seen["red"]}
    assert {blue, red} == {*seen["acme"]}
    of_acme = ask(site, "GET", query_string={"orgId": "acme"})
    assert 2 == len(by_source(of_acme, "operator"))
    assert 403 == ask(site, "GET", "acme", query_string={"orgId": "other"}).status_code


def test_a_caller_sees_the_rules_of_the_queues_of_their_scope(site: Site) -> None:
    """Where such a queue has had a task: of a team, a task with one of its agents."""
    queues = ("sales", "support", "empty")
    put(site, [WAITING | {"queueId": it} for it in queues], 0)
    told = story(
        v1(0, "ann", "connected", "one", teamId="red", queueId="sales"),
        v1(0, "bob", "connected", "two", teamId="blue", queueId="support"),
        v1(0, "cid", "idle", teamId="red"),
        task(MINUTE, "three", "new", queueId="support"),
    )
    site.post([{**it, "comciscoorgid": "acme"} for it in told])
    site.project()
    seen = {
        token: {it["queueId"] for it in by_source(ask(site, "GET", token), "operator")}
        for token in ("viewer", "red", "acme")
    }
    assert {"viewer": {*queues}, "red": {"sales"}, "acme": {"sales", "support"}} == seen
    told = story(
        v1(2 * MINUTE, "cid", "ringing", "three", teamId="red", queueId="support"),
        v1(3 * MINUTE, "cid", "available", teamId="red"),
    )
    site.post([{**it, "comciscoorgid": "acme", "id": f"later{n}"} for n, it in enumerate(told)])
    site.project()
    of_red = by_source(ask(site, "GET", "red"), "operator")
    assert {"sales", "support"} == {it["queueId"] for it in of_red}
