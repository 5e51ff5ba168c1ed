"""Counts of facts: waits, offers and contacts, by period and by whatever they are grouped by.

Rule: each fact counts in the one period that holds its moment. So the counts of periods side by
side add up to those of the whole (semantics 10).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, dict_row
from psycopg.types.json import Jsonb

from projector.domain.metrics import OTHER_CHANNELS, Thresholds
from projector.infrastructure.sql import Columns
from projector.projection.read_models import Key
from projector.projection.snapshots import WAS_KNOWN
from projector.query.as_of.reconstruct import AsOf
from projector.query.scope import Scope, names

# A filter of the HTTP contract to the column of facts that it is about.
FACT_FILTERS = {"queueId": "queue_id", "channelType": "channel_type", "direction": "direction"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureQuestion:
    """What figures are of; ``as_of`` is that of facts (``figures_as_of``).

    ``filters`` are some of ``FACT_FILTERS`` and ``agentId``, with the values that fit. ``members``
    are the agents of the scope's teams as of the question; null where the scope has all teams.
    """

    scope: Scope
    members: Collection[Key] | None
    filters: Mapping[str, Sequence[str]]
    as_of: AsOf

    def facts(self, known: sql.Composable = WAS_KNOWN) -> tuple[sql.Composable, dict[str, Any]]:
        """The condition of facts ``f`` that were known, and its parameters."""
        conditions: list[sql.Composable] = [known, self.scope.organisations()]
        parameters: dict[str, Any] = {
            **self.scope.parameters,
            "known_position": self.as_of.position,
            "clock": self.as_of.now,
        }
        for name, column in FACT_FILTERS.items():
            if name in self.filters:
                conditions.append(
                    sql.SQL("{} = ANY({})").format(sql.Identifier(column), sql.Placeholder(column))
                )
                parameters[column] = names(self.filters[name])
        if "agentId" in self.filters:
            conditions.append(sql.SQL("parts ?| %(agents)s"))
            parameters["agents"] = names(self.filters["agentId"])
        if self.members is not None:
            conditions.append(_HAS_PART_OF_TEAMS)
            parameters |= MEMBERS.parameters(self.members)
        return sql.SQL(" AND ").join(conditions), parameters


def figures_as_of(as_of: AsOf) -> AsOf:
    """The two times of facts: all that was known, with the later of both clocks.

    ``at`` only places the window (semantics 10).
    """
    return replace(as_of, at=None, now=max(as_of.now, as_of.known_time))


def count_facts(
    cur: Cursor[TupleRow],
    question: FigureQuestion,
    thresholds: Thresholds,
    edges: Sequence[int],
    *,
    by_queue: bool = False,
) -> Sequence[Mapping[str, Any]]:
    """Counts and sums of the facts in some periods, each ``[edge, next edge)`` in epoch ms.

    A row has the ``period`` (from 0), with ``by_queue`` also ``org_id``, ``queue_id`` and
    ``channel_type``, and the totals of ``domain.metrics``. Periods without facts have no row.
    """
    condition, parameters = question.facts()
    groups = _BY_QUEUE if by_queue else _BY_PERIOD
    query = sql.SQL(_COUNT_FACTS).format(condition=condition, groups=groups)
    parameters |= {
        "edges": [*edges],
        "first": edges[0],
        "last": edges[-1],
        **threshold_parameters(thresholds),
    }
    dict_cursor = cur.connection.cursor(row_factory=dict_row)
    return dict_cursor.execute(query, parameters).fetchall()


def next_counted(cur: Cursor[TupleRow], question: FigureQuestion, start: int) -> int | None:
    """The first moment from a time on at which some fact counts, of whatever filters (epoch ms)."""
    parameters = {"start": start, "clock": question.as_of.now}
    row = cur.execute(_NEXT_COUNTED, parameters).fetchone()
    return row[0] if row else None


class AgentShare(NamedTuple):
    """What an agent had in the facts of a period: offers, contacts, and the own durations."""

    accepted: int = 0
    refused: int = 0
    handled: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    consult_ms: int = 0
    wrap_up_ms: int = 0


def count_shares(
    cur: Cursor[TupleRow], question: FigureQuestion, edges: Sequence[int]
) -> Iterator[tuple[int, Key, AgentShare]]:
    """The number of a period (from 0), an agent, and the agent's share in the facts of the period.

    The members of the question, if there are any, are the agents. Whose team a part was of does not
    matter: an agent's share is the same whoever asks.
    """
    condition, parameters = replace(question, members=None).facts()
    agents: list[sql.Composable] = [sql.SQL("TRUE")]
    if "agentId" in question.filters:
        agents.append(sql.SQL("p.key = ANY(%(agents)s)"))
    if question.members is not None:
        is_member = sql.SQL("(f.org_id, p.key) IN (SELECT * FROM {})")
        agents.append(is_member.format(MEMBERS.unnest("m")))
        parameters |= MEMBERS.parameters(question.members)
    query = sql.SQL(_COUNT_SHARES).format(condition=condition, agents=sql.SQL(" AND ").join(agents))
    parameters |= {"edges": [*edges], "first": edges[0], "last": edges[-1]}
    for period, org_id, id_, *totals in cur.execute(query, parameters):
        yield period, (org_id, id_), AgentShare(*totals)


def threshold_parameters(thresholds: Thresholds) -> dict[str, Any]:
    """The parameters of a query that compares waits with thresholds."""
    by_channel = dict(thresholds.service_level_ms)
    return {
        "service_level": by_channel.pop(OTHER_CHANNELS),
        "service_levels": Jsonb(by_channel),
        "short_abandon": thresholds.short_abandon_ms,
    }


MEMBERS = Columns({"member_org": "text", "member_id": "text"})
# The team of a part is that of then. Where no event of the agent and the task carried one, it is
# the agent's team as of the question.
_HAS_PART_OF_TEAMS = sql.SQL("""EXISTS (
    SELECT FROM jsonb_each(parts) AS p WHERE p.value->>'team_id' = ANY(%(teams)s)
        OR (p.value->>'team_id' IS NULL AND (f.org_id, p.key) IN (SELECT * FROM {members}))
)""").format(members=MEMBERS.unnest("m"))
_BY_PERIOD = sql.SQL("period")
_BY_QUEUE = sql.SQL("period, org_id, queue_id, channel_type")

# A wait is in here twice: once for its beginning, and once for its end.
_COUNT_FACTS = """
    WITH counted AS (
        SELECT width_bucket(start, %(edges)s::bigint[]) - 1 AS period, org_id, queue_id,
            channel_type, 'beginning' AS kind, NULL AS outcome, 0::bigint AS ms,
            NULL::bigint AS moment, FALSE AS in_time, FALSE AS is_short,
            0::bigint AS talk_ms, 0::bigint AS hold_ms, 0::bigint AS consult_ms,
            0::bigint AS wrap_up_ms, FALSE AS doubtful
        FROM task_facts AS f
        WHERE kind = 'wait' AND start >= %(first)s AND start < %(last)s AND start <= %(clock)s
            AND {condition}
        UNION ALL
        SELECT width_bucket(counted_time, %(edges)s::bigint[]) - 1, org_id, queue_id,
            channel_type, kind, outcome, finish - start, counted_time,
            outcome = 'answered' AND finish - start <= coalesce(
                (%(service_levels)s->>lower(channel_type))::bigint, %(service_level)s
            ),
            finish - start < %(short_abandon)s,
            talk_ms, hold_ms, consult_ms, wrap_up_ms, doubtful
        FROM task_facts AS f
        WHERE counted_time >= %(first)s AND counted_time < %(last)s AND counted_time <= %(clock)s
            AND {condition}
    )
    SELECT {groups},
        count(*) FILTER (WHERE kind = 'beginning') AS offered,
        count(*) FILTER (WHERE outcome = 'answered') AS answered,
        count(*) FILTER (WHERE outcome = 'answered' AND in_time) AS answered_in_time,
        count(*) FILTER (WHERE outcome = 'abandoned' AND NOT is_short) AS abandoned,
        count(*) FILTER (WHERE outcome = 'abandoned' AND is_short) AS short_abandoned,
        count(*) FILTER (WHERE outcome = 'unanswered') AS unanswered,
        count(*) FILTER (WHERE outcome = 'moved') AS moved,
        count(*) FILTER (WHERE outcome = 'unknown') AS unknown,
        coalesce(sum(ms) FILTER (WHERE outcome = 'answered'), 0)::bigint AS wait_ms,
        max(ms) FILTER (WHERE kind = 'wait' AND outcome <> 'unknown') AS max_wait_ms,
        coalesce(
            sum(ms) FILTER (WHERE outcome = 'abandoned' AND NOT is_short), 0
        )::bigint AS abandoned_wait_ms,
        count(*) FILTER (WHERE outcome = 'accepted') AS accepted,
        count(*) FILTER (WHERE outcome = 'refused') AS refused,
        count(*) FILTER (WHERE kind = 'contact') AS handled,
        sum(talk_ms)::bigint AS talk_ms,
        sum(hold_ms)::bigint AS hold_ms,
        sum(consult_ms)::bigint AS consult_ms,
        sum(wrap_up_ms)::bigint AS wrap_up_ms,
        count(*) FILTER (WHERE kind = 'contact' AND doubtful) AS doubtful_contacts,
        max(moment) FILTER (WHERE outcome = 'answered') AS answered_newest,
        max(moment) FILTER (WHERE outcome = 'abandoned' AND NOT is_short) AS abandoned_newest,
        max(moment) FILTER (WHERE outcome = 'accepted') AS accepted_newest,
        max(moment) FILTER (WHERE outcome = 'refused') AS refused_newest,
        max(moment) FILTER (WHERE kind = 'contact') AS handled_newest
    FROM counted GROUP BY {groups} ORDER BY {groups}
