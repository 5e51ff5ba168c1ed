"""Parking: a subject whose next event cannot be folded waits with its cause; the others flow.

The rule of this file: nothing is lost by it. The parked event and those after it stay in the log,
and are folded when somebody has put the cause right (retry) or left the event out (skip).
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
from projector.infrastructure.database import (
    first_line,
    is_passing,
)
from projector.projection.batch import project
from projector.projection.partitions import count_projected
from projector.projection.read_models import TABLES, Key, Table

WAITING_READ = 2_000  # events of a parked subject that are read at a time
CAUSE_LENGTH = 500

# Data, constraints, and limits of a value's size: what the event brings. All else is not its fault.
_BROUGHT_BY_EVENTS = ("22", "23", "54")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What a page must not fold: subjects that are parked, and events that were skipped."""

    parked: Mapping[str, Collection[Key]]
    skipped: Collection[tuple[str, int]]


NOTHING = LeftOut(parked={table.name: () for table in TABLES}, skipped=())


def left_out(cur: Cursor[TupleRow], after: int, end: int) -> LeftOut:
    """What to leave out of the positions above one and up to another."""
    parked: dict[str, set[Key]] = {table.name: set() for table in TABLES}
    skipped: set[tuple[str, int]] = set()
    for kind, org_id, id_, position in cur.execute(_LEFT_OUT, (after, end), prepare=True):
        if position is None:
            parked[kind].add((org_id, id_))
        else:
            skipped.add((kind, position))
    return LeftOut(parked=parked, skipped=skipped)


_LEFT_OUT = """
    SELECT kind, org_id, id, NULL::bigint FROM parked
    UNION ALL
    SELECT kind, NULL, NULL, position FROM skipped WHERE position > %s AND position <= %s
"""


def project_or_park(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    entries: Sequence[Entry],
) -> int:
    """Fold one subject's events, request by request; how many, until one could not be folded."""
    folded = 0
    for _, told in groupby(entries, key=lambda entry: entry.request_position):
        request = list(told)
        cause = _try(cur, store, table, key, request)
        if cause is not None:
            culprit = _culprit(cur, store, table, key, request)
            _park(cur, table, key, request, culprit=culprit, cause=cause)
            break
        folded += len(request)
    return folded


def _try(  # noqa: PLR0913 - whose events, and whether they stay folded
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
    *,
    keep: bool = True,
) -> str | None:
    """Why some events cannot be folded; null where they are."""
    try:
        with cur.connection.transaction(force_rollback=not keep):
            new = {key: [entry.recorded() for entry in request]}
            project(cur, store, table, new, known_position=request[0].position - 1)
    except psycopg.Error as error:
        if is_passing(error) or (error.sqlstate or "22")[:2] not in _BROUGHT_BY_EVENTS:
            raise
        return first_line(error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must flow
        return f"{type(error).__name__}: {error}"
    return None


def _culprit(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
) -> Entry:
    """The event of a request that cannot be folded: the first that fails with those before it."""
    for upto in range(1, len(request)):
        if _try(cur, store, table, key, request[:upto], keep=False) is not None:
            return request[upto - 1]
    return request[-1]


def _park(  # noqa: PLR0913 - who waits, for what, and why
    cur: Cursor[TupleRow],
    table: Table[Any],
    key: Key,
    request: Sequence[Entry],
    *,
    culprit: Entry,
    cause: str,
) -> None:
    cur.execute(
        "INSERT INTO parked (kind, org_id, id, bucket, position, event_position, cause,"
        " parked_time) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            table.name,
            *key,
            table.bucket_of(key),
            request[0].position,
            culprit.position,
            # Text that the database takes, whatever the cause said.
            cause.encode("utf-8", "replace").decode().replace("\0", "")[:CAUSE_LENGTH],
            now_ms(),
        ),
    )


def fold_waiting(  # noqa: PLR0913 - whose events, and which part of the log
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    key: Key,
    *,
    after: int,
    head: int,
) -> int:
    """Fold a subject's events above one position and up to another, and count them; how many.

    Until one cannot be folded: then the subject is parked.
    """
    total = 0
    while entries := store.waiting(
        cur, table.column, *key, after=after, upto=head, limit=WAITING_READ
    ):
        skipped = left_out(cur, after, entries[-1].position).skipped
        wanted = [it for it in entries if (table.name, it.position) not in skipped]
        folded = project_or_park(cur, store, table, key, wanted)
        done = folded == len(wanted)
        passed = len(entries) if done else _place(entries, wanted[folded].position)
        count_projected(cur, (table.name, table.bucket_of(key)), passed)
        total += folded
        if not done:
            break
        after = entries[-1].position
    return total


def _place(entries: Sequence[Entry], position: int) -> int:
    return next(place for place, entry in enumerate(entries) if entry.position == position)
