"""The thresholds as they are read: those that count now, and the changes of the operator's."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from psycopg import sql

from projector.contract.thresholds import (
    AgentThreshold,
    QueueThreshold,
    ThresholdChange,
)
from projector.infrastructure.database import Pool, translated
from projector.projection.read_models import AGENTS
from projector.query.alerts.defaults import DEFAULT_THRESHOLDS
from projector.query.alerts.rule_book import AnyCounting, RuleBook
from projector.query.scope import EVERYTHING, Scope


class ThresholdReader:
    """Reads thresholds. ``from_file`` are those of the settings file. Thread-safe."""

    def __init__(self, pool: Pool, from_file: Sequence[AgentThreshold | QueueThreshold]) -> None:
        self._pool = pool
        self._from_file = from_file
        self._read: tuple[int, RuleBook] = (0, self._book(()))

    def book(self) -> tuple[int, RuleBook]:
        """The version of the operator's rules, 0 before the first, and the rules that count."""
        version, book = self._read
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_LATER, {"version": version}).fetchone()
        if row is None:
            return version, book
        change = ThresholdChange.model_validate(row)
        self._read = (change.version, self._book(change.rules or ()))
        return self._read

    def counting(self, scope: Scope) -> tuple[int, Sequence[AnyCounting]]:
        """The version, and the rules that count for somebody in the scope."""
        version, book = self.book()
        rules = [rule for rule in book.rules if _is_of(rule, scope)]
        known = self._queues_of(scope, {it.queue_id for it in rules if it.queue_id is not None})
        return version, [it for it in rules if it.queue_id is None or it.queue_id in known]

    def _queues_of(self, scope: Scope, queue_ids: Collection[str]) -> Collection[str]:
        """Those of some queues whose tasks the scope has: of teams, with one of their agents."""
        if scope == EVERYTHING or not queue_ids:
            return queue_ids
        tasks = _TASKS if scope.team_ids is None else _TASKS_OF_AGENTS
        query = _KNOWN_QUEUES.format(
            organisations=scope.organisations(),
            tasks=tasks.format(organisations=scope.organisations()),
            teams=scope.teams(AGENTS),
        )
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(query, scope.parameters | {"queues": sorted(queue_ids)})
            return {row["queue_id"] for row in rows}

    def changes(
        self, *, before: int | None = None, limit: int = 100
    ) -> tuple[Sequence[ThresholdChange], int | None]:
        """The changes of the operator's rules, the newest first, and the version to go on from."""
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_CHANGES, {"before": before, "limit": limit + 1}).fetchall()
        page = [ThresholdChange.model_validate(row) for row in rows[:limit]]
        return page, page[-1].version if len(rows) > limit else None

    def _book(self, of_operator: Sequence[AgentThreshold | QueueThreshold]) -> RuleBook:
        return RuleBook(
            {"default": DEFAULT_THRESHOLDS, "file": self._from_file, "operator": of_operator}
        )


def _is_of(rule: AnyCounting, scope: Scope) -> bool:
    """Whether a rule is for the scope's organisations and teams; one for all of them is, too."""
    team_id = rule.team_id if isinstance(rule, AgentThreshold) else None
    return (rule.org_id is None or scope.covers_organisation(rule.org_id)) and (
        team_id is None or scope.team_ids is None or team_id in scope.team_ids
    )


_LATER = sql.SQL("""
    SELECT version, time, who, why, rules FROM threshold_changes
    WHERE version > %(version)s ORDER BY version DESC LIMIT 1
""")
_CHANGES = sql.SQL("""
    SELECT version, time, who, why, rules FROM threshold_changes
    WHERE %(before)s::bigint IS NULL OR version < %(before)s
    ORDER BY version DESC LIMIT %(limit)s
""")
_KNOWN_QUEUES = sql.SQL("""
    WITH a AS (SELECT org_id, id, facets FROM agents AS v WHERE {organisations} AND {teams})
    SELECT queue_id FROM unnest(%(queues)s::text[]) AS queue_id
    WHERE EXISTS (SELECT FROM a WHERE facets->'queueId' ? queue_id) OR EXISTS (SELECT FROM {tasks})
""")
# By the index of the tasks' facets, an agent at a time.
_TASKS = sql.SQL("""
    tasks AS v WHERE {organisations}
        AND facets @> jsonb_build_object('queueId', jsonb_build_array(queue_id))
""")
_TASKS_OF_AGENTS = sql.SQL("""
    a JOIN tasks AS t ON t.org_id = a.org_id AND t.facets @> jsonb_build_object(
        'queueId', jsonb_build_array(queue_id), 'agentId', jsonb_build_array(a.id))
""")
