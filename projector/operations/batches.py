"""Batches of subjects, so that whoever folds them has few events in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from psycopg.rows import DictRow

# Of a batch; a subject with more events is a batch of its own.
MOST_SUBJECTS, MOST_EVENTS = 100, 10_000


def batches(subjects: Iterable[DictRow]) -> Iterator[Sequence[tuple[str, str]]]:
    """The keys of some subjects with their counts of events, in batches."""
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
