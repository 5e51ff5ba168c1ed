"""Shadow rebuild: a new version of the fold fills tables of its own, which then replace the old.

Rule: the shadow tables have the names of the serving ones, in a schema of their own. So a runner or
a reader chooses between the two by its search path alone. The switch exchanges both sets in one
transaction, which never waits while it holds a lock that readers need. A reader sees the tables
from before or from after the switch. A second switch undoes the first.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection, Cursor, sql
from psycopg.rows import DictRow, TupleRow, tuple_row

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import (
    SCHEMA,
    SERVICE_ROLE,
    SHADOW_SCHEMA,
    connect,
    enter_schema,
    has_service_role,
    translated,
)
from projector.infrastructure.errors import ProjectorError
from projector.operations.diff import (
    MAX_LISTED,
    SubjectDifference,
    differences,
    read_columns,
    read_subjects,
    without_own_fields,
)
from projector.operations.refolded import tell_of_other_tables
from projector.projection.partitions import PROJECTION
from projector.projection.read_models import FOLD_VERSION, TABLES, Key, Table

SWAP_SCHEMA = f"{SCHEMA}_swap"
DERIVED = (
    *("projections", "bucket_counts", "parked"),
    *(name for table in TABLES for name in table.all_names),
)
SWITCH_SECONDS = 60.0  # a moment without readers and writers has to come within this time
STANDSTILL_SECONDS = 2.0  # the longest time for which one attempt stops all folding
CATCH_UP_EVENTS = 20_000  # that the shadow tables may be behind when an attempt starts
ATTEMPT_EVERY_SECONDS = 0.005
SUBJECTS_PER_COMPARISON = 200


class RebuildError(ProjectorError):
    """Shadow tables cannot be made, compared or switched; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldProgress:
    """How far one set of tables is."""

    fold: int  # the version that fills it
    position: int  # up to which all partitions are folded
    head: int  # the last position of the log


class ShadowChange(NamedTuple):
    """How the first field of a subject that differs has changed; of an interval its status."""

    kind: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowComparison:
    """How the shadow tables differ from the serving ones."""

    subjects: int  # that were compared
    count: int  # of them that differ
    changes: Mapping[ShadowChange, int]  # how many differ so, the most frequent ones first
    first: Sequence[SubjectDifference]
    not_comparable: int  # subjects that the two sets have folded up to different events


def begin(url: str) -> None:
    """Make empty shadow tables; RebuildError where there are some."""
    with _owner_connection(url) as connection, connection.transaction():
        if exists(connection):
            raise RebuildError(
                "There are shadow tables already: `projector rebuild status` says how far they are,"
                " `projector rebuild drop` removes them."
            )
        _create_empty(connection)


def _create_empty(connection: Connection[DictRow]) -> None:
    connection.execute(_CREATE_SCHEMA.format(schema=sql.Identifier(SHADOW_SCHEMA)))
    for name in DERIVED:
        _run_for_both(connection, _CREATE_TABLE, name)
    _run_for_both(connection, _COPY_PARTITIONS, "projections", {"fold": FOLD_VERSION})
    _run_for_both(connection, _COPY_BUCKETS, "bucket_counts")
    _grant_to_service(connection)


def empty_tables_of_another_fold(url: str) -> int | None:
    """Empty the serving tables where another version of the fold has filled them.

    Returns that version. Returns None, and changes nothing, where they are of this release's own
    version, or where there are shadow tables: then somebody rebuilds them side by side.
    """
    with _owner_connection(url) as connection, connection.transaction():
        serving = _progress(connection, SCHEMA)
        if serving.position == 0 or serving.fold == FOLD_VERSION or exists(connection):
            return None
        _create_empty(connection)
        _exchange(connection)
        _drop(connection)
        return serving.fold


def drop(url: str) -> None:
    """Remove the shadow tables, if there are any."""
    with _owner_connection(url) as connection:
        _drop(connection)


def _drop(connection: Connection[DictRow]) -> None:
    connection.execute(
        sql.SQL("DROP SCHEMA IF EXISTS {schema} CASCADE").format(
            schema=sql.Identifier(SHADOW_SCHEMA)
        )
    )


def exists(connection: Connection[DictRow]) -> bool:
    rows = connection.execute(
        "SELECT FROM pg_namespace WHERE nspname = %(schema)s", {"schema": SHADOW_SCHEMA}
    )
    return rows.fetchone() is not None


