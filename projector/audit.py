"""The audit: the events of a subject, and the ledgers of what was odd about them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg import sql
from psycopg.rows import TupleRow

from projector.database import Pool, snapshot
from projector.events import Recorded, restatements
from projector.machine import S
from projector.scope import Scope, names
from projector.shapes import AnomalyRow, CorrectionRow, EventRow, event_row
from projector.store import EventStore, ReadOrder, now_ms
from projector.tables import AGENTS, PASSING_TIME, TABLES, TASKS, Table

R = TypeVar("R")
LedgerPlace = tuple[int, str, str, str, int]  # time, kind of subject, organisation, id, position


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuestion:
    """Which rows of a ledger: of any of these subjects, overlapping ``[start, end)`` (epoch ms)."""

    agent_ids: Collection[str] = ()
    task_ids: Collection[str] = ()
    start: int = 0
    end: int | None = None
    after: LedgerPlace | None = None
    limit: int = 100


class Audit:
    """Queries over the log and the ledgers; each answers from one snapshot."""

    def __init__(self, pool: Pool, store: EventStore, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._store = store
        self._clock = clock

    def events(  # noqa: PLR0913 - a subject, and a place in one of two orders
        self,
        table: Table[S],
        org_id: str,
        id_: str,
        *,
        order: ReadOrder,
        after: int,
        limit: int,
    ) -> tuple[Sequence[EventRow], int | None]:
        """A subject's events after a position (0: from the beginning), and where to go on."""
        with snapshot(self._pool) as cur:
            near = self._store.part_of_subject(
                cur, table.column, org_id, id_, order=order, after=after, limit=limit + 1
            )
        repeats = restatements(near)
        if order == "recorded":
            near.sort(key=lambda recorded: recorded.position)
            found = [recorded for recorded in near if recorded.position > after]
        else:
            found = near[_place_after(near, after) :]
        page = found[:limit]
        rows = [event_row(recorded, repeats.get(recorded.position)) for recorded in page]
        return rows, rows[-1].position if len(found) > limit else None

    def anomalies(
        self, scope: Scope, asked: LedgerQuestion
    ) -> tuple[Sequence[AnomalyRow], LedgerPlace | None]:
        """Anomalies by time, and where to go on."""
        return self._ledger(_ANOMALIES, _anomaly_row, scope, asked)

    def corrections(
        self, scope: Scope, asked: LedgerQuestion
    ) -> tuple[Sequence[CorrectionRow], LedgerPlace | None]:
        """Corrections by the time that they change, and where to go on."""
        return self._ledger(_CORRECTIONS, correction_row, scope, asked)

    def _ledger(
        self, query: str, shape: Callable[[TupleRow], R], scope: Scope, asked: LedgerQuestion
    ) -> tuple[Sequence[R], LedgerPlace | None]:
        parts = [_of_kind(query, table, scope) for table in TABLES]
        any_subject = not asked.agent_ids and not asked.task_ids
        # Before the first place there is: no time is negative.
        after = asked.after or (-1, "", "", "", 0)
        with snapshot(self._pool) as cur:
            found = cur.execute(
                sql.SQL("{} ORDER BY 1, 2, 3, 4, 5 LIMIT %(limit)s").format(
                    sql.SQL(" UNION ALL ").join(parts)
                ),
                scope.parameters
                | {f"a{number}": part for number, part in enumerate(after)}
                | {
                    AGENTS.name: None if any_subject else names(asked.agent_ids),
                    TASKS.name: None if any_subject else names(asked.task_ids),
                    "start": asked.start,
                    "end": asked.end,
                    "now": self._clock(),
                    "limit": asked.limit + 1,
                },
            ).fetchall()
        page = found[: asked.limit]
        return [shape(row) for row in page], page[-1][:5] if len(found) > len(page) else None


def _place_after(ordered: Sequence[Recorded], position: int) -> int:
    """Where the events after the one of a position begin; none is after one that is not there."""
    if position == 0:
        return 0
    places = (place for place, it in enumerate(ordered, start=1) if it.position == position)
    return next(places, len(ordered))


# What the passing of time will raise stands there already, and is not told before its moment.
_ANOMALIES = """(
    SELECT gap_to, {subject} AS subject, org_id, id, l.position, kind, event_id, gap_from
    FROM {anomalies} AS l JOIN {views} AS v USING (org_id, id)
    WHERE {organisations} AND {teams} AND (%({ids})s::text[] IS NULL OR id = ANY(%({ids})s))
        AND gap_to >= greatest(%(start)s, %(a0)s)
        AND (%(end)s::bigint IS NULL OR coalesce(gap_from, gap_to) < %(end)s)
        AND (l.position <> {time} OR gap_to <= %(now)s)
        AND (gap_to, {subject}, org_id, id, l.position)
            > (%(a0)s, %(a1)s, %(a2)s, %(a3)s, %(a4)s)
    ORDER BY gap_to, org_id, id, l.position LIMIT %(limit)s
)"""
_CORRECTIONS = """(
    SELECT start, {subject} AS subject, org_id, id, l.position, finish, event_id, recorded_time,
        before, after, events
    FROM {corrections} AS l JOIN {views} AS v USING (org_id, id)
    WHERE {organisations} AND {teams} AND (%({ids})s::text[] IS NULL OR id = ANY(%({ids})s))
        AND start >= %(a0)s AND (finish IS NULL OR finish > %(start)s)
        AND (%(end)s::bigint IS NULL OR start < %(end)s)
        AND (start, {subject}, org_id, id, l.position)
            > (%(a0)s, %(a1)s, %(a2)s, %(a3)s, %(a4)s)
    ORDER BY start, org_id, id, l.position LIMIT %(limit)s
)"""


def _of_kind(query: str, table: Table[Any], scope: Scope) -> sql.Composed:
    return sql.SQL(query).format(
        subject=table.subject,
        anomalies=sql.Identifier(table.anomalies),
        corrections=sql.Identifier(table.corrections),
        views=sql.Identifier(table.name),
        organisations=scope.organisations(),
        teams=scope.teams(table),
        ids=sql.SQL(table.name),
        time=PASSING_TIME,
    )


def _anomaly_row(row: TupleRow) -> AnomalyRow:
    gap_to, subject, org_id, id_, position, kind, event_id, gap_from = row
    return AnomalyRow.model_validate(
        {
            **_whose(subject, org_id, id_),
            "kind": kind,
            "from": gap_from,
            "to": gap_to,
            "event_id": event_id,
            "position": None if position == PASSING_TIME else position,
        }
    )


def correction_row(row: TupleRow) -> CorrectionRow:
    """A row of the ledger in the contract's shape."""
    start, subject, org_id, id_, position, finish, event_id, recorded, before, after, events = row
    return CorrectionRow.model_validate(
        {
            **_whose(subject, org_id, id_),
            "kind": "correction",
            "from": start,
            "to": finish,
            "event_id": event_id,
            "position": position,
            "recorded_time": recorded,
            "before": before,
            "after": after,
            "events": events,
        }
    )


def _whose(subject: str, org_id: str, id_: str) -> dict[str, str | None]:
    return {
        "org_id": org_id,
        "subject": f"{subject}:{id_}",
        "agent_id": id_ if subject == "agent" else None,
        "task_id": id_ if subject == "task" else None,
    }
