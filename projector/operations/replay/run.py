"""Replay: subjects folded anew from the log, into the same tables, while all else goes on.

The rule of this file: some subjects at a time, in one transaction that holds their partitions and keeps
how far the replay is; so a run that was killed goes on after what was committed. It folds by what
live intake folds by, up to where the partition has folded; a dry run is the same, taken back.
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
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import VIEWS_CHANNEL, Pool, open_pool, translated
from projector.infrastructure.process_pool import CONTEXT, process_pool
from projector.operations.batches import MOST_SUBJECTS, batches
from projector.operations.job_queue import Held, Interrupted, Jobs
from projector.operations.replay.reproject import refold
from projector.projection.read_models import TABLES, Key, Table

MANY_EVENTS = 50_000  # from which on several processes are worth their start
REST = 4  # times as long as it worked a replay rests while intake is at work
FIRST = 100  # changed subjects that are listed; the count tells of all
AFTER_ALL = (1 << 63) - 1  # of times
Cursor = tuple[str, str, str]  # kind, organisation and id of the last subject that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayScope:
    """Which subjects: all that fit what is given; times are epoch ms, inclusive."""

    org_ids: Sequence[str] | None = None
    agent_ids: Sequence[str] = ()
    task_ids: Sequence[str] = ()
    start: int | None = None
    end: int | None = None
    parked: bool = False
    dry_run: bool = False

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> ReplayScope:
        return cls(
            org_ids=asked.get("orgIds"),
            agent_ids=asked.get("agentIds") or (),
            task_ids=asked.get("taskIds") or (),
            start=asked.get("from"),
            end=asked.get("to"),
            parked=asked.get("parked") or False,
            dry_run=asked.get("dryRun") or False,
        )

    def tables(self) -> list[Table[Any]]:
        """The kinds of subjects that may fit: who names only agents means no task."""
        named = {"agents": self.agent_ids, "tasks": self.task_ids}
        return [it for it in TABLES if named[it.name] or not any(named.values())]

    def condition(self, table: Table[Any]) -> sql.Composed:
        """Of rows of the log."""
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
            "end": AFTER_ALL if self.end is None else self.end,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of a replay that one worker folds: every ``workers``-th partition."""

    job: int
    worker: int  # its index
    workers: int


