"""Faults of the vendor's APIs: each is a line of the report, and never a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from projector.operations.job_queue import JobFailed
from projector.operations.reconciliation.api_reader import ApiReader, ReadStep
from projector.operations.reconciliation.coverage import covered_until
from projector.webex.simulator.api_faults import Faults
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from projector.webex.simulator.vendor_rows import VendorRows
from tests.conftest import Site, erase, sample
from tests.integration.reconciling import END, HOUR_MS, deliver, listed, reconcile

WINDOW = {"from": END - HOUR_MS, "to": END}
TASK_ID = "0f5a37f5-8426-4054-91a2-2815e9d90197"


def activity(state: str, minute: int, **more: Any) -> dict[str, Any]:
    start = WINDOW["from"] + minute * 60_000
    return {"id": f"phone-telephony-{start}-{state}", "state": state, "startTime": start,
            "endTime": start + 60_000, **more}  # fmt: skip


def task_row(event: str, minute: int, **more: Any) -> dict[str, Any]:
    time = WINDOW["from"] + minute * 60_000
    return {"id": f"{TASK_ID}-{time}-{event}", "eventName": event, "createdTime": time, **more}


def vendor_rows() -> VendorRows:
    """A short session with one call."""
    session = {
        "agentSessionId": "session",
        "agentId": "ann",
        "teamId": "red",
        "startTime": WINDOW["from"] + 1,
        "endTime": END - 1,
        "isActive": False,
        "channelInfo": [
            {
                "channelId": "phone",
                "channelType": "telephony",
                "activities": [
                    activity("idle", 0, isLoginActivity=True),
                    activity("available", 1),
                    activity("ringing", 2, taskId=TASK_ID),
                    activity("connected", 3, taskId=TASK_ID),
                ],
            }
        ],
    }
    task = {
        "id": TASK_ID,
        "channelType": "telephony",
        "createdTime": WINDOW["from"] + 60_000,
        "endedTime": WINDOW["from"] + 240_000,
        "isActive": False,
        "direction": "inbound",
        "activities": [
            task_row("new", 1),
            task_row("connect", 2, queueId="sales"),
            task_row("connected", 3, queueId="sales"),
            task_row("ended", 4, queueId="sales", terminationReason="Customer Left"),
        ],
    }
    quiet = {"agentSessionId": "session-2", "agentId": "bob", "channelInfo": [], "endTime": -1}
    other = session | quiet | {"isActive": True}
    return VendorRows(sessions=[session, other], tasks={TASK_ID: task})


def run(site: Site, folder: Path, **more: Any) -> dict[str, Any]:
    with serving(ApiServer(vendor_rows(), a_minute=100_000, **more)) as root:
        return reconcile(site, root, folder, **WINDOW)


def lines(report: dict[str, Any]) -> list[str]:
    return [line["reason"] for line in (*report["failures"], *report["unusable"])]


REFUSED = ("400", "401", "403", "413", "422")
PASSING = ("429", "500", "cut", "truncated")  # tried again, six times
PARTS = ("null-data", "null-nodes", "null-activities", "null-channels", "null-rows",
         "null-page-info", "fewer-rows", "errors", "endless", "repeat-pages")  # fmt: skip
FIRST_ROWS = 5  # the call that returns the first rows: two look back, two ask for details


@pytest.mark.parametrize("fault", [*REFUSED, *PASSING])
def test_where_no_api_answers_the_run_fails(site, tmp_path, fault):
    """With the vendor's words where it has any, and nothing is covered."""
    with pytest.raises(JobFailed) as raised:
        run(site, tmp_path, faults=Faults(every={1: fault}, retry_after=None))
    assert any(it in str(raised.value) for it in ("refuses", "does not answer"))
    assert covered_until(site.service.pool, SIMULATED_ORG_ID, 0) is None


@pytest.mark.parametrize("fault", sample(["400-errors", *REFUSED, *PASSING, *PARTS], every=3))
def test_where_something_does_not_come_the_run_is_incomplete(site, tmp_path, fault):
    """The rest of it is read and compared, and nothing is covered."""
    calls = 6 if fault in PASSING else 2 if fault in {"endless", "repeat-pages", "401"} else 1
    plan = dict.fromkeys(range(FIRST_ROWS, FIRST_ROWS + calls), fault)
    report = run(site, tmp_path, faults=Faults(plan=plan, retry_after=None), search_page=1)
    assert ("incomplete", "incomplete") == (report["status"], report["verdict"])
    assert lines(report)
    assert min(report["sources"][name]["fetched"] for name in ("activities", "taskDetails")) > 0
    assert covered_until(site.service.pool, SIMULATED_ORG_ID, 0) is None


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_leaves_the_run_whole(make_site, tmp_path, fault):
    """Each of five tries fails, and the sixth comes."""
    plan = dict.fromkeys(range(FIRST_ROWS, FIRST_ROWS + 5), fault)
    report = run(make_site(), tmp_path, faults=Faults(plan=plan, retry_after=1))
    assert ("completed", "whole") == (report["status"], report["verdict"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("seconds", "is in seconds, not milliseconds"),
        ("missing", "no "),
        ("foreign", "answers for the organisation 'another-organisation'"),
        ("endless", "leads back to its cursor"),
    ],
)
def test_rows_that_cannot_be_used_make_the_run_incomplete(site, tmp_path, rows, said):
    """Each reason is a line with the first row that has it."""
    report = run(site, tmp_path, faults=Faults(rows=rows))
    assert ("incomplete", "incomplete") == (report["status"], report["verdict"])
    assert any(said in it for it in lines(report)), lines(report)
    if rows in {"seconds", "missing"}:
        assert {"session", "phone", TASK_ID} & {
            (line["row"] or "")[: len(TASK_ID)].partition("-telephony")[0]
            for line in report["unusable"]
        }
    assert covered_until(site.service.pool, SIMULATED_ORG_ID, 0) is None


