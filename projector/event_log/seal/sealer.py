"""The sealer: it makes a seal of the log, and compares the log with a seal.

Rule: a seal is a function of the rows alone, and later rows change no full segment. That works
since positions have no holes, and no ledger gets a row of a time before that of the log's last
event. Each row is hashed here, in the bytes in which the server sends it (binary `COPY`: each
column after its length), so that no result computed by the server is believed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector import __version__
from projector.event_log.seal.merkle import MerkleTree
from projector.event_log.seal.seal_file import (
    EVENTS_TABLE,
    FORMAT,
    LEDGERS,
    RowsDigest,
    Seal,
    SealDifference,
    SealError,
    Segment,
    chain_hash,
    first_position,
    row_leaf,
    rows_digest,
    segment_number,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumns:
    """The columns of a table that are sealed."""

    order: Sequence[str]  # by which its rows are ordered; the first is a position or a time
    others: Sequence[str] = ()

    @property
    def columns(self) -> Sequence[str]:
        return [*self.order, *self.others]


# All columns of the log. Of the ledgers only those that never change: deliveries are counted up.
SEALED_COLUMNS = {
    EVENTS_TABLE: SealedColumns(
        order=("notification_id",),
        others=(
            *("recorded_time", "org_id", "originator_id", "originator_version", "topic", "state"),
            *("event_id", "agent_id", "task_id", "created_time", "time", "time_source", "origin"),
            *("request_position", "agent_bucket", "task_bucket", "fingerprint", "seal_segment"),
        ),
    ),
    "duplicates": SealedColumns(order=("recorded_time", "org_id", "position")),
    "conflicts": SealedColumns(
        order=("first_time", "org_id", "position", "sha256"), others=("body",)
    ),
    "quarantine": SealedColumns(
        order=("first_time", "id"), others=("sha256", "body", "reason", "headers")
    ),
    "audit_trail": SealedColumns(
        order=("time", "number"),
        others=("request_id", "step", "who", "address", "action", "details"),
    ),
}
_COPY = """
    COPY (
        SELECT {columns} FROM {table} WHERE {first} >= {since} AND {first} < {before}
        ORDER BY {order}
    ) TO STDOUT (FORMAT binary, ENCODING 'UTF8')
"""
# COPY sends a header and a trailer. A row is its number of columns, then each after its length.
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_FIRST_COLUMN, _FIRST_TWO_COLUMNS = Struct(">2x4xq"), Struct(">2x4xq4xq")
_BEGINNING = -(2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SealedEvent:
    """An event of the log as it is sealed."""

    position: int
    recorded_time: int
    leaf: bytes


# --- sealing ---


def make_seal(
    cur: Cursor[TupleRow], *, now: int, earlier: Seal | None = None, leaves: bool = False
) -> Seal:
    """Seal the log up to its head; the full segments of an earlier seal are believed.

    The earlier seal's last segment is read again, to make sure that the log goes on from there:
    otherwise SealError. A seal of the first format lacks the audit trail: of it nothing is
    believed. ``now`` is epoch ms; with ``leaves`` the seal has the hash of each event.
    """
    if earlier:
        differences = compare_with_seal(cur, earlier, since=_to_read_again(earlier))
        if differences:
            raise SealError(
                f"The log does not go on from the earlier seal: {differences[0].text()}."
            )
    believed = earlier.believable if earlier else []
    segments = [*believed, *_segments_after(cur, believed, leaves=leaves)]
    return Seal(
        format=FORMAT,
        time=now,
        versions={"projector": __version__, "postgresql": _server_version(cur)},
        position=segments[-1].position if segments else 0,
        believed=believed[-1].position if believed else 0,
        chain=chain_hash(segments),
        segments=segments,
    )


def _to_read_again(earlier: Seal) -> int:
    """The number of the first segment that is not believed unseen."""
    return len(earlier.segments) - 1 if earlier.format == FORMAT else 0


def _segments_after(
    cur: Cursor[TupleRow], believed: Sequence[Segment], *, leaves: bool
) -> Iterator[Segment]:
    head = _head(cur)
    segments = [
        _read_segment(cur, number, min(head, first_position(number + 1) - 1), leaves=leaves)
        for number in range(len(believed), segment_number(head) + 1)
    ]
    for segment, ledgers in zip(segments, _ledgers(cur, believed, segments), strict=True):
        yield segment.model_copy(update={"tables": {**segment.tables, **ledgers}})


def _read_segment(cur: Cursor[TupleRow], number: int, last: int, *, leaves: bool) -> Segment:
    """A segment up to a position, with its events and without its ledgers."""
    events = _events(cur, number, last)
    first = first_position(number)
    if [event.position for event in events] != [*range(first, last + 1)]:
        raise SealError(
            f"The log does not have each position from {first} to {last} once: it was changed by"
            " other means than appending, and is not sealed."
        )
    hashes = [event.leaf for event in events]
    return Segment(
        number=number,
        position=last,
        recorded_time=events[-1].recorded_time,
        tables={EVENTS_TABLE: rows_digest(hashes)},
        leaves=hashes if leaves else None,
    )


# --- comparing ---


def compare_with_seal(cur: Cursor[TupleRow], seal: Seal, *, since: int = 0) -> list[SealDifference]:
    """How the log differs from a seal, from segment ``since`` on; later rows do not matter."""
    earlier, segments = seal.segments[: max(since, 0)], seal.segments[max(since, 0) :]
    return [
        difference
        for segment, ledgers in zip(segments, _ledgers(cur, earlier, segments), strict=True)
        for difference in _differences(
            segment, _events(cur, segment.number, segment.position), ledgers
        )
    ]


def _differences(
    segment: Segment, events: Sequence[_SealedEvent], ledgers: Mapping[str, RowsDigest]
) -> Iterator[SealDifference]:
    actual = {EVENTS_TABLE: rows_digest(event.leaf for event in events), **ledgers}
    for table, sealed in segment.tables.items():
        if actual[table] != sealed:
            yield SealDifference(
                segment=segment.number,
                first=segment.positions[0],
                last=segment.position,
                table=table,
                sealed_rows=sealed.rows,
                found_rows=actual[table].rows,
                positions=_changed_positions(segment, events) if table == EVENTS_TABLE else (),
            )


def _changed_positions(segment: Segment, events: Sequence[_SealedEvent]) -> list[int]:
    """Positions that have no row, or several rows, or another row than the seal's leaf says."""
    counts = Counter(event.position for event in events)
    missing_or_repeated = {it for it in segment.positions if counts[it] != 1}
    outside = counts.keys() - segment.positions
    sealed = segment.leaf_of
    replaced = {it.position for it in events if sealed.get(it.position, it.leaf) != it.leaf}
    return sorted(missing_or_repeated | outside | replaced)


