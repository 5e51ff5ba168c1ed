"""Coverage: the time windows that a reconciliation has compared completely."""

from __future__ import annotations

from psycopg.rows import tuple_row

from projector.infrastructure.database import Pool, consistent_read, translated


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


def covered_until(pool: Pool, org_id: str | None) -> int | None:
    """The end of the last recorded window, epoch ms; None before the first.

    It is the last of all organisations where ``org_id`` is None.
    """
    with consistent_read(pool) as cur:
        row = cur.execute(
            "SELECT max(finish) FROM reconciled_windows"
            " WHERE %(org)s::text IS NULL OR org_id = %(org)s",
            {"org": org_id},
        ).fetchone()
        return row[0] if row else None


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
