"""Parking: a subject whose next event cannot be folded waits with its cause; the others flow.

The rule of this file: nothing is lost by it. The parked event and those after it stay in the log,
and are folded when somebody has put the cause right (retry) or left the event out (skip).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from psycopg import Cursor, sql
from psycopg.rows import TupleRow, tuple_row

from projector.domain.events import BUCKETS_PER_PARTITION
from projector.event_log.reader import Entry
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import (
    VIEWS_CHANNEL,
    Pool,
    consistent_read,
    first_line,
    is_passing,
    translated,
)
from projector.infrastructure.errors import ProjectorError
from projector.projection.batch import project
from projector.projection.partitions import NAME, count_projected, hold
from projector.projection.read_models import TABLES, Key, Table
from projector.query.scope import Scope, names

ParkedPlace = tuple[str, str, str]  # organisation, kind and id
WAITING_READ = 2_000  # events of a parked subject that are read at a time
CAUSE_LENGTH = 500

# Data, constraints, and limits of a value's size: what the event brings. All else is not its fault.
_BROUGHT_BY_EVENTS = ("22", "23", "54")


class NotParked(ProjectorError):  # noqa: N818 - named for what callers say
    """No such subject is parked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A subject that waits; of the log, from ``position`` on."""

    kind: str  # agent or task
    org_id: str
    id: str
    position: int
    event_position: int  # of the event that cannot be folded
    event_id: str
    cause: str
    parked_time: int
    waiting: int  # events, the parked one included


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What a page must not fold: subjects that are parked, and events that were skipped."""

    parked: Mapping[str, Collection[Key]]
    skipped: Collection[tuple[str, int]]


NOTHING = LeftOut(parked={table.name: () for table in TABLES}, skipped=())


def left_out(cur: Cursor[TupleRow], after: int, end: int) -> LeftOut:
    """What to leave out of the positions above one and up to another."""
    parked: dict[str, set[Key]] = {table.name: set() for table in TABLES}
    skipped: set[tuple[str, int]] = set()
    for kind, org_id, id_, position in cur.execute(_LEFT_OUT, (after, end), prepare=True):
        if position is None:
            parked[kind].add((org_id, id_))
        else:
            skipped.add((kind, position))
    return LeftOut(parked=parked, skipped=skipped)


_LEFT_OUT = """
    SELECT kind, org_id, id, NULL::bigint FROM parked
    UNION ALL
    SELECT kind, NULL, NULL, position FROM skipped WHERE position > %s AND position <= %s
"""


def project_or_park(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    entries: Sequence[Entry],
) -> int:
    """Fold one subject's events, request by request; how many, until one could not be folded."""
    folded = 0
    for _, told in groupby(entries, key=lambda entry: entry.request_position):
        request = list(told)
        cause = _try(cur, store, table, key, request)
        if cause is not None:
            culprit = _culprit(cur, store, table, key, request)
            _park(cur, table, key, request, culprit=culprit, cause=cause)
            break
        folded += len(request)
    return folded


def _try(  # noqa: PLR0913 - whose events, and whether they stay folded
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
    *,
    keep: bool = True,
) -> str | None:
    """Why some events cannot be folded; null where they are."""
    try:
        with cur.connection.transaction(force_rollback=not keep):
            new = {key: [entry.recorded() for entry in request]}
            project(cur, store, table, new, known_position=request[0].position - 1)
    except psycopg.Error as error:
        if is_passing(error) or (error.sqlstate or "22")[:2] not in _BROUGHT_BY_EVENTS:
            raise
        return first_line(error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must flow
        return f"{type(error).__name__}: {error}"
    return None


def _culprit(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
) -> Entry:
    """The event of a request that cannot be folded: the first that fails with those before it."""
    for upto in range(1, len(request)):
        if _try(cur, store, table, key, request[:upto], keep=False) is not None:
            return request[upto - 1]
    return request[-1]


def _park(  # noqa: PLR0913 - who waits, for what, and why
    cur: Cursor[TupleRow],
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
    *,
    culprit: Entry,
    cause: str,
) -> None:
    cur.execute(
        "INSERT INTO parked (kind, org_id, id, bucket, position, event_position, cause,"
        " parked_time) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            table.name,
            *key,
            table.bucket_of(key),
            request[0].position,
            culprit.position,
            # Text that the database takes, whatever the cause said.
            cause.encode("utf-8", "replace").decode().replace("\0", "")[:CAUSE_LENGTH],
            now_ms(),
        ),
    )


# --- what an operator does ------------------------------------------------------------------------


