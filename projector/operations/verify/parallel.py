"""Verify in parallel: the subjects in batches over several processes, all of one database snapshot."""

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
from projector.operations.verify.compare import Checked
from projector.operations.verify.counts import (
    EVERYTHING,
    OF_WANTED,
    Wanted,
    differences,
    left_out,
    positions,
)
from projector.operations.verify.subjects import Subjects
from projector.projection.read_models import TABLES, Key, Table

WINDOW = 5_000  # subjects that are shuffled together


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTask:
    """What a worker needs to know."""

    url: str
    snapshot: str
    positions: dict[int, int]  # by partition
    moments: int
    seed: int


def verify(url: str, *, jobs: int, moments: int, seed: int, wanted: Wanted = EVERYTHING) -> Checked:
    """Compare every table with the log, or what it has of the subjects that are wanted."""
    with translated(), connect(url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        (row,) = connection.execute("SELECT pg_export_snapshot() AS it").fetchall()
        task = VerifyTask(
            url=url,
            snapshot=row["it"],
            positions=positions(connection),
            moments=moments,
            seed=seed,
        )
        total = left_out(connection, wanted)
        if wanted == EVERYTHING:
            total.differences += differences(connection)
        for part in _in_parallel(task, _batches(connection, seed, wanted), jobs):
            total.add(part)
    total.differences.sort(key=lambda it: (it.table, it.org_id, it.id))
    return total


def _batches(
    connection: Connection[DictRow], seed: int, wanted: Wanted
) -> Iterator[tuple[str, Sequence[Key]]]:
    """Subjects that the log or any table has, in an order of chance, some at a time."""
    chance = Random(seed)  # noqa: S311 - an order that can be repeated
    for table in TABLES:
        if wanted.kind not in {None, table.name}:
            continue
        with connection.cursor(name=f"subjects_of_{table.name}") as cur:
            cur.itersize = WINDOW
            cur.execute(_subjects(table), wanted.parameters)
            rows = iter(cur)
            while some := [*islice(rows, WINDOW)]:
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
    ).format(sql.SQL(" UNION ALL ").join(parts), OF_WANTED)


def _in_parallel(
    task: VerifyTask, batches: Iterator[tuple[str, Sequence[Key]]], jobs: int
) -> Iterator[Checked]:
    if jobs == 1:
        with closing(_Checker(task)) as checker:
            yield from (_check(checker, *batch) for batch in batches)
        return
    with process_pool(jobs, _Checker, task) as pool:
        running: set[Future[Checked]] = set()
        for batch in batches:
            running.add(pool.submit(_check, *batch))
            if len(running) > 2 * jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in running)


class _Checker:
    """Checks batches of subjects, over a connection of its own that sees the task's snapshot."""

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


def _check(checker: _Checker, kind: str, keys: Sequence[Key]) -> Checked:
    return checker.subjects[kind].check(keys)
