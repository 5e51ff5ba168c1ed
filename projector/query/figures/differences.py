"""Differences of a report: what has changed between two moments of knowledge, and why.

Rule: both reports are read as any report is, and compared row by row. The reasons are the requests
between the two moments that changed a fact, or an interval, which the row counts. Where there is
none, only time has passed: a deadline lay between the two moments.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, dict_row, tuple_row

from projector.infrastructure.database import Pool
from projector.infrastructure.sql import Columns
from projector.projection.read_models import AGENTS, TASKS
from projector.query.as_of.reconstruct import AsOf
from projector.query.figures.fact_counts import FigureQuestion
from projector.query.figures.reports import (
    REPORTS,
    FigureRow,
    ReportName,
    ReportQuestion,
    Reports,
    RowKey,
    nulls_last,
)
from projector.query.own_fold import read_views

REASONS_TOGETHER = 200  # rows whose reasons are read at a time
MOST_REASONS = 100  # requests that are listed of a row
_NOT_COMPARED = {"settled", "teamId"}  # whether a row is final, and whose it is, is no figure


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceQuestion:
    """A report, and the two moments of knowledge, the earlier one first."""

    name: ReportName
    earlier: ReportQuestion
    later: AsOf


class Differences:
    """Compares reports."""

    def __init__(self, pool: Pool, reports: Reports) -> None:
        self._pool = pool
        self._reports = reports

    def rows(self, question: DifferenceQuestion) -> Generator[FigureRow, None, None]:
        """The rows that differ, in the order of the report."""
        with read_views(self._pool) as cur:
            differing = _differing(self._reports, cur, question)
            later = replace(question.earlier, as_of=question.later)
            reasons = _Reasons(cur, question, self._reports.figure_question(cur, later))
            while rows := [*islice(differing, REASONS_TOGETHER)]:
                for row, corrections in zip(rows, reasons.of(rows), strict=True):
                    yield _shown(row, corrections)

    def page(
        self, question: DifferenceQuestion, limit: int
    ) -> tuple[Sequence[FigureRow], RowKey | None]:
        """Some rows, and the key after which to go on, null at the end."""
        with closing(self.rows(question)) as rows:
            page = [*islice(rows, limit + 1)]
        if len(page) <= limit:
            return page, None
        last = page[limit - 1]
        return page[:limit], tuple(last[name] for name in _key_names(question.name))


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row at both moments; null where it was not there."""

    before: FigureRow | None
    after: FigureRow | None

    @property
    def row(self) -> FigureRow:
        """The one that was there."""
        row = self.before if self.after is None else self.after
        assert row is not None  # noqa: S101 - one of them was
        return row


def _differing(
    reports: Reports, cur: Cursor[TupleRow], question: DifferenceQuestion
) -> Iterator[_Pair]:
    """The rows that differ: both reports are in one order, so they are read side by side.

    Both are read by one connection: whoever holds one and waits for another may wait for ever.
    """
    later = replace(question.earlier, as_of=question.later)
    before, after = (
        reports.rows_within(cur.connection.cursor(row_factory=tuple_row), question.name, it)
        for it in (question.earlier, later)
    )
    for pair in _paired(REPORTS[question.name].key, before, after):
        if _figures(pair.before) != _figures(pair.after):
            yield pair


def _paired(key: Any, before: Iterator[FigureRow], after: Iterator[FigureRow]) -> Iterator[_Pair]:
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        old_key = None if old is None else nulls_last(key(old))
        new_key = None if new is None else nulls_last(key(new))
        is_gone = new_key is None or (old_key is not None and old_key < new_key)
        is_new = old_key is None or (new_key is not None and new_key < old_key)
        yield _Pair(None if is_new else old, None if is_gone else new)
        if not is_new:
            old = next(before, None)
        if not is_gone:
            new = next(after, None)


