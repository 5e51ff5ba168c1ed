"""The audit trail, the newest request first, each with its answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg.rows import TupleRow

from projector.contract.audit_trail import TrailRow
from projector.infrastructure.database import Pool, consistent_read
from projector.query.scope import names


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailSelection:
    """Which requests: of these callers and actions, in ``[start, end)`` (epoch ms).

    Without callers or actions those of all. ``before`` is the number of the last row before a page.
    """

    who: Collection[str] = ()
    actions: Collection[str] = ()
    start: int = 0
    end: int | None = None
    before: int | None = None
    limit: int = 100


class TrailReader:
    """Reads the trail; each answer is from one database snapshot."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def page(self, selection: TrailSelection) -> tuple[Sequence[TrailRow], int | None]:
        """Some requests, the newest first, and the number after which to go on; null at the end."""
        parameters = {
            "who": names(selection.who) if selection.who else None,
            "actions": names(selection.actions) if selection.actions else None,
            "start": selection.start,
            "end": selection.end,
            "before": selection.before,
            "limit": selection.limit + 1,
        }
        with consistent_read(self._pool) as cur:
            rows = cur.execute(_PAGE, parameters).fetchall()
        page = [_trail_row(row) for row in rows[: selection.limit]]
        return page, page[-1].number if len(rows) > len(page) else None


def _trail_row(row: TupleRow) -> TrailRow:
    number, time, who, address, action, asked, answered_time, answer = row
    return TrailRow(
        number=number,
        time=time,
        who=who,
        address=address,
        action=action,
        asked=json.loads(asked),
        answered_time=answered_time,
        answer=None if answer is None else json.loads(answer),
    )


_PAGE: LiteralString = """
    SELECT t.number, t.time, t.who, t.address, t.action, t.details, a.time, a.details
    FROM audit_trail AS t
    LEFT JOIN audit_trail AS a ON a.request_id = t.request_id AND a.step = 'answered'
    WHERE t.step = 'asked'
        AND (%(before)s::bigint IS NULL OR t.number < %(before)s)
        AND t.time >= %(start)s AND (%(end)s::bigint IS NULL OR t.time < %(end)s)
        AND (%(who)s::text[] IS NULL OR t.who = ANY(%(who)s))
        AND (%(actions)s::text[] IS NULL OR t.action = ANY(%(actions)s))
    ORDER BY t.number DESC LIMIT %(limit)s
"""
