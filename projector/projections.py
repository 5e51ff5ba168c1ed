"""The projection of a page: the events of each subject, into what is stored of it.

The rule of this file: a subject goes on from its stored state where nothing new belongs before it,
and else from its last checkpoint before all that is new. From there it is one walk, `repair.Life`,
whether events are live, late or replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.events import RECONCILIATION_TOLERANCE_MS, Recorded, in_order
from projector.machine import Interval, S
from projector.repair import Life
from projector.rows import Key, Told, write
from projector.store import EventStore
from projector.tables import INTERVAL_COLUMNS, Table, from_row
from projector.tally import Tally

New = Mapping[Key, Sequence[Recorded]]  # events by subject, in the order of their positions

# Events of a late subject that are read beyond the late ones at first: most repairs end there. And
# the most that are read at a time.
FIRST_READ, MOST_READ = 8, 4_096
_UP_TO, _AFTER = sql.SQL("<= %s ORDER BY start DESC"), sql.SQL("> %s ORDER BY start")
SUBJECTS_READ = 64  # late subjects that are read together, so that memory is bounded


def project(
    cur: Cursor[TupleRow], store: EventStore, table: Table[S], new: New, *, known: int
) -> None:
    """Fold new events into the tables of one kind of subject; ``known`` is the position before."""
    stored = _stored(cur, table, new)
    told: dict[Key, Told[S]] = {}
    late: list[Key] = []
    for key, events in new.items():
        text, state = stored.get(key, (None, table.fresh()))
        if text is None or state.is_before(in_order(events)):
            known_of_it = None if text is None else _Reader(cur, store, table, key)
            life = Life(table, text, at=state, known=known_of_it)
            told[key] = _walk(life, state, state.tally, events)
        else:
            late.append(key)
    for begin in range(0, len(late), SUBJECTS_READ):
        lives = _late_lives(
            cur, store, table, late[begin : begin + SUBJECTS_READ], new, known=known
        )
        for key, (life, base) in lives.items():
            told[key] = _walk(life, stored[key][1], base, new[key])
    write(cur, table, told)


def _walk(life: Life[S], state: S, base: Tally, events: Sequence[Recorded]) -> Told[S]:
    tally = Tally(state.tally)
    requests = [list(told) for _, told in groupby(events, key=lambda it: it.request_position)]
    begins = [min(recorded.time for recorded in request) for request in requests]
    for request, next_time in zip(requests, [*begins[1:], None], strict=True):
        life.take(in_order(request), next_time=next_time)
    tally.add(life.outcome.added)
    now = life.state() or state
    now.tally = tally
    return Told(life=life, state=now, base_tally=base, position=events[-1].position)


def _stored(
    cur: Cursor[TupleRow], table: Table[S], keys: Iterable[Key]
) -> dict[Key, tuple[str | None, S]]:
    rows = cur.execute(
        sql.SQL(
            "SELECT v.org_id, v.id, v.state, v.tally FROM {} AS v"
            " JOIN unnest(%b::text[], %b::text[]) AS k(org_id, id) USING (org_id, id)"
        ).format(sql.Identifier(table.name)),
        _columns(keys),
        prepare=True,
    )
    return {(org_id, id_): (text, table.load(text, tally)) for org_id, id_, text, tally in rows}


def _late_lives(  # noqa: PLR0913 - a page, and where it stands
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    late: Sequence[Key],
    new: New,
    *,
    known: int,
) -> dict[Key, tuple[Life[S], Tally]]:
    """Lives that begin at a checkpoint before all that is new, with the first of what follows."""
    bases = _bases(cur, table, late, new)
    first = store.later(
        cur,
        table.column,
        [
            (*key, base.time - RECONCILIATION_TOLERANCE_MS - 1, _safe(new[key]))
            for key, base in bases.items()
        ],
        upto=known,
        kind=table.name,
        beyond=FIRST_READ,
        most=MOST_READ,
    )
    lives = {}
    for (key, base), events in zip(bases.items(), first, strict=True):
        context = [recorded for recorded in events if recorded.time <= base.time]
        reader = _Reader(cur, store, table, key, base=base.time, known=known)
        reader.has_read(events[len(context) :], _safe(new[key]), FIRST_READ)
        life = Life(table, base.state, known=reader, context=context)
        lives[key] = (life, base.tally)
    return lives


def _safe(new: Sequence[Recorded]) -> int:
    """Up to here a fold must know what is stored before it can say anything."""
    return max(recorded.time for recorded in new) + RECONCILIATION_TOLERANCE_MS


def _bases(
    cur: Cursor[TupleRow], table: Table[S], late: Sequence[Key], new: New
) -> dict[Key, _Base]:
    # Before the tolerance: what reconciliation told there may be stated by a new webhook.
    safe = [
        (*key, min(recorded.time for recorded in new[key]) - RECONCILIATION_TOLERANCE_MS)
        for key in late
    ]
    rows = cur.execute(
        sql.SQL(
            "SELECT k.org_id, k.id, c.time, c.state, c.tally"
            " FROM unnest(%b::text[], %b::text[], %b::bigint[]) AS k(org_id, id, safe)"
            " LEFT JOIN LATERAL (SELECT time, state, tally FROM {} AS c WHERE c.org_id = k.org_id"
            " AND c.id = k.id AND c.time < k.safe ORDER BY time DESC LIMIT 1) AS c ON true"
        ).format(sql.Identifier(table.checkpoints)),
        _columns(safe),
        prepare=True,
    )
    return {
        (org_id, id_): _Base(-1 if time is None else time, state, Tally(tally or {}))
        for org_id, id_, time, state, tally in rows
    }


@dataclass(frozen=True, slots=True)
class _Base:
    """Where a life begins: a checkpoint, or before everything."""

    time: int
    state: str | None
    tally: Tally


class _Reader(Generic[S]):
    """What is stored of one subject, read as a life asks for it.

    ``base`` is the time at which the life begins, null where it begins at the stored state.
    """

    def __init__(  # noqa: PLR0913 - where to read, and what has been read
        self,
        cur: Cursor[TupleRow],
        store: EventStore,
        table: Table[S],
        key: Key,
        *,
        base: int | None = None,
        known: int = 0,
    ) -> None:
        self._cur = cur
        self._store = store
        self._table = table
        self._key = key
        self._base = base
        self._known_position = known
        self._read: Sequence[Recorded] = ()
        self._size = FIRST_READ
        self._at_the_end = base is None

    def has_read(self, events: Sequence[Recorded], safe: int, size: int) -> None:
        """Keep what was read, of which up to ``size`` were asked for beyond a time."""
        self._read = events
        beyond = sum(recorded.time > safe for recorded in events)
        self._at_the_end = beyond < size and len(events) < MOST_READ

    def more(self, after: int) -> Sequence[Recorded]:
        if not self._read and not self._at_the_end:
            since = max(after, -1 if self._base is None else self._base)
            self._size = min(2 * self._size, MOST_READ)
            (found,) = self._store.later(
                self._cur,
                self._table.column,
                [(*self._key, since, since)],
                upto=self._known_position,
                kind=self._table.name,
                beyond=self._size,
                most=0,
            )
            self.has_read(found, since, self._size)
        read, self._read = self._read, ()
        return read

    def in_force(self) -> Interval | None:
        if self._base is not None and self._base < 0:
            return None
        return self._interval(_UP_TO, self._base)

    def next_start(self, after: int) -> int | None:
        found = None if self._base is None else self._interval(_AFTER, after)
        return None if found is None else found.start

    def _interval(self, which: sql.SQL, time: int | None) -> Interval | None:
        row = self._cur.execute(
            sql.SQL(
                "SELECT {} FROM {} WHERE org_id = %s AND id = %s AND known_to IS NULL"
                " AND start {} LIMIT 1"
            ).format(sql.SQL(INTERVAL_COLUMNS), sql.Identifier(self._table.intervals), which),
            (*self._key, 2**62 if time is None else time),
            prepare=True,
        ).fetchone()
        return None if row is None else from_row(row)


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
