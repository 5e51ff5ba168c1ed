"""The worker: works on the queue's jobs one at a time, however many worker processes there are.

Rule: whoever has the advisory lock works. PostgreSQL releases the lock when that process dies, and
then the next worker goes on with the job that it was at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from psycopg import Connection
from psycopg.rows import DictRow

from projector.infrastructure.database import Pool, StoreUnavailable
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.listening import await_notice, keep_following, listening
from projector.operations.job_queue import (
    JOBS_CHANNEL,
    Cancelled,
    ClaimedJob,
    Interrupted,
    JobIncomplete,
    JobQueue,
)

QUEUE_POLL_SECONDS = 1.0
WORKER_RETRY_SECONDS = 0.5
MAX_ERROR_LENGTH = 500
_WORKER_LOCK = 1_886_547_827  # any number that no other advisory lock has

JobHandlers = Mapping[str, Callable[[ClaimedJob], None]]  # by kind of job
log = logging.getLogger(__name__)


class Worker:
    """Works on jobs, and calls ``between`` before it looks for each (the schedule)."""

    def __init__(
        self,
        pool: Pool,
        url: str,
        handlers: JobHandlers,
        *,
        between: Callable[[], object] = lambda: None,
    ) -> None:
        self._queue = JobQueue(pool)
        self._url = url
        self._handlers = handlers
        self._between = between
        self._stop = Event()

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set; wait for a database that does not answer."""
        self._stop = stop
        keep_following(
            self._follow,
            who="the worker",
            is_needed=lambda: not stop.is_set(),
            rest=lambda: stop.wait(WORKER_RETRY_SECONDS),
        )

    def _follow(self) -> None:
        with self._locked() as connection:
            while not self._stop.is_set():
                self._between()
                if not self._work():
                    await_notice(connection, QUEUE_POLL_SECONDS)

    def work_off(self) -> None:
        """Work on all jobs that are queued."""
        with self._locked():
            while self._work():
                pass

    @contextmanager
    def _locked(self) -> Iterator[Connection[DictRow]]:
        """Wait for the worker's lock, which lasts as long as the connection."""
        with listening(self._url, JOBS_CHANNEL) as connection:
            while not self._stop.is_set():
                row = connection.execute(
                    "SELECT pg_try_advisory_lock(%(lock)s, 0) AS is_locked", {"lock": _WORKER_LOCK}
                ).fetchone()
                if row is not None and row["is_locked"]:
                    break
                self._stop.wait(QUEUE_POLL_SECONDS)
            yield connection

    def _work(self) -> bool:
        """Work on the next job; False where none waits, or the worker is to stop."""
        if self._stop.is_set():
            return False
        claimed = self._queue.claim(self._stop.is_set)
        if claimed is None:
            return False
        try:
            do_job(self._queue, self._handlers, claimed)
        except Interrupted:
            return False
        return True


def do_job(queue: JobQueue, handlers: JobHandlers, claimed: ClaimedJob) -> None:
    """Do a job, and store what became of it. Raises Interrupted and StoreUnavailable."""
    job = claimed.job
    try:
        handlers[job.kind](claimed)
    except (Interrupted, StoreUnavailable):
        raise
    except Cancelled:
        queue.finish(claimed, "cancelled", None)
    except JobIncomplete as error:
        queue.finish(claimed, "incomplete", str(error))
    except ProjectorError as error:
        queue.finish(claimed, "failed", str(error))
    except Exception as error:
        # Whatever error one job raises, the worker must go on with the next one.
        log.exception("the %s %d failed", job.kind, job.id)
        queue.finish(claimed, "failed", _error_text(error))
    else:
        queue.finish(claimed, "completed", None)


def _error_text(error: Exception) -> str:
    # Surrogates and NUL are no text that PostgreSQL takes.
    text = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()
    return text.replace("\0", "")[:MAX_ERROR_LENGTH]
