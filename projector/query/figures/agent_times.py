"""Times of agents: how long each was in which status, by period.

Rule: times are those of the intervals, as they were known. What an agent was shown to be from the
last event up to the moment at which time alone ended it is doubtful, and no figure counts it
(semantics 10).

Intervals are stored as events made them. Those that the passing of time began since the last event
are not: agents who may have some are reconstructed, and take part in the same query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, dict_row

from projector.domain.deadlines import SHORTEST_LONG_LIMIT_MS
from projector.domain.metrics import AT_WORK_STATUSES, READY_STATUS
from projector.domain.state_names import LOGGED_OUT
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.sql import Columns
from projector.projection.read_models import AGENTS, Key
from projector.projection.snapshots import was_known
from projector.query.as_of.reconstruct import intervals_as_of, reconstruct
from projector.query.conditions import MAY_BE_OVERDUE
from projector.query.figures.agent_periods import AgentPeriod, cut_stretches
from projector.query.figures.fact_counts import MEMBERS, FigureQuestion
from projector.query.scope import names

RECONSTRUCTED_TOGETHER = 1_000  # agents, so that memory is bounded
AGENTS_FETCHED_TOGETHER = 200  # whose stretches are fetched at a time


def first_interval(cur: Cursor[TupleRow], question: FigureQuestion) -> int | None:
    """When the first interval of the question's organisations and agents began (epoch ms)."""
    condition = sql.SQL("TRUE")
    if "agentId" in question.filters:
        condition = sql.SQL("v.id = ANY(%(agents)s)")
    query = sql.SQL(_FIRST_INTERVAL).format(
        was_known=was_known(question.as_of.position),
        organisations=question.scope.organisations(),
        condition=condition,
    )
    parameters = question.scope.parameters | {
        "known_position": question.as_of.position,
        "agents": names(question.filters.get("agentId")),
    }
    row = cur.execute(query, parameters).fetchone()
    return row[0] if row else None


