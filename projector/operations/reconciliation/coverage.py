"""Coverage: the time windows that a reconciliation has compared completely."""

from __future__ import annotations

from psycopg.rows import tuple_row

from projector.infrastructure.database import Pool, consistent_read, translated

HISTORY_LAG_MS = 600_000  # the vendor's history is some minutes behind


def cover(  # noqa: PLR0913 - a row of the table
    pool: Pool, job: int, org_id: str, start: int, end: int, *, now: int
) -> None:
    """Record that a job has compared the whole window ``[start, end)``; times are epoch ms."""
    with translated(), pool.connection() as connection:
        connection.execute(
            "INSERT INTO reconciled_windows (job, org_id, start, finish, recorded_time)"
            " VALUES (%(job)s, %(org)s, %(start)s, %(end)s, %(now)s) ON CONFLICT DO NOTHING",
            {"job": job, "org": org_id, "start": start, "end": end, "now": now},
        )


def covered_until(pool: Pool, org_id: str | None, since: int) -> int | None:
    """Up to which time all is covered from ``since`` on (epoch ms); None before the first window.

    What lies before the first window is not missed. Windows are those of all organisations where
    ``org_id`` is None.
    """
    with consistent_read(pool) as cur:
        windows = cur.execute(
            "SELECT start, finish FROM reconciled_windows"
            " WHERE %(org)s::text IS NULL OR org_id = %(org)s ORDER BY start",
            {"org": org_id},
        ).fetchall()
    if not windows:
        return None
    until = max(since, windows[0][0])
    for start, finish in windows:
        if start > until:
            break
        until = max(until, finish)
    return int(until)


def covered_windows(pool: Pool) -> list[tuple[str, int, int, int]]:
    """All windows as (organisation, start, end, recorded time), times in epoch ms.

    They are in the order of organisation, the latest end first.
    """
    with translated(), pool.connection() as connection:
        return (
            connection.cursor(row_factory=tuple_row)
            .execute(
                "SELECT org_id, start, finish, recorded_time FROM reconciled_windows"
                " ORDER BY org_id, finish DESC"
            )
            .fetchall()
        )
