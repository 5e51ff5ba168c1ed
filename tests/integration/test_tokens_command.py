"""`projector tokens`, and what its tokens may do; who guesses at tokens waits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner, Result
from werkzeug.test import TestResponse

from projector.cli.main import main
from projector.infrastructure.clock import DAY_MS
from projector.infrastructure.database import connect
from projector.operations import caller_tokens
from projector.operations.caller_tokens import READ_AGAIN_MS, READ_EVERY_MS
from projector.operations.failed_attempts import ATTEMPTS
from tests.conftest import MakeSite, Site

HOUR_MS = 3_600_000


class MovedClock:
    """Epoch ms that a test moves."""

    def __init__(self) -> None:
        self.time = 1_795_000_000_000

    def __call__(self) -> int:
        return self.time


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def site(make_site: MakeSite, clock: MovedClock) -> Site:
    return make_site(clock=clock)


def tokens(site: Site, *words: str) -> Result:
    return CliRunner().invoke(main, ["tokens", *words], env={"DATABASE_URL": site.url})


def created(site: Site, clock: MovedClock, role: str, *words: str) -> dict[str, Any]:
    done = tokens(site, "create", "--role", role, "--note", "of a test", "--json", *words)
    assert 0 == done.exit_code, done.output
    told: dict[str, Any] = json.loads(done.output)
    clock.time += READ_AGAIN_MS
    return told


def ask(site: Site, token: str, path: str = "/api/v1/session", **more: Any) -> TestResponse:
    return site.client.get(path, headers={"Authorization": f"Bearer {token}"}, **more)


def test_a_token_is_shown_once_and_only_its_digest_is_kept(site: Site) -> None:
    """On the output nothing but the token, so that a script can take it."""
    done = tokens(site, "create", "--role", "viewer", "--note", "the wall in Lyon")
    assert 0 == done.exit_code
    text = done.stdout.strip()
    assert re.fullmatch(r"prj_[A-Za-z0-9_-]{43}", text)
    assert "not shown again" in done.stderr
    with connect(site.url) as connection:
        (row,) = connection.execute("SELECT tokens::text AS it FROM tokens").fetchall()
    assert text not in row["it"]
    assert text[4:] not in row["it"]
    listed = tokens(site, "list")
    assert "the wall in Lyon" in listed.output
    assert text not in listed.output


@pytest.mark.parametrize("role", ["viewer", "auditor", "operator"])
def test_a_token_may_do_what_its_role_and_scope_say(
    site: Site, clock: MovedClock, role: str
) -> None:
    """As one of the settings may; those of the settings still count."""
    made = created(site, clock, role, "--org", "acme", "--org", "zenith", "--team", "billing")
    caller = ask(site, made["token"]).json
    assert (role, ["acme", "zenith"], ["billing"]) == (
        caller["role"],
        caller["orgIds"],
        caller["teamIds"],
    )
    assert caller["who"] == f"{role} {made['id']}"
    assert (200 if role == "operator" else 403) == site.client.put(
        "/api/v1/thresholds",
        headers={"Authorization": f"Bearer {created(site, clock, role)['token']}"},
        json={"rules": [], "why": "a test", "version": 0},
    ).status_code
    assert 200 == site.get("/api/v1/session").status_code


def test_a_token_that_was_taken_back_ends_with_its_sessions(site: Site, clock: MovedClock) -> None:
    """Within the seconds for which tokens are remembered."""
    made, other = created(site, clock, "viewer"), created(site, clock, "viewer")
    signed_in = site.client.post("/api/v1/session", json={"token": made["token"]})
    assert 201 == signed_in.status_code
    assert 200 == site.client.get("/api/v1/session").status_code
    done = tokens(site, "revoke", made["id"], "--json")
    assert made["id"] == json.loads(done.output)["id"]
    clock.time += READ_EVERY_MS
    assert 401 == ask(site, made["token"]).status_code
    assert 401 == site.client.get("/api/v1/session").status_code
    assert 200 == ask(site, other["token"]).status_code
    with connect(site.url) as connection:
        assert [] == connection.execute("SELECT FROM sessions").fetchall()
    states = {
        it["id"]: it["revokedTime"] for it in json.loads(tokens(site, "list", "--json").output)
    }
    assert states[made["id"]] is not None
    assert states[other["id"]] is None


def test_a_token_expires(site: Site, clock: MovedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its time and not before; so do its sessions."""
    monkeypatch.setattr("projector.cli.commands.tokens.now_ms", clock)
    before = clock.time
    made = created(site, clock, "viewer", "--days", "2")
    assert before + 2 * DAY_MS == made["expiresTime"]
    clock.time = made["expiresTime"] - 1
    assert 200 == ask(site, made["token"]).status_code
    assert 201 == site.client.post("/api/v1/session", json={"token": made["token"]}).status_code
    clock.time += 1
    assert 401 == ask(site, made["token"]).status_code
    assert 401 == site.client.get("/api/v1/session").status_code
    assert "expired" in tokens(site, "list").output