"""

# The parts of offers have a team only.
_COUNT_SHARES = """
    SELECT width_bucket(counted_time, %(edges)s::bigint[]) - 1 AS period, f.org_id, p.key AS id,
        count(*) FILTER (WHERE outcome = 'accepted') AS accepted,
        count(*) FILTER (WHERE outcome = 'refused') AS refused,
        count(*) FILTER (WHERE (p.value->>'handled')::boolean) AS handled,
        coalesce(sum((p.value->>'talk_ms')::bigint), 0)::bigint AS talk_ms,
        coalesce(sum((p.value->>'hold_ms')::bigint), 0)::bigint AS hold_ms,
        coalesce(sum((p.value->>'consult_ms')::bigint), 0)::bigint AS consult_ms,
        coalesce(sum((p.value->>'wrap_up_ms')::bigint), 0)::bigint AS wrap_up_ms
    FROM task_facts AS f CROSS JOIN LATERAL jsonb_each(parts) AS p
    WHERE kind IN ('offer', 'contact')
        AND counted_time >= %(first)s AND counted_time < %(last)s AND counted_time <= %(clock)s
        AND {condition} AND {agents}
    GROUP BY period, f.org_id, p.key
"""

# Both by an index; null is not the least.
_NEXT_COUNTED = """
    SELECT least(
        (SELECT min(counted_time) FROM task_facts
            WHERE counted_time >= %(start)s AND counted_time <= %(clock)s),
        (SELECT min(start) FROM task_facts WHERE kind = 'wait' AND start >= %(start)s)
    )
"""
