"""A batch of the log: the new events of each subject are folded into its rows.

Rule: a subject goes on from its stored state if no new event belongs before that state, and
otherwise from its last snapshot before all new events. From there on `late_events.repair` does the
same for live, late and replayed events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.domain.counters import NO_COUNTS, Counters
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Recorded, in_order
from projector.domain.fold import Interval, S
from projector.domain.late_events.changeset import LateCount
from projector.domain.late_events.repair import SubjectRepair, by_request
from projector.event_log.store import EventStore
from projector.projection.read_models import (
    INTERVAL_COLUMNS,
    KEY_COLUMNS,
    Key,
    Table,
    interval_from_row,
)
from projector.projection.snapshots import BEFORE_ALL, Base, bases
from projector.projection.writer import SubjectChanges, write

NewEvents = Mapping[Key, Sequence[Recorded]]  # by subject, in the order of their positions

FIRST_EVENTS_READ = 8  # beyond the late events of a subject; most repairs need no more
MOST_EVENTS_READ = 4_096  # of a subject, at a time
SUBJECTS_READ_TOGETHER = 64  # late subjects; memory is bounded so


def project(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    new: NewEvents,
    *,
    known_position: int,
) -> None:
    """Fold new events into the tables of one kind of subject, in the caller's transaction.

    ``known_position`` is the last position that the tables contain already.
    """
    write(cur, table, _BatchFold(cur, store, table, known_position).changes(new))


class _BatchFold(Generic[S]):
    """The fold of a batch, for the subjects of one kind."""

    def __init__(
        self, cur: Cursor[TupleRow], store: EventStore, table: Table[S], known_position: int
    ) -> None:
        self._cur = cur
        self._store = store
        self._table = table
        self._known_position = known_position

    def changes(self, new: NewEvents) -> dict[Key, SubjectChanges[S]]:
        stored = self._stored_states(new)
        changes: dict[Key, SubjectChanges[S]] = {}
        late: dict[Key, Sequence[Recorded]] = {}
        live: dict[Key, Sequence[Recorded]] = {}
        for key, events in new.items():
            state = stored.get(key) or _StoredState(None, self._table.fresh(), NO_COUNTS, 0)
            if state.text is None or state.can_append(in_order(events)):
                changes[key] = _changes(state, [self._continue(key, state, events)], events)
            else:
                late[key], live[key] = _late_and_live(state, events)
        for key, repair in self._repairs(late):
            repairs = self._with_live(key, stored[key], repair, new[key], live[key])
            changes[key] = _changes(stored[key], repairs, new[key])
        return changes

    def _continue(
        self,
        key: Key,
        state: _StoredState[S],
        events: Sequence[Recorded],
        late_counts: Sequence[LateCount] = (),
    ) -> SubjectRepair[S]:
        """Go on from the stored state; ``late_counts`` are those that the batch adds before it."""
        repair = SubjectRepair(
            self._table,
            state.text,
            loaded=state.state,
            counters=state.counters,
            late_counts=late_counts,
            stored=None if state.text is None else self._reader(key),
        )
        repair.apply(by_request(events))
        return repair

    def _with_live(
        self,
        key: Key,
        state: _StoredState[S],
        repair: SubjectRepair[S],
        new: Sequence[Recorded],
        live: Sequence[Recorded],
    ) -> Sequence[SubjectRepair[S]]:
        """A subject's repair by its late requests, and by the live requests of the same batch.

        If the late requests leave the stored end as it was, the live ones go on from there, and no
        event in between is read. Otherwise all requests are applied together.
        """
        if not live:
            return [repair]
        if repair.leaves_end_unchanged():
            return [repair, self._continue(key, state, live, repair.changes.late_counts)]
        return [joint_repair for _, joint_repair in self._repairs({key: new})]

    def _repairs(self, late: NewEvents) -> Iterator[tuple[Key, SubjectRepair[S]]]:
        """Repairs from a snapshot before all new events; some subjects are read at a time."""
        keys = [*late]
        for begin in range(0, len(keys), SUBJECTS_READ_TOGETHER):
            group = {key: late[key] for key in keys[begin : begin + SUBJECTS_READ_TOGETHER]}
            subject_bases = self._bases(group)
            for (key, base), events in zip(
                subject_bases.items(), self._events_after(subject_bases, late), strict=True
            ):
                reader = self._reader(key, base.time)
                reader.add(events, _safe_time(late[key]), FIRST_EVENTS_READ)
                context = [recorded for recorded in events if recorded.time <= base.time]
                repair = SubjectRepair(
                    self._table,
                    base.state,
                    counters=base.counters,
                    stored=reader,
                    context=context,
                )
                repair.apply(by_request(late[key]))
                yield key, repair

    def _reader(self, key: Key, base_time: int | None = None) -> _StoredSubjectReader[S]:
        return _StoredSubjectReader(
            self._cur,
            self._store,
            self._table,
            key,
            base_time=base_time,
            known_position=self._known_position,
        )

    # --- what is stored ---

    def _stored_states(self, keys: Iterable[Key]) -> dict[Key, _StoredState[S]]:
        rows = self._cur.execute(
            _states_query(self._table.name), KEY_COLUMNS.parameters(keys), prepare=True
        )
        return {
            (org_id, id_): _StoredState(text, self._table.load(text), counters, last_known_time)
            for org_id, id_, text, counters, last_known_time in rows
        }

    def _bases(self, late: NewEvents) -> dict[Key, Base]:
        # Before the tolerance: a new webhook may restate a reconciled event there.
        subject_times = [
            (*key, min(recorded.time for recorded in events) - RECONCILIATION_TOLERANCE_MS - 1)
            for key, events in late.items()
        ]
        found_bases = bases(
            self._cur, self._table, subject_times, known_position=self._known_position
        )
        return dict(zip(late, found_bases, strict=True))

    def _events_after(
        self, subject_bases: Mapping[Key, Base], late: NewEvents
    ) -> Sequence[Sequence[Recorded]]:
        """The first events after each base, and those of the tolerance before it."""
        return self._store.later(
            self._cur,
            self._table.column,
            [
                (*key, base.time - RECONCILIATION_TOLERANCE_MS - 1, _safe_time(late[key]))
                for key, base in subject_bases.items()
            ],
            known_position=self._known_position,
            condition=self._table.not_skipped,
            beyond=FIRST_EVENTS_READ,
            most=MOST_EVENTS_READ,
        )


@dataclass(frozen=True, slots=True)
class _StoredState(Generic[S]):
    """The state of a subject as it is stored; no text where there is none yet."""

    text: str | None
    state: S
    counters: Mapping[str, int]
    last_known_time: int  # epoch ms

    def can_append(self, ordered: Sequence[Recorded]) -> bool:
        """Whether all of some events come after all that is known."""
        return self.state.can_append(ordered, self.last_known_time)


def _late_and_live(
    state: _StoredState[S], events: Sequence[Recorded]
) -> tuple[Sequence[Recorded], Sequence[Recorded]]:
    """The requests that have a late event, and those that have newer events only."""
    late: list[Recorded] = []
    live: list[Recorded] = []
    for request in by_request(events):
        (live if state.can_append(request) else late).extend(request)
    return late, live


def _changes(
    stored: _StoredState[S], repairs: Sequence[SubjectRepair[S]], events: Sequence[Recorded]
) -> SubjectChanges[S]:
    state, counters = repairs[-1].state() or stored.state, Counters(stored.counters)
    for repair in repairs:
        counters.add(repair.changes.added)
    state.counters = counters
    return SubjectChanges(
        changesets=[repair.changes for repair in repairs], state=state, events=events
    )


def _safe_time(new: Sequence[Recorded]) -> int:
    """The time up to which a fold needs the stored events before it can give any result."""
    return max(recorded.time for recorded in new) + RECONCILIATION_TOLERANCE_MS


class _StoredSubjectReader(Generic[S]):
    """The stored rows of one subject, read when its repair needs them.

    ``base_time`` is the time at which the fold begins, None where it begins at the stored state.
    """

    def __init__(  # noqa: PLR0913 - where to read, and where from
        self,
        cur: Cursor[TupleRow],
        store: EventStore,
        table: Table[S],
        key: Key,
        *,
        base_time: int | None,
        known_position: int,
    ) -> None:
        self._cur = cur
        self._store = store
        self._table = table
        self._key = key
        self._base_time = base_time
        self._known_position = known_position
        self._unread: Sequence[Recorded] = ()  # fetched, and not returned yet
        self._size = FIRST_EVENTS_READ
        self._has_fetched_all = base_time is None

    def add(self, events: Sequence[Recorded], safe_time: int, size: int) -> None:
        """Add fetched events, of which up to ``size`` are later than ``safe_time``."""
        self._unread = [it for it in events if self._base_time is None or it.time > self._base_time]
        later = sum(recorded.time > safe_time for recorded in events)
        self._has_fetched_all = later < size and len(events) < MOST_EVENTS_READ

    def events_after(self, time: int) -> Sequence[Recorded]:
        if not self._unread and not self._has_fetched_all:
            since = max(time, -1 if self._base_time is None else self._base_time)
            self._size = min(2 * self._size, MOST_EVENTS_READ)
            (events,) = self._store.later(
                self._cur,
                self._table.column,
                [(*self._key, since, since)],
                known_position=self._known_position,
                condition=self._table.not_skipped,
                beyond=self._size,
                most=0,
            )
            self.add(events, since, self._size)
        unread, self._unread = self._unread, ()
        return unread

    def interval_at_start(self) -> Interval | None:
        if self._base_time == BEFORE_ALL:
            return None
        return self._interval(_LAST_UP_TO, 2**62 if self._base_time is None else self._base_time)

    def next_interval_start(self, time: int) -> int | None:
        interval = None if self._base_time is None else self._interval(_FIRST_AFTER, time)
        return None if interval is None else interval.start

    def _interval(self, which: sql.SQL, time: int) -> Interval | None:
        query = _INTERVAL.format(
            columns=INTERVAL_COLUMNS.names,
            intervals=sql.Identifier(self._table.intervals),
            which=which,
        )
        parameters = {"org_id": self._key[0], "id": self._key[1], "time": time}
        row = self._cur.execute(query, parameters, prepare=True).fetchone()
        return None if row is None else interval_from_row(row)


_INTERVAL = sql.SQL(
    "SELECT {columns} FROM {intervals} WHERE org_id = %(org_id)s AND id = %(id)s"
    " AND known_to IS NULL AND start {which} LIMIT 1"
)
_LAST_UP_TO = sql.SQL("<= %(time)s ORDER BY start DESC")
_FIRST_AFTER = sql.SQL("> %(time)s ORDER BY start")


@cache
def _states_query(table: str) -> bytes:
    return (
        sql.SQL(
            "SELECT v.org_id, v.id, v.state, v.counters, v.last_known_time FROM {views} AS v"
            " JOIN {keys} USING (org_id, id)"
        )
        .format(views=sql.Identifier(table), keys=KEY_COLUMNS.unnest("k"))
        .as_bytes()
    )
