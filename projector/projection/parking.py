"""Parking: a subject waits when its next event cannot be folded; all other subjects go on.

Rule: parking loses nothing. The parked event and those after it stay in the log. They are folded
when an operator has removed the cause (retry) or leaves the event out (skip).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.event_log.reader import Entry
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import first_line, is_transient
from projector.projection.batch import project
from projector.projection.partitions import count_projected
from projector.projection.read_models import TABLES, Key, Table

WAITING_EVENTS_READ = 2_000  # events of a parked subject that are read at a time
PARKED_CAUSE_LENGTH = 500

# SQLSTATE classes that an event can cause: data, constraints, and limits of a value's size. For all
# other errors of the database no subject is parked.
_CAUSED_BY_EVENTS = ("22", "23", "54")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """What a batch must not fold: subjects that are parked, and events that are skipped."""

    parked: Mapping[str, Collection[Key]]  # by table
    skipped: Collection[tuple[str, int]]  # table and position


NO_EXCLUSIONS = Exclusions(parked={table.name: () for table in TABLES}, skipped=())


def read_exclusions(cur: Cursor[TupleRow], after: int, last: int) -> Exclusions:
    """All parked subjects, and the skipped events above one position and up to another."""
    parked: dict[str, set[Key]] = {table.name: set() for table in TABLES}
    skipped: set[tuple[str, int]] = set()
    for kind, org_id, id_, position in cur.execute(
        _EXCLUSIONS, {"after": after, "last": last}, prepare=True
    ):
        if position is None:
            parked[kind].add((org_id, id_))
        else:
            skipped.add((kind, position))
    return Exclusions(parked=parked, skipped=skipped)


_EXCLUSIONS = """
    SELECT kind, org_id, id, NULL::bigint FROM parked
    UNION ALL
    SELECT kind, NULL, NULL, position FROM skipped
    WHERE position > %(after)s AND position <= %(last)s
"""


def project_or_park(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    entries: Sequence[Entry],
) -> int:
    """Fold one subject's events, request by request, and park it where one cannot be folded.

    Returns how many events were folded.
    """
    folded = 0
    for _, group in groupby(entries, key=lambda entry: entry.request_position):
        request = list(group)
        cause = _try_to_fold(cur, store, table, key, request)
        if cause is not None:
            failing = _failing_event(cur, store, table, key, request)
            _park(cur, table, key, request, failing=failing, cause=cause)
            break
        folded += len(request)
    return folded


def _try_to_fold(  # noqa: PLR0913 - whose events, and whether they stay folded
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
    *,
    is_trial: bool = False,
) -> str | None:
    """Why some events cannot be folded; None where they can. A trial leaves no trace."""
    try:
        with cur.connection.transaction(force_rollback=is_trial):
            new = {key: [entry.recorded() for entry in request]}
            project(cur, store, table, new, known_position=request[0].position - 1)
    except psycopg.Error as error:
        if is_transient(error) or (error.sqlstate or "22")[:2] not in _CAUSED_BY_EVENTS:
            raise
        return first_line(error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other subjects go on
        return f"{type(error).__name__}: {error}"
    return None


def _failing_event(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
) -> Entry:
    """The event of a request that cannot be folded: the first that fails with those before it."""
    for upto in range(1, len(request)):
        if _try_to_fold(cur, store, table, key, request[:upto], is_trial=True) is not None:
            return request[upto - 1]
    return request[-1]


def _park(  # noqa: PLR0913 - who waits, for what, and why
    cur: Cursor[TupleRow],
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
    *,
    failing: Entry,
    cause: str,
) -> None:
    org_id, id_ = key
    parameters = {
        "kind": table.name,
        "org_id": org_id,
        "id": id_,
        "bucket": table.bucket_of(key),
        "position": request[0].position,
        "event_position": failing.position,
        # The database takes neither lone surrogates nor null characters.
        "cause": cause.encode("utf-8", "replace").decode().replace("\0", "")[:PARKED_CAUSE_LENGTH],
        "parked_time": now_ms(),
    }
    cur.execute(_PARK, parameters)


_PARK = """
    INSERT INTO parked (kind, org_id, id, bucket, position, event_position, cause, parked_time)
    VALUES (%(kind)s, %(org_id)s, %(id)s, %(bucket)s, %(position)s, %(event_position)s, %(cause)s,
        %(parked_time)s)
"""


def fold_waiting(  # noqa: PLR0913 - whose events, and which part of the log
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    *,
    after: int,
    head: int,
) -> int:
    """Fold and count a subject's events above position ``after`` and up to ``head``.

    Returns how many were folded. It ends early, and parks the subject, where one cannot be folded.
    """
    total = 0
    while entries := store.waiting(
        cur, table.column, *key, after=after, upto=head, limit=WAITING_EVENTS_READ
    ):
        skipped = read_exclusions(cur, after, entries[-1].position).skipped
        foldable = [it for it in entries if (table.name, it.position) not in skipped]
        folded = project_or_park(cur, store, table, key, foldable)
        is_parked = folded < len(foldable)
        # Skipped events count as folded; after a parked event no more are counted.
        counted = entries.index(foldable[folded]) if is_parked else len(entries)
        count_projected(cur, (table.name, table.bucket_of(key)), counted)
        total += folded
        if is_parked:
            break
        after = entries[-1].position
    return total
