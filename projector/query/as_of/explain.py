"""Explain: for each field of a view the event that set it, and what was odd around it.

Rule: an explanation comes from the same fold as the view, one event at a time. The fold starts at
ever earlier snapshots, until each field was set on the way or enough events were folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.explanation import AroundShape, Effect, Explanation, FieldShape
from projector.domain.events import Recorded, facts_once, restatements
from projector.domain.fold import Fold, Interval, S
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.infrastructure.sql import Columns
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import Key, Table
from projector.projection.snapshots import BEFORE_ALL
from projector.query.as_of.reconstruct import (
    AsOf,
    FoldStart,
    Reconstructed,
    fold_start,
    intervals_as_of,
    reconstruct,
)
from projector.query.as_of.team_moments import TeamMoments
from projector.query.own_fold import read_views
from projector.query.scope import Scope

SNAPSHOTS_BACK = (16, 64, 256)  # to go back, try by try; about one event in four has a snapshot
MAX_AROUND = 1_000  # rows
FieldValues = Mapping[str, Any]  # of a view


@dataclass(frozen=True, slots=True)
class Setter:
    """What set a field, and when (epoch ms); no event where the passing of time did."""

    event: Recorded | None
    time: int


class Explainer:
    """Explains views as of two times, each from one database snapshot."""

    def __init__(self, pool: Pool, store: EventStore, delays: ArrivalDelays) -> None:
        self._pool = pool
        self._delays = delays
        self._store = store

    def explain(self, table: Table[S], key: Key, scope: Scope, as_of: AsOf) -> Explanation:
        """What set each field of the view of a subject that existed as of both times.

        What set a field at a moment that the caller does not see is not told.
        """
        with read_views(self._pool) as cur:
            subject = reconstruct(cur, self._store, table, [key], as_of)[key]
            start, setters = self._setters(cur, table, key, as_of)
            shown_since = _last_interval(cur, table, key, as_of, subject).start
            around = _around(cur, table, key, as_of, since=shown_since, events=start.events)
            moments = TeamMoments(cur, self._store, scope.team_ids, as_of)
            times = [*(it.time for it in setters.values()), *(it.time for it in around)]
            seen = moments.seen(table, [(key, time) for time in times])
        settled = self._delays.settled(key[0], subject.state, as_of.known_time)
        view = table.view(*key, subject.state, settled=settled)
        values = view.model_dump(mode="json", by_alias=True)
        return Explanation(
            fields={
                name: _field(value, setter if setter and (key, setter.time) in seen else None)
                for name, value in values.items()
                for setter in [setters.get(name)]
            },
            around=[it for it in around if (key, it.time) in seen],
            looked_from=None if start.since == BEFORE_ALL else start.since,
        )

    def _setters(
        self, cur: Cursor[TupleRow], table: Table[S], key: Key, as_of: AsOf
    ) -> tuple[FoldStart[S], Mapping[str, Setter]]:
        """Where the fold started, and what set each field since."""
        for snapshots in SNAPSHOTS_BACK:
            start = fold_start(cur, self._store, table, key, as_of, snapshots=snapshots)
            steps = _StepwiseFold(table, key, start)
            steps.apply_all(as_of)
            if start.since == BEFORE_ALL or steps.have_set_all():
                break
        return start, steps.setters


def _last_interval(
    cur: Cursor[TupleRow], table: Table[S], key: Key, as_of: AsOf, subject: Reconstructed[S]
) -> Interval:
    """The interval in which the view was shown."""
    if subject.fold.intervals:
        return subject.fold.intervals[-1]
    (last,) = intervals_as_of(cur, table, key, as_of, subject, first=subject.since + 1, limit=1)
    return last


class _StepwiseFold(Generic[S]):
    """A fold of one subject, and what each event of it changed in the view."""

    def __init__(self, table: Table[S], key: Key, start: FoldStart[S]) -> None:
        self._table = table
        self._key = key
        self._start = start
        self._fold = Fold(start.state)
        self._values = self._values_of(start.state)
        if start.since == BEFORE_ALL:
            self._values = {**self._values, "orgId": None, f"{table.subject}Id": None}
        self.setters: dict[str, Setter] = {}

    def have_set_all(self) -> bool:
        # No event sets whose view it is, nor whether it is settled.
        without_setter = {"orgId", f"{self._table.subject}Id", "settled"}
        return self._values.keys() - without_setter <= self.setters.keys()

    def apply_all(self, as_of: AsOf) -> None:
        folded = [it for it in facts_once(self._start.events) if it.time > self._start.since]
        for time, events in groupby(folded, key=lambda it: it.time):
            self._advance_to(time - 1)
            self._apply_tick(time, [*events])
        self._advance_to(as_of.now)

    def _advance_to(self, time: int) -> None:
        while (deadline := self._fold.pass_next_deadline(time)) is not None:
            self._note_changes(self._fold.state, Setter(None, deadline))

    def _apply_tick(self, time: int, events: Sequence[Recorded]) -> None:
        """Apply the events of one millisecond.

        A field was set by the event after which it had the value that it has after the last one.
        """
        state = self._fold.state
        partial = Fold(self._table.load(self._table.dump(state), state.counters))
        partial.apply(time, events[:1])
        for before, event in pairwise(events):
            self._note_changes(partial.state, Setter(before, time))
            if not partial.can_apply_more(time):  # the end of this tick changed something already
                break
            partial.apply_more(time, [event])
        self._fold.apply(time, events)
        self._note_changes(self._fold.state, Setter(events[-1], time))

    def _note_changes(self, state: S, setter: Setter) -> None:
        values = self._values_of(state)
        for name, value in values.items():
            if value != self._values[name]:
                self.setters[name] = setter
        self._values = values

    def _values_of(self, state: S) -> FieldValues:
        view = self._table.view(*self._key, state, settled=False)
        return view.model_dump(mode="json", by_alias=True)


def _field(value: Any, setter: Setter | None) -> FieldShape:
    event = setter.event if setter else None
    return FieldShape(
        value=value,
        event_id=event.event.id if event else None,
        position=event.position if event else None,
        time=setter.time if setter else None,
    )


def _around(  # noqa: PLR0913 - a subject as of two times, and a part of its events
    cur: Cursor[TupleRow],
    table: Table[Any],
    key: Key,
    as_of: AsOf,
    *,
    since: int,
    events: Sequence[Recorded],
) -> list[AroundShape]:
    """What was odd about a subject's events since a time, and corrections of what was shown."""
    recent = {it.position: it for it in events if it.time >= since}
    repeats = restatements(events)
    parameters = {
        "org_id": key[0],
        "id": key[1],
        "since": since,
        "upto": as_of.upto,
        "known_position": as_of.position,
        "known_time": as_of.known_time,
        "positions": [*recent],
        **_RECENT.parameters((it.position, it.time, it.recorded_time) for it in recent.values()),
    }

    def rows(query: sql.SQL) -> list[TupleRow]:
        composed = query.format(
            recent=_RECENT.unnest("k"),
            column=sql.Identifier(table.column),
            bucket=sql.Identifier(f"{table.subject}_bucket"),
            views=sql.Identifier(table.name),
            corrections=sql.Identifier(table.corrections),
        )
        return cur.execute(composed, parameters).fetchall()

    around = [
        *(_event_row(recent[it], Effect.RESTATEMENT) for it in recent if it in repeats),
        *(_event_row(recent[position], Effect.LATE) for (position,) in rows(_LATE_EVENTS)),
        *(
            _event_row(recent[position], Effect.CONFLICT, time)
            for position, time in rows(_CONFLICTS_AROUND)
        ),
        *(
            AroundShape(effect=Effect.CORRECTION, **late)
            for (late_events,) in rows(_CORRECTIONS_AROUND)
            for late in late_events
        ),
    ]
    return sorted(around, key=lambda it: (it.time, it.position, it.effect))[:MAX_AROUND]


