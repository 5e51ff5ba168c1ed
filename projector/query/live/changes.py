"""Changes: views that changed and corrections that were made, after a position of each partition.

Rule: each partition is folded up to a position of its own. So a reader keeps one position for each
partition. A batch is read from one database snapshot in the order of positions, and has all or none
of the changes of a position. Whoever goes on from the positions after it misses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, consistent_read
from projector.infrastructure.sql import Columns
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.partitions import PROJECTION
from projector.projection.read_models import TABLES, Table
from projector.query.audit.ledgers import correction_row
from projector.query.current_views import current_state
from projector.query.scope import Scope, teams_of

CHANGES_TOGETHER = 500  # about as many are read at a time

PartitionPositions = Mapping[int, int]  # the last position that was read, by partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A view or a correction as readers get it, with what filters need."""

    event: Literal["agent", "task", "correction"]
    partition: int
    position: int
    org_id: str
    teams: frozenset[str]
    facets: Mapping[str, frozenset[str]]  # of its subject, as it is now
    data: str  # JSON, in the contract's spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Which changes a caller may see and asks for: one of the values of each filter."""

    scope: Scope
    filters: Mapping[str, frozenset[str]]

    def matches(self, change: Change) -> bool:
        return self.scope.covers(change.org_id, change.teams) and all(
            values & change.facets.get(name, frozenset()) for name, values in self.filters.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBatch:
    """Some changes, by position, and the positions after them."""

    changes: Sequence[Change]
    positions: PartitionPositions
    more: bool  # whether there were more when it was read


class Changes:
    """Reads what changed, a batch at a time, so that memory is bounded."""

    def __init__(
        self,
        pool: Pool,
        delays: ArrivalDelays,
        *,
        clock: Callable[[], int] = now_ms,
        limit: int = CHANGES_TOGETHER,
    ) -> None:
        self._pool = pool
        self._delays = delays
        self._clock = clock
        self._limit = limit

    def positions(self) -> PartitionPositions:
        """How far each partition is folded."""
        with consistent_read(self._pool) as cur:
            return _positions(cur)

    def after(self, positions: PartitionPositions) -> ChangeBatch:
        """The next changes after some positions."""
        with consistent_read(self._pool) as cur:
            folded = _positions(cur)
            advanced = {
                partition: positions[partition]
                for partition, position in folded.items()
                if position > positions[partition]
            }
            parts = [_rows(cur, *source, advanced, self._limit) for source in _SOURCES if advanced]
        rows, end = _first(parts, self._limit)
        now = self._clock()
        return ChangeBatch(
            changes=[self._change(table, row, now) for table, row in rows],
            positions={
                partition: _read_up_to(positions[partition], position, end)
                for partition, position in folded.items()
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


def _positions(cur: Cursor[TupleRow]) -> dict[int, int]:
    query = "SELECT partition, position FROM projections WHERE name = %(name)s"
    return dict(cur.execute(query, {"name": PROJECTION}).fetchall())


def _read_up_to(before: int, folded: int, end: int | None) -> int:
    # Never back: a rebuild of the tables must not repeat what a reader has.
    return max(before, folded if end is None else min(folded, end))


ChangedRows = Sequence[tuple[Table[Any], TupleRow]]


def _rows(
    cur: Cursor[TupleRow],
    table: Table[Any],
    query: sql.Composed,
    positions: PartitionPositions,
    limit: int,
) -> ChangedRows:
    parameters = _POSITIONS.parameters(positions.items()) | {"limit": limit}
    return [(table, row) for row in cur.execute(query, parameters)]


def _first(parts: Sequence[ChangedRows], limit: int) -> tuple[ChangedRows, int | None]:
    """The first rows of all parts, and the position up to which they are complete.

    Null: they are all that there is.
    """
    rows = sorted((it for part in parts for it in part), key=_position)
    ends = [_position(part[-1]) for part in (*parts, rows[:limit]) if len(part) >= limit]
    end = min(ends, default=None)
    return [it for it in rows if end is None or _position(it) <= end], end


def _position(it: tuple[Table[Any], TupleRow]) -> int:
    return int(it[1][0])


_POSITIONS = Columns({"partition": "smallint", "after": "bigint"})
# The first rows of each partition, by its index, and of these the first. WITH TIES: all of a
# position.
_NEXT = """
    SELECT c.* FROM {positions} CROSS JOIN LATERAL (
        SELECT * FROM {changed} WHERE partition = k.partition AND position > k.after
        ORDER BY position FETCH FIRST %(limit)s ROWS WITH TIES
    ) AS c
    ORDER BY c.position FETCH FIRST %(limit)s ROWS WITH TIES
"""
_CHANGED_VIEWS = """
    SELECT v.position, v.partition, v.org_id, v.id, v.state, v.counters, {teams}
    FROM ({next}) AS v ORDER BY v.position
"""
_NEW_CORRECTIONS = """
    SELECT l.position, l.partition, v.org_id, v.id, v.state, v.counters, {teams},
        l.start, {subject}, l.org_id, l.id, l.position, l.finish, l.event_id, l.recorded_time,
        l.before, l.after, l.events
    FROM ({next}) AS l JOIN {views} AS v ON v.org_id = l.org_id AND v.id = l.id
    ORDER BY l.position, l.org_id, l.id, l.start
"""


def _source(
    table: Table[Any], query: LiteralString, changed: str
) -> tuple[Table[Any], sql.Composed]:
    return table, sql.SQL(query).format(
        next=sql.SQL(_NEXT).format(
            positions=_POSITIONS.unnest("k"), changed=sql.Identifier(changed)
        ),
        views=sql.Identifier(table.name),
        subject=table.subject,
        teams=teams_of(table),
    )


_SOURCES = [
    *(_source(table, _CHANGED_VIEWS, table.name) for table in TABLES),
    *(_source(table, _NEW_CORRECTIONS, table.corrections) for table in TABLES),
]
