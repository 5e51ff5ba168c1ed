"""Views as of two times: one subject, lists and histories. A question about now is one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow
from pydantic import BaseModel

from projector.contract.adherence import AdherenceRow, adherence_row
from projector.contract.intervals import TaskInterval, interval_rows, seen_interval
from projector.contract.views import agent_view
from projector.domain.fold import S, State
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import AGENTS, TASKS, Key, Table
from projector.query.as_of.reconstruct import (
    AsOf,
    Reconstructed,
    interval_starts,
    intervals_as_of,
    reconstruct,
    teams_as_of,
)
from projector.query.as_of.team_moments import TeamMoments
from projector.query.conditions import (
    EXISTED,
    MAY_BE_OPEN,
    among_ids,
    matches_facets,
    period_parameters,
)
from projector.query.current_views import Selection, Views
from projector.query.own_fold import read_views
from projector.query.scope import Scope, names

CANDIDATES_TOGETHER = 500  # subjects that are reconstructed at a time, where few match
CANDIDATES_PER_PAGE = 5_000  # about as many at most
AGENTS_TOGETHER = 500  # that an export reads at a time
INTERVALS_PER_PAGE = 5_000  # that are examined at most, where a caller sees few


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSubject:
    """One subject with its view."""

    org_id: str
    view: BaseModel


class AsOfViews:
    """Reads views as of two times; each answer is from one database snapshot."""

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

    def resolve(self, at: int | None, known_at: int | None) -> AsOf:
        """Two times (epoch ms) as an ``AsOf``.

        Null ``at``: all that happened counts. Null ``known_at``: all that is known now.
        """
        known_time = self._clock() if known_at is None else known_at
        now = known_time if at is None else at
        if at is None and known_at is None:
            return AsOf(now=now, known_time=known_time)
        # Without ``known_at`` it is the position up to which all partitions have folded.
        folded = self._views.position() if known_at is None else None
        position = self._store.position_at(known_time) if folded is None else folded
        return AsOf(
            at=at,
            position=position,
            recorded_time=self._store.recorded_at(position),
            now=now,
            known_time=known_time,
        )

    def pinned(self, as_of: AsOf) -> AsOf:
        """The same question, so that several reads have one answer: as of what is folded by now."""
        if as_of.position != ENDLESS:
            return as_of
        position = self._views.position()
        return replace(as_of, position=position, recorded_time=self._store.recorded_at(position))

    def find(self, table: Table[S], scope: Scope, id_: str, as_of: AsOf) -> Sequence[FoundSubject]:
        """The subject of this id in each organisation that had it, where a caller may see it."""
        query = sql.SQL(
            "SELECT org_id, id FROM {} AS v WHERE id = ANY(%(ids)s) AND {} ORDER BY org_id"
        ).format(sql.Identifier(table.name), scope.organisations())
        with read_views(self._pool) as cur:
            keys = cur.execute(query, scope.parameters | {"ids": names([id_])}).fetchall()
            subjects = reconstruct(cur, self._store, table, keys, as_of)
            in_scope = self._in_scope(cur, table, scope, subjects, as_of)
        return [
            FoundSubject(org_id=key[0], view=self._view(table, key, subjects[key].state, as_of))
            for key in keys
            if key in in_scope
        ]

    def list(
        self, table: Table[S], scope: Scope, selection: Selection, as_of: AsOf
    ) -> tuple[Sequence[BaseModel], Key | None]:
        """The selected views, and the key after which to go on, null at the end.

        A page that has less than ``limit`` views may still have such a key. Where few subjects
        match, only so many are reconstructed for one page.
        """
        with read_views(self._pool) as cur:
            page, last_key = self._page(cur, table, scope, selection, as_of)
        return [self._view(table, key, it.state, as_of) for key, it in page.items()], last_key

    def adherence(
        self, scope: Scope, selection: Selection, as_of: AsOf
    ) -> tuple[Sequence[AdherenceRow], Key | None]:
        """The adherence of the selected agents, and the key after which to go on, as ``list``."""
        with read_views(self._pool) as cur:
            page, last_key = self._page(cur, AGENTS, scope, selection, as_of)
            starts = interval_starts(
                cur,
                AGENTS,
                {key: it.since for key, it in page.items()},
                known_position=as_of.position,
            )
        for key, agent in page.items():
            if agent.fold.intervals:
                starts[key] = agent.fold.intervals[-1].start
        views = [
            agent_view(*key, it.state, settled=self._settled(key, it.state, as_of))
            for key, it in page.items()
        ]
        return [
            adherence_row(
                view, interval_start=starts.get((view.org_id, view.agent_id)), time=as_of.now
            )
            for view in views
        ], last_key

    def all_adherence(
        self, scope: Scope, selection: Selection, as_of: AsOf
    ) -> Iterator[AdherenceRow]:
        """All pages of ``adherence``, one in memory at a time."""
        selection = replace(selection, limit=AGENTS_TOGETHER)
        while True:
            rows, last_key = self.adherence(scope, selection, as_of)
            yield from rows
            if last_key is None:
                return
            selection = replace(selection, after=last_key)

    def history(  # noqa: PLR0913 - a window, and where to go on
        self,
        table: Table[S],
        key: Key,
        scope: Scope,
        as_of: AsOf,
        *,
        start: int,
        end: int | None,
        after: int | None,
        limit: int,
    ) -> tuple[Sequence[TaskInterval], int | None]:
        """Intervals that overlap ``[start, end)`` (epoch ms), oldest first, and where to go on.

        Intervals are not cut to the window, but to the moments that a caller of some teams sees.
        ``after`` is the start of the last interval of the page before; the second value is the next
        such start, null at the end. A page may have less than ``limit`` rows and not be the last.
        """
        page, examined = list[TaskInterval](), 0
        first = start if after is None else after + 1
        with read_views(self._pool) as cur:
            subject = reconstruct(cur, self._store, table, [key], as_of)[key]
            moments = TeamMoments(cur, self._store, scope.team_ids, as_of)
            while True:
                # Three more than a page: the one before it, the one that shows that there is a next
                # page, and the one at whose start that one ends.
                intervals = intervals_as_of(
                    cur, table, key, as_of, subject, first=first, limit=limit + 3
                )
                is_last = len(intervals) < limit + 3
                rows = interval_rows(table.interval, intervals)[: None if is_last else -1]
                page += [
                    row
                    for row in _seen(rows, moments, table, key)
                    if _overlaps(row, start, end) and (after is None or row.from_ > after)
                ]
                if len(page) > limit:
                    return page[:limit], page[limit - 1].from_
                if is_last or (end is not None and intervals[-1].start >= end):
                    return page, None
                examined += len(rows)
                if examined >= INTERVALS_PER_PAGE:
                    return page, intervals[-1].start - 1
                first = intervals[-1].start + 1
                after = max(after or 0, intervals[-1].start - 1)

    def _page(
        self,
        cur: Cursor[TupleRow],
        table: Table[S],
        scope: Scope,
        selection: Selection,
        as_of: AsOf,
    ) -> tuple[dict[Key, Reconstructed[S]], Key | None]:
        page: dict[Key, Reconstructed[S]] = {}
        examined, last_key = 0, selection.after
        for keys in _candidates(cur, table, scope, selection, as_of):
            if keys and examined >= CANDIDATES_PER_PAGE:
                return page, last_key
            subjects = reconstruct(cur, self._store, table, keys, as_of)
            in_scope = self._in_scope(cur, table, scope, subjects, as_of)
            for key in keys:
                if key in in_scope and matches_facets(table, subjects[key].state, selection.facets):
                    if len(page) == selection.limit:
                        return page, last_key
                    page[key] = subjects[key]
                last_key = key
            examined += len(keys)
        return page, None

    def _view(self, table: Table[S], key: Key, state: S, as_of: AsOf) -> BaseModel:
        return table.view(*key, state, settled=self._settled(key, state, as_of))

    def _settled(self, key: Key, state: State, as_of: AsOf) -> bool:
        return self._delays.settled(key[0], state, as_of.known_time)

    def _in_scope(
        self,
        cur: Cursor[TupleRow],
        table: Table[S],
        scope: Scope,
        subjects: Mapping[Key, Reconstructed[S]],
        as_of: AsOf,
    ) -> set[Key]:
        """The subjects in which the caller's teams take part, as of the same two times."""
        if scope.team_ids is None:
            return {*subjects}
        teams = teams_as_of(cur, self._store, table, subjects, as_of)
        return {key for key, its in teams.items() if scope.covers(key[0], its)}


def _seen(
    rows: Sequence[TaskInterval], moments: TeamMoments, table: Table[S], key: Key
) -> Iterator[TaskInterval]:
    """The parts of rows that a caller sees."""
    if not rows:
        return
    # Of a task the time after its last event is judged alike on every page.
    end = None if table is TASKS else rows[-1].to
    periods = moments.periods(table, key, start=rows[0].from_, end=end)
    for row in rows:
        yield from seen_interval(row, periods)


def _candidates(
    cur: Cursor[TupleRow], table: Table[S], scope: Scope, selection: Selection, as_of: AsOf
) -> Iterator[Sequence[Key]]:
    """Keys of subjects that may match, in order: first about a page, then more at a time."""
    size = selection.limit + 1
    while True:
        query, parameters = _candidates_query(table, scope, selection, as_of)
        keys = cur.execute(query, parameters | {"size": size}).fetchall()
        yield keys
        if len(keys) < size:
            return
        selection, size = replace(selection, after=keys[-1]), max(size, CANDIDATES_TOGETHER)


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