class Parking:
    """Lists what is parked, and lets it go on."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    def list(
        self, scope: Scope, *, after: ParkedPlace | None = None, limit: int = 100
    ) -> tuple[Sequence[Parked], ParkedPlace | None]:
        """Parked subjects by organisation, kind and id, and where to go on."""
        rows = self._find(scope, after=after or ("", "", ""), limit=limit + 1)
        page = rows[:limit]
        place = (page[-1].org_id, page[-1].kind, page[-1].id) if len(rows) > limit else None
        return page, place

    def find(self, scope: Scope, kind: str, id_: str) -> Parked | None:
        """One parked subject of the scope's organisation; null where none is."""
        found = self._find(scope, after=("", "", ""), limit=1, kind=kind, ids=names([id_]))
        return found[0] if found else None

    def _find(
        self,
        scope: Scope,
        *,
        after: ParkedPlace,
        limit: int,
        kind: str | None = None,
        ids: Sequence[str] | None = None,
    ) -> Sequence[Parked]:
        parts = [
            sql.SQL(_OF_KIND).format(
                subject=table.subject,
                kind=table.name,
                organisations=scope.organisations(),
                teams=_in_teams(table, scope),
                mine=_MINE[table.column],
            )
            for table in TABLES
            if kind in {None, table.subject}
        ]
        query = sql.SQL("SELECT * FROM ({}) AS p ORDER BY 1, 2, 3 LIMIT %(limit)s").format(
            sql.SQL(" UNION ALL ").join(parts)
        )
        parameters = scope.parameters | {
            "ids": ids,
            "after": list(after),
            "limit": limit,
            "name": NAME,
            "width": BUCKETS_PER_PARTITION,
        }
        with consistent_read(self._pool) as cur:
            rows = cur.execute(query, parameters).fetchall()
        return [Parked(**dict(zip(_LISTED, row, strict=True))) for row in rows]

    def retry(self, kind: str, org_id: str, id_: str) -> int:
        """Fold what waits; how many events were. Parked again where it still fails."""
        return self._resume(kind, (org_id, id_), reason=None)

    def skip(self, kind: str, org_id: str, id_: str) -> int:
        """Leave the parked event out of this subject for good, and fold the rest."""
        return self._resume(kind, (org_id, id_), reason="skipped by an operator")

    def _resume(self, kind: str, key: Key, *, reason: str | None) -> int:
        table = next(table for table in TABLES if table.subject == kind)
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row, binary=True) as cur,
        ):
            head = hold(cur, table.partition_of(key))
            row = cur.execute(
                "DELETE FROM parked WHERE kind = %s AND org_id = %s AND id = %s"
                " RETURNING position, event_position, cause",
                (table.name, *key),
            ).fetchone()
            if row is None:
                raise NotParked(f"No {kind} {key[1]!r} of {key[0]!r} is parked.")
            position, culprit, cause = row
            if reason is not None:
                cur.execute(
                    "INSERT INTO skipped (kind, position, cause, skipped_time)"
                    " VALUES (%s, %s, %s, %s)",
                    (table.name, culprit, f"{reason}: {cause}", now_ms()),
                )
            folded = fold_waiting(cur, self._store, table, key, after=position - 1, head=head)
            cur.execute("SELECT pg_notify(%s, %s)", (VIEWS_CHANNEL, str(head)))
            return folded


def fold_waiting(  # noqa: PLR0913 - whose events, and which part of the log
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    *,
    after: int,
    head: int,
) -> int:
    """Fold a subject's events above one position and up to another, and count them; how many.

    Until one cannot be folded: then the subject is parked.
    """
    total = 0
    while entries := store.waiting(
        cur, table.column, *key, after=after, upto=head, limit=WAITING_READ
    ):
        skipped = left_out(cur, after, entries[-1].position).skipped
        wanted = [it for it in entries if (table.name, it.position) not in skipped]
        folded = project_or_park(cur, store, table, key, wanted)
        done = folded == len(wanted)
        passed = len(entries) if done else _place(entries, wanted[folded].position)
        count_projected(cur, (table.name, table.bucket_of(key)), passed)
        total += folded
        if not done:
            break
        after = entries[-1].position
    return total


def _place(entries: Sequence[Entry], position: int) -> int:
    return next(place for place, entry in enumerate(entries) if entry.position == position)


_LISTED = (
    "org_id",
    "kind",
    "id",
    "position",
    "event_position",
    "event_id",
    "cause",
    "parked_time",
    "waiting",
)
_OF_KIND = """(
    SELECT p.org_id, {subject} AS kind, p.id, p.position, p.event_position, c.event_id, p.cause,
        p.parked_time,
        (SELECT count(*) FROM log e JOIN projections l
            ON l.name = %(name)s AND l.partition = p.bucket / %(width)s
            WHERE e.org_id = p.org_id AND {mine} AND e.position >= p.position
                AND e.position <= l.position) AS waiting
    FROM (SELECT * FROM parked WHERE {organisations}) AS p
    JOIN log c ON c.position = p.event_position
    WHERE p.kind = {kind} AND {teams} AND (%(ids)s::text[] IS NULL OR p.id = ANY(%(ids)s))
        AND (p.org_id, {subject}, p.id) > ((%(after)s::text[])[1], (%(after)s::text[])[2],
            (%(after)s::text[])[3])
    ORDER BY p.org_id, p.id LIMIT %(limit)s
)"""
_MINE = {
    "agent_id": sql.SQL("e.agent_id = p.id AND e.agent_bucket = p.bucket"),
    "task_id": sql.SQL("e.task_id = p.id AND e.task_bucket = p.bucket"),
}


def _in_teams(table: Table[Any], scope: Scope) -> sql.Composable:
    """By the view as it stands; who has none yet is of no team."""
    if scope.team_ids is None:
        return sql.SQL("TRUE")
    return sql.SQL(
        "EXISTS (SELECT FROM {} AS v WHERE v.org_id = p.org_id AND v.id = p.id AND {})"
    ).format(sql.Identifier(table.name), scope.teams(table))
