"""Periods of a report: the pieces into which a span of time is cut. Times are epoch ms.

Rule: the pieces lie side by side and are the whole span together. Steps of a fixed length are
counted from the beginning of the span. Days and weeks begin at the midnight of a zone, so a day on
which clocks change has 23 or 25 hours; the first and the last piece are cut to the span.

A day without a midnight begins with its first instant, one with two at the first of them. A day
that a zone left out has no piece.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

PeriodLength = int | Literal["1d", "1w"]  # a number is a fixed length in ms

DAY_MS = 86_400_000
SHORTEST_INTERVAL_MS = 1_000
MOST_PERIODS = 40_000  # 400 days of 15 minutes are fewer
LAST_CALENDAR_TIME = 253_370_764_800_000  # 9999-01-01: a calendar ends soon after
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cut(start: int, end: int, interval: PeriodLength, zone: tzinfo) -> Sequence[int]:
    """The edges of the periods of ``[start, end)``: each lasts from one edge to the next."""
    if isinstance(interval, int):
        return [*range(start, end, interval), end]
    days = 7 if interval == "1w" else 1
    starts = _day_starts(start, end, days, zone)
    return [start, *sorted({it for it in starts if start < it < end}), end]


def _day_starts(start: int, end: int, days: int, zone: tzinfo) -> Iterator[int]:
    """The beginnings of all days in a span, or of every Monday, and of some around it."""
    day = (_EPOCH + timedelta(milliseconds=start)).astimezone(zone).date() - timedelta(days=1)
    if days > 1:
        day -= timedelta(days=day.weekday())
    while (begin := day_start(day, zone)) < end:
        yield begin
        day += timedelta(days=days)


def day_start(day: date, zone: tzinfo) -> int:
    """The first instant of a day in a zone, or where it was left out, of the next one."""
    midnight = datetime.combine(day, time(), zone)
    begin, latest = _second(midnight.replace(fold=1)), _second(midnight)
    if begin < latest:  # clocks went over it: the day begins when they were put forward
        seconds = range(begin, latest)
        latest = begin + bisect_left(seconds, True, key=lambda it: _local_date(it, zone) >= day)
    return latest * 1_000


def _second(moment: datetime) -> int:
    """Epoch seconds; exact, as zones have whole seconds."""
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(seconds=1)


def _local_date(second: int, zone: tzinfo) -> date:
    return (_EPOCH + timedelta(seconds=second)).astimezone(zone).date()
