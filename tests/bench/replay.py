"""Replay: the whole log folded into the views, against reading and parsing the same pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
from psycopg.rows import tuple_row

from projector.database import become_service, connect, open_pool
from projector.events import LANES
from projector.runner import PAGE_EVENTS, Runner
from projector.store import EventStore, Request
from tests.bench.ground import Bodies, parse
from tests.bench.measure import Case, Comparison, Sample
from tests.conftest import forget

PART = "replay"
FOLDED, READ = "into the views", "read and parse only"
BATCH = 1_000


def measure(url: str, *, rounds: int, events: int) -> Iterator[Comparison]:
    pool = open_pool(url, max_size=1)
    store = EventStore(pool)
    bodies = Bodies()
    for _ in range(events // BATCH):
        store.append([Request(events=parse(bodies.take(BATCH)))])
    held = store.head()
    case = Case(part=PART, name=f"{held:,} events", pairs=[(FOLDED, READ)])
    runner = Runner(store, url)
    _read(store, url)
    for _ in range(rounds):
        forget(url)
        case.add(FOLDED, _timed(held, runner.catch_up))
        _assert_folded(url, held)
        case.add(READ, _timed(held, lambda: _read(store, url)))
    pool.close()
    yield from case.comparisons()


def _timed(events: int, work: Callable[[], None]) -> Sample:
    begin = time.monotonic()
    work()
    return Sample(events=events, seconds=time.monotonic() - begin)


def _read(store: EventStore, url: str) -> None:
    """All that the projection does with the log, but folding and writing."""
    position = 0
    with connect(url) as connection:
        become_service(connection)
        while True:
            with (
                connection.transaction(),
                connection.cursor(row_factory=tuple_row, binary=True) as cursor,
            ):
                page = store.page(cursor, range(LANES), after=position, limit=PAGE_EVENTS)
            if page is None:
                return
            for entry in page.entries:
                entry.recorded()
            position = page.end


def _assert_folded(url: str, head: int) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT min(position) FROM projector.projections").fetchone()
        assert row == (head,)
