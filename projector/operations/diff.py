"""Differences: what two sets of tables show otherwise of the same subjects, the first of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.intervals import interval_row
from projector.domain.fold import Interval
from projector.projection.read_models import INTERVAL_COLUMNS, Key, Table, interval_from_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The first of what a replay shows otherwise of a subject."""

    kind: str
    org_id: str
    id: str
    field: str
    before: Any
    after: Any
    event_id: str | None

    def row(self) -> dict[str, Any]:
        return {
            "subject": {"kind": self.kind, "orgId": self.org_id, "id": self.id},
            "field": self.field,
            "before": self.before,
            "after": self.after,
            "eventId": self.event_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSubject:
    view: Mapping[str, Any]
    intervals: Sequence[Interval]


def shown(cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key]) -> dict[Key, ShownSubject]:
    columns = [[org_id for org_id, _ in keys], [id_ for _, id_ in keys]]
    intervals: dict[Key, list[Interval]] = {key: [] for key in keys}
    for org_id, id_, *row in cur.execute(
        sql.SQL(
            "SELECT org_id, id, {} FROM {} JOIN unnest(%b::text[], %b::text[]) AS k(org_id, id)"
            " USING (org_id, id) WHERE known_to IS NULL ORDER BY start"
        ).format(sql.SQL(INTERVAL_COLUMNS), sql.Identifier(table.intervals)),
        columns,
    ):
        intervals[org_id, id_].append(interval_from_row(row))
    rows = cur.execute(
        sql.SQL(
            "SELECT org_id, id, state, counters FROM {} JOIN unnest(%b::text[], %b::text[])"
            " AS k(org_id, id) USING (org_id, id)"
        ).format(sql.Identifier(table.name)),
        columns,
    )
    return {
        (org_id, id_): ShownSubject(
            view=_view(table, (org_id, id_), state, counters), intervals=intervals[org_id, id_]
        )
        for org_id, id_, state, counters in rows
    }


def _view(
    table: Table[Any], key: Key, state: str, counters: Mapping[str, int]
) -> Mapping[str, Any]:
    try:
        view = table.view(*key, table.load(state, counters), settled=False)
    except ValueError:  # another version of the fold, or another hand
        return {"state": state}
    return dict(view.model_dump(mode="json", by_alias=True))


def changed(
    table: Table[Any], key: Key, before: ShownSubject | None, after: ShownSubject | None
) -> Changed | None:
    for field, old, new, event_id in _differences(table, before, after):
        return Changed(
            kind=table.subject,
            org_id=key[0],
            id=key[1],
            field=field,
            before=old,
            after=new,
            event_id=event_id,
        )
    return None


def _differences(
    table: Table[Any], before: ShownSubject | None, after: ShownSubject | None
) -> Iterator[tuple[str, Any, Any, str | None]]:
    old = before.view if before else {}
    new = after.view if after else {}
    last = (new.get("lastEvent") or {}).get("id")
    if before is None or after is None:  # a subject that was not there, or is no more
        yield "status", old.get("status"), new.get("status"), last
    for field in dict.fromkeys([*new, *old]):
        if old.get(field) != new.get(field):
            yield field, old.get(field), new.get(field), last
    rows = (before.intervals if before else [], after.intervals if after else [])
    for place in range(max(map(len, rows))):
        one, other = (row[place] if place < len(row) else None for row in rows)
        if one != other:
            told_by = other or one
            shown, now = (it and _interval(table, it) for it in (one, other))
            yield "intervals", shown, now, told_by.event_id if told_by else None


def _interval(table: Table[Any], it: Interval) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(
        interval_row(table.interval, it, None).model_dump_json(by_alias=True)
    )
    return {name: row[name] for name in row if name not in {"to", "durationMs"}}
