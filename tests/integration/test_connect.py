"""`projector connect` with the stand-in: what it stores, what it says, and who uses it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from flask import jsonify, request

from projector.bootstrap import worker as worker_parts
from projector.cli.commands import connect as command
from projector.cli.main import main
from projector.operations.job_queue import JobQueue
from projector.operations.reconciliation.daily_schedule import DailySchedule
from projector.webex import token_service
from projector.webex.authorization import NEEDED_SCOPES, authorize_url, redirect_uri
from projector.webex.simulator.api_faults import Faults
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import ApiServer, api_app
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from tests.conftest import free_port, open_site, served

STATE = "the-state"
APIS = [
    "GET /v1/agents/activities", "GET /v1/tasks", "POST /search (agentSession)",
    "POST /search (taskDetails)", "POST /v1/captures/query", "GET /v1/subscriptions",
    "GET /v2/subscriptions", "GET /v2/event-types", "GET /organization/…/v2/user",
    "GET /organization/…/v2/team", "GET /organization/…/v2/contact-service-queue",
    "GET /organization/…/v2/auxiliary-code", "GET /organization/…/v2/site",
    "GET /organization/…/v2/entry-point",
]  # fmt: skip
CLIENT_INPUT = f"{CLIENT_ID}\n{CLIENT_SECRET}\n"
NIGHT = {"from": 1_790_000_000_000, "to": 1_790_000_600_000}


@dataclass
class Connecting:
    """The stand-in at a root, and the command with an environment that leads to it."""

    vendor: ApiServer
    root: str
    folder: Any
    port: int = field(default_factory=free_port)
    refused_paths: dict[str, str] = field(default_factory=dict)  # path to the vendor's words

    def __post_init__(self) -> None:
        self.vendor.oauth.redirect_uris.add(redirect_uri(self.port))

    def run(self, *arguments: str, given: str = CLIENT_INPUT) -> Result:
        port = ["--port", str(self.port)]
        return CliRunner().invoke(main, ["connect", *port, *arguments], input=given)

    def answer(self, url: str, answer: str = "agree") -> str:
        """The address to which the vendor sends the browser of somebody who answers."""
        fields = dict(httpx.URL(url).params)
        page = httpx.post(f"{self.root}/v1/authorize", data=fields | {"answer": answer})
        return page.headers["Location"]

    def address(self, answer: str = "agree") -> str:
        """The address that the browser of the next run ends at."""
        own = redirect_uri(self.port)
        url = authorize_url(self.root, CLIENT_ID, own, [*NEEDED_SCOPES], STATE)
        return self.answer(url, answer)

    @property
    def file(self) -> Any:
        return self.folder / "webex-token"


@pytest.fixture
def connecting(tmp_path, monkeypatch) -> Iterator[Connecting]:
    vendor = ApiServer(ApiRecords({}))
    app, refused = api_app(vendor), {}

    @app.before_request
    def refuse() -> Any:
        words = refused.get(request.path)
        error = {"trackingId": "T", "error": {"key": "403", "message": [{"description": words}]}}
        return (jsonify(error), 403) if words else None

    for name in [it for it in os.environ if it.startswith("PROJECTOR_WEBEX")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(command, "new_state", lambda: STATE)
    monkeypatch.setattr(token_service, "pause_seconds", lambda _: 0)
    with served(app) as root:
        monkeypatch.setenv("PROJECTOR_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("PROJECTOR_WEBEX_API", root)
        monkeypatch.setenv("PROJECTOR_WEBEX_OAUTH", root)
        yield Connecting(vendor, root, tmp_path, refused_paths=refused)


@dataclass
class Browser:
    """Who signed in, what they say, and the address that they opened."""

    answer: str = "agree"
    opened: str = ""
    threads: list[threading.Thread] = field(default_factory=list)


@pytest.fixture
def browser(connecting, monkeypatch):
    """Opens the address that is shown, and follows it back."""
    it, say = Browser(), command._say

    def say_and_open(text: str) -> None:
        say(text)
        for it.opened in [word for word in text.split() if "/v1/authorize?" in word]:
            back = connecting.answer(it.opened, it.answer)
            it.threads.append(threading.Thread(target=httpx.get, args=(back,)))
            it.threads[-1].start()

    monkeypatch.setattr(command, "_say", say_and_open)
    yield it
    for thread in it.threads:
        thread.join()


def shown_secrets(done: Result, connecting: Connecting) -> list[str]:
    """The secrets that a run showed."""
    stored = json.loads(connecting.file.read_text()) if connecting.file.exists() else {}
    kept = [stored.get(name) for name in ("client_secret", "access_token", "refresh_token")]
    known = {CLIENT_SECRET, REFRESH_TOKEN, *connecting.vendor.oauth.tokens, *filter(None, kept)}
    return [it for it in known if it in done.stdout + done.stderr + repr(done.exception)]


def test_an_integration_is_connected_by_the_browsers_answer(connecting, browser):
    """Client and tokens are stored for their owner alone; every API is asked."""
    done = connecting.run()
    assert 0 == done.exit_code, done.output
    params = dict(httpx.URL(browser.opened).params)
    assert params == {
        "client_id": CLIENT_ID, "response_type": "code", "state": STATE,
        "redirect_uri": f"http://127.0.0.1:{connecting.port}/",
        "scope": "cjp:config_read cjp:config_write",
    }  # fmt: skip
    stored = json.loads(connecting.file.read_text())
    assert (CLIENT_ID, CLIENT_SECRET) == (stored["client_id"], stored["client_secret"])
    assert connecting.vendor.oauth.is_valid(stored["access_token"])
    assert stored["refresh_token"] in connecting.vendor.oauth.refresh_tokens
    assert 0o600 == connecting.file.stat().st_mode & 0o777
    assert f"Organisation  {connecting.vendor.org_id} (from token)" in done.stdout
    assert "Scopes        cjp:config_read cjp:config_write" in done.stdout
    assert len(APIS) == sum(line.startswith(tuple(APIS)) for line in done.stdout.splitlines())
    assert done.stdout.endswith("Every API answers.\n")
    assert [] == shown_secrets(done, connecting)


def test_the_client_may_come_from_the_environment(connecting, monkeypatch):
    """Then nothing but the address is asked for."""
    monkeypatch.setenv("PROJECTOR_WEBEX_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("PROJECTOR_WEBEX_CLIENT_SECRET", CLIENT_SECRET)
    done = connecting.run("--paste", given=f"{connecting.address()}\n")
    assert 0 == done.exit_code, done.output
    assert CLIENT_SECRET == json.loads(connecting.file.read_text())["client_secret"]


def test_the_answer_can_be_pasted(connecting):
    """The whole address, or the code alone."""
    for is_whole in (True, False):
        address = connecting.address()
        code = httpx.URL(address).params["code"]
        pasted = address if is_whole else code
        done = connecting.run("--paste", given=f"{CLIENT_INPUT}{pasted}\n")
        assert 0 == done.exit_code, done.output
        assert code not in done.output
        assert [] == shown_secrets(done, connecting)


def test_a_service_app_is_connected_by_its_refresh_token(connecting):
    """A refresh shows that it is valid."""
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert 0 == done.exit_code, done.output
    assert connecting.vendor.oauth.is_valid(json.loads(connecting.file.read_text())["access_token"])
    assert [] == shown_secrets(done, connecting)


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["--paste"], "{id}\n{secret}\n{denied}\n", "who signed in did not agree"),
        (["--paste"], "{id}\n{secret}\n{back}?code=c&state=other\n", "its state is another one"),
        (["--paste"], "{id}\n{secret}\nno-code\n", "(400: The code is not valid"),
        (["--paste"], "{id}\nwrong-secret\n{agreed}\n", "(401: The client is not known"),
        (["--service-app"], "{id}\n{secret}\nwrong\n", "(400: The refresh token is not valid"),
    ],
    ids=["denied", "wrong state", "wrong code", "wrong secret", "wrong refresh token"],
)
def test_what_the_vendor_refuses_is_one_sentence(connecting, arguments, given, said):
    """Exit code 1; nothing is stored, and no secret is shown."""
    filled = given.format(
        id=CLIENT_ID, secret=CLIENT_SECRET, back=redirect_uri(connecting.port),
        denied=connecting.address("deny"), agreed=connecting.address(),
    )  # fmt: skip
    done = connecting.run(*arguments, given=filled)
    assert 1 == done.exit_code
    assert said in done.stderr.splitlines()[-1]
    assert not connecting.file.exists()
    assert [] == shown_secrets(done, connecting)
    assert "wrong-secret" not in done.output


def test_a_denial_in_the_browser_ends_the_wait(connecting, browser):
    """With the same sentence."""
    browser.answer = "deny"
    done = connecting.run()
    assert (1, True) == (done.exit_code, "did not agree" in done.stderr)
    assert not connecting.file.exists()


def test_a_code_that_has_expired_is_refused(connecting):
    """In the vendor's words."""
    address = connecting.address()
    later = connecting.vendor.oauth.clock() + 301
    connecting.vendor.oauth.clock = lambda: later
    done = connecting.run("--paste", given=f"{CLIENT_INPUT}{address}\n")
    assert (1, True) == (done.exit_code, "it has expired" in done.stderr)


