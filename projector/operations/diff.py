"""Differences of subjects: the first field in which a view, or else an interval, has changed.

What is compared are the tables before and after a replay, or the serving and the shadow tables. A
stored state is read by the version of the fold that wrote it. So of tables of two versions the
columns are compared: by what lists find a subject, and its intervals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.intervals import interval_row
from projector.domain.fold import Interval
from projector.projection.read_models import (
    INTERVAL_COLUMNS,
    KEY_COLUMNS,
    Key,
    Table,
    interval_from_row,
)
from projector.query.conditions import SHOWN_FACETS

MAX_LISTED = 100  # differing subjects in a report; its count says how many there are


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectDifference:
    """The first field of a subject that differs.

    ``event_id`` is that of the event behind the later value: the last event of the subject, or the
    one that began the interval.
    """

    kind: str
    org_id: str
    id: str
    field: str
    before: Any
    after: Any
    event_id: str | None

    def row(self) -> dict[str, Any]:
        """The difference as reports list it, in the spelling of the API."""
        return {
            "subject": {"kind": self.kind, "orgId": self.org_id, "id": self.id},
            "field": self.field,
            "before": self.before,
            "after": self.after,
            "eventId": self.event_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectContent:
    """The view of a subject, as JSON, or what its columns say of it; its intervals by start."""

    view: Mapping[str, Any]
    intervals: Sequence[Interval]


def read_subjects(
    cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key]
) -> dict[Key, SubjectContent]:
    """What the tables on the search path have of some subjects; without those that have no view."""
    intervals = _read_intervals(cur, table, keys)
    query = _STATES_OF_SUBJECTS.format(
        views=sql.Identifier(table.name), keys=KEY_COLUMNS.unnest("k")
    )
    return {
        (org_id, id_): SubjectContent(
            view=_view(table, (org_id, id_), state, counters), intervals=intervals[org_id, id_]
        )
        for org_id, id_, state, counters in cur.execute(query, KEY_COLUMNS.parameters(keys))
    }


def read_columns(
    cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key], *, now: int
) -> dict[Key, SubjectContent]:
    """The same by the columns alone, whatever version of the fold wrote them.

    Facets are those at ``now`` (epoch ms).
    """
    intervals = _read_intervals(cur, table, keys)
    query = _COLUMNS_OF_SUBJECTS.format(
        views=sql.Identifier(table.name), keys=KEY_COLUMNS.unnest("k"), shown=SHOWN_FACETS
    )
    rows = cur.execute(query, KEY_COLUMNS.parameters(keys) | {"now": now})
    return {
        (org_id, id_): SubjectContent(
            view={
                name: values[0] if len(values) == 1 else values for name, values in facets.items()
            },
            intervals=intervals[org_id, id_],
        )
        for org_id, id_, facets in rows
    }


def _read_intervals(
    cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key]
) -> Mapping[Key, list[Interval]]:
    intervals: dict[Key, list[Interval]] = {key: [] for key in keys}
    query = _INTERVALS_OF_SUBJECTS.format(
        columns=INTERVAL_COLUMNS.names,
        intervals=sql.Identifier(table.intervals),
        keys=KEY_COLUMNS.unnest("k"),
    )
    for org_id, id_, *row in cur.execute(query, KEY_COLUMNS.parameters(keys)):
        intervals[org_id, id_].append(interval_from_row(row))
    return intervals


def _view(
    table: Table[Any], key: Key, state: str, counters: Mapping[str, int]
) -> Mapping[str, Any]:
    try:
        view = table.view(*key, table.load(state, counters), settled=False)
    except ValueError:  # of another version of the fold, or changed by hand
        return {"state": state}
    return dict(view.model_dump(mode="json", by_alias=True))


def without_own_fields(
    before: Mapping[Key, SubjectContent], after: Mapping[Key, SubjectContent]
) -> tuple[dict[Key, SubjectContent], dict[Key, SubjectContent]]:
    """Both without the fields of subjects that only one of them knows, as of another version."""

    def common(one: Mapping[Key, SubjectContent], other: Mapping[Key, SubjectContent]) -> Any:
        return {
            key: replace(it, view={n: v for n, v in it.view.items() if n in other[key].view})
            if key in other
            else it
            for key, it in one.items()
        }

    return common(before, after), common(after, before)


def differences(
    table: Table[Any],
    keys: Sequence[Key],
    before: Mapping[Key, SubjectContent],
    after: Mapping[Key, SubjectContent],
) -> list[SubjectDifference]:
    """The first difference of each subject that differs."""
    firsts = ((key, next(_fields(table, before.get(key), after.get(key)), None)) for key in keys)
    return [
        SubjectDifference(
            kind=table.subject,
            org_id=key[0],
            id=key[1],
            field=first[0],
            before=first[1],
            after=first[2],
            event_id=first[3],
        )
        for key, first in firsts
        if first is not None
    ]


def _fields(
    table: Table[Any], before: SubjectContent | None, after: SubjectContent | None
) -> Iterator[tuple[str, Any, Any, str | None]]:
    """Of each difference the field, both values and the id of the event."""
    old = before.view if before else {}
    new = after.view if after else {}
    last_event_id = (new.get("lastEvent") or {}).get("id")
    if before is None or after is None:  # the subject is new, or is gone
        yield "status", old.get("status"), new.get("status"), last_event_id
    for field in dict.fromkeys([*new, *old]):
        if old.get(field) != new.get(field):
            yield field, old.get(field), new.get(field), last_event_id
    intervals = (before.intervals if before else [], after.intervals if after else [])
    for old_interval, new_interval in zip_longest(*intervals):
        if old_interval != new_interval:
            source = new_interval or old_interval
            old_row, new_row = (it and _interval(table, it) for it in (old_interval, new_interval))
            yield "intervals", old_row, new_row, source.event_id if source else None


def _interval(table: Table[Any], it: Interval) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(
        interval_row(table.interval, it, None).model_dump_json(by_alias=True)
    )
    return {name: row[name] for name in row if name not in {"to", "durationMs"}}


_INTERVALS_OF_SUBJECTS = sql.SQL(
    "SELECT org_id, id, {columns} FROM {intervals} JOIN {keys} USING (org_id, id)"
    " WHERE known_to IS NULL ORDER BY start"
)
_STATES_OF_SUBJECTS = sql.SQL(
    "SELECT org_id, id, state, counters FROM {views} JOIN {keys} USING (org_id, id)"
)
# Version 2 of the fold had one deadline, and the facets after it in a column.
_COLUMNS_OF_SUBJECTS = sql.SQL("""
    SELECT org_id, id, coalesce({shown}, v.facets_after_deadline)
    FROM {views} AS v JOIN {keys} USING (org_id, id)
""")
