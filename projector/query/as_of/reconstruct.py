"""Subjects as of two times: when it happened, and when we knew.

Rule: no subject is folded from its first event. Where nothing happened or became known since both
times, the stored state is the answer. Otherwise it is the last snapshot up to ``at`` that was known
then, and the few events since. A question about now is one about the past that leaves nothing out.

Why the snapshot lies 2,000 ms before ``at``: a reconciled event gives way to a webhook of the same
fact up to 2,000 ms later. At ``at`` such a webhook may not have happened yet. Then the reconciled
event counts, though the stored snapshots and intervals of that stretch go by the webhook.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Origin, Recorded
from projector.domain.fold import Fold, Interval, S, fold
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.sql import Columns
from projector.projection.read_models import (
    AGENTS,
    INTERVAL_COLUMNS,
    KEY_COLUMNS,
    Key,
    Table,
    interval_from_row,
)
from projector.projection.snapshots import WAS_KNOWN, Base, bases, earlier_snapshot_time


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The two times of a question, resolved. Times are epoch ms, ``position`` is of the log.

    Without ``at``, all that happened counts. ``position`` is the last one that was known.
    """

    at: int | None = None
    position: int = ENDLESS
    recorded_time: int = ENDLESS  # of ``position``; nothing known was recorded later
    now: int  # up to here time passes for what depends on the clock
    known_time: int  # at this time the answer was known

    @property
    def upto(self) -> int:
        """The last time that counts."""
        return ENDLESS if self.at is None else self.at


@dataclass(frozen=True, slots=True)
class Reconstructed(Generic[S]):
    """A subject as of two times.

    ``fold`` has those of its intervals that began after ``since`` (epoch ms).
    """

    since: int
    fold: Fold[S]

    @property
    def state(self) -> S:
        return self.fold.state


@dataclass(frozen=True, slots=True)
class FoldStart(Generic[S]):
    """Where a fold starts: the state after all events up to ``since`` (epoch ms), and the events.

    ``events`` are in order. They may begin before ``since``: an earlier webhook may state the same
    fact as a reconciled event after ``since``.
    """

    since: int
    state: S
    events: Sequence[Recorded]


def reconstruct(
    cur: Cursor[TupleRow], store: EventStore, table: Table[S], keys: Collection[Key], as_of: AsOf
) -> dict[Key, Reconstructed[S]]:
    """The subjects as of both times; without those that did not exist then."""
    if not keys:
        return {}
    subjects = _SubjectReader(cur, store, table, as_of).reconstruct(keys)
    for subject in subjects.values():
        subject.fold.advance_to(as_of.now)
    return subjects


def fold_start(  # noqa: PLR0913 - a subject as of two times, and how far to go back
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    key: Key,
    as_of: AsOf,
    *,
    snapshots: int,
    before: int = ENDLESS,
    most: int | None = None,
) -> FoldStart[S]:
    """Where to start the fold of a subject that exists, and the events since.

    It starts ``snapshots`` snapshots before the last one up to the time ``before`` (epoch ms), but
    at most ``most`` snapshots before the last one of all, where that is given.
    """
    return _SubjectReader(cur, store, table, as_of).fold_start(
        key, snapshots=snapshots, before=before, most=most
    )


def fold_stretches(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    stretches: Sequence[tuple[Key, int, int]],
    as_of: AsOf,
) -> list[FoldStart[S] | None]:
    """Where to start the fold of each (subject, from, to), in epoch ms, and its events up to then.

    Null where there is no such subject. A subject may have several stretches.
    """
    return _SubjectReader(cur, store, table, as_of).fold_stretches(stretches)


def intervals_as_of(  # noqa: PLR0913 - a subject as of two times, and a part of its intervals
    cur: Cursor[TupleRow],
    table: Table[S],
    key: Key,
    as_of: AsOf,
    subject: Reconstructed[S],
    *,
    first: int,
    limit: int = ENDLESS,
) -> list[Interval]:
    """A subject's intervals as of both times, by start.

    The first one is that in force before the time ``first`` (epoch ms). At least ``limit``
    intervals, if there are as many.
    """
    parameters = {
        "org_id": key[0],
        "id": key[1],
        "known_position": as_of.position,
        "since": subject.since,
        "first": first,
        "limit": limit,
    }
    rows = cur.execute(_intervals_query(table.intervals), parameters, prepare=True)
    stored = [interval_from_row(row) for row in rows]
    # The fold has those that began after the snapshot, by an event or by the passing of time.
    return stored if len(stored) == limit else [*stored, *subject.fold.intervals]


