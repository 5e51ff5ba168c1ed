"""Parking: an event that cannot be folded parks its subject, and nothing is lost."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner

from projector.cli import service_client as client
from projector.cli.main import main
from projector.domain.agent import AgentState
from projector.infrastructure.database import connect
from projector.projection import parking
from projector.projection.runner import Runner
from tests.conftest import Site, forget
from tests.examples import ORG, story, v1
from tests.integration.driving import tables

LIFE = story(
    v1(1_000, "ann", "idle"),
    v1(1_000, "bob", "idle"),
    v1(2_000, "ann", "poison"),
    v1(2_000, "bob", "available"),
    v1(3_000, "ann", "available"),
    v1(4_000, "ann", "connected", "t"),
    v1(4_000, "bob", "idle"),
)


@pytest.fixture
def poisoned(site, monkeypatch):
    """A service whose fold fails at one word; gives a function that repairs the fold."""
    apply_event = AgentState.apply_event

    def raising(state: AgentState, recorded: Any) -> Any:
        if recorded.event.word == "poison":
            raise ZeroDivisionError("no such word")
        return apply_event(state, recorded)

    monkeypatch.setattr(AgentState, "apply_event", raising)
    return lambda: monkeypatch.setattr(AgentState, "apply_event", apply_event)


def deliver(site: Site, *, together: bool = False) -> None:
    for request in [list(LIFE)] if together else LIFE:
        site.post(request)


def status(site: Site) -> dict[str, Any]:
    (projection,) = site.get("/api/v1/status").json["projections"]
    return projection


def view(site: Site, agent: str) -> dict[str, Any]:
    return site.get(f"/api/v1/agents/{agent}").json


def ask(site: Site, verb: str, **body: Any) -> Any:
    return site.client.post(f"/api/v1/parked/{verb}", json=body, headers=site.headers)


@pytest.mark.parametrize("together", [False, True], ids=["a request each", "one request"])
@pytest.mark.parametrize("batch_events", [1, 2, 100])
def test_a_fold_that_fails_parks_its_subject_alone(site, poisoned, batch_events, together):
    """The other subjects go on, the position moves, and no event counts as skipped."""
    deliver(site, together=together)
    site.project(batch_events)
    assert 3 == view(site, "bob")["eventCount"]
    assert site.service.views.position() == site.service.store.head() == len(LIFE)
    (row,) = site.get("/api/v1/parked").json["data"]
    event = {name: row[name] for name in ("kind", "orgId", "id", "eventId", "eventPosition")}
    assert event == {"kind": "agent", "orgId": ORG, "id": "ann", "eventId": "e3",
                    "eventPosition": 3}  # fmt: skip
    assert row["cause"] == "ZeroDivisionError: no such word"
    waiting = 4 if together else 3
    assert (row["waiting"], status(site)["waiting"]) == (waiting, waiting)
    assert (0, 1) == (status(site)["skipped"], status(site)["parked"])
    # The task's own fold goes on: the event is parked for the agent alone.
    (participant,) = site.get("/api/v1/tasks/t").json["participants"]
    assert "connected" == participant["state"]


@pytest.mark.parametrize("together", [False, True], ids=["a request each", "one request"])
def test_a_retry_folds_what_waited(site, poisoned, together):
    """Afterwards the tables are those of a replay."""
    deliver(site, together=together)
    site.project()
    assert ask(site, "retry", orgId=ORG, agentId="ann").json == {"folded": 0, "parked": True}
    poisoned()
    done = ask(site, "retry", orgId=ORG, agentId="ann").json
    assert done == {"folded": 4 if together else 3, "parked": False}
    before = tables(site.url)
    assert (0, 0, 0) == tuple(status(site)[name] for name in ("skipped", "parked", "waiting"))
    forget(site.url)
    site.project()
    assert tables(site.url) == before


@pytest.mark.parametrize("together", [False, True], ids=["a request each", "one request"])
def test_a_skip_leaves_the_event_out_for_good(site, poisoned, together):
    """The rest is folded, also by a replay and with late events; the event stays in the log."""
    deliver(site, together=together)
    site.project()
    done = ask(site, "skip", orgId=ORG, agentId="ann", why="sent by mistake").json
    assert done == {"folded": 3 if together else 2, "parked": False}
    with connect(site.url) as connection:
        (skipped,) = connection.execute("SELECT cause FROM skipped").fetchall()
    assert re.match(r"skipped by operator \w+ \(sent by mistake\): \w", skipped["cause"])
    assert 3 == view(site, "ann")["eventCount"]
    assert 0 == status(site)["skipped"]
    site.post(v1(2_500, "ann", "idle") | {"id": "late"})
    site.project()
    assert 4 == view(site, "ann")["eventCount"]
    before = tables(site.url)
    forget(site.url)
    site.project()
    assert tables(site.url) == before
    assert 8 == site.service.store.head()
    assert 0 == status(site)["skipped"]


def test_a_write_that_fails_parks_its_subject_alone(site):
    """The database refuses rows of one subject; the rows of the others are written."""
    with connect(site.url) as connection:
        connection.execute("ALTER TABLE agent_intervals ADD CHECK (status <> 'poison')")
    deliver(site)
    site.project()
    (row,) = site.get("/api/v1/parked").json["data"]
    assert (row["id"], row["eventId"], row["waiting"]) == ("ann", "e3", 3)
    assert "violates check constraint" in row["cause"]
    assert 3 == view(site, "bob")["eventCount"]
    with connect(site.url) as connection:
        connection.execute(
            "ALTER TABLE agent_intervals DROP CONSTRAINT agent_intervals_status_check"
        )
    assert ask(site, "retry", orgId=ORG, agentId="ann").json == {"folded": 3, "parked": False}


def test_a_body_that_cannot_be_read_again_parks_its_subjects(site):
    """Its subjects wait, and the others go on."""
    with connect(site.url) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER immutable")
        deliver(site)
        connection.execute("UPDATE events SET state = 'gone' WHERE event_id = 'e3'")
        connection.execute("ALTER TABLE events ENABLE TRIGGER immutable")
    site.project()
    (row,) = site.get("/api/v1/parked").json["data"]
    assert (row["id"], row["eventPosition"]) == ("ann", 3)
    assert ask(site, "skip", orgId=ORG, agentId="ann").json == {"folded": 2, "parked": False}
    assert 3 == view(site, "bob")["eventCount"]


def test_a_fault_of_the_database_parks_nobody(site):
    """Where a table is missing, no event is at fault: the whole batch waits."""
    deliver(site)
    with connect(site.url) as connection:
        connection.execute("ALTER TABLE agent_corrections RENAME TO elsewhere")
        connection.execute("ALTER TABLE agent_intervals RENAME TO aside")
        with pytest.raises(Exception, match="agent_intervals"):
            site.project()
        connection.execute("ALTER TABLE elsewhere RENAME TO agent_corrections")
        connection.execute("ALTER TABLE aside RENAME TO agent_intervals")
    assert [] == site.get("/api/v1/parked").json["data"]
    site.project()
    assert 4 == view(site, "ann")["eventCount"]


@pytest.mark.parametrize("verb", ["retry", "skip"])
def test_bad_requests_say_what_is_wrong(site, verb):
    """Subjects that are not parked, and bodies that name no subject or two."""
    assert 404 == ask(site, verb, orgId=ORG, agentId="ann").status_code
    assert 400 == ask(site, verb, orgId=ORG).status_code
    assert 400 == ask(site, verb, orgId=ORG, agentId="ann", taskId="t").status_code
    assert 400 == ask(site, verb, orgId=ORG, agentId="ann", other=1).status_code
    assert 400 == ask(site, verb, orgId=ORG, agentId="a\0b").status_code
    assert 400 == ask(site, verb, orgId=ORG, agentId="ann", why="x" * 501).status_code
    path = f"/api/v1/parked/{verb}"
    assert 400 == site.client.post(path, data=b"[]", headers=site.headers).status_code
    assert 401 == site.client.post(path, json={"orgId": ORG, "agentId": "a"}).status_code


def test_the_command_lists_retries_and_skips(site, poisoned, monkeypatch):
    """`projector parked` asks the running service and prints the result."""
    deliver(site)
    site.project()

    def request(method: str, url: str, **options: Any) -> Any:
        answer = site.client.open(
            url.removeprefix("http://127.0.0.1:8080"),
            method=method, json=options.get("json"), headers=site.headers,
        )  # fmt: skip
        return type("Answer", (), {"is_success": answer.status_code < 400, "json": answer.get_json,
                                   "status_code": answer.status_code})()  # fmt: skip

    monkeypatch.setattr(client.httpx, "request", request)

    def parked(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["parked", *words])
        return result.exit_code, result.output

    code, output = parked("list")
    assert (0, True) == (
        code,
        output.startswith(f"agent:ann of {ORG}: 3 events wait from position"),
    )
    assert (3, "0 events folded, parked again\n") == parked("retry", "agent:ann")
    assert (0, "2 events folded\n") == parked("skip", "agent:ann")
    assert (0, "Nothing is parked.\n") == parked("list")
    assert 1 == parked("retry", "agent:ann")[0]
    assert 2 == parked("retry", "ann")[0]


def test_a_batch_after_a_parked_subject_is_folded_together(site, poisoned):
    """Without the parked subject, whose new events wait."""
    deliver(site)
    runner = Runner(site.service.store, site.url)
    runner.catch_up()
    site.post(story(*(v1(9_000 + number, f"c{number}", "idle") for number in range(20))))
    site.post(v1(9_000, "ann", "idle") | {"id": "after"})
    runner.catch_up()
    assert (0, 4) == (status(site)["skipped"], status(site)["waiting"])


def test_a_retry_folds_whole_requests(site, poisoned, monkeypatch):
    """However few events are read at a time, corrections and rows are those of a replay."""
    monkeypatch.setattr(parking, "WAITING_EVENTS_READ", 3)
    site.post(LIFE[2])
    site.post(
        [v1(9_000 - number, "ann", "idle" if number % 2 else "available") | {"id": f"w{number}"}
         for number in range(20)]
    )  # fmt: skip
    site.project()
    poisoned()
    assert ask(site, "retry", orgId=ORG, agentId="ann").json == {"folded": 21, "parked": False}
    before = tables(site.url)
    forget(site.url)
    site.project()
    assert tables(site.url) == before


def test_parked_subjects_are_listed_by_organisation_team_and_page(make_site, monkeypatch):
    """As views are: those of the token's teams and organisations, page by page."""
    apply_event = AgentState.apply_event

    def raising(state: AgentState, recorded: Any) -> Any:
        if recorded.event.word == "poison":
            raise ZeroDivisionError
        return apply_event(state, recorded)

    monkeypatch.setattr(AgentState, "apply_event", raising)
    tokens = [
        {"token": "all", "role": "operator"},
        {"token": "one", "role": "operator", "teamIds": ["team-1"]},
        {"token": "else", "role": "operator", "orgIds": ["elsewhere"]},
    ]
    site = make_site(PROJECTOR_TOKENS=json.dumps(tokens))
    for number, team in enumerate(("team-1", "team-2")):
        agent = f"a{number}"
        bodies = story(v1(1_000, agent, "idle", teamId=team), v1(2_000, agent, "poison"))
        for body in bodies:
            site.post(body | {"id": f"{body['id']}-{agent}"})
    site.project()

    def seen(token: str, query: str = "") -> list[str]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = site.client.get(f"/api/v1/parked?{query}", headers=headers)
        return [row["id"] for row in answer.json["data"]]

    assert (["a0", "a1"], ["a0"], []) == (seen("all"), seen("one"), seen("else"))
    assert ["a0"] == seen("all", "limit=1")
    page = site.client.get("/api/v1/parked?limit=1", headers={"Authorization": "Bearer all"}).json
    assert ["a1"] == seen("all", f"cursor={page['meta']['nextCursor']}")
    assert ([], ["a0", "a1"]) == (seen("all", "orgId=no"), seen("all", f"orgId={ORG}"))
    body = {"orgId": ORG, "agentId": "a1"}
    for token, status_code in (("one", 404), ("else", 403), ("all", 200)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = site.client.post("/api/v1/parked/skip", json=body, headers=headers)
        assert status_code == answer.status_code
