"""The thresholds as they are read: those that count now, and the changes of the operator's."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from projector.contract.thresholds import (
    AgentThreshold,
    QueueThreshold,
    ThresholdChange,
)
from projector.infrastructure.database import Pool, translated
from projector.query.alerts.defaults import DEFAULT_THRESHOLDS
from projector.query.alerts.rule_book import AnyCounting, RuleBook
from projector.query.scope import Scope


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
        return version, [rule for rule in book.rules if _is_seen(rule, scope)]

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


def _is_seen(rule: AnyCounting, scope: Scope) -> bool:
    """Rules for all organisations or all teams are for those of the scope too."""
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
