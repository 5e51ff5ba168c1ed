"""Parked subjects: an operator lists them, retries them, or leaves the parked event out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from projector.domain.events import BUCKETS_PER_PARTITION
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import VIEWS_CHANNEL, Pool, consistent_read, translated
from projector.infrastructure.errors import ProjectorError
from projector.projection.parking import fold_waiting
from projector.projection.partitions import PROJECTION, lock_partition
from projector.projection.read_models import TABLES, Key, Table
from projector.query.scope import Scope, names

ParkedCursor = tuple[str, str, str]  # organisation, kind and id


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


class Parking:
    """Lists what is parked, and lets it go on."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    def list(
        self, scope: Scope, *, after: ParkedCursor | None = None, limit: int = 100
    ) -> tuple[Sequence[Parked], ParkedCursor | None]:
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
        after: ParkedCursor,
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
            "name": PROJECTION,
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
            head = lock_partition(cur, table.partition_of(key))
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
