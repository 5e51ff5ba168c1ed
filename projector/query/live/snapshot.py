"""A snapshot for a stream: all views that fit, read in pages by the query of lists.

Rule: of tasks it has the open ones, unless a filter says of itself whether tasks that are over are
meant. So it is as large as the floor, and not as the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.projection.read_models import TABLES, TASKS, Key, Table
from projector.query.current_views import Selection, select_rows
from projector.query.live.interest import Change, Interest

_SAY_WHICH_TASKS = frozenset({"taskId", "status", "open", "stale"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a snapshot goes on: in a table after a key, or from its first row on."""

    table: Table[Any]
    after: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPage:
    """Some of the views, and where the snapshot goes on; null at its end."""

    changes: Sequence[Change]
    next: Place | None


def first_place(interest: Interest) -> Place | None:
    """Where a snapshot begins; null where no view can fit."""
    return _place_after(None, interest)


def read_page(
    cur: Cursor[TupleRow], interest: Interest, place: Place, *, now: int, limit: int
) -> tuple[Sequence[TupleRow], Place | None]:
    """Rows of partition, organisation, id, state and counters, and where to go on."""
    selection = _selection(interest, place, limit)
    rows, last_key = select_rows(cur, place.table, interest.scope, selection, now)
    partitioned = [(place.table.partition_of((row[0], row[1])), *row) for row in rows]
    if last_key is not None:
        return partitioned, Place(table=place.table, after=last_key)
    return partitioned, _place_after(place.table, interest)


def _place_after(table: Table[Any] | None, interest: Interest) -> Place | None:
    later = TABLES if table is None else TABLES[TABLES.index(table) + 1 :]
    return next((Place(table=it) for it in later if _may_fit(it, interest)), None)


def _may_fit(table: Table[Any], interest: Interest) -> bool:
    """Whether views of a kind are asked for, and have all facets that the filters name."""
    names = {f"{table.subject}Id", *table.facets(table.fresh())}
    return interest.is_about(table) and interest.filters.keys() <= names


def _selection(interest: Interest, place: Place, limit: int) -> Selection:
    facets = {name: sorted(values) for name, values in interest.filters.items()}
    ids = facets.pop(f"{place.table.subject}Id", None)
    if place.table is TASKS and _SAY_WHICH_TASKS.isdisjoint(interest.filters):
        facets["open"] = ["true"]
    return Selection(ids=ids, facets=facets, after=place.after, limit=limit)
