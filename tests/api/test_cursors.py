"""Cursors: each belongs to the question whose answer gave it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from werkzeug.test import TestResponse

from api.http.routing import ROUTES, Route
from projector.operations.audit_trail import TrailRequest
from projector.operations.names import NameEntry
from tests.conftest import Site, clone, open_site
from tests.examples import ORG, at, story, task, v1

PAST = {"at": str(at(60_000))}
SPAN = {"from": str(at(0)), "to": str(at(60_000)), "interval": "1000"}
QUERIES: dict[str, dict[str, Any]] = {  # of each list that has pages: filters that fit many rows
    "agents": {"orgId": ORG, "status": ["idle", "available", "connected"]},
    "tasks": {"open": "true", **PAST},
    "agents/{agentId}/history": {"from": "5", **PAST},
    "tasks/{taskId}/history": {"orgId": ORG},
    "agents/{agentId}/events": {"order": "recorded"},
    "tasks/{taskId}/events": {"orgId": [ORG, "other"]},
    "events": {"agentId": ["ann", "bob"], "order": "recorded", "toPosition": "99"},
    "anomalies": {"to": str(at(10**9))},
    "corrections": {"agentId": ["ann", "bob"]},
    "conflicts": {"kind": ["variation", "conflict"]},
    "quarantine": {"from": "1"},
    "parked": {"orgId": ORG},
    "names": {"kind": ["agent", "team"]},
    "reports/adherence": {"status": ["idle", "available", "connected"], **PAST},
    "reports/queues": {**SPAN, "channelType": ["telephony", "chat"]},
    "reports/agents": {**SPAN, **PAST},
    "reports/differences": {**SPAN, "report": "agents", "knownAt": "1"},
    "replays": {},
    "reconciliations": {},
    "thresholds/changes": {},
    "audit-trail": {"action": ["POST /a", "PUT /b"]},
}
JOB = {  # the parameters of either kind
    "from": 0,
    "to": 1,
    "orgIds": None,
    "agentIds": [],
    "taskIds": [],
    "dryRun": True,
    "parked": False,
}
PATHS = {name: name.format(agentId="ann", taskId="t") for name in QUERIES}
MORE_OF_ONE_KIND = [  # lists whose cursors have the same parts
    ("agents", "tasks"),
    ("agents", "reports/adherence"),
    ("anomalies", "corrections"),
    ("agents/ann/history", "agents/bob/history"),
    ("agents/ann/history", "tasks/t/history"),
    ("agents/ann/events", "agents/bob/events"),
    ("agents/ann/events", "replays"),
    ("replays", "reconciliations"),
    ("replays", "thresholds/changes"),
    ("replays", "audit-trail"),
]


@pytest.fixture(scope="module")
def floor(template, tmp_path_factory) -> Iterator[Site]:
    """A site where each list has several rows."""
    with open_site(clone(template), tmp_path_factory.mktemp("cursors")) as site:
        idle, ready, late, again = story(
            v1(10_000, "ann", "idle"),
            v1(50_000, "ann", "available"),
            v1(30_000, "ann", "connected", "t"),
            v1(20_000, "ann", "idle", idleCodeId="lunch"),
        )
        for one in (idle, ready, late, again):
            site.post(one)
            site.project()
        others = story(
            *(v1(1_000, name, "connected", "t") for name in ("bob", "cid")),
            *(v1(2_000, name, "idle") for name in ("bob", "cid")),
            *(task(5_000 * n, "t", word) for n, word in enumerate(("new", "connect", "on-hold"))),
            *(task(1 + 2_000 * n, f"t{n}", "parked") for n in range(3)),
        )
        site.post([{**one, "id": f"more {one['id']}"} for one in others])
        for changes in ({"note": 1}, {"note": 2}, {"teamId": "else"}):
            site.post({**idle, "data": {**idle["data"], **changes}})
        for body in (b"no json", b"1", b"2"):
            site.post(body)
        site.project()
        site.service.name_store.keep(
            "import",
            [
                NameEntry(org_id=ORG, kind="agent", id=id_, name=id_)
                for id_ in ("ann", "bob", "cid")
            ],
        )
        for version in range(3):
            site.service.threshold_store.change([], version=version, who="", why="")
        for action in ("POST /a", "PUT /b", "POST /a"):
            request = TrailRequest(who="", address=None, action=action, details={})
            site.service.audit_trail.ask(request)
        with psycopg.connect(site.url) as connection:
            connection.execute(
                "INSERT INTO projector.parked SELECT 'agents', org_id, agent_id, agent_bucket,"
                " notification_id, notification_id, '', 0 FROM projector.events"
                " WHERE notification_id IN (1, 5, 6)"
            )
            connection.execute(
                "INSERT INTO projector.jobs (kind, parameters, who, created_time)"
                " SELECT kind, %s, '', 1 FROM unnest(ARRAY['replay', 'reconciliation']) AS kind,"
                " generate_series(1, 3)",
                [json.dumps(JOB)],
            )
        yield site


def ask(site: Site, path: str, **query: Any) -> TestResponse:
    return site.get(f"/api/v1/{path}", query_string=query)


def page(site: Site, path: str, **query: Any) -> tuple[list[Any], str]:
    """The rows of a page, and the cursor after it."""
    answer = ask(site, path, **query)
    assert 200 == answer.status_code, answer.text
    return answer.json["data"], answer.json["meta"]["nextCursor"]


def is_refused(answer: TestResponse, cursor: str) -> bool:
    """Whether the cursor is named, and nothing else."""
    if answer.status_code == 200:
        return False
    assert (400, "application/problem+json") == (answer.status_code, answer.content_type)
    assert "cursor" in answer.json["detail"]
    ((name, given),) = ((it["parameter"], it["given"]) for it in answer.json["errors"])
    assert ("cursor", cursor) == (name, given)
    return True


def with_cursors() -> list[Route]:
    """Those of pages; a digest refuses cursors."""
    lists = [it for it in ROUTES if not it.of_all_rows]
    return [it for it in lists if "cursor" in it.query.model_fields]


def declared(name: str) -> str:
    """The path of a list as its route declares it."""
    return f"/api/v1/{name}".replace("{agentId}", "<agent_id>").replace("{taskId}", "<task_id>")


def test_every_list_with_pages_is_here():
    """So that a new one is tried as well."""
    assert {declared(name) for name in QUERIES} == {it.path for it in with_cursors()}


@pytest.mark.parametrize("name", QUERIES)
def test_pages_go_on_with_another_limit(floor, name):
    """The limit belongs to the page; order and spelling of the parameters do not matter."""
    path, query = PATHS[name], QUERIES[name]
    every, _ = page(floor, path, limit=1000, **query)
    first, cursor = page(floor, path, limit=1, **query)
    spelled_otherwise = {
        key: [*reversed(value), value[0]] if isinstance(value, list) else value
        for key, value in reversed(query.items())
    }
    second, later = page(floor, path, cursor=cursor, limit=1, **spelled_otherwise)
    rest, end = page(floor, path, cursor=later or cursor, limit=999, **query)
    assert end is None
    assert every == [*first, *(second if later else []), *rest]
    assert len(every) > 1


@pytest.mark.parametrize("name", QUERIES)
def test_a_cursor_of_another_question_is_refused(floor, name):
    """With a filter more, a filter less, or a filter with one value less."""
    path, query = PATHS[name], QUERIES[name]
    _, cursor = page(floor, path, limit=1, **query)
    (route,) = [it for it in with_cursors() if it.path == declared(name)]
    fields = {field.alias or key: field for key, field in route.query.model_fields.items()}
    names, needed = fields.keys(), {key for key, it in fields.items() if it.is_required()}
    others = [
        {key: value for key, value in query.items() if key != left}
        for left in query.keys() - needed
    ]
    others += [{**query, key: value[1:]} for key, value in query.items() if isinstance(value, list)]
    more = {"orgId": "acme", "at": "5", "knownAt": "5", "agentId": "x", "taskId": "x", "to": "5",
            "open": "false", "kind": "conflict", "teamId": "x", "body": "true"}  # fmt: skip
    others += [{**query, key: value} for key, value in more.items() if key in names - query.keys()]
    assert others or not names - {"limit", "cursor"}
    for other in others:
        assert is_refused(ask(floor, path, cursor=cursor, **other), cursor), other


@pytest.mark.parametrize(("one", "other"), MORE_OF_ONE_KIND)
def test_a_cursor_of_another_list_is_refused(floor, one, other):
    """Also where its key has the same parts, and for another agent."""
    for path, foreign in ((one, other), (other, one)):
        _, cursor = page(floor, path, limit=1)
        assert not is_refused(ask(floor, path, cursor=cursor), cursor)
        assert is_refused(ask(floor, foreign, cursor=cursor), cursor)


@pytest.mark.parametrize("name", QUERIES)
def test_a_changed_or_truncated_cursor_is_refused(floor, name):
    """Cut at either end, with another character, or with something before or after it."""
    path, query = PATHS[name], QUERIES[name]
    _, cursor = page(floor, path, limit=1, **query)
    wrong = [cursor[:size] for size in range(len(cursor))]
    wrong += [cursor[size:] for size in range(1, len(cursor))]
    wrong += [
        cursor[:index] + ("B" if letter == "A" else "A") + cursor[index + 1 :]
        for index, letter in enumerate(cursor)
    ]
    wrong += [f"{cursor}=", f"{cursor}A", f" {cursor}", f"{cursor}\n", f"!{cursor}", cursor * 2]
    for one in wrong[:: 1 if name == "agents" else 7]:
        assert is_refused(ask(floor, path, cursor=one, **query), one), one


def test_another_key_under_the_same_digest_is_refused(floor):
    """A cursor says where to go on; nobody else makes one."""
    _, cursor = page(floor, "agents", limit=1)
    content = base64.urlsafe_b64decode(cursor)
    start = content.index(b"[")
    org_id, id_ = json.loads(content[start:])
    assert (ORG, "ann") == (org_id, id_)
    for key in ([org_id, "bob"], [org_id, id_, id_], ["", ""], []):
        forged = base64.urlsafe_b64encode(content[:start] + json.dumps(key).encode()).decode()
        assert is_refused(ask(floor, "agents", cursor=forged), forged)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("agents/ann/history", {"from": "0"}),
        ("agents/ann/events", {"order": "created"}),
        ("events", {"recordedFrom": "0", "body": "false"}),
        ("anomalies", {"from": "00"}),
    ],
)
def test_a_default_may_be_given_or_left_out(floor, path, given):
    """It is the same question."""
    for first, second in (({}, given), (given, {})):
        rows, cursor = page(floor, path, limit=1, **first)
        assert rows + page(floor, path, cursor=cursor, **second)[0] == page(floor, path)[0]


def test_a_wrong_parameter_is_named_beside_a_wrong_cursor(floor):
    """What cannot be read is told first, whosever the cursor is."""
    _, cursor = page(floor, "agents", limit=1)
    answer = ask(floor, "tasks", cursor=cursor, limit=0, nonsense=1)
    assert (400, ["limit", "nonsense"]) == (
        answer.status_code,
        sorted(it["parameter"] for it in answer.json["errors"]),
    )


def test_validation_comes_before_the_token(floor):
    """A cursor of another question is a 400, whoever asks."""
    _, cursor = page(floor, "agents", limit=1)
    answer = floor.client.get("/api/v1/tasks", query_string={"cursor": cursor})
    assert is_refused(answer, cursor)
    right = floor.client.get("/api/v1/agents", query_string={"cursor": cursor})
    assert 401 == right.status_code
