"""The audit trail: every change and every file leaves who, why, from where, and the answer."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from api.http.routing import ROUTES
from projector.cli.main import main
from projector.infrastructure.database import connect
from projector.operations.audit_trail import LONGEST_DETAIL
from tests.api.test_session import CHANGES, address_of
from tests.conftest import MakeSite, Site
from tests.examples import login

ROLES = ("viewer", "auditor", "operator")
TOKENS = json.dumps(
    [
        *({"token": f"the-{role}", "role": role} for role in ROLES),
        {"token": "of-acme", "role": "operator", "orgIds": ["acme"]},
        {"token": "of-red", "role": "operator", "teamIds": ["red"]},
    ]
)
PATH = "/api/v1/audit-trail"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1")


def ask(site: Site, method: str, path: str, token: str = "the-operator", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    return site.client.open(path, method=method, headers=headers, **more)


def trail(site: Site, **query: Any) -> list[dict[str, Any]]:
    answer = ask(site, "GET", PATH, "the-auditor", query_string=query)
    assert 200 == answer.status_code, answer.text
    rows: list[dict[str, Any]] = answer.json["data"]
    return rows


def name_of(token: str, role: str) -> str:
    return f"{role} {hashlib.sha256(token.encode()).hexdigest()[:8]}"


@pytest.mark.parametrize(("method", "path"), CHANGES, ids=" ".join)
def test_every_change_leaves_a_row_with_its_answer(site: Site, method: str, path: str) -> None:
    """Also one that comes to nothing, as for a run that does not exist."""
    body = CHANGES[method, path]
    answer = ask(site, method.upper(), address_of(method, path), json=body)
    (row,) = trail(site)
    assert (name_of("the-operator", "operator"), f"{method.upper()} {path}") == (
        row["who"],
        row["action"],
    )
    assert answer.status_code == row["answer"]["status"]
    assert row["answer"].get("detail") == (
        answer.json["detail"] if answer.status_code >= 400 else None
    )
    assert address_of(method, path).partition("?")[0] == row["asked"]["path"]
    assert row["answeredTime"] >= row["time"]
    if body and "why" in body:
        assert body["why"] == row["asked"]["body"]["why"]


def test_the_changes_are_all_routes_that_are_no_get() -> None:
    """But the sign-in, which has no caller yet, and webhooks."""
    routes = {(it.method, it.path) for it in ROUTES if it.method != "get" and it.role is not None}
    assert routes == {*CHANGES}


def test_a_refused_attempt_is_in_the_trail(site: Site) -> None:
    """With the caller, whose role was too low."""
    ask(site, "POST", "/api/v1/replays", "the-viewer", json={})
    (row,) = trail(site)
    assert (name_of("the-viewer", "viewer"), 403) == (row["who"], row["answer"]["status"])
    assert "needs the role operator" in row["answer"]["detail"]


def test_reading_leaves_nothing_and_neither_does_a_stranger(site: Site) -> None:
    """Nor a request that is wrong: it is refused before anything else."""
    ask(site, "GET", "/api/v1/agents")
    ask(site, "POST", "/api/v1/replays", "wrong", json={})
    ask(site, "POST", "/api/v1/replays", json={"from": "x"})
    site.post([login(1_000, "ann") | {"id": "e1"}])
    assert [] == trail(site)


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-ndjson"])
def test_a_file_leaves_what_was_taken(site: Site, content_type: str) -> None:
    """Its question, its rows and its SHA-256; from where it was asked."""
    site.post([login(n, "ann") | {"id": f"e{n}"} for n in range(1, 4)])
    answer = ask(
        site,
        "GET",
        "/api/v1/events?agentId=ann",
        "the-auditor",
        headers={"Accept": content_type},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    content = answer.data
    (row,) = trail(site)
    assert ("GET /api/v1/events", "192.0.2.7") == (row["action"], row["address"])
    assert {"agentId": ["ann"]} == row["asked"]["query"]
    assert {
        "status": 200,
        "rows": "3",
        "sha256": hashlib.sha256(content).hexdigest(),
        "position": "3",
    } == row["answer"]
    rows = [*csv.reader(io.StringIO(content.decode()))][1:]
    assert content_type != "text/csv" or 3 == len(rows)


def test_nothing_is_done_that_is_not_in_the_trail(site: Site) -> None:
    """A database that takes no row stops the action: 503."""
    with connect(site.url) as connection:
        connection.execute("ALTER TABLE audit_trail RENAME TO elsewhere")
    answer = ask(site, "POST", "/api/v1/replays", json={})
    assert answer.status_code >= 500
    assert [] == ask(site, "GET", "/api/v1/replays").json["data"]
    with connect(site.url) as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO audit_trail")
    assert 202 == ask(site, "POST", "/api/v1/replays", json={}).status_code


def test_a_session_is_told_and_a_secret_is_not(site: Site) -> None:
    """A row names the token by eight digits of its SHA-256."""
    site.client.post("/api/v1/session", json={"token": "the-operator"})
    own = {"Sec-Fetch-Site": "same-origin"}
    site.client.post("/api/v1/replays", json={}, headers=own)
    (row,) = trail(site)
    assert row["asked"]["session"]
    with connect(site.url) as connection:
        (text,) = connection.execute("SELECT string_agg(t::text, '') AS it FROM audit_trail AS t")
    assert "the-operator" not in text["it"]


def test_long_and_odd_values_are_kept_short_and_readable(site: Site) -> None:
    """NUL, lone surrogates and a body of many names."""
    names = [
        {"orgId": "acme", "kind": "agent", "id": f"a{n}", "name": f"\u00e4 {n}"} for n in range(500)
    ]
    assert 200 == ask(site, "PUT", "/api/v1/names", json={"names": names}).status_code
    why = "\udfff\\ \u0007 " + "x" * 10_000
    ask(site, "POST", "/api/v1/quarantine/1/retry", data=json.dumps({"why": why}))
    for row in trail(site):
        assert len(json.dumps(row["asked"])) < 4 * LONGEST_DETAIL


def test_rows_never_change(site: Site) -> None:
    """Neither by the service nor by the database's owner."""
    ask(site, "POST", "/api/v1/replays", json={})
    for statement in (
        "UPDATE audit_trail SET who = 'nobody'",
        "DELETE FROM audit_trail",
        "TRUNCATE audit_trail",
    ):
        with (
            connect(site.url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"),
        ):
            connection.execute(statement.encode())
        with (
            site.service.pool.connection() as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())


def test_the_trail_is_read_by_auditors_of_all_organisations(site: Site) -> None:
    """It tells what others did."""
    assert 403 == ask(site, "GET", PATH, "the-viewer").status_code
    assert 403 == ask(site, "GET", PATH, "of-acme").status_code
    assert 403 == ask(site, "GET", PATH, "of-red").status_code
    assert 200 == ask(site, "GET", PATH, "the-operator").status_code


def test_rows_are_found_by_caller_action_and_time_in_pages(site: Site) -> None:
    """The newest first."""
    for _ in range(3):
        ask(site, "POST", "/api/v1/replays", json={})
    ask(site, "POST", "/api/v1/replays", "the-viewer", json={})
    ask(site, "DELETE", "/api/v1/replays/1")
    rows = trail(site)
    assert ["DELETE", "POST", "POST", "POST", "POST"] == [it["action"].split()[0] for it in rows]
    assert rows[1:2] == trail(site, who=name_of("the-viewer", "viewer"))
    assert rows[:1] == trail(site, action="DELETE /api/v1/replays/<id>")
    assert [] == trail(site, to=rows[-1]["time"])
    assert rows == trail(site, **{"from": rows[-1]["time"]})
    pages, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = ask(site, "GET", PATH, query_string=query).json
        pages += answer["data"]
        cursor = answer["meta"]["nextCursor"]
        if cursor is None:
            break
    assert rows == pages


def test_commands_on_the_database_are_in_the_trail(site: Site) -> None:
    """With the user of the machine, and what came of them."""
    environment = {"DATABASE_URL": site.url}

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, [*words], env=environment)

    made = run("tokens", "create", "--role", "viewer", "--note", "a wall", "--json")
    run("tokens", "revoke", "nothing")
    run("rebuild", "begin")
    begun, revoked, created = trail(site)
    assert ["rebuild begin", "tokens revoke", "tokens create"] == [
        it["action"] for it in (begun, revoked, created)
    ]
    assert created["who"].startswith("command ")
    assert "a wall" == created["asked"]["note"]
    assert json.loads(made.output)["id"] == created["answer"]["id"]
    assert json.loads(made.output)["token"] not in json.dumps(created)
    assert "No token has the id" in revoked["answer"]["failed"]
    assert begun["answer"]["done"]
