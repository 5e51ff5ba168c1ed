"""The past: single views, lists and histories as of two times; now is one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow
from pydantic import BaseModel

from projector.contract.intervals import TaskInterval, interval_rows
from projector.domain.fold import S
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, consistent_read
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import Key, Table
from projector.query.as_of.reconstruct import AsOf, Recalled, intervals_known, recall, teams
from projector.query.conditions import EXISTED, MAY_BE_OPEN, among_ids, fits, period_parameters
from projector.query.current_views import Selection, Views
from projector.query.scope import Scope, names

MANY, RECALLED_FOR_A_PAGE = 500, 5_000  # subjects: at a time where few fit, and at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One subject, its view, and whether the caller's teams take part in it."""

    org_id: str
    view: BaseModel
    in_scope: bool


class Past:
    """Questions as of two times; each answers from one database snapshot."""

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        views: Views,
        delays: ArrivalDelays,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._delays = delays
        self._pool = pool
        self._store = store
        self._views = views
        self._clock = clock

    def as_of(self, at: int | None, known_at: int | None) -> AsOf:
        """The times of a question: null ``at`` leaves out nothing, null ``known_at`` is now."""
        known_time = self._clock() if known_at is None else known_at
        now = known_time if at is None else at
        if at is None and known_at is None:
            return AsOf(now=now, known_time=known_time)
        # Without ``known_at`` what all partitions have folded, so that one position holds for the floor.
        folded = self._views.position() if known_at is None else None
        position = self._store.position_at(known_time) if folded is None else folded
        return AsOf(
            at=at,
            position=position,
            recorded_time=self._store.recorded_at(position),
            now=now,
            known_time=known_time,
        )

    def find(self, table: Table[S], scope: Scope, id_: str, as_of: AsOf) -> Sequence[Found]:
        """The subject of this id in each organisation that had it."""
        query = sql.SQL(
            "SELECT org_id, id FROM {} AS v WHERE id = ANY(%(ids)s) AND {} ORDER BY org_id"
        ).format(sql.Identifier(table.name), scope.organisations())
        with consistent_read(self._pool) as cur:
            keys = cur.execute(query, scope.parameters | {"ids": names([id_])}).fetchall()
            recalled = recall(cur, self._store, table, keys, as_of)
            seen = self._in_scope(cur, table, scope, recalled, as_of)
        return [
            Found(
                org_id=key[0],
                view=self._view(table, key, recalled[key].state, as_of),
                in_scope=key in seen,
            )
            for key in keys
            if key in recalled
        ]

    def list(
        self, table: Table[S], scope: Scope, selection: Selection, as_of: AsOf
    ) -> tuple[Sequence[BaseModel], Key | None]:
        """The views selected, and the place to go on from, null at the end.

        A page may have less than what was asked for, and yet a place to go on from: where few fit,
        only so many subjects are recalled for it.
        """
        found: list[BaseModel] = []
        examined, last = 0, selection.after
        with consistent_read(self._pool) as cur:
            for keys in _candidates(cur, table, scope, selection, as_of):
                if keys and examined >= RECALLED_FOR_A_PAGE:
                    return found, last
                recalled = recall(cur, self._store, table, keys, as_of)
                seen = self._in_scope(cur, table, scope, recalled, as_of)
                for key in keys:
                    if key in seen and fits(table, recalled[key].state, selection.facets):
                        if len(found) == selection.limit:
                            return found, last
                        found.append(self._view(table, key, recalled[key].state, as_of))
                    last = key
                examined += len(keys)
        return found, None

    def history(  # noqa: PLR0913 - a window and a place to go on from
        self,
        table: Table[S],
        key: Key,
        as_of: AsOf,
        *,
        start: int,
        end: int | None,
        after: int | None,
        limit: int,
    ) -> tuple[Sequence[TaskInterval], int | None]:
        """Intervals that overlap ``[start, end)``, oldest first, uncut; and where to go on."""
        first = start if after is None else after + 1
        with consistent_read(self._pool) as cur:
            recalled = recall(cur, self._store, table, [key], as_of)
            known = intervals_known(
                cur, table, key, as_of, recalled[key], first=first, limit=limit + 3
            )
        wanted = [
            row
            for row in interval_rows(table.interval, known)
            if _overlaps(row, start, end) and (after is None or row.from_ > after)
        ]
        page = wanted[:limit]
        return page, page[-1].from_ if len(wanted) > len(page) else None

    def _view(self, table: Table[S], key: Key, state: S, as_of: AsOf) -> BaseModel:
        return table.view(
            *key, state, settled=self._delays.settled(key[0], state, as_of.known_time)
        )

    def _in_scope(
        self,
        cur: Cursor[TupleRow],
        table: Table[S],
        scope: Scope,
        recalled: Mapping[Key, Recalled[S]],
        as_of: AsOf,
    ) -> set[Key]:
        """Those of which the caller's teams are a part, as of the same times."""
        if scope.team_ids is None:
            return {*recalled}
        of_teams = teams(cur, self._store, table, recalled, as_of)
        return {key for key, its in of_teams.items() if scope.covers(key[0], its)}


def _candidates(
    cur: Cursor[TupleRow], table: Table[S], scope: Scope, selection: Selection, as_of: AsOf
) -> Iterator[Sequence[Key]]:
    """Keys of subjects that may be among the views selected, in order, ever more at a time."""
    size = selection.limit + 1
    while True:
        query, parameters = _candidates_query(table, scope, selection, as_of)
        keys = cur.execute(query, parameters | {"size": size}).fetchall()
        yield keys
        if len(keys) < size:
            return
        selection, size = replace(selection, after=keys[-1]), max(size, MANY)


def _candidates_query(
    table: Table[S], scope: Scope, selection: Selection, as_of: AsOf
) -> tuple[sql.Composed, dict[str, Any]]:
    chosen, parameters = among_ids(selection.ids, selection.after)
    conditions = [scope.organisations(), EXISTED, *chosen]
    if table.name == "tasks" and selection.facets.get("open") == ["true"]:
        conditions.append(MAY_BE_OPEN)
    query = sql.SQL(
        "SELECT org_id, id FROM {} AS v WHERE {} ORDER BY org_id, id LIMIT %(size)s"
    ).format(sql.Identifier(table.name), sql.SQL(" AND ").join(conditions))
    return query, scope.parameters | parameters | period_parameters(
        upto=as_of.upto, recorded_time=as_of.recorded_time
    )


def _overlaps(row: TaskInterval, start: int, end: int | None) -> bool:
    return (row.to is None or row.to > start) and (end is None or max(row.from_, start) < end)
