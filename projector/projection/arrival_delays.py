"""ArrivalDelays: how long after they happened events of each type arrive, and so what is settled.

The rule of this file: a sketch of counts in buckets a quarter of an octave wide is kept of the log,
by whichever runner comes by; no page waits for it, and nothing that is folded depends on it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from psycopg import Connection
from psycopg.rows import DictRow

from projector.domain.fold import State
from projector.infrastructure.database import Pool, translated

# Organisation, start, end and when it was reconciled completely; times in epoch ms.
CoveredWindow = tuple[str, int, int, int]

AT_LEAST_MS = 5_000
READ_AGAIN_SECONDS = 5.0
BUCKETS_AN_OCTAVE = 4


class ArrivalDelays:
    """Tells whether later arrivals are unlikely to change what is shown (semantics 8)."""

    def __init__(
        self, pool: Pool, quantile: float, *, windows: Callable[[], Iterable[CoveredWindow]]
    ) -> None:
        self._pool = pool
        self._windows = windows
        self._quantile = quantile
        self._read_at = float("-inf")
        self._expected: Mapping[str, int] = {}
        self._covered: Mapping[str, Sequence[tuple[int, int, int]]] = {}  # by organisation

    def settled(self, org_id: str, state: State, moment: int) -> bool:
        """Whether the newest event of a state is old enough at a moment (epoch ms), or covered."""
        last = state.last_event
        if last is None:
            return False
        return self.is_over(last.type, last.time, moment) or any(
            start <= last.time < finish and done <= moment
            for start, finish, done in self._covered.get(org_id, ())
        )

    def is_over(self, type_: str, time_: int, moment: int) -> bool:
        """Whether an event of a type and a time is so old that those like it have come."""
        return moment - time_ > self.expected(type_)

    def expected(self, type_: str) -> int:
        """After how many ms an event of a type has probably come."""
        if time.monotonic() - self._read_at > READ_AGAIN_SECONDS:
            self._expected, self._covered = self._read()
            self._read_at = time.monotonic()
        return max(AT_LEAST_MS, self._expected.get(type_, 0))

    def _read(self) -> tuple[dict[str, int], dict[str, list[tuple[int, int, int]]]]:
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT type, bucket, events FROM arrival_delays ORDER BY type, bucket"
            ).fetchall()
        expected = {
            type_: quantile([(row["bucket"], row["events"]) for row in of_type], self._quantile)
            for type_, of_type in groupby(rows, key=lambda row: str(row["type"]))
        }
        return expected, {
            org_id: [(start, end, done) for _, start, end, done in windows]
            for org_id, windows in groupby(self._windows(), key=lambda window: window[0])
        }


def quantile(counts: Sequence[tuple[int, int]], share: float) -> int:
    """The upper end, in ms, of the bucket in which a share of all delays is reached."""
    wanted, seen = share * sum(events for _, events in counts), 0
    for bucket, events in counts:
        seen += events
        if seen >= wanted:
            return math.ceil(2 ** (bucket / BUCKETS_AN_OCTAVE))
    return 0


def count_delays(connection: Connection[DictRow]) -> None:
    """Add what the log has got to the sketch, unless another is at it."""
    with connection.transaction():
        connection.execute(_COUNT.encode())


# Of facts that were told by webhook, with a time of their own.
HISTOGRAM = f"""
    SELECT type,
        ceil({BUCKETS_AN_OCTAVE} * ln(greatest(1, recorded_time - time)::float8) / ln(2::float8))
            AS bucket,
        count(*) AS events
    FROM log WHERE origin = 'webhook' AND time_source <> 'recorded'
"""  # noqa: S608
_COUNT = f"""
    WITH held AS (
        SELECT position FROM arrival_delays_checkpoint FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE arrival_delays_checkpoint SET position = (SELECT max(position) FROM log)
        WHERE (SELECT max(position) FROM log) > (SELECT position FROM held)
        RETURNING position
    )
    INSERT INTO arrival_delays AS a (type, bucket, events)
    {HISTOGRAM} AND position > (SELECT position FROM held)
        AND position <= (SELECT position FROM moved)
    GROUP BY 1, 2
    ON CONFLICT (type, bucket) DO UPDATE SET events = a.events + excluded.events
"""  # noqa: S608
