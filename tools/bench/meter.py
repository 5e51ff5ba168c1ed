"""A turn that opens and closes connections of its own: how long it took, on how much processor."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from tools.bench.measure import Sample

LET_GO_SECONDS = 0.2  # until the server has counted a process that ended
TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """Counts our own processor time, that of children that ended, and that of the server's.

    The server starts a process for each connection, and its time is known when it has ended.
    Others that end in a turn, for vacuum and analyze, are counted too: the turn made the work.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url) as connection:
            backend = connection.info.backend_pid
            self._server = int(_fields(backend)[1])  # the backend's parent
        self._kept = self._connections()

    def timed(self, events: int, work: Callable[[], None]) -> Sample:
        """A turn; the connections that were there when we began are left out of it."""
        self._settle()
        worked, begin = self._worked(), time.monotonic()
        work()
        seconds = time.monotonic() - begin
        self._settle()
        return Sample(events=events, seconds=seconds, cpu_seconds=self._worked() - worked)

    def _settle(self) -> None:
        """Wait until what a turn has opened is gone."""
        while self._connections() - self._kept:
            time.sleep(LET_GO_SECONDS)
        time.sleep(LET_GO_SECONDS)

    def _connections(self) -> set[int]:
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return {pid for (pid,) in rows}

    def _worked(self) -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        of_server = sum(map(int, _fields(self._server)[13:15])) / TICKS
        return time.process_time() + children.ru_utime + children.ru_stime + of_server


def _fields(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on (proc(5), stat)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
