"""Sealing: how far it slows intake, and whether the server would hash rows faster than we do."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection as Pipe
from typing import TypeVar

from psycopg import Cursor, sql
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
BY_US, BY_SERVER = "hashed by us", "hashed by the server"
CALLS, SIZE = 100, 100  # calls of a process in a turn, and events in a call
T = TypeVar("T")

_HASHES = sql.SQL("""
    SELECT notification_id, recorded_time, sha256(record_send(ROW({columns}))) FROM events
    WHERE notification_id > %(after)s AND notification_id <= %(upto)s ORDER BY notification_id
""").format(columns=sql.SQL(", ").join(map(sql.Identifier, SEALED_COLUMNS[EVENTS_TABLE].columns)))


def measure(
    url: str, *, rounds: int, scale: float, connections: int, each: int
) -> Iterator[Comparison]:
    prepare(url)
    bodies = Bodies()
    with ExitStack() as stack:
        pipe = stack.enter_context(_sealer(url))
        for count in (1, 2):
            crew = stack.enter_context(workers(url, count))
            draw = partial(_batches, bodies, count, round(CALLS * scale))
            append = partial(crew.run, OURS, new=True)
            yield from _beside(f"batches of {SIZE}, {count} at a time", draw, append, pipe, rounds)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="projector-bench-"))
        port = free_port()
        stack.enter_context(
            server_of(["-m", "projector", "serve"], environment_of(url, folder), port)
        )
        draw_requests = partial(signed_requests, bodies, connections, each)
        name = f"{connections} connections"
        yield from _beside(name, draw_requests, partial(post, port), pipe, rounds)
    yield from _alone(url, rounds)


def _batches(bodies: Bodies, count: int, calls: int) -> list[Batches]:
    return [bodies.batches(calls, SIZE) for _ in range(count)]


def _beside(
    name: str, draw: Callable[[], T], append: Callable[[T], Sample], pipe: Pipe, rounds: int
) -> Iterator[Comparison]:
    """Beside a turn, the events of the turn before are sealed, which are as many."""
    case = Case(part=PART, name=name, pairs=[(BESIDE, ALONE)])
    append(draw())
    for _ in range(rounds):
        alone, beside = draw(), draw()
        pipe.send("seal")
        pipe.recv()
        case.add(ALONE, append(alone))
        pipe.send("seal")
        case.add(BESIDE, append(beside))
        pipe.recv()
    yield from case.comparisons()


@contextmanager
def _sealer(url: str) -> Iterator[Pipe]:
    """A process that extends its seal up to the log's head at each message."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_seal_at_messages, args=(url, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.send(None)
        process.join(10)
        process.kill()


def _seal_at_messages(url: str, pipe: Pipe) -> None:
    seal: Seal | None = None
    with open_pool(url, max_size=1) as pool:
        while pipe.recv() is not None:
            with consistent_read(pool) as cur:
                seal = make_seal(cur, now=now_ms(), earlier=seal)
            pipe.send(seal.position)


def _alone(url: str, rounds: int) -> Iterator[Comparison]:
    """The whole log, with nothing else at work."""
    case = Case(part=PART, name="the whole log", pairs=[(BY_US, BY_SERVER)])
    for _ in range(rounds):
        case.add(BY_US, _timed(url, lambda cur: make_seal(cur, now=now_ms())))
        case.add(BY_SERVER, _timed(url, _hash_on_server))
    yield from case.comparisons()


def _timed(url: str, read: Callable[[Cursor[TupleRow]], object]) -> Sample:
    with open_pool(url, max_size=1) as pool, consistent_read(pool) as cur:
        events, server = _head(cur), cur.connection.info.backend_pid
        cpu, begin = time.process_time() + (cpu_seconds(server) or 0), time.monotonic()
        read(cur)
        seconds = time.monotonic() - begin
        cpu = time.process_time() + (cpu_seconds(server) or 0) - cpu
    return Sample(events=events, seconds=seconds, cpu_seconds=cpu)


def _hash_on_server(cur: Cursor[TupleRow]) -> None:
    for after in range(0, _head(cur), SEGMENT_EVENTS):
        rows = cur.execute(_HASHES, {"after": after, "upto": after + SEGMENT_EVENTS}, binary=True)
        rows_digest(leaf for _, _, leaf in rows)


def _head(cur: Cursor[TupleRow]) -> int:
    row = cur.execute("SELECT max(notification_id) FROM events").fetchone()
    assert row
    return int(row[0])
