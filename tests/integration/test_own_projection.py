"""A projection of an integrator's own: the program of docs/own-projection.md, as it stands there.

It runs as a process of its own, with the role and the schema that the page makes. It is killed in
the middle, and ends with what an independent computation and our own tables say.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import current_thread
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import ApplicationSubscription, Projection, ProjectionRunner

from projector.domain.events import Origin
from projector.event_log.application import EventLog, EventLogError, LoggedEvent
from projector.webex.simulator.payloads import WebhookBody
from tests.conftest import Site
from tests.examples import body, login, v1
from tests.integration.driving import eventually
from tests.integration.reconciling import live

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-projection.md"
FACTORY = "projector.event_log.application:LogFactory"
NO_STEP = "task:origin-updated"


def block(language: str) -> str:
    """The page's only code block of a language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return found


def as_reports(url: str) -> str:
    """The same address for the role that the page makes."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"reports:change-me@{parts.netloc.split('@')[-1]}"))


@pytest.fixture
def reports(site: Site) -> Iterator[str]:
    """What an administrator runs once; the address for the role."""
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute(block("sql").encode())
    yield as_reports(site.url)
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY reports CASCADE")
        connection.execute("DROP ROLE reports")  # roles belong to the server, not to a database


@contextmanager
def program(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The page's program as a process, killed at the end."""
    file = folder / "hold_minutes.py"
    file.write_text(block("python"))
    environment = {**os.environ, "DATABASE_URL": url}
    with subprocess.Popen([sys.executable, str(file)], env=environment, cwd=folder) as process:
        try:
            yield process
        finally:
            process.kill()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def positions(url: str) -> list[int]:
    """What the program has applied, by position."""
    return [row[0] for row in rows(url, "SELECT position FROM reports.task_steps ORDER BY 1")]


@contextmanager
def blocked(url: str, position: int) -> Iterator[None]:
    """The program cannot write the row of a position while another transaction has one there."""
    row = (position, "acme", "task-1", "task:new", 0)
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO reports.task_steps (position, org_id, task_id, type, time)"
            " VALUES (%s, %s, %s, %s, %s)",
            row,
        )
        yield
        connection.rollback()


