"""The summary: a whole floor, counted as of two times.

Rule: no subject is reconstructed whose stored rows are right as of both times.

- Tasks: what metrics count of a task is stored with its state and is summed in the database. Tasks
  to which something came since are reconstructed, and summed with the others.
- Agents are counted by their intervals, which are stored as they were known. Only agents whose
  stored intervals may not be what the view shows are reconstructed. A deadline may have passed
  since their last event. Or they have a reconciled event just before ``at``: the webhook that
  restates it may lie after ``at`` (``reconstruct``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, dict_row

from projector.contract.summary import AgentsShape, Summary, TasksShape
from projector.domain.agent import AgentState
from projector.domain.deadlines import SHORTEST_LONG_LIMIT_MS
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Origin
from projector.domain.fold import S
from projector.domain.metrics import (
    ALL_TOTALS,
    BUSY_STATUSES,
    COUNTED_TOTALS,
    READY_STATUS,
    KpiFacts,
    kpi_facts,
    metrics,
)
from projector.domain.state_names import LOGGED_OUT
from projector.domain.task import TaskState
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.infrastructure.sql import Columns
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import (
    AGENTS,
    TASKS,
    Key,
    Table,
)
from projector.projection.snapshots import WAS_KNOWN
from projector.query.as_of.reconstruct import (
    AsOf,
    Reconstructed,
    intervals_as_of,
    reconstruct,
    teams_as_of,
)
from projector.query.conditions import (
    EXISTED,
    MAY_BE_OPEN,
    SHOWN_FACETS,
    matches_facets,
    period_parameters,
    with_facets,
)
from projector.query.own_fold import read_views
from projector.query.scope import Scope

RECONSTRUCTED_TOGETHER = 1_000  # subjects, so that memory is bounded

Counts = Mapping[str, Any]  # of some subjects that have one status and one type of last event


class Summaries:
    """Summarizes floors, each from one database snapshot.

    A wait of at most ``service_level_ms`` is answered in time.
    """

    def __init__(
        self, pool: Pool, store: EventStore, delays: ArrivalDelays, *, service_level_ms: int
    ) -> None:
        self._pool = pool
        self._store = store
        self._delays = delays
        self._service_level_ms = service_level_ms

    def summarize(
        self, scope: Scope, facets: Mapping[str, Sequence[str]], as_of: AsOf, *, window: int
    ) -> Summary:
        """The agents of a scope, and those of its tasks that have some facets.

        Metrics are of what happened in the last ``window`` ms up to ``as_of.now``, inclusive.
        """
        with read_views(self._pool) as cur:
            floor = _FloorReader(cur, self._store, scope, as_of, as_of.now - window)
            members = floor.members()
            agents = floor.agents(members)
            tasks = floor.tasks(members, facets, self._service_level_ms)
        counts = [*agents, *tasks]
        return Summary.model_validate(
            {
                "agents": _agents(agents),
                "tasks": _tasks(tasks, as_of.now),
                **metrics(_totals(counts), self._provisional(counts, as_of.known_time)),
            }
        )

    def _provisional(self, counts: Sequence[Counts], known_time: int) -> set[str]:
        """The names of counts to which an unsettled view adds."""
        return {
            name
            for row in counts
            for name in COUNTED_TOTALS
            if (time := row.get(f"{name}_newest")) is not None
            and not self._delays.is_over(row["last_event_type"], time, known_time)
        }


class _FloorReader:
    """Reads one floor as of two times, with what happened on it after ``start`` (epoch ms)."""

    def __init__(
        self, cur: Cursor[TupleRow], store: EventStore, scope: Scope, as_of: AsOf, start: int
    ) -> None:
        self._cur = cur
        self._store = store
        self._scope = scope
        self._as_of = as_of
        self._start = start
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
        """Agents by status, and how long they were at work and ready."""
        reconstructed = self._reconstructed_agents(members)
        query = sql.SQL(_COUNT_AGENTS).format(
            was_known=WAS_KNOWN,
            unchanged=_UNCHANGED,
            chosen=self._chosen(),
            of_members=_TRUE if members is None else _IS_MEMBER,
            reconstructed=_IS_RECONSTRUCTED if reconstructed else _FALSE,
        )
        parameters = {"at_work": [*BUSY_STATUSES], "ready": READY_STATUS}
        return [
            *self._counted(
                query,
                parameters
                | _MEMBERS.parameters(members or ())
                | _RECONSTRUCTED.parameters(reconstructed),
            ),
            *reconstructed.values(),
        ]

    def _reconstructed_agents(self, members: Collection[Key] | None) -> dict[Key, Counts]:
        """Counts of agents whose stored intervals may differ from their view.

        Of an agent without later events the stored deadline says it. Of another one it may have
        been passed where the agent rang, wrapped up, or was logged in for long.
        """
        conditions = [sql.SQL("({} AND v.deadline <= %(now)s)").format(_UNCHANGED)]
        if self._as_of.position != ENDLESS:
            conditions.append(sql.SQL("(NOT {} AND {})").format(_UNCHANGED, _MAY_BE_OVERDUE))
        if self._as_of.at is not None:
            conditions.append(sql.SQL("(NOT {} AND {})").format(_UNCHANGED, _HAS_RECONCILED_EVENT))
        condition = sql.SQL("({})").format(sql.SQL(" OR ").join(conditions))
        return {
            key: self._agent(key, agent)
            for agents in self._reconstructed(AGENTS, condition)
            for key, agent in agents.items()
            if members is None or key in members
        }

    def _agent(self, key: Key, agent: Reconstructed[AgentState]) -> Counts:
        """Counts of one agent, from its intervals as of both times."""
        start, now = self._start, self._as_of.now
        intervals = intervals_as_of(self._cur, AGENTS, key, self._as_of, agent, first=start + 1)
        spent: Counter[str] = Counter()
        ends = [*(it.start for it in intervals[1:]), now]
        for interval, end in zip(intervals, ends, strict=True):
            spent[interval.display.status] += max(0, min(end, now) - max(interval.start, start))
        at_work, ready = sum(spent[status] for status in BUSY_STATUSES), spent[READY_STATUS]
        last = agent.state.last_event
        return {
            "status": intervals[-1].display.status,
            "last_event_type": last.type if last else "",
            "total": 1,
            "at_work_ms": at_work,
            "ready_ms": ready,
            "agents": int(at_work + ready > 0),
            "agents_newest": last.time if last and at_work + ready > 0 else None,
        }

    def tasks(
        self,
        members: Collection[Key] | None,
        facets: Mapping[str, Sequence[str]],
        service_level_ms: int,
    ) -> Sequence[Counts]:
        """Tasks by status, and what metrics count of them."""
        conditions, parameters = with_facets(facets)
        query = sql.SQL(_COUNT_TASKS).format(
            kpi_facts=_KPI_FACTS,
            shown=SHOWN_FACETS,
            unchanged=_UNCHANGED,
            chosen=sql.SQL(" AND ").join([self._chosen(), MAY_BE_OPEN, *conditions]),
            of_members=_TRUE if members is None else _HAS_MEMBER,
            changed_tasks=_CHANGED_TASKS.unnest("c"),
        )
        changed = self._changed_tasks(members, facets)
        return self._counted(
            query,
            parameters
            | {"service_level": service_level_ms}
            | _MEMBERS.parameters(members or ())
            | _CHANGED_TASKS.parameters(changed),
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
    last = state.last_event
    return (
        kpi_facts(state),
        last.type if last else "",
        last.time if last else 0,
        state.status(),
        state.is_open(),
    )


def _totals(counts: Sequence[Counts]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for row in counts:
        totals.update({name: row[name] or 0 for name in ALL_TOTALS if name in row})
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
_KPI_FACTS = sql.SQL(", ").join(
    sql.SQL("kpi_facts[{}] AS {}").format(number, sql.Identifier(field.name))
    for number, field in enumerate(fields(KpiFacts), start=1)
)
# All of the subject was known and had happened, so its rows are right as of both times. Qualified:
# within a subquery of the log, `position` alone would be that of an event.
_UNCHANGED = sql.SQL("(v.position <= %(known_position)s AND v.last_event_time <= %(upto)s)")
_HAS_RECONCILED_EVENT = sql.SQL("""(v.org_id, v.id) IN (
    SELECT org_id, agent_id FROM log
    WHERE time > %(upto)s - {tolerance} AND time <= %(upto)s AND position <= %(known_position)s
        AND origin = {reconciliation} AND agent_bucket IS NOT NULL
)""").format(tolerance=RECONCILIATION_TOLERANCE_MS, reconciliation=Origin.RECONCILIATION.value)
# Where an agent is shown ringing or wrapping up, or was logged in when the shortest of the long
# limits began: only then a deadline may have passed.
_MAY_BE_OVERDUE = sql.SQL("""(
    coalesce((
        SELECT status IN ('ringing', 'wrapup') FROM agent_intervals AS i
        WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} AND start <= %(upto)s
        ORDER BY start DESC LIMIT 1
    ), FALSE)
    OR coalesce((
        SELECT status <> {logged_out} FROM agent_intervals AS i
        WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} AND start <= %(long_ago)s
        ORDER BY start DESC LIMIT 1
    ), FALSE)
)""").format(was_known=WAS_KNOWN, logged_out=LOGGED_OUT)
_MEMBERS = Columns({"member_org": "text", "member_id": "text"})
_RECONSTRUCTED = Columns({"reconstructed_org": "text", "reconstructed_id": "text"})
_CHANGED_TASKS = Columns(
    {
        "kpi_facts": "text",
        "last_event_type": "text",
        "last_event_time": "bigint",
        "status": "text",
        "is_open": "boolean",
    }
)
_IS_MEMBER = sql.SQL("(v.org_id, v.id) IN (SELECT * FROM {})").format(_MEMBERS.unnest("m"))
_IS_RECONSTRUCTED = sql.SQL("(v.org_id, v.id) IN (SELECT * FROM {})").format(
    _RECONSTRUCTED.unnest("r")
)
# In the list of a SELECT the members are hashed once.
_HAS_MEMBER = sql.SQL(
    "(SELECT bool_or((v.org_id, a.id) IN (SELECT * FROM {}))"
    " FROM jsonb_array_elements_text(v.facets->'agentId') AS a(id))"
).format(_MEMBERS.unnest("m"))

# Of each agent the intervals from the one in force when the window began, each up to the next.
_COUNT_AGENTS = """
    SELECT status, last.type AS last_event_type, count(*) AS total,
        sum(at_work)::bigint AS at_work_ms, sum(ready)::bigint AS ready_ms,
        count(*) FILTER (WHERE at_work + ready > 0) AS agents,
        max(last.time) FILTER (WHERE at_work + ready > 0) AS agents_newest
    FROM agents AS v CROSS JOIN LATERAL (
        SELECT v.last_event_type AS type, v.last_event_time AS time WHERE {unchanged}
        UNION ALL (
            SELECT type, time FROM log AS e
            WHERE NOT {unchanged} AND e.org_id = v.org_id AND e.agent_id = v.id
                AND e.agent_bucket IS NOT NULL AND e.position <= %(known_position)s
                AND e.time <= least(%(upto)s, %(recorded)s + v.max_clock_lead_ms)
            ORDER BY time DESC LIMIT 1
        )
    ) AS last CROSS JOIN LATERAL (
        SELECT max(status) FILTER (WHERE next IS NULL) AS status,
            coalesce(sum(ms) FILTER (WHERE status = ANY(%(at_work)s)), 0) AS at_work,
            coalesce(sum(ms) FILTER (WHERE status = %(ready)s), 0) AS ready
        FROM (
            SELECT status, next, greatest(
                0, least(next, %(now)s) - greatest(start, %(start)s)
            ) AS ms
            FROM (
                SELECT status, start, lead(start) OVER (ORDER BY start) AS next
                FROM agent_intervals AS i
                WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} AND start <= %(upto)s
                    AND start >= coalesce((
                        SELECT max(start) FROM agent_intervals AS i
                        WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known}
                            AND start <= %(start)s
                    ), 0)
            ) AS i
        ) AS i
    ) AS own
    WHERE status IS NOT NULL AND {chosen} AND {of_members} AND NOT {reconstructed}
    GROUP BY status, last.type
