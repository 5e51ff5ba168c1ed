"""The alerts of now: agents and queues that have reached a limit.

Rule: they are computed from the read models with the passing of time applied. No timer and no
memory is involved, so they are right at once after a restart, a late event or a change of a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.alerts import Alert, AlertCounts
from projector.contract.thresholds import AlertLevel, QueueMeasure
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool
from projector.projection.read_models import AGENTS, TASKS, Table
from projector.query.alerts.rule_book import RuleBook, reached
from projector.query.alerts.thresholds import ThresholdReader
from projector.query.conditions import SHOWN_FACETS
from projector.query.current_views import current_state
from projector.query.own_fold import read_views
from projector.query.scope import Scope, names


class Alerts:
    """Finds alerts, each time from one database snapshot."""

    def __init__(
        self, pool: Pool, thresholds: ThresholdReader, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._pool = pool
        self._thresholds = thresholds
        self._clock = clock

    def find(self, scope: Scope, *, queue_ids: Sequence[str] = ()) -> Sequence[Alert]:
        """All alerts of a scope, perhaps of some queues alone: red before amber, then by age."""
        _, book = self._thresholds.book()
        now = self._clock()
        parameters = {
            **scope.parameters,
            "now": now,
            "queues": names(queue_ids or None),
            "statuses": names(book.statuses),
        }
        with read_views(self._pool) as cur:
            found = [
                *_of_agents(cur, book, scope, parameters, now),
                *_of_queues(cur, book, scope, parameters, now),
            ]
        return sorted(found, key=_order)

    def count(self, scope: Scope) -> AlertCounts:
        """How many alerts a scope has."""
        return counted(self.find(scope))


def counted(alerts: Sequence[Alert]) -> AlertCounts:
    """How many alerts have each level."""
    red = sum(alert.level == "red" for alert in alerts)
    return AlertCounts(amber=len(alerts) - red, red=red)


def _order(alert: Alert) -> tuple[Any, ...]:
    return (alert.level != "red", alert.since, *(part or "" for part in alert.identity))


def _of_agents(
    cur: Cursor[TupleRow], book: RuleBook, scope: Scope, parameters: dict[str, Any], now: int
) -> Iterator[Alert]:
    query = _bounded(_AGENTS, AGENTS, scope, parameters)
    for org_id, id_, status, team_id, queue_id, stored, overdue, counters in cur.execute(
        query, parameters
    ):
        since = stored
        if overdue is not None:  # time has passed a deadline of the stored state
            since = current_state(AGENTS, overdue, counters, now).status_since
        rule = book.of_agent(status, queue_id=queue_id, team_id=team_id, org_id=org_id)
        if rule is None or since is None:
            continue
        value = max(0, now - since)
        level_and_limit = reached(rule, value)
        if level_and_limit is not None:
            level, limit = level_and_limit
            yield Alert(
                level=level,
                subject="agent",
                org_id=org_id,
                agent_id=id_,
                team_id=team_id,
                queue_id=queue_id,
                status=status,
                since=since + limit,
                value=value,
                limit=limit,
                rule=rule,
            )


def _of_queues(
    cur: Cursor[TupleRow], book: RuleBook, scope: Scope, parameters: dict[str, Any], now: int
) -> Iterator[Alert]:
    query = _bounded(_QUEUES, TASKS, scope, parameters)
    for org_id, queue_id, channel_type, starts in cur.execute(query, parameters):
        for measure, value in _measures(starts, now):
            rule = book.of_queue(
                measure, queue_id=queue_id, channel_type=channel_type, org_id=org_id
            )
            level_and_limit = None if rule is None else reached(rule, value)
            if rule is None or level_and_limit is None:
                continue
            level, limit = level_and_limit
            yield Alert(
                level=level,
                subject="queue",
                org_id=org_id,
                queue_id=queue_id,
                channel_type=channel_type,
                measure=measure,
                # As many as the limit have waited since the one of that number came.
                since=starts[limit - 1] if measure == "waiting" else starts[0] + limit,
                value=value,
                limit=limit,
                rule=rule,
            )


def _measures(starts: Sequence[int], now: int) -> Iterator[tuple[QueueMeasure, int]]:
    """What is measured of tasks that wait since some times, the oldest first."""
    yield "longestWaitMs", max(0, now - starts[0])
    yield "waiting", len(starts)


def of_level(alerts: Sequence[Alert], levels: Sequence[AlertLevel]) -> Sequence[Alert]:
    """The alerts of some levels; without any, all."""
    return [alert for alert in alerts if not levels or alert.level in levels]


def _bounded(
    query: sql.SQL, table: Table[Any], scope: Scope, parameters: dict[str, Any]
) -> sql.Composed:
    """A query of what the scope covers, and of the queues that are asked for, which may be any."""
    is_any = parameters["queues"] is None
    return query.format(
        organisations=scope.organisations(),
        teams=scope.teams(table),
        shown=SHOWN_FACETS,
        of_queues=sql.SQL("TRUE" if is_any else "shown->'queueId'->>0 = ANY(%(queues)s)"),
    )


# A state whose deadline has passed is read as a whole: its status has begun with the deadline.
_AGENTS = sql.SQL("""
    SELECT org_id, id, shown->'status'->>0, shown->'teamId'->>0, shown->'queueId'->>0,
        CASE WHEN v.deadline <= %(now)s THEN NULL ELSE (v.state::json->>'status_since')::bigint END,
        CASE WHEN v.deadline <= %(now)s THEN v.state END,
        CASE WHEN v.deadline <= %(now)s THEN v.counters END
    FROM agents AS v CROSS JOIN LATERAL (SELECT {shown} AS shown) AS s
    WHERE {organisations} AND {teams} AND {of_queues}
        AND shown->'status'->>0 = ANY(%(statuses)s)
""")
_QUEUES = sql.SQL("""
    SELECT org_id, shown->'queueId'->>0, shown->'channelType'->>0,
        array_agg(waiting_since ORDER BY waiting_since)
    FROM tasks AS v CROSS JOIN LATERAL (SELECT {shown} AS shown) AS s
    WHERE {organisations} AND {teams} AND {of_queues} AND v.waiting_since IS NOT NULL
        AND v.facets @> '{{"open": ["true"]}}' AND shown @> '{{"open": ["true"]}}'
    GROUP BY 1, 2, 3
""")
