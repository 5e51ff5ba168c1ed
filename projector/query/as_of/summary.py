"""The summary: a whole floor, counted as of two times.

The rule of this file: nothing is recalled that stands as it was then. What figures count of a task
is stored beside its state and summed where it lies; tasks to which something came since are
recalled, and summed with the others. Agents are counted by their intervals, which are kept as they
were known.
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
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool, consistent_read
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import AGENTS, TASKS, Key, Table, kpi_facts_to_array
from projector.projection.snapshots import WAS_KNOWN
from projector.query.as_of.reconstruct import (
    ENDLESS,
    AsOf,
    Recalled,
    intervals_known,
    recall,
    teams,
)
from projector.query.conditions import (
    EXISTED,
    MAY_BE_OPEN,
    fits,
    period_parameters,
    with_facets,
)
from projector.query.scope import Scope

RECALLED_TOGETHER = 1_000  # subjects

Row = Mapping[str, Any]  # what was counted of some subjects of one status and last event's type


class Summaries:
    """Summarizes floors; each from one database snapshot."""

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
        """A scope's agents, and of its tasks those with some facets.

        Figures are of what happened in the last ``window`` ms, the moment itself included.
        """
        with consistent_read(self._pool) as cur:
            floor = _Floor(cur, self._store, scope, as_of, as_of.now - window)
            members = floor.members()
            agents = floor.agents(members)
            tasks = floor.tasks(members, facets, self._service_level_ms)
        counted = [*agents, *tasks]
        return Summary.model_validate(
            {
                "agents": _agents(agents),
                "tasks": _tasks(tasks, as_of.now),
                **metrics(_totals(counted), self._provisional(counted, as_of.known_time)),
            }
        )

    def _provisional(self, rows: Sequence[Row], moment: int) -> set[str]:
        """What is counted of a view that later arrivals may well change."""
        return {
            name
            for row in rows
            for name in COUNTED_TOTALS
            if (time := row.get(f"{name}_newest")) is not None
            and not self._delays.is_over(row["last_event_type"], time, moment)
        }


class _Floor:
    """Reads one floor as of two times, with what happened on it after ``start`` (epoch ms)."""

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
        }

    def members(self) -> Collection[Key] | None:
        """The agents of the scope's teams, as of the same two times; null where all are."""
        if self._scope.team_ids is None:
            return None
        found: list[Key] = []
        for recalled in self._recalled(AGENTS, _ALL):
            of_teams = teams(self._cur, self._store, AGENTS, recalled, self._as_of)
            found += [key for key, its in of_teams.items() if self._scope.covers(key[0], its)]
        return found

    def agents(self, members: Collection[Key] | None) -> Sequence[Row]:
        """Agents by status, and how long they were at work and ready."""
        reconciled = self._reconciled_agents(members)
        query = sql.SQL(_AGENTS).format(
            known=WAS_KNOWN,
            stands=_STANDS,
            chosen=self._chosen(),
            among=_ALL if members is None else _IS_MEMBER,
            elsewhere=_IS_RECONCILED if reconciled else _NONE,
        )
        counted = self._counted(
            query,
            _columns(members or ())
            | {"at_work": [*BUSY_STATUSES], "ready": READY_STATUS}
            | {
                "reconciled_orgs": [org_id for org_id, _ in reconciled],
                "reconciled_ids": [id_ for _, id_ in reconciled],
            },
        )
        return [*counted, *reconciled.values()]

    def _reconciled_agents(self, members: Collection[Key] | None) -> dict[Key, Row]:
        """The agents whose stored intervals may not be what their view at ``at`` shows.

        They have a reconciled event within the tolerance before ``at``. A webhook after ``at`` may
        restate it: then the stored intervals go by the webhook, though at ``at`` only the
        reconciled event had happened.
        """
        if self._as_of.at is None:
            return {}
        among = None if members is None else {*members}
        condition = sql.SQL("NOT {} AND (v.org_id, v.id) IN {}").format(_STANDS, _RECONCILED_AGENTS)
        return {
            key: self._agent(key, recalled)
            for some in self._recalled(AGENTS, condition)
            for key, recalled in some.items()
            if among is None or key in among
        }

    def _agent(self, key: Key, recalled: Recalled[AgentState]) -> Row:
        """One agent, counted from its intervals as of both times."""
        start, now, last = self._parameters["start"], self._as_of.now, recalled.state.last_event
        intervals = intervals_known(
            self._cur, AGENTS, key, self._as_of, recalled, first=start + 1, limit=ENDLESS
        )
        spent: Counter[str] = Counter()
        for interval, end in zip(
            intervals, [*(it.start for it in intervals[1:]), now], strict=True
        ):
            spent[interval.display.status] += max(0, min(end, now) - max(interval.start, start))
        at_work, ready = sum(spent[status] for status in BUSY_STATUSES), spent[READY_STATUS]
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
    ) -> Sequence[Row]:
        """Tasks by status, and what the figures count of them."""
        fitting, values = with_facets(facets)
        query = sql.SQL(_TASKS).format(
            kpi_facts=_KPI_FACTS,
            stands=_STANDS,
            chosen=sql.SQL(" AND ").join([self._chosen(), MAY_BE_OPEN, *fitting]),
            among=_ALL if members is None else _HAS_MEMBER,
        )
        others = [*self._others(members, facets)]
        return self._counted(
            query,
            {**_columns(members or ()), **values}
            | {"service_level": service_level_ms}
            | {name: [row[name] for row in others] for name in _OTHERS},
        )

    def _others(
        self, members: Collection[Key] | None, facets: Mapping[str, Sequence[str]]
    ) -> Iterator[Row]:
        """The tasks that do not stand as they were, as they were."""
        changed = sql.SQL("{} AND NOT {}").format(MAY_BE_OPEN, _STANDS)
        among = None if members is None else {*members}
        for recalled in self._recalled(TASKS, changed):
            for key, it in recalled.items():
                of_members = among is None or not among.isdisjoint(
                    (key[0], agent) for agent in it.state.participants
                )
                if of_members and fits(TASKS, it.state, facets):
                    yield _other(it.state)

    def _recalled(self, table: Table[S], condition: sql.Composable) -> Iterator[Any]:
        """Subjects of the scope, some at a time."""
        query = sql.SQL("SELECT org_id, id FROM {} AS v WHERE {} AND {}").format(
            sql.Identifier(table.name), self._chosen(), condition
        )
        keys = self._cur.execute(query, self._parameters).fetchall()
        for begin in range(0, len(keys), RECALLED_TOGETHER):
            some = keys[begin : begin + RECALLED_TOGETHER]
            yield recall(self._cur, self._store, table, some, self._as_of)

    def _chosen(self) -> sql.Composable:
        return sql.SQL("{} AND {}").format(self._scope.organisations(), EXISTED)

    def _counted(self, query: sql.Composed, parameters: dict[str, Any]) -> Sequence[Row]:
        cur = self._cur.connection.cursor(row_factory=dict_row)
        return cur.execute(query, self._parameters | parameters).fetchall()


