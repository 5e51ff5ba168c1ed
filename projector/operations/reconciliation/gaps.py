"""What a reconciliation asks of the tables: where to look, and what came of what it appended."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from projector.infrastructure.database import Pool, consistent_read
from projector.projection.read_models import TABLES

MOST_GAPS = 2_000  # of a kind
GAP_MS = 3_600_000  # how long a gap is taken to be of which no beginning is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which something of a subject was probably lost (epoch ms)."""

    kind: str  # agent or task
    id: str
    position: int  # of the event that told it; 0: the passing of time
    start: int
    end: int


def gaps(pool: Pool, org_id: str, start: int, end: int) -> list[Gap]:
    """The gaps that anomalies name in a window ``[start, end)``, 2,000 a kind at most, by time."""
    found: list[Gap] = []
    with consistent_read(pool) as cur:
        for table in TABLES:
            rows = cur.execute(
                sql.SQL(
                    "SELECT id, position, coalesce(gap_from, gap_to - %(longest)s), gap_to"
                    " FROM {} WHERE org_id = %(org)s AND gap_to >= %(start)s"
                    " AND coalesce(gap_from, gap_to - %(longest)s) < %(end)s"
                    " ORDER BY gap_to, id, position LIMIT %(most)s"
                ).format(sql.Identifier(table.anomalies)),
                {"org": org_id, "start": start, "end": end, "longest": GAP_MS, "most": MOST_GAPS},
            )
            for id_, position, since, until in rows:
                found.append(
                    Gap(kind=table.subject, id=id_, position=position, start=since, end=until)
                )
    return sorted(found, key=lambda gap: (gap.end, gap.kind, gap.id, gap.position))


def long_open(pool: Pool, org_id: str, before: int, most: int) -> list[tuple[str, int]]:
    """Tasks that began before a time (epoch ms) and are open still, and when; the latest first."""
    with consistent_read(pool) as cur:
        return cur.execute(
            "SELECT id, first_event_time FROM tasks WHERE org_id = %s AND first_event_time < %s"
            ' AND facets @> \'{"open": ["true"]}\' ORDER BY first_event_time DESC, id LIMIT %s',
            (org_id, before, most),
        ).fetchall()


def corrections_made(pool: Pool, org_id: str, after: int, upto: int) -> int:
    """How many corrections what was appended above one position and up to another has made."""
    total = 0
    with consistent_read(pool) as cur:
        for table in TABLES:
            row = cur.execute(
                sql.SQL(
                    "SELECT count(*) FROM {} AS c JOIN log AS e"
                    " ON e.position = c.position WHERE c.org_id = %s AND c.position > %s"
                    " AND c.position <= %s AND e.origin = 'reconciliation'"
                ).format(sql.Identifier(table.corrections)),
                (org_id, after, upto),
            ).fetchone()
            total += row[0] if row else 0
    return total
