"""Recall: subjects as of two times, when it happened and when we knew.

The rule of this file: nothing is folded from its beginning. A subject is the checkpoint before the
time asked for, as it was known then, and the few events since; where nothing came since, it is the
state as it stands. What is asked of now is asked of the past, with nothing left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.checkpoints import bases
from projector.events import RECONCILIATION_TOLERANCE_MS
from projector.machine import Interval, S, Story, fold
from projector.rows import Key
from projector.store import EventStore
from projector.tables import AGENTS, INTERVAL_COLUMNS, Table, from_row

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
    story: Story[S]

    @property
    def state(self) -> S:
        return self.story.state


def recall(
    cur: Cursor[TupleRow], store: EventStore, table: Table[S], keys: Collection[Key], as_of: AsOf
) -> dict[Key, Recalled[S]]:
    """Those subjects that existed, each as it was."""
    stored = _stored(cur, table, keys, as_of)
    recalled = {
        key: Recalled(row.changed, Story(table.load(row.state, row.tally)))
        for key, row in stored.items()
        if row.state is not None
    }
    folded = {key: row for key, row in stored.items() if row.state is None}
    recalled |= _folded(cur, store, table, folded, as_of)
    for it in recalled.values():
        it.story.until(as_of.now)
    return recalled


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
    ).format(interval=sql.SQL(INTERVAL_COLUMNS), table=sql.Identifier(table.intervals), known=KNOWN)
    parameters = {"org": key[0], "id": key[1], "known": as_of.position, "since": recalled.since}
    rows = cur.execute(query, parameters | {"first": first, "limit": limit}, prepare=True)
    found = [from_row(row) for row in rows]
    # What came since the checkpoint, and what the passing of time alone has begun.
    return found if len(found) == limit else [*found, *recalled.story.intervals]


KNOWN = sql.SQL("known_from <= %(known)s AND (known_to IS NULL OR known_to > %(known)s)")


@dataclass(frozen=True, slots=True)
class _Stored:
    """What stands of a subject; its state only where that is the answer."""

    position: int  # up to here its events are folded: those of a parked one wait
    changed: int
    ahead: int
    state: str | None
    tally: Mapping[str, int]


def _stored(
    cur: Cursor[TupleRow], table: Table[Any], keys: Collection[Key], as_of: AsOf
) -> dict[Key, _Stored]:
    if not keys:
        return {}
    orgs, ids = zip(*keys, strict=True)
    rows = cur.execute(
        sql.SQL(_STORED).format(views=sql.Identifier(table.name), kind=sql.Literal(table.name)),
        {"orgs": [*orgs], "ids": [*ids], "known": as_of.position, "upto": as_of.upto},
        prepare=True,
    )
    return {(org_id, id_): _Stored(*row) for org_id, id_, *row in rows}


# All that a subject consists of was known, and had happened.
_STORED = """
    SELECT v.org_id, v.id, coalesce(p.position - 1, %(known)s), v.changed, v.ahead,
        CASE WHEN v.position <= %(known)s AND v.changed <= %(upto)s THEN v.state END, v.tally
    FROM unnest(%(orgs)s::text[], %(ids)s::text[]) AS k(org_id, id)
    JOIN {views} AS v USING (org_id, id)
    LEFT JOIN parked AS p ON p.kind = {kind} AND p.org_id = v.org_id AND p.id = v.id
"""


def _folded(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    subjects: Mapping[Key, _Stored],
    as_of: AsOf,
) -> dict[Key, Recalled[S]]:
    # No event that was known then has a later time: so none of those since is looked at.
    last = {key: min(as_of.upto, as_of.recorded_time + row.ahead) for key, row in subjects.items()}
    # Before the tolerance: what reconciliation told there may be stated by a webhook until then.
    wanted = [(*key, min(last[key], as_of.upto - RECONCILIATION_TOLERANCE_MS)) for key in subjects]
    found = bases(cur, table, wanted, known=as_of.position)
    since = [
        (
            *key,
            base.time - RECONCILIATION_TOLERANCE_MS - 1,
            last[key],
            min(as_of.position, subjects[key].position),
        )
        for key, base in zip(subjects, found, strict=True)
    ]
    recalled = {}
    told = store.between(cur, table.column, since, kind=table.name)
    for key, base, events in zip(subjects, found, told, strict=True):
        state = table.fresh() if base.state is None else table.load(base.state, base.tally)
        story = fold(state, events, after=base.time)
        if story.state.last_event is not None:
            recalled[key] = Recalled(base.time, story)
    return recalled


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
