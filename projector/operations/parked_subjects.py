"""Parked subjects: an operator lists them, retries them, or skips the parked event."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from projector.domain.events import BUCKETS_PER_PARTITION
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, consistent_read, translated
from projector.infrastructure.errors import ProjectorError
from projector.operations.refolded import read_shown, tell_of_subjects
from projector.projection.parking import fold_waiting
from projector.projection.partitions import PROJECTION, lock_partition
from projector.projection.read_models import TABLES, Key, Table
from projector.query.scope import Scope, names

ParkedKey = tuple[str, str, str]  # organisation, kind and id
log = logging.getLogger(__name__)


class NotParked(ProjectorError):  # noqa: N818 - named for what callers say
    """No such subject is parked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRecord:
    """A subject whose events from ``position`` on wait. Times are epoch ms."""

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
class Resumption:
    """How a parked subject goes on, who wants it so, and why."""

    is_skip: bool
    who: str
    why: str | None

    def text(self) -> str:
        done = "skipped" if self.is_skip else "retried"
        return f"{done} by {self.who}" + (f" ({self.why})" if self.why else "")


class ParkedSubjects:
    """Lists parked subjects, and lets them go on."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    def list(
        self, scope: Scope, *, after: ParkedKey | None = None, limit: int = 100
    ) -> tuple[Sequence[ParkedRecord], ParkedKey | None]:
        """Parked subjects by organisation, kind and id, and the key after which to go on."""
        rows = self._find(scope, after=after or ("", "", ""), limit=limit + 1)
        page = rows[:limit]
        last_key = (page[-1].org_id, page[-1].kind, page[-1].id) if len(rows) > limit else None
        return page, last_key

    def find(self, scope: Scope, kind: str, id_: str) -> ParkedRecord | None:
        """One parked subject of the scope's organisation; null where none is."""
        subjects = self._find(scope, after=("", "", ""), limit=1, kind=kind, ids=names([id_]))
        return subjects[0] if subjects else None

    def _find(
        self,
        scope: Scope,
        *,
        after: ParkedKey,
        limit: int,
        kind: str | None = None,
        ids: Sequence[str] | None = None,
    ) -> Sequence[ParkedRecord]:
        parts = [
            sql.SQL(_OF_KIND).format(
                subject=table.subject,
                kind=table.name,
                organisations=scope.organisations(),
                teams=_in_teams(table, scope),
                own_events=_OWN_EVENTS[table.column],
            )
            for table in TABLES
            if kind in {None, table.subject}
        ]
        query = sql.SQL("SELECT * FROM ({}) AS p ORDER BY 1, 2, 3 LIMIT %(limit)s").format(
            sql.SQL(" UNION ALL ").join(parts)
        )
        parameters = scope.parameters | {
            "ids": ids,
            "after_org": after[0],
            "after_kind": after[1],
            "after_id": after[2],
            "limit": limit,
            "name": PROJECTION,
            "width": BUCKETS_PER_PARTITION,
        }
        with consistent_read(self._pool) as cur:
            rows = cur.execute(query, parameters).fetchall()
        return [ParkedRecord(**dict(zip(_LISTED, row, strict=True))) for row in rows]

    def retry(self, kind: str, org_id: str, id_: str, *, who: str, why: str | None) -> int:
        """Fold the waiting events; how many were folded.

        The subject is parked again where that fails. Raises NotParked where it is not parked. The
        log of the service says who asked and why.
        """
        return self._resume(kind, (org_id, id_), Resumption(is_skip=False, who=who, why=why))

    def skip(self, kind: str, org_id: str, id_: str, *, who: str, why: str | None) -> int:
        """Leave the parked event out of this subject for good, and fold the others as ``retry``.

        Who asked and why is kept with the event that is left out, too.
        """
        return self._resume(kind, (org_id, id_), Resumption(is_skip=True, who=who, why=why))

    def _resume(self, kind: str, key: Key, resumption: Resumption) -> int:
        table = next(table for table in TABLES if table.subject == kind)
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row, binary=True) as cur,
        ):
            head = lock_partition(cur, table.partition_of(key))
            row = cur.execute(
                "DELETE FROM parked WHERE kind = %(kind)s AND org_id = %(org_id)s AND id = %(id)s"
                " RETURNING position, event_position, cause",
                {"kind": table.name, "org_id": key[0], "id": key[1]},
            ).fetchone()
            if row is None:
                raise NotParked(f"No {kind} {key[1]!r} of {key[0]!r} is parked.")
            position, event_position, cause = row
            if resumption.is_skip:
                cur.execute(
                    "INSERT INTO skipped (kind, position, cause, skipped_time)"
                    " VALUES (%(kind)s, %(position)s, %(cause)s, %(now)s)",
                    {
                        "kind": table.name,
                        "position": event_position,
                        "cause": f"{resumption.text()}: {cause}",
                        "now": now_ms(),
                    },
                )
            shown = read_shown(cur, table, [key])
            folded = fold_waiting(cur, self._store, table, key, after=position - 1, head=head)
            tell_of_subjects(cur, table, shown, {key: head} if folded else {})
        log.warning("%s %r of %r was %r", kind, key[1], key[0], resumption.text())
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
            WHERE e.org_id = p.org_id AND {own_events} AND e.position >= p.position
                AND e.position <= l.position) AS waiting
    FROM (SELECT * FROM parked WHERE {organisations}) AS p
    JOIN log c ON c.position = p.event_position
    WHERE p.kind = {kind} AND {teams} AND (%(ids)s::text[] IS NULL OR p.id = ANY(%(ids)s))
        AND (p.org_id, {subject}, p.id) > (%(after_org)s, %(after_kind)s, %(after_id)s)
    ORDER BY p.org_id, p.id LIMIT %(limit)s
)"""
_OWN_EVENTS = {
    "agent_id": sql.SQL("e.agent_id = p.id AND e.agent_bucket = p.bucket"),
    "task_id": sql.SQL("e.task_id = p.id AND e.task_bucket = p.bucket"),
}


def _in_teams(table: Table[Any], scope: Scope) -> sql.Composable:
    """By the stored view; a subject without a view belongs to no team."""
    if scope.team_ids is None:
        return sql.SQL("TRUE")
    return sql.SQL(
        "EXISTS (SELECT FROM {} AS v WHERE v.org_id = p.org_id AND v.id = p.id AND {})"
    ).format(sql.Identifier(table.name), scope.teams(table))
