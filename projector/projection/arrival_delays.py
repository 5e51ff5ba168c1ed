"""ArrivalDelays: how long after they happened events of each type arrive, and so what is settled.

Rule: runners count the log's delays in a histogram whose buckets are a quarter of an octave wide.
No batch waits for that, and nothing that is folded depends on it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from psycopg import Connection, Cursor, sql
from psycopg.rows import DictRow, TupleRow

from projector.domain.fold import State
from projector.infrastructure.database import Pool, translated

# Organisation, start, end, and the time at which it was reconciled completely; epoch ms.
CoveredWindow = tuple[str, int, int, int]

SHORTEST_DELAY_MS = 5_000  # for types whose events have come sooner, or not at all
READ_AGAIN_SECONDS = 5.0
BUCKETS_AN_OCTAVE = 4
RECENT_EVENTS = 10_000  # whose delays count for a question about what was known


class ArrivalDelays:
    """Whether later arrivals are unlikely to change what is shown (semantics 8).

    ``quantile`` is the share of events of a type that must have come by then; ``windows`` reads the
    time windows that a reconciliation has covered.
    """

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
        """Whether the last event of a state is old enough, or covered, at a moment (epoch ms)."""
        last = state.last_event
        if last is None:
            return False
        return self.is_over(last.type, last.time, moment) or any(
            start <= last.time < end and covered_time <= moment
            for start, end, covered_time in self._covered.get(org_id, ())
        )

    def is_over(self, type_: str, time_: int, moment: int) -> bool:
        """Whether events of a type and a time (epoch ms) have probably all come at a moment."""
        return moment - time_ > self.expected(type_)

    def is_over_for_all(self, time_: int, moment: int) -> bool:
        """Whether events of a time (epoch ms), whatever their type, have probably come."""
        self._refresh()
        return moment - time_ > max(SHORTEST_DELAY_MS, *self._expected.values(), 0)

    def longest_as_of(self, cur: Cursor[TupleRow], position: int) -> int:
        """The ms after which events of all types have probably come, as known at a position.

        It goes by the delays of the last events up to there, which never change.
        """
        parameters = {"position": position, "events": RECENT_EVENTS}
        rows = cur.execute(_RECENT_DELAYS, parameters).fetchall()
        return max(
            SHORTEST_DELAY_MS,
            *(
                quantile([(bucket, events) for _, bucket, events in of_type], self._quantile)
                for _, of_type in groupby(rows, key=lambda row: row[0])
            ),
            0,
        )

    def covers(self, org_id: str, start: int, end: int, moment: int) -> bool:
        """Whether whole reconciliations had covered all of ``[start, end)`` at a moment."""
        self._refresh()
        windows = [
            (since, until)
            for since, until, covered_time in self._covered.get(org_id, ())
            if covered_time <= moment
        ]
        for since, until in sorted(windows):
            if since > start:
                break
            start = max(start, until)
        return start >= end

    def expected(self, type_: str) -> int:
        """The ms after which an event of a type has probably come."""
        self._refresh()
        return max(SHORTEST_DELAY_MS, self._expected.get(type_, 0))

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at > READ_AGAIN_SECONDS:
            self._expected, self._covered = self._read()
            self._read_at = time.monotonic()

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
            org_id: [(start, end, covered_time) for _, start, end, covered_time in windows]
            for org_id, windows in groupby(self._windows(), key=lambda window: window[0])
        }


def quantile(counts: Sequence[tuple[int, int]], share: float) -> int:
    """The upper end, in ms, of the bucket in which a share of all delays is reached.

    ``counts`` are buckets and their numbers of events, by bucket; 0 without any.
    """
    needed, counted = share * sum(events for _, events in counts), 0
    for bucket, events in counts:
        counted += events
        if counted >= needed:
            return math.ceil(2 ** (bucket / BUCKETS_AN_OCTAVE))
    return 0


def count_delays(connection: Connection[DictRow]) -> None:
    """Count the log's new events in the histogram, unless another runner is doing that now."""
    with connection.transaction():
        connection.execute(_COUNT_DELAYS)


# Of events that came by webhook and say when they happened.
DELAY_HISTOGRAM = sql.SQL("""
    SELECT type,
        ceil({buckets} * ln(greatest(1, recorded_time - time)::float8) / ln(2::float8)) AS bucket,
        count(*) AS events
    FROM log WHERE origin = 'webhook' AND time_source <> 'recorded'
""").format(buckets=BUCKETS_AN_OCTAVE)
_RECENT_DELAYS = sql.SQL("""
    WITH head AS (SELECT least(max(position), %(position)s) AS position FROM log)
    {histogram} AND position <= (SELECT position FROM head)
        AND position > (SELECT position FROM head) - %(events)s
    GROUP BY 1, 2 ORDER BY 1, 2
""").format(histogram=DELAY_HISTOGRAM)
_COUNT_DELAYS = sql.SQL("""
    WITH locked AS (
        SELECT position FROM arrival_delays_checkpoint FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE arrival_delays_checkpoint SET position = (SELECT max(position) FROM log)
        WHERE (SELECT max(position) FROM log) > (SELECT position FROM locked)
        RETURNING position
    )
    INSERT INTO arrival_delays AS a (type, bucket, events)
    {histogram} AND position > (SELECT position FROM locked)
        AND position <= (SELECT position FROM moved)
    GROUP BY 1, 2
    ON CONFLICT (type, bucket) DO UPDATE SET events = a.events + excluded.events
""").format(histogram=DELAY_HISTOGRAM)
