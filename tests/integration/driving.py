"""How tests over HTTP share one service: each example in organisations of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

import projector.domain.events
from projector.domain.events import Offered, Origin, Recorded
from projector.domain.fold import Fold, fold
from projector.event_log.store import Request
from projector.infrastructure.database import connect
from projector.projection.read_models import TABLES, Table
from projector.projection.runner import Runner
from projector.webex.json_body import read_delivery
from projector.webex.webhook import judge
from tests.conftest import DERIVED, Site, erase
from tests.examples import RECORDED
from tests.laws.memory import MemoryLog, comparable, decided, line
from tests.strategies import reconciled, tuned

ORGANISATIONS = ("acme", "umbra")  # that the strategies name


def tables(url: str) -> dict[str, list[Any]]:
    """All rows of all tables that are derived from the log."""
    with connect(url) as connection:
        return {
            name: [
                tuple(row.values())
                for row in connection.execute(f"SELECT * FROM {name} AS r ORDER BY r".encode())
            ]
            for name in DERIVED
        }


def follow(site: Site, stop: threading.Event, **options: Any) -> threading.Thread:
    """A runner in a thread of its own."""
    thread = threading.Thread(
        target=Runner(site.service.store, site.url, **options).run, args=(stop,)
    )
    thread.start()
    return thread


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.02)


class Clock:
    """Stands at the moment of recording until the test reads."""

    now = RECORDED

    def __call__(self) -> int:
        return self.now


def set_apart(bodies: list[Any], example: int) -> list[Any]:
    """The same bodies under organisations of the example's own."""
    text = json.dumps(bodies)
    for organisation in ORGANISATIONS:
        text = text.replace(f'"{organisation}"', f'"{organisation}-{example}"')
    return json.loads(text)


def read_back(site: Site, example: int) -> dict[str, Any]:
    """All views, intervals and anomalies of an example, over HTTP."""
    query = "&".join(f"orgId={organisation}-{example}" for organisation in ORGANISATIONS)
    found = site.get(f"/api/v1/anomalies?{query}&limit=1000").json["data"]
    told: dict[str, Any] = {
        "anomalies": decided(
            (row["kind"], row["subject"], row["orgId"], row["eventId"]) for row in found
        )
    }
    for table in TABLES:
        name, path = f"{table.column[:-3]}Id", f"/api/v1/{table.name}"
        views = site.get(f"{path}?{query}&limit=1000").json["data"]
        told[table.name] = {(view["orgId"], view[name]): comparable(view) for view in views}
        told[table.intervals] = {
            (org, id_): site.get(f"{path}/{id_}/history?orgId={org}&limit=1000").json["data"]
            for org, id_ in told[table.name]
            if "/" not in id_  # such an id is reached by the list's filter alone
        }
    return told


def without_slashes(answers: dict[str, Any]) -> dict[str, Any]:
    """The histories that ``read_back`` can ask for."""
    reached = {
        table.intervals: {
            k: rows for k, rows in answers[table.intervals].items() if "/" not in k[1]
        }
        for table in TABLES
    }
    return answers | reached


def arrived(site: Site, clock: Clock, data: Any, lives: Any) -> MemoryLog:
    """Some lives in any order of arrival, folded in pages as they come."""
    erase(site.url)
    projector.domain.events.EVENTS_PER_SNAPSHOT = data.draw(st.sampled_from([1, 2, 4, 32]))
    bodies = data.draw(lives)
    bodies = [*bodies, *data.draw(tuned(bodies))]
    bodies = data.draw(st.permutations([*bodies, *data.draw(reconciled(bodies))]))
    note("\n".join(line(body) for body in bodies))
    origins = st.sampled_from(Origin if data.draw(st.booleans()) else [Origin.WEBHOOK])
    log, clock.now = MemoryLog(), RECORDED
    while bodies:
        size, clock.now = data.draw(st.integers(1, 4)), clock.now + data.draw(st.integers(0, 2))
        deliver(site, log, bodies[:size], clock.now, data.draw(origins))
        bodies = bodies[size:]
        if data.draw(st.booleans()):
            site.project(batch_events=data.draw(st.integers(1, 5)))
    site.project()
    clock.now += 10
    return log


def moments(data: Any, log: MemoryLog, clock: Clock) -> tuple[int | None, int | None]:
    """When it happened and when we knew, each near to something, or not given."""
    times = sorted({it.time for it in log.events.values()})
    near = st.sampled_from(times or [0]).flatmap(
        lambda time: st.sampled_from([0, -1, 1, 1_999, 2_000, 3_600_000]).map(
            lambda apart: min(max(0, time + apart), 2**53 - 1)
        )
    )
    known = st.integers(RECORDED - 1, clock.now)
    return data.draw(st.none() | near), data.draw(st.none() | known)


def deliver(site: Site, log: MemoryLog, bodies: list[Any], recorded: int, origin: Origin) -> None:
    """One publication, to the store and to the log in memory."""
    log.begin_request()
    elements = read_delivery(json.dumps(bodies).encode()).elements
    judged = [judge(own, it, now=recorded, default_org=None) for own, it in elements]
    offered = [it for it in judged if isinstance(it, Offered)]
    site.service.store.append([Request(events=offered, origin=origin)])
    for body in bodies:
        log.deliver(body, recorded, origin)


def counts(it: Recorded, at: int | None, known_at: int | None) -> bool:
    """Whether an event had happened and was known."""
    had_happened = at is None or it.time <= at
    return had_happened and (known_at is None or it.recorded_time <= known_at)


def stories(
    log: MemoryLog,
    table: Table[Any],
    at: int | None,
    known_at: int | None,
    clock: int,
    *,
    advanced_to: int | None = None,
) -> dict[tuple[str, str], Fold[Any]]:
    """The fold of each subject's events that had happened and were known.

    Time passes up to ``advanced_to`` (epoch ms), or as for a reader who asks at ``clock``.
    """
    now = advanced_to or next(time for time in (at, known_at, clock) if time is not None)
    counted = {
        key: [it for it in events if counts(it, at, known_at)]
        for key, events in log.of(table).items()
    }
    return {
        key: fold(table.fresh(), events).advance_to(now)
        for key, events in counted.items()
        if events
    }
