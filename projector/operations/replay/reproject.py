"""Refolding: subjects folded anew from the log into their tables, in the caller's transaction.

The rule of this file: it folds by what live intake folds by, up to where the partition has folded, while
it holds the partition; what cannot be folded parks its subject, as it would live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.event_log.store import EventStore
from projector.infrastructure.database import is_transient
from projector.operations.batches import MOST_EVENTS
from projector.operations.diff import Changed, changed, shown
from projector.projection.batch import project
from projector.projection.parking import fold_waiting
from projector.projection.partitions import count_ledger_rows, count_projected, lock_partition
from projector.projection.read_models import PASSING_TIME, Key, Table

BEFORE_ALL, AFTER_ALL = -1, (1 << 63) - 1  # times


def refold(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], keys: Sequence[Key]
) -> list[Changed]:
    """Fold subjects anew up to where their partitions have folded; what is shown otherwise."""
    partitions = sorted({table.partition_of(key) for key in keys})
    positions = {partition: lock_partition(cur, partition) for partition in partitions}
    upto = {key: positions[table.partition_of(key)] for key in keys}
    before = shown(cur, table, keys)
    _forget(cur, store, table, keys, upto)
    try:
        with cur.connection.transaction():
            _fold(cur, store, table, upto)
    except psycopg.Error as error:
        if is_transient(error):
            raise
        _fold_apart(cur, store, table, upto)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - what one subject brings must not stop the others
        _fold_apart(cur, store, table, upto)
    after = shown(cur, table, keys)
    found = (changed(table, key, before.get(key), after.get(key)) for key in keys)
    return [it for it in found if it is not None]


def _forget(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    keys: Sequence[Key],
    upto: Mapping[Key, int],
) -> None:
    """Delete all that is stored of subjects; of parked ones what waits counts as folded."""
    columns = [[org_id for org_id, _ in keys], [id_ for _, id_ in keys]]
    _forget_ledgers(cur, table, columns)
    for name in table.all_names:
        cur.execute(_DELETE.format(sql.Identifier(name)), columns)
    parked = cur.execute(
        "DELETE FROM parked AS r USING unnest(%b::text[], %b::text[]) AS k(org_id, id)"
        " WHERE r.kind = %b AND r.org_id = k.org_id AND r.id = k.id"
        " RETURNING r.org_id, r.id, r.position",
        [*columns, table.name],
    ).fetchall()
    for org_id, id_, position in parked:
        key = (org_id, id_)
        waiting = store.count(cur, table.column, *key, after=position - 1, upto=upto[key])
        count_projected(cur, (table.name, table.bucket_of(key)), waiting)


def _forget_ledgers(
    cur: Cursor[TupleRow], table: Table[Any], columns: Sequence[Sequence[str]]
) -> None:
    """Delete anomalies and corrections, and count them out."""
    gone: dict[tuple[str, int], list[int]] = {}
    for ledger, name in enumerate((table.anomalies, table.corrections)):
        query = _DELETE.format(sql.Identifier(name)) + _RETURNING
        for org_id, id_, position in cur.execute(query, columns):
            if position != PASSING_TIME:
                gone.setdefault((table.name, table.bucket_of((org_id, id_))), [0, 0])[ledger] -= 1
    count_ledger_rows(cur, {place: (less[0], less[1]) for place, less in gone.items()})


_DELETE = sql.SQL(
    "DELETE FROM {} AS r USING unnest(%b::text[], %b::text[]) AS k(org_id, id)"
    " WHERE r.org_id = k.org_id AND r.id = k.id"
)

_RETURNING = sql.SQL(" RETURNING r.org_id, r.id, r.position")


def _fold(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], upto: Mapping[Key, int]
) -> None:
    """Fold all together, or page by page one that has many events."""
    if len(upto) == 1:
        [(key, head)] = upto.items()
        if store.count(cur, table.column, *key, after=0, upto=head) > MOST_EVENTS:
            _fold_apart(cur, store, table, upto)
            return
    asked = [(*key, BEFORE_ALL, AFTER_ALL, head) for key, head in upto.items()]
    told = store.between(cur, table.column, asked, condition=table.not_skipped)
    new = {
        key: sorted(events, key=lambda recorded: recorded.position)
        for key, events in zip(upto, told, strict=True)
        if events
    }
    if new:
        project(cur, store, table, new, known_position=0)


def _fold_apart(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], upto: Mapping[Key, int]
) -> None:
    """Fold each by itself, and park those that cannot be folded."""
    for key, head in upto.items():
        place = (table.name, table.bucket_of(key))
        count_projected(cur, place, -store.count(cur, table.column, *key, after=0, upto=head))
        fold_waiting(cur, store, table, key, after=0, head=head)
