"""Why a view shows what it shows: the event behind each field, and what was odd around it."""

from __future__ import annotations

import json
from typing import Any

from projector.domain.events import Origin
from projector.event_log.store import Request
from projector.webex.webhook import judge
from tests.conftest import Site
from tests.examples import RECORDED, at, capture, channel, ended, login, story, task, v1

LOGIN, IDLE, TALK, AWAY = story(
    login(0, "ann", "Available"),
    v1(10_000, "ann", "idle", idleCodeId="lunch"),
    v1(20_000, "ann", "connected", "t"),
    v1(30_000, "ann", "idle", idleCodeId="tea"),
)


def arrive(site: Site, *requests: Any) -> None:
    """Each argument is one publication; each is folded before the next comes."""
    for request in requests:
        assert 202 == site.post(request).status_code
        site.project()


def explain(site: Site, path: str, **times: int) -> Any:
    return site.get(f"/api/v1/{path}/explain", query_string=times).json


def set_by(told: Any, *names: str) -> list[str | None]:
    return [told["fields"][name]["eventId"] for name in names]


def test_each_field_has_the_event_that_set_it(site):
    """With its position and time, and the value that the view shows."""
    arrive(site, LOGIN, IDLE, TALK)
    view = site.get("/api/v1/agents/ann").json
    told = explain(site, "agents/ann")
    assert view == {name: field["value"] for name, field in told["fields"].items()}
    assert ["e1", "e1", "e1", "e1"] == set_by(told, "teamId", "loggedIn", "agentId", "orgId")
    assert ["e3", "e3", "e3", "e3"] == set_by(told, "status", "taskId", "interactions", "lastEvent")
    assert [None, None] == set_by(told, "queueId", "settled")
    assert {"value": "connected", "eventId": "e3", "position": 3, "time": at(20_000)} == (
        told["fields"]["status"]
    )
    assert (None, []) == (told["lookedFrom"], told["around"])


def test_it_is_of_both_times(site):
    """As the view was, and of nothing that came later."""
    arrive(site, LOGIN, TALK, AWAY, IDLE)
    told = explain(site, "agents/ann", at=at(25_000))
    assert ["e3", "e3", "e1"] == set_by(told, "idleCodeId", "status", "teamId")
    assert "connected" == told["fields"]["status"]["value"]
    (known,) = [it["recordedTime"] for it in site.get("/api/v1/agents/ann/events").json["data"][:1]]
    assert ["e1"] == set_by(explain(site, "agents/ann", at=at(15_000), knownAt=known), "agentId")


def test_a_late_event_is_around_with_what_it_corrected(site):
    """Late, since later things were known; a correction, since it changed what was shown."""
    arrive(site, LOGIN, TALK, AWAY, IDLE)
    told = explain(site, "agents/ann", at=at(15_000))
    assert [("e2", 4, at(10_000), "correction"), ("e2", 4, at(10_000), "late")] == [
        (it["eventId"], it["position"], it["time"], it["effect"]) for it in told["around"]
    ]


def test_conflicts_and_restatements_are_around(site):
    """Those of events since what is shown began."""
    again = {**AWAY, "id": "again"}  # of two that state one fact the first by id is folded
    other = {**AWAY, "data": {**AWAY["data"], "idleCodeId": "coffee"}}
    arrive(site, LOGIN, TALK, AWAY, again, other)
    told = explain(site, "agents/ann")
    assert [("e4", "conflict"), ("e4", "restatement")] == [
        (it["eventId"], it["effect"]) for it in told["around"]
    ]
    assert ["again"] == set_by(told, "status")


def test_a_reconciled_word_is_what_made_the_channels_unknown(site):
    """Until the next change of a channel, which is what set them then."""
    told_idle = channel(10_000, "ann", "telephony", "Idle", id="c1", idleCodeName="Break")
    arrive(site, [LOGIN, IDLE, told_idle])
    fetched = v1(14_000, "ann", "available", id="r1")
    offered = judge(json.dumps(fetched).encode(), fetched, now=RECORDED, default_org=None)
    site.service.store.append([Request(events=[offered], origin=Origin.RECONCILIATION)])
    site.project()
    told = explain(site, "agents/ann")
    assert ["r1", "r1"] == set_by(told, "status", "channels")
    unknown = {"currentState": "unknown", "since": at(14_000)}
    assert {"telephony": unknown | {"pendingIdleState": False, "idleCodeName": None}} == told[
        "fields"
    ]["channels"]["value"]
    arrive(site, channel(15_000, "ann", "telephony", "Available", id="c2"))
    assert ["r1", "c2"] == set_by(explain(site, "agents/ann"), "status", "channels")
    assert ["c1"] == set_by(explain(site, "agents/ann", at=at(13_000)), "channels")


def test_the_passing_of_time_sets_fields_too(site):
    """Without an event, at the moment that was due."""
    connected = task(500, "t", "connected")
    arrive(site, story(v1(0, "ann", "wrapup", "t"), connected, ended(1_000, "t")))
    told = explain(site, "tasks/t")
    view = site.get("/api/v1/tasks/t").json
    assert view["status"] == told["fields"]["status"]["value"]
    by_time = {name for name, it in told["fields"].items() if it["time"] == at(3_601_000)}
    assert {"complete", "completedTime"} <= by_time
    assert {None} == {told["fields"][name]["eventId"] for name in by_time}


def test_of_a_long_life_only_so_much_is_looked_at(site, monkeypatch):
    """What was set before has no event, and the answer says since when it looked."""
    monkeypatch.setattr("projector.query.as_of.explain.SNAPSHOTS_BACK", (2,))
    words = ("idle", "available")
    arrive(site, [LOGIN, *story(*(v1(1_000 * n, "ann", words[n % 2]) for n in range(1, 100)))[1:]])
    told = explain(site, "agents/ann")
    assert 0 < told["lookedFrom"] < at(99_000)
    assert [None] == set_by(told, "teamId")
    assert "team-1" == told["fields"]["teamId"]["value"]
    assert told["fields"]["status"]["eventId"] is not None


def test_a_long_millisecond_is_explained_event_by_event(site):
    """Each event is looked at once, however many there are."""
    bodies = [capture(1_000, "t", f"file {n:03}") for n in range(300)]
    arrive(site, [it | {"id": f"{n:03}"} for n, it in enumerate(bodies)])
    told = explain(site, "tasks/t")
    assert ["299", "299", "000"] == set_by(told, "captures", "eventCount", "taskId")
