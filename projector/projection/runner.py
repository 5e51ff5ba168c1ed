"""The runner: it follows the log, a batch at a time, and folds it into the read models.

Rule: a batch of the log, all that it changes, and the position after it are one transaction. So a
crash repeats a whole batch or nothing. If a batch cannot be folded as a whole, each of its subjects
is folded by itself, and those that cannot be folded are parked.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, TupleRow, tuple_row

from projector.domain.events import BUCKETS_PER_PARTITION, Recorded
from projector.event_log.reader import Entry
from projector.event_log.store import EventStore
from projector.infrastructure.database import (
    EVENTS_CHANNEL,
    SCHEMA,
    SHADOW_SCHEMA,
    StoreUnavailable,
    become_service,
    connect,
    is_transient,
    translated,
)
from projector.infrastructure.gc_tuning import collecting_rarely
from projector.infrastructure.listening import await_notice, keep_following, listening
from projector.projection.arrival_delays import count_delays
from projector.projection.batch import project
from projector.projection.parking import NO_EXCLUSIONS, Exclusions, project_or_park, read_exclusions
from projector.projection.partitions import (
    BucketKey,
    HoleInLog,
    LockedBatch,
    OtherFold,
    begin_batch,
    end_batch,
    fair_partition_count,
    register_runner,
)
from projector.projection.read_models import FOLD_VERSION, TABLES, Key, Table

FOLD_BATCH_EVENTS = 5_000
MISSED_NOTICE_SECONDS = 1.0  # after which the log is read without a notification
REST_AFTER_ERROR_SECONDS = 0.5  # after an error
COUNT_RUNNERS_SECONDS = 1.0
COUNT_DELAYS_SECONDS = 2.0

EntriesBySubject = Mapping[str, Mapping[Key, Sequence[Entry]]]  # by table
FoldEntries = Callable[[Cursor[TupleRow], EventStore, EntriesBySubject, int], Counter[BucketKey]]
log = logging.getLogger(__name__)


class Runner:
    """Follows the log until it is stopped; several may run, on one host or on many.

    A batch has about ``batch_events`` events. A ``shadow`` runner fills the tables of a shadow
    rebuild.
    """

    def __init__(
        self,
        store: EventStore,
        url: str,
        *,
        batch_events: int = FOLD_BATCH_EVENTS,
        shadow: bool = False,
    ) -> None:
        self._schemas = (SHADOW_SCHEMA, SCHEMA) if shadow else (SCHEMA,)
        self._store = store
        self._url = url
        self._usual_batch_events = self._batch_events = batch_events
        self._partition_count, self._runners_counted_at = 0, float("-inf")
        self._delays_counted_at = float("-inf")

    def run(self, stop: Event) -> None:
        """Follow until ``stop`` is set; wait for a database that does not answer."""
        keep_following(
            lambda: self._follow(stop),
            who="the projection",
            is_needed=lambda: not stop.is_set(),
            rest=lambda: self._rest(stop),
            waits_for=OtherFold,
        )

    def _rest(self, stop: Event) -> None:
        # Whatever the error was, half a batch takes less time and memory.
        self._batch_events = max(1, self._batch_events // 2)
        stop.wait(REST_AFTER_ERROR_SECONDS)

    def _follow(self, stop: Event) -> None:
        with (
            collecting_rarely(),
            listening(self._url, EVENTS_CHANNEL, *self._schemas) as connection,
        ):
            connection.execute(_SESSION)
            register_runner(connection)
            while not stop.is_set():
                has_folded = self.process_batch(connection)
                self._count_delays(connection)
                if not has_folded:
                    await_notice(connection, MISSED_NOTICE_SECONDS)

    def catch_up(self) -> None:
        """Follow until no batch waits but those that other runners have locked."""
        with collecting_rarely(), translated(), connect(self._url) as connection:
            become_service(connection, *self._schemas)
            connection.execute(_SESSION)
            register_runner(connection)
            while self.process_batch(connection):
                pass
            count_delays(connection)

    def _count_delays(self, connection: Connection[DictRow]) -> None:
        if time.monotonic() - self._delays_counted_at > COUNT_DELAYS_SECONDS:
            count_delays(connection)
            self._delays_counted_at = time.monotonic()

    def process_batch(self, connection: Connection[DictRow]) -> bool:
        """Fold the next batch; False where none waits but those that other runners have locked."""
        max_partitions = self._max_partitions(connection)
        try:
            return self._process_batch(connection, max_partitions, _fold_together)
        except (StoreUnavailable, HoleInLog, OtherFold):
            raise
        except Exception as error:
            if isinstance(error, psycopg.Error) and is_transient(error):
                raise
            log.warning("a batch is folded subject by subject: %s", error)
            return self._process_batch(connection, max_partitions, _fold_each_subject)

    def _process_batch(
        self, connection: Connection[DictRow], max_partitions: int, fold: FoldEntries
    ) -> bool:
        with connection.transaction(), connection.cursor(row_factory=tuple_row, binary=True) as cur:
            batch = begin_batch(cur, max_partitions, self._batch_events, fold=FOLD_VERSION)
            if batch is None:
                return False
            entries = self._store.batch(cur, batch.partitions, after=batch.after, end=batch.last)
            exclusions = NO_EXCLUSIONS
            if batch.has_exclusions:
                exclusions = read_exclusions(cur, batch.after, batch.last)
            subjects, counts = _by_subject(entries, batch, exclusions)
            counts.update(fold(cur, self._store, subjects, batch.after))
            end_batch(cur, batch, counts)
            self._batch_events = min(2 * self._batch_events, self._usual_batch_events)
            return True

    def _max_partitions(self, connection: Connection[DictRow]) -> int:
        now = time.monotonic()
        if now - self._runners_counted_at > COUNT_RUNNERS_SECONDS:
            self._partition_count = fair_partition_count(connection)
            self._runners_counted_at = now
        return self._partition_count


# A runner that hangs loses its partitions after a minute. If the database crashes, it may lose the
# last commits: position and tables go back together, so the batches are folded again.
_SESSION = """
    SET idle_in_transaction_session_timeout = '60s';
    SET synchronous_commit = off