def progress(connection: Connection[DictRow]) -> tuple[FoldProgress, FoldProgress]:
    """Of the serving and of the shadow tables; RebuildError where there are no shadow tables."""
    if not exists(connection):
        raise RebuildError("There are no shadow tables: `projector rebuild begin` makes them.")
    return _progress(connection, SCHEMA), _progress(connection, SHADOW_SCHEMA)


def _progress(connection: Connection[DictRow], schema: str) -> FoldProgress:
    query = _FOLD_PROGRESS.format(
        log=sql.Identifier(SCHEMA, "log"), projections=sql.Identifier(schema, "projections")
    )
    row = connection.execute(query, {"projection": PROJECTION}).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always has one
    return FoldProgress(fold=row["fold"] or 0, position=row["position"] or 0, head=row["head"])


_CREATE_SCHEMA = sql.SQL("CREATE SCHEMA {schema}")
_CREATE_TABLE = sql.SQL("CREATE TABLE {shadow} (LIKE {serving} INCLUDING ALL)")
_COPY_PARTITIONS = sql.SQL("""
    INSERT INTO {shadow} (name, partition, fold_version)
    SELECT name, partition, %(fold)s FROM {serving}
""")
_COPY_BUCKETS = sql.SQL("""
    INSERT INTO {shadow} (name, kind, bucket) SELECT name, kind, bucket FROM {serving}
""")
_GRANTS = (
    sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}"),
    sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"),
)
_FOLD_PROGRESS = sql.SQL("""
    SELECT max(fold_version) AS fold, min(position) AS position,
        (SELECT coalesce(max(position), 0) FROM {log}) AS head
    FROM {projections} WHERE name = %(projection)s
""")


def _run_for_both(
    connection: Connection[DictRow],
    statement: sql.SQL,
    table: str,
    parameters: dict[str, object] | None = None,
) -> None:
    query = statement.format(
        shadow=sql.Identifier(SHADOW_SCHEMA, table), serving=sql.Identifier(SCHEMA, table)
    )
    connection.execute(query, parameters)


def _grant_to_service(connection: Connection[DictRow]) -> None:
    if has_service_role(connection):
        names = {"schema": sql.Identifier(SHADOW_SCHEMA), "role": sql.Identifier(SERVICE_ROLE)}
        for grant in _GRANTS:
            connection.execute(grant.format(**names))


# --- the switch ---


