"""What a reconciliation reads of the log and the read models: gaps, open tasks, corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, LiteralString

from psycopg import sql

from projector.domain.fold import AnomalyKind
from projector.infrastructure.database import Pool, consistent_read
from projector.projection.read_models import TABLES

MOST_GAPS = 2_000  # of agents, and of tasks
DEFAULT_GAP_MS = 3_600_000  # the length of a gap whose start is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which something of a subject was probably lost (epoch ms)."""

    kind: str  # agent or task
    id: str
    anomaly: str
    position: int  # of the event that revealed it; negative: the passing of time did
    start: int
    end: int

    @property
    def order(self) -> tuple[bool, int, str, str, int]:
        """The order in which gaps are asked for: first what is probably shown wrongly now."""
        return (self.anomaly not in _SHOWN_WRONGLY, self.end, self.kind, self.id, self.position)


_SHOWN_WRONGLY = frozenset({AnomalyKind.MISSING_END, AnomalyKind.OVERDUE})


def gaps_in_window(pool: Pool, org_id: str, start: int, end: int, *, now: int) -> list[Gap]:
    """The gaps of anomalies that overlap ``[start, end)``, in the order in which they are asked.

    At most 2,000 of agents and 2,000 of tasks. ``now`` says which deadlines have passed; times are
    epoch ms.
    """
    gaps: list[Gap] = []
    with consistent_read(pool) as cur:
        for table in TABLES:
            rows = cur.execute(
                sql.SQL(_GAPS).format(
                    anomalies=sql.Identifier(table.anomalies), views=sql.Identifier(table.name)
                ),
                {
                    "org": org_id,
                    "start": start,
                    "end": end,
                    "now": now,
                    "default": DEFAULT_GAP_MS,
                    "most": MOST_GAPS,
                },
            )
            for id_, position, anomaly, since, until in rows:
                gaps.append(
                    Gap(
                        kind=table.subject,
                        id=id_,
                        anomaly=anomaly,
                        position=position,
                        start=since,
                        end=until,
                    )
                )
    return sorted(gaps, key=lambda gap: gap.order)


_GAPS = """
    SELECT id, position, kind, gap_from, gap_to FROM (
        SELECT id, position, kind, coalesce(gap_from, gap_to - %(default)s) AS gap_from, gap_to
        FROM {anomalies} WHERE org_id = %(org)s AND gap_to >= %(start)s
        UNION ALL
        SELECT v.id, (it->>'position')::bigint, it->>'kind',
            coalesce((it->>'from')::bigint, (it->>'to')::bigint - %(default)s),
            (it->>'to')::bigint
        FROM {views} AS v, jsonb_array_elements(v.later_anomalies) AS it
        WHERE v.org_id = %(org)s AND v.anomaly_time <= %(now)s
            AND (it->>'to')::bigint BETWEEN %(start)s AND %(now)s
    ) AS l WHERE gap_from < %(end)s
    ORDER BY kind NOT IN ('missing-end', 'overdue'), gap_to, id, position LIMIT %(most)s
"""


def long_open_tasks(pool: Pool, org_id: str, before: int, most: int) -> list[tuple[str, int]]:
    """The id and start of open tasks that began before a time (epoch ms); the latest first."""
    with consistent_read(pool) as cur:
        return cur.execute(
            "SELECT id, first_event_time FROM tasks"
            " WHERE org_id = %(org)s AND first_event_time < %(before)s"
            ' AND facets @> \'{"open": ["true"]}\''
            " ORDER BY first_event_time DESC, id LIMIT %(most)s",
            {"org": org_id, "before": before, "most": most},
        ).fetchall()


def has_webhooks(
    pool: Pool, org_id: str, start: int, end: int, *, kind: Literal["agent", "task"]
) -> bool:
    """Whether the log has a webhook of an agent, or of a task, within ``[start, end)`` (epoch ms).

    Those of tasks are the tasks' own.
    """
    of_kind: dict[str, LiteralString] = {
        "agent": "agent_bucket IS NOT NULL",
        "task": "task_bucket IS NOT NULL AND agent_bucket IS NULL",
    }
    with consistent_read(pool) as cur:
        row = cur.execute(
            sql.SQL(
                "SELECT EXISTS (SELECT FROM log WHERE org_id = %(org)s AND origin = 'webhook'"
                " AND time >= %(start)s AND time < %(end)s AND {})"
            ).format(sql.SQL(of_kind[kind])),
            {"org": org_id, "start": start, "end": end},
        ).fetchone()
        return bool(row and row[0])


def count_corrections(pool: Pool, org_id: str, after: int, up_to: int) -> int:
    """How many corrections the reconciled events at positions ``(after, up_to]`` have caused."""
    total = 0
    with consistent_read(pool) as cur:
        for table in TABLES:
            row = cur.execute(
                sql.SQL(
                    "SELECT count(*) FROM {} AS c JOIN log AS e"
                    " ON e.position = c.position"
                    " WHERE c.org_id = %(org)s AND c.position > %(after)s"
                    " AND c.position <= %(up_to)s AND e.origin = 'reconciliation'"
                ).format(sql.Identifier(table.corrections)),
                {"org": org_id, "after": after, "up_to": up_to},
            ).fetchone()
            total += row[0] if row else 0
    return total