"""


def _by_subject(
    entries: Sequence[Entry], batch: LockedBatch, exclusions: Exclusions
) -> tuple[EntriesBySubject, Counter[BucketKey]]:
    """What to fold, by table and subject; and how many events are skipped, by bucket."""
    partitions = frozenset(batch.partitions)
    subjects: dict[str, dict[Key, list[Entry]]] = {}
    skipped: Counter[BucketKey] = Counter()
    for table in TABLES:
        parked = exclusions.parked[table.name]
        by_key: dict[Key, list[Entry]] = defaultdict(list)
        for entry in entries:
            id_, bucket = entry.subjects.get(table.column, ("", -BUCKETS_PER_PARTITION))
            if bucket // BUCKETS_PER_PARTITION not in partitions or (entry.org_id, id_) in parked:
                continue
            if (table.name, entry.position) in exclusions.skipped:
                skipped[table.name, bucket] += 1
                continue
            by_key[entry.org_id, id_].append(entry)
        # All transactions take subjects in one order, so that no two wait for each other.
        subjects[table.name] = dict(sorted(by_key.items()))
    return subjects, skipped


def _fold_together(
    cur: Cursor[TupleRow], store: EventStore, subjects: EntriesBySubject, known_position: int
) -> Counter[BucketKey]:
    """Fold all subjects of a table with the same statements; how many events, by bucket."""
    read: dict[int, Recorded] = {}
    counts: Counter[BucketKey] = Counter()
    for table in TABLES:
        new = {
            key: [
                read.get(entry.position) or read.setdefault(entry.position, entry.recorded())
                for entry in entries
            ]
            for key, entries in subjects[table.name].items()
        }
        if new:
            project(cur, store, table, new, known_position=known_position)
        counts.update(_by_bucket(table, {key: len(events) for key, events in new.items()}))
    return counts


def _fold_each_subject(
    cur: Cursor[TupleRow],
    store: EventStore,
    subjects: EntriesBySubject,
    _known_position: int,
) -> Counter[BucketKey]:
    """Fold each subject by itself, park those that cannot be folded; how many events, by bucket."""
    counts: Counter[BucketKey] = Counter()
    for table in TABLES:
        folded = {
            key: project_or_park(cur, store, table, key, entries)
            for key, entries in subjects[table.name].items()
        }
        counts.update(_by_bucket(table, folded))
    return counts


def _by_bucket(table: Table[Any], folded: Mapping[Key, int]) -> Counter[BucketKey]:
    counts: Counter[BucketKey] = Counter()
    for key, count in folded.items():
        counts[table.name, table.bucket_of(key)] += count
    return counts