def test_one_row_that_cannot_be_read_costs_that_row(make_site, tmp_path):
    """It is listed with its id; the others are appended."""
    site, rows = make_site(), vendor_rows()
    rows.sessions[0]["channelInfo"][0]["activities"][1] |= {"startTime": None}
    with serving(ApiServer(rows)) as root:
        report = reconcile(site, root, tmp_path, **WINDOW)
    assert "incomplete" == report["verdict"]
    row = {line["source"]: line["row"] for line in report["unusable"]}["agentSession"]
    assert f"phone-telephony-{WINDOW['from'] + 60_000}-available" == row
    assert {"ringing", "connected"} <= {it["state"] for it in report["missing"]}


def test_a_whole_run_covers_its_window(make_site, tmp_path):
    """Also a quiet window, in which there is nothing to compare."""
    site = make_site()
    assert site.get("/api/v1/status").json["reconciledUpTo"] is None
    report = run(site, tmp_path)
    assert ("completed", "whole") == (report["status"], report["verdict"])
    assert WINDOW["to"] == covered_until(site.service.pool, SIMULATED_ORG_ID, 0)
    with serving(ApiServer(VendorRows())) as root:
        later = {"from": END, "to": END + HOUR_MS}
        report = reconcile(site, root, tmp_path, **later)
    assert ("completed", "nothing to compare") == (report["status"], report["verdict"])
    assert END + HOUR_MS == covered_until(site.service.pool, SIMULATED_ORG_ID, 0)
    assert END + HOUR_MS == site.get("/api/v1/status").json["reconciledUpTo"]


def test_a_vendor_without_rows_of_our_webhooks_is_incomplete(make_site, tmp_path):
    """An empty answer for a time with webhooks is no proof that the time is whole."""
    site = make_site()
    data = {"agentId": "ann", "currentState": "available", "createdTime": END - 60_000}
    webhook = {"id": "w", "type": "agent:channel_state_change", "specversion": "1.0",
               "comciscoorgid": SIMULATED_ORG_ID, "data": data}  # fmt: skip
    deliver(site, [webhook])
    with serving(ApiServer(VendorRows())) as root:
        report = reconcile(site, root, tmp_path, **WINDOW)
    assert "incomplete" == report["verdict"]
    assert ["The vendor has no agents of this window, and the log has webhooks."] == lines(report)
    assert covered_until(site.service.pool, SIMULATED_ORG_ID, 0) is None


def test_what_is_probably_shown_wrongly_is_asked_for_first(timed, tmp_path, monkeypatch):
    """A silent task and an agent who rang for too long come before an earlier, plain gap."""
    site, clock = timed
    erase(site.url)
    day, minute = 24 * HOUR_MS, 60_000

    def webhook(type_: str, time: int, **data: Any) -> dict[str, Any]:
        return {
            "id": f"{type_}-{time}",
            "type": type_,
            "specversion": "1.0",
            "comciscoorgid": SIMULATED_ORG_ID,
            "data": {**data, "createdTime": time},
        }

    for body in (
        webhook("task:parked", END - day - HOUR_MS, taskId=TASK_ID),
        webhook("agent:state_change", END - 50 * minute, agentId="odd", currentState="available"),
        webhook("agent:login", END - 30 * minute, agentId="ann", currentState="Available"),
        webhook("agent:state_change", END - 20 * minute, agentId="ann", currentState="ringing",
                taskId="call"),
    ):  # fmt: skip
        clock.now = body["data"]["createdTime"] + 500
        deliver(site, [body])
    clock.now, asked = END, list[Any]()

    def events(_: ApiReader, step: ReadStep) -> Iterator[list[Any]]:
        asked.append(step.ids)
        return iter(())

    monkeypatch.setattr(ApiReader, "events", events)
    with serving(ApiServer(VendorRows())) as root:
        reconcile(site, root, tmp_path, clock=clock, **{"from": END - 2 * day, "to": END})
    assert [[TASK_ID], ["ann"], ["odd"]] == asked[:3]


def test_a_token_service_that_fails_for_a_moment_does_not_end_the_run(make_site, tmp_path):
    """It is tried six times, like the APIs."""
    faults = Faults(plan=dict.fromkeys(range(1, 6), "500"))
    assert "whole" == run(make_site(), tmp_path, token_faults=faults)["verdict"]


def test_a_reconciled_session_is_shown(make_site, tmp_path):
    """One login, the call, and the logout that only the end of the session tells.

    No row says that the call ended, so the logout ends it.
    """
    site = make_site()
    report = run(site, tmp_path)
    events = [*listed(site, "/api/v1/events", origin="reconciliation", order="created")]
    types = [event["type"] for event in events if event["agentId"]]
    assert ["agent:login", *["agent:channel_state_change"] * 3, "agent:logout"] == types
    view = site.get("/api/v1/agents/ann").json
    assert ("logged-out", None) == (view["status"], view["session"]["loggedOutBy"])
    anomalies = [*listed(site, "/api/v1/anomalies", agentId="ann")]
    assert ["missing-end"] == [it["kind"] for it in anomalies]
    assert (1, []) == (view["anomalyCount"], report["failures"])