class AgentTimes:
    """Reads the times of agents in some periods, each ``[edge, next edge)`` in epoch ms."""

    def __init__(
        self,
        cur: Cursor[TupleRow],
        store: EventStore,
        question: FigureQuestion,
        edges: Sequence[int],
    ) -> None:
        self._cur = cur
        self._store = store
        self._question = question
        self._edges = edges
        as_of = question.as_of
        self._parameters: dict[str, Any] = {
            **question.scope.parameters,
            "known_position": as_of.position,
            "upto": as_of.upto,
            "recorded": as_of.recorded_time,
            "clock": as_of.now,
            "long_ago": as_of.now - SHORTEST_LONG_LIMIT_MS,
            "edges": [*edges],
            "first": edges[0],
            "last": min(edges[-1], as_of.now),
            "agents": names(question.filters.get("agentId")),
            "logged_out": LOGGED_OUT,
        }
        self._chosen = sql.SQL(" AND ").join(self._conditions())
        if question.members is not None:
            self._parameters |= MEMBERS.parameters(question.members)
        self._with_reconstructed()

    def _conditions(self) -> Iterator[sql.Composable]:
        yield self._question.scope.organisations()
        if "agentId" in self._question.filters:
            yield sql.SQL("v.id = ANY(%(agents)s)")
        if self._question.members is not None:
            yield sql.SQL("(v.org_id, v.id) IN (SELECT * FROM {})").format(MEMBERS.unnest("m"))

    def totals(self) -> Sequence[Mapping[str, Any]]:
        """The sums over all periods, of the agents with one type of last event.

        A row has totals of ``domain.metrics``, the type, and of the agents who were counted the
        time of the newest last event, at most the end of the periods (``agents_newest``).
        """
        query = sql.SQL(_TOTALS).format(per_agent=self._per_agent(_SPENT))
        parameters = {"at_work": [*AT_WORK_STATUSES], "ready": READY_STATUS}
        return self._rows(query, parameters)

    def by_agent(self) -> Iterator[tuple[Key, Iterable[AgentPeriod]]]:
        """The periods of each agent of which something is known, by organisation and agent.

        The stretches of few agents are in memory at a time, however long the periods are.
        """
        query = sql.SQL(_BY_AGENT).format(per_agent=self._per_agent(_ARRAYS))
        with self._cur.connection.cursor("agent_times", binary=True, row_factory=dict_row) as cur:
            cur.itersize = AGENTS_FETCHED_TOGETHER
            cur.execute(query, self._parameters)
            for row in cur:
                yield (row["org_id"], row["id"]), cut_stretches(row, self._edges)

    def _rows(
        self, query: sql.Composed, parameters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        # Arrays of numbers are read faster in the binary format.
        cur = self._cur.connection.cursor(binary=True, row_factory=dict_row)
        return cur.execute(query, {**self._parameters, **parameters}).fetchall()

    def _per_agent(self, aggregates: sql.SQL) -> sql.Composable:
        """The query for one row an agent, with aggregates of the agent's stretches."""
        ends_with_clock = self._edges[-1] >= self._question.as_of.now
        known = was_known(self._question.as_of.position)
        upto = sql.SQL("TRUE" if ends_with_clock else _UP_TO_NEXT).format(was_known=known)
        stored = sql.SQL(_STORED).format(followed=_FOLLOWED, was_known=known, upto=upto)
        reconstructed = sql.SQL(_RECONSTRUCTED_STRETCHES).format(
            followed=_FOLLOWED, reconstructed=_RECONSTRUCTED.unnest("r")
        )
        return sql.SQL(_PER_AGENT).format(
            aggregates=aggregates,
            stored=sql.SQL(_STRETCHES).format(source=stored),
            reconstructed=sql.SQL(_STRETCHES).format(source=reconstructed),
            chosen=self._chosen,
            reconstructed_keys=_RECONSTRUCTED_KEYS.unnest("k"),
        )

    # --- agents whose last intervals are not stored ---

    def _with_reconstructed(self) -> None:
        keys = self._overdue_keys()
        self._parameters |= _RECONSTRUCTED_KEYS.parameters(keys)
        self._parameters |= _RECONSTRUCTED.parameters(self._reconstructed_rows(keys))

    def _overdue_keys(self) -> Sequence[Key]:
        """The agents of whom time alone may have changed what is shown in the periods.

        Of an agent without later events the stored deadline says it. Of another one it may have
        been passed where the agent rang, wrapped up, or was logged in for long.
        """
        conditions: list[sql.Composable] = [_IS_OVERDUE]
        if self._question.as_of.position != ENDLESS:
            conditions.append(
                sql.SQL("(v.position > %(known_position)s AND {})").format(MAY_BE_OVERDUE)
            )
        query = sql.SQL(
            "SELECT org_id, id FROM agents AS v WHERE {} AND ({}) ORDER BY 1, 2"
        ).format(self._chosen, sql.SQL(" OR ").join(conditions))
        return [(org_id, id_) for org_id, id_ in self._cur.execute(query, self._parameters)]

    def _reconstructed_rows(self, keys: Sequence[Key]) -> Iterator[Sequence[Any]]:
        as_of, first = self._question.as_of, self._parameters["first"]
        for begin in range(0, len(keys), RECONSTRUCTED_TOGETHER):
            some = keys[begin : begin + RECONSTRUCTED_TOGETHER]
            for key, agent in reconstruct(self._cur, self._store, AGENTS, some, as_of).items():
                for it in intervals_as_of(self._cur, AGENTS, key, as_of, agent, first=first):
                    display = it.display
                    yield (
                        *(*key, it.start, display.status, display.idle_code_id),
                        *(it.event_id, it.silent_since),
                    )


_RECONSTRUCTED_KEYS = Columns({"overdue_org": "text", "overdue_id": "text"})
_RECONSTRUCTED = Columns(
    {
        "org_id": "text",
        "id": "text",
        "start": "bigint",
        "status": "text",
        "idle_code_id": "text",
        "event_id": "text",
        "silent_since": "bigint",
    }
)
_IS_OVERDUE = sql.SQL("""(
    v.position <= %(known_position)s AND v.deadline <= %(clock)s
    AND v.last_event_time < %(last)s
)""")
# Of each agent the intervals from the one in force when the first period begins to the first one
# after the last period. They are read by the index, in their order.
_STORED = """
    SELECT {followed} FROM agent_intervals AS i
    WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known}
        AND start >= coalesce((
            SELECT max(start) FROM agent_intervals AS i
            WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} AND start < %(first)s
        ), 0)
        AND {upto}
    WINDOW following AS (ORDER BY start)
"""
# Not needed where the periods end with the clock: next to nothing begins later.
_UP_TO_NEXT = """start <= coalesce((
    SELECT min(start) FROM agent_intervals AS i
    WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} AND start >= %(last)s
), %(last)s)"""
_FOLLOWED = sql.SQL("""start, status, idle_code_id, event_id, lead(start) OVER following AS next,
    lead(silent_since) OVER following AS next_silent_since,
    lag(status) OVER following AS status_before""")

# Each interval up to the next one, and to the last event where time alone began the next one.
_STRETCHES = """
    SELECT f.*, least(coalesce(next, %(last)s), %(last)s) AS finish,
        greatest(start, least(next, next_silent_since, %(last)s)) AS told_until
    FROM ({source}) AS f
    WHERE start < %(last)s AND coalesce(next, %(last)s) > %(first)s
"""

# One row an agent, with what is made of the stretches ``s``. Agents are taken one after another,
# so that no more than the stretches of one have to be sorted.
_PER_AGENT = """
    SELECT v.org_id, v.id, a.* FROM agents AS v CROSS JOIN LATERAL (
        SELECT {aggregates} FROM ({stored}) AS s HAVING count(*) > 0
    ) AS a
    WHERE {chosen} AND (v.org_id, v.id) NOT IN (SELECT * FROM {reconstructed_keys})
    UNION ALL
    SELECT org_id, id, {aggregates} FROM ({reconstructed}) AS s GROUP BY org_id, id
"""
_RECONSTRUCTED_STRETCHES = """
    SELECT org_id, id, {followed} FROM {reconstructed}
    WINDOW following AS (PARTITION BY org_id, id ORDER BY start)
"""
# A window of the summary is a few days at most, so its milliseconds are integers, which PostgreSQL
# adds faster.
_SPENT = sql.SQL("""
    sum(greatest(0, told_until - greatest(start, %(first)s))::integer)
        FILTER (WHERE status = ANY(%(at_work)s)) AS at_work,
    sum(greatest(0, told_until - greatest(start, %(first)s))::integer)
        FILTER (WHERE status = %(ready)s) AS ready,
    sum(greatest(0, finish - greatest(told_until, %(first)s))::integer) AS doubtful
""")
_TOTALS = """
    SELECT last.type AS last_event_type, coalesce(sum(at_work), 0)::bigint AS at_work_ms,
        coalesce(sum(ready), 0)::bigint AS ready_ms,
        coalesce(sum(doubtful), 0)::bigint AS doubtful_ms,
        count(*) FILTER (WHERE at_work > 0 OR ready > 0) AS agents,
        max(least(last.time, %(last)s)) FILTER (WHERE at_work > 0 OR ready > 0) AS agents_newest
    FROM ({per_agent}) AS spent JOIN agents AS v USING (org_id, id) CROSS JOIN LATERAL (
        SELECT v.last_event_type AS type, v.last_event_time AS time
        WHERE v.position <= %(known_position)s
        UNION ALL (
            SELECT type, time FROM log AS e
            WHERE v.position > %(known_position)s AND e.org_id = v.org_id AND e.agent_id = v.id
                AND e.agent_bucket IS NOT NULL AND e.position <= %(known_position)s
                AND e.time <= %(recorded)s + v.max_clock_lead_ms
            ORDER BY time DESC LIMIT 1
        )
    ) AS last GROUP BY last.type
"""
_ARRAYS = sql.SQL("""
    array_agg(start ORDER BY start) AS starts,
    array_agg(finish ORDER BY start) AS finishes,
    array_agg(told_until ORDER BY start) AS told_untils,
    array_agg(status ORDER BY start) AS statuses,
    array_agg(idle_code_id ORDER BY start) AS idle_codes,
    array_agg(start ORDER BY start) FILTER (
        WHERE start >= %(first)s AND status <> %(logged_out)s
            AND coalesce(status_before, %(logged_out)s) = %(logged_out)s
    ) AS logins,
    array_agg(start ORDER BY start) FILTER (
        WHERE start >= %(first)s AND status = %(logged_out)s AND event_id IS NOT NULL
    ) AS logouts
""")
_BY_AGENT = "{per_agent} ORDER BY org_id, id"
_FIRST_INTERVAL = """
    SELECT min(i.start) FROM agents AS v CROSS JOIN LATERAL (
        SELECT start FROM agent_intervals AS i
        WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} ORDER BY start LIMIT 1
    ) AS i
    WHERE {organisations} AND {condition}
"""
