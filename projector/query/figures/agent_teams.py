"""The teams of agents as of two times.

Rule: an agent of whom all was known and had happened is not reconstructed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.event_log.store import EventStore
from projector.projection.read_models import AGENTS, KEY_COLUMNS, Key
from projector.query.as_of.reconstruct import AsOf, reconstruct
from projector.query.figures.agent_times import RECONSTRUCTED_TOGETHER


class AgentTeams:
    """Reads the teams of agents once each, as they are asked for."""

    def __init__(self, cur: Cursor[TupleRow], store: EventStore, as_of: AsOf) -> None:
        self._cur = cur
        self._store = store
        self._as_of = as_of
        self._teams: dict[Key, str | None] = {}

    def of(self, keys: Collection[Key]) -> Mapping[Key, str | None]:
        """The team of each agent; null where none was told, or nobody was known to be there."""
        missing = sorted({*keys} - self._teams.keys())
        for begin in range(0, len(missing), RECONSTRUCTED_TOGETHER):
            self._teams |= self._read(missing[begin : begin + RECONSTRUCTED_TOGETHER])
        return self._teams

    def _read(self, keys: Collection[Key]) -> Mapping[Key, str | None]:
        parameters = {"known_position": self._as_of.position, "upto": self._as_of.upto}
        rows = self._cur.execute(_STORED_TEAMS, KEY_COLUMNS.parameters(keys) | parameters)
        teams: dict[Key, str | None] = dict.fromkeys(keys)
        changed = []
        for org_id, id_, team, is_unchanged in rows:
            if is_unchanged:
                teams[(org_id, id_)] = team
            else:
                changed.append((org_id, id_))
        subjects = reconstruct(self._cur, self._store, AGENTS, changed, self._as_of)
        return teams | {key: it.state.team_id for key, it in subjects.items()}


_STORED_TEAMS = sql.SQL("""
    SELECT v.org_id, v.id, v.facets->'teamId'->>0,
        v.position <= %(known_position)s AND v.last_event_time <= %(upto)s
    FROM {keys} JOIN agents AS v USING (org_id, id)
""").format(keys=KEY_COLUMNS.unnest("k"))
