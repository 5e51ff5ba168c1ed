"""Sealing the log, and checking it against a seal.

The rule of this file: a seal is a function of the rows alone, and rows that come later change no
segment that is full. Positions have no holes, and no ledger gets a row of a time before that of the
log's last event. Each row is hashed here, in the bytes in which the server sends it (binary `COPY`:
each column after its length), so nothing that the server reckons is believed.
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
from projector.event_log.seal.merkle import Tree
from projector.event_log.seal.seal_file import (
    EVENTS,
    FORMAT,
    LEDGERS,
    Rows,
    Seal,
    SealDifference,
    SealError,
    Segment,
    chained,
    first_position,
    number_of,
    row_leaf,
    rows_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """The columns of a table that are sealed."""

    order: Sequence[str]  # in which its rows are sealed, a position or time first
    others: Sequence[str] = ()

    @property
    def columns(self) -> Sequence[str]:
        return [*self.order, *self.others]


# All columns of the log; of the ledgers those that never change, since deliveries are counted up.
COVERED = {
    EVENTS: Covered(
        order=("notification_id",),
        others=(
            *("recorded_time", "org_id", "originator_id", "originator_version", "topic", "state"),
            *("event_id", "agent_id", "task_id", "created_time", "time", "time_source", "origin"),
            *("request_position", "agent_bucket", "task_bucket", "fingerprint", "seal_segment"),
        ),
    ),
    "duplicates": Covered(order=("recorded_time", "org_id", "position")),
    "conflicts": Covered(order=("first_time", "org_id", "position", "sha256"), others=("body",)),
    "quarantine": Covered(
        order=("first_time", "id"), others=("sha256", "body", "reason", "headers")
    ),
}
_COPY = """
    COPY (
        SELECT {columns} FROM {table} WHERE {first} >= {since} AND {first} < {before}
        ORDER BY {order}
    ) TO STDOUT (FORMAT binary, ENCODING 'UTF8')
"""
# What COPY sends around the rows. A row is the number of its columns, then each after its length.
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_FIRST, _FIRST_TWO = Struct(">2x4xq"), Struct(">2x4xq4xq")
_BEGINNING = -(2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """An event of the log as it is sealed."""

    position: int
    recorded_time: int
    leaf: bytes


# --- sealing ---


def make_seal(
    cur: Cursor[TupleRow], *, now: int, earlier: Seal | None = None, leaves: bool = False
) -> Seal:
    """Seal the log up to its head; what an earlier seal says of full segments is believed.

    Its last segment is read again, so that the log is known to go on from there.
    """
    if earlier and (found := check(cur, earlier, since=len(earlier.segments) - 1)):
        raise SealError(f"The log does not go on from the earlier seal: {found[0].text()}.")
    known = earlier.full_segments if earlier else []
    segments = [*known, *_segments_after(cur, known, leaves=leaves)]
    return Seal(
        format=FORMAT,
        time=now,
        versions={"projector": __version__, "postgresql": _server_version(cur)},
        position=segments[-1].position if segments else 0,
        believed=known[-1].position if known else 0,
        chain=chained(segments),
        segments=segments,
    )


def _segments_after(
    cur: Cursor[TupleRow], known: Sequence[Segment], *, leaves: bool
) -> Iterator[Segment]:
    head = _head(cur)
    read = [
        _read(cur, number, min(head, first_position(number + 1) - 1), leaves=leaves)
        for number in range(len(known), number_of(head) + 1)
    ]
    for segment, ledgers in zip(read, _ledgers(cur, known, read), strict=True):
        yield segment.model_copy(update={"tables": {**segment.tables, **ledgers}})


def _read(cur: Cursor[TupleRow], number: int, last: int, *, leaves: bool) -> Segment:
    """A segment up to a position, its events alone."""
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
        tables={EVENTS: rows_of(hashes)},
        leaves=hashes if leaves else None,
    )


# --- checking ---


def check(cur: Cursor[TupleRow], seal: Seal, *, since: int = 0) -> list[SealDifference]:
    """How the log differs from a seal, from a segment on; rows that came later do not matter."""
    known, segments = seal.segments[: max(since, 0)], seal.segments[max(since, 0) :]
    return [
        difference
        for segment, ledgers in zip(segments, _ledgers(cur, known, segments), strict=True)
        for difference in _differences(
            segment, _events(cur, segment.number, segment.position), ledgers
        )
    ]


def _differences(
    segment: Segment, events: Sequence[_Event], ledgers: Mapping[str, Rows]
) -> Iterator[SealDifference]:
    found = {EVENTS: rows_of(event.leaf for event in events), **ledgers}
    for table, sealed in segment.tables.items():
        if found[table] != sealed:
            yield SealDifference(
                segment=segment.number,
                first=segment.positions[0],
                last=segment.position,
                table=table,
                sealed_rows=sealed.rows,
                found_rows=found[table].rows,
                positions=_odd(segment, events) if table == EVENTS else (),
            )


def _odd(segment: Segment, events: Sequence[_Event]) -> list[int]:
    """Positions that have no row, or several, or, where leaves were kept, another one."""
    counts = Counter(event.position for event in events)
    odd = {at for at in segment.positions if counts[at] != 1} | counts.keys() - segment.positions
    sealed = segment.leaf_of
    others = {it.position for it in events if sealed.get(it.position, it.leaf) != it.leaf}
    return sorted(odd | others)


# --- reading the log ---


def _events(cur: Cursor[TupleRow], number: int, last: int) -> list[_Event]:
    """What the log has of a segment up to a position; before the first segment there is nothing."""
    since = first_position(number) if number else _BEGINNING
    return [
        _Event(position=position, recorded_time=time, leaf=row_leaf(EVENTS, row))
        for row in _rows(cur, EVENTS, since, last + 1)
        for position, time in [_FIRST_TWO.unpack_from(row)]
    ]


def _ledgers(
    cur: Cursor[TupleRow], known: Sequence[Segment], segments: Sequence[Segment]
) -> list[Mapping[str, Rows]]:
    """What each of some segments has of the ledgers: the rows of its time."""
    since = known[-1].recorded_time if known else _BEGINNING
    ends = [segment.recorded_time for segment in segments]
    trees = [{table: Tree() for table in LEDGERS} for _ in segments]
    for table in LEDGERS if segments else ():
        for row in _rows(cur, table, since, ends[-1]):
            (time,) = _FIRST.unpack_from(row)
            trees[bisect_right(ends, time)][table].add(row_leaf(table, row))
    return [
        {table: Rows(rows=tree.size, root=tree.root()) for table, tree in of_segment.items()}
        for of_segment in trees
    ]


def _rows(cur: Cursor[TupleRow], table: str, since: int, before: int) -> Iterator[bytes]:
    """The rows whose position or time lies in ``[since, before)``, one at a time."""
    covered = COVERED[table]
    query = sql.SQL(_COPY).format(
        columns=_names(covered.columns),
        table=sql.Identifier(table),
        first=sql.Identifier(covered.order[0]),
        since=since,
        before=before,
        order=_names(covered.order),
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
