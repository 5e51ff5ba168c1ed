"""Shares: subjects put together so that what folds them has few events in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from psycopg.rows import DictRow

# Subjects and their events, or one subject that has more.
MOST_SUBJECTS, MOST_EVENTS = 100, 10_000


def apart(subjects: Iterable[DictRow]) -> Iterator[Sequence[tuple[str, str]]]:
    """Shares of few subjects and few events."""
    keys: list[tuple[str, str]] = []
    events = 0
    for one in subjects:
        if keys and (len(keys) == MOST_SUBJECTS or events + one["events"] > MOST_EVENTS):
            yield keys
            keys, events = [], 0
        keys.append((one["org_id"], one["id"]))
        events += one["events"]
    if keys:
        yield keys
