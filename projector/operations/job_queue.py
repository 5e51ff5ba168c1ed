"""Jobs: replays and reconciliations that somebody asked for, and how far each of them is.

The rule of this file: a job is a row, so it outlives whoever asked and whoever works on it. Where
its worker was killed, the next one goes on from the progress that was saved last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, class_row, tuple_row
from psycopg.types.json import Jsonb

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.errors import ProjectorError

JOBS_CHANNEL = "projector_jobs"
JobKind = Literal["replay", "reconciliation"]
Kept = dict[str, Any]  # JSON


class NotCancellable(ProjectorError):  # noqa: N818 - named for what callers say
    """The job has ended already."""


class JobFailed(ProjectorError):  # noqa: N818 - named for what happens to the job
    """A job cannot be done; its sentence is kept with it."""


class Cancelled(ProjectorError):  # noqa: N818 - named for what is noticed
    """Somebody cancelled the job that is worked on."""


class Interrupted(ProjectorError):  # noqa: N818 - named for what is noticed
    """The worker is to stop; the job stays, and the next start goes on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What was asked for, by whom and why, and what became of it; times are epoch ms."""

    id: int
    kind: JobKind
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    parameters: Mapping[str, Any]
    who: str
    why: str | None
    created_time: int
    started_time: int | None
    finished_time: int | None
    progress: dict[str, Any]
    report: dict[str, Any]
    error: str | None


_COLUMNS = sql.SQL(
    "id, kind, status, parameters, who, why, created_time, started_time, finished_time, progress,"
    " report, error"
)


# Whoever may not see all organisations sees what was asked of theirs alone.
_OF_ORGS = sql.SQL(
    "(%(orgs)s::jsonb IS NULL"
    " OR jsonb_typeof(parameters->'orgIds') = 'array' AND parameters->'orgIds' <@ %(orgs)s)"
)
Orgs = Collection[str] | None


def _json(orgs: Orgs) -> Jsonb | None:
    return None if orgs is None else Jsonb(sorted(orgs))


class Jobs:
    """Takes what is asked for, and tells of it."""

    def __init__(self, pool: Pool, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._clock = clock

    def ask(
        self, kind: JobKind, parameters: Mapping[str, Any], *, who: str, why: str | None
    ) -> Job:
        """Queue a job; a worker that waits is woken."""
        [job] = self._rows(
            "WITH told AS (SELECT pg_notify(%s, '')) INSERT INTO jobs"
            " (kind, parameters, who, why, created_time) SELECT %s, %s, %s, %s, %s FROM told"
            " RETURNING {}",
            (JOBS_CHANNEL, kind, Jsonb(dict(parameters)), who, why, self._clock()),
        )
        return job

    def find(self, kind: JobKind, id_: int, *, orgs: Orgs = None) -> Job | None:
        """One job that is only of some organisations (null: of any); null where there is none."""
        found = self._rows(
            "SELECT {} FROM jobs WHERE kind = %(kind)s AND id = %(id)s AND {orgs}",
            {"kind": kind, "id": id_, "orgs": _json(orgs)},
        )
        return found[0] if found else None

    def list(
        self, kind: JobKind, *, orgs: Orgs = None, after: int | None = None, limit: int = 100
    ) -> tuple[Sequence[Job], int | None]:
        """Jobs, the newest first, and where to go on."""
        rows = self._rows(
            "SELECT {} FROM jobs WHERE kind = %(kind)s"
            " AND (%(after)s::bigint IS NULL OR id < %(after)s) AND {orgs}"
            " ORDER BY id DESC LIMIT %(limit)s",
            {"kind": kind, "after": after, "limit": limit + 1, "orgs": _json(orgs)},
        )
        return rows[:limit], rows[limit - 1].id if len(rows) > limit else None

    def newest(self, kind: JobKind, who: str) -> Job | None:
        """The last job that somebody asked for."""
        query = "SELECT {} FROM jobs WHERE kind = %s AND who = %s ORDER BY id DESC LIMIT 1"
        found = self._rows(query, (kind, who))
        return found[0] if found else None

    def cancel(self, kind: JobKind, id_: int) -> Job | None:
        """Have a job stop: at once where it waits, else at its worker's next save.

        Null where there is none; NotCancellable where it has ended.
        """
        found = self._rows(
            "UPDATE jobs SET is_cancelled = true,"
            " finished_time = CASE status WHEN 'queued' THEN %s ELSE finished_time END,"
            " status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END"
            " WHERE kind = %s AND id = %s AND status IN ('queued', 'running') RETURNING {}",
            (self._clock(), kind, id_),
        )
        if found:
            return found[0]
        job = self.find(kind, id_)
        if job is not None:
            raise NotCancellable(f"The {kind} {id_} has ended: it is {job.status}.")
        return None

    # --- of the worker ---

    def take(self) -> Job | None:
        """The next job to work on: one whose worker was killed, else the one that waits longest."""
        found = self._rows(
            "UPDATE jobs SET status = 'running', started_time = coalesce(started_time, %s)"
            " WHERE id = (SELECT id FROM jobs WHERE status IN ('queued', 'running')"
            " ORDER BY status = 'queued', id LIMIT 1) RETURNING {}",
            (self._clock(),),
        )
        return found[0] if found else None

    def end(self, held: Held, status: str, error: str | None) -> None:
        """Keep what became of a job."""
        self._run(
            "UPDATE jobs SET status = %s, error = %s, report = %s, finished_time = %s"
            " WHERE id = %s",
            (status, error, Jsonb(held.report), self._clock(), held.job.id),
        )

    def hold(self, job: Job, is_stopping: Callable[[], bool]) -> Held:
        """What works on a job gets."""
        return Held(
            job=job,
            progress=dict(job.progress),
            report=dict(job.report),
            _jobs=self,
            _is_stopping=is_stopping,
        )

    def keep(self, held: Held) -> None:
        """Keep how far a job is."""
        self._run(
            "UPDATE jobs SET progress = %s, report = %s WHERE id = %s",
            (Jsonb(held.progress), Jsonb(held.report), held.job.id),
        )

    def is_cancelled(self, id_: int) -> bool:
        """Whether somebody wants a job to stop."""
        with translated(), self._pool.connection() as connection:
            row = connection.execute(
                "SELECT is_cancelled FROM jobs WHERE id = %s", (id_,)
            ).fetchone()
            return bool(row and row["is_cancelled"])

    def merge(
        self,
        cur: Cursor[TupleRow],
        id_: int,
        change: Callable[[dict[str, Any], dict[str, Any]], None],
    ) -> None:
        """Change what is kept of a job that several processes work on, in their transactions.

        ``change`` takes progress and report; Cancelled where somebody cancelled the job.
        """
        row = cur.execute(
            "SELECT progress, report, is_cancelled FROM jobs WHERE id = %s FOR UPDATE", (id_,)
        ).fetchone()
        assert row is not None  # noqa: S101 - jobs are never deleted
        progress, report, is_cancelled = row
        if is_cancelled:
            raise Cancelled("It was cancelled.")
        change(progress, report)
        cur.execute(
            "UPDATE jobs SET progress = %s, report = %s WHERE id = %s",
            (Jsonb(progress), Jsonb(report), id_),
        )

    def _rows(self, query: LiteralString, parameters: Any) -> Sequence[Job]:
        with translated(), self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Job))
            return cursor.execute(
                sql.SQL(query).format(_COLUMNS, orgs=_OF_ORGS), parameters
            ).fetchall()

    def _run(self, query: LiteralString, parameters: Any) -> None:
        with translated(), self._pool.connection() as connection:
            cursor: Cursor[Any] = connection.cursor(row_factory=tuple_row)
            cursor.execute(query, parameters)


@dataclass(slots=True, kw_only=True)
class Held:
    """A job that is worked on: from where it goes on, and what it has found so far."""

    job: Job
    progress: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    _jobs: Jobs
    _is_stopping: Callable[[], bool]

    def save(self) -> None:
        """Keep both; Cancelled or Interrupted where the work is to end here."""
        self._jobs.keep(self)
        self.look()

    def look(self) -> None:
        """Cancelled or Interrupted where the work is to end here."""
        if self._jobs.is_cancelled(self.job.id):
            raise Cancelled("It was cancelled.")
        if self._is_stopping():
            raise Interrupted("The worker stops.")

    def reload(self) -> None:
        """Take what was kept meanwhile, by ``Jobs.merge``."""
        job = self._jobs.find(self.job.kind, self.job.id)
        if job is not None:
            self.progress, self.report = job.progress, job.report
