"""Replay: the whole log folded into all tables, beside a loop written by hand for a log in order.

The loop by hand must end with the same states and intervals, which is checked, but it cannot handle
late events. The library's runner takes one event at a time, so it folds only the first ones. The
log is in order. A request has one event, as most webhooks have, unless ``request`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import psycopg
from psycopg.rows import tuple_row

from projector.domain.events import PARTITIONS
from projector.event_log.store import EventStore
from projector.infrastructure.database import become_service, connect, open_pool
from projector.projection.runner import FOLD_BATCH_EVENTS, Runner
from tests.conftest import forget
from tools.bench import by_hand, stock_projection
from tools.bench.costs import CostCase, CostComparison
from tools.bench.follower import follow_together, peaks_mb
from tools.bench.ground import Bodies, fill
from tools.bench.measure import Case, Comparison
from tools.bench.meter import Meter

PART = "replay"
FOLDED, BY_HAND, READ = "into all tables", "loop by hand", "read and parse only"
STOCK, ONE, TWO = "stock runner, fewer events", "one follower", "two followers"
HAND_SCHEMA = "by_hand"
STOCK_EVENTS = 5_000


def measure(
    url: str, *, rounds: int, events: int, request: int
) -> Iterator[Comparison | CostComparison]:
    pool = open_pool(url, max_size=1)
    store = EventStore(pool)
    fill(store, Bodies().iterate(events), request=request)
    head = store.head()
    by_hand.create(url, HAND_SCHEMA)
    stock_events = min(STOCK_EVENTS, head)
    stock_projection.create(url, stock_events)
    case = Case(
        part=PART,
        name=f"{head:,} events, requests of {request}",
        pairs=[(FOLDED, BY_HAND), (FOLDED, STOCK), (FOLDED, READ), (TWO, ONE)],
    )
    meter = Meter(url)
    _read(store, url)
    for _ in range(rounds):
        forget(url)
        case.add(FOLDED, meter.timed(head, Runner(store, url).catch_up))
        _assert_folded(url, head)
        by_hand.forget(url, HAND_SCHEMA)
        case.add(BY_HAND, meter.timed(head, partial(by_hand.catch_up, url, HAND_SCHEMA)))
        by_hand.assert_equal(url, HAND_SCHEMA)
        case.add(STOCK, stock_projection.timed(url, stock_events))
        case.add(READ, meter.timed(head, lambda: _read(store, url)))
        for name, count in ((ONE, 1), (TWO, 2)):
            forget(url)
            case.add(name, follow_together(url, head, count))
            _assert_folded(url, head)
    pool.close()
    yield from case.comparisons()
    yield from _memory(url, head).comparisons()


def _memory(url: str, events: int) -> CostCase:
    """The peak memory of one process after a tenth, a half and all of the log."""
    marks = {f"{part:,} events": part for part in (events // 10, events // 2, events)}
    first, *others = marks
    case = CostCase(
        part=PART, name="memory of a process", unit="MB", pairs=[(it, first) for it in others]
    )
    forget(url)
    for name, peak in zip(marks, peaks_mb(url, [*marks.values()]), strict=True):
        case.add(name, [peak])
    return case


def _read(store: EventStore, url: str) -> None:
    """Read the log as the projection does, without folding and writing."""
    head = store.head()
    with connect(url) as connection:
        become_service(connection)
        for after in range(0, head, FOLD_BATCH_EVENTS):
            with (
                connection.transaction(),
                connection.cursor(row_factory=tuple_row, binary=True) as cursor,
            ):
                end = after + FOLD_BATCH_EVENTS
                for entry in store.batch(cursor, range(PARTITIONS), after=after, end=end):
                    entry.recorded()


def _assert_folded(url: str, head: int) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT min(position) FROM projector.projections").fetchone()
        assert row == (head,)