def interval_starts(
    cur: Cursor[TupleRow],
    table: Table[S],
    since: Mapping[Key, int],
    *,
    known_position: int = ENDLESS,
) -> dict[Key, int]:
    """When the last stored interval of each subject up to a time began, as known at a position."""
    query = _INTERVAL_STARTS.format(
        subjects=_SUBJECT_TIMES.unnest("k"),
        intervals=sql.Identifier(table.intervals),
        was_known=WAS_KNOWN,
    )
    rows = ((*key, time) for key, time in since.items())
    parameters = {**_SUBJECT_TIMES.parameters(rows), "known_position": known_position}
    return {
        (org_id, id_): start
        for org_id, id_, start in cur.execute(query, parameters)
        if start is not None
    }


def teams_as_of(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    subjects: Mapping[Key, Reconstructed[S]],
    as_of: AsOf,
) -> dict[Key, frozenset[str]]:
    """The team of each agent, or the teams of each task's agents, as of the same two times."""
    if table.name == "agents":
        return {key: _facet(table, it.state, "teamId") for key, it in subjects.items()}
    participants = {key: _facet(table, it.state, "agentId") for key, it in subjects.items()}
    keys = {(org_id, agent) for (org_id, _), agents in participants.items() for agent in agents}
    agents = reconstruct(cur, store, AGENTS, keys, as_of)
    agent_teams = teams_as_of(cur, store, AGENTS, agents, as_of)
    return {
        (org_id, task): frozenset().union(
            *(agent_teams.get((org_id, agent), frozenset()) for agent in agents_of_task)
        )
        for (org_id, task), agents_of_task in participants.items()
    }


def _facet(table: Table[S], state: S, name: str) -> frozenset[str]:
    return frozenset(table.facets(state)[name])


@dataclass(frozen=True, slots=True)
class _StoredView:
    """What is stored of a subject; ``state`` is null where it is not the answer."""

    position: int  # the last one to read; of a parked subject the events after it wait
    last_event_time: int
    max_clock_lead_ms: int
    state: str | None
    counters: Mapping[str, int]


class _SubjectReader(Generic[S]):
    """Reads subjects of one kind as of two times.

    Late repair (``projection.batch``) starts from the same snapshots, by ``snapshots.bases``. The
    reads of events since are not the same, so they are not shared. A repair reads forward from
    late events without knowing where it ends, and stops at a position for the whole batch. Here
    both ends are known, the position is each subject's own, and most subjects need no second read.
    """

    def __init__(
        self, cur: Cursor[TupleRow], store: EventStore, table: Table[S], as_of: AsOf
    ) -> None:
        self._cur = cur
        self._store = store
        self._table = table
        self._as_of = as_of

    def reconstruct(self, keys: Collection[Key]) -> dict[Key, Reconstructed[S]]:
        views = self._stored_views(keys)
        unchanged = {
            key: Reconstructed(
                view.last_event_time, Fold(self._table.load(view.state, view.counters))
            )
            for key, view in views.items()
            if view.state is not None
        }
        changed = {key: view for key, view in views.items() if view.state is None}
        return unchanged | self._folded(changed)

    def fold_start(
        self, key: Key, *, snapshots: int, before: int, most: int | None
    ) -> FoldStart[S]:
        views = self._stored_views([key])
        last_time = self._last_time(views[key])
        time = self._earlier_snapshot_time(key, min(last_time, before), snapshots)
        if most is not None:
            time = max(time, self._earlier_snapshot_time(key, last_time, most))
        return self._fold_starts(views, time)[key]

    def fold_stretches(
        self, stretches: Sequence[tuple[Key, int, int]]
    ) -> list[FoldStart[S] | None]:
        views = self._stored_views({key for key, _, _ in stretches})
        known = [
            (key, start, min(end, self._last_time(views[key])))
            for key, start, end in stretches
            if key in views
        ]
        starts = bases(
            self._cur,
            self._table,
            [(*key, min(start, end)) for key, start, end in known],
            known_position=self._as_of.position,
        )
        # With the tolerance before: an earlier webhook may state the fact of a reconciled event.
        events = self._store.between(
            self._cur,
            self._table.column,
            [
                (*key, base.time - RECONCILIATION_TOLERANCE_MS - 1, end, views[key].position)
                for (key, _, end), base in zip(known, starts, strict=True)
            ],
            condition=self._table.not_skipped,
        )
        folds = iter(
            FoldStart(base.time, self._loaded(base), its)
            for base, its in zip(starts, events, strict=True)
        )
        return [next(folds) if key in views else None for key, _, _ in stretches]

    def _earlier_snapshot_time(self, key: Key, upto: int, skip: int) -> int:
        return earlier_snapshot_time(
            self._cur,
            self._table,
            key,
            upto=upto,
            known_position=self._as_of.position,
            skip=skip,
        )

    def _stored_views(self, keys: Collection[Key]) -> dict[Key, _StoredView]:
        parameters = {"known_position": self._as_of.position, "upto": self._as_of.upto}
        rows = self._cur.execute(
            _views_query(self._table.name), KEY_COLUMNS.parameters(keys) | parameters, prepare=True
        )
        return {(org_id, id_): _StoredView(*row) for org_id, id_, *row in rows}

    def _folded(self, views: Mapping[Key, _StoredView]) -> dict[Key, Reconstructed[S]]:
        subjects = {
            key: Reconstructed(start.since, fold(start.state, start.events, after=start.since))
            for key, start in self._fold_starts(views, ENDLESS).items()
        }
        return {key: it for key, it in subjects.items() if it.state.last_event is not None}

    def _fold_starts(self, views: Mapping[Key, _StoredView], upto: int) -> dict[Key, FoldStart[S]]:
        """For each subject the last snapshot up to a time, and the events since."""
        upto = min(upto, self._as_of.upto - RECONCILIATION_TOLERANCE_MS)
        starts = bases(
            self._cur,
            self._table,
            [(*key, min(self._last_time(view), upto)) for key, view in views.items()],
            known_position=self._as_of.position,
        )
        since = {key: base.time for key, base in zip(views, starts, strict=True)}
        events = self._events_since(views, since)
        return {
            key: FoldStart(base.time, self._loaded(base), events[key])
            for key, base in zip(views, starts, strict=True)
        }

    def _loaded(self, base: Base) -> S:
        if base.state is None:
            return self._table.fresh()
        return self._table.load(base.state, base.counters)

    def _last_time(self, view: _StoredView) -> int:
        """No event that was known then has a later time, so no later one is read."""
        return min(self._as_of.upto, self._as_of.recorded_time + view.max_clock_lead_ms)

    def _events_since(
        self, views: Mapping[Key, _StoredView], since: Mapping[Key, int]
    ) -> dict[Key, Sequence[Recorded]]:
        """The events after each subject's time.

        Where reconciliation brought one soon after it, also the events of the tolerance before
        it: one of them may state the same fact.
        """
        tolerance_ms = RECONCILIATION_TOLERANCE_MS
        events = self._events_after(views, since)
        earlier = {
            key: since[key] - tolerance_ms - 1
            for key, recorded in events.items()
            if any(
                it.origin is Origin.RECONCILIATION and it.time <= since[key] + tolerance_ms
                for it in recorded
            )
        }
        return events | self._events_after(views, earlier)

    def _events_after(
        self, views: Mapping[Key, _StoredView], after: Mapping[Key, int]
    ) -> dict[Key, Sequence[Recorded]]:
        events = self._store.between(
            self._cur,
            self._table.column,
            [
                (*key, time, self._last_time(views[key]), views[key].position)
                for key, time in after.items()
            ],
            condition=self._table.not_skipped,
        )
        return dict(zip(after, events, strict=True))