class Replayer:
    """Runs replays, large ones by several processes over the database that ``url`` names."""

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
        self._wait = wait  # sleeps for some seconds, where intake needs the database more

    def run(self, held: Held) -> None:
        """Fold what the scope names, from where it was left."""
        scope = ReplayScope.of(held.job.parameters)
        total = self._total(scope)
        alone = self._url is None or total < MANY_EVENTS
        workers = held.progress.setdefault(
            "workers", 1 if alone else min(self._processes, PARTITIONS)
        )
        held.progress |= {"processed": held.progress.get("processed", 0)}
        held.progress |= {"began": now_ms(), "before": held.progress["processed"]}
        held.progress.setdefault("cursors", {})
        held.report.setdefault("changed", {"count": 0, "first": []})
        held.report["total"] = total
        held.save()
        try:
            if workers == 1:
                part = Part(job=held.job.id, worker=0, workers=1)
                self.fold(part, scope, held.progress["cursors"].get("0"), held.look)
            else:
                self._in_parallel(held, workers)
        finally:
            held.reload()
        held.report |= {"processed": held.progress["processed"], "etaMs": 0}

    def _in_parallel(self, held: Held, workers: int) -> None:
        """One process per part; all end where this one is told to end, or one of them fails."""
        stop = CONTEXT.Event()
        parts = [Part(job=held.job.id, worker=number, workers=workers) for number in range(workers)]
        with process_pool(workers, _ReplayProcess, self._url or "", stop) as pool:
            running = {pool.submit(_fold_part, part, held.job.parameters) for part in parts}
            try:
                while running:
                    held.look()
                    done, running = wait(running, timeout=1.0, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
            finally:
                stop.set()

    def fold(
        self,
        part: Part,
        scope: ReplayScope,
        cursor: Sequence[str] | None,
        look: Callable[[], None],
    ) -> None:
        """Fold a share from a cursor on; ``look`` raises where the work is to end."""
        while (found := self._next(part, scope, cursor)) is not None:
            look()
            table, keys, events = found
            begun, head = time.monotonic(), self._store.head()
            cursor = (table.name, *keys[-1])
            self._replay(part, scope, table, keys, cursor=cursor, events=events)
            if self._store.head() > head:
                # Intake is at work: all processes together take a fifth of a core.
                self._wait((time.monotonic() - begun) * REST * part.workers)

    def _total(self, scope: ReplayScope) -> int:
        """How many events the scope has; one of an agent and a task counts for both."""
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
        self, part: Part, scope: ReplayScope, cursor: Sequence[str] | None
    ) -> tuple[Table[Any], Sequence[Key], int] | None:
        """The subjects of a share after a cursor, some at a time, and how many events they have."""
        tables = scope.tables()
        if cursor is not None:
            names = [table.name for table in tables]
            tables = tables[names.index(cursor[0]) if cursor[0] in names else 0 :]
        for table in tables:
            after = list(cursor[1:]) if cursor is not None and cursor[0] == table.name else ["", ""]
            parameters = scope.parameters(table) | {"after": after, "limit": MOST_SUBJECTS}
            with translated(), self._pool.connection() as connection:
                rows = connection.execute(
                    sql.SQL(_SUBJECTS).format(
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
        part: Part,
        scope: ReplayScope,
        table: Table[Any],
        keys: Sequence[Key],
        *,
        cursor: Cursor,
        events: int,
    ) -> None:
        """Fold some subjects anew and keep what changed, with how far the run is."""
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row, binary=True) as cur,
        ):
            with connection.transaction(force_rollback=scope.dry_run):
                others = refold(cur, self._store, table, keys)
            if others and not scope.dry_run:
                cur.execute("SELECT pg_notify(%s, %s)", (VIEWS_CHANNEL, str(self._store.head())))

            def add(progress: dict[str, Any], report: dict[str, Any]) -> None:
                progress["processed"] += events
                progress["cursors"][str(part.worker)] = cursor
                found = report["changed"]
                found["count"] += len(others)
                found["first"] += [it.row() for it in others[: FIRST - len(found["first"])]]
                report |= _pace(progress, report["total"])

            Jobs(self._pool).merge(cur, part.job, add)


_SUBJECTS = """
    SELECT org_id, {id} AS id, count(*) AS events FROM log
    WHERE {scope} AND {bucket} / {width} %% {workers} = {worker}
        AND (org_id, {id}) > ((%(after)s::text[])[1], (%(after)s::text[])[2])
    GROUP BY org_id, {id} ORDER BY org_id, {id} LIMIT %(limit)s
"""


def _pace(progress: Mapping[str, Any], total: int) -> dict[str, Any]:
    """How fast it goes, since it was begun or taken up again, and how long it will."""
    seconds = max(1, now_ms() - progress["began"]) / 1_000
    speed = (progress["processed"] - progress["before"]) / seconds
    left = max(0, total - progress["processed"])
    return {
        "processed": progress["processed"],
        "eventsPerSecond": round(speed, 1),
        "etaMs": round(1_000 * left / speed) if speed else None,
    }


# --- one process of several ---


class _ReplayProcess:
    """What a process works with: its replayer, its jobs, and the event that tells it to end."""

    def __init__(self, url: str, stop: Any) -> None:
        pool = open_pool(url, max_size=2)
        self.replayer, self.jobs, self.stop = Replayer(pool, EventStore(pool)), Jobs(pool), stop

    def look(self) -> None:
        if self.stop.is_set():
            raise Interrupted("The worker stops.")


def _fold_part(process: _ReplayProcess, part: Part, parameters: Mapping[str, Any]) -> None:
    job = process.jobs.find("replay", part.job)
    if job is not None:
        cursor = job.progress["cursors"].get(str(part.worker))
        process.replayer.fold(part, ReplayScope.of(parameters), cursor, process.look)
