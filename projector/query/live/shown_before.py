"""What subjects showed before they changed: by it a stream knows what has left a filter.

Rule: nothing is remembered for a reader. What it had is what the position and the time show up to
which it has read, as for any question about the past. Where that is not certain, all that may have
been shown counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.domain.fold import S
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.projection.read_models import Facets, Key, Table
from projector.query.as_of.reconstruct import AsOf, Reconstructed, reconstruct, teams_as_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What filters and scopes are compared with: of one subject, as it was shown at one time."""

    teams: frozenset[str]
    facets: Mapping[str, frozenset[str]]
    doubtful: frozenset[str] = frozenset()  # facets that may have had any value

    def fits(self, filters: Mapping[str, frozenset[str]]) -> bool:
        """Whether it has one of the values of each filter."""
        return all(
            name in self.doubtful or values & self.facets.get(name, frozenset())
            for name, values in filters.items()
        )


def as_shown(table: Table[S], id_: str, facets: Facets, teams: Collection[str]) -> Shown:
    """A subject with these facets; its own id is one of them."""
    named = {f"{table.subject}Id": [id_], **facets}
    return Shown(
        teams=frozenset(teams),
        facets={name: frozenset(values) for name, values in named.items()},
    )


def shown_before(  # noqa: PLR0913 - some subjects, and from when to when
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    keys: Collection[Key],
    *,
    position: int,
    since: int,
    now: int,
    with_teams: bool,
) -> Mapping[Key, Sequence[Shown]]:
    """What subjects showed at a position, from ``since`` to ``now`` (epoch ms).

    Without ``with_teams``, tasks are shown without their teams.
    """
    before = defaultdict[Key, list[Shown]](list)
    for known_position, recorded_time in cur.execute(_KNOWN, {"position": position}).fetchall():
        as_of = AsOf(
            position=known_position, recorded_time=recorded_time, now=since, known_time=since
        )
        subjects = reconstruct(cur, store, table, keys, as_of)
        teams = teams_as_of(cur, store, table, subjects, as_of) if with_teams else {}
        for key, subject in subjects.items():
            before[key] += (
                as_shown(table, key[1], facets, teams.get(key, ()))
                for facets in _facets_until(table, subject, now)
            )
    return before


def _facets_until(table: Table[S], subject: Reconstructed[S], now: int) -> Iterator[Facets]:
    yield table.facets(subject.state)
    for stage in table.outlook(subject.state).stages:
        if stage.time <= now:
            yield stage.facets


def stored_facets_between(
    facets: Facets, later_facets: Sequence[Mapping[str, Any]], since: int, now: int
) -> list[Facets]:
    """Of the stored facets of a row, those that held at some time from ``since`` to ``now``."""
    stages = [(0, facets), *((it["from"], it["facets"]) for it in later_facets), (ENDLESS, facets)]
    return [each for (start, each), (end, _) in pairwise(stages) if start <= now and end > since]


# The position and its recorded time. Tables are written request by request. So within a request,
# what a subject shows at the position may be what it showed before the request: that counts, too.
_KNOWN = """
    SELECT position, recorded_time FROM log
    WHERE position = %(position)s
        OR position = (SELECT request_position - 1 FROM log WHERE position = %(position)s + 1)
"""
