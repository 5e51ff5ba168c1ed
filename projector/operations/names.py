"""Names that come in: an operator's import, the vendor's configuration, rows that were read.

Rule: each source keeps its own name of an id, so that what one takes back another still says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg import sql

from projector.contract.names import ImportedNames, NameKind, NameSource
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.sql import Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class NameEntry:
    """What a source calls an id; null: it has no name for it."""

    org_id: str
    kind: NameKind
    id: str
    name: str | None


class NameStore:
    """Keeps names. ``clock`` gives the time of a change, epoch ms."""

    def __init__(self, pool: Pool, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._clock = clock

    def keep(self, source: NameSource, entries: Sequence[NameEntry]) -> ImportedNames:
        """Keep what a source says now of some ids, in one transaction; of an id twice the last."""
        last = {(it.org_id, it.kind, it.id): it.name for it in entries}
        kept = [(*key, name) for key, name in last.items() if name is not None]
        gone = [key for key, name in last.items() if name is None]
        parameters = {"source": source, "time": self._clock()}
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor() as cur,
        ):
            if kept:
                cur.execute(_KEEP, parameters | _KEPT.parameters(kept))
            if gone:
                cur.execute(_REMOVE, parameters | _GONE.parameters(gone))
                removed = cur.rowcount
        return ImportedNames(stored=len(kept), removed=removed if gone else 0)


_KEPT = Columns({"org_id": "text", "kind": "text", "id": "text", "name": "text"})
_GONE = Columns({"org_id": "text", "kind": "text", "id": "text"})
# Sorted, so that two imports at a time do not wait for each other in a circle.
_KEEP = sql.SQL("""
    INSERT INTO names (org_id, kind, id, source, name, updated_time)
    SELECT org_id, kind, id, %(source)s, name, %(time)s FROM {rows} ORDER BY 1, 2, 3
    ON CONFLICT (org_id, kind, id, source) DO UPDATE
        SET name = excluded.name, updated_time = excluded.updated_time
        WHERE names.name <> excluded.name
""").format(rows=_KEPT.unnest("k"))
_REMOVE = sql.SQL("""
    DELETE FROM names USING {rows} WHERE names.source = %(source)s
        AND names.org_id = k.org_id AND names.kind = k.kind AND names.id = k.id
""").format(rows=_GONE.unnest("k"))
