"""Lists of views as they are now, and how far the projection has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow
from pydantic import BaseModel

from projector.domain.fold import Fold, S
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import Key, Table
from projector.query.conditions import SHOWN_FACETS, among_ids, with_facets
from projector.query.own_fold import read_views
from projector.query.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which views of a list: by id and by facets.

    By organisation and id, after the key ``after``; or with ``newest`` the last changed first.
    """

    ids: Sequence[str] | None = None
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    after: Key | None = None
    limit: int = 100
    newest: bool = False


class Views:
    """Queries over the tables of views; each answer is from one database snapshot."""

    def __init__(
        self, pool: Pool, delays: ArrivalDelays, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._pool = pool
        self._delays = delays
        self._clock = clock

    def list(
        self, table: Table[S], scope: Scope, selection: Selection
    ) -> tuple[Sequence[BaseModel], Key | None]:
        """The selected views, and the key after which to go on, null at the end."""
        now = self._clock()
        with read_views(self._pool) as cur:
            rows, last_key = select_rows(cur, table, scope, selection, now)
        return [self._view(table, row, now) for row in rows], last_key

    def count(self, table: Table[S], scope: Scope, facet: str) -> dict[str, int]:
        """How many views show each value of a facet that has one value."""
        query = sql.SQL(
            "SELECT ({})->%(facet)s->>0, count(*) FROM {} AS v WHERE {} AND {} GROUP BY 1"
        ).format(
            SHOWN_FACETS, sql.Identifier(table.name), scope.organisations(), scope.teams(table)
        )
        parameters = scope.parameters | {"now": self._clock(), "facet": facet}
        with read_views(self._pool) as cur:
            return dict(cur.execute(query, parameters).fetchall())

    def _view(self, table: Table[S], row: TupleRow, now: int) -> BaseModel:
        org_id, id_, text, counters = row
        state = current_state(table, text, counters, now)
        return table.view(org_id, id_, state, settled=self._delays.settled(org_id, state, now))

    def position(self) -> int:
        """The log position up to which the views are folded."""
        with translated(), self._pool.connection() as connection:
            row = connection.execute("SELECT min(position) AS position FROM projections").fetchone()
            return (row and row["position"]) or 0


def select_rows(
    cur: Cursor[TupleRow], table: Table[S], scope: Scope, selection: Selection, now: int
) -> tuple[Sequence[TupleRow], Key | None]:
    """The selected rows as of ``now`` (epoch ms), and the key after which to go on.

    A row has organisation, id, stored state and counters. The key is null at the end.
    """
    query, parameters = _list_query(table, scope, selection, now)
    rows = cur.execute(query, parameters).fetchall()
    page = rows[: selection.limit]
    return page, (page[-1][0], page[-1][1]) if len(rows) > len(page) else None


def current_state(table: Table[S], text: str, counters: Mapping[str, int], now: int) -> S:
    """A stored state, and what the passing of time has changed in it up to ``now`` (epoch ms)."""
    return Fold(table.load(text, counters)).advance_to(now).state


def _list_query(
    table: Table[S], scope: Scope, selection: Selection, now: int
) -> tuple[sql.Composed, dict[str, Any]]:
    conditions: list[sql.Composable] = [scope.organisations(), scope.teams(table)]
    parameters = scope.parameters | {"now": now, "limit": selection.limit + 1}
    chosen, among = among_ids(selection.ids, selection.after)
    conditions += chosen
    parameters |= among
    fitting, values = with_facets(selection.facets)
    conditions += fitting
    parameters |= values
    query = sql.SQL(
        "SELECT org_id, id, state, counters FROM {} AS v WHERE {}"
        " ORDER BY {}org_id, id LIMIT %(limit)s"
    ).format(
        sql.Identifier(table.name),
        sql.SQL(" AND ").join(conditions),
        sql.SQL("last_event_time DESC, " if selection.newest else ""),
    )
    return query, parameters
