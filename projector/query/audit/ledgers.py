"""The ledgers: anomalies, corrections by late events, conflicts and quarantine.

Rule: a caller of some teams sees a row as of its moment: an anomaly at the end of its gap, a
conflict at the time of its event, a correction in the part of its time that is seen.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.events import ConflictKind
from projector.contract.intervals import interval_row, seen_interval
from projector.contract.ledgers import (
    AnomalyRow,
    ConflictRow,
    CorrectionRow,
    QuarantineResolution,
    QuarantineRetry,
    QuarantineRow,
    late_event,
)
from projector.domain.team_periods import Periods
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, consistent_read
from projector.projection.read_models import (
    AGENTS,
    TABLES,
    TASKS,
    Table,
    interval_from_json,
)
from projector.query.as_of.reconstruct import AsOf
from projector.query.as_of.team_moments import NamedMoment, TeamMoments
from projector.query.own_fold import read_views
from projector.query.scope import EVERYTHING, Scope, names
from projector.webex.json_body import read_for_display
from projector.webex.webhook import differing_fields, read_data

R = TypeVar("R")
LedgerKey = tuple[Any, ...]  # of a row: the values by which rows are ordered
# Of some rows those that are seen, by their index, as far as they are seen.
SeenRows = Callable[[TeamMoments, Sequence[TupleRow], "LedgerSelection"], Iterable[tuple[int, R]]]
ROWS_READ = 500  # at least, at a time, where a caller sees some of them
ROWS_EXAMINED = 5_000  # at most for one page


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSelection:
    """Which rows of a ledger: of these subjects, overlapping ``[start, end)`` (epoch ms).

    Without agents and tasks, rows of every subject. ``kinds`` are those of conflicts, all without.
    """

    agent_ids: Collection[str] = ()
    task_ids: Collection[str] = ()
    kinds: Collection[ConflictKind] = ()
    start: int = 0
    end: int | None = None
    after: LedgerKey | None = None
    limit: int = 100


class Ledgers:
    """Each ledger answers some rows by time, and where to go on, from one database snapshot.

    A page may have less rows than its limit and not be the last, where a caller sees few of them.
    """

    def __init__(self, pool: Pool, store: EventStore, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._store = store
        self._clock = clock

    def anomalies(
        self, scope: Scope, selection: LedgerSelection
    ) -> tuple[Sequence[AnomalyRow], LedgerKey | None]:
        """By the end of the gap in which something was lost."""
        return self._ledger(_ANOMALY_ROWS, _seen_anomalies, scope, selection)

    def corrections(
        self, scope: Scope, selection: LedgerSelection
    ) -> tuple[Sequence[CorrectionRow], LedgerKey | None]:
        """By the start of what they changed."""
        return self._ledger(_CORRECTION_ROWS, _seen_corrections, scope, selection)

    def conflicts(
        self, scope: Scope, selection: LedgerSelection
    ) -> tuple[Sequence[ConflictRow], LedgerKey | None]:
        """By the time at which the other body first came; variations are among them."""
        statement = sql.SQL(_CONFLICT_ROWS).format(organisations=scope.organisations())
        after = selection.after or (-1, "", 0, "")
        return self._rows(statement, _seen_conflicts, scope, selection, after)

    def quarantine(
        self, scope: Scope, selection: LedgerSelection
    ) -> tuple[Sequence[QuarantineRow], LedgerKey | None]:
        """By the time at which a body first came.

        Such a body belongs to no organisation, so only a caller who may see all of them gets any.
        """
        if scope != EVERYTHING or selection.agent_ids or selection.task_ids:
            return [], None
        return self._rows(
            sql.SQL(_QUARANTINE_ROWS).format(),
            _quarantine_rows,
            scope,
            selection,
            selection.after or (-1, 0),
        )

    def quarantined(self, scope: Scope, id_: int) -> QuarantineRow | None:
        """One row of the quarantine; null where a caller of this scope may see none such."""
        if scope != EVERYTHING:
            return None
        with consistent_read(self._pool) as cur:
            row = cur.execute(_QUARANTINE_ROW, {"id": id_}).fetchone()
        return None if row is None else _quarantine_row(row)

    def _ledger(
        self, rows: str, seen: SeenRows[R], scope: Scope, selection: LedgerSelection
    ) -> tuple[Sequence[R], LedgerKey | None]:
        parts = [_of_kind(rows, table, scope) for table in TABLES]
        # Without a key, the one before all rows: no time is negative.
        return self._rows(
            sql.SQL("{} ORDER BY 1, 2, 3, 4, 5 LIMIT %(limit)s").format(
                sql.SQL(" UNION ALL ").join(parts)
            ),
            seen,
            scope,
            selection,
            selection.after or (-1, "", "", "", 0),
            read=read_views,
        )

    def _rows(  # noqa: PLR0913 - what to read, for whom, and how
        self,
        statement: sql.Composed,
        seen: SeenRows[R],
        scope: Scope,
        selection: LedgerSelection,
        after: LedgerKey,
        *,
        read: Callable[[Pool], AbstractContextManager[Cursor[TupleRow]]] = consistent_read,
    ) -> tuple[Sequence[R], LedgerKey | None]:
        """What is seen of the rows of a statement, whose first columns are their key."""
        any_subject = not selection.agent_ids and not selection.task_ids
        now = self._clock()
        size = selection.limit if scope.team_ids is None else max(selection.limit, ROWS_READ)
        parameters = scope.parameters | {
            AGENTS.name: None if any_subject else names(selection.agent_ids),
            TASKS.name: None if any_subject else names(selection.task_ids),
            "kinds": [*selection.kinds] or None,
            "start": selection.start,
            "end": selection.end,
            "now": now,
            "limit": size + 1,
        }
        page = list[tuple[LedgerKey, R]]()
        with read(self._pool) as cur:
            as_of = AsOf(now=now, known_time=now)
            moments = TeamMoments(cur, self._store, scope.team_ids, as_of)
            for parts in count(1):
                place = {f"a{number}": part for number, part in enumerate(after)}
                rows = cur.execute(statement, parameters | place).fetchall()
                part, is_last = rows[:size], len(rows) <= size
                page += [
                    (part[index][: len(after)], row)
                    for index, row in seen(moments, part, selection)
                ]
                if len(page) > selection.limit or (len(page) == selection.limit and not is_last):
                    page = page[: selection.limit]
                    return [row for _, row in page], page[-1][0]
                if is_last:
                    return [row for _, row in page], None
                after = part[-1][: len(after)]
                if parts * size >= ROWS_EXAMINED:
                    return [row for _, row in page], after
        raise AssertionError


# Anomalies that stay, and those that the passing of time has raised or an event may withdraw.
_ANOMALY_ROWS = """(
    SELECT gap_to, {subject} AS subject, org_id, id, l.position, kind, event_id, gap_from
    FROM (
        SELECT org_id, id, position, kind, event_id, gap_from, gap_to FROM {anomalies}
        WHERE gap_to >= greatest(%(start)s, %(a0)s)
        UNION ALL
        SELECT v.org_id, v.id, (it->>'position')::bigint, it->>'kind', it->>'event_id',
            (it->>'from')::bigint, (it->>'to')::bigint
        FROM {views} AS v, jsonb_array_elements(v.later_anomalies) AS it
        WHERE v.anomaly_time <= %(now)s AND (it->>'to')::bigint <= %(now)s
            AND (it->>'to')::bigint >= greatest(%(start)s, %(a0)s)
    ) AS l JOIN {views} AS v USING (org_id, id)
    WHERE {organisations} AND (%({ids})s::text[] IS NULL OR id = ANY(%({ids})s))
        AND (%(end)s::bigint IS NULL OR coalesce(gap_from, gap_to) < %(end)s)
        AND (gap_to, {subject}, org_id, id, l.position)
            > (%(a0)s, %(a1)s, %(a2)s, %(a3)s, %(a4)s)
    ORDER BY gap_to, org_id, id, l.position LIMIT %(limit)s
)"""
_CORRECTION_ROWS = """(
    SELECT start, {subject} AS subject, org_id, id, l.position, finish, event_id, recorded_time,
        before, after, events
    FROM {corrections} AS l JOIN {views} AS v USING (org_id, id)
    WHERE {organisations} AND (%({ids})s::text[] IS NULL OR id = ANY(%({ids})s))
        AND start >= %(a0)s AND (finish IS NULL OR finish > %(start)s)
        AND (%(end)s::bigint IS NULL OR start < %(end)s)
        AND (start, {subject}, org_id, id, l.position)
            > (%(a0)s, %(a1)s, %(a2)s, %(a3)s, %(a4)s)
    ORDER BY start, org_id, id, l.position LIMIT %(limit)s
)"""

_CONFLICT_ROWS = """
    SELECT c.first_time, c.org_id, c.position, encode(c.sha256, 'hex'), c.kind, c.last_time,
        c.body, c.deliveries, e.body, e.event_id, e.agent_id, e.task_id, e.agent_bucket IS NOT NULL,
        e.task_bucket IS NOT NULL, e.time
    FROM (SELECT * FROM conflicts WHERE {organisations}) AS c
    JOIN log AS e ON e.position = c.position AND e.org_id = c.org_id
    WHERE c.first_time >= %(a0)s AND c.last_time >= %(start)s
        AND (%(end)s::bigint IS NULL OR c.first_time < %(end)s)
        AND (%(kinds)s::text[] IS NULL OR c.kind = ANY(%(kinds)s))
        AND (%(agents)s::text[] IS NULL OR e.agent_id = ANY(%(agents)s)
            OR e.task_id = ANY(%(tasks)s))
        AND (c.first_time, c.org_id, c.position, encode(c.sha256, 'hex'))
            > (%(a0)s, %(a1)s, %(a2)s, %(a3)s)
    ORDER BY 1, 2, 3, 4 LIMIT %(limit)s