def _event_row(recorded: Recorded, effect: Effect, recorded_time: int | None = None) -> AroundShape:
    return AroundShape(
        event_id=recorded.event.id,
        position=recorded.position,
        time=recorded.time,
        recorded_time=recorded.recorded_time if recorded_time is None else recorded_time,
        effect=effect,
    )


_RECENT = Columns({"position": "bigint", "time": "bigint", "recorded_time": "bigint"})
# An event is late where one with a later time has a lower position. Such a time is at most the
# event's own recorded time and the subject's largest clock lead, which bounds what is read.
_LATE_EVENTS = sql.SQL("""
    SELECT k.position FROM {recent}
    WHERE EXISTS (
        SELECT FROM log AS e WHERE e.org_id = %(org_id)s AND e.{column} = %(id)s
            AND e.{bucket} IS NOT NULL AND e.time > k.time AND e.position < k.position
            AND e.time <= k.recorded_time + (
                SELECT max_clock_lead_ms FROM {views} AS v
                WHERE v.org_id = %(org_id)s AND v.id = %(id)s
            )
    )
""")
_CONFLICTS_AROUND = sql.SQL("""
    SELECT position, first_time FROM conflicts
    WHERE org_id = %(org_id)s AND position = ANY(%(positions)s) AND first_time <= %(known_time)s
        AND kind = 'conflict'
""")
_CORRECTIONS_AROUND = sql.SQL("""
    SELECT events FROM {corrections}
    WHERE org_id = %(org_id)s AND id = %(id)s AND position <= %(known_position)s
        AND start <= %(upto)s AND (finish IS NULL OR finish > %(since)s)
""")