def test_a_new_token_counts_at_once_and_strangers_cost_little(
    site: Site, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many unknown ones come, all are read a few times a second at most."""
    reads = []
    read = caller_tokens._read
    monkeypatch.setattr(caller_tokens, "_read", lambda *it: reads.append(it) or read(*it))
    for number in range(100):
        clock.time += 10
        assert 401 == guess(site, number)
    assert 4 <= len(reads) <= 1_000 // READ_AGAIN_MS + 1
    clock.time += READ_AGAIN_MS
    assert 200 == ask(site, created(site, clock, "viewer")["token"]).status_code


def test_the_last_use_is_shown_to_a_minute(site: Site, clock: MovedClock) -> None:
    """A page with many requests does not write each time."""
    made = created(site, clock, "viewer")

    def used() -> Any:
        return json.loads(tokens(site, "list", "--json").output)[0]["lastUsedTime"]

    assert used() is None
    first = clock.time
    ask(site, made["token"])
    clock.time += 30_000
    ask(site, made["token"])
    assert first == used()
    clock.time += 30_000
    ask(site, made["token"])
    assert clock.time == used()


def test_what_is_no_token_is_refused_with_a_sentence(site: Site, clock: MovedClock) -> None:
    """An id must name one; a note must be a text."""
    created(site, clock, "viewer")
    created(site, clock, "viewer")
    unknown, unclear = tokens(site, "revoke", "feedbeef"), tokens(site, "revoke", "")
    assert (1, 1) == (unknown.exit_code, unclear.exit_code)
    assert "No token has the id 'feedbeef'" in unknown.output
    assert "2 tokens have the id ''" in unclear.output
    for note in ("", " ", "a\nb", "\0"):
        assert 2 == tokens(site, "create", "--role", "viewer", "--note", note).exit_code
    assert 2 == tokens(site, "create", "--role", "king", "--note", "x").exit_code
    assert 2 == tokens(site, "create", "--role", "viewer", "--note", "x", "--days", "0").exit_code


def test_the_service_itself_makes_no_token(site: Site) -> None:
    """Its role may read them and note their use."""
    with (
        site.service.pool.connection() as connection,
        pytest.raises(Exception, match="permission denied"),
    ):
        connection.execute("INSERT INTO tokens SELECT * FROM tokens")
    with (
        site.service.pool.connection() as connection,
        pytest.raises(Exception, match="permission denied"),
    ):
        connection.execute("UPDATE tokens SET role = 'operator'")


def guess(site: Site, number: int, **more: Any) -> int:
    return ask(site, f"wrong-{number}", **more).status_code


def test_who_guesses_at_tokens_waits_and_nobody_else(site: Site, clock: MovedClock) -> None:
    """By the address, which a proxy on this machine tells; right tokens wait there, too."""
    stranger: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    used, unused = created(site, clock, "viewer")["token"], created(site, clock, "viewer")["token"]
    assert 200 == ask(site, used, **stranger).status_code
    assert {401} == {guess(site, number, **stranger) for number in range(ATTEMPTS)}
    refused = ask(site, "wrong", **stranger)
    assert 429 == refused.status_code
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert 429 == ask(site, unused, **stranger).status_code
    assert 200 == ask(site, used, **stranger).status_code
    assert 200 == ask(site, unused).status_code
    assert 200 == ask(site, unused, environ_base={"REMOTE_ADDR": "192.0.2.8"}).status_code
    sign_in = site.client.post("/api/v1/session", json={"token": unused}, **stranger)
    assert 429 == sign_in.status_code


def test_guesses_through_a_proxy_count_for_its_caller(site: Site) -> None:
    """Only a proxy on this machine is believed; programs on this machine do not wait."""

    def through(last: str, number: int, peer: str = "127.0.0.1") -> int:
        headers = {
            "Authorization": f"Bearer wrong-{number}",
            "X-Forwarded-For": f"203.0.113.{number}, {last}",
        }
        answer = site.client.get(
            "/api/v1/session", headers=headers, environ_base={"REMOTE_ADDR": peer}
        )
        return answer.status_code

    assert {401} == {through("192.0.2.7", number) for number in range(ATTEMPTS)}
    assert 429 == through("192.0.2.7", 99)
    assert 401 == through("192.0.2.8", 99)
    assert {401} == {guess(site, number) for number in range(3 * ATTEMPTS)}
    # One who is not on this machine cannot say that they are another.
    assert {401} == {through(f"10.0.0.{n}", n, "192.0.2.9") for n in range(ATTEMPTS)}
    assert 429 == through("10.0.0.99", 99, "192.0.2.9")


def test_sessions_are_not_guessed_either(site: Site) -> None:
    """A cookie is an attempt as a token is."""
    stranger: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}

    def with_cookie(value: str) -> int:
        site.client.set_cookie("projector-session-80", value)
        return site.client.get("/api/v1/session", **stranger).status_code

    assert {401} == {with_cookie(f"guess-{number}") for number in range(ATTEMPTS)}
    assert 429 == with_cookie("guess")
    # One who shows nothing is asked for a token, as before.
    site.client.delete_cookie("projector-session-80")
    assert 401 == site.client.get("/api/v1/session", **stranger).status_code