# The state is given only where all events of the subject were known and had happened.
_STORED_VIEWS = sql.SQL("""
    SELECT v.org_id, v.id, least(p.position - 1, %(known_position)s), v.last_event_time,
        v.max_clock_lead_ms,
        CASE WHEN v.position <= %(known_position)s AND v.last_event_time <= %(upto)s
            THEN v.state END,
        v.counters
    FROM {keys} JOIN {views} AS v USING (org_id, id)
    LEFT JOIN parked AS p ON p.kind = {kind} AND p.org_id = v.org_id AND p.id = v.id
""")
_INTERVALS_AS_OF = sql.SQL("""
    SELECT {columns} FROM {intervals}
    WHERE org_id = %(org_id)s AND id = %(id)s AND {was_known} AND start <= %(since)s
        AND start >= coalesce((
            SELECT max(start) FROM {intervals}
            WHERE org_id = %(org_id)s AND id = %(id)s AND {was_known} AND start < %(first)s
        ), 0)
    ORDER BY start LIMIT %(limit)s
""")

_SUBJECT_TIMES = Columns({"org_id": "text", "id": "text", "since": "bigint"})
_INTERVAL_STARTS = sql.SQL("""
    SELECT k.org_id, k.id, (
        SELECT max(start) FROM {intervals} AS i
        WHERE i.org_id = k.org_id AND i.id = k.id AND i.start <= k.since AND {was_known}
    )
    FROM {subjects}
""")


@cache
def _views_query(views: str) -> bytes:
    return _STORED_VIEWS.format(
        keys=KEY_COLUMNS.unnest("k"), views=sql.Identifier(views), kind=sql.Literal(views)
    ).as_bytes()


@cache
def _intervals_query(intervals: str) -> bytes:
    return _INTERVALS_AS_OF.format(
        columns=INTERVAL_COLUMNS.names, intervals=sql.Identifier(intervals), was_known=WAS_KNOWN
    ).as_bytes()
