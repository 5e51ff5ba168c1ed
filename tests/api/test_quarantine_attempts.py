"""Quarantine over HTTP and the command: a body is judged again, or released, once."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from projector.cli.main import main
from projector.infrastructure.clock import DAY_MS, now_ms
from projector.infrastructure.database import become_service, connect
from projector.operations.verify.parallel import verify
from tests.conftest import Site, clone, open_site, served
from tests.examples import ORG, login, v1

TOKENS = json.dumps(
    [
        {"token": "all", "role": "operator"},
        {"token": "one", "role": "operator", "orgIds": [ORG]},
        {"token": "team", "role": "operator", "teamIds": ["red"]},
        {"token": "looks", "role": "auditor"},
    ]
)
WHY = "the vendor's clock was wrong"
NESTED = b'{"id":"e","x":' + b"[" * 900 + b"]" * 900 + b"}"


def future(agent: str = "ann", days: int = 2, **more: Any) -> bytes:
    """An agent's state that lies some days ahead; the bytes are not those of ``json.dumps``."""
    event = v1(0, agent, "available", **more) | {"id": f"future-{agent}"}
    event["data"]["createdTime"] = now_ms() + days * DAY_MS
    return json.dumps(event, indent=1).encode()


def without_organisation(agent: str = "ann") -> bytes:
    event = login(0, agent) | {"id": f"homeless-{agent}"}
    del event["comciscoorgid"]
    return json.dumps(event).encode()


def attempt(site: Site, verb: str, id_: int = 1, why: str = WHY, **kwargs: Any) -> Any:
    headers = {"headers": site.headers} | kwargs
    return site.client.post(f"/api/v1/quarantine/{id_}/{verb}", json={"why": why}, **headers)


def row(site: Site, id_: int = 1) -> dict[str, Any]:
    return site.get(f"/api/v1/quarantine/{id_}").json


def events(site: Site) -> list[dict[str, Any]]:
    return site.get("/api/v1/events?order=recorded").json["data"]


def outcomes(answer: Any) -> list[tuple[Any, ...]]:
    assert 200 == answer.status_code, answer.text
    return [(it["outcome"], it["position"], it["reason"]) for it in answer.json["elements"]]


def who(site: Site) -> str:
    """The name of the site's operator: the role, and a digest that does not give the token away."""
    token = site.headers["Authorization"].removeprefix("Bearer ")
    return f"operator {hashlib.sha256(token.encode()).hexdigest()[:8]}"


def at_time(created: int) -> bytes:
    """An agent's state with a created time of its own."""
    event = v1(0, "ann", "available") | {"id": "e"}
    event["data"]["createdTime"] = created
    return json.dumps(event).encode()


# --- release ---


def test_a_released_event_that_comes_again_is_a_duplicate(site):
    """The same bytes, alone and among others; other bytes are judged as ever."""
    body, other = future(), future("bob")
    site.post(body)
    assert 1 == site.post(body).json["quarantined"]
    attempt(site, "release")
    assert {"received": 1, "duplicates": 1} == {
        name: count for name, count in site.post(body).json.items() if count
    }
    assert {"received": 2, "duplicates": 1, "quarantined": 1} == {
        name: count
        for name, count in site.post(b"[" + body + b"," + other + b"]").json.items()
        if count
    }
    assert [1] == [it["position"] for it in events(site)]
    assert ["release", None] == [
        (it["resolution"] or {}).get("kind") for it in site.get("/api/v1/quarantine").json["data"]
    ]


