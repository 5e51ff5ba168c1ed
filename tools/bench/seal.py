"""Sealing: what it costs intake beside it, and where rows are best hashed."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection as Pipe
from typing import TypeVar

from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.event_log.seal.seal_file import EVENTS_TABLE, SEGMENT_EVENTS, Seal, rows_digest
from projector.event_log.seal.sealer import SEALED_COLUMNS, make_seal
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import consistent_read, open_pool
from tools.bench.contenders import OURS, prepare
from tools.bench.ground import Bodies, cpu_seconds
from tools.bench.http import post, signed_requests
from tools.bench.intake import Batches, workers
from tools.bench.measure import Case, Comparison, Sample
from tools.bench.servers import environment_of, free_port, server_of

PART = "seal"
ALONE, BESIDE = "intake", "intake beside sealing"
HERE, THERE = "hashed by us", "hashed by the server"
CALLS, SIZE = 100, 100  # of a process in a turn
T = TypeVar("T")

_COLUMNS = ", ".join(SEALED_COLUMNS[EVENTS_TABLE].columns)
_HASHES = f"""
    SELECT notification_id, recorded_time, sha256(record_send(ROW({_COLUMNS}))) FROM events
    WHERE notification_id > %s AND notification_id <= %s ORDER BY notification_id
"""


def measure(
    url: str, *, rounds: int, scale: float, connections: int, each: int
) -> Iterator[Comparison]:
    prepare(url)
    bodies = Bodies()
    with ExitStack() as stack:
        pipe = stack.enter_context(_sealer(url))
        for count in (1, 2):
            crew = stack.enter_context(workers(url, count))
            draw = partial(_lots, bodies, count, round(CALLS * scale))
            append = partial(crew.run, OURS, new=True)
            yield from _beside(f"batches of {SIZE}, {count} at a time", draw, append, pipe, rounds)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="projector-bench-"))
        port = free_port()
        stack.enter_context(
            server_of(["-m", "projector", "serve"], environment_of(url, folder), port)
        )
        draw = partial(signed_requests, bodies, connections, each)
        yield from _beside(f"{connections} connections", draw, partial(post, port), pipe, rounds)
    yield from _alone(url, rounds)


def _lots(bodies: Bodies, count: int, calls: int) -> list[Batches]:
    return [bodies.batches(calls, SIZE) for _ in range(count)]


def _beside(
    name: str, draw: Callable[[], T], take_in: Callable[[T], Sample], pipe: Pipe, rounds: int
) -> Iterator[Comparison]:
    """Beside a turn the events of the turn before are sealed: as many as are taken in."""
    case = Case(part=PART, name=name, pairs=[(BESIDE, ALONE)])
    take_in(draw())
    for _ in range(rounds):
        lot, other = draw(), draw()
        pipe.send("seal")
        pipe.recv()
        case.add(ALONE, take_in(lot))
        pipe.send("seal")
        case.add(BESIDE, take_in(other))
        pipe.recv()
    yield from case.comparisons()


@contextmanager
def _sealer(url: str) -> Iterator[Pipe]:
    """A process that seals when it is told to, each time since the time before."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_seal_on, args=(url, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.send(None)
        process.join(10)
        process.kill()


def _seal_on(url: str, pipe: Pipe) -> None:
    seal: Seal | None = None
    with open_pool(url, max_size=1) as pool:
        while pipe.recv() is not None:
            with consistent_read(pool) as cur:
                seal = make_seal(cur, now=now_ms(), earlier=seal)
            pipe.send(seal.position)


def _alone(url: str, rounds: int) -> Iterator[Comparison]:
    """The whole log, when nothing else is going on."""
    case = Case(part=PART, name="the whole log", pairs=[(HERE, THERE)])
    for _ in range(rounds):
        case.add(HERE, _timed(url, lambda cur: make_seal(cur, now=now_ms())))
        case.add(THERE, _timed(url, _hashed_there))
    yield from case.comparisons()


def _timed(url: str, read: Callable[[Cursor[TupleRow]], object]) -> Sample:
    with open_pool(url, max_size=1) as pool, consistent_read(pool) as cur:
        events, server = _head(cur), cur.connection.info.backend_pid
        worked, begin = time.process_time() + (cpu_seconds(server) or 0), time.monotonic()
        read(cur)
        seconds = time.monotonic() - begin
        worked = time.process_time() + (cpu_seconds(server) or 0) - worked
    return Sample(events=events, seconds=seconds, cpu_seconds=worked)


def _hashed_there(cur: Cursor[TupleRow]) -> None:
    for first in range(0, _head(cur), SEGMENT_EVENTS):
        rows = cur.execute(_HASHES, (first, first + SEGMENT_EVENTS), binary=True)
        rows_digest(leaf for _, _, leaf in rows)


def _head(cur: Cursor[TupleRow]) -> int:
    row = cur.execute("SELECT max(notification_id) FROM events").fetchone()
    assert row
    return int(row[0])
