"""Reproject: subjects are folded again from the log into their tables, in the caller's transaction.

Rule: it folds with the code of live intake, up to the position that the partition has folded, while
it holds the partition's lock. A subject that cannot be folded is parked, as live intake would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.database import is_transient
from projector.operations.batches import MAX_EVENTS
from projector.operations.diff import SubjectDifference, differences, read_subjects
from projector.operations.refolded import read_shown, tell_of_subjects
from projector.projection.batch import project
from projector.projection.parking import fold_waiting
from projector.projection.partitions import count_ledger_rows, count_projected, lock_partition
from projector.projection.read_models import KEY_COLUMNS, Key, Table
from projector.projection.snapshots import BEFORE_ALL


def reproject(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], keys: Sequence[Key]
) -> list[SubjectDifference]:
    """Fold subjects again up to where their partitions have folded; what differs afterwards.

    Streams are told of what differs.
    """
    partitions = sorted({table.partition_of(key) for key in keys})
    positions = {partition: lock_partition(cur, partition) for partition in partitions}
    upto = {key: positions[table.partition_of(key)] for key in keys}
    before, shown = read_subjects(cur, table, keys), read_shown(cur, table, keys)
    _delete(cur, store, table, keys, upto)
    try:
        with cur.connection.transaction():
            _fold(cur, store, table, upto)
    except psycopg.Error as error:
        if is_transient(error):
            raise
        _fold_one_by_one(cur, store, table, upto)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - what one subject brings must not stop the others
        _fold_one_by_one(cur, store, table, upto)
    differing = differences(table, keys, before, read_subjects(cur, table, keys))
    changed = [(it.org_id, it.id) for it in differing]
    tell_of_subjects(cur, table, shown, {key: upto[key] for key in changed})
    return differing


def _delete(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    keys: Sequence[Key],
    upto: Mapping[Key, int],
) -> None:
    """Delete all rows of subjects. The waiting events of parked ones count as folded again."""
    parameters = KEY_COLUMNS.parameters(keys)
    _delete_ledgers(cur, table, keys)
    for name in table.all_names:
        cur.execute(_delete_query(name), parameters)
    parked = cur.execute(
        _DELETE_PARKED.format(keys=KEY_COLUMNS.unnest("k")), parameters | {"kind": table.name}
    ).fetchall()
    for org_id, id_, position in parked:
        key = (org_id, id_)
        waiting = store.count(cur, table.column, *key, after=position - 1, upto=upto[key])
        count_projected(cur, (table.name, table.bucket_of(key)), waiting)


def _delete_ledgers(cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key]) -> None:
    """Delete anomalies and corrections, and subtract them from their counts."""
    added: dict[tuple[str, int], list[int]] = {}
    for ledger, name in enumerate((table.anomalies, table.corrections)):
        rows = cur.execute(_delete_query(name, returning=True), KEY_COLUMNS.parameters(keys))
        for org_id, id_, *_ in rows:
            added.setdefault((table.name, table.bucket_of((org_id, id_))), [0, 0])[ledger] -= 1
    count_ledger_rows(cur, {bucket: (counts[0], counts[1]) for bucket, counts in added.items()})


def _fold(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], upto: Mapping[Key, int]
) -> None:
    """Fold the subjects together; one that has many events alone, some events at a time."""
    if len(upto) == 1:
        [(key, position)] = upto.items()
        if store.count(cur, table.column, *key, after=0, upto=position) > MAX_EVENTS:
            _fold_one_by_one(cur, store, table, upto)
            return
    events = store.between(
        cur,
        table.column,
        [(*key, BEFORE_ALL, ENDLESS, position) for key, position in upto.items()],
        condition=table.not_skipped,
    )
    new = {
        key: sorted(recorded, key=lambda it: it.position)
        for key, recorded in zip(upto, events, strict=True)
        if recorded
    }
    if new:
        project(cur, store, table, new, known_position=0)


def _fold_one_by_one(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], upto: Mapping[Key, int]
) -> None:
    """Fold each subject alone, and park those that cannot be folded."""
    for key, position in upto.items():
        bucket = (table.name, table.bucket_of(key))
        events = store.count(cur, table.column, *key, after=0, upto=position)
        count_projected(cur, bucket, -events)
        fold_waiting(cur, store, table, key, after=0, head=position)


_DELETE = sql.SQL(
    "DELETE FROM {table} AS r USING {keys} WHERE r.org_id = k.org_id AND r.id = k.id{returning}"
)
_RETURNING_POSITION = sql.SQL(" RETURNING r.org_id, r.id, r.position")
_DELETE_PARKED = sql.SQL(
    "DELETE FROM parked AS r USING {keys}"
    " WHERE r.kind = %(kind)s AND r.org_id = k.org_id AND r.id = k.id"
    " RETURNING r.org_id, r.id, r.position"
)


@cache
def _delete_query(table: str, *, returning: bool = False) -> bytes:
    return _DELETE.format(
        table=sql.Identifier(table),
        keys=KEY_COLUMNS.unnest("k"),
        returning=_RETURNING_POSITION if returning else sql.SQL(""),
    ).as_bytes()
