"""The parts of the projection's process."""

from __future__ import annotations

from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.projection.runner import Runner


def build_runner(pool: Pool, database_url: str, *, shadow: bool) -> Runner:
    """What folds the log into the views; ``shadow``: into the tables of a shadow rebuild."""
    return Runner(EventStore(pool), database_url, shadow=shadow)
