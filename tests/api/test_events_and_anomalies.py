"""What stands behind a view: a subject's events, and what was not expected of it."""

import json

import pytest

from projector.domain.events import Origin
from projector.event_log.store import Request
from projector.infrastructure.database import consistent_read
from projector.operations.verify.parallel import verify
from projector.webex.webhook import judge
from tests.conftest import open_site
from tests.examples import DAWN, RECORDED, at, channel, ended, login, logout, task, v1, v2

HOUR = 3_600_000


def deliver(site, *told, origin=Origin.WEBHOOK):
    """Append events with ids e1, e2 and so on after those delivered before, and fold them."""
    start = site.service.store.head() + 1
    bodies = [one | {"id": one["id"] or f"e{place}"} for place, one in enumerate(told, start)]
    offered = [
        judge(json.dumps(one).encode(), one, now=RECORDED, default_org=None) for one in bodies
    ]
    site.service.store.append([Request(events=offered, origin=origin)])
    site.project()


def walk(site, path, **query):
    """All rows of a list, page by page."""
    rows, cursor = [], ""
    while cursor is not None:
        asked = query | ({"cursor": cursor} if cursor else {})
        answer = site.get(path, query_string=asked)
        assert 200 == answer.status_code, answer.text
        rows += answer.json["data"]
        cursor = answer.json["meta"]["nextCursor"]
    return rows


def positions(site, path, **query):
    return [row["position"] for row in walk(site, path, **query)]


# --- events of a subject ---


