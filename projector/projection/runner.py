"""The runner: follows the log, a page at a time, into what is shown.

The rule of this file: a page of the log, everything it changes, and the position after it are one
transaction, so a crash repeats a page or nothing. Where a page cannot be folded as a whole, each of
its subjects is folded by itself, and those that cannot be are parked.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, TupleRow, tuple_row

from projector.domain.events import BUCKETS_PER_PARTITION, Recorded
from projector.event_log.reader import Entry
from projector.event_log.store import EventStore
from projector.infrastructure.database import (
    BESIDE,
    EVENTS_CHANNEL,
    SCHEMA,
    StoreUnavailable,
    become_service,
    connect,
    is_passing,
    translated,
)
from projector.infrastructure.gc_tuning import collecting_rarely
from projector.infrastructure.listening import await_notice, keep_following, listening
from projector.projection.arrival_delays import count_delays
from projector.projection.batch import project
from projector.projection.parking import NOTHING, LeftOut, left_out, project_or_park
from projector.projection.partitions import (
    Claim,
    HoleInLog,
    OtherFold,
    advance,
    claim,
    fair_partition_count,
    join,
)
from projector.projection.read_models import FOLD_VERSION, TABLES, Key, Table

BATCH_EVENTS = 5_000
POLL_SECONDS = 1.0  # the safety net under a notification that was missed
RETRY_SECONDS = 0.5
COUNT_RUNNERS_SECONDS = 1.0
COUNT_DELAYS_SECONDS = 2.0

Subjects = Mapping[str, Mapping[Key, Sequence[Entry]]]  # by table
log = logging.getLogger(__name__)


class Runner:
    """Follows the log until told to stop; several may run, on one host or many."""

    def __init__(
        self, store: EventStore, url: str, *, batch_events: int = BATCH_EVENTS, beside: bool = False
    ) -> None:
        self._schemas = (BESIDE, SCHEMA) if beside else (SCHEMA,)
        self._store = store
        self._url = url
        self._page_events = self._size = batch_events
        self._share, self._counted_at = 0, float("-inf")
        self._delays_counted_at = float("-inf")

    def run(self, stop: Event) -> None:
        """Follow until told to stop; a database that goes away is waited for."""
        keep_following(
            lambda: self._follow(stop),
            who="the projection",
            is_needed=lambda: not stop.is_set(),
            rest=lambda: self._rest(stop),
            waits_for=OtherFold,
        )

    def _rest(self, stop: Event) -> None:
        # Whatever it was, a page half as large asks less of time and memory.
        self._size = max(1, self._size // 2)
        stop.wait(RETRY_SECONDS)

    def _follow(self, stop: Event) -> None:
        with (
            collecting_rarely(),
            listening(self._url, EVENTS_CHANNEL, *self._schemas) as connection,
        ):
            connection.execute(_SESSION)
            join(connection)
            while not stop.is_set():
                took_a_page = self.process_batch(connection)
                self._count_delays(connection)
                if not took_a_page:
                    await_notice(connection, POLL_SECONDS)

    def catch_up(self) -> None:
        """Follow until nothing waits that no other runner holds."""
        with collecting_rarely(), translated(), connect(self._url) as connection:
            become_service(connection, *self._schemas)
            connection.execute(_SESSION)
            join(connection)
            while self.process_batch(connection):
                pass
            count_delays(connection)

    def _count_delays(self, connection: Connection[DictRow]) -> None:
        if time.monotonic() - self._delays_counted_at > COUNT_DELAYS_SECONDS:
            count_delays(connection)
            self._delays_counted_at = time.monotonic()

    def process_batch(self, connection: Connection[DictRow]) -> bool:
        """Fold the next page; False where nothing waits that another runner does not hold."""
        share = self._fair_share(connection)
        try:
            return self._process_batch(connection, share, _together)
        except (StoreUnavailable, HoleInLog, OtherFold):
            raise
        except Exception as error:
            if isinstance(error, psycopg.Error) and is_passing(error):
                raise
            log.warning("a page is folded subject by subject: %s", error)
            return self._process_batch(connection, share, _one_by_one)

    def _process_batch(self, connection: Connection[DictRow], share: int, fold: Any) -> bool:
        with connection.transaction(), connection.cursor(row_factory=tuple_row, binary=True) as cur:
            held = claim(cur, share, self._size, fold=FOLD_VERSION)
            if held is None:
                return False
            entries = self._store.batch(cur, held.partitions, after=held.after, end=held.last)
            without = left_out(cur, held.after, held.last) if held.leaves_out else NOTHING
            projected: Counter[tuple[str, int]] = Counter()
            subjects = _by_subject(entries, held, without, projected)
            projected.update(fold(cur, self._store, subjects, held.after))
            advance(cur, held, projected)
            self._size = min(2 * self._size, self._page_events)
            return True

    def _fair_share(self, connection: Connection[DictRow]) -> int:
        now = time.monotonic()
        if now - self._counted_at > COUNT_RUNNERS_SECONDS:
            self._share, self._counted_at = fair_partition_count(connection), now
        return self._share


# A frozen runner loses its partitions after a minute. What a crash of the database takes back is
# folded again, because position and tables go back together.
_SESSION = """
    SET idle_in_transaction_session_timeout = '60s';
    SET synchronous_commit = off
"""


def _by_subject(
    entries: Sequence[Entry], held: Claim, without: LeftOut, passed: Counter[tuple[str, int]]
) -> dict[str, dict[Key, list[Entry]]]:
    """The page by kind and subject; what an operator left out counts as ``passed``."""
    partitions = frozenset(held.partitions)
    found: dict[str, dict[Key, list[Entry]]] = {}
    for table in TABLES:
        parked = without.parked[table.name]
        subjects: dict[Key, list[Entry]] = defaultdict(list)
        for entry in entries:
            id_, place = entry.subjects.get(table.column, ("", -BUCKETS_PER_PARTITION))
            if place // BUCKETS_PER_PARTITION not in partitions or (entry.org_id, id_) in parked:
                continue
            if (table.name, entry.position) in without.skipped:
                passed[table.name, place] += 1
                continue
            subjects[entry.org_id, id_].append(entry)
        # In one order for all, so that no two transactions wait for each other in a ring.
        found[table.name] = dict(sorted(subjects.items()))
    return found


def _together(
    cur: Cursor[TupleRow], store: EventStore, subjects: Subjects, known_position: int
) -> Counter[tuple[str, int]]:
    """Fold all at once, each kind by the same statements."""
    read: dict[int, Recorded] = {}
    projected: Counter[tuple[str, int]] = Counter()
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
        projected.update(_counted(table, {key: len(events) for key, events in new.items()}))
    return projected


def _one_by_one(
    cur: Cursor[TupleRow], store: EventStore, subjects: Subjects, _: int
) -> Counter[tuple[str, int]]:
    """Fold each subject by itself, and park those that cannot be folded."""
    projected: Counter[tuple[str, int]] = Counter()
    for table in TABLES:
        folded = {
            key: project_or_park(cur, store, table, key, entries)
            for key, entries in subjects[table.name].items()
        }
        projected.update(_counted(table, folded))
    return projected


def _counted(table: Table[Any], folded: Mapping[Key, int]) -> Counter[tuple[str, int]]:
    counts: Counter[tuple[str, int]] = Counter()
    for key, count in folded.items():
        counts[table.name, table.bucket_of(key)] += count
    return counts
