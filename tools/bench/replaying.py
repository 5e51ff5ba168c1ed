"""A replay of everything: by all cores beside one process, and how far it slows intake.

Requests are appended at half of the rate that intake reaches without a replay, once alone and once
beside replays. The ratio is that of the rates that were reached.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from projector.event_log.store import EventStore, Request
from projector.infrastructure.database import open_pool
from projector.operations.job_queue import JobQueue
from projector.operations.replay.run import Replayer
from projector.projection.runner import Runner
from tools.bench.ground import Bodies, fill, parse
from tools.bench.measure import Case, Comparison, Sample

PART = "replaying"
ALL, ONE = "replay by all cores", "replay by one process"
BESIDE, ALONE = "half of peak beside a replay", "half of peak alone"
PARAMETERS: Mapping[str, Any] = {
    "orgIds": None,
    "agentIds": [],
    "taskIds": [],
    "from": None,
    "to": None,
    "parked": False,
}
REQUEST = 20
SECONDS = 5.0


def measure(url: str, *, rounds: int, events: int) -> Iterator[Comparison]:
    pool = open_pool(url, max_size=4)
    store, bodies = EventStore(pool), Bodies()
    fill(store, bodies.iterate(events), request=REQUEST)
    Runner(store, url).catch_up()
    head = store.head()
    case = Case(part=PART, name=f"{head:,} events", pairs=[(ALL, ONE), (BESIDE, ALONE)])
    for _ in range(rounds):
        for name, processes in ((ONE, 1), (ALL, os.cpu_count() or 1)):
            case.add(name, _replayed(url, processes))
        peak = _appended(store, bodies, rate=None).rate
        case.add(ALONE, _appended(store, bodies, rate=peak / 2))
        with _replays(url):
            case.add(BESIDE, _appended(store, bodies, rate=peak / 2))
        Runner(store, url).catch_up()
    pool.close()
    yield from case.comparisons()


def _replayed(url: str, processes: int) -> Sample:
    """Run one replay of everything."""
    pool = open_pool(url, max_size=4)
    jobs, replayer = JobQueue(pool), Replayer(pool, EventStore(pool), url=url, processes=processes)
    jobs.enqueue("replay", {**PARAMETERS, "dryRun": False}, who="bench", why=None)
    claimed = jobs.claim()
    assert claimed is not None
    begun = time.monotonic()
    replayer.run(claimed)
    seconds = time.monotonic() - begun
    jobs.finish(claimed, "completed", None)
    pool.close()
    return Sample(events=claimed.report["total"], seconds=seconds)


@contextmanager
def _replays(url: str) -> Iterator[None]:
    """Run replays of everything, one after the other, until the block ends."""
    stop = threading.Event()

    def replay() -> None:
        while not stop.is_set():
            _replayed(url, os.cpu_count() or 1)

    thread = threading.Thread(target=replay)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _appended(store: EventStore, bodies: Bodies, *, rate: float | None) -> Sample:
    """Append requests one after the other at a rate (events/s), or as fast as possible."""
    done, begun = 0, time.monotonic()
    spent = 0.0  # seconds for the making of events
    while time.monotonic() - begun - spent < SECONDS:
        before = time.monotonic()
        offered = parse([*bodies.iterate(REQUEST)])
        if rate is None:
            spent += time.monotonic() - before
        else:
            time.sleep(max(0.0, begun + done / rate - time.monotonic()))
        store.append([Request(events=offered)])
        done += len(offered)
    return Sample(events=done, seconds=time.monotonic() - begun - spent)