def test_a_released_event_is_appended_now(site):
    """It gets position, recorded time and origin at that moment, and the bytes that came."""
    site.post(login(0, "ann") | {"id": "first"})
    body = future()
    site.post(body)
    received = row(site)
    before = now_ms()
    answer = attempt(site, "release")
    assert [("appended", 2, None)] == outcomes(answer)
    assert "2" == answer.headers["X-Position"]
    event = events(site)[1]
    assert ("webhook", "future-ann", 2) == (event["origin"], event["id"], event["position"])
    assert before <= event["recordedTime"] <= now_ms()
    assert event["createdTime"] == json.loads(body)["data"]["createdTime"]
    assert body == base64.b64decode(site.get("/api/v1/events/2").json["body"])
    site.project()
    assert "available" == site.get("/api/v1/agents/ann").json["status"]
    left = row(site)
    assert received == left | {"resolution": None}
    assert ("release", who(site), WHY, [2]) == tuple(
        left["resolution"][name] for name in ("kind", "who", "why", "positions")
    )
    assert left["resolution"] == answer.json["resolution"]
    assert before <= left["resolution"]["time"] <= now_ms()
    assert [left] == site.get("/api/v1/quarantine").json["data"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"nonsense", "not-json"),
        (b"3", "not-an-object"),
        (NESTED, "nested-too-deep"),
        (b'{"type": "agent:login"}', "no-id"),
        (b'{"id": "e", "data": {"agentId": "ann"}}', "no-type"),
        (b'{"id": "e", "type": "agent:login", "comciscoorgid": "acme"}', "no-agent-id"),
        (without_organisation(), "no-organisation"),
        (at_time(-1), "unusable-time"),
        (at_time(2**53), "time-in-the-future"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
@pytest.mark.parametrize("verb", ["retry", "release"])
def test_what_can_be_no_event_stays(site, body, reason, verb):
    """A release is refused with the reason, and changes nothing; a retry is noted."""
    assert 1 == site.post(body).json["quarantined"]
    before = row(site)
    assert reason == before["reason"]
    answer = attempt(site, verb)
    if verb == "release":
        assert (409, "application/problem+json") == (answer.status_code, answer.content_type)
        said = f"after {2**53 - 1}" if reason == "time-in-the-future" else reason
        assert said in answer.json["detail"]
        assert before == row(site)
    else:
        assert ([("quarantined", None, reason)], None) == (
            outcomes(answer), answer.json["resolution"])  # fmt: skip
        assert "0" == answer.headers["X-Position"]
        (tried,) = row(site)["retries"]
        assert (who(site), WHY, reason) == (tried["who"], tried["why"], tried["reason"])
        assert before == row(site) | {"retries": []}
    assert [] == events(site)


def test_the_latest_time_that_a_question_can_name_is_released(site):
    """And is read; a later one is refused above."""
    site.post(at_time(2**53 - 1))
    assert [("appended", 1, None)] == outcomes(attempt(site, "release"))
    site.project()
    assert 2**53 - 1 == site.get("/api/v1/agents/ann").json["stateSince"]
    for path in ("agents/ann/history", "agents/ann/explain", "summary", "anomalies", "status"):
        assert 200 == site.get(f"/api/v1/{path}").status_code
    assert [] == list(verify(site.url, jobs=1, moments=4, seed=1).differences)


def test_a_body_leaves_the_quarantine_once(site):
    """Whoever asks again gets 409, which says who was first."""
    site.post(future())
    attempt(site, "release")
    for verb in ("release", "retry"):
        answer = attempt(site, verb, why="again")
        assert (409, "application/problem+json") == (answer.status_code, answer.content_type)
        assert who(site) in answer.json["detail"]
    assert WHY == row(site)["resolution"]["why"]
    assert 1 == len(events(site))


# --- retry ---


@pytest.fixture
def clock():
    """A clock of the service's own: the first element is its time, epoch ms."""
    return [now_ms()]


@pytest.fixture
def timed(template, tmp_path, clock) -> Iterator[Site]:
    with open_site(clone(template), tmp_path, clock=lambda: clock[0]) as site:
        yield site


def test_a_retry_appends_what_has_become_sound(timed, clock):
    """A time that has come is no longer ahead."""
    timed.post(future())
    assert [("quarantined", None, "time-in-the-future")] == outcomes(attempt(timed, "retry"))
    clock[0] += 3 * DAY_MS
    assert [("appended", 1, None)] == outcomes(attempt(timed, "retry", why="its day has come"))
    assert clock[0] == events(timed)[0]["recordedTime"]
    left = row(timed)
    assert [WHY] == [it["why"] for it in left["retries"]]
    assert ("retry", "its day has come", clock[0]) == tuple(
        left["resolution"][name] for name in ("kind", "why", "time")
    )


def test_a_retry_takes_the_default_organisation_of_now(make_site):
    """One that is configured since. A new reason replaces the old one, and the old stays stored."""
    strict = make_site()
    strict.post(without_organisation())
    ahead = json.loads(without_organisation("bob"))
    ahead["data"]["createdTime"] = now_ms() + 9 * DAY_MS
    strict.post(ahead)
    site = make_site(url=strict.url, PROJECTOR_DEFAULT_ORG_ID="default")
    assert [("appended", 1, None)] == outcomes(attempt(site, "retry"))
    assert ["default"] == [it["orgId"] for it in events(site)]
    assert [("quarantined", None, "time-in-the-future")] == outcomes(attempt(site, "retry", 2))
    assert "time-in-the-future" == row(site, 2)["reason"]
    with connect(site.url) as connection:
        stored = connection.execute("SELECT reason FROM quarantine ORDER BY id").fetchall()
    assert [{"reason": "no-organisation"}] * 2 == stored
    assert [("appended", 2, None)] == outcomes(attempt(site, "release", 2))


def test_an_event_that_came_soundly_meanwhile_is_a_duplicate(timed, clock):
    """Or a conflict, if it says something else; the position is that of the event in the log."""
    body = json.loads(future())
    timed.post(body)
    other = body | {"data": body["data"] | {"currentState": "idle"}}
    timed.post(other)
    clock[0] += 3 * DAY_MS
    assert 1 == timed.post(body).json["appended"]
    assert [("duplicate", 1, None)] == outcomes(attempt(timed, "retry"))
    assert [("conflict", 1, None)] == outcomes(attempt(timed, "release", 2))
    assert [[1], [1]] == [row(timed, id_)["resolution"]["positions"] for id_ in (1, 2)]
    varied = body | {"data": body["data"] | {"mood": "good"}}
    clock[0] -= 3 * DAY_MS
    timed.post(varied)
    clock[0] += 3 * DAY_MS
    assert [("duplicate", 1, None)] == outcomes(attempt(timed, "retry", 3))
    assert 1 == len(events(timed))
    assert [("conflict", json.dumps(other)), ("variation", json.dumps(varied))] == sorted(
        (it["kind"], base64.b64decode(it["body"]).decode())
        for it in timed.get("/api/v1/events/1").json["conflicts"]
    )


def test_a_body_that_no_release_could_read_may_hold_several_elements(site):
    """The events are appended in their order; the rest goes into quarantine on its own."""
    sound = [json.dumps(v1(n, "ann", "idle") | {"id": f"e{n}"}).encode() for n in (1, 2)]
    body = b"[ " + sound[0] + b", 7 ," + sound[1] + b", 1" + b"0" * 5_000 + b"]"
    with connect(site.url) as connection:  # as an older release stored it
        connection.execute(
            "SELECT quarantine_bodies(ARRAY[%(body)s]::bytea[], ARRAY['not-json'], ARRAY[1],"
            ' ARRAY[1]::bigint[], ARRAY[\'{"Host": "x"}\']::jsonb[], 5)',
            {"body": body},
        )
    expected = [
        ("appended", 1, None),
        ("quarantined", None, "not-an-object"),
        ("appended", 2, None),
        ("quarantined", None, "not-json"),
    ]
    assert expected == outcomes(attempt(site, "retry"))
    assert ["e1", "e2"] == [it["id"] for it in events(site)]
    whole, part, number = site.get("/api/v1/quarantine").json["data"]
    assert [1, 2] == whole["resolution"]["positions"]
    assert (b"7", {"Host": "x"}, None) == (
        base64.b64decode(part["body"]), part["headers"], part["resolution"])  # fmt: skip
    assert (b"1" + b"0" * 5_000, "not-json") == (
        base64.b64decode(number["body"]), number["reason"])  # fmt: skip
    assert 3 == site.get("/api/v1/status").json["ledgers"]["quarantine"]


def test_a_binary_delivery_is_read_with_its_headers(site):
    """Its body is the data of an event, and never an event by itself."""
    ce = {"Ce-Id": "e%FF", "Ce-Source": "/x", "Ce-Specversion": "1.0", "Ce-Type": "agent:login"}
    sound = json.dumps(v1(1, "ann", "idle") | {"id": "e"}).encode()
    assert 1 == site.post(sound, headers=ce).json["quarantined"]
    assert [("quarantined", None, "unsound-attribute")] == outcomes(attempt(site, "retry"))


def test_an_element_that_is_an_array_is_not_cut(site):
    """It came as one element, and is judged as one."""
    site.post(b"[[" + json.dumps(v1(1, "ann", "idle") | {"id": "e"}).encode() + b"]]")
    assert [("quarantined", None, "not-an-object")] == outcomes(attempt(site, "retry"))


# --- later deliveries, counts ---


def test_status_and_verify_count_rows_whether_resolved_or_not(site):
    """A row is never deleted, so its count stays."""
    for agent in ("ann", "bob"):
        site.post(future(agent))
    attempt(site, "release")
    attempt(site, "retry", 2)
    site.project()
    assert 2 == site.get("/api/v1/status").json["ledgers"]["quarantine"]
    assert [] == list(verify(site.url, jobs=1, moments=4, seed=1).differences)


# --- several operators, crashes ---


@contextmanager
def blocked(site: Site) -> Iterator[psycopg.Connection[Any]]:
    """Attempts wait before they are noted, with what they appended not yet committed."""
    with connect(site.url) as connection, connection.transaction():
        connection.execute("LOCK TABLE quarantine_attempts IN SHARE MODE")
        yield connection


def waiting(connection: psycopg.Connection[Any], count: int) -> list[tuple[int, str]]:
    """Processes of the server that wait for a lock and their statements, once there are so many."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        rows = connection.execute(
            "SELECT pid, query FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        ).fetchall()
        if len(rows) == count:
            return [(it["pid"], it["query"]) for it in rows]
        time.sleep(0.02)
    raise TimeoutError(f"never did {count} processes wait")


@pytest.mark.parametrize("verbs", [("release", "release"), ("release", "retry")])
def test_of_two_operators_one_wins(timed, clock, verbs):
    """Both act at once over connections of their own: one appends, the other gets 409."""
    timed.post(future())
    clock[0] += 3 * DAY_MS
    with ThreadPoolExecutor() as threads:
        with blocked(timed) as connection:
            asked = [threads.submit(attempt, timed, verb) for verb in verbs]
            waiting(connection, 2)
        answers = [it.result() for it in asked]
    assert [200, 409] == sorted(it.status_code for it in answers)
    assert 1 == len(events(timed))
    assert 0 == timed.get("/api/v1/status").json["ledgers"]["duplicates"]


def test_a_crash_before_the_commit_leaves_all_as_it_was(site):
    """The connection dies after the append and before the note: 503, and a second try succeeds."""
    site.post(future())
    before = row(site)
    with ThreadPoolExecutor() as threads, blocked(site) as connection:
        asked = threads.submit(attempt, site, "release")
        ((pid, query),) = waiting(connection, 1)
        assert "INSERT INTO quarantine_attempts" in query
        connection.execute("SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})
        answer = asked.result()
    assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
    assert ([], before) == (events(site), row(site))
    assert [("appended", 1, None)] == outcomes(attempt(site, "release"))


def test_intake_goes_on_beside_attempts(site):
    """Deliveries of the same bytes, releases and retries at once: no deadlock, one event."""
    body = future()
    site.post(body)
    start = threading.Barrier(3)

    def deliver(_: int) -> int:
        """How many were quarantined; the others, after the release, are duplicates."""
        start.wait()
        answers = [site.post(body).json for _ in range(10)]
        assert {1} == {it["quarantined"] + it["duplicates"] for it in answers}
        return sum(it["quarantined"] for it in answers)

    with ThreadPoolExecutor() as threads:
        delivered = [threads.submit(deliver, n) for n in range(2)]
        start.wait()
        codes = [attempt(site, verb).status_code for verb in ("retry", "release", "release")]
    assert [200, 200, 409] == codes
    quarantined = sum(it.result() for it in delivered)
    assert (1 + quarantined, 1) == (row(site)["deliveries"], len(events(site)))


def test_the_database_holds_one_resolution_for_a_body(site):
    """Whatever writes: a second one is refused, and the service can change none."""
    site.post(future())
    attempt(site, "release")
    noted = (
        "INSERT INTO quarantine_attempts (quarantine_id, kind, who, why, time, positions)"
        " VALUES (1, 'release', 'x', 'x', 1, '{}')"
    )
    with connect(site.url) as connection:
        become_service(connection)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(noted)
        for change in (
            "UPDATE quarantine_attempts SET why = ''",
            "DELETE FROM quarantine_attempts",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change.encode())


# --- who may, and what is refused ---


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_only_an_operator_of_everything_may(make_site):
    """A body has no certain organisation: others are refused, and see none, as in the list."""
    site = make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1")
    site.post(future())
    for verb in ("retry", "release"):
        for token, expected in (("one", 403), ("team", 403), ("looks", 403), ("none", 401)):
            assert expected == attempt(site, verb, headers=bearer(token)).status_code
            assert expected == attempt(site, verb, 9, headers=bearer(token)).status_code
        assert 404 == attempt(site, verb, 9, headers=bearer("all")).status_code
    assert [200, 200, 404, 403, 401] == [
        site.client.get("/api/v1/quarantine/1", headers=bearer(token)).status_code
        for token in ("all", "looks", "one", "team", "none")
    ]
    assert 404 == site.get("/api/v1/quarantine/9").status_code
    assert [] == events(site)


@pytest.mark.parametrize("verb", ["retry", "release"])
@pytest.mark.parametrize(
    "content",
    [
        *({}, {"why": ""}, {"why": None}, {"why": 1}, {"why": "x" * 501}, {"why": "\0"}),
        *({"why": "\ud800"}, {"why": "x", "more": 1}, [], None),
    ],
)
def test_a_reason_is_needed(site, verb, content):
    """One that can be stored; the refusal comes before that of a token, and names the field."""
    path = f"/api/v1/quarantine/1/{verb}"
    for headers in (site.headers, {}):
        answer = site.client.post(path, json=content, headers=headers)
        assert (400, "application/problem+json") == (answer.status_code, answer.content_type)
        if isinstance(content, dict):
            (error,) = answer.json["errors"]
            assert ("more" if "more" in content else "why") == error["parameter"]


@pytest.mark.parametrize("id_", ["x", "-1", "1.5", "9" * 30])
@pytest.mark.parametrize("verb", ["retry", "release"])
def test_a_body_is_named_by_its_number(site, id_, verb):
    """Anything else is refused by name."""
    for answer in (attempt(site, verb, id_), site.get(f"/api/v1/quarantine/{id_}")):
        assert (400, "id") == (answer.status_code, answer.json["errors"][0]["parameter"])


# --- the command ---


def test_the_command_lists_shows_retries_and_releases(site, monkeypatch):
    """As the API answers; a body that stays is exit code 3, a refusal is 1."""
    with served(site.client.application) as url:

        def quarantine(*words: str) -> tuple[int, str]:
            result = CliRunner().invoke(main, ["quarantine", *words, "--url", url])
            return result.exit_code, result.output

        monkeypatch.setenv("PROJECTOR_TOKENS", "")
        monkeypatch.setenv("PROJECTOR_DATA_DIR", str(site.service.settings.data_dir))
        assert (0, "Nothing is in quarantine.\n") == quarantine("list")
        site.post(b"non\x1bsense")
        site.post(future())
        assert (3, "quarantined: not-json\n") == quarantine("retry", "1", "--why", "to see")
        assert (3, "quarantined: time-in-the-future\n") == quarantine("retry", "2", "--why", "no")
        assert (0, "appended: position 1\n") == quarantine("release", "2", "--why", WHY)
        code, output = quarantine("release", "1", "--why", WHY)
        assert (1, True) == (code, "not-json" in output)
        assert 1 == quarantine("release", "2", "--why", WHY)[0]
        assert 1 == quarantine("show", "9")[0]
        assert 2 == quarantine("release", "2")[0]
        assert 2 == quarantine("retry", "x", "--why", "y")[0]

        rows = site.get("/api/v1/quarantine").json["data"]
        assert (0, rows) == loaded(quarantine("list", "--json"))
        assert (0, rows[1]) == loaded(quarantine("show", "2", "--json"))
        heading, first, second = quarantine("list")[1].splitlines()
        names = ["id", "reason", "deliveries", "first", "last", "resolved", "positions"]
        assert names == heading.split()
        assert ["1", "not-json", "1"] == first.split()[:3]
        assert ["-", "-"] == first.split()[-2:]
        assert f"release by {who(site)}  1" in second
        shown = quarantine("show", "1")[1]
        assert r"non\x1bsense" in shown
        assert '"to see": not-json' in shown
        shown = quarantine("show", "2")[1]
        assert f'by {who(site)}, "{WHY}": position 1' in shown
        assert "future-ann" in shown
        code, done = loaded(quarantine("retry", "1", "--why", "again", "--json"))
        assert (3, None) == (code, done["resolution"])


def loaded(result: tuple[int, str]) -> tuple[int, Any]:
    return result[0], json.loads(result[1])