def _figures(row: FigureRow | None) -> Mapping[str, Any]:
    """The figures of a row by name; those by status or idle code as ``statusMs.connected``."""
    figures: dict[str, Any] = {}
    for name, value in (row or {}).items():
        if isinstance(value, dict):
            figures |= {f"{name}.{part}": ms for part, ms in value.items()}
        elif name not in _NOT_COMPARED:
            figures[name] = value
    return figures


def _shown(pair: _Pair, corrections: Sequence[FigureRow]) -> FigureRow:
    row, old, new = pair.row, _figures(pair.before), _figures(pair.after)
    listed = corrections[:MOST_REASONS]
    return {
        **{name: row.get(name) for name in _KEY_NAMES},
        "existed": pair.before is not None,
        "exists": pair.after is not None,
        "changes": {
            name: _change(old.get(name), new.get(name))
            for name in [*new, *(it for it in old if it not in new)]
            if name not in _KEY_NAMES and old.get(name) != new.get(name)
        },
        "corrections": listed,
        "correctionCount": len(corrections),
        "byTime": not corrections,
    }


def _change(before: Any, after: Any) -> Mapping[str, Any]:
    """A value at both moments, and how much it has grown; a count that was not there was 0."""
    values = [value for value in (before, after) if value is not None]
    is_number = all(isinstance(value, int | float) for value in values)
    difference = (after or 0) - (before or 0) if is_number else None
    return {"before": before, "after": after, "difference": difference}


_KEY_NAMES = ("from", "to", "orgId", "queueId", "channelType", "agentId")


def _key_names(name: ReportName) -> Sequence[str]:
    """A row of agents has no channel type: the last part of its key is null."""
    return ("from", "orgId", "agentId" if name == "agents" else "queueId", "channelType")


class _Reasons:
    """Reads which requests changed what some rows count.

    ``figures`` is what the later report is of: its filters hold for reasons too. What the caller
    may not see of an agent or a task is a reason without its name and its events.
    """

    def __init__(
        self, cur: Cursor[TupleRow], question: DifferenceQuestion, figures: FigureQuestion
    ) -> None:
        self._cur = cur.connection.cursor(row_factory=dict_row)
        is_of_agents = question.name == "agents"
        # An agent's row has the agent's parts, whatever team they were of.
        condition, parameters = (replace(figures, members=None) if is_of_agents else figures).facts(
            known=_BETWEEN
        )
        scope = question.earlier.scope
        self._query = (_OF_AGENTS if is_of_agents else _OF_QUEUES).format(
            rows=_ROWS.unnest("r"),
            between=_BETWEEN,
            changed_at=_CHANGED_AT,
            condition=condition,
            events=_EVENTS.format(
                agent_is_seen=scope.teams(AGENTS), task_is_seen=scope.teams(TASKS)
            ),
        )
        self._parameters = parameters | {
            "earlier": question.earlier.as_of.position,
            "later": question.later.position,
        }

    def of(self, pairs: Sequence[_Pair]) -> Sequence[Sequence[FigureRow]]:
        """The requests of each row, in their order."""
        rows = [
            (
                number,
                *(it.row.get(name) for name in ("orgId", "from", "to")),
                it.row.get("agentId", it.row.get("queueId")),
                it.row.get("channelType"),
            )
            for number, it in enumerate(pairs)
        ]
        reasons: list[list[FigureRow]] = [[] for _ in pairs]
        parameters = self._parameters | _ROWS.parameters(rows)
        for row in self._cur.execute(self._query, parameters):
            reasons[row["number"]].append(
                {
                    "position": row["position"],
                    "recordedTime": row["recorded_time"],
                    "agentId": row["agent_id"] if row["is_seen"] else None,
                    "taskId": row["task_id"] if row["is_seen"] else None,
                    "events": row["events"] if row["is_seen"] else [],
                }
            )
        return reasons