def switch(url: str, *, seconds: float = SWITCH_SECONDS) -> tuple[FoldProgress, FoldProgress]:
    """Exchange both sets, as soon as the shadow tables have caught up and nobody reads either set.

    Returns the progress of the tables that serve then, and of those that are the shadow then.
    RebuildError where no such moment comes within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    with _owner_connection(url) as connection:
        obstacle = "the shadow tables are behind: is `projector rebuild follow` running?"
        while time.monotonic() < deadline:
            serving, shadow = progress(connection)
            if shadow.position + CATCH_UP_EVENTS >= serving.position:
                with connection.transaction():
                    obstacle = _try_to_switch(connection)
                    if not obstacle:
                        return progress(connection)
            time.sleep(ATTEMPT_EVERY_SECONDS)
    raise RebuildError(f"Not switched within {seconds:.0f} s: {obstacle}")


def _try_to_switch(connection: Connection[DictRow]) -> str:
    """Exchange both sets; else say what prevents it, and change nothing.

    Locked partitions stop runners alone, which pass over them. So the serving tables stand still
    first, then the shadow tables reach them, and then a moment without readers is waited for.
    """
    _lock_partitions(connection, SCHEMA)
    if not _comes_true(lambda: _has_caught_up(connection)):
        return "the shadow tables do not catch up."
    _lock_partitions(connection, SHADOW_SCHEMA)
    if not _comes_true(lambda: _lock_all_tables(connection)):
        return "somebody reads the tables all the time."
    _exchange(connection)
    return ""


def _lock_partitions(connection: Connection[DictRow], schema: str) -> None:
    query = sql.SQL("SELECT FROM {projections} ORDER BY name, partition FOR UPDATE")
    connection.execute(query.format(projections=sql.Identifier(schema, "projections")))


def _has_caught_up(connection: Connection[DictRow]) -> bool:
    serving, shadow = progress(connection)
    return shadow.position >= serving.position


def _lock_all_tables(connection: Connection[DictRow]) -> bool:
    """Lock all tables of both sets at once, or none; False where one of them is in use.

    A lock that waits would make all who come after it wait.
    """
    names = [sql.Identifier(schema, name) for schema in (SCHEMA, SHADOW_SCHEMA) for name in DERIVED]
    lock = sql.SQL("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT")
    try:
        with connection.transaction():
            connection.execute(lock.format(tables=sql.SQL(", ").join(names)))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _comes_true(condition: Callable[[], bool]) -> bool:
    """Whether a condition becomes true within ``STANDSTILL_SECONDS``."""
    deadline = time.monotonic() + STANDSTILL_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(ATTEMPT_EVERY_SECONDS)
    return True


def _exchange(connection: Connection[DictRow]) -> None:
    move = sql.SQL("ALTER TABLE {table} SET SCHEMA {schema}")
    connection.execute(_CREATE_SCHEMA.format(schema=sql.Identifier(SWAP_SCHEMA)))
    for name in DERIVED:
        for old, new in (
            (SCHEMA, SWAP_SCHEMA),
            (SHADOW_SCHEMA, SCHEMA),
            (SWAP_SCHEMA, SHADOW_SCHEMA),
        ):
            connection.execute(
                move.format(table=sql.Identifier(old, name), schema=sql.Identifier(new))
            )
    connection.execute(sql.SQL("DROP SCHEMA {schema}").format(schema=sql.Identifier(SWAP_SCHEMA)))
    tell_of_other_tables(connection, old_schema=SHADOW_SCHEMA)


# --- the comparison ---


def compare(url: str) -> ShadowComparison:
    """Compare what both sets show of each subject that both have folded up to the same event.

    Of sets that two versions of the fold have filled, the columns are compared, as of now.
    """
    first: list[SubjectDifference] = []
    changes: Counter[ShadowChange] = Counter()
    subjects = count = not_comparable = 0
    with translated(), connect(url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        serving, shadow = progress(connection)
        have_one_fold = serving.fold == shadow.fold
        for table in TABLES:
            for keys, others in _comparable_subjects(connection, table):
                with connection.cursor(row_factory=tuple_row) as cur:
                    differing = _differences(
                        cur, connection, table, keys, now=None if have_one_fold else now_ms()
                    )
                subjects += len(keys)
                not_comparable += others
                count += len(differing)
                changes.update(map(_change, differing))
                first += differing[: MAX_LISTED - len(first)]
    return ShadowComparison(
        subjects=subjects,
        count=count,
        changes=dict(changes.most_common(MAX_LISTED)),
        first=first,
        not_comparable=not_comparable,
    )


def _change(difference: SubjectDifference) -> ShadowChange:
    before, after = map(_in_short, (difference.before, difference.after))
    return ShadowChange(difference.kind, difference.field, before, after)


def _in_short(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("status", "…")
    return value if isinstance(value, str) else "none" if value in (None, []) else "…"


def _differences(
    cur: Cursor[TupleRow],
    connection: Connection[DictRow],
    table: Table[Any],
    keys: Sequence[Key],
    *,
    now: int | None,
) -> list[SubjectDifference]:
    """By views, or by the columns as of ``now`` (epoch ms)."""
    read = read_subjects if now is None else partial(read_columns, now=now)
    enter_schema(connection, SCHEMA)
    serving = read(cur, table, keys)
    enter_schema(connection, SHADOW_SCHEMA, SCHEMA)
    shadow = read(cur, table, keys)
    enter_schema(connection, SCHEMA)
    if now is not None:
        serving, shadow = without_own_fields(serving, shadow)
    return differences(table, keys, serving, shadow)


_COMPARABLE = sql.SQL("""
    SELECT org_id, id,
        a.position IS NOT DISTINCT FROM b.position OR a.position IS NULL OR b.position IS NULL
            AS is_comparable
    FROM {serving} AS a FULL JOIN {shadow} AS b USING (org_id, id) ORDER BY org_id, id
""")


def _comparable_subjects(
    connection: Connection[DictRow], table: Table[Any]
) -> Iterator[tuple[list[Key], int]]:
    """Subjects that can be compared, some at a time, and how many between them cannot."""
    query = _COMPARABLE.format(
        serving=sql.Identifier(SCHEMA, table.name), shadow=sql.Identifier(SHADOW_SCHEMA, table.name)
    )
    with connection.cursor(name=f"shadow_{table.name}", row_factory=tuple_row) as cur:
        cur.execute(query)
        rows = iter(cur)
        while some := [*islice(rows, SUBJECTS_PER_COMPARISON)]:
            keys = [(org_id, id_) for org_id, id_, is_comparable in some if is_comparable]
            yield keys, len(some) - len(keys)


@contextmanager
def _owner_connection(url: str) -> Iterator[Connection[DictRow]]:
    """A connection with the rights of the user that migrates; RebuildError without them."""
    try:
        with translated(), connect(url) as connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise RebuildError(
            "The user of DATABASE_URL may not make tables here: use the one that migrates."
        ) from error
