"""Repair in a database: arrival order, batches, rivals and crashes do not change the tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import islice
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Cursor
from psycopg.rows import tuple_row

from projector.event_log.store import Request, _call_append, _offered_rows
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import become_service, connect
from projector.projection import batch, partitions
from projector.projection.read_models import FOLD_VERSION
from projector.projection.runner import Runner
from projector.webex.simulator import Simulation
from projector.webex.webhook import judge
from tests.conftest import Site, erasable, erase, forget, slow
from tests.examples import RECORDED, story, v1
from tests.integration.driving import eventually, follow, tables
from tests.strategies import believable_deliveries, noisy_deliveries


class Killed(BaseException):
    """The process is gone, and no code of it runs any more."""


class MortalCursor(Cursor[Any]):
    """Dies before a statement that the test chooses."""

    remaining: int | None = None

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        if MortalCursor.remaining is not None:
            MortalCursor.remaining -= 1
            if MortalCursor.remaining < 0:
                raise Killed
        return super().execute(*args, **kwargs)


@pytest.fixture(scope="module")
def emptied(template, tmp_path_factory):
    """One site for many examples; each example empties its log first, as the owner may here."""
    with erasable(template, tmp_path_factory.mktemp("emptied")) as site:
        yield site


@pytest.fixture(autouse=True)
def _usual_reads(monkeypatch):
    """A test may change these; the next test has the usual values."""
    for name in ("FIRST_EVENTS_READ", "MOST_EVENTS_READ"):
        monkeypatch.setattr(batch, name, getattr(batch, name))


def take_a_batch(site: Site, runner: Runner, *, dies_before: int) -> None:
    """Fold the next batch, or die before one of its statements."""
    MortalCursor.remaining = None
    with suppress(Killed), connect(site.url, cursor_factory=MortalCursor) as connection:
        become_service(connection)
        MortalCursor.remaining = dies_before
        runner.process_batch(connection)
    MortalCursor.remaining = None


@pytest.mark.parametrize("lives", [believable_deliveries(), *slow(noisy_deliveries())],
                         ids=["believable", "noise"])  # fmt: skip
@settings(max_examples=settings.default.max_examples // 2)
@given(data=st.data())
def test_any_order_of_arrival_leaves_the_tables_of_a_replay(emptied, lives, data):
    """Row for row, with superseded rows and corrections; runners die between any two statements."""
    erase(emptied.url)
    # Small reads, so that a read can end at any event.
    batch.FIRST_EVENTS_READ = data.draw(st.integers(1, 3))
    batch.MOST_EVENTS_READ = data.draw(st.integers(4, 9))
    bodies = data.draw(st.permutations(data.draw(lives)))
    while bodies:
        size = data.draw(st.integers(1, 5))
        emptied.post(bodies[:size])
        bodies = bodies[size:]
        runner = Runner(emptied.service.store, emptied.url, batch_events=size)
        runner._partition_count = data.draw(st.integers(1, 16))
        runner._runners_counted_at = float("inf")
        if data.draw(st.booleans()):
            take_a_batch(emptied, runner, dies_before=data.draw(st.integers(0, 60)))
    emptied.project()
    arrived = tables(emptied.url)
    forget(emptied.url)
    emptied.project()
    assert tables(emptied.url) == arrived
    assert skipped(emptied) == 0


def skipped(site: Site) -> int:
    (projection,) = site.get("/api/v1/status").json["projections"]
    assert projection["stored"] == projection["projected"]
    return projection["skipped"]


@pytest.mark.slow
@pytest.mark.parametrize("runners", [1, 2, 3, 4])
def test_any_number_of_runners_is_exact(site, runners):
    """Rivals over one database fold each event once, a tenth of the events late by some seconds."""
    stop = threading.Event()
    rivals = [follow(site, stop, batch_events=13 + 8 * number) for number in range(runners)]
    bodies = list(islice(Simulation(12, 3, start_ms=RECORDED - 8 * 3_600_000), 2_000))
    late = bodies[::10]
    on_time = [body for number, body in enumerate(bodies) if number % 10]
    for start in range(0, len(on_time), 50):
        site.post(
            [*on_time[start : start + 50], *late[start // 9 - 20 : start // 9 - 10 or None][:5]]
        )
    site.post(late)
    eventually(lambda: site.service.views.position() == 2_000)
    stop.set()
    for rival in rivals:
        rival.join()
    raced = tables(site.url)
    assert skipped(site) == 0
    forget(site.url)
    site.project()
    assert tables(site.url) == raced


def test_rivals_share_the_partitions(site, monkeypatch):
    """Each of two runners takes half of the partitions; a runner alone takes all."""
    with connect(site.url) as one, connect(site.url) as other:
        partitions.register_runner(one)
        assert partitions.fair_partition_count(one) == 16
        partitions.register_runner(other)
        assert partitions.fair_partition_count(one) == 8
        site.post(story(*(v1(1, f"a{number}", "idle") for number in range(64))))
        with one.transaction(), one.cursor() as cursor:
            cursor.row_factory = tuple_row
            first = partitions.begin_batch(cursor, 8, 100, fold=FOLD_VERSION)
            Runner(site.service.store, site.url).process_batch(other)
            with connect(site.url) as third:
                rows = third.execute(
                    "SELECT partition, position FROM projections ORDER BY partition"
                )
                moved = [row["partition"] for row in rows if row["position"] == 64]
            assert sorted([*first.partitions, *moved]) == list(range(16))
    site.project()
    assert skipped(site) == 0


def test_a_position_moved_by_hand_shows_as_a_skip(site):
    """The status says how many events were not folded, and of which buckets."""
    bodies = story(*(v1(1_000 * number, "ann", "available", "t") for number in range(8)))
    site.post(bodies[:5])
    site.project()
    site.post(bodies[5:])
    with connect(site.url) as connection:
        connection.execute("UPDATE projections SET position = 6")
    site.project()
    (projection,) = site.get("/api/v1/status").json["projections"]
    assert (2, 2) == (projection["skipped"], len(projection["skippedBuckets"]))
    assert projection["lagEvents"] == 0


def test_a_hole_in_the_log_is_not_passed(site):
    """A writer without the lock leaves out a position: the runner waits and says so."""
    first, second = story(v1(1, "ann", "idle"), v1(5, "bob", "idle"))
    site.post(first)
    site.project()
    with connect(site.url) as connection:
        names = [row["attname"] for row in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 0"
            " AND attgenerated = '' AND NOT attisdropped")]  # fmt: skip
        chosen = {"notification_id": "3", "request_position": "3", "originator_id":
                  "gen_random_uuid()", "event_id": "'past the lock'"}  # fmt: skip
        values = ", ".join(chosen.get(name, name) for name in names)
        connection.execute(
            f"INSERT INTO events ({', '.join(names)}) SELECT {values} FROM events".encode()
        )
    with pytest.raises(partitions.HoleInLog, match="from 2 to 3"):
        site.project()
    assert 1 == site.service.views.position()
    site.post(second)  # it gets position 4: a writer with the lock leaves no hole
    with pytest.raises(partitions.HoleInLog):
        site.project()


def test_a_killed_runners_work_is_taken_over(site):
    """Of three processes two are killed while they work, one after the other."""
    environment = {**os.environ, "DATABASE_URL": site.url}
    command = [sys.executable, "-m", "projector", "follow"]
    processes = [subprocess.Popen(command, env=environment) for _ in range(3)]
    try:
        bodies = list(islice(Simulation(40, 5, start_ms=RECORDED - 8 * 3_600_000), 6_000))
        for start in range(0, len(bodies), 200):
            site.post(bodies[start : start + 200])
            if start in (2_000, 4_000):
                processes[start // 2_000].kill()
        eventually(lambda: site.service.views.position() == len(bodies))
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    assert skipped(site) == 0
    shared = tables(site.url)
    forget(site.url)
    site.project()
    assert tables(site.url) == shared


@pytest.mark.parametrize("gap", [20, 300])
def test_a_late_event_beside_a_live_one_costs_no_history(site, gap, monkeypatch):
    """Events between the two are not read: the late one is repaired, the live one goes on."""
    steps = ("idle", "available", "ringing", "connected", "wrapup")
    bodies = story(
        *(
            v1(10_000 * number, "ann", steps[number % 5], f"t{number // 5}")
            for number in range(gap + 20)
        )
    )
    site.post(bodies[:10] + bodies[11:-1])
    site.project()
    read: list[int] = []
    later = site.service.store.later

    def counting(*args: Any, **kwargs: Any) -> Any:
        events_by_subject = later(*args, **kwargs)
        read.extend(map(len, events_by_subject))
        return events_by_subject

    monkeypatch.setattr(site.service.store, "later", counting)
    site.post(bodies[10])
    site.post(bodies[-1])
    site.project()
    assert sum(read) < 150
    folded = tables(site.url)
    forget(site.url)
    site.project()
    assert tables(site.url) == folded


def test_a_long_way_between_a_snapshot_and_the_end_is_read_to_its_end(site):
    """Many events just before a snapshot, and after it more than one read takes."""
    batch.MOST_EVENTS_READ = 64
    dense = [
        v1(2_000 + number, "ann", "ringing" if number % 2 else "idle", "t") for number in range(99)
    ]
    quiet = [
        v1(9_000 + number, "ann", "idle" if number % 2 else "available") for number in range(300)
    ]
    bodies = story(*dense, *quiet, v1(1_000, "ann", "idle"), v1(5_000, "ann", "available"))
    site.post(bodies[:-2])
    site.project()
    site.post([bodies[-1], v1(90_000, "ann", "idle") | {"id": "live"}])
    site.post(bodies[-2])
    site.project()
    folded = tables(site.url)
    forget(site.url)
    site.project()
    assert tables(site.url) == folded


@pytest.mark.slow
def test_slow_and_aborted_appenders_leave_no_skip(site):
    """Two runners follow while many append slowly, and some roll back."""
    stop = threading.Event()
    runners = [follow(site, stop, batch_events=5), follow(site, stop, batch_events=11)]

    def append(number: int) -> None:
        for turn in range(6):
            body = v1(1_000 * turn + number, f"a{number}", "idle") | {"id": f"{number}-{turn}"}
            offered = judge(json.dumps(body).encode(), body, now=now_ms(), default_org=None)
            with suppress(psycopg.Error), connect(site.url) as connection:
                become_service(connection)
                with connection.transaction():
                    rows = _offered_rows([Request(events=[offered])])
                    _call_append(connection.cursor(row_factory=tuple_row), rows, now_ms())
                    connection.execute("SELECT pg_sleep(0.002)")
                    if (turn + number) % 4 == 0:
                        raise psycopg.Rollback

    appenders = [threading.Thread(target=append, args=(number,)) for number in range(50)]
    for appender in appenders:
        appender.start()
    for appender in appenders:
        appender.join()
    eventually(lambda: site.service.views.position() == site.service.store.head())
    stop.set()
    for runner in runners:
        runner.join()
    assert site.service.store.head() == sum((p + n) % 4 != 0 for n in range(50) for p in range(6))
    assert skipped(site) == 0