def _other(state: TaskState) -> Row:
    last = state.last_event
    return {
        "others": kpi_facts_to_array(kpi_facts(state)),
        "other_status": state.status(),
        "other_open": state.is_open(),
        "other_event_type": last.type if last else "",
        "other_event_time": last.time if last else 0,
    }


def _columns(members: Collection[Key]) -> dict[str, list[str]]:
    return {
        "member_orgs": [org_id for org_id, _ in members],
        "member_ids": [id_ for _, id_ in members],
    }


def _totals(rows: Sequence[Row]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for row in rows:
        totals.update({name: row[name] or 0 for name in ALL_TOTALS if name in row})
    return totals


def _agents(rows: Sequence[Row]) -> AgentsShape:
    by_status = _by_status(rows)
    total = sum(by_status.values())
    return AgentsShape(
        total=total, logged_in=total - by_status.get(LOGGED_OUT, 0), by_status=by_status
    )


def _tasks(rows: Sequence[Row], moment: int) -> TasksShape:
    since = [row["waits_since"] for row in rows if row["waits_since"] is not None]
    return TasksShape(
        open=sum(row["open"] for row in rows),
        waiting=sum(row["waiting"] for row in rows),
        by_status=_by_status(rows),
        longest_wait_ms=max(0, moment - min(since)) if since else None,
    )


def _by_status(rows: Sequence[Row]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in rows:
        found[row["status"]] += row["total"]
    return dict(sorted(found.items()))


_OTHERS = ("others", "other_status", "other_open", "other_event_type", "other_event_time")
_KPI_FACTS = sql.SQL(", ").join(
    sql.SQL("kpi_facts[{}] AS {}").format(number, sql.Identifier(field.name))
    for number, field in enumerate(fields(KpiFacts), start=1)
)
# Qualified: within a subquery of the log, `position` alone would be that of an event.
_STANDS = sql.SQL("(v.position <= %(known_position)s AND v.last_event_time <= %(upto)s)")
_ALL, _NONE = sql.SQL("TRUE"), sql.SQL("FALSE")
_MEMBERS = sql.SQL("(SELECT * FROM unnest(%(member_orgs)s::text[], %(member_ids)s::text[]))")
_IS_MEMBER = sql.SQL("(v.org_id, v.id) IN {}").format(_MEMBERS)
_RECONCILED_AGENTS = sql.SQL("""(
    SELECT org_id, agent_id FROM log
    WHERE time > %(upto)s - {tolerance} AND time <= %(upto)s AND position <= %(known_position)s
        AND origin = {origin} AND agent_bucket IS NOT NULL
)""").format(tolerance=RECONCILIATION_TOLERANCE_MS, origin=Origin.RECONCILIATION.value)
_IS_RECONCILED = sql.SQL(
    "(v.org_id, v.id) IN"
    " (SELECT * FROM unnest(%(reconciled_orgs)s::text[], %(reconciled_ids)s::text[]))"
)
# In the list of a SELECT the members are hashed once.
_HAS_MEMBER = sql.SQL(
    "(SELECT bool_or((v.org_id, a.id) IN {})"
    " FROM jsonb_array_elements_text(v.facets->'agentId') AS a(id))"
).format(_MEMBERS)

# Of each agent the intervals from the one in force when the window began, each up to the next.
_AGENTS = """
    SELECT status, last.type AS last_event_type, count(*) AS total,
        sum(at_work)::bigint AS at_work_ms, sum(ready)::bigint AS ready_ms,
        count(*) FILTER (WHERE at_work + ready > 0) AS agents,
        max(last.time) FILTER (WHERE at_work + ready > 0) AS agents_newest
    FROM agents AS v CROSS JOIN LATERAL (
        SELECT v.last_event_type AS type, v.last_event_time AS time WHERE {stands}
        UNION ALL (
            SELECT type, time FROM log AS e
            WHERE NOT {stands} AND e.org_id = v.org_id AND e.agent_id = v.id
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
                WHERE i.org_id = v.org_id AND i.id = v.id AND {known} AND start <= %(upto)s
                    AND start >= coalesce((
                        SELECT max(start) FROM agent_intervals AS i
                        WHERE i.org_id = v.org_id AND i.id = v.id AND {known}
                            AND start <= %(start)s
                    ), 0)
            ) AS i
        ) AS i
    ) AS own
    WHERE status IS NOT NULL AND {chosen} AND {among} AND NOT {elsewhere}
    GROUP BY status, last.type
"""

# Those that stand as they were, as they are stored, and the others as they were recalled.
_TASKS = """
    WITH facts AS (
        SELECT kpi_facts, last_event_type, last_event_time, shown->'status'->>0 AS status,
            shown @> '{{"open": ["true"]}}' AS is_open
        FROM tasks AS v
        CROSS JOIN LATERAL (
            SELECT CASE WHEN deadline <= %(now)s THEN facets_after_deadline ELSE facets END AS shown
        ) AS s
        WHERE {stands} AND {chosen} AND {among}
        UNION ALL
        SELECT kpi_facts::bigint[], last_event_type, last_event_time, status, is_open
        FROM unnest(
            %(others)s::text[], %(other_event_type)s::text[], %(other_event_time)s::bigint[],
            %(other_status)s::text[], %(other_open)s::boolean[]
        ) AS o(kpi_facts, last_event_type, last_event_time, status, is_open)
    ), told AS (
        SELECT last_event_type, last_event_time, status, is_open, {kpi_facts} FROM facts
    ), counted AS (
        SELECT *,
            answered > %(start)s AND answered <= %(now)s AS is_answered,
            abandoned > %(start)s AND abandoned <= %(now)s AS is_abandoned,
            handled > %(start)s AND handled <= %(now)s AS is_handled,
            offered > %(start)s AND offered <= %(now)s AS is_offered
        FROM told WHERE is_open OR last_event_time > %(start)s OR over > %(start)s
    )
    SELECT status, last_event_type, count(*) AS total, count(*) FILTER (WHERE is_open) AS open,
        count(waits_since) AS waiting, min(waits_since) AS waits_since,
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
