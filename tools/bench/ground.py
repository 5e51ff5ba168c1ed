"""What the parts share: a durable server, a database for each part, and simulated webhooks."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from projector.domain.events import Offered
from projector.event_log.store import EventStore, Request
from projector.infrastructure.clock import now_ms
from projector.infrastructure.embedded_postgres import EmbeddedPostgres
from projector.infrastructure.migrations import migrate
from projector.webex.json_body import read_delivery
from projector.webex.simulator import Simulation
from projector.webex.webhook import judge

AGENTS = 200
# Simulated time runs ahead of the clock, and events of the future would be refused.
HEAD_START_MS = 30 * 86_400_000
FILL_EVENTS = 1_000  # in one transaction, where the append is not measured


@contextmanager
def durable_server() -> Iterator[str]:
    """A server with fsync on in a temporary folder; its URL."""
    with (
        tempfile.TemporaryDirectory(prefix="projector-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as embedded,
    ):
        yield embedded.url


def new_database(server: str, name: str) -> str:
    """Create and migrate a database; answer its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    migrate(url)
    return url


def drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} (FORCE)").format(sql.Identifier(name)))


class Bodies:
    """Simulated bodies of webhooks, one event each. No body comes twice."""

    def __init__(self, agents: int = AGENTS) -> None:
        self._simulation = iter(Simulation(agents, start_ms=now_ms() - HEAD_START_MS))

    def take(self, count: int) -> list[bytes]:
        return [*self.iterate(count)]

    def iterate(self, count: int) -> Iterator[bytes]:
        """As ``take``, but each body is made when it is needed."""
        return map(compact, islice(self._simulation, count))

    def batches(self, count: int, size: int) -> list[list[bytes]]:
        return [self.take(size) for _ in range(count)]


def compact(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def fill(store: EventStore, bodies: Iterable[bytes], *, request: int = 1) -> None:
    """Append bodies quickly, ``request`` events in each request."""
    remaining = iter(bodies)
    while events := parse([*islice(remaining, FILL_EVENTS)]):
        store.append(
            [
                Request(events=events[start : start + request])
                for start in range(0, len(events), request)
            ]
        )


def parse(bodies: Sequence[bytes]) -> list[Offered]:
    """Read and judge bodies as intake does; the same for all contenders."""
    now = now_ms()
    judged = [
        judge(names, element, now=now, default_org=None)
        for body in bodies
        for names, element in read_delivery(body).elements
    ]
    offered = [it for it in judged if isinstance(it, Offered)]
    assert len(offered) == len(bodies)
    return offered


def cpu_seconds(pid: int) -> float | None:
    """The processor time (s) of another process so far; None where the kernel does not say."""
    try:
        on_cpu, *_ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except OSError:
        return None
    return int(on_cpu) / 1e9


def machine(server: str) -> dict[str, Any]:
    """The facts of the machine on which the figures depend."""
    with psycopg.connect(server) as connection:
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        settings = {name: connection.execute(f"SHOW {name}").fetchone() for name in names}
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "load_1_minute": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "postgresql": {name: row[0] if row else None for name, row in settings.items()},
        "packages": {name: version(name) for name in ("psycopg", "eventsourcing", "granian")},
    }