"""
_QUARANTINED_BODIES = """
    SELECT first_time, id, last_time, sha256, body, reason, headers, deliveries, (
        SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.id), '[]')
        FROM quarantine_attempts AS a WHERE a.quarantine_id = q.id
    ) FROM quarantine AS q
"""
_QUARANTINE_ROWS = f"""{_QUARANTINED_BODIES}
    WHERE (first_time, id) > (%(a0)s, %(a1)s) AND last_time >= %(start)s
        AND (%(end)s::bigint IS NULL OR first_time < %(end)s)
    ORDER BY 1, 2 LIMIT %(limit)s
"""
_QUARANTINE_ROW = f"{_QUARANTINED_BODIES} WHERE id = %(id)s"


def _of_kind(rows: str, table: Table[Any], scope: Scope) -> sql.Composed:
    return sql.SQL(rows).format(
        subject=table.subject,
        anomalies=sql.Identifier(table.anomalies),
        corrections=sql.Identifier(table.corrections),
        views=sql.Identifier(table.name),
        organisations=scope.organisations(),
        ids=sql.SQL(table.name),
    )


def _seen_anomalies(
    moments: TeamMoments, rows: Sequence[TupleRow], selection: LedgerSelection
) -> Iterable[tuple[int, AnomalyRow]]:
    """An anomaly at whose end another team was responsible is not seen; its gap is cut."""
    by_table = defaultdict[str, list[int]](list)
    for index, row in enumerate(rows):
        by_table[row[1]].append(index)
    begins: dict[int, int | None] = {}
    for table in TABLES:
        indexes = by_table[table.subject]
        gaps = [
            ((row[2], row[3]), row[0] if row[7] is None else row[7], row[0])
            for row in (rows[index] for index in indexes)
        ]
        for index, (_, start, end), periods in zip(
            indexes, gaps, moments.of_stretches(table, gaps), strict=True
        ):
            if periods.include(end):
                (*_, (begin, _)) = periods.cut(start, end + 1)
                begins[index] = rows[index][7] if begin == start else begin
    for index in sorted(begins):
        seen = _anomaly_row((*rows[index][:7], begins[index]))
        start = seen.to if seen.from_ is None else seen.from_
        if selection.end is None or start < selection.end:
            yield index, seen


def _anomaly_row(row: TupleRow) -> AnomalyRow:
    gap_to, subject, org_id, id_, position, kind, event_id, gap_from = row
    return AnomalyRow.model_validate(
        {
            **_subject_fields(subject, org_id, id_),
            "kind": kind,
            "from": gap_from,
            "to": gap_to,
            "event_id": event_id,
            "position": None if position <= 0 else position,
        }
    )


def _seen_corrections(
    moments: TeamMoments, rows: Sequence[TupleRow], selection: LedgerSelection
) -> Iterable[tuple[int, CorrectionRow]]:
    for index, row in enumerate(rows):
        whole = correction_row(row)
        if moments.are_all_seen:
            yield index, whole
            continue
        table = next(it for it in TABLES if it.subject == row[1])
        seen = seen_correction(whole, correction_periods(moments, table, whole))
        if seen is None:
            continue
        starts_before = selection.end is None or seen.from_ < selection.end
        if starts_before and (seen.to is None or seen.to > selection.start):
            yield index, seen


def correction_periods(moments: TeamMoments, table: Table[Any], row: CorrectionRow) -> Periods:
    """When the subject of a correction is seen, in all the time that the row tells of."""
    intervals = [*row.before, *row.after]
    first = min(row.from_, *(it.from_ for it in intervals), *(it.time for it in row.events))
    ends = [row.to, *(it.to for it in intervals)]
    known_ends = [it for it in ends if it is not None]
    last = None if table is TASKS or len(known_ends) < len(ends) else max(known_ends)
    id_ = row.agent_id if table is AGENTS else row.task_id
    return moments.periods(table, (row.org_id, id_ or ""), start=first, end=last)


def seen_correction(row: CorrectionRow, periods: Periods) -> CorrectionRow | None:
    """What is seen of a correction: its time, intervals and events; null where it is nothing."""
    parts = [*periods.cut(row.from_, row.to)]
    if not parts:
        return None
    events = [it for it in row.events if periods.include(it.time)]
    return row.model_copy(
        update={
            "from_": parts[0][0],
            "to": parts[-1][1],
            "event_id": events[0].event_id if events else None,
            "before": [part for it in row.before for part in seen_interval(it, periods)],
            "after": [part for it in row.after for part in seen_interval(it, periods)],
            "events": events,
        }
    )


def correction_row(row: TupleRow) -> CorrectionRow:
    """The contract's row of a correction; ``row`` has the columns of ``_CORRECTION_ROWS``."""
    start, subject, org_id, id_, position, finish, event_id, recorded, before, after, events = row
    kind = next(table.interval for table in TABLES if table.subject == subject)
    return CorrectionRow.model_validate(
        {
            **_subject_fields(subject, org_id, id_),
            "kind": "correction",
            "from": start,
            "to": finish,
            "event_id": event_id,
            "position": position,
            "recorded_time": recorded,
            "before": [interval_row(kind, *interval_from_json(it)) for it in before],
            "after": [interval_row(kind, *interval_from_json(it)) for it in after],
            "events": [late_event(**it) for it in events],
        }
    )


