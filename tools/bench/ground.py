"""What is measured on: a durable server of our own, a database for each part, made-up webhooks."""

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
# The made-up time runs ahead of the clock, and what lies in the future would be refused.
HEAD_START_MS = 30 * 86_400_000
FILL_EVENTS = 1_000  # of a transaction when only the result matters


@contextmanager
def durable_server() -> Iterator[str]:
    """The address of a server with fsync on, in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="projector-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as embedded,
    ):
        yield embedded.url


def new_database(server: str, name: str) -> str:
    """A migrated database; its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    migrate(url)
    return url


def drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} (FORCE)").format(sql.Identifier(name)))


class Bodies:
    """Bodies of webhooks as the vendor would send them, one event each, none of them twice."""

    def __init__(self, agents: int = AGENTS) -> None:
        self._simulation = iter(Simulation(agents, start_ms=now_ms() - HEAD_START_MS))

    def take(self, count: int) -> list[bytes]:
        return [*self.tell(count)]

    def tell(self, count: int) -> Iterator[bytes]:
        """As ``take``, one by one."""
        return map(compact, islice(self._simulation, count))

    def batches(self, count: int, size: int) -> list[list[bytes]]:
        return [self.take(size) for _ in range(count)]


def compact(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def fill(store: EventStore, bodies: Iterable[bytes], *, request: int = 1) -> None:
    """Append bodies quickly, in requests of so many events."""
    left = iter(bodies)
    while some := parse([*islice(left, FILL_EVENTS)]):
        store.append(
            [Request(events=some[at : at + request]) for at in range(0, len(some), request)]
        )


def parse(bodies: Sequence[bytes]) -> list[Offered]:
    """Read and judge bodies as intake does; the same for all contenders."""
    now = now_ms()
    judged = [
        judge(own, element, now=now, default_org=None)
        for body in bodies
        for own, element in read_delivery(body).elements
    ]
    offered = [one for one in judged if isinstance(one, Offered)]
    assert len(offered) == len(bodies)
    return offered


def cpu_seconds(pid: int) -> float | None:
    """The processor time of another process; None where the kernel does not say."""
    try:
        on_cpu, *_ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except OSError:
        return None
    return int(on_cpu) / 1e9


def machine(server: str) -> dict[str, Any]:
    """What the figures depend on, without names."""
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
