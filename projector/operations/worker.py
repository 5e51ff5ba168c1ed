"""The worker: does what was asked for, one job at a time, however many workers there are.

The rule of this file: who holds the lock works; where it dies the database lets the lock go, and
the next worker goes on with the job it was at.
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
from projector.operations.job_queue import JOBS_CHANNEL, Cancelled, Held, Interrupted, Jobs

LOOK_EVERY_SECONDS = 1.0
RETRY_SECONDS = 0.5
CAUSE_LENGTH = 500
_WORKER = 1_886_547_827  # any number that names this advisory lock, which one worker holds

Kinds = Mapping[str, Callable[[Held], None]]
log = logging.getLogger(__name__)


class Worker:
    """Works on jobs by kind; ``between`` is done whenever none waits (the schedule)."""

    def __init__(
        self, pool: Pool, url: str, kinds: Kinds, *, between: Callable[[], object] = lambda: None
    ) -> None:
        self._jobs = Jobs(pool)
        self._url = url
        self._kinds = kinds
        self._between = between
        self._stop = Event()

    def run(self, stop: Event) -> None:
        """Work until told to stop; a database that goes away is waited for."""
        self._stop = stop
        keep_following(
            self._follow,
            who="the worker",
            is_needed=lambda: not stop.is_set(),
            rest=lambda: stop.wait(RETRY_SECONDS),
        )

    def _follow(self) -> None:
        with self._turn() as connection:
            while not self._stop.is_set():
                self._between()
                if not self._work():
                    await_notice(connection, LOOK_EVERY_SECONDS)

    def work_off(self) -> None:
        """Do all that waits."""
        with self._turn():
            while self._work():
                pass

    @contextmanager
    def _turn(self) -> Iterator[Connection[DictRow]]:
        """Be the only worker, as long as the connection lives."""
        with listening(self._url, JOBS_CHANNEL) as connection:
            while not self._stop.is_set():
                row = connection.execute(
                    "SELECT pg_try_advisory_lock(%s, 0) AS held", (_WORKER,)
                ).fetchone()
                if row is not None and row["held"]:
                    break
                self._stop.wait(LOOK_EVERY_SECONDS)
            yield connection

    def _work(self) -> bool:
        """Work on the next job; False where none waits."""
        if self._stop.is_set():
            return False
        job = self._jobs.take()
        if job is None:
            return False
        held = self._jobs.hold(job, self._stop.is_set)
        try:
            self._kinds[job.kind](held)
        except Interrupted:
            return False
        except Cancelled:
            self._jobs.end(held, "cancelled", None)
        except StoreUnavailable:
            raise
        except ProjectorError as error:
            self._jobs.end(held, "failed", str(error))
        except Exception as error:
            # Whatever one job brings, the next one must be worked on.
            log.exception("the %s %d failed", job.kind, job.id)
            self._jobs.end(held, "failed", _cause(error))
        else:
            self._jobs.end(held, "completed", None)
        return True


def _cause(error: Exception) -> str:
    # Text that the database takes, whatever the cause said.
    text = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()
    return text.replace("\0", "")[:CAUSE_LENGTH]
