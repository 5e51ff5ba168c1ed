"""Side by side: a new version of the fold in tables of its own, then in the place of the old ones.

The rule of this file: the tables beside are named as those that serve, in a schema of their own, so
whoever folds into them or reads them differs by the search path alone. The switch exchanges both in
one transaction that waits for nobody while it holds anything: a reader sees the tables of before or
of after, and is let through in between. Switching again is the way back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg
from psycopg import Connection, Cursor, sql
from psycopg.rows import DictRow, TupleRow, tuple_row

from projector.infrastructure.database import (
    BESIDE,
    SCHEMA,
    SERVICE_ROLE,
    connect,
    enter_schema,
    translated,
)
from projector.infrastructure.errors import ProjectorError
from projector.operations.diff import Changed, changed, shown
from projector.projection.partitions import NAME
from projector.projection.read_models import FOLD_VERSION, TABLES, Table

SWAP = f"{SCHEMA}_swap"
DERIVED = (
    *("projections", "bucket_counts", "parked"),
    *(name for table in TABLES for name in table.all_names),
)
SWITCH_SECONDS = 60.0  # in which a moment without readers and writers has to come
STANDSTILL_SECONDS = 2.0  # as long as nothing is folded for it
NEARLY = 20_000  # events that are caught up within that time
LOOK_EVERY_SECONDS = 0.005
FIRST = 100  # changed subjects that are listed; the count tells of all
COMPARED_TOGETHER = 200


class RebuildError(ProjectorError):
    """Tables beside cannot be made, compared or switched; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """How far one of both is."""

    fold: int
    position: int
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the tables beside show otherwise."""

    subjects: int
    count: int
    first: Sequence[Changed]
    apart: int  # subjects that one of both has not folded as far as the other: not compared


def begin(url: str) -> None:
    """Make empty tables beside; RebuildError where there are some."""
    with _owner(url) as connection, connection.transaction():
        if exists(connection):
            raise RebuildError(
                "There are tables beside already: `projector rebuild status` tells of them,"
                " `projector rebuild drop` removes them."
            )
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(BESIDE)))
        for name in DERIVED:
            connection.execute(
                sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                    sql.Identifier(BESIDE, name), sql.Identifier(SCHEMA, name)
                )
            )
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (name, partition, fold_version) SELECT name, partition, %s FROM {}"
            ).format(sql.Identifier(BESIDE, "projections"), sql.Identifier(SCHEMA, "projections")),
            (FOLD_VERSION,),
        )
        connection.execute(
            sql.SQL("INSERT INTO {} (name, kind, bucket) SELECT name, kind, bucket FROM {}").format(
                sql.Identifier(BESIDE, "bucket_counts"), sql.Identifier(SCHEMA, "bucket_counts")
            )
        )
        role = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (SERVICE_ROLE,))
        if role.fetchone() is not None:
            for grant in (
                "GRANT USAGE ON SCHEMA {} TO {}",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}",
            ):
                connection.execute(
                    sql.SQL(grant).format(sql.Identifier(BESIDE), sql.Identifier(SERVICE_ROLE))
                )


def drop(url: str) -> None:
    """Remove the tables beside."""
    with _owner(url) as connection:
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(BESIDE))
        )


def exists(connection: Connection[DictRow]) -> bool:
    found = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (BESIDE,))
    return found.fetchone() is not None


def sides(connection: Connection[DictRow]) -> tuple[Side, Side]:
    """Those that serve and those beside; RebuildError where there are none beside."""
    if not exists(connection):
        raise RebuildError("There are no tables beside: `projector rebuild begin` makes them.")
    return _side(connection, SCHEMA), _side(connection, BESIDE)


def _side(connection: Connection[DictRow], schema: str) -> Side:
    row = connection.execute(
        sql.SQL(
            "SELECT max(fold_version) AS fold, min(position) AS position,"
            " (SELECT coalesce(max(position), 0) FROM {}) AS head FROM {} WHERE name = %s"
        ).format(sql.Identifier(SCHEMA, "log"), sql.Identifier(schema, "projections")),
        (NAME,),
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always has one
    return Side(fold=row["fold"] or 0, position=row["position"] or 0, head=row["head"])


def switch(url: str, *, seconds: float = SWITCH_SECONDS) -> tuple[Side, Side]:
    """Exchange both, as soon as those beside have caught up and nobody reads either.

    What serves then and what stands beside. RebuildError where that does not come in time.
    """
    deadline = time.monotonic() + seconds
    with _owner(url) as connection:
        why = "those beside have not caught up: is `projector rebuild follow` running?"
        while time.monotonic() < deadline:
            now, beside = sides(connection)
            if beside.position + NEARLY >= now.position:
                with connection.transaction():
                    why = _switched(connection)
                    if not why:
                        serving, other = sides(connection)
                        return serving, other
            time.sleep(LOOK_EVERY_SECONDS)
    raise RebuildError(f"Not switched within {seconds:.0f} s: {why}")


def _switched(connection: Connection[DictRow]) -> str:
    """Exchange both if the moment comes soon; else why it does not, and nothing has happened.

    Held partitions stop nobody but runners, which pass them over. So first those that serve stand still,
    then those beside reach them, and then a moment without readers is waited for.
    """
    _hold_partitions(connection, SCHEMA)
    if not _soon(lambda: _has_caught_up(connection)):
        return "those beside do not catch up."
    _hold_partitions(connection, BESIDE)
    if not _soon(lambda: _locked(connection)):
        return "somebody reads the tables all the time."
    _exchange(connection)
    return ""


def _hold_partitions(connection: Connection[DictRow], schema: str) -> None:
    connection.execute(
        sql.SQL("SELECT FROM {} ORDER BY name, partition FOR UPDATE").format(
            sql.Identifier(schema, "projections")
        )
    )


def _has_caught_up(connection: Connection[DictRow]) -> bool:
    now, beside = sides(connection)
    return beside.position >= now.position


def _locked(connection: Connection[DictRow]) -> bool:
    """Lock all tables of both at once, or none: who waited for one would keep others waiting."""
    names = [sql.Identifier(schema, name) for schema in (SCHEMA, BESIDE) for name in DERIVED]
    lock = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT")
    try:
        with connection.transaction():
            connection.execute(lock.format(sql.SQL(", ").join(names)))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + STANDSTILL_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY_SECONDS)
    return True


def _exchange(connection: Connection[DictRow]) -> None:
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SWAP)))
    for name in DERIVED:
        for old, new in ((SCHEMA, SWAP), (BESIDE, SCHEMA), (SWAP, BESIDE)):
            connection.execute(
                sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
                    sql.Identifier(old, name), sql.Identifier(new)
                )
            )
    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(SWAP)))


def compare(url: str) -> Compared:
    """Compare what both show of each subject; those that are not equally far are counted."""
    found: list[Changed] = []
    subjects = count = apart = 0
    with translated(), connect(url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        sides(connection)
        for table in TABLES:
            for keys, far in _subjects(connection, table):
                with connection.cursor(row_factory=tuple_row) as cur:
                    differences = _differences(cur, connection, table, keys)
                subjects += len(keys)
                apart += far
                count += len(differences)
                found += differences[: FIRST - len(found)]
    return Compared(subjects=subjects, count=count, first=found, apart=apart)


def _differences(
    cur: Cursor[TupleRow],
    connection: Connection[DictRow],
    table: Table[Any],
    keys: Sequence[tuple[str, str]],
) -> list[Changed]:
    enter_schema(connection, SCHEMA)
    before = shown(cur, table, keys)
    enter_schema(connection, BESIDE, SCHEMA)
    after = shown(cur, table, keys)
    enter_schema(connection, SCHEMA)
    told = (changed(table, key, before.get(key), after.get(key)) for key in keys)
    return [it for it in told if it is not None]


def _subjects(
    connection: Connection[DictRow], table: Table[Any]
) -> Iterator[tuple[list[tuple[str, str]], int]]:
    """Subjects that both have folded up to the same event, some at a time, and how many not."""
    query = sql.SQL(
        "SELECT org_id, id, a.position IS NOT DISTINCT FROM b.position"
        " OR a.position IS NULL OR b.position IS NULL AS is_equally_far"
        " FROM {} AS a FULL JOIN {} AS b USING (org_id, id) ORDER BY org_id, id"
    ).format(sql.Identifier(SCHEMA, table.name), sql.Identifier(BESIDE, table.name))
    with connection.cursor(name=f"beside_{table.name}", row_factory=tuple_row) as cur:
        cur.execute(query)
        rows = iter(cur)
        while some := [*islice(rows, COMPARED_TOGETHER)]:
            keys = [(org_id, id_) for org_id, id_, is_equally_far in some if is_equally_far]
            yield keys, len(some) - len(keys)


@contextmanager
def _owner(url: str) -> Iterator[Connection[DictRow]]:
    """A connection with the rights of whoever migrates; RebuildError where these lack."""
    try:
        with translated(), connect(url) as connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise RebuildError(
            "Whoever DATABASE_URL names may not make tables here: use the one that migrates."
        ) from error
