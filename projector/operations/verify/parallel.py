"""Verify in parallel: batches of subjects over several processes, in one database snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import DictRow

from projector.event_log.store import EventStore
from projector.infrastructure.database import connect, open_pool, translated
from projector.infrastructure.process_pool import process_pool
from projector.operations.batches import batches
from projector.operations.verify.compare import VerifyResult
from projector.operations.verify.counts import (
    ALL_SUBJECTS,
    MATCHES_FILTER,
    SubjectFilter,
    differences,
    left_out,
    positions,
)
from projector.operations.verify.subjects import Subjects
from projector.projection.read_models import TABLES, Key, Table

SHUFFLED_TOGETHER = 5_000  # subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTask:
    """What a worker process gets."""

    url: str
    snapshot: str
    positions: dict[int, int]  # by partition
    moments: int
    seed: int


def verify(
    url: str, *, jobs: int, moments: int, seed: int, subjects: SubjectFilter = ALL_SUBJECTS
) -> VerifyResult:
    """Compare every table with the log, or the rows of some subjects alone.

    ``jobs`` is the number of processes. A subject is folded at up to ``moments`` of the positions
    at which something late came, and at as many of the others; ``seed`` decides at which.
    """
    with translated(), connect(url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        (row,) = connection.execute("SELECT pg_export_snapshot() AS snapshot").fetchall()
        task = VerifyTask(
            url=url,
            snapshot=row["snapshot"],
            positions=positions(connection),
            moments=moments,
            seed=seed,
        )
        total = left_out(connection, subjects)
        if subjects == ALL_SUBJECTS:
            total.differences += differences(connection)
        for part in _in_parallel(task, _batches(connection, seed, subjects), jobs):
            total.add(part)
    total.differences.sort(key=lambda it: (it.table, it.org_id, it.id))
    return total


def _batches(
    connection: Connection[DictRow], seed: int, subjects: SubjectFilter
) -> Iterator[tuple[str, Sequence[Key]]]:
    """Subjects that the log or any table has, in a random order, some at a time."""
    chance = Random(seed)  # noqa: S311 - an order that can be repeated
    for table in TABLES:
        if subjects.kind not in {None, table.name}:
            continue
        with connection.cursor(name=f"subjects_of_{table.name}") as cur:
            cur.itersize = SHUFFLED_TOGETHER
            cur.execute(_subjects(table), subjects.parameters)
            rows = iter(cur)
            while some := [*islice(rows, SHUFFLED_TOGETHER)]:
                chance.shuffle(some)
                yield from ((table.name, keys) for keys in batches(some))


def _subjects(table: Table[Any]) -> sql.Composed:
    parts = [
        sql.SQL("SELECT org_id, {} AS id, 1 AS events FROM log WHERE {} IS NOT NULL").format(
            sql.Identifier(table.column), sql.Identifier(f"{table.subject}_bucket")
        ),
        *(
            sql.SQL("SELECT org_id, id, 0 FROM {}").format(sql.Identifier(it))
            for it in table.all_names
        ),
    ]
    return sql.SQL(
        "SELECT org_id, id, sum(events)::bigint AS events FROM ({}) AS s WHERE {}"
        " GROUP BY org_id, id ORDER BY org_id, id"
    ).format(sql.SQL(" UNION ALL ").join(parts), MATCHES_FILTER)


def _in_parallel(
    task: VerifyTask, batches: Iterator[tuple[str, Sequence[Key]]], jobs: int
) -> Iterator[VerifyResult]:
    if jobs == 1:
        with closing(_Checker(task)) as checker:
            yield from (_check(checker, *batch) for batch in batches)
        return
    with process_pool(jobs, _Checker, task) as pool:
        running: set[Future[VerifyResult]] = set()
        for batch in batches:
            running.add(pool.submit(_check, *batch))
            if len(running) > 2 * jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in running)


class _Checker:
    """Checks batches of subjects, in the task's snapshot, over a connection of its own."""

    def __init__(self, task: VerifyTask) -> None:
        with ExitStack() as stack:
            stack.enter_context(translated())
            pool = stack.enter_context(open_pool(task.url, max_size=1))
            connection = stack.enter_context(connect(task.url))
            stack.enter_context(connection.transaction())
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(task.snapshot))
            store = EventStore(pool)
            self.subjects: dict[str, Subjects[Any]] = {
                table.name: Subjects(
                    connection,
                    store,
                    table,
                    positions=task.positions,
                    moments=task.moments,
                    seed=task.seed,
                )
                for table in TABLES
            }
            self.close = stack.pop_all().close


def _check(checker: _Checker, kind: str, keys: Sequence[Key]) -> VerifyResult:
    return checker.subjects[kind].check(keys)
