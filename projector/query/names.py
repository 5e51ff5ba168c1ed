"""The directory as it is read: names by page, and the names of the ids in an answer.

Rule: a caller of some teams sees those teams and their agents, and no other one. Queues, sites,
codes and entry points belong to all teams of their organisation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import DictRow

from projector.contract.names import NameKind, NameRow, NamesByKind
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.sql import Columns
from projector.projection.read_models import AGENTS
from projector.query.scope import Scope, names

NameKey = tuple[str, str, str]  # organisation, kind and id
NAMES_TOGETHER = 1_000


class Directory:
    """Reads names."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def page(
        self,
        scope: Scope,
        *,
        kinds: Sequence[str] = (),
        ids: Sequence[str] = (),
        after: NameKey | None = None,
        limit: int = 100,
    ) -> tuple[Sequence[NameRow], NameKey | None]:
        """Names by organisation, kind and id, and the key after which to go on."""
        conditions = [sql.SQL("(org_id, kind, id) > (%(after_org)s, %(after_kind)s, %(after_id)s)")]
        if kinds:
            conditions.append(sql.SQL("kind = ANY(%(kinds)s)"))
        if ids:
            conditions.append(sql.SQL("id = ANY(%(ids)s)"))
        query = _ROWS.format(
            seen=_seen(scope), condition=sql.SQL(" AND ").join(conditions), limit=limit + 1
        )
        after_org, after_kind, after_id = after or ("", "", "")
        parameters = {
            **scope.parameters,
            "after_org": after_org,
            "after_kind": after_kind,
            "after_id": after_id,
            "kinds": [*kinds],
            "ids": names(ids),
        }
        with self._reading() as connection:
            rows = [NameRow.model_validate(row) for row in connection.execute(query, parameters)]
        page = rows[:limit]
        last_key = (page[-1].org_id, page[-1].kind, page[-1].id) if len(rows) > limit else None
        return page, last_key

    def rows(
        self, scope: Scope, *, kinds: Sequence[str] = (), ids: Sequence[str] = ()
    ) -> Iterator[NameRow]:
        """All names, some of them in memory at a time."""
        after: NameKey | None = None
        while True:
            page, after = self.page(scope, kinds=kinds, ids=ids, after=after, limit=NAMES_TOGETHER)
            yield from page
            if after is None:
                return

    def of_ids(self, scope: Scope, ids: Iterable[tuple[NameKind, str]]) -> NamesByKind:
        """The names of some ids by kind and id, as far as the caller may see them.

        An id that has several names, in several organisations, has none here.
        """
        wanted = [(kind, id_) for kind, id_ in sorted({*ids}) if "\0" not in id_]
        if not wanted:
            return {}
        condition = sql.SQL("(kind, id) IN (SELECT * FROM {})").format(_WANTED.unnest("w"))
        return self._by_kind(scope, condition, _WANTED.parameters(wanted))

    def of_kinds(self, scope: Scope, kinds: Iterable[NameKind]) -> NamesByKind:
        """All names of some kinds, in the same way."""
        return self._by_kind(scope, sql.SQL("kind = ANY(%(kinds)s)"), {"kinds": sorted({*kinds})})

    def _by_kind(
        self, scope: Scope, condition: sql.Composable, parameters: Mapping[str, Any]
    ) -> NamesByKind:
        found: dict[str, dict[str, str]] = {}
        query = _BY_KIND.format(seen=_seen(scope), condition=condition)
        with self._reading() as connection:
            for row in connection.execute(query, {**scope.parameters, **parameters}):
                found.setdefault(row["kind"], {})[row["id"]] = row["name"]
        return found

    @contextmanager
    def _reading(self) -> Iterator[Connection[DictRow]]:
        with translated(), self._pool.connection() as connection:
            yield connection


def _seen(scope: Scope) -> sql.Composable:
    """The condition of names ``n`` that the caller may see."""
    if scope.team_ids is None:
        return scope.organisations()
    return sql.SQL("({} AND {})").format(
        scope.organisations(), _OF_TEAMS.format(of_teams=scope.teams(AGENTS))
    )


_OF_TEAMS = sql.SQL("""CASE kind
    WHEN 'team' THEN id = ANY(%(teams)s)
    WHEN 'agent' THEN EXISTS (
        SELECT FROM agents AS v WHERE v.org_id = n.org_id AND v.id = n.id AND {of_teams}
    )
    ELSE TRUE
END""")
_ROWS = sql.SQL("""
    SELECT org_id, kind, id, name, source, updated_time FROM known_names AS n
    WHERE {seen} AND {condition} ORDER BY org_id, kind, id LIMIT {limit}
""")
_WANTED = Columns({"wanted_kind": "text", "wanted_id": "text"})
_BY_KIND = sql.SQL("""
    SELECT kind, id, min(name) AS name FROM known_names AS n
    WHERE {condition} AND {seen}
    GROUP BY kind, id HAVING count(DISTINCT name) = 1
""")
