"""The ledger of corrections: what late events changed of what had been shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Site
from tests.examples import DAWN, ORG, at, ended, story, task, v1
from tests.laws.memory import comparable

NAMED = ("kind", "subject", "agentId", "taskId", "orgId", "from", "to", "eventId")


def arrive(site: Site, *requests: Any) -> None:
    """Each argument is one publication; each is folded before the next comes."""
    for request in requests:
        assert 202 == site.post(request).status_code
        site.project()


def corrections(site: Site, query: str = "") -> list[dict[str, Any]]:
    return site.get(f"/api/v1/corrections?{query}").json["data"]


def shown(rows: list[dict[str, Any]]) -> list[tuple[int, int | None, str]]:
    """From, to and status, in seconds after dawn."""
    return [
        ((it["from"] - DAWN) // 1000, it["to"] and (it["to"] - DAWN) // 1000, it["status"])
        for it in rows
    ]


IDLE, LATE, READY, AWAY = story(
    v1(10_000, "ann", "idle"),
    v1(20_000, "ann", "available"),
    v1(30_000, "ann", "connected", "t"),
    v1(50_000, "ann", "idle"),
)


def test_a_late_event_is_told_with_what_it_changed(site):
    """Subject, stretch, before and after, the late events and how late they were."""
    arrive(site, IDLE, READY, LATE)
    (row,) = corrections(site)
    assert {name: row[name] for name in NAMED} == {
        "kind": "correction", "subject": "agent:ann", "agentId": "ann", "taskId": None,
        "orgId": ORG, "from": at(20_000), "to": at(30_000), "eventId": "e2",
    }  # fmt: skip
    assert [(10, 30, "idle")] == shown(row["before"])
    assert [(20, 30, "available")] == shown(row["after"])
    (late,) = row["events"]
    assert (late["eventId"], late["position"], late["time"]) == ("e2", 3, at(20_000))
    assert late["latenessMs"] == late["recordedTime"] - late["time"] > 0
    assert (row["position"], row["recordedTime"]) == (3, late["recordedTime"])
    assert 1 == site.get("/api/v1/status").json["ledgers"]["corrections"]


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param([IDLE, LATE, READY, AWAY], id="in order"),
        pytest.param([[AWAY, LATE, READY, IDLE]], id="one publication in any order"),
        pytest.param([READY, IDLE], id="before anything was shown"),
        pytest.param([IDLE, READY, IDLE, READY], id="again"),
    ],
)
def test_what_changes_nothing_shown_is_no_correction(site, requests):
    """Also a beginning that was not known: nothing had been shown there."""
    arrive(site, *requests)
    assert [] == corrections(site)


def test_closing_the_open_interval_at_its_own_time_is_no_correction(site):
    """A later event that showed nothing of its own was known already."""
    quiet = v1(40_000, "ann", "") | {"id": "quiet"}
    del quiet["data"]["currentState"]
    arrive(site, IDLE, quiet, LATE)
    assert [] == corrections(site)
    assert "available" == site.get("/api/v1/agents/ann").json["status"]


def test_one_publication_is_one_correction_a_stretch(site):
    """Whatever it brings late for one stretch of one subject; far ones have rows of their own."""
    life = story(
        *(v1(10_000 * place, "ann", "idle" if place % 2 else "available") for place in range(9))
    )
    arrive(
        site, [life[0], life[3], life[6], life[7], life[8]], [life[2], life[1], life[4], life[5]]
    )
    rows = corrections(site)
    assert [(10, 20), (40, 50)] == [
        ((row["from"] - DAWN) // 1000, (row["to"] - DAWN) // 1000) for row in rows
    ]
    assert [["e2", "e3", "e5", "e6"]] * 2 == [
        [it["eventId"] for it in row["events"]] for row in rows
    ]


def test_a_late_wrapup_corrects_what_the_passing_hour_had_shown(site):
    """The task was shown as assigned, then as completed by time: both are told."""
    hour = 3_600_000
    first, end, done = story(
        v1(0, "ann", "wrapup", "t"), ended(1_000, "t"), v1(2_000, "ann", "wrapup-done", "t")
    )
    connected = task(500, "t", "connected") | {"id": "c"}
    later = task(3_000, "t", "origin-updated") | {"id": "o"}
    arrive(site, [first, connected, end, later], done)
    (row,) = corrections(site, "taskId=t")
    assert (at(2_000), at(1_000 + hour)) == (row["from"], row["to"])
    assert ["assigned"] == [it["status"] for it in row["before"]]
    assert ["completed"] == [it["status"] for it in row["after"]]


def test_the_ledger_is_asked_by_subject_time_and_page(site):
    """As the ledger of anomalies is."""
    arrive(site, IDLE, READY, AWAY, LATE)
    bob = [body | {"id": f"b{body['id']}", "data": body["data"] | {"agentId": "bob"}}
           for body in (IDLE, READY, AWAY, LATE)]  # fmt: skip
    arrive(site, *bob)
    assert ["agent:ann", "agent:bob"] == [row["subject"] for row in corrections(site)]
    assert ["agent:bob"] == [row["subject"] for row in corrections(site, "agentId=bob")]
    assert [] == corrections(site, "taskId=none")
    assert [] == corrections(site, "agentId=a%00b")
    assert [] == corrections(site, f"agentId=ann&to={at(20_000)}")
    assert 1 == len(corrections(site, f"agentId=ann&to={at(20_001)}"))
    assert 1 == len(corrections(site, f"agentId=ann&from={at(29_999)}"))
    assert [] == corrections(site, f"agentId=ann&from={at(30_000)}")
    page = site.get("/api/v1/corrections?limit=1").json
    rest = corrections(site, f"limit=9&cursor={page['meta']['nextCursor']}")
    assert corrections(site) == [*page["data"], *rest]
    assert 400 == site.get("/api/v1/corrections?cursor=x").status_code


def test_superseded_intervals_are_not_shown(site):
    """The history is what is known now; the rows that were shown before stay in the table."""
    arrive(site, IDLE, AWAY, READY, LATE)
    rows = site.get("/api/v1/agents/ann/history").json["data"]
    assert [(10, 20), (20, 30), (30, 50), (50, None)] == [it[:2] for it in shown(rows)]
    assert comparable(site.get("/api/v1/agents/ann").json)["eventCount"] == 4
