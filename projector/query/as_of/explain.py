"""Explain: for each field of a view the event that set it, and what was odd around it.

The rule of this file: the explanation is the fold that the view is, looked at step by step. It
begins at ever earlier snapshots until each field has changed on the way, or enough was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.explanation import AroundShape, Effect, Explanation, FieldShape
from projector.domain.events import Recorded, restatements
from projector.domain.fold import Fold, Interval, S
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool, consistent_read
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import Key, Table
from projector.projection.snapshots import BEFORE_ALL
from projector.query.as_of.reconstruct import (
    AsOf,
    Beginning,
    Recalled,
    beginning,
    intervals_known,
    recall,
)

# Snapshots that a look goes back; an event in four has one.
LOOKS = (16, 64, 256)
MOST_AROUND = 1_000
Values = Mapping[str, Any]  # of a view's fields


@dataclass(frozen=True, slots=True)
class Setter:
    """What set a field: an event, or the passing of time alone (epoch ms)."""

    event: Recorded | None
    time: int


class Explain:
    """Explains views as of two times; each from one database snapshot."""

    def __init__(self, pool: Pool, store: EventStore, delays: ArrivalDelays) -> None:
        self._pool = pool
        self._delays = delays
        self._store = store

    def explain(self, table: Table[S], key: Key, as_of: AsOf) -> Explanation:
        """What set each field of the view of a subject that existed then."""
        with consistent_read(self._pool) as cur:
            recalled = recall(cur, self._store, table, [key], as_of)[key]
            begin, setters = self._setters(cur, table, key, as_of)
            shown_since = _in_force(cur, table, key, as_of, recalled).start
            around = _around(cur, table, key, as_of, since=shown_since, events=begin.events)
        settled = self._delays.settled(key[0], recalled.state, as_of.known_time)
        view = table.view(*key, recalled.state, settled=settled)
        values = view.model_dump(mode="json", by_alias=True)
        return Explanation(
            fields={name: _field(value, setters.get(name)) for name, value in values.items()},
            around=around,
            looked_from=None if begin.since == BEFORE_ALL else begin.since,
        )

    def _setters(
        self, cur: Cursor[TupleRow], table: Table[S], key: Key, as_of: AsOf
    ) -> tuple[Beginning[S], Mapping[str, Setter]]:
        """Where the look began, and what set each field since."""
        for snapshots in LOOKS:
            begin = beginning(cur, self._store, table, key, as_of, snapshots=snapshots)
            steps = _Steps(table, key, begin)
            steps.take_all(as_of)
            if begin.since == BEFORE_ALL or steps.have_set_all():
                break
        return begin, steps.setters


def _in_force(
    cur: Cursor[TupleRow], table: Table[S], key: Key, as_of: AsOf, recalled: Recalled[S]
) -> Interval:
    """The interval in which the view was shown."""
    begun = recalled.story.intervals
    if begun:
        return begun[-1]
    (known,) = intervals_known(cur, table, key, as_of, recalled, first=recalled.since + 1, limit=1)
    return known


class _Steps(Generic[S]):
    """A fold, and what changed with each event of it."""

    def __init__(self, table: Table[S], key: Key, begin: Beginning[S]) -> None:
        self._table = table
        self._key = key
        self._begin = begin
        self._story = Fold(begin.state)
        self._shown = self._values(begin.state)
        if begin.since == BEFORE_ALL:
            self._shown = {**self._shown, "orgId": None, f"{table.subject}Id": None}
        self.setters: dict[str, Setter] = {}

    def have_set_all(self) -> bool:
        # No event sets whose view it is, and whether it is settled.
        own = {"orgId", f"{self._table.subject}Id", "settled"}
        return self._shown.keys() - own <= self.setters.keys()

    def take_all(self, as_of: AsOf) -> None:
        repeats = restatements(self._begin.events)
        told = [
            it
            for it in self._begin.events
            if it.time > self._begin.since and it.position not in repeats
        ]
        for time, events in groupby(told, key=lambda it: it.time):
            self._pass(time - 1)
            self._take(time, [*events])
        self._pass(as_of.now)

    def _pass(self, moment: int) -> None:
        due = self._story.state.deadline()
        if due is not None and due <= moment:
            self._story.advance_to(moment)
            self._note(self._values(self._story.state), Setter(None, due))

    def _take(self, time: int, events: Sequence[Recorded]) -> None:
        """Take a millisecond: each field was set by the event with which it came to stay."""
        state = self._story.state
        part = Fold(self._table.load(self._table.dump(state), state.counters))
        part.apply(time, events[:1])
        for before, event in pairwise(events):
            self._note(self._values(part.state), Setter(before, time))
            if not part.can_apply_more(time):  # its end changed something already
                break
            part.apply_more(time, [event])
        self._story.apply(time, events)
        self._note(self._values(self._story.state), Setter(events[-1], time))

    def _note(self, values: Values, setter: Setter) -> None:
        for name, value in values.items():
            if value != self._shown[name]:
                self.setters[name] = setter
        self._shown = values

    def _values(self, state: S) -> Values:
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
    near = {it.position: it for it in events if it.time >= since}
    repeats = restatements(events)
    parameters = {
        "org": key[0],
        "id": key[1],
        "since": since,
        "upto": as_of.upto,
        "known": as_of.position,
        "known_time": as_of.known_time,
        "positions": [*near],
        "times": [it.time for it in near.values()],
        "recorded_times": [it.recorded_time for it in near.values()],
    }

    def ask(query: str) -> list[TupleRow]:
        named = sql.SQL(query).format(
            column=sql.Identifier(table.column),
            bucket=sql.Identifier(f"{table.subject}_bucket"),
            views=sql.Identifier(table.name),
            corrections=sql.Identifier(table.corrections),
        )
        return cur.execute(named, parameters).fetchall()

    found = [
        *(_odd(near[position], Effect.RESTATEMENT) for position in near if position in repeats),
        *(_odd(near[position], Effect.LATE) for (position,) in ask(_LATE)),
        *(_odd(near[position], Effect.CONFLICT, time) for position, time in ask(_CONFLICTS)),
        *(
            AroundShape(effect=Effect.CORRECTION, **late)
            for (events,) in ask(_CORRECTIONS)
            for late in events
        ),
    ]
    return sorted(found, key=lambda it: (it.time, it.position, it.effect))[:MOST_AROUND]


def _odd(recorded: Recorded, effect: Effect, recorded_time: int | None = None) -> AroundShape:
    return AroundShape(
        event_id=recorded.event.id,
        position=recorded.position,
        time=recorded.time,
        recorded_time=recorded.recorded_time if recorded_time is None else recorded_time,
        effect=effect,
    )


# Nothing that was known before an event has a time later than its own recording and the most that
# an event of the subject was ahead.
_LATE = """
    SELECT k.position
    FROM unnest(%(positions)s::bigint[], %(times)s::bigint[], %(recorded_times)s::bigint[])
        AS k(position, time, recorded_time)
    WHERE EXISTS (
        SELECT FROM log AS e WHERE e.org_id = %(org)s AND e.{column} = %(id)s
            AND e.{bucket} IS NOT NULL AND e.time > k.time AND e.position < k.position
            AND e.time <= k.recorded_time + (
                SELECT max_clock_lead_ms FROM {views} AS v WHERE v.org_id = %(org)s AND v.id = %(id)s
            )
    )
"""
_CONFLICTS = """
    SELECT position, first_time FROM conflicts
    WHERE org_id = %(org)s AND position = ANY(%(positions)s) AND first_time <= %(known_time)s
"""
_CORRECTIONS = """
    SELECT events FROM {corrections}
    WHERE org_id = %(org)s AND id = %(id)s AND position <= %(known)s
        AND start <= %(upto)s AND (finish IS NULL OR finish > %(since)s)
"""
