"""Recall: subjects as of two times, when it happened and when we knew.

The rule of this file: nothing is folded from its beginning. A subject is the snapshot before the
time asked for, as it was known then, and the few events since; where nothing came since, it is the
state as it stands. What is asked of now is asked of the past, with nothing left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Origin, Recorded
from projector.domain.fold import Fold, Interval, S, fold
from projector.event_log.store import EventStore
from projector.projection.read_models import AGENTS, INTERVAL_COLUMNS, Key, Table, interval_from_row
from projector.projection.snapshots import WAS_KNOWN, Base, bases, earlier_snapshot_time

ENDLESS = 2**62  # after every time and every position


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The two times of a question, resolved. Times are epoch ms.

    Without ``at`` nothing that happened is left out; ``position`` is the last one that was known.
    """

    at: int | None = None
    position: int = ENDLESS
    recorded_time: int = ENDLESS  # nothing known was recorded later
    now: int  # the moment that what depends on the clock is asked of
    known_time: int  # the moment whose knowledge it is

    @property
    def upto(self) -> int:
        return ENDLESS if self.at is None else self.at


@dataclass(frozen=True, slots=True)
class Recalled(Generic[S]):
    """A subject as of two times; of its intervals, those that began after ``since`` (epoch ms)."""

    since: int
    story: Fold[S]

    @property
    def state(self) -> S:
        return self.story.state


@dataclass(frozen=True, slots=True)
class Beginning(Generic[S]):
    """Where a fold begins: the state after all events up to ``since``, and the events after it.

    Among these may be some up to it, for what they state.
    """

    since: int
    state: S
    events: Sequence[Recorded]  # in order


def recall(
    cur: Cursor[TupleRow], store: EventStore, table: Table[S], keys: Collection[Key], as_of: AsOf
) -> dict[Key, Recalled[S]]:
    """Those subjects that existed, each as it was."""
    if not keys:
        return {}
    recalled = _Reader(cur, store, table, as_of).recall(keys)
    for it in recalled.values():
        it.story.advance_to(as_of.now)
    return recalled


def beginning(  # noqa: PLR0913 - a subject as of two times, and how far to go back
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    key: Key,
    as_of: AsOf,
    *,
    snapshots: int,
) -> Beginning[S]:
    """Where to begin a subject's fold, so many snapshots before its end."""
    return _Reader(cur, store, table, as_of).begin(key, snapshots)