_ROWS = Columns(
    {
        "number": "integer",
        "org_id": "text",
        "since": "bigint",
        "upto": "bigint",
        "name": "text",  # of the queue, or of the agent
        "channel_type": "text",
    }
)
# What a request changed begins or ends to be known at its position.
_BETWEEN = sql.SQL("""(
    (known_from > %(earlier)s AND known_from <= %(later)s)
    OR (known_to > %(earlier)s AND known_to <= %(later)s)
)""")
_CHANGED_AT = sql.SQL("""CROSS JOIN LATERAL (VALUES (known_from), (known_to)) AS p(position)
        WHERE p.position > %(earlier)s AND p.position <= %(later)s""")
_EVENTS = sql.SQL("""
    , seen AS (
        SELECT c.*, CASE WHEN c.task_id IS NULL
            THEN EXISTS (SELECT FROM agents AS v
                WHERE v.org_id = c.org_id AND v.id = c.agent_id AND {agent_is_seen})
            ELSE EXISTS (SELECT FROM tasks AS v
                WHERE v.org_id = c.org_id AND v.id = c.task_id AND {task_is_seen})
            END AS is_seen
        FROM changed AS c
    )
    SELECT c.number, c.position, c.is_seen, c.agent_id, c.task_id,
        min(e.recorded_time) AS recorded_time, json_agg(json_build_object(
            'eventId', e.event_id, 'type', e.type, 'time', e.time, 'position', e.position
        ) ORDER BY e.position) AS events
    FROM seen AS c CROSS JOIN LATERAL (
        SELECT l.* FROM log AS l WHERE l.org_id = c.org_id AND l.task_id = c.task_id
            AND l.task_bucket IS NOT NULL AND l.request_position = c.position
        UNION ALL
        SELECT l.* FROM log AS l WHERE l.org_id = c.org_id AND l.agent_id = c.agent_id
            AND l.agent_bucket IS NOT NULL AND l.request_position = c.position
    ) AS e
    GROUP BY c.number, c.position, c.is_seen, c.agent_id, c.task_id
    ORDER BY c.number, c.position, c.task_id, c.agent_id
""")
_OF_QUEUES = sql.SQL("""
    WITH changed AS (
        SELECT DISTINCT r.number, r.org_id, NULL AS agent_id, f.id AS task_id, p.position
        FROM {rows} CROSS JOIN LATERAL (
            SELECT f.id, f.known_from, f.known_to FROM task_facts AS f
            WHERE f.org_id = r.org_id AND f.queue_id IS NOT DISTINCT FROM r.name
                AND f.channel_type IS NOT DISTINCT FROM r.channel_type AND {condition} AND (
                    (f.counted_time >= r.since AND f.counted_time < r.upto)
                    OR (f.kind = 'wait' AND f.start >= r.since AND f.start < r.upto)
                )
        ) AS f {changed_at}
    )
    {events}
""")
# Of intervals also the one in force when the row's period begins, as it was known before.
_OF_AGENTS = sql.SQL("""
    WITH changed AS (
        SELECT DISTINCT r.number, r.org_id, r.name AS agent_id, NULL AS task_id, p.position
        FROM {rows} JOIN agent_intervals AS i ON i.org_id = r.org_id AND i.id = r.name
            AND {between} AND i.start < r.upto AND i.start >= coalesce((
                SELECT max(b.start) FROM agent_intervals AS b
                WHERE b.org_id = r.org_id AND b.id = r.name AND b.start <= r.since
                    AND b.known_from <= %(earlier)s
                    AND (b.known_to IS NULL OR b.known_to > %(earlier)s)
            ), 0)
        {changed_at}
        UNION
        SELECT r.number, r.org_id, NULL, f.id, p.position
        FROM {rows} CROSS JOIN LATERAL (
            SELECT f.id, f.known_from, f.known_to FROM task_facts AS f
            WHERE f.org_id = r.org_id AND f.kind <> 'wait' AND f.parts ? r.name
                AND f.counted_time >= r.since AND f.counted_time < r.upto AND {condition}
        ) AS f {changed_at}
    )
    {events}
""")