def test_five_failures_of_the_token_service_are_got_over(connecting):
    """A sixth is told."""
    connecting.vendor.token_faults = Faults(plan=dict.fromkeys(range(1, 6), "500"))
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert 0 == done.exit_code, done.output
    connecting.vendor.token_faults = Faults(every={1: "500"})
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert (1, True) == (done.exit_code, "; tried 6 times)" in done.stderr)


def connected(connecting: Connecting) -> None:
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert 0 == done.exit_code, done.output


def test_an_api_that_refuses_is_told_with_what_to_do(connecting):
    """The others are asked all the same; what was stored stays."""
    connecting.refused_paths["/v1/captures/query"] = "Not for your licence"
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert 1 == done.exit_code
    lines = done.stdout.splitlines()
    refused = [line.split() for line in lines if line.startswith("POST /v1/captures/query")]
    assert [["POST", "/v1/captures/query", "refused", "-"]] == refused
    assert "Not for your licence" in done.stdout
    assert "cjp:config_read" in done.stdout
    assert "1 of 14 calls failed." == lines[-1]
    assert connecting.file.exists()


def test_a_check_asks_with_what_is_stored(connecting):
    """It asks for nothing and stores nothing; `--json` has the same."""
    connected(connecting)
    before = connecting.file.read_text()
    connecting.refused_paths["/v1/tasks"] = "No"
    done = connecting.run("--check", "--json", given="")
    assert 1 == done.exit_code
    found = json.loads(done.stdout)
    assert before == connecting.file.read_text()
    assert connecting.vendor.org_id == found["orgId"]
    assert ([*NEEDED_SCOPES], []) == (found["scopes"], found["missingScopes"])
    assert APIS == [it["api"] for it in found["checks"]]
    assert ["GET /v1/tasks"] == [it["api"] for it in found["checks"] if not it["isOk"]]
    assert [] == shown_secrets(done, connecting)