def test_an_event_row_tells_where_it_comes_from(site):
    """Id, type, subjects, both times, their source, and how the fact was learned."""
    undated = v1(0, "ann", "idle")
    undated["data"].pop("createdTime")
    undated["comciscotimestamp"] = DAWN + 7
    deliver(site, v2(5, "ann", "ringing", "t", ("c", "chat")), undated)
    (second, first) = site.get("/api/v1/agents/ann/events").json["data"]
    assert (
        first.items()
        >= {
            "position": 2 if first["id"] == "e2" else 1,
            "orgId": "acme",
            "agentId": "ann",
            "origin": "webhook",
            "restates": None,
        }.items()
    )
    by_id = {row["id"]: row for row in (first, second)}
    fields = ("type", "taskId", "createdTime", "time", "timeSource")
    assert ("agent:channel_state_change", "t", at(5), at(5), "created") == tuple(
        by_id["e1"][name] for name in fields
    )
    assert ("agent:state_change", None, None, at(7), "dispatched") == tuple(
        by_id["e2"][name] for name in fields
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_events_come_in_created_or_recorded_order(site, limit):
    """By created time with the order of the fold, or as they arrived; page by page the same."""
    deliver(
        site,
        v1(30, "ann", "connected", "t"),
        v1(10, "ann", "available"),
        v1(20, "ann", "ringing", "t"),
        v1(20, "ann", "available"),
        v1(20, "ann", "idle"),
        login(0, "ann"),
        v1(20, "bob", "idle"),
    )
    path = "/api/v1/agents/ann/events"
    assert [6, 2, 5, 4, 3, 1] == positions(site, path, limit=limit)
    assert [1, 2, 3, 4, 5, 6] == positions(site, path, limit=limit, order="recorded")
    assert [3, 1] == positions(site, "/api/v1/tasks/t/events", limit=limit)


@pytest.mark.parametrize("order", ["created", "recorded"])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_restatement_names_the_event_that_is_folded(site, order, limit):
    """A second subscription's copy and a reconciled fact, whichever came first."""
    deliver(site, v1(12_000, "ann", "available", id="z"), v1(0, "ann", "idle"))
    deliver(
        site,
        v2(13_999, "ann", "available", id="r-near"),
        v2(14_001, "ann", "available", id="r-far"),
        origin=Origin.RECONCILIATION,
    )
    deliver(site, v1(12_000, "ann", "available", id="a"))
    rows = walk(site, "/api/v1/agents/ann/events", order=order, limit=limit)
    told = {row["id"]: (row["restates"], row["origin"]) for row in rows}
    assert {
        "e2": (None, "webhook"),
        "a": (None, "webhook"),
        "z": (5, "webhook"),
        "r-near": (5, "reconciliation"),
        "r-far": (None, "reconciliation"),
    } == told
    assert 3 == site.get("/api/v1/agents/ann").json["eventCount"]


def test_a_cursor_of_another_subject_is_refused(site):
    """It names no event of this one; a reader never goes round."""
    deliver(site, login(0, "ann"), login(0, "bob"), v1(5, "ann", "available"))
    path = "/api/v1/agents/{}/events"
    cursor = site.get(path.format("ann"), query_string={"limit": 1}).json["meta"]["nextCursor"]
    query = {"cursor": cursor}
    rest = site.get(path.format("ann"), query_string=query).json["data"]
    assert ["e3"] == [row["id"] for row in rest]
    assert 400 == site.get(path.format("bob"), query_string=query).status_code


def test_events_of_nobody_are_not_found(site):
    """As its view; and a cursor of another order of words is refused."""
    assert 404 == site.get("/api/v1/agents/nobody/events").status_code
    deliver(site, login(0, "ann"))
    for query in ({"order": "random"}, {"limit": 0}, {"cursor": "x"}, {"from": 1}):
        answer = site.get("/api/v1/agents/ann/events", query_string=query)
        assert (400, [*query]) == (
            answer.status_code,
            [error["parameter"] for error in answer.json["errors"]],
        )


# --- anomalies ---


def told_anomalies(site, **query):
    """Kind, subject, gap and event of each."""
    return [
        (
            row["kind"],
            row["subject"],
            row["from"] and row["from"] - DAWN,
            row["to"] - DAWN,
            row["eventId"],
        )
        for row in walk(site, "/api/v1/anomalies", **query)
    ]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_an_anomaly_names_kind_event_and_gap(site, limit):
    """One of each kind; the gap reaches from the event before to the one that was odd."""
    deliver(
        site,
        v1(10, "lost-login", "available"),
        login(10, "lost-logout"),
        login(20, "lost-logout"),
        login(11, "odd-word"),
        v1(21, "odd-word", "pondering"),
        channel(31, "odd-word", "fax", "Dreaming"),
        login(12, "odd-step"),
        v1(22, "odd-step", "on-hold", "t1"),
        task(5, "t1", "new"),
        task(6, "t1", "hold-done"),
        task(1, "t2", "connected"),
        v1(1, "worker", "connected", "t2"),
        ended(2, "t2"),
    )
    expected = [
        ("missing-login", "agent:worker", None, 1, "e12"),
        ("unexpected-transition", "task:t1", 5, 6, "e10"),
        ("missing-login", "agent:lost-login", None, 10, "e1"),
        ("missing-logout", "agent:lost-logout", 10, 20, "e3"),
        ("unknown-state", "agent:odd-word", 11, 21, "e5"),
        ("unexpected-transition", "agent:odd-step", 12, 22, "e8"),
        ("unknown-state", "agent:odd-word", 21, 31, "e6"),
        ("wrapup-missing", "task:t2", 2, HOUR + 2, None),
    ]
    assert expected == told_anomalies(site, limit=limit)
    assert len(expected) == site.get("/api/v1/status").json["ledgers"]["anomalies"]
    assert expected[-1:] == told_anomalies(site, taskId="t2")
    assert [expected[1], expected[3]] == told_anomalies(site, taskId="t1", agentId="lost-logout")
    assert [] == told_anomalies(site, orgId="umbra")
    counted = {
        f"{kind[:-1]}:{view[f'{kind[:-1]}Id']}": view["anomalyCount"]
        for kind in ("agents", "tasks")
        for view in site.get(f"/api/v1/{kind}").json["data"]
    }
    told = [subject for _, subject, *_ in expected]
    assert {subject: told.count(subject) for subject in counted} == counted


def test_the_first_trace_is_one_by_the_direction_that_is_known(site):
    """An outdial that nobody answers is wrapped up too; as of a time, by the direction then."""

    def told(**query):
        row = site.get("/api/v1/tasks/t", query_string=query).json
        anomalies = [
            it["eventId"]
            for it in walk(site, "/api/v1/anomalies", taskId="t")
            if it["kind"] == "unexpected-transition"
        ]
        return row["status"], row["anomalyCount"], anomalies

    deliver(site, task(0, "t", "parked"), v1(1, "ann", "wrapup", "t"), ended(2, "t", "Customer"))
    trace = "e2"
    assert ("assigned", 1, [trace]) == told(at=DAWN + 50)
    deliver(site, task(60, "t", "origin-updated", direction="OUTBOUND"))
    assert ("unanswered", 0, []) == told(at=DAWN + 70)
    assert ("assigned", 1, []) == told(at=DAWN + 50)
    deliver(site, task(61, "t", "origin-updated", direction="INBOUND"))
    assert ("assigned", 1, [trace]) == told(at=DAWN + 70)
    assert [] == verify(site.url, jobs=1, moments=3, seed=1).differences


def test_a_window_selects_the_gaps_that_it_touches(site):
    """A gap is a stretch: any part of it in ``[from, to)`` will do."""
    deliver(site, login(10, "ann"), login(20, "ann"), v1(50, "bob", "idle"))
    both = [
        ("missing-logout", "agent:ann", 10, 20, "e2"),
        ("missing-login", "agent:bob", None, 50, "e3"),
    ]
    for query, wanted in (
        ({"from": at(20)}, both),
        ({"from": at(21)}, both[1:]),
        ({"to": at(11)}, both[:1]),
        ({"to": at(10)}, []),
        ({"from": at(12), "to": at(15)}, both[:1]),
        ({"from": at(50), "to": at(51)}, both[1:]),
        ({"from": at(51)}, []),
    ):
        assert wanted == told_anomalies(site, **query), query


def test_a_late_event_takes_back_what_it_explains(site):
    """The login that was missing comes late: the anomaly is gone, and only that one."""
    deliver(site, v1(10, "ann", "available"), login(20, "ann"))
    assert ["missing-login", "missing-logout"] == [kind for kind, *_ in told_anomalies(site)]
    deliver(site, login(5, "ann"))
    assert [("missing-logout", "agent:ann", 10, 20, "e2")] == told_anomalies(site)
    deliver(site, logout(15, "ann", "AGENT"))
    assert [] == told_anomalies(site)
    assert 0 == site.get("/api/v1/agents/ann").json["anomalyCount"]


def test_a_missing_wrapup_is_told_when_its_hour_has_passed(database_url, tmp_path):
    """Nobody writes it then: the ledger applies the moment; a reopening withdraws it."""

    class Clock:
        now = RECORDED

        def __call__(self):
            return self.now

    clock = Clock()
    with open_site(database_url, tmp_path, clock=clock) as site:
        deliver(
            site, login(0, "ann"), v2(1, "ann", "connected", "t"), task(1, "t", "connected"),
            ended(100, "t"),
        )  # fmt: skip
        clock.now = at(100 + HOUR) - 1
        assert [] == told_anomalies(site)
        clock.now += 1
        missing = ("wrapup-missing", "task:t", 100, 100 + HOUR, None)
        assert [missing] == told_anomalies(site)
        deliver(site, ended(200 + HOUR, "t"), v2(300 + HOUR, "ann", "wrapup", "t"))
        assert [missing] == told_anomalies(site)
        deliver(site, task(400 + HOUR, "t", "connect"))
        assert [] == told_anomalies(site)


def test_a_late_wrapup_takes_the_missing_one_back(site):
    """It came before the hour was over; nothing is missing, and nothing was unexpected."""
    deliver(
        site,
        login(0, "ann"),
        v2(1, "ann", "connected", "t"),
        task(1, "t", "connected"),
        ended(100, "t"),
        login(2 * HOUR, "bob"),
    )
    assert ["wrapup-missing"] == [kind for kind, *_ in told_anomalies(site)]
    deliver(site, v2(99, "ann", "wrapup", "t"), v2(200, "ann", "wrapup-done", "t"))
    assert [] == told_anomalies(site)


def test_a_team_sees_its_own_anomalies(make_site):
    """Those of its agents and of the tasks that these take part in."""
    tokens = [
        {"token": "all", "role": "viewer"},
        {"token": "t1", "role": "viewer", "teamIds": ["team-1"]},
    ]
    site = make_site(PROJECTOR_TOKENS=json.dumps(tokens), PROJECTOR_ALLOW_UNSIGNED="1")
    deliver(
        site,
        v1(0, "ann", "connected", "ours", teamId="team-1"),
        v1(0, "bob", "connected", "theirs", teamId="team-2"),
        *[task(1, name, "new") for name in ("ours", "theirs")],
        *[task(2, name, "hold-done") for name in ("ours", "theirs")],
    )
    headers = {"Authorization": "Bearer t1"}
    rows = site.client.get("/api/v1/anomalies", headers=headers).json["data"]
    assert ["agent:ann", "task:ours"] == [row["subject"] for row in rows]
    assert 4 == len(walk(site, "/api/v1/anomalies"))
    assert 403 == site.client.get("/api/v1/agents/bob/events", headers=headers).status_code
    assert 401 == site.client.get("/api/v1/anomalies").status_code


def test_bad_parameters_of_the_ledger_are_named(site):
    """Each with what was given and what is allowed."""
    for query in (
        {"kind": "x"},
        {"from": "-1"},
        {"to": "soon"},
        {"limit": "1001"},
        {"cursor": "WzFd"},
    ):
        answer = site.get("/api/v1/anomalies", query_string=query)
        assert (400, [*query]) == (
            answer.status_code,
            [error["parameter"] for error in answer.json["errors"]],
        )


def test_a_long_life_is_read_by_parts(site):
    """A page reads what it shows and what is near, not the whole life."""
    deliver(site, *[v1(10_000 * step, "ann", "idle") for step in range(300)])
    with consistent_read(site.service.pool) as cursor:
        near = site.service.store.part_of_subject(
            cursor, "agent_id", "acme", "ann", order="created", after=100, limit=11
        )
    assert list(range(100, 112)) == [recorded.position for recorded in near]
