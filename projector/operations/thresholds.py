"""The operator's thresholds: what operators set over HTTP, and the changes of it.

Rule: a change is a row, and its rules count until the next one. Who changes them says from which
version, so that nobody replaces what they have not read. No row is ever changed or deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg
from psycopg.types.json import Jsonb

from projector.contract.thresholds import AgentThreshold, QueueThreshold
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.errors import ProjectorError


class StaleVersion(ProjectorError):  # noqa: N818 - named for what callers say
    """Somebody has changed the rules since they were read."""


class ThresholdStore:
    """Keeps the operator's rules. ``clock`` gives the time of a change, epoch ms."""

    def __init__(self, pool: Pool, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._clock = clock

    def change(
        self,
        rules: Sequence[AgentThreshold | QueueThreshold] | None,
        *,
        version: int,
        who: str,
        why: str,
    ) -> int:
        """Let some rules count instead of those of a version; null takes them back.

        Returns the new version. StaleVersion where another one counts by now.
        """
        kept = None if rules is None else [rule.model_dump(by_alias=True) for rule in rules]
        parameters = {
            "version": version,
            "rules": None if kept is None else Jsonb(kept),
            "who": who,
            "why": why,
            "time": self._clock(),
        }
        try:
            with translated(), self._pool.connection() as connection:
                row = connection.execute(_CHANGE, parameters).fetchone()
        except psycopg.errors.UniqueViolation:
            row = None
        if row is None:
            raise StaleVersion(
                f"The rules are no longer those of version {version}: read them again."
            )
        return int(row["version"])


# Of two at a time the key lets one pass.
_CHANGE = """
    INSERT INTO threshold_changes (version, rules, who, why, time)
    SELECT %(version)s + 1, %(rules)s, %(who)s, %(why)s, %(time)s
    WHERE %(version)s = (SELECT coalesce(max(version), 0) FROM threshold_changes)
    RETURNING version
"""