def test_scopes_that_are_missing_are_named(connecting):
    """Where the vendor says what the token has; else nothing is known."""
    connecting.vendor.oauth.scopes[REFRESH_TOKEN] = ("cjp:config_read",)
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert "! The scope cjp:config_write is missing: it is needed to create" in done.stdout
    connecting.vendor.oauth.tells_scopes = False
    connecting.file.unlink()
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert "Scopes        the vendor does not say" in done.stdout
    assert "is missing" not in done.stdout


def test_an_access_token_of_the_settings_is_in_the_way(connecting, monkeypatch):
    """It would be used in place of what is stored."""
    monkeypatch.setenv("PROJECTOR_WEBEX_ACCESS_TOKEN", "t_C_acme")
    done = connecting.run()
    assert (1, True) == (done.exit_code, "unset it first" in done.stderr)


def test_a_service_that_runs_uses_what_is_stored(connecting, database_url):
    """Requests, the schedule and the watch over subscriptions, without a restart."""
    more = {
        "PROJECTOR_WEBEX_API": connecting.root,
        "PROJECTOR_WEBEX_OAUTH": connecting.root,
        "PROJECTOR_RECONCILE_AT": "03:00",
    }
    with open_site(database_url, connecting.folder, **more) as site:

        def requested() -> int:
            path = "/api/v1/reconciliations"
            return site.client.post(path, json=NIGHT, headers=site.headers).status_code

        service = site.service
        jobs = JobQueue(service.pool)
        schedule = DailySchedule(jobs, service.pool, service.settings)
        schedule.request_if_due()
        assert (409, None) == (requested(), jobs.newest("reconciliation", "schedule"))
        assert worker_parts._watch_client(service.settings) is None
        connected(connecting)
        schedule.request_if_due()
        assert 202 == requested()
        assert jobs.newest("reconciliation", "schedule") is not None
        client = worker_parts._watch_client(service.settings)
        assert client is not None
        assert connecting.vendor.org_id == client.org_id
        client.close()


def test_the_other_commands_use_what_is_stored(connecting):
    """Without any variable of the client."""
    arguments = ["subscriptions", "list"]
    assert "projector connect" in CliRunner().invoke(main, arguments).stderr
    connected(connecting)
    assert "There is no subscription.\n" == CliRunner().invoke(main, arguments).output


def test_a_folder_that_cannot_be_written_is_told(connecting, monkeypatch):
    """After the authorisation, so the sentence names the folder."""
    monkeypatch.setenv("PROJECTOR_DATA_DIR", str(connecting.folder / "a-file" / "data"))
    (connecting.folder / "a-file").write_text("")
    done = connecting.run("--service-app", given=f"{CLIENT_INPUT}{REFRESH_TOKEN}\n")
    assert (1, True) == (done.exit_code, "cannot be saved in" in done.stderr)