# --- reading the log ---


def _events(cur: Cursor[TupleRow], number: int, last: int) -> list[_SealedEvent]:
    """The log's events of a segment up to a position.

    Positions before the first segment count to it, since there should be none.
    """
    since = first_position(number) if number else _BEGINNING
    return [
        _SealedEvent(position=position, recorded_time=time, leaf=row_leaf(EVENTS_TABLE, row))
        for row in _rows(cur, EVENTS_TABLE, since, last + 1)
        for position, time in [_FIRST_TWO_COLUMNS.unpack_from(row)]
    ]


def _ledgers(
    cur: Cursor[TupleRow], earlier: Sequence[Segment], segments: Sequence[Segment]
) -> list[Mapping[str, RowsDigest]]:
    """The ledgers' rows of each of some segments: those of its time."""
    since = earlier[-1].recorded_time if earlier else _BEGINNING
    ends = [segment.recorded_time for segment in segments]
    trees = [{table: MerkleTree() for table in LEDGERS} for _ in segments]
    for table in LEDGERS if segments else ():
        for row in _rows(cur, table, since, ends[-1]):
            (time,) = _FIRST_COLUMN.unpack_from(row)
            trees[bisect_right(ends, time)][table].add(row_leaf(table, row))
    return [
        {table: RowsDigest(rows=tree.size, root=tree.root()) for table, tree in of_segment.items()}
        for of_segment in trees
    ]


def _rows(cur: Cursor[TupleRow], table: str, since: int, before: int) -> Iterator[bytes]:
    """The rows whose position or time lies in ``[since, before)``, one at a time."""
    sealed = SEALED_COLUMNS[table]
    query = sql.SQL(_COPY).format(
        columns=_names(sealed.columns),
        table=sql.Identifier(table),
        first=sql.Identifier(sealed.order[0]),
        since=since,
        before=before,
        order=_names(sealed.order),
    )
    with cur.copy(query) as copy:
        for message in copy:
            row = bytes(message).removeprefix(_HEADER)
            if row not in (b"", _TRAILER):
                yield row


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _head(cur: Cursor[TupleRow]) -> int:
    row = cur.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
    return row[0] if row else 0


def _server_version(cur: Cursor[TupleRow]) -> str:
    return cur.connection.info.parameter_status("server_version") or ""
