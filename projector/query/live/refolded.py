"""What was folded again without a new position: by replays and retries, and in other tables.

Of one partition the numbers become visible in their order, since their writers hold its lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.infrastructure.sql import Columns
from projector.projection.read_models import KEY_COLUMNS, TABLES, Key, Table
from projector.query.live.interest import Change
from projector.query.live.shown_before import Shown, as_shown, stored_facets_between
from projector.query.scope import teams_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RefoldedSubject:
    """A subject that was folded again, and what its view had shown each time before."""

    number: int  # the last one
    table: Table[Any]
    key: Key
    partition: int
    before: Sequence[Mapping[str, Any]]

    def shown_before(self, position: int, since: int, now: int) -> list[Shown]:
        """What a reader may have of it who read it at a position and at ``since`` (epoch ms).

        Events after that position were folded, too, and of what was shown before them nothing is
        left. So all that is certain then is who it was, and its teams.
        """
        return [
            replace(
                as_shown(self.table, self.key[1], facets, stored["teams"]),
                doubtful=frozenset(facets if stored["position"] > position else ()),
            )
            for stored in self.before
            for facets in stored_facets_between(
                stored["facets"], stored["later_facets"], since, now
            )
        ]

    def gone(self) -> Change:
        """The change of a subject that has no view any more."""
        return Change(
            event=self.table.subject,
            table=self.table,
            key=self.key,
            partition=self.partition,
            position=0,
            is_gone=True,
            shown=as_shown(self.table, self.key[1], {}, ()),
            data="",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refolded:
    """The next subjects that were folded again."""

    subjects: Sequence[RefoldedSubject] = ()
    end: int | None = None  # they are complete up to this number; null: they are all
    other_tables: bool = False  # whether other tables serve since then


def read_refolded(
    cur: Cursor[TupleRow], after: Mapping[int, int], last: Mapping[int, int], *, limit: int
) -> Refolded:
    """What was folded again after a number of each partition; ``last`` are those that there are."""
    new = [
        (partition, after[partition]) for partition in last if last[partition] > after[partition]
    ]
    if not new:
        return Refolded()
    rows = cur.execute(_NEXT, {**_NUMBERS.parameters(new), "limit": limit}).fetchall()
    if any(kind is None for _, _, kind, *_ in rows):
        return Refolded(other_tables=True)
    tables = {table.name: table for table in TABLES}
    subjects = dict[tuple[str, Key], RefoldedSubject]()
    for number, partition, kind, org_id, id_, before in rows:
        known = subjects.get((kind, (org_id, id_)))
        subjects[kind, (org_id, id_)] = RefoldedSubject(
            number=number,
            table=tables[kind],
            key=(org_id, id_),
            partition=partition,
            before=[*(known.before if known else ()), *([before] if before else ())],
        )
    return Refolded(subjects=[*subjects.values()], end=rows[-1][0] if len(rows) >= limit else None)


def numbers_before(cur: Cursor[TupleRow], position: int) -> dict[int, int]:
    """The last numbers that a reader surely has who has all up to a position.

    Only of the partitions that have later numbers. Whoever had the position read the partition
    before it was locked for what has a smaller one.
    """
    return dict(cur.execute(_NUMBERS_BEFORE, {"position": position}).fetchall())


def read_views_of(
    cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key]
) -> Sequence[TupleRow]:
    """The views of some subjects, as far as they have one, in the form of changed rows."""
    if not keys:
        return ()
    query = _VIEWS_OF.format(
        keys=KEY_COLUMNS.unnest("k"), views=sql.Identifier(table.name), teams=teams_of(table)
    )
    return cur.execute(query, KEY_COLUMNS.parameters(keys)).fetchall()


_NUMBERS = Columns({"partition": "smallint", "after": "bigint"})
_NEXT = sql.SQL("""
    SELECT r.number, r.partition, r.kind, r.org_id, r.id, r.before
    FROM {numbers} CROSS JOIN LATERAL (
        SELECT * FROM refolded WHERE partition = k.partition AND number > k.after
        ORDER BY number LIMIT %(limit)s
    ) AS r
    ORDER BY r.number LIMIT %(limit)s
""").format(numbers=_NUMBERS.unnest("k"))
_NUMBERS_BEFORE = """
    SELECT partition, min(number) - 1 FROM refolded WHERE position >= %(position)s
    GROUP BY partition
"""
_VIEWS_OF = sql.SQL("""
    SELECT v.position, v.partition, v.org_id, v.id, v.state, v.counters, {teams}
    FROM {keys} JOIN {views} AS v USING (org_id, id)
""")
