"""Replay over a real database: its tables equal those of live intake, and it mends changed ones."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.agent import AgentState
from projector.infrastructure.database import connect
from projector.operations import batches
from projector.operations.job_queue import Cancelled, Interrupted, JobQueue
from projector.operations.replay import reproject
from projector.operations.replay import run as replay
from projector.operations.replay.run import Replayer
from projector.operations.worker import Worker
from projector.projection.read_models import TABLES
from projector.webex.simulator import Simulation
from tests.conftest import over_http
from tests.examples import ORG, story, task, v1
from tests.integration.driving import arrived, follow, tables
from tests.strategies import believable_deliveries, noisy_deliveries

EVERYTHING: dict[str, Any] = {
    "orgIds": None,
    "agentIds": [],
    "taskIds": [],
    "from": None,
    "to": None,
    "parked": False,
    "dryRun": False,
}
LIFE = story(
    v1(1_000, "ann", "idle"),
    task(1_500, "t", "new"),
    v1(2_000, "ann", "ringing", "t"),
    v1(9_000, "bob", "idle"),
    v1(3_000, "ann", "connected", "t"),
    task(2_500, "t", "connect"),
)


def run(site, **parameters: Any) -> dict[str, Any]:
    """A replay to its end: its report."""
    jobs = JobQueue(site.service.pool)
    job = jobs.enqueue("replay", EVERYTHING | parameters, who="test", why=None)
    replayer = Replayer(site.service.pool, site.service.store, wait=lambda _: None)
    Worker(site.service.pool, site.url, {"replay": replayer.run}).work_off()
    finished = jobs.find("replay", job.id)
    assert ("completed", None) == (finished.status, finished.error)
    return finished.report


def bucket_counts(site) -> list[Any]:
    with connect(site.url) as connection:
        rows = connection.execute("SELECT * FROM bucket_counts ORDER BY name, kind, bucket")
        return [tuple(row.values()) for row in rows]


def post_life(site) -> None:
    for body in LIFE:
        site.post(body)
    site.project()


def tamper(site, *statements: str) -> None:
    with connect(site.url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@over_http
@given(
    data=st.data(),
    lives=st.sampled_from([believable_deliveries(), noisy_deliveries()]),
    subjects=st.integers(1, 3),
)
def test_a_replay_leaves_what_live_intake_left(timed, data, lives, subjects):
    """All tables, row by row, whatever came late, twice or from reconciliation, in any batches."""
    site, clock = timed
    arrived(site, clock, data, lives)
    before = tables(site.url), bucket_counts(site)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "MAX_SUBJECTS", subjects)
        patch.setattr(batches, "MAX_EVENTS", data.draw(st.sampled_from([1, 3, 10_000])))
        patch.setattr(reproject, "MAX_EVENTS", data.draw(st.sampled_from([1, 10_000])))
        report = run(site)
    assert before == (tables(site.url), bucket_counts(site))
    assert {"count": 0, "first": []} == report["changed"]
    assert report["total"] == report["processed"]


def test_changed_rows_are_found_and_mended(site):
    """Listed by its first field, with the event that proves it; a dry run mends nothing."""
    post_life(site)
    sound = tables(site.url)
    tamper(
        site,
        "UPDATE agents SET state = replace(state, 'connected', 'on-hold') WHERE id = 'ann'",
        "DELETE FROM task_intervals WHERE start = (SELECT min(start) FROM task_intervals)",
        "DELETE FROM agents WHERE id = 'bob'",
    )
    odd = tables(site.url)
    dry = run(site, dryRun=True)
    assert odd == tables(site.url)
    mended = run(site)
    assert sound == tables(site.url)
    assert dry["changed"] == mended["changed"]
    found = {
        (row["subject"]["kind"], row["subject"]["id"]): row for row in mended["changed"]["first"]
    }
    assert (3, {("agent", "ann"), ("agent", "bob"), ("task", "t")}) == (
        mended["changed"]["count"],
        {*found},
    )
    ann, bob, call = (found[it] for it in (("agent", "ann"), ("agent", "bob"), ("task", "t")))
    assert ("status", "on-hold", "connected", "e5") == (
        ann["field"], ann["before"], ann["after"], ann["eventId"])  # fmt: skip
    assert ("status", None, "idle") == (bob["field"], bob["before"], bob["after"])
    assert ("intervals", "new") == (call["field"], call["after"]["currentState"])
    assert {"count": 0, "first": []} == run(site)["changed"]


@pytest.mark.parametrize(
    ("asked", "replayed"),
    [
        ({"agentIds": ["ann"]}, {"ann"}),
        ({"taskIds": ["t"]}, {"t"}),
        ({"agentIds": ["bob"], "taskIds": ["t"]}, {"bob", "t"}),
        ({"from": LIFE[3]["data"]["createdTime"], "to": None}, {"bob"}),
        ({"from": None, "to": LIFE[1]["data"]["createdTime"]}, {"ann", "t"}),
        ({"orgIds": [ORG]}, {"ann", "bob", "t"}),
        ({"orgIds": ["other"]}, set()),
        ({"parked": True}, set()),
    ],
)
def test_only_what_the_scope_names_is_replayed(site, asked, replayed):
    """By ids, by the time of any of their events, by organisation."""
    post_life(site)
    tamper(site, *(f"UPDATE {table.name} SET last_recorded_time = 0" for table in TABLES))
    run(site, **asked)
    with connect(site.url) as connection:
        rows = connection.execute(
            "SELECT id FROM agents WHERE last_recorded_time > 0"
            " UNION SELECT id FROM tasks WHERE last_recorded_time > 0"
        )
        assert replayed == {row["id"] for row in rows}


def test_parked_subjects_are_tried_again(site, monkeypatch):
    """Without the cause they are folded, else they are parked again; the counts stay right."""
    apply_event = AgentState.apply_event

    def raising(state: AgentState, recorded: Any) -> Any:
        if recorded.event.word == "connected":
            raise ZeroDivisionError("no such word")
        return apply_event(state, recorded)

    sound = soundness_check(site)
    with monkeypatch.context() as patch:
        patch.setattr(AgentState, "apply_event", raising)
        post_life(site)
        parked = tables(site.url), bucket_counts(site)
        assert 1 == len(site.get("/api/v1/parked").json["data"])
        run(site)
        assert parked == (tables(site.url), bucket_counts(site))
        assert 1 == len(site.get("/api/v1/parked").json["data"])
    report = run(site, parked=True)
    assert [] == site.get("/api/v1/parked").json["data"]
    assert ["ann"] == [row["subject"]["id"] for row in report["changed"]["first"]]
    (status,) = site.get("/api/v1/status").json["projections"]
    assert (0, 0, 0) == (status["skipped"], status["waiting"], status["parked"])
    assert sound(site)


def soundness_check(site):
    """A check that ann is as a fold without faults shows her."""

    def holds(it) -> bool:
        view = it.get("/api/v1/agents/ann").json
        return (view["status"], view["eventCount"]) == ("connected", 3)

    return holds


@pytest.mark.parametrize("ends", [Cancelled, Interrupted, ZeroDivisionError])
def test_an_interrupted_replay_goes_on(site, monkeypatch, ends):
    """It starts after what was committed, and counts each change once."""
    monkeypatch.setattr(replay, "MAX_SUBJECTS", 1)
    post_life(site)
    sound = tables(site.url)
    tamper(site, *(f"DELETE FROM {name}" for table in TABLES for name in (table.name,)))
    jobs = JobQueue(site.service.pool)
    job = jobs.enqueue("replay", EVERYTHING, who="test", why=None)
    real, calls = replay.reproject, []

    def breaking(cur: Any, *arguments: Any) -> Any:
        differences = real(cur, *arguments)
        calls.append(arguments[2])
        if len(calls) == 2:
            raise ends
        return differences

    replayer = Replayer(site.service.pool, site.service.store)
    claimed = jobs.claim()
    with monkeypatch.context() as patch:
        patch.setattr(replay, "reproject", breaking)
        with pytest.raises(ends):
            replayer.run(claimed)
    claimed = jobs.claim()
    assert ("running", 1) == (claimed.job.status, claimed.report["changed"]["count"])
    replayer.run(claimed)
    assert sound == tables(site.url)
    assert 3 == claimed.report["changed"]["count"]
    assert claimed.report["total"] == claimed.report["processed"]
    assert job.id == claimed.job.id


@pytest.mark.slow
def test_several_processes_leave_the_tables_of_one(site, monkeypatch):
    """Each folds partitions of its own; stopped in the middle, they go on."""
    monkeypatch.setattr(replay, "EVENTS_FOR_PROCESSES", 1)
    world = iter(Simulation(6, 3, start_ms=1_700_000_000_000))
    site.post([next(world) for _ in range(900)])
    site.project()
    sound = tables(site.url), bucket_counts(site)
    tamper(site, *(f"DELETE FROM {table.name}" for table in TABLES))
    jobs = JobQueue(site.service.pool)
    job = jobs.enqueue("replay", EVERYTHING, who="test", why=None)
    looks: list[int] = []

    def is_stopping() -> bool:
        looks.append(1)
        return len(looks) > 1

    replayer = Replayer(site.service.pool, site.service.store, url=site.url, processes=2)
    with pytest.raises(Interrupted):
        replayer.run(jobs.claim(is_stopping))
    claimed = jobs.claim()
    replayer.run(claimed)
    assert job.id == claimed.job.id
    assert 2 == claimed.progress["workers"]
    assert sound == (tables(site.url), bucket_counts(site))
    with connect(site.url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM agents) + (SELECT count(*) FROM tasks) AS it"
        ).fetchone()
    assert row["it"] == claimed.report["changed"]["count"]
    assert claimed.report["total"] == claimed.report["processed"]


def test_replays_and_live_intake_leave_the_same(site, make_site):
    """Replays run while webhooks come and are folded; nothing is lost and no lock blocks both."""
    world = iter(Simulation(6, 3, start_ms=1_700_000_000_000))
    bodies = [next(world) for _ in range(900)]
    other = make_site()
    other.post(bodies)
    other.project()
    stop = threading.Event()
    thread = follow(site, stop)
    try:
        for begin in range(0, 900, 90):
            site.post(bodies[begin : begin + 90])
            run(site)
    finally:
        stop.set()
        thread.join()
    site.project()
    views = [
        {view["agentId"]: view["status"] for view in it.get("/api/v1/agents").json["data"]}
        for it in (site, other)
    ]
    assert views[0] == views[1]
    assert {"count": 0, "first": []} == run(site)["changed"]