"""

# The unchanged tasks as they are stored, and the changed ones as they were reconstructed.
_COUNT_TASKS = """
    WITH facts AS (
        SELECT kpi_facts, last_event_type, last_event_time, shown->'status'->>0 AS status,
            shown @> '{{"open": ["true"]}}' AS is_open
        FROM tasks AS v
        CROSS JOIN LATERAL (
            SELECT {shown} AS shown
        ) AS s
        WHERE {unchanged} AND {chosen} AND {of_members}
        UNION ALL
        SELECT kpi_facts::bigint[], last_event_type, last_event_time, status, is_open
        FROM {changed_tasks}
    ), named AS (
        SELECT last_event_type, last_event_time, status, is_open, {kpi_facts} FROM facts
    ), counted AS (
        SELECT *,
            answered > %(start)s AND answered <= %(now)s AS is_answered,
            abandoned > %(start)s AND abandoned <= %(now)s AS is_abandoned,
            handled > %(start)s AND handled <= %(now)s AS is_handled,
            offered > %(start)s AND offered <= %(now)s AS is_offered
        FROM named WHERE is_open OR last_event_time > %(start)s OR completed > %(start)s
    )
    SELECT status, last_event_type, count(*) AS total, count(*) FILTER (WHERE is_open) AS open,
        count(waiting_since) FILTER (WHERE is_open) AS waiting,
        min(waiting_since) FILTER (WHERE is_open) AS waiting_since,
        count(*) FILTER (WHERE is_answered) AS answered,
        count(*) FILTER (
            WHERE is_answered AND answered_after_ms <= %(service_level)s
        ) AS answered_in_time,
        sum(answered_after_ms) FILTER (WHERE is_answered)::bigint AS answered_after_ms,
        count(*) FILTER (WHERE is_abandoned) AS abandoned,
        count(*) FILTER (WHERE is_handled) AS handled,
        sum(talk_ms) FILTER (WHERE is_handled)::bigint AS talk_ms,
        sum(hold_ms) FILTER (WHERE is_handled)::bigint AS hold_ms,
        sum(consult_ms) FILTER (WHERE is_handled)::bigint AS consult_ms,
        sum(wrap_up_ms) FILTER (WHERE is_handled)::bigint AS wrap_up_ms,
        sum(offers) FILTER (WHERE is_offered)::bigint AS offers,
        sum(refused) FILTER (WHERE is_offered)::bigint AS refused,
        max(last_event_time) FILTER (WHERE is_answered) AS answered_newest,
        max(last_event_time) FILTER (WHERE is_abandoned) AS abandoned_newest,
        max(last_event_time) FILTER (WHERE is_handled) AS handled_newest,
        max(last_event_time) FILTER (WHERE is_offered) AS offers_newest
    FROM counted GROUP BY status, last_event_type
"""
