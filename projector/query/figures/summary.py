"""The summary: a whole floor as of two times, and the figures of a window before the first.

Rule: no subject is reconstructed whose stored rows are right as of both times.

- Agents and tasks are shown as of ``at``. Subjects to which something came since are reconstructed,
  and counted with the others. So are agents of whom a deadline may have passed since their last
  event, and those who have a reconciled event just before ``at``: the webhook that restates it may
  lie after ``at`` (``reconstruct``).
- Figures count facts and times of agents in the window. They are folded from all that was known,
  whatever ``at`` (semantics 10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, dict_row

from projector.contract.summary import AgentsShape, Summary, TasksShape, WindowCounts
from projector.domain.agent import AgentState
from projector.domain.deadlines import SHORTEST_LONG_LIMIT_MS
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Origin
from projector.domain.fold import S
from projector.domain.metrics import COUNTED_TOTALS, WAIT_COUNTS, Thresholds, metrics
from projector.domain.state_names import LOGGED_OUT
from projector.domain.task import TaskState
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.infrastructure.sql import Columns
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import AGENTS, TASKS, Key, Table
from projector.projection.snapshots import WAS_KNOWN
from projector.query.as_of.reconstruct import AsOf, Reconstructed, reconstruct, teams_as_of
from projector.query.conditions import (
    EXISTED,
    MAY_BE_OPEN,
    MAY_BE_OVERDUE,
    SHOWN_FACETS,
    matches_facets,
    period_parameters,
    with_facets,
)
from projector.query.figures.agent_times import RECONSTRUCTED_TOGETHER, AgentTimes
from projector.query.figures.fact_counts import (
    MEMBERS,
    FigureQuestion,
    count_facts,
    figures_as_of,
)
from projector.query.own_fold import read_views
from projector.query.scope import Scope

Counts = Mapping[str, Any]  # of some subjects that have one status, or one type of last event


class Summaries:
    """Summarizes floors, each from one database snapshot."""

    def __init__(
        self, pool: Pool, store: EventStore, delays: ArrivalDelays, *, thresholds: Thresholds
    ) -> None:
        self._pool = pool
        self._store = store
        self._delays = delays
        self._thresholds = thresholds

    def summarize(
        self, scope: Scope, facets: Mapping[str, Sequence[str]], as_of: AsOf, *, window: int
    ) -> Summary:
        """The agents of a scope, those of its tasks that have some facets, and their figures.

        Figures are of ``[as_of.now - window, as_of.now)``. Which agents serve a queue is not known,
        so a queue has no occupancy.
        """
        start = as_of.now - window
        edges = [start, as_of.now]
        with read_views(self._pool) as cur:
            floor = FloorReader(cur, self._store, scope, as_of, start)
            members = floor.members()
            agents = floor.agents(members)
            tasks = floor.tasks(members, facets)
            question = FigureQuestion(
                scope=scope, members=members, filters=facets, as_of=figures_as_of(as_of)
            )
            facts = count_facts(cur, question, self._thresholds, edges)
            times = (
                []
                if "queueId" in facets
                else AgentTimes(cur, self._store, question, edges).totals()
            )
        totals = _totals([*facts, *times])
        provisional = self._provisional(facts, times, as_of.known_time)
        return Summary.model_validate(
            {
                "agents": _agents(agents),
                "tasks": _tasks(tasks, as_of.now),
                "counts": WindowCounts(
                    **{name: totals[name] for name in (*WAIT_COUNTS, "handled")}
                ),
                **metrics(totals, provisional),
            }
        )

    def _provisional(
        self, facts: Sequence[Counts], times: Sequence[Counts], known_time: int
    ) -> set[str]:
        """The names of totals to which something young adds: what came with it may be missing."""
        young = {
            name
            for row in facts
            for name in COUNTED_TOTALS
            if (time := row.get(f"{name}_newest")) is not None
            and not self._delays.is_over_for_all(time, known_time)
        }
        if any(
            row["agents_newest"] is not None
            and not self._delays.is_over(row["last_event_type"], row["agents_newest"], known_time)
            for row in times
        ):
            young.add("agents")
        return young


class FloorReader:
    """Reads one floor as of two times; ``start`` is that of the window before (epoch ms)."""

    def __init__(
        self, cur: Cursor[TupleRow], store: EventStore, scope: Scope, as_of: AsOf, start: int
    ) -> None:
        self._cur = cur
        self._store = store
        self._scope = scope
        self._as_of = as_of
        self._parameters = {
            **scope.parameters,
            **period_parameters(upto=as_of.upto, recorded_time=as_of.recorded_time),
            "known_position": as_of.position,
            "now": as_of.now,
            "start": start,
            "since": min(start, as_of.recorded_time),
            "long_ago": as_of.now - SHORTEST_LONG_LIMIT_MS,
        }

    def members(self) -> Collection[Key] | None:
        """The agents of the scope's teams, as of both times; null where all agents are."""
        if self._scope.team_ids is None:
            return None
        return {
            key
            for agents in self._reconstructed(AGENTS, _TRUE)
            for key, teams in teams_as_of(
                self._cur, self._store, AGENTS, agents, self._as_of
            ).items()
            if self._scope.covers(key[0], teams)
        }

    def agents(self, members: Collection[Key] | None) -> Sequence[Counts]:
        """Agents by status."""
        reconstructed = self._reconstructed_agents(members)
        query = sql.SQL(_COUNT_AGENTS).format(
            was_known=WAS_KNOWN,
            unchanged=_UNCHANGED,
            chosen=self._chosen(),
            of_members=_TRUE if members is None else _IS_MEMBER,
            reconstructed=_IS_RECONSTRUCTED if reconstructed else _FALSE,
        )
        parameters = MEMBERS.parameters(members or ()) | _RECONSTRUCTED.parameters(reconstructed)
        statuses = Counter(agent.display_state().status for agent in reconstructed.values())
        return [
            *self._counted(query, parameters),
            *({"status": status, "total": total} for status, total in statuses.items()),
        ]

    def _reconstructed_agents(self, members: Collection[Key] | None) -> dict[Key, AgentState]:
        """Agents whose stored intervals may differ from their view.

        Of an agent without later events the stored deadline says it. Of another one it may have
        been passed where the agent rang, wrapped up, or was logged in for long.
        """
        conditions = [sql.SQL("({} AND v.deadline <= %(now)s)").format(_UNCHANGED)]
        if self._as_of.position != ENDLESS:
            conditions.append(sql.SQL("(NOT {} AND {})").format(_UNCHANGED, MAY_BE_OVERDUE))
        if self._as_of.at is not None:
            conditions.append(sql.SQL("(NOT {} AND {})").format(_UNCHANGED, _HAS_RECONCILED_EVENT))
        condition = sql.SQL("({})").format(sql.SQL(" OR ").join(conditions))
        return {
            key: agent.state
            for agents in self._reconstructed(AGENTS, condition)
            for key, agent in agents.items()
            if members is None or key in members
        }

    def tasks(
        self,
        members: Collection[Key] | None,
        facets: Mapping[str, Sequence[str]],
    ) -> Sequence[Counts]:
        """Tasks by status, those that are open or changed in the window."""
        conditions, parameters = with_facets(facets)
        query = sql.SQL(_COUNT_TASKS).format(
            shown=SHOWN_FACETS,
            unchanged=_UNCHANGED,
            chosen=sql.SQL(" AND ").join([self._chosen(), MAY_BE_OPEN, *conditions]),
            of_members=_TRUE if members is None else _HAS_MEMBER,
            changed_tasks=_CHANGED_TASKS.unnest("c"),
        )
        changed = self._changed_tasks(members, facets)
        return self._counted(
            query,
            parameters | MEMBERS.parameters(members or ()) | _CHANGED_TASKS.parameters(changed),
        )

    def _changed_tasks(
        self, members: Collection[Key] | None, facets: Mapping[str, Sequence[str]]
    ) -> Iterator[Sequence[Any]]:
        """The tasks to which something came since, as they were: rows of ``_CHANGED_TASKS``."""
        condition = sql.SQL("{} AND NOT {}").format(MAY_BE_OPEN, _UNCHANGED)
        for tasks in self._reconstructed(TASKS, condition):
            for key, task in tasks.items():
                of_members = members is None or any(
                    (key[0], agent) in members for agent in task.state.participants
                )
                if of_members and matches_facets(TASKS, task.state, facets):
                    yield _task_row(task.state)

    def _reconstructed(
        self, table: Table[S], condition: sql.Composable
    ) -> Iterator[dict[Key, Reconstructed[S]]]:
        """The scope's subjects that fulfil a condition, some at a time."""
        query = sql.SQL("SELECT org_id, id FROM {} AS v WHERE {} AND {}").format(
            sql.Identifier(table.name), self._chosen(), condition
        )
        keys = self._cur.execute(query, self._parameters).fetchall()
        for begin in range(0, len(keys), RECONSTRUCTED_TOGETHER):
            some = keys[begin : begin + RECONSTRUCTED_TOGETHER]
            yield reconstruct(self._cur, self._store, table, some, self._as_of)

    def _chosen(self) -> sql.Composable:
        return sql.SQL("{} AND {}").format(self._scope.organisations(), EXISTED)

    def _counted(self, query: sql.Composed, parameters: dict[str, Any]) -> Sequence[Counts]:
        cur = self._cur.connection.cursor(row_factory=dict_row)
        return cur.execute(query, self._parameters | parameters).fetchall()


