"""The delay of intake while many export the log at once, beside intake alone.

The exporters are a process of their own: each asks for the whole log again and again, and a refusal
is followed by the wait that it names. The sender keeps its rate, and a delay counts from the time
at which a delivery was due.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import open_pool
from projector.webex.simulator import Simulation
from tools.bench.costs import CostCase, CostComparison
from tools.bench.ground import AGENTS, FILL_EVENTS, HEAD_START_MS, Bodies, fill
from tools.bench.sender import post_all
from tools.bench.servers import TOKEN, environment_of, free_port, server_of
from tools.bench.tail import deliveries

PART = "exports"
EXPORTERS = 60
RATE = 50  # deliveries per second, an event each
ALONE, BESIDE, UNBOUNDED = "intake", f"beside {EXPORTERS} exports", "the same without slots"
REST_SECONDS = 1.0  # after the exporters began, and after they ended
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)


def measure(url: str, *, rounds: int, events: int, seconds: float) -> Iterator[CostComparison]:
    with open_pool(url, max_size=1) as pool:
        fill(EventStore(pool), Bodies().iterate(events), request=FILL_EVENTS)
    case = CostCase(
        part=PART,
        name=f"{RATE} events/s, a log of {events:,} events",
        unit="ms",
        pairs=[(BESIDE, ALONE), (UNBOUNDED, ALONE)],
    )
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="projector-bench-"))
        environment, bounded, unbounded = environment_of(url, folder), free_port(), free_port()
        without = {"PROJECTOR_EXPORTS": "64", "PROJECTOR_EXPORTS_PER_TOKEN": "64"}
        stack.enter_context(server_of(["-m", "projector", "serve"], environment, bounded))
        stack.enter_context(
            server_of(["-m", "projector", "serve"], environment | without, unbounded)
        )
        delays_ms(bounded, 1.0)
        for _ in range(rounds):
            case.add(ALONE, delays_ms(bounded, seconds))
            for name, port in ((BESIDE, bounded), (UNBOUNDED, unbounded)):
                with exporters(port):
                    case.add(name, delays_ms(port, seconds))
                time.sleep(REST_SECONDS)
    yield from case.comparisons()


def delays_ms(port: int, seconds: float) -> list[float]:
    """How long each delivery took, from when it was due to its answer."""
    world = iter(Simulation(AGENTS, start_ms=now_ms() - HEAD_START_MS))
    posted = asyncio.run(post_all(port, deliveries(world, RATE, 1, seconds)))
    return [(it.answered_time - it.delivery.due_time) * 1_000 for it in posted]


@contextmanager
def exporters(port: int) -> Iterator[None]:
    """Let many export the log during the block."""
    process = multiprocessing.get_context("spawn").Process(
        target=_export_all, args=(port,), daemon=True
    )
    process.start()
    try:
        time.sleep(REST_SECONDS)
        yield
    finally:
        process.kill()
        process.join()


def _export_all(port: int) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(_export(port) for _ in range(EXPORTERS)))

    asyncio.run(all_of_them())


async def _export(port: int) -> None:
    request = (
        "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/x-ndjson\r\n"
        f"Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    )
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        while await reader.read(1 << 20):
            pass
        writer.close()
        wait = _RETRY_AFTER.search(head)
        await asyncio.sleep(int(wait[1]) if wait else 0)
