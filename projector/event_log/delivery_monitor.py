"""DeliveryMonitor: how many deliveries each subscription has, and whether its silence is a fault.

Rule: silence is judged by the deliveries of the same hour of the week before. If so many were to be
expected that it cannot be chance that none came, the subscription has no data. If few were to be
expected, it is quiet.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from projector.contract.status import HeardState
from projector.infrastructure.clock import HOUR_MS, now_ms
from projector.infrastructure.database import Pool, StoreUnavailable, translated
from projector.infrastructure.sql import Columns

WEEK_HOURS = 7 * 24
WEEKS = 4  # whose deliveries are compared
DAY_HOURS = 24
FLUSH_SECONDS = 5.0
HEARD_WITHIN_MS = 60_000
EXPECTED_AT_LEAST = 7.0  # if so many independent ones are expected, none comes once in 1,000 times
MOST_UNKNOWN_SUBSCRIPTIONS = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """How long a subscription has been silent, and what that means."""

    id: str
    state: HeardState
    last_time: int | None  # of its last delivery, epoch ms
    expected: float  # deliveries since then


class DeliveryMonitor:
    """Counts deliveries in one process, and reads what all processes have counted. Thread-safe.

    ``known`` gives the ids of the subscriptions that have a secret or stand in the settings.
    """

    def __init__(
        self,
        pool: Pool,
        known: Callable[[], Collection[str]],
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._pool = pool
        self._known = known
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int]] = Counter()  # not written yet, by hour
        self._last: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, subscriptions: Iterable[str]) -> None:
        """Count a delivery of some subscriptions, by their ids."""
        now, known = self._clock(), self._known()
        with self._lock:
            for id_ in subscriptions:
                # Ids that an unsigned sender makes up must not fill the memory.
                is_known = id_ in self._last or id_ in known
                if is_known or len(self._last) < MOST_UNKNOWN_SUBSCRIPTIONS:
                    self._last[id_] = now
                    self._counts[id_, now // HOUR_MS] += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._flush, name="delivery-monitor", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Write the counts, and stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def silences(self) -> list[Silence]:
        """Every subscription that is known or had a delivery in the last weeks, by id."""
        now = self._clock()
        with self._lock:
            unwritten, last = Counter(self._counts), dict(self._last)
        hours: dict[str, Counter[int]] = {id_: Counter() for id_ in self._known()}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT subscription, hour, deliveries, last_time FROM delivery_hours"
                " WHERE hour >= %(since)s",
                {"since": now // HOUR_MS - WEEKS * WEEK_HOURS},
            ).fetchall()
        for row in rows:
            hours.setdefault(row["subscription"], Counter())[row["hour"]] += row["deliveries"]
            last[row["subscription"]] = max(last.get(row["subscription"], 0), row["last_time"])
        for (id_, hour), deliveries in unwritten.items():
            hours.setdefault(id_, Counter())[hour] += deliveries
        return [silence(id_, hours[id_], last.get(id_), now) for id_ in sorted(hours)]

    def _flush(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
            last = dict(self._last)
        try:
            with translated(), self._pool.connection() as connection, connection.transaction():
                rows = [(id_, hour, count, last[id_]) for (id_, hour), count in counts.items()]
                connection.execute(_ADD_DELIVERIES, _DELIVERIES.parameters(rows))
        except StoreUnavailable:
            with self._lock:  # they are written the next time
                self._counts.update(counts)
        except Exception:
            log.exception("the deliveries could not be counted")


_DELIVERIES = Columns(
    {"subscription": "text", "hour": "bigint", "deliveries": "bigint", "last_time": "bigint"}
)
_ADD_DELIVERIES = (
    sql.SQL("""
    INSERT INTO delivery_hours AS h ({columns}) SELECT {columns} FROM {rows}
    ON CONFLICT (subscription, hour) DO UPDATE SET
        deliveries = h.deliveries + excluded.deliveries,
        last_time = greatest(h.last_time, excluded.last_time)
    """)
    .format(columns=_DELIVERIES.names, rows=_DELIVERIES.unnest("k"))
    .as_bytes()
)


def silence(id_: str, hours: Mapping[int, int], last: int | None, now: int) -> Silence:
    """Judge one subscription by its deliveries of past hours; times are epoch ms."""
    if last is None:
        return Silence(id=id_, state="never", last_time=None, expected=0.0)
    expected = expected_since(hours, last, now)
    state: HeardState = "quiet"
    if now - last <= HEARD_WITHIN_MS:
        state = "heard"
    elif expected >= EXPECTED_AT_LEAST:
        state = "no-data"
    return Silence(id=id_, state=state, last_time=last, expected=round(expected, 1))


def expected_since(hours: Mapping[int, int], last: int, now: int) -> float:
    """How many deliveries were to be expected since the last one."""
    first = min(hours, default=last // HOUR_MS)
    total = 0.0
    for hour in range(last // HOUR_MS, now // HOUR_MS + 1):
        begins, ends = max(last, hour * HOUR_MS), min(now, (hour + 1) * HOUR_MS)
        total += rate(hours, hour, first, last // HOUR_MS) * (ends - begins) / HOUR_MS
    return total


def rate(hours: Mapping[int, int], hour: int, first: int, last: int) -> float:
    """Deliveries of an hour: the mean of the same hour of the week, else of the day before it."""
    same_hours = [hour - weeks * WEEK_HOURS for weeks in range(1, WEEKS + 1)]
    past = [hours.get(it, 0) for it in same_hours if first <= it < last]
    if not past:
        past = [hours.get(it, 0) for it in range(max(first, last - DAY_HOURS), last)]
    return sum(past) / len(past) if past else 0.0
