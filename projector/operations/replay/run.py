"""Replay: subjects are folded again from the log into the same tables, beside live intake.

Rule: one transaction replays some subjects, holds the locks of their partitions, and stores how far
the replay is. So a run that was killed goes on after what was committed. A dry run does the same
work and rolls it back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from projector.domain.events import BUCKETS_PER_PARTITION, PARTITIONS
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, open_pool, translated
from projector.infrastructure.process_pool import CONTEXT, process_pool
from projector.operations.batches import MAX_SUBJECTS, batches
from projector.operations.diff import MAX_LISTED
from projector.operations.job_queue import ClaimedJob, Interrupted, JobQueue
from projector.operations.replay.reproject import reproject
from projector.projection.read_models import TABLES, Key, Table

EVENTS_FOR_PROCESSES = 50_000  # from so many on, several processes are worth their start
REST_FACTOR = 4  # while webhooks come in, a replay rests so many times as long as it works
ReplayCursor = tuple[str, str, str]  # kind, organisation and id of the last subject that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayScope:
    """Which subjects: those that match all filters. Times are epoch ms, both inclusive."""

    org_ids: Sequence[str] | None = None
    agent_ids: Sequence[str] = ()
    task_ids: Sequence[str] = ()
    start: int | None = None
    end: int | None = None
    parked: bool = False
    dry_run: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> ReplayScope:
        """The scope that the parameters of a job state."""
        return cls(
            org_ids=parameters.get("orgIds"),
            agent_ids=parameters.get("agentIds") or (),
            task_ids=parameters.get("taskIds") or (),
            start=parameters.get("from"),
            end=parameters.get("to"),
            parked=parameters.get("parked") or False,
            dry_run=parameters.get("dryRun") or False,
        )

    def tables(self) -> list[Table[Any]]:
        """The kinds of subjects that may match: ids of agents alone leave out all tasks."""
        ids = {"agents": self.agent_ids, "tasks": self.task_ids}
        return [it for it in TABLES if ids[it.name] or not any(ids.values())]

    def condition(self, table: Table[Any]) -> sql.Composed:
        """The condition of rows of the log that are of a subject of the scope."""
        parts = [sql.SQL("{} IS NOT NULL").format(sql.Identifier(f"{table.subject}_bucket"))]
        if self.org_ids is not None:
            parts.append(sql.SQL("org_id = ANY(%(orgs)s)").format())
        if self.agent_ids or self.task_ids:
            parts.append(sql.SQL("{} = ANY(%(ids)s)").format(sql.Identifier(table.column)))
        if self.start is not None or self.end is not None:
            parts.append(
                sql.SQL(
                    "(org_id, {0}) IN (SELECT org_id, {0} FROM log WHERE {1} IS NOT NULL"
                    " AND time >= %(start)s AND time <= %(end)s)"
                ).format(sql.Identifier(table.column), sql.Identifier(f"{table.subject}_bucket"))
            )
        if self.parked:
            parts.append(
                sql.SQL("(org_id, {}) IN (SELECT org_id, id FROM parked WHERE kind = {})").format(
                    sql.Identifier(table.column), table.name
                )
            )
        return sql.SQL(" AND ").join(parts)

    def parameters(self, table: Table[Any]) -> dict[str, Any]:
        ids = self.agent_ids if table.name == "agents" else self.task_ids
        return {
            "orgs": None if self.org_ids is None else list(self.org_ids),
            "ids": list(ids),
            "start": 0 if self.start is None else self.start,
            "end": ENDLESS if self.end is None else self.end,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPart:
    """The part of a replay that one worker folds: every ``workers``-th partition."""

    job: int
    worker: int  # from 0
    workers: int


class Replayer:
    """Runs replays; large ones in several processes, over the database at ``url``."""

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        *,
        url: str | None = None,
        processes: int = os.cpu_count() or 1,
        wait: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._pool = pool
        self._store = store
        self._url = url
        self._processes = processes
        self._wait = wait  # sleeps for some seconds

    def run(self, claimed: ClaimedJob) -> None:
        """Replay the subjects of the job's scope, from its progress on."""
        scope = ReplayScope.of(claimed.job.parameters)
        total = self._total(scope)
        in_parallel = self._url is not None and total >= EVENTS_FOR_PROCESSES
        workers = claimed.progress.setdefault(
            "workers", min(self._processes, PARTITIONS) if in_parallel else 1
        )
        claimed.progress |= {"processed": claimed.progress.get("processed", 0)}
        claimed.progress |= {"began": now_ms(), "before": claimed.progress["processed"]}
        claimed.progress.setdefault("cursors", {})
        claimed.report.setdefault("changed", {"count": 0, "first": []})
        claimed.report["total"] = total
        claimed.save()
        try:
            if workers == 1:
                part = ReplayPart(job=claimed.job.id, worker=0, workers=1)
                self.fold(part, scope, claimed.progress["cursors"].get("0"), claimed.check_stop)
            else:
                self._in_parallel(claimed, workers)
        finally:
            claimed.reload()
        claimed.report |= {"processed": claimed.progress["processed"], "etaMs": 0}

    def _in_parallel(self, claimed: ClaimedJob, workers: int) -> None:
        """One process per part. All end where this one is to end, or one of them fails."""
        stop = CONTEXT.Event()
        parts = [
            ReplayPart(job=claimed.job.id, worker=number, workers=workers)
            for number in range(workers)
        ]
        with process_pool(workers, _ReplayProcess, self._url or "", stop) as pool:
            running = {pool.submit(_fold_part, part, claimed.job.parameters) for part in parts}
            try:
                while running:
                    claimed.check_stop()
                    done, running = wait(running, timeout=1.0, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
            finally:
                stop.set()

    def fold(
        self,
        part: ReplayPart,
        scope: ReplayScope,
        cursor: Sequence[str] | None,
        check_stop: Callable[[], None],
    ) -> None:
        """Replay a part from a cursor on; ``check_stop`` raises where the work is to end."""
        while (subjects := self._next(part, scope, cursor)) is not None:
            check_stop()
            table, keys, events = subjects
            begun, head = time.monotonic(), self._store.head()
            cursor = (table.name, *keys[-1])
            self._replay(part, scope, table, keys, cursor=cursor, events=events)
            if self._store.head() > head:
                # Webhooks come in: all processes together take a fifth of a core.
                self._wait((time.monotonic() - begun) * REST_FACTOR * part.workers)

    def _total(self, scope: ReplayScope) -> int:
        """How many events the scope has; an event of an agent and a task counts twice."""
        total = 0
        with translated(), self._pool.connection() as connection:
            for table in scope.tables():
                row = connection.execute(
                    sql.SQL("SELECT count(*) AS events FROM log WHERE {}").format(
                        scope.condition(table)
                    ),
                    scope.parameters(table),
                ).fetchone()
                total += row["events"] if row else 0
        return total

    def _next(
        self, part: ReplayPart, scope: ReplayScope, cursor: Sequence[str] | None
    ) -> tuple[Table[Any], Sequence[Key], int] | None:
        """The next subjects of a part after a cursor, and how many events they have.

        Null at the end.
        """
        tables = scope.tables()
        if cursor is not None:
            names = [table.name for table in tables]
            tables = tables[names.index(cursor[0]) if cursor[0] in names else 0 :]
        for table in tables:
            is_begun = cursor is not None and cursor[0] == table.name
            org_id, id_ = cursor[1:] if cursor is not None and is_begun else ("", "")
            parameters = scope.parameters(table) | {
                "after_org": org_id,
                "after_id": id_,
                "limit": MAX_SUBJECTS,
            }
            with translated(), self._pool.connection() as connection:
                rows = connection.execute(
                    sql.SQL(_NEXT_SUBJECTS).format(
                        id=sql.Identifier(table.column),
                        bucket=sql.Identifier(f"{table.subject}_bucket"),
                        scope=scope.condition(table),
                        width=BUCKETS_PER_PARTITION,
                        workers=part.workers,
                        worker=part.worker,
                    ),
                    parameters,
                ).fetchall()
            for keys in batches(rows):
                events = {(row["org_id"], row["id"]): row["events"] for row in rows}
                return table, keys, sum(events[key] for key in keys)
        return None

    def _replay(  # noqa: PLR0913 - some subjects of a run
        self,
        part: ReplayPart,
        scope: ReplayScope,
        table: Table[Any],
        keys: Sequence[Key],
        *,
        cursor: ReplayCursor,
        events: int,
    ) -> None:
        """Replay some subjects, and store how far the run is and what it changed."""
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row, binary=True) as cur,
        ):
            with connection.transaction(force_rollback=scope.dry_run):
                differences = reproject(cur, self._store, table, keys)

            def add(progress: dict[str, Any], report: dict[str, Any]) -> None:
                progress["processed"] += events
                progress["cursors"][str(part.worker)] = cursor
                changed = report["changed"]
                changed["count"] += len(differences)
                listed = differences[: MAX_LISTED - len(changed["first"])]
                changed["first"] += [it.row() for it in listed]
                report |= _pace(progress, report["total"])

            JobQueue(self._pool).update(cur, part.job, add)