def _task_row(state: TaskState) -> Sequence[Any]:
    return (
        state.status(),
        state.is_open(),
        state.last_event.time if state.last_event else 0,
        state.completed_time,
        state.waiting_since(),
    )


def _totals(counts: Sequence[Counts]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for row in counts:
        totals.update({name: value for name, value in row.items() if isinstance(value, int)})
    return totals


def _agents(counts: Sequence[Counts]) -> AgentsShape:
    by_status = _by_status(counts)
    total = sum(by_status.values())
    return AgentsShape(
        total=total, logged_in=total - by_status.get(LOGGED_OUT, 0), by_status=by_status
    )


def _tasks(counts: Sequence[Counts], now: int) -> TasksShape:
    waiting_since = [row["waiting_since"] for row in counts if row["waiting_since"] is not None]
    return TasksShape(
        open=sum(row["open"] for row in counts),
        waiting=sum(row["waiting"] for row in counts),
        by_status=_by_status(counts),
        longest_wait_ms=max(0, now - min(waiting_since)) if waiting_since else None,
    )


def _by_status(counts: Sequence[Counts]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for row in counts:
        totals[row["status"]] += row["total"]
    return dict(sorted(totals.items()))


_TRUE, _FALSE = sql.SQL("TRUE"), sql.SQL("FALSE")
# All of the subject was known and had happened, so its rows are right as of both times. Qualified:
# within a subquery of the log, `position` alone would be that of an event.
_UNCHANGED = sql.SQL("(v.position <= %(known_position)s AND v.last_event_time <= %(upto)s)")
_HAS_RECONCILED_EVENT = sql.SQL("""(v.org_id, v.id) IN (
    SELECT org_id, agent_id FROM log
    WHERE time > %(upto)s - {tolerance} AND time <= %(upto)s AND position <= %(known_position)s
        AND origin = {reconciliation} AND agent_bucket IS NOT NULL
)""").format(tolerance=RECONCILIATION_TOLERANCE_MS, reconciliation=Origin.RECONCILIATION.value)
_RECONSTRUCTED = Columns({"reconstructed_org": "text", "reconstructed_id": "text"})
_CHANGED_TASKS = Columns(
    {
        "status": "text",
        "is_open": "boolean",
        "last_event_time": "bigint",
        "completed_time": "bigint",
        "waiting_since": "bigint",
    }
)
_IS_MEMBER = sql.SQL("(v.org_id, v.id) IN (SELECT * FROM {})").format(MEMBERS.unnest("m"))
_IS_RECONSTRUCTED = sql.SQL("(v.org_id, v.id) IN (SELECT * FROM {})").format(
    _RECONSTRUCTED.unnest("r")
)
# In the list of a SELECT the members are hashed once.
_HAS_MEMBER = sql.SQL(
    "(SELECT bool_or((v.org_id, a.id) IN (SELECT * FROM {}))"
    " FROM jsonb_array_elements_text(v.facets->'agentId') AS a(id))"
).format(MEMBERS.unnest("m"))

_COUNT_AGENTS = """
    SELECT status, count(*) AS total FROM agents AS v CROSS JOIN LATERAL (
        SELECT v.facets->'status'->>0 AS status WHERE {unchanged}
        UNION ALL (
            SELECT status FROM agent_intervals AS i
            WHERE NOT {unchanged} AND i.org_id = v.org_id AND i.id = v.id AND {was_known}
                AND start <= %(upto)s
            ORDER BY start DESC LIMIT 1
        )
    ) AS i
    WHERE {chosen} AND {of_members} AND NOT {reconstructed}
    GROUP BY status
"""

# The unchanged tasks as they are stored, and the changed ones as they were reconstructed. A task
# that the passing of time completes has been assigned until then.
_COUNT_TASKS = """
    WITH shown_tasks AS (
        SELECT shown->'status'->>0 AS status, shown @> '{{"open": ["true"]}}' AS is_open,
            last_event_time,
            CASE WHEN v.deadline <= %(now)s
                AND v.facets @> '{{"currentState": ["ended"], "status": ["assigned"]}}'
                THEN v.deadline END AS completed_time,
            waiting_since
        FROM tasks AS v
        CROSS JOIN LATERAL (
            SELECT {shown} AS shown
        ) AS s
        WHERE {unchanged} AND {chosen} AND {of_members}
        UNION ALL
        SELECT * FROM {changed_tasks}
    )
    SELECT status, count(*) AS total, count(*) FILTER (WHERE is_open) AS open,
        count(waiting_since) FILTER (WHERE is_open) AS waiting,
        min(waiting_since) FILTER (WHERE is_open) AS waiting_since
    FROM shown_tasks
    WHERE is_open OR last_event_time >= %(start)s OR completed_time >= %(start)s
    GROUP BY status
"""
