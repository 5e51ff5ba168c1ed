"""Jobs that a process does itself, beside the service's worker, which leaves them alone.

They are rows of the queue like any other, so they are listed, shown and cancelled in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event
from types import TracebackType
from typing import Any, Self

from psycopg import Connection
from psycopg.rows import DictRow

from projector.infrastructure.database import StoreUnavailable, connect, translated
from projector.operations.job_queue import ClaimedJob, Interrupted, Job, JobKind, JobQueue
from projector.operations.worker import JobHandlers, do_job


class OwnJobs:
    """Does jobs of one process; ``name`` says whose they are, and ``stop`` ends the work.

    What an earlier process of that name has left is ended first.
    """

    def __init__(self, queue: JobQueue, handlers: JobHandlers, *, name: str, stop: Event) -> None:
        self._queue = queue
        self._handlers = handlers
        self._name = name
        self._stop = stop
        queue.end_left(name)

    def begin(self, kind: JobKind, parameters: Mapping[str, Any], *, why: str) -> ClaimedJob:
        """Add a job; it counts as running until it is done or given up."""
        return self._queue.begin(
            kind, parameters, worker=self._name, why=why, is_stopping=self._stop.is_set
        )

    def do(self, claimed: ClaimedJob) -> Job:
        """Do a job, and return it as it is stored then. Raises StoreUnavailable."""
        try:
            do_job(self._queue, self._handlers, claimed)
        except Interrupted:
            self.give_up(claimed)
        return self._queue.find(claimed.job.kind, claimed.job.id) or claimed.job

    def give_up(self, claimed: ClaimedJob) -> None:
        """End a job that is not done to its end."""
        self._queue.finish(claimed, "cancelled", None)


class SoleProcess:
    """The only process of a name that works on a database. It is so until it ends or is closed.

    The name is locked by a connection. Where the connection is lost, ``hold`` makes a new one.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: Connection[DictRow] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def hold(self) -> bool:
        """Whether this process has the name now. Raises StoreUnavailable."""
        if self._connection is not None and _answers(self._connection):
            return True
        connection = connect(self._url)
        row = connection.execute(_LOCK, {"name": self._name}).fetchone()
        if row is None or not row["is_locked"]:
            connection.close()
            return False
        self._connection = connection
        return True


def _answers(connection: Connection[DictRow]) -> bool:
    try:
        with translated():
            connection.execute("SELECT")
    except StoreUnavailable:
        connection.close()
        return False
    return True


_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('projector ' || %(name)s, 0)) AS is_locked"
