"""Batches of subjects, of bounded size, so that whoever folds them has few events in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from psycopg.rows import DictRow

# Of a batch. A subject with more events is a batch of its own.
MAX_SUBJECTS, MAX_EVENTS = 100, 10_000


def batches(subjects: Iterable[DictRow]) -> Iterator[Sequence[tuple[str, str]]]:
    """The keys of subjects in batches, in their order; a row has ``org_id``, ``id``, ``events``."""
    keys: list[tuple[str, str]] = []
    events = 0
    for subject in subjects:
        if keys and (len(keys) == MAX_SUBJECTS or events + subject["events"] > MAX_EVENTS):
            yield keys
            keys, events = [], 0
        keys.append((subject["org_id"], subject["id"]))
        events += subject["events"]
    if keys:
        yield keys
