"""DeliveryMonitor: what each subscription brings by the hour, and so whether it is silent or all is quiet.

The rule of this file: silence is judged by what the same hour of the week brought before. Where so
many deliveries were to be expected that none of them coming is no chance, there is no data; where
few were, nothing happens.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, StoreUnavailable, translated

HOUR_MS = 3_600_000
WEEK_HOURS = 7 * 24
WEEKS = 4  # that are looked back
DAY_HOURS = 24
FLUSH_SECONDS = 5.0
HEARD_WITHIN_MS = 60_000
EXPECTED_AT_LEAST = 7.0  # of independent deliveries, none of so many comes once in a thousand times
MADE_UP_SUBSCRIPTIONS = 1_000

Heard = Literal["heard", "quiet", "no-data", "never"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Since when a subscription is not heard (epoch ms), and what was to be expected since then."""

    id: str
    state: Heard
    last_time: int | None
    expected: float  # deliveries


class DeliveryMonitor:
    """Counts for one process, and reads what all have counted. Thread-safe."""

    def __init__(
        self, pool: Pool, known: Callable[[], Collection[str]], *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._pool = pool
        self._known = known  # the subscriptions that have a secret
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int]] = Counter()  # not written yet, by hour
        self._last: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def hear(self, named: Iterable[str]) -> None:
        """Count a delivery of some subscriptions."""
        now, known = self._clock(), self._known()
        with self._lock:
            for id_ in named:
                # Bounded: what an unsigned sender makes up must not fill the memory.
                heard = id_ in self._last or id_ in known
                if heard or len(self._last) < MADE_UP_SUBSCRIPTIONS:
                    self._last[id_] = now
                    self._counts[id_, now // HOUR_MS] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush, name="hearing", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what was counted, and stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def silences(self) -> list[Silence]:
        """Every subscription that has a secret or was heard in the last weeks, by id."""
        now = self._clock()
        with self._lock:
            unwritten, last = Counter(self._counts), dict(self._last)
        hours: dict[str, Counter[int]] = {id_: Counter() for id_ in self._known()}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT subscription, hour, deliveries, last_time FROM delivery_hours WHERE hour >= %s",
                (now // HOUR_MS - WEEKS * WEEK_HOURS,),
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
                connection.cursor().executemany(
                    "INSERT INTO delivery_hours AS h (subscription, hour, deliveries, last_time)"
                    " VALUES (%s, %s, %s, %s) ON CONFLICT (subscription, hour) DO UPDATE SET"
                    " deliveries = h.deliveries + excluded.deliveries,"
                    " last_time = greatest(h.last_time, excluded.last_time)",
                    [(id_, hour, count, last[id_]) for (id_, hour), count in counts.items()],
                )
        except StoreUnavailable:
            with self._lock:  # for the next time
                self._counts.update(counts)
        except Exception:
            log.exception("what was heard could not be counted")


def silence(id_: str, hours: Mapping[int, int], last: int | None, now: int) -> Silence:
    """Judge one subscription by its deliveries of past hours."""
    if last is None:
        return Silence(id=id_, state="never", last_time=None, expected=0.0)
    expected = expected_since(hours, last, now)
    state: Heard = "quiet"
    if now - last <= HEARD_WITHIN_MS:
        state = "heard"
    elif expected >= EXPECTED_AT_LEAST:
        state = "no-data"
    return Silence(id=id_, state=state, last_time=last, expected=round(expected, 1))


def expected_since(hours: Mapping[int, int], last: int, now: int) -> float:
    """How many deliveries the time from the last one on was to bring."""
    first = min(hours, default=last // HOUR_MS)
    total = 0.0
    for hour in range(last // HOUR_MS, now // HOUR_MS + 1):
        begins, ends = max(last, hour * HOUR_MS), min(now, (hour + 1) * HOUR_MS)
        total += rate(hours, hour, first, last // HOUR_MS) * (ends - begins) / HOUR_MS
    return total


def rate(hours: Mapping[int, int], hour: int, first: int, last: int) -> float:
    """Deliveries of an hour: the mean of the same hour of the week, else of the day before it."""
    same = [hour - weeks * WEEK_HOURS for weeks in range(1, WEEKS + 1)]
    past = [hours.get(it, 0) for it in same if first <= it < last]
    if not past:
        past = [hours.get(it, 0) for it in range(max(first, last - DAY_HOURS), last)]
    return sum(past) / len(past) if past else 0.0