def intervals_known(  # noqa: PLR0913 - a subject as of two times, and a part of its intervals
    cur: Cursor[TupleRow],
    table: Table[S],
    key: Key,
    as_of: AsOf,
    recalled: Recalled[S],
    *,
    first: int,
    limit: int,
) -> list[Interval]:
    """Intervals as they were known, by start, from the one in force before ``first`` on."""
    query = sql.SQL(
        "SELECT {interval} FROM {table} WHERE org_id = %(org)s AND id = %(id)s AND {known}"
        " AND start <= %(since)s AND start >= coalesce((SELECT max(start) FROM {table}"
        " WHERE org_id = %(org)s AND id = %(id)s AND {known} AND start < %(first)s), 0)"
        " ORDER BY start LIMIT %(limit)s"
    ).format(
        interval=sql.SQL(INTERVAL_COLUMNS), table=sql.Identifier(table.intervals), known=WAS_KNOWN
    )
    parameters = {
        "org": key[0],
        "id": key[1],
        "known_position": as_of.position,
        "since": recalled.since,
    }
    rows = cur.execute(query, parameters | {"first": first, "limit": limit}, prepare=True)
    found = [interval_from_row(row) for row in rows]
    # What came since the snapshot, and what the passing of time alone has begun.
    return found if len(found) == limit else [*found, *recalled.story.intervals]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What stands of a subject; its state only where that is the answer."""

    position: int  # up to here its events are folded: those of a parked one wait
    changed: int
    ahead: int
    state: str | None
    counters: Mapping[str, int]


class _Reader(Generic[S]):
    """Reads what subjects were from what is stored of them."""

    def __init__(
        self, cur: Cursor[TupleRow], store: EventStore, table: Table[S], as_of: AsOf
    ) -> None:
        self._cur = cur
        self._store = store
        self._table = table
        self._as_of = as_of

    def recall(self, keys: Collection[Key]) -> dict[Key, Recalled[S]]:
        stored = self._stored(keys)
        recalled = {
            key: Recalled(row.changed, Fold(self._table.load(row.state, row.counters)))
            for key, row in stored.items()
            if row.state is not None
        }
        return recalled | self._folded({key: stored[key] for key in stored if key not in recalled})

    def _stored(self, keys: Collection[Key]) -> dict[Key, _Stored]:
        orgs, ids = zip(*keys, strict=True)
        rows = self._cur.execute(
            sql.SQL(_STORED).format(
                views=sql.Identifier(self._table.name), kind=sql.Literal(self._table.name)
            ),
            {
                "orgs": [*orgs],
                "ids": [*ids],
                "known_position": self._as_of.position,
                "upto": self._as_of.upto,
            },
            prepare=True,
        )
        return {(org_id, id_): _Stored(*row) for org_id, id_, *row in rows}

    def _folded(self, subjects: Mapping[Key, _Stored]) -> dict[Key, Recalled[S]]:
        recalled = {}
        for key, it in self.beginnings(subjects, ENDLESS).items():
            story = fold(it.state, it.events, after=it.since)
            if story.state.last_event is not None:
                recalled[key] = Recalled(it.since, story)
        return recalled

    def begin(self, key: Key, snapshots: int) -> Beginning[S]:
        """One subject's fold from so many snapshots before its last one on."""
        subject = self._stored([key])
        time = earlier_snapshot_time(
            self._cur,
            self._table,
            key,
            upto=self._last(subject[key]),
            known_position=self._as_of.position,
            skip=snapshots,
        )
        return self.beginnings(subject, time)[key]

    def beginnings(self, subjects: Mapping[Key, _Stored], upto: int) -> dict[Key, Beginning[S]]:
        """From the last snapshot up to a time on; of what had happened and was known."""
        # Before the tolerance: a webhook until then may state what reconciliation told there.
        upto = min(upto, self._as_of.upto - RECONCILIATION_TOLERANCE_MS)
        wanted = [(*key, min(self._last(row), upto)) for key, row in subjects.items()]
        found = bases(self._cur, self._table, wanted, known_position=self._as_of.position)
        since = self._since(
            subjects, {key: it.time for key, it in zip(subjects, found, strict=True)}
        )
        return {
            key: Beginning(it.time, self._loaded(it), since[key])
            for key, it in zip(subjects, found, strict=True)
        }

    def _loaded(self, base: Base) -> S:
        text, table = base.state, self._table
        return table.fresh() if text is None else table.load(text, base.counters)

    def _last(self, row: _Stored) -> int:
        """No event that was known then has a later time, so none of those since is looked at."""
        return min(self._as_of.upto, self._as_of.recorded_time + row.ahead)

    def _since(
        self, subjects: Mapping[Key, _Stored], after: Mapping[Key, int]
    ) -> dict[Key, list[Recorded]]:
        """The events after some times, by subject.

        Where reconciliation told one soon after, also those before that may state the same.
        """
        told = self._between(subjects, after)
        near = {key: time + RECONCILIATION_TOLERANCE_MS for key, time in after.items()}
        again = {
            key: after[key] - RECONCILIATION_TOLERANCE_MS - 1
            for key, events in told.items()
            if any(it.origin is Origin.RECONCILIATION and it.time <= near[key] for it in events)
        }
        return told | self._between(subjects, again)

    def _between(
        self, subjects: Mapping[Key, _Stored], after: Mapping[Key, int]
    ) -> dict[Key, list[Recorded]]:
        wanted = [
            (*key, time, self._last(subjects[key]), subjects[key].position)
            for key, time in after.items()
        ]
        told = self._store.between(
            self._cur, self._table.column, wanted, condition=self._table.not_skipped
        )
        return dict(zip(after, told, strict=True))


# All that a subject consists of was known, and had happened.
_STORED = """
    SELECT v.org_id, v.id, least(p.position - 1, %(known_position)s), v.last_event_time,
        v.max_clock_lead_ms,
        CASE WHEN v.position <= %(known_position)s AND v.last_event_time <= %(upto)s
            THEN v.state END,
        v.counters
    FROM unnest(%(orgs)s::text[], %(ids)s::text[]) AS k(org_id, id)
    JOIN {views} AS v USING (org_id, id)
    LEFT JOIN parked AS p ON p.kind = {kind} AND p.org_id = v.org_id AND p.id = v.id
"""


def teams(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    recalled: Mapping[Key, Recalled[S]],
    as_of: AsOf,
) -> dict[Key, frozenset[str]]:
    """The teams of agents, or of those who take part in tasks, as of the same two times."""
    if table.name == "agents":
        return {key: _names(table, it.state, "teamId") for key, it in recalled.items()}
    parts = {key: _names(table, it.state, "agentId") for key, it in recalled.items()}
    agents = {(org_id, id_) for (org_id, _), ids in parts.items() for id_ in ids}
    of_agents = teams(cur, store, AGENTS, recall(cur, store, AGENTS, agents, as_of), as_of)
    return {
        (org_id, id_): frozenset().union(
            *(of_agents.get((org_id, agent), frozenset()) for agent in ids)
        )
        for (org_id, id_), ids in parts.items()
    }


def _names(table: Table[S], state: S, facet: str) -> frozenset[str]:
    return frozenset(table.facets(state)[facet])