def waits_for_a_lock(url: str) -> bool:
    """Whether the program waits for another transaction."""
    query = (
        "SELECT FROM pg_stat_activity WHERE usename = 'reports' AND wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    return bool(rows(url, query))


def expected_positions(site: Site) -> list[int]:
    """The log's events of the types that the program asks for."""
    query = "SELECT notification_id, topic FROM projector.events ORDER BY 1"
    return [position for position, type_ in rows(site.url, query) if is_step(type_)]


def is_step(type_: str) -> bool:
    return type_.startswith("task:") and type_ != NO_STEP


def hold_ms(bodies: Sequence[WebhookBody]) -> Counter[str]:
    """Milliseconds on hold by queue, from the webhooks that arrived, in the order of their time."""
    tasks: dict[str, dict[str, WebhookBody]] = {}
    for it in bodies:
        if is_step(it["type"]):
            tasks.setdefault(it["data"]["taskId"], {})[it["id"]] = it["data"] | it
    totals: Counter[str] = Counter()
    for steps in tasks.values():
        for step, after in pairwise(sorted(steps.values(), key=lambda it: it["createdTime"])):
            if step["type"] in ("task:on-hold", "task:consult-done"):
                totals[step["queueId"]] += after["createdTime"] - step["createdTime"]
    return totals


def test_a_program_that_loses_the_database_ends(site: Site, reports: str, tmp_path: Path) -> None:
    """With an error, so that a supervisor starts it again; the next one goes on."""
    bodies = [body("task:new", moment, id=f"{moment}", taskId=f"t{moment}") for moment in range(4)]
    post(site, bodies[:2])
    with program(tmp_path, reports) as process:
        eventually(lambda: positions(site.url) == [1, 2], seconds=60)
        rows(
            site.url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'reports' AND datname = current_database()",
        )
        assert 1 == process.wait(30)
    post(site, bodies[2:])
    with program(tmp_path, reports):
        eventually(lambda: positions(site.url) == [1, 2, 3, 4], seconds=60)


def post(site: Site, bodies: Sequence[WebhookBody]) -> None:
    for first in range(0, len(bodies), 200):
        assert 202 == site.post(bodies[first : first + 200]).status_code


def our_hold_ms(site: Site) -> dict[str, int]:
    """The same by the intervals of our read models, of holds that have ended."""
    query = """
        SELECT queue_id, sum(until - start)::bigint FROM (
            SELECT *, lead(start) OVER (PARTITION BY org_id, id ORDER BY start) AS until
            FROM projector.task_intervals WHERE known_to IS NULL
        ) AS interval
        WHERE current_state = 'on-hold' AND until IS NOT NULL GROUP BY queue_id
    """
    return dict(rows(site.url, query))


@pytest.mark.slow
def test_the_page_s_program_survives_a_kill(site: Site, reports: str, tmp_path: Path) -> None:
    """Nothing is left out or applied twice, with duplicates, late events and a kill in between."""
    day = live(hours=0.5, agents=25, lose=0.02, duplicate=0.1, late=0.2)
    half = len(day.deliveries) // 2
    post(site, day.deliveries[:half])
    stored = expected_positions(site)
    middle = len(stored) // 2

    with blocked(site.url, stored[middle]), program(tmp_path, reports) as process:
        # It has written that position, but not yet the row.
        eventually(lambda: waits_for_a_lock(site.url), seconds=60)
        process.kill()
        process.wait()
    assert stored[:middle] == positions(site.url)

    with program(tmp_path, reports) as process:
        post(site, day.deliveries[half:])  # while it reads
        eventually(lambda: len(positions(site.url)) == len(expected_positions(site)), seconds=60)
        assert process.poll() is None
    assert expected_positions(site) == positions(site.url)

    totals = {
        queue: round(minutes * 60_000)
        for queue, minutes in rows(site.url, "SELECT queue_id, minutes FROM reports.hold_minutes")
    }
    assert hold_ms(day.deliveries) == totals
    assert totals
    site.project()
    assert our_hold_ms(site) == totals


# --- the library's tools over our log -------------------------------------------------------------


@pytest.fixture
def log(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLog]:
    """The log as an application of the library."""
    monkeypatch.setenv("DATABASE_URL", site.url)
    with EventLog() as application:
        yield application


def take(application: EventLog, count: int, **options: Any) -> list[tuple[LoggedEvent, Tracking]]:
    """The first events of a subscription."""
    with ApplicationSubscription(application, **options) as subscription:
        return [*itertools.islice(subscription, count)]


def test_a_subscription_gives_our_events(site: Site, log: EventLog) -> None:
    """With what they state, their body, their position, and where to go on."""
    bodies = [login(0, "ann") | {"id": "1"}, v1(5, "ann", "available") | {"id": "2"}]
    site.post(json.dumps(bodies).encode())
    first, second = take(log, 2)
    logged, tracking = first
    assert Tracking("projector", 1) == tracking
    assert 1 == logged.recorded.position
    assert ("agent:login", "ann") == (logged.recorded.event.type, logged.recorded.event.agent_id)
    assert bodies[0]["data"]["createdTime"] == logged.recorded.time
    assert Origin.WEBHOOK == logged.recorded.origin
    assert bodies[0] == json.loads(logged.body)
    assert [second] == take(log, 1, gt=1)
    assert [second] == take(log, 1, topics=("agent:state_change",))


def test_a_subscription_sees_what_comes_before_it_listens(
    site: Site, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first read came too early, and no notification follows."""
    store = log.recorder
    select, get_connection = store.select_notifications, store.datastore.get_connection
    committed = threading.Event()

    def read_and_let_one_come(*args: Any, **options: Any) -> Any:
        notifications = select(*args, **options)
        if not committed.is_set():
            site.post(login(0, "ann") | {"id": "1"})
            committed.set()
        return notifications

    def wait_before_listening() -> Any:
        if current_thread()._target.__name__ == "_listen":  # type: ignore[attr-defined]
            committed.wait(10)
        return get_connection()

    monkeypatch.setattr(store, "select_notifications", read_and_let_one_come)
    monkeypatch.setattr(store.datastore, "get_connection", wait_before_listening)
    subscription = ApplicationSubscription(log)
    threading.Timer(10, subscription.stop).start()
    assert [1] == [tracking.notification_id for _, tracking in itertools.islice(subscription, 1)]


def test_the_notification_log_and_the_events_read_the_same(site: Site, log: EventLog) -> None:
    """By section; a single event by its key is refused, since its row lacks what ours has."""
    site.post(login(0, "ann") | {"id": "1"})
    [notification] = log.notification_log.select(start=1, limit=10)
    assert [log.mapper.to_domain_event(notification)] == [it for it, _ in take(log, 1)]
    with pytest.raises(EventLogError, match="by position"):
        list(log.events.get(notification.originator_id))


def test_the_log_takes_no_events_from_a_program(site: Site, log: EventLog) -> None:
    """The library's way to save is refused, and nothing is stored."""
    site.post(login(0, "ann") | {"id": "1"})
    [(logged, _)] = take(log, 1)
    with pytest.raises(EventLogError, match="post them as webhooks"):
        log.save(logged)
    assert 1 == log.recorder.max_notification_id()


def test_an_address_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which setting is missing."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(EventLogError, match="DATABASE_URL"):
        EventLog()


class _Positions(PostgresTrackingRecorder):
    def add(self, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)


class _Following(Projection[_Positions]):
    name = "following"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        del domain_event
        self.view.add(tracking)


@pytest.mark.usefixtures("log")
def test_a_position_is_applied_once(site: Site, reports: str) -> None:
    """A second program over the same table ends with an error and changes nothing."""
    site.post([login(moment, "ann") | {"id": f"{moment}"} for moment in range(5)])
    with ProjectionRunner(
        application_class=EventLog,
        projection_class=_Following,
        view_class=_Positions,
        env={"PERSISTENCE_MODULE": FACTORY, "POSTGRES_SCHEMA": "reports", "DATABASE_URL": reports},
    ) as runner:
        runner.wait(5, timeout=20)
        for position in (5, 4, 1):
            with pytest.raises(IntegrityError):
                runner.view.add(Tracking("projector", position))
        site.post(login(9, "ann") | {"id": "9"})
        runner.wait(6, timeout=20)
        assert 6 == runner.view.max_tracking_id("projector")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO projector.duplicates VALUES ('acme', 1, 1)",
        "DELETE FROM projector.events",
        "SELECT FROM projector.agents",
        "SET ROLE projector_service",
        "DELETE FROM reports.task_steps",
    ],
)
def test_the_page_s_role_may_only_read_the_log(reports: str, statement: str) -> None:
    """And add to its own table."""
    with (
        psycopg.connect(reports, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())
