"""Replays and reconciliations over HTTP: asked for, looked at, cancelled, and refused."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from click.testing import CliRunner

from projector.bootstrap.worker import job_handlers
from projector.cli.main import main
from projector.infrastructure.clock import DAY_MS, now_ms
from projector.operations.worker import Worker
from projector.webex import token_service
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from tests.examples import ORG, story, v1
from tests.integration.driving import follow
from tests.integration.reconciling import deliver, live
from tests.scripted_server import Scripted, scripted

TOKENS = json.dumps(
    [
        {"token": "all", "role": "operator"},
        {"token": "one", "role": "operator", "orgIds": [ORG]},
        {"token": "team", "role": "operator", "teamIds": ["red"]},
        {"token": "looks", "role": "auditor"},
    ]
)
ASKS = {
    "PROJECTOR_WEBEX_CLIENT_ID": CLIENT_ID,
    "PROJECTOR_WEBEX_CLIENT_SECRET": CLIENT_SECRET,
    "PROJECTOR_WEBEX_REFRESH_TOKEN": REFRESH_TOKEN,
    "PROJECTOR_WEBEX_OAUTH": "http://127.0.0.1:9",
}
NIGHT = {"from": 1_790_000_000_000, "to": 1_790_000_600_000}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def post(site, path: str, body: Any, token: str = "all") -> Any:
    return site.client.post(f"/api/v1/{path}", json=body, headers=bearer(token))


def get(site, path: str, token: str = "all") -> Any:
    return site.client.get(f"/api/v1/{path}", headers=bearer(token))


def delete(site, path: str, token: str = "all") -> Any:
    return site.client.delete(f"/api/v1/{path}", headers=bearer(token))


def work(site) -> None:
    """Do all that was asked for."""
    service = site.service
    handlers = job_handlers(service.settings, service.pool, service.store, site.url)
    Worker(service.pool, site.url, handlers).work_off()


@pytest.fixture
def site(make_site):
    return make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1", **ASKS)


def test_a_replay_is_accepted_done_and_kept(site):
    """202 with its place; then what it folded, who asked and why."""
    site.post(list(story(v1(1_000, "ann", "idle"), v1(2_000, "bob", "idle"))))
    site.project()
    accepted = post(site, "replays", {"agentIds": ["ann"], "why": "to see"})
    assert (202, "queued") == (accepted.status_code, accepted.json["status"])
    assert f"/api/v1/replays/{accepted.json['id']}" == accepted.headers["Location"]
    work(site)
    done = site.client.get(accepted.headers["Location"], headers=bearer("all")).json
    assert ("completed", 1, 1, 0) == (
        done["status"], done["processed"], done["total"], done["etaMs"])  # fmt: skip
    assert {"count": 0, "first": []} == done["changed"]
    assert ["ann"] == done["agentIds"]
    assert "to see" == done["why"]
    assert done["who"].startswith("operator ")
    assert "all" not in done["who"].split()
    assert [done] == get(site, "replays").json["data"]


def test_a_replay_is_cancelled_once(site):
    """Then it is a conflict; one that nobody asked for is not found."""
    number = post(site, "replays", {}).json["id"]
    assert 400 == delete(site, f"replays/{number}?why={'x' * 501}").status_code
    answer = delete(site, f"replays/{number}?why=by mistake")
    assert (200, "cancelled") == (answer.status_code, answer.json["status"])
    cancellation = get(site, f"replays/{number}").json["cancellation"]
    assert ("by mistake", answer.json["who"]) == (cancellation["why"], cancellation["who"])
    refused = delete(site, f"replays/{number}")
    assert (409, f"The replay {number} has ended: it is cancelled.") == (
        refused.status_code, refused.json["detail"])  # fmt: skip
    for path in ("replays/999", f"reconciliations/{number}"):
        assert {404} == {get(site, path).status_code, delete(site, path).status_code}


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("replays", {"agentId": "ann"}, "agentId"),
        ("replays", {"agentIds": "ann"}, "agentIds"),
        ("replays", {"agentIds": [""]}, "agentIds"),
        ("replays", {"taskIds": ["a\0"]}, "taskIds"),
        ("replays", {"from": -1}, "from"),
        ("replays", {"from": "1"}, "from"),
        ("replays", {"from": 5, "to": 4}, "body"),
        ("replays", {"dryRun": "yes"}, "dryRun"),
        ("replays", {"why": 7}, "why"),
        ("reconciliations", {}, "from"),
        ("reconciliations", {"from": 1}, "to"),
        ("reconciliations", {"from": 2, "to": 2}, "to"),
        ("reconciliations", {"from": 2, "to": 2**52}, "to"),
        ("reconciliations", {"from": 2, "to": now_ms() + 2 * DAY_MS}, "to"),
        (
            "reconciliations",
            {"from": now_ms() + DAY_MS // 2, "to": now_ms() + DAY_MS // 2 + 1},
            "to",
        ),
        ("reconciliations", NIGHT | {"taskIds": []}, "taskIds"),
    ],
)
def test_a_bad_body_is_refused_before_all_else(site, path, body, wrong):
    """By the name of what is wrong, also to who may not ask at all."""
    for token in ("all", "looks", "nobody"):
        answer = post(site, path, body, token)
        assert 400 == answer.status_code
        assert wrong in [it["parameter"] for it in answer.json["errors"]]


@pytest.mark.parametrize("path", ["replays/x", "replays/-1", f"reconciliations/{10**20}"])
def test_a_number_that_is_none_is_refused(site, path):
    """As a position that is none."""
    for answer in (get(site, path), delete(site, path)):
        assert (400, "id") == (answer.status_code, answer.json["errors"][0]["parameter"])


@pytest.mark.parametrize("path", ["replays", "reconciliations"])
def test_only_operators_of_all_teams_may_ask(site, path):
    """Others are told so; nothing is queued."""
    body = {} if path == "replays" else NIGHT
    assert 401 == post(site, path, body, "nobody").status_code
    assert 403 == post(site, path, body, "looks").status_code
    assert 403 == post(site, path, body, "team").status_code
    assert 403 == get(site, path, "looks").status_code
    assert [] == get(site, path).json["data"]


def test_a_token_for_some_organisations_replays_and_sees_these_alone(site):
    """Whatever it leaves out is theirs."""
    of_all = post(site, "replays", {}).json
    of_one = post(site, "replays", {}, "one").json
    assert (None, [ORG]) == (of_all["orgIds"], of_one["orgIds"])
    assert 403 == post(site, "replays", {"orgId": "another"}, "one").status_code
    assert [of_one["id"]] == [it["id"] for it in get(site, "replays", "one").json["data"]]
    assert 404 == get(site, f"replays/{of_all['id']}", "one").status_code
    assert 404 == delete(site, f"replays/{of_all['id']}", "one").status_code
    assert 403 == post(site, "reconciliations", NIGHT, "one").status_code


def test_runs_come_page_by_page(site):
    """The newest first, each once."""
    asked = [post(site, "replays", {}).json["id"] for _ in range(3)]
    first = get(site, "replays?limit=2").json
    second = get(site, f"replays?limit=2&cursor={first['meta']['nextCursor']}").json
    assert asked[::-1] == [it["id"] for it in (*first["data"], *second["data"])]
    assert second["meta"]["nextCursor"] is None


def test_without_credentials_a_reconciliation_is_a_conflict(make_site):
    """And the sentence says what to set."""
    site = make_site(PROJECTOR_TOKENS=TOKENS)
    answer = post(site, "reconciliations", NIGHT)
    assert 409 == answer.status_code
    assert "PROJECTOR_WEBEX_REFRESH_TOKEN" in answer.json["detail"]
    assert [] == get(site, "reconciliations").json["data"]


def test_a_reconciliation_tells_what_it_found(make_site):
    """In counts while it is listed, with its lists where it stands by itself."""
    day = live(hours=0.3, agents=4, seed=2)
    with serving(ApiServer(day.records)) as root:
        more = ASKS | {"PROJECTOR_WEBEX_API": root, "PROJECTOR_WEBEX_OAUTH": root}
        site = make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1", **more)
        deliver(site, day.deliveries)
        accepted = post(site, "reconciliations", {"from": day.start, "to": day.end})
        assert (202, "queued") == (accepted.status_code, accepted.json["status"])
        stop = threading.Event()
        thread = follow(site, stop)
        work(site)
        stop.set()
        thread.join()
    found = site.client.get(accepted.headers["Location"], headers=bearer("all")).json
    assert ("completed", None) == (found["status"], found["error"])
    (row,) = get(site, "reconciliations").json["data"]
    assert row == {name: found[name] for name in row}
    assert {"missing", "differing", "failures", "untold"} <= found.keys() - row.keys()
    appended = sum(it["appended"] for it in found["sources"].values())
    assert min(100, appended) == len(found["missing"]) > 0
    assert found["step"] == found["steps"] > 0
    assert found["gapsClosed"] <= found["gapsFound"]
    events = site.client.get(
        "/api/v1/events?origin=reconciliation&limit=1000", headers=bearer("all")
    )
    assert appended == events.json["meta"]["count"]


@pytest.mark.parametrize("ahead_ms", [5_000, DAY_MS // 2])
def test_a_window_ends_now_at_the_latest(site, ahead_ms):
    """The clock of who asks may be ahead; the answer and the run have the time that counts."""
    before = now_ms()
    window = {"from": before - 60_000, "to": before + ahead_ms}
    accepted = post(site, "reconciliations", window)
    assert 202 == accepted.status_code
    assert before <= accepted.json["to"] <= now_ms()
    (row,) = get(site, "reconciliations").json["data"]
    assert (window["from"], accepted.json["to"]) == (row["from"], row["to"])


def test_the_command_says_where_its_window_ends_earlier_than_asked():
    """On the error output; a window that ends as asked needs no word."""
    done = {"id": 1, "status": "completed", "error": None, "failures": [], "to": 1_790_000_000_000}
    with scripted(Scripted(body=done)) as (root, received):

        def said(end: int) -> str:
            arguments = ["reconcile", "--url", root, "--from", "1", "--to", str(end), "--json"]
            result = CliRunner().invoke(main, arguments)
            assert (0, done) == (result.exit_code, json.loads(result.stdout))
            assert end == received[-1].body["to"]
            return result.stderr

        assert "" == said(done["to"])
        assert "--to is not past: the window ends at 2026-09-21T14:13:20.000Z.\n" == said(
            done["to"] + 1
        )


def test_a_window_of_the_future_is_refused_with_what_is_allowed(site):
    """More than a day ahead is no matter of clocks."""
    refused = post(site, "reconciliations", NIGHT | {"to": 2**52})
    (error,) = refused.json["errors"]
    assert "to" == error["parameter"]
    assert "after from, up to now; less than a day ahead becomes now" in error["allowed"]


def test_a_reconciliation_that_waits_can_be_cancelled(make_site):
    """The vendor asks for ten minutes; the worker notices after about a second."""
    with scripted(Scripted(status=429, headers={"Retry-After": "600"})) as (root, received):
        more = {"PROJECTOR_WEBEX_API": root, "PROJECTOR_WEBEX_ACCESS_TOKEN": "access_cluster_org"}
        site = make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1", **more)
        number = post(site, "reconciliations", NIGHT).json["id"]
        thread = threading.Thread(target=work, args=(site,))
        thread.start()
        while not received and thread.is_alive():
            thread.join(0.01)
        assert 200 == delete(site, f"reconciliations/{number}").status_code
        thread.join(30)
        assert not thread.is_alive()
    assert "cancelled" == get(site, f"reconciliations/{number}").json["status"]
    assert 1 == len(received)


def test_a_vendor_that_is_away_fails_the_run_with_a_sentence(site, monkeypatch):
    """It is kept with the run, after six tries without their pauses."""
    monkeypatch.setattr(token_service, "pause_seconds", lambda _: 0)
    number = post(site, "reconciliations", NIGHT).json["id"]
    work(site)
    found = get(site, f"reconciliations/{number}").json
    assert ("failed", True) == (found["status"], "tried 6 times" in found["error"])
