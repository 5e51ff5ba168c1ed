"""The projection of a page: the events of each subject, into what is stored of it.

The rule of this file: a subject goes on from its stored state where nothing new belongs before it,
and else from its last snapshot before all that is new. From there it is one walk, `repair.Life`,
whether events are live, late or replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.domain.counters import NOTHING, Counters
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Recorded, in_order
from projector.domain.fold import Interval, S, State
from projector.domain.late_events.changeset import LateCount
from projector.domain.late_events.repair import Life, by_request
from projector.event_log.store import EventStore
from projector.projection.read_models import INTERVAL_COLUMNS, Table, from_row
from projector.projection.snapshots import BEFORE_ALL, Base, bases
from projector.projection.writer import Key, Told, write

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
    write(cur, table, _Page(cur, store, table, known).told(new))


class _Page(Generic[S]):
    """What a page tells of the subjects of one kind."""

    def __init__(
        self, cur: Cursor[TupleRow], store: EventStore, table: Table[S], known: int
    ) -> None:
        self._cur = cur
        self._store = store
        self._table = table
        self._known = known

    def told(self, new: New) -> dict[Key, Told[S]]:
        stored = self._stored(new)
        told: dict[Key, Told[S]] = {}
        late: dict[Key, Sequence[Recorded]] = {}
        live: dict[Key, Sequence[Recorded]] = {}
        for key, events in new.items():
            at = stored.get(key) or _Stored(None, self._table.fresh(), NOTHING)
            if at.text is None or at.state.is_before(in_order(events)):
                told[key] = _told(at, [self._go_on(key, at, events)], events)
            else:
                late[key], live[key] = _apart(at.state, events)
        for key, life in self._late(late):
            lives = self._with_live(key, stored[key], life, new[key], live[key])
            told[key] = _told(stored[key], lives, new[key])
        return told

    def _go_on(
        self,
        key: Key,
        at: _Stored[S],
        events: Sequence[Recorded],
        late_counts: Sequence[LateCount] = (),
    ) -> Life[S]:
        """From the stored state on; ``late_counts`` are what the page counts before it."""
        life = Life(
            self._table,
            at.text,
            at=at.state,
            counters=at.counters,
            late_counts=late_counts,
            known=None if at.text is None else self._reader(key),
        )
        life.take(by_request(events))
        return life

    def _with_live(
        self,
        key: Key,
        at: _Stored[S],
        life: Life[S],
        new: Sequence[Recorded],
        live: Sequence[Recorded],
    ) -> Sequence[Life[S]]:
        """A late walk, and what the page tells beside it after all that is stored.

        Where the late one left the end as it was, the rest goes on from there, and nothing of what
        lies between is read. Else all is one walk.
        """
        if not live:
            return [life]
        if life.leaves_the_end():
            return [life, self._go_on(key, at, live, life.outcome.late_counts)]
        return [life for _, life in self._late({key: new})]

    def _late(self, late: New) -> Iterator[tuple[Key, Life[S]]]:
        """Walks from a snapshot before all that is new, some subjects read at a time."""
        keys = [*late]
        for begin in range(0, len(keys), SUBJECTS_READ):
            found = self._bases({key: late[key] for key in keys[begin : begin + SUBJECTS_READ]})
            for key, base, events in zip(
                found, found.values(), self._after(found, late), strict=True
            ):
                reader = self._reader(key, base.time)
                reader.has_read(events, _safe(late[key]), FIRST_READ)
                context = [recorded for recorded in events if recorded.time <= base.time]
                life = Life(
                    self._table, base.state, counters=base.counters, known=reader, context=context
                )
                life.take(by_request(late[key]))
                yield key, life

    def _reader(self, key: Key, base: int | None = None) -> _Reader[S]:
        return _Reader(self._cur, self._store, self._table, key, base=base, known=self._known)

    # --- what is stored ---

    def _stored(self, keys: Iterable[Key]) -> dict[Key, _Stored[S]]:
        rows = self._cur.execute(
            sql.SQL(
                "SELECT v.org_id, v.id, v.state, v.counters FROM {} AS v"
                " JOIN unnest(%b::text[], %b::text[]) AS k(org_id, id) USING (org_id, id)"
            ).format(sql.Identifier(self._table.name)),
            _columns(keys),
            prepare=True,
        )
        return {
            (org_id, id_): _Stored(text, self._table.load(text), counters)
            for org_id, id_, text, counters in rows
        }

    def _bases(self, late: New) -> dict[Key, Base]:
        # Before the tolerance: what reconciliation told there may be stated by a new webhook.
        safe = [
            (*key, min(recorded.time for recorded in events) - RECONCILIATION_TOLERANCE_MS - 1)
            for key, events in late.items()
        ]
        return dict(zip(late, bases(self._cur, self._table, safe, known=self._known), strict=True))

    def _after(self, found: Mapping[Key, Base], late: New) -> Sequence[Sequence[Recorded]]:
        """The first events after each base, and those of the tolerance before it."""
        return self._store.later(
            self._cur,
            self._table.column,
            [
                (*key, base.time - RECONCILIATION_TOLERANCE_MS - 1, _safe(late[key]))
                for key, base in found.items()
            ],
            upto=self._known,
            kind=self._table.name,
            beyond=FIRST_READ,
            most=MOST_READ,
        )


@dataclass(frozen=True, slots=True)
class _Stored(Generic[S]):
    """A subject as it is stored; no text where it is not yet."""

    text: str | None
    state: S
    counters: Mapping[str, int]


def _apart(
    state: State, events: Sequence[Recorded]
) -> tuple[Sequence[Recorded], Sequence[Recorded]]:
    """The requests that tell something late, and those that tell only what is new."""
    late: list[Recorded] = []
    live: list[Recorded] = []
    for request in by_request(events):
        (live if state.is_before(request) else late).extend(request)
    return late, live


def _told(at: _Stored[S], lives: Sequence[Life[S]], events: Sequence[Recorded]) -> Told[S]:
    state, counters = lives[-1].state() or at.state, Counters(at.counters)
    for life in lives:
        counters.add(life.outcome.added)
    state.counters = counters
    return Told(outcomes=[life.outcome for life in lives], state=state, events=events)


def _safe(new: Sequence[Recorded]) -> int:
    """Up to here a fold must know what is stored before it can say anything."""
    return max(recorded.time for recorded in new) + RECONCILIATION_TOLERANCE_MS


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
        """Keep what was read after the base, of which ``size`` were asked for beyond a time."""
        self._read = [it for it in events if self._base is None or it.time > self._base]
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
        if self._base == BEFORE_ALL:
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