_NEXT_SUBJECTS = """
    SELECT org_id, {id} AS id, count(*) AS events FROM log
    WHERE {scope} AND {bucket} / {width} %% {workers} = {worker}
        AND (org_id, {id}) > (%(after_org)s, %(after_id)s)
    GROUP BY org_id, {id} ORDER BY org_id, {id} LIMIT %(limit)s
"""


def _pace(progress: Mapping[str, Any], total: int) -> dict[str, Any]:
    """The speed since the run was started or resumed, and the time to its end."""
    seconds = max(1, now_ms() - progress["began"]) / 1_000
    speed = (progress["processed"] - progress["before"]) / seconds
    remaining = max(0, total - progress["processed"])
    return {
        "processed": progress["processed"],
        "eventsPerSecond": round(speed, 1),
        "etaMs": round(1_000 * remaining / speed) if speed else None,
    }


# --- one process of several ---


class _ReplayProcess:
    """The state of one process; the event ``stop`` ends its work."""

    def __init__(self, url: str, stop: Any) -> None:
        pool = open_pool(url, max_size=2)
        self.replayer, self.queue, self.stop = (
            Replayer(pool, EventStore(pool)),
            JobQueue(pool),
            stop,
        )

    def check_stop(self) -> None:
        if self.stop.is_set():
            raise Interrupted("The worker stops.")


def _fold_part(process: _ReplayProcess, part: ReplayPart, parameters: Mapping[str, Any]) -> None:
    job = process.queue.find("replay", part.job)
    if job is not None:
        cursor = job.progress["cursors"].get(str(part.worker))
        process.replayer.fold(part, ReplayScope.of(parameters), cursor, process.check_stop)
