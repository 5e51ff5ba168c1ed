"""The job queue: replays and reconciliations that were asked for, and how far each of them is.

Rule: a job is a row, so it outlives whoever enqueued it and whoever works on it. Where a worker was
killed, the next one goes on from the progress that was saved last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.errors import ProjectorError

JOBS_CHANNEL = "projector_jobs"
JobKind = Literal["replay", "reconciliation"]
OrgIds = Collection[str] | None  # organisations whose jobs count; null: all jobs


class NotCancellable(ProjectorError):  # noqa: N818 - named for what callers say
    """The job has ended already."""


class JobFailed(ProjectorError):  # noqa: N818 - named for what happens to the job
    """A job cannot be done; its sentence is stored with the job."""


class JobIncomplete(ProjectorError):  # noqa: N818 - named for what happens to the job
    """A job did what it could, and something was out of reach; its sentence is stored with it."""


class Cancelled(ProjectorError):  # noqa: N818 - named for what is noticed
    """The job that is worked on was cancelled."""


class Interrupted(ProjectorError):  # noqa: N818 - named for what is noticed
    """The worker is to stop. The job stays, and the next worker goes on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What was asked for, by whom and why, and what became of it. Times are epoch ms."""

    id: int
    kind: JobKind
    status: Literal["queued", "running", "completed", "incomplete", "failed", "cancelled"]
    parameters: Mapping[str, Any]
    who: str
    why: str | None
    created_time: int
    started_time: int | None
    finished_time: int | None
    progress: dict[str, Any]
    report: dict[str, Any]
    error: str | None

    @property
    def cancellation(self) -> Mapping[str, Any] | None:
        """Who cancelled it, why and when; null where nobody did."""
        return self.parameters.get("cancellation")


class JobQueue:
    """Takes jobs, lists them, and gives them to the worker."""

    def __init__(self, pool: Pool, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._clock = clock

    def enqueue(
        self, kind: JobKind, parameters: Mapping[str, Any], *, who: str, why: str | None
    ) -> Job:
        """Add a job, and wake the worker if it waits."""
        (job,) = self._jobs(
            "WITH notification AS (SELECT pg_notify(%(channel)s, '')) INSERT INTO jobs"
            " (kind, parameters, who, why, created_time)"
            " SELECT %(kind)s, %(parameters)s, %(who)s, %(why)s, %(now)s FROM notification"
            " RETURNING {columns}",
            {
                "channel": JOBS_CHANNEL,
                "kind": kind,
                "parameters": Jsonb(dict(parameters)),
                "who": who,
                "why": why,
                "now": self._clock(),
            },
        )
        return job

    def begin(
        self,
        kind: JobKind,
        parameters: Mapping[str, Any],
        *,
        worker: str,
        why: str | None,
        is_stopping: Callable[[], bool],
    ) -> ClaimedJob:
        """Add a job that the caller does itself; ``worker`` names it, and no other one takes it."""
        (job,) = self._jobs(
            "INSERT INTO jobs (kind, parameters, who, why, status, created_time, started_time)"
            " VALUES (%(kind)s, %(parameters)s, %(who)s, %(why)s, 'running', %(now)s, %(now)s)"
            " RETURNING {columns}",
            {
                "kind": kind,
                "parameters": Jsonb({**parameters, "worker": worker}),
                "who": worker,
                "why": why,
                "now": self._clock(),
            },
        )
        return ClaimedJob(job=job, _queue=self, _is_stopping=is_stopping)

    def end_left(self, worker: str) -> None:
        """End the jobs that ``worker`` has begun and left, since its process was killed."""
        self._execute(
            "UPDATE jobs SET status = 'failed', finished_time = %(now)s,"
            " error = 'The process that did it has ended.'"
            " WHERE status = 'running' AND parameters->>'worker' = %(worker)s",
            {"worker": worker, "now": self._clock()},
        )

    def find(self, kind: JobKind, id_: int, *, orgs: OrgIds = None) -> Job | None:
        """One job; with ``orgs`` only one that names no other organisation. Null: none."""
        return self._job(
            "SELECT {columns} FROM jobs WHERE kind = %(kind)s AND id = %(id)s AND {of_orgs}",
            {"kind": kind, "id": id_, "orgs": _json(orgs)},
        )

    def list(
        self, kind: JobKind, *, orgs: OrgIds = None, after: int | None = None, limit: int = 100
    ) -> tuple[Sequence[Job], int | None]:
        """Jobs, the newest first, and the id after which to go on, null at the end."""
        jobs = self._jobs(
            "SELECT {columns} FROM jobs WHERE kind = %(kind)s"
            " AND (%(after)s::bigint IS NULL OR id < %(after)s) AND {of_orgs}"
            " ORDER BY id DESC LIMIT %(limit)s",
            {"kind": kind, "after": after, "limit": limit + 1, "orgs": _json(orgs)},
        )
        return jobs[:limit], jobs[limit - 1].id if len(jobs) > limit else None

    def newest(self, kind: JobKind, who: str) -> Job | None:
        """The last job of this kind that ``who`` enqueued."""
        return self._job(
            "SELECT {columns} FROM jobs WHERE kind = %(kind)s AND who = %(who)s"
            " ORDER BY id DESC LIMIT 1",
            {"kind": kind, "who": who},
        )

    def cancel(self, kind: JobKind, id_: int, *, who: str, why: str | None) -> Job | None:
        """Cancel a job: at once where it is queued, else when its worker saves or checks next.

        The first who asks, and why, is kept. Null where there is none. Raises NotCancellable where
        it has ended.
        """
        now = self._clock()
        cancelled = self._job(
            "UPDATE jobs SET is_cancelled = true,"
            " finished_time = CASE status WHEN 'queued' THEN %(now)s ELSE finished_time END,"
            " status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END,"
            " parameters = %(cancellation)s::jsonb || parameters"
            " WHERE kind = %(kind)s AND id = %(id)s AND status IN ('queued', 'running')"
            " RETURNING {columns}",
            {
                "now": now,
                "kind": kind,
                "id": id_,
                "cancellation": Jsonb({"cancellation": {"who": who, "why": why, "time": now}}),
            },
        )
        if cancelled is not None:
            return cancelled
        job = self.find(kind, id_)
        if job is not None:
            raise NotCancellable(f"The {kind} {id_} has ended: it is {job.status}.")
        return None

    # --- of the worker ---

    def claim(self, is_stopping: Callable[[], bool] = lambda: False) -> ClaimedJob | None:
        """The next job: one whose worker was killed, else the one that was queued first.

        A job that another process does itself is none of them. Null where none waits.
        ``is_stopping`` says whether the worker is to stop.
        """
        job = self._job(
            "UPDATE jobs SET status = 'running',"
            " started_time = coalesce(started_time, %(now)s)"
            " WHERE id = (SELECT id FROM jobs WHERE status IN ('queued', 'running')"
            " AND parameters->>'worker' IS NULL"
            " ORDER BY status = 'queued', id LIMIT 1) RETURNING {columns}",
            {"now": self._clock()},
        )
        if job is None:
            return None
        return ClaimedJob(
            job=job,
            progress=dict(job.progress),
            report=dict(job.report),
            _queue=self,
            _is_stopping=is_stopping,
        )

    def finish(self, claimed: ClaimedJob, status: str, error: str | None) -> None:
        """Store what became of a job."""
        self._execute(
            "UPDATE jobs SET status = %(status)s, error = %(error)s, report = %(report)s,"
            " finished_time = %(now)s WHERE id = %(id)s",
            {
                "status": status,
                "error": error,
                "report": Jsonb(claimed.report),
                "now": self._clock(),
                "id": claimed.job.id,
            },
        )

    def save(self, claimed: ClaimedJob) -> None:
        """Store the progress and the report of a job."""
        self._execute(
            "UPDATE jobs SET progress = %(progress)s, report = %(report)s WHERE id = %(id)s",
            {
                "progress": Jsonb(claimed.progress),
                "report": Jsonb(claimed.report),
                "id": claimed.job.id,
            },
        )

    def is_cancelled(self, id_: int) -> bool:
        with translated(), self._pool.connection() as connection:
            row = connection.execute(
                "SELECT is_cancelled FROM jobs WHERE id = %(id)s", {"id": id_}
            ).fetchone()
            return bool(row and row["is_cancelled"])

    def update(
        self,
        cur: Cursor[TupleRow],
        id_: int,
        change: Callable[[dict[str, Any], dict[str, Any]], None],
    ) -> None:
        """Change a job on which several processes work, in the caller's transaction.

        ``change`` changes the progress and the report that it is called with. Raises Cancelled
        where the job was cancelled.
        """
        row = cur.execute(
            "SELECT progress, report, is_cancelled FROM jobs WHERE id = %(id)s FOR UPDATE",
            {"id": id_},
        ).fetchone()
        assert row is not None  # noqa: S101 - jobs are never deleted
        progress, report, is_cancelled = row
        if is_cancelled:
            raise Cancelled("It was cancelled.")
        change(progress, report)
        cur.execute(
            "UPDATE jobs SET progress = %(progress)s, report = %(report)s WHERE id = %(id)s",
            {"progress": Jsonb(progress), "report": Jsonb(report), "id": id_},
        )

    def _job(self, query: LiteralString, parameters: Mapping[str, Any]) -> Job | None:
        return next(iter(self._jobs(query, parameters)), None)

    def _jobs(self, query: LiteralString, parameters: Mapping[str, Any]) -> Sequence[Job]:
        with translated(), self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Job))
            return cursor.execute(
                sql.SQL(query).format(columns=_JOB_COLUMNS, of_orgs=_OF_ORGS), parameters
            ).fetchall()

    def _execute(self, query: LiteralString, parameters: Mapping[str, Any]) -> None:
        with translated(), self._pool.connection() as connection:
            connection.execute(query, parameters)


@dataclass(slots=True, kw_only=True)
class ClaimedJob:
    """A job that is worked on, with its progress and its report, both JSON.

    The worker starts from ``progress``, and changes both as it goes on.
    """

    job: Job
    progress: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    _queue: JobQueue
    _is_stopping: Callable[[], bool]

    def save(self) -> None:
        """Store both. Raises Cancelled or Interrupted where the work is to end here."""
        self._queue.save(self)
        self.check_stop()

    def check_stop(self) -> None:
        """Raise Cancelled or Interrupted where the work is to end here."""
        if self._queue.is_cancelled(self.job.id):
            raise Cancelled("It was cancelled.")
        if self._is_stopping():
            raise Interrupted("The worker stops.")

    def reload(self) -> None:
        """Read both again, after other processes changed them by ``JobQueue.update``."""
        job = self._queue.find(self.job.kind, self.job.id)
        if job is not None:
            self.progress, self.report = job.progress, job.report


def _json(orgs: OrgIds) -> Jsonb | None:
    return None if orgs is None else Jsonb(sorted(orgs))


_JOB_COLUMNS = sql.SQL(
    "id, kind, status, parameters, who, why, created_time, started_time, finished_time, progress,"
    " report, error"
)
# A caller who may not see all organisations sees only jobs that name none but its own.
_OF_ORGS = sql.SQL(
    "(%(orgs)s::jsonb IS NULL"
    " OR jsonb_typeof(parameters->'orgIds') = 'array' AND parameters->'orgIds' <@ %(orgs)s)"
)
