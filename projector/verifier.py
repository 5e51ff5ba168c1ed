"""The verifier: who checks what, in parallel, from one snapshot; and `projector verify`."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
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

from projector.database import connect, open_pool, translated
from projector.delays import HISTOGRAM
from projector.errors import ProjectorError
from projector.events import BUCKETS, LANE_BUCKETS, LANES
from projector.questions import as_json, parted, the_organisation
from projector.run import reached
from projector.sealing import a_seal, compare
from projector.settings import read_settings
from projector.store import EventStore
from projector.tables import TABLES, Table
from projector.verify import Checked, Difference, Key, Subjects

DIFFERS = 4  # exit code
TOGETHER, WINDOW = 20, 5_000  # subjects that are checked by one, and among which they are shuffled


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a worker needs to know."""

    url: str
    snapshot: str
    positions: dict[int, int]  # by lane
    moments: int
    seed: int


def verify(
    url: str, *, jobs: int, moments: int, seed: int, only: tuple[str, str | None, str] | None = None
) -> Checked:
    """Compare every table with the log; of ``only`` one subject, (kind, organisation, id)."""
    with translated(), connect(url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        (row,) = connection.execute("SELECT pg_export_snapshot() AS it").fetchall()
        lanes = connection.execute("SELECT lane, position FROM projections").fetchall()
        task = Task(
            url=url,
            snapshot=row["it"],
            positions={lane["lane"]: lane["position"] for lane in lanes},
            moments=moments,
            seed=seed,
        )
        total = Checked()
        if only is None:
            total.differences += _counts(connection)
        for part in _in_parallel(task, _shares(connection, seed, only), jobs):
            total.add(part)
    total.differences.sort(key=lambda it: (it.table, it.org_id, it.id))
    return total


# --- shares of the work ---


def _shares(
    connection: Connection[DictRow], seed: int, only: tuple[str, str | None, str] | None
) -> Iterator[tuple[str, Sequence[Key]]]:
    """Subjects that the log or any table has, in an order of chance, some at a time."""
    chance = Random(seed)  # noqa: S311 - an order that can be repeated
    for table in TABLES:
        if only is not None and only[0] != table.subject:
            continue
        with connection.cursor(name=f"subjects_of_{table.name}") as cur:
            cur.itersize = WINDOW
            cur.execute(_subjects(table), {"org": only and only[1], "id": only and only[2]})
            rows = iter(cur)
            while some := [(row["org_id"], row["id"]) for row in islice(rows, WINDOW)]:
                chance.shuffle(some)
                for start in range(0, len(some), TOGETHER):
                    yield table.name, some[start : start + TOGETHER]


def _subjects(table: Table[Any]) -> sql.Composed:
    derived = (
        table.name, table.intervals, table.anomalies, table.checkpoints, table.late_counts,
        table.corrections,
    )  # fmt: skip
    parts = [
        sql.SQL("SELECT org_id, {} AS id FROM events WHERE {} IS NOT NULL").format(
            sql.Identifier(table.column), sql.Identifier(f"{table.subject}_bucket")
        ),
        *(sql.SQL("SELECT org_id, id FROM {}").format(sql.Identifier(it)) for it in derived),
    ]
    return sql.SQL(
        "SELECT org_id, id FROM ({}) AS s WHERE (%(id)s::text IS NULL OR id = %(id)s)"
        " AND (%(org)s::text IS NULL OR org_id = %(org)s) ORDER BY org_id, id"
    ).format(sql.SQL(" UNION ").join(parts))


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
    pool = open_pool(task.url, max_size=1)
    with translated(), connect(task.url) as connection, connection.transaction():
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
    pool.close()


# --- what is of no subject ---


def _counts(connection: Connection[DictRow]) -> Iterator[Difference]:
    """Positions and counts of the projection, and the sketch of delays, against the log."""
    for query, table, name in (
        (_POSITIONS, "projections", "lane"),
        (_BUCKETS, "bucket_counts", "bucket"),
        (_DELAYS, "arrival_delays", "bucket"),
    ):
        for row in connection.execute(query.encode()):
            yield Difference(
                table=table,
                org_id="",
                id=row["place"],
                field=f"{row['field']}[{name}]",
                expected=row["expected"],
                found=row["found"],
            )


_POSITIONS = f"""
    SELECT lane::text AS place, 'position' AS field, 'in the log, and counted' AS expected,
        position AS found
    FROM generate_series(0, {LANES - 1}) AS lane LEFT JOIN projections USING (lane)
    WHERE position IS NULL OR counted <> position
        OR position > (SELECT coalesce(max(notification_id), 0) FROM events)
"""  # noqa: S608
_BUCKETS = f"""
    WITH of_log AS (
        SELECT 'agents' AS kind, org_id, agent_id AS id, agent_bucket AS bucket, notification_id
        FROM events WHERE agent_bucket IS NOT NULL
        UNION ALL
        SELECT 'tasks', org_id, task_id, task_bucket, notification_id
        FROM events WHERE task_bucket IS NOT NULL
    ), counted AS (
        SELECT e.kind, e.bucket, count(*) AS stored,
            count(*) FILTER (WHERE p.position IS NULL OR e.notification_id < p.position) AS folded
        FROM of_log AS e JOIN projections AS l
            ON l.lane = e.bucket / {LANE_BUCKETS} AND e.notification_id <= l.position
        LEFT JOIN parked AS p USING (kind, org_id, id)
        GROUP BY e.kind, e.bucket
    )
    SELECT kind || ' ' || bucket AS place, f.field, f.expected, f.found
    FROM unnest(ARRAY['agents', 'tasks']) AS kind
    CROSS JOIN generate_series(0, {BUCKETS - 1}) AS bucket
    LEFT JOIN bucket_counts AS b USING (kind, bucket) LEFT JOIN counted AS c USING (kind, bucket)
    CROSS JOIN LATERAL (VALUES ('stored', coalesce(c.stored, 0), b.stored),
        ('projected', coalesce(c.folded, 0), b.projected)) AS f(field, expected, found)
    WHERE f.expected IS DISTINCT FROM f.found
"""  # noqa: S608
_DELAYS = f"""
    WITH counted AS (
        {HISTOGRAM} AND notification_id <= (SELECT position FROM delays_counted) GROUP BY 1, 2
    )
    SELECT coalesce(c.type, a.type) || ' ' || coalesce(c.bucket, a.bucket) AS place,
        'events' AS field, c.events AS expected, a.events AS found
    FROM counted AS c FULL JOIN arrival_delays AS a ON a.type = c.type AND a.bucket = c.bucket
    WHERE c.events IS DISTINCT FROM a.events
"""  # noqa: S608


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
            raise click.UsageError("--seal is of the whole log: leave out the subject")
        if not compare(seal, as_json=as_json):
            sys.exit(DIFFERS)
        return
    seed = secrets.randbelow(2**31) if seed is None else seed
    only = None
    if subject is not None:
        kind, id_ = parted(subject)
        only = kind, org, id_
    begin = time.monotonic()
    with reached(read_settings(os.environ)) as url:
        found = verify(url, jobs=jobs, moments=moments, seed=seed, only=only)
    seconds = time.monotonic() - begin
    if only and not found.subjects:
        raise ProjectorError(f"Neither the log nor any table has {subject!r}.")
    if as_json:
        click.echo(json.dumps(asdict(found) | {"seconds": round(seconds, 3), "seed": seed}))
    else:
        click.echo("\n".join([*map(_line, found.differences), _summary(found, seconds, seed)]))
    if found.differences:
        sys.exit(DIFFERS)


def _line(it: Difference) -> str:
    whose = f" {it.id} of {it.org_id}" if it.org_id else f" {it.id}"
    known = "" if it.position is None else f", as known at {it.position} (event {it.event_id})"
    return (
        f"{it.table}{whose}: {it.field} is {json.dumps(it.found)},"
        f" the log says {json.dumps(it.expected)}{known}"
    )


def _summary(it: Checked, seconds: float, seed: int) -> str:
    left = f" ({it.left} more were not looked at)" if it.left else ""
    return (
        f"{len(it.differences)} differences: {it.subjects} subjects, {it.events} events and"
        f" {it.rows} rows compared, folded as known at {it.moments} positions{left},"
        f" in {seconds:.1f} s, seed {seed}"
    )
