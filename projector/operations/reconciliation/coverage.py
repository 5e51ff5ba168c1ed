"""Coverage: the time windows that a reconciliation has compared completely."""

from __future__ import annotations

from psycopg.rows import tuple_row

from projector.infrastructure.database import Pool, consistent_read, translated


def cover(  # noqa: PLR0913 - what was reconciled, by what and when
    pool: Pool, job: int, org_id: str, start: int, end: int, *, now: int
) -> None:
    """Keep that a window of an organisation was reconciled whole."""
    with translated(), pool.connection() as connection:
        connection.execute(
            "INSERT INTO reconciled_windows (job, org_id, start, finish, recorded_time)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (job, org_id, start, end, now),
        )


def covered_until(pool: Pool, org_id: str | None) -> int | None:
    """The end of the last window that was reconciled, epoch ms; null before the first."""
    with consistent_read(pool) as cur:
        row = cur.execute(
            "SELECT max(finish) FROM reconciled_windows WHERE %(org)s::text IS NULL OR org_id = %(org)s",
            {"org": org_id},
        ).fetchone()
        return row[0] if row else None


def covered_windows(pool: Pool) -> list[tuple[str, int, int, int]]:
    """All windows as (organisation, start, end, done), times in epoch ms; the latest first."""
    with translated(), pool.connection() as connection:
        return (
            connection.cursor(row_factory=tuple_row)
            .execute(
                "SELECT org_id, start, finish, recorded_time FROM reconciled_windows"
                " ORDER BY org_id, finish DESC"
            )
            .fetchall()
        )