def _seen_conflicts(
    moments: TeamMoments, rows: Sequence[TupleRow], _: LedgerSelection
) -> Iterable[tuple[int, ConflictRow]]:
    named = [
        NamedMoment(org_id=row[1], agent_id=row[10], task_id=row[11], time=row[-1]) for row in rows
    ]
    for index, is_seen in enumerate(moments.seen_by_name(named)):
        if is_seen:
            yield index, _conflict_row(rows[index])


def _conflict_row(row: TupleRow) -> ConflictRow:
    first, org_id, position, sha256, *columns = row
    kind, last, body, deliveries, *of_event = columns
    event_body, event_id, agent_id, task_id, is_of_agent, is_of_task, _ = of_event
    of_task = f"task:{task_id}" if is_of_task else None
    parsed = read_for_display(bytes(body))
    return ConflictRow.model_validate(
        {
            "kind": kind,
            "org_id": org_id,
            "subject": f"agent:{agent_id}" if is_of_agent else of_task,
            "agent_id": agent_id,
            "task_id": task_id,
            "from": first,
            "to": last,
            "event_id": event_id,
            "position": position,
            "data": parsed.get("data") if isinstance(parsed, dict) else parsed,
            "fields": differing_fields(read_data(event_body), read_data(body)),
            "sha256": sha256,
            "event_sha256": hashlib.sha256(event_body).hexdigest(),
            "deliveries": deliveries,
        }
    )


def _quarantine_rows(
    _: TeamMoments, rows: Sequence[TupleRow], __: LedgerSelection
) -> Iterable[tuple[int, QuarantineRow]]:
    return enumerate(map(_quarantine_row, rows))


def _quarantine_row(row: TupleRow) -> QuarantineRow:
    first, id_, last, sha256, body, reason, headers, deliveries, attempts = row
    retries = [QuarantineRetry.model_validate(it) for it in attempts if it["reason"] is not None]
    resolutions = [
        QuarantineResolution.model_validate(it) for it in attempts if it["reason"] is None
    ]
    return QuarantineRow(
        id=id_,
        reason=retries[-1].reason if retries else reason,
        sha256=bytes(sha256).hex(),
        body=bytes(body),
        headers=headers,
        deliveries=deliveries,
        first_time=first,
        last_time=last,
        retries=retries,
        resolution=resolutions[0] if resolutions else None,
    )


def _subject_fields(subject: str, org_id: str, id_: str) -> dict[str, str | None]:
    return {
        "org_id": org_id,
        "subject": f"{subject}:{id_}",
        "agent_id": id_ if subject == "agent" else None,
        "task_id": id_ if subject == "task" else None,
    }
