"""Changes: what the views and the ledger of corrections show anew, since a place in the log.

The rule of this file: each partition stands at a position of its own, so a place is a position for each
partition. What is read after a place is told in the order of positions, whole positions, from one
snapshot; whoever goes on from the place after it misses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, consistent_read
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.partitions import PROJECTION
from projector.projection.read_models import TABLES, Table
from projector.query.audit.ledgers import correction_row
from projector.query.current_views import current_state
from projector.query.scope import Scope, teams_of

CHANGES_READ = 500  # about as many are read, and told, at a time

Place = Mapping[int, int]  # partition to the position up to which it was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A view or a correction as it is shown, and by what it can be found."""

    event: Literal["agent", "task", "correction"]
    partition: int
    position: int
    org_id: str
    teams: frozenset[str]
    facets: Mapping[str, frozenset[str]]  # of its subject, as it is now
    data: str  # JSON, in the contract's spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Which changes a caller may see and asks for: any of the values of each filter."""

    scope: Scope
    filters: Mapping[str, frozenset[str]]

    def fits(self, change: Change) -> bool:
        return self.scope.covers(change.org_id, change.teams) and all(
            values & change.facets.get(name, frozenset()) for name, values in self.filters.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some changes, by position, and the place after them."""

    changes: Sequence[Change]
    place: Place
    more: bool  # whether that is not the end


class Changes:
    """Reads what changed; a batch at a time, so that memory is bounded."""

    def __init__(
        self,
        pool: Pool,
        delays: ArrivalDelays,
        *,
        clock: Callable[[], int] = now_ms,
        limit: int = CHANGES_READ,
    ) -> None:
        self._pool = pool
        self._delays = delays
        self._clock = clock
        self._limit = limit

    def place(self) -> Place:
        """Where the projection is."""
        with consistent_read(self._pool) as cur:
            return _place(cur)

    def after(self, place: Place) -> Batch:
        """The next changes after a place."""
        with consistent_read(self._pool) as cur:
            now_at = _place(cur)
            begun = {
                partition: place[partition]
                for partition, at in now_at.items()
                if at > place[partition]
            }
            parts = [_rows(cur, *source, begun, self._limit) for source in _SOURCES if begun]
        rows, end = _first(parts, self._limit)
        now = self._clock()
        return Batch(
            changes=[self._change(table, row, now) for table, row in rows],
            place={
                partition: _reached(place[partition], at, end) for partition, at in now_at.items()
            },
            more=end is not None,
        )

    def _change(self, table: Table[Any], row: TupleRow, now: int) -> Change:
        position, partition, org_id, id_, text, counters, teams, *ledger = row
        state = current_state(table, text, counters, now)
        view = table.view(org_id, id_, state, settled=self._delays.settled(org_id, state, now))
        model = correction_row(tuple(ledger)) if ledger else view
        facets = {f"{table.subject}Id": [id_], **table.facets(state)}
        return Change(
            event="correction" if ledger else table.subject,
            partition=partition,
            position=position,
            org_id=org_id,
            teams=frozenset(teams),
            facets={name: frozenset(values) for name, values in facets.items()},
            data=model.model_dump_json(by_alias=True),
        )


def _place(cur: Cursor[TupleRow]) -> dict[int, int]:
    query = "SELECT partition, position FROM projections WHERE name = %s"
    return dict(cur.execute(query, (PROJECTION,)).fetchall())


def _reached(before: int, now_at: int, end: int | None) -> int:
    # Never back: where the tables are made anew, what was told is not told again.
    return max(before, now_at if end is None else min(now_at, end))


Rows = Sequence[tuple[Table[Any], TupleRow]]


def _rows(
    cur: Cursor[TupleRow], table: Table[Any], query: sql.Composed, begun: Place, limit: int
) -> Rows:
    parameters = {"partitions": list(begun), "after": list(begun.values()), "limit": limit}
    return [(table, row) for row in cur.execute(query, parameters)]


def _first(parts: Sequence[Rows], limit: int) -> tuple[Rows, int | None]:
    """The first rows of all parts, and up to where they are all there are; null: to the end."""
    rows = sorted((it for part in parts for it in part), key=_position)
    ends = [_position(part[-1]) for part in (*parts, rows[:limit]) if len(part) >= limit]
    end = min(ends, default=None)
    return [it for it in rows if end is None or _position(it) <= end], end


def _position(it: tuple[Table[Any], TupleRow]) -> int:
    return int(it[1][0])


# The first rows of each partition by its index, and of these the first; a position is never cut.
_NEXT = """
    SELECT c.* FROM unnest(%(partitions)s::smallint[], %(after)s::bigint[]) AS k(partition, after)
    CROSS JOIN LATERAL (
        SELECT * FROM {changed} WHERE partition = k.partition AND position > k.after
        ORDER BY position FETCH FIRST %(limit)s ROWS WITH TIES
    ) AS c
    ORDER BY c.position FETCH FIRST %(limit)s ROWS WITH TIES
"""
_VIEWS = f"""
    SELECT v.position, v.partition, v.org_id, v.id, v.state, v.counters, {{teams}}
    FROM ({_NEXT}) AS v ORDER BY v.position
"""  # noqa: S608
_CORRECTIONS = f"""
    SELECT l.position, l.partition, v.org_id, v.id, v.state, v.counters, {{teams}},
        l.start, {{subject}}, l.org_id, l.id, l.position, l.finish, l.event_id, l.recorded_time,
        l.before, l.after, l.events
    FROM ({_NEXT}) AS l JOIN {{views}} AS v ON v.org_id = l.org_id AND v.id = l.id
    ORDER BY l.position, l.org_id, l.id, l.start
"""  # noqa: S608


def _source(table: Table[Any], query: str, changed: str) -> tuple[Table[Any], sql.Composed]:
    return table, sql.SQL(query).format(
        changed=sql.Identifier(changed),
        views=sql.Identifier(table.name),
        subject=table.subject,
        teams=teams_of(table),
    )


_SOURCES = [
    *(_source(table, _VIEWS, table.name) for table in TABLES),
    *(_source(table, _CORRECTIONS, table.corrections) for table in TABLES),
]
