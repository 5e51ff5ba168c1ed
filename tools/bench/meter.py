"""Time and processor time of a turn that opens and closes its own connections."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from tools.bench.measure import Sample

SETTLE_SECONDS = 0.2  # until the server has counted a process that ended
TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """Counts the processor time of this process, of its ended children, and of the server's.

    The server starts a process per connection, whose time is known when it has ended. Its processes
    for vacuum and analyze that end in a turn are counted too, since the turn caused their work.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url) as connection:
            backend = connection.info.backend_pid
            self._server = int(_fields(backend)[1])  # the backend's parent
        self._others = self._connections()

    def timed(self, events: int, work: Callable[[], None]) -> Sample:
        """Time a turn; connections that were open before this meter was made are left out."""
        self._settle()
        cpu_before, begin = self._cpu_seconds(), time.monotonic()
        work()
        seconds = time.monotonic() - begin
        self._settle()
        return Sample(events=events, seconds=seconds, cpu_seconds=self._cpu_seconds() - cpu_before)

    def _settle(self) -> None:
        """Wait until the connections of a turn are closed."""
        while self._connections() - self._others:
            time.sleep(SETTLE_SECONDS)
        time.sleep(SETTLE_SECONDS)

    def _connections(self) -> set[int]:
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return {pid for (pid,) in rows}

    def _cpu_seconds(self) -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        of_server = sum(map(int, _fields(self._server)[13:15])) / TICKS
        return time.process_time() + children.ru_utime + children.ru_stime + of_server


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on, as proc(5) lists them."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
