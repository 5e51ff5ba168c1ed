"""The verifier: who checks what, in parallel, from one database snapshot; and `projector verify`."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import click
from psycopg import Connection, sql
from psycopg.rows import DictRow

from projector.cli.commands.seal import a_seal, compare
from projector.cli.database import current_database
from projector.cli.options import as_json, parted, printable, the_organisation
from projector.event_log.store import EventStore
from projector.infrastructure.database import connect, open_pool, translated
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import settings_from_environment
from projector.operations.batches import apart
from projector.operations.verify.counts import (
    EVERYTHING,
    OF_WANTED,
    Wanted,
    differences,
    left_out,
    positions,
)
from projector.operations.verify.subjects import Checked, Difference, Subjects
from projector.projection.read_models import TABLES, Key, Table

DIFFERS = 4  # exit code
WINDOW = 5_000  # subjects that are shuffled


class WorkerDied(ProjectorError):  # noqa: N818 - named for what is noticed
    """A process that checked a share is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
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
        task = Task(
            url=url,
            snapshot=row["it"],
            positions=positions(connection),
            moments=moments,
            seed=seed,
        )
        total = left_out(connection, wanted)
        if wanted == EVERYTHING:
            total.differences += differences(connection)
        try:
            for part in _in_parallel(task, _shares(connection, seed, wanted), jobs):
                total.add(part)
        except BrokenProcessPool as error:
            raise WorkerDied(
                "A process of the verifier died, of too little memory perhaps: try fewer --jobs."
            ) from error
    total.differences.sort(key=lambda it: (it.table, it.org_id, it.id))
    return total


# --- shares of the work ---


def _shares(
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
                yield from ((table.name, keys) for keys in apart(some))


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
    task: Task, shares: Iterator[tuple[str, Sequence[Key]]], jobs: int
) -> Iterator[Checked]:
    if jobs == 1:
        with _worker(task) as check:
            yield from (check(*share) for share in shares)
        return
    context = get_context("spawn")  # a connection is not for two processes
    with ProcessPoolExecutor(jobs, context, _begin, (task,)) as pool:
        running: set[Future[Checked]] = set()
        for share in shares:
            running.add(pool.submit(_check, *share))
            if len(running) > 2 * jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (it.result() for it in done)
        yield from (it.result() for it in running)


_BEGUN: list[Any] = []  # of this process: its worker


def _begin(task: Task) -> None:
    worker = _worker(task)
    _BEGUN.extend([worker, worker.__enter__()])


def _check(name: str, keys: Sequence[Key]) -> Checked:
    checked: Checked = _BEGUN[1](name, keys)
    return checked


@contextmanager
def _worker(task: Task) -> Iterator[Any]:
    """What checks a share, over a connection of its own with the snapshot of all."""
    with (
        translated(),
        open_pool(task.url, max_size=1) as pool,
        connect(task.url) as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(task.snapshot))
        store = EventStore(pool)
        subjects = {
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
        yield lambda name, keys: subjects[name].check(keys)


# --- the command ---


@click.command("verify")
@click.argument("subject", metavar="[agent:ID|task:ID]", required=False)
@the_organisation
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
@click.option(
    "--moments", type=click.IntRange(0), default=4, show_default=True,
    help="Positions of a subject that are looked at, where something late came and elsewhere each.",
)  # fmt: skip
@click.option("--seal", type=a_seal, help="Compare the log with this seal, and no table.")
@click.option("--seed", type=int, help="Of the order of chance.  [default: any]")
@as_json
def verify_command(  # noqa: PLR0913 - the options
    *,
    subject: str | None,
    org: str | None,
    jobs: int,
    moments: int,
    seal: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Fold the log independently and compare every table with it; exit with 4 if any differs."""
    if seal is not None:
        if subject is not None or org is not None:
            raise click.UsageError("--seal is of the whole log: leave out subject and --org")
        if not compare(seal, as_json=as_json):
            sys.exit(DIFFERS)
        return
    seed = secrets.randbelow(2**31) if seed is None else seed
    kind, id_ = (None, None) if subject is None else parted(subject)
    wanted = Wanted(kind=kind and f"{kind}s", org=org, id=id_)
    begin = time.monotonic()
    with current_database(settings_from_environment()) as url:
        found = verify(url, jobs=jobs, moments=moments, seed=seed, wanted=wanted)
    seconds = time.monotonic() - begin
    if wanted != EVERYTHING and not found.subjects:
        asked = " of ".join(repr(it) for it in (subject, org) if it is not None)
        raise ProjectorError(f"Neither the log nor any table has {asked}.")
    if as_json:
        click.echo(json.dumps(asdict(found) | {"seconds": round(seconds, 3), "seed": seed}))
    else:
        click.echo("\n".join([*map(_line, found.differences), _summary(found, seconds, seed)]))
    if found.differences:
        sys.exit(DIFFERS)


def _line(it: Difference) -> str:
    whose = "".join((it.id and f" {it.id}", it.org_id and f" of {it.org_id}"))
    known = "" if it.position is None else f", as known at {it.position} (event {it.event_id})"
    return printable(
        f"{it.table}{whose}: {it.field} is {json.dumps(it.found)},"
        f" the log says {json.dumps(it.expected)}{known}"
    )


def _summary(it: Checked, seconds: float, seed: int) -> str:
    left = f" ({it.left} more were not looked at)" if it.left else ""
    return (
        f"{len(it.differences)} differences: {it.subjects} subjects, {it.events} events and"
        f" {it.rows} rows compared, folded as known at {it.moments} positions{left},"
        f" in {seconds:.1f} s, seed {seed}; events left out: {it.unfolded} not folded yet,"
        f" {it.waiting} waiting, {it.skipped} skipped"
    )
