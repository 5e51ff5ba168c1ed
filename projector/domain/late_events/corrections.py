"""Corrections: where one sequence of intervals shows other than another did.

The rule of this file: what counts is what an instant shows. Where nothing had been shown before,
nothing is corrected, and neither is it a correction that a running interval ends when a late event
says (semantics 8).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from projector.domain.events import Recorded
from projector.domain.fold import DisplayState, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownInterval:
    """An interval as it was shown, with its end; null where it was open (epoch ms)."""

    interval: Interval
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A stretch of time in which a request changed what had been shown (epoch ms)."""

    start: int
    end: int | None  # null: to this day
    before: Sequence[ShownInterval]  # uncut
    after: Sequence[ShownInterval]
    late: Sequence[Recorded]  # the request's late events, in order

    def closes_the_open_one(self) -> bool:
        """Whether nothing happened but that the running interval ended when a late event says."""
        return (
            self.end is None
            and len(self.before) == 1
            and self.before[0].interval.start < self.start
            and any(event.time == self.start for event in self.late)
        )


def corrections(
    before: Sequence[Interval], after: Sequence[Interval], end: int | None, late: Sequence[Recorded]
) -> Iterator[Correction]:
    """The longest stretches in which one sequence of intervals shows other than the other.

    Where nothing had been shown before, nothing is corrected. Both end at ``end`` (null: never).
    """
    starts = sorted({interval.start for interval in (*before, *after)})
    changed: list[tuple[int, int | None]] = []
    for start, stop in pairwise([*starts, end]):
        assert start is not None  # noqa: S101 - only the last one may be
        old, new = _at(before, start), _at(after, start)
        if old is not None and old != new:
            if changed and changed[-1][1] == start:
                changed[-1] = (changed[-1][0], stop)
            else:
                changed.append((start, stop))
    for start, stop in changed:
        yield Correction(
            start=start,
            end=stop,
            before=_overlapping(before, end, start, stop),
            after=_overlapping(after, end, start, stop),
            late=late,
        )


def _at(intervals: Sequence[Interval], time: int) -> DisplayState | None:
    place = bisect_right(intervals, time, key=lambda interval: interval.start)
    return intervals[place - 1].display if place else None


def _overlapping(
    intervals: Sequence[Interval], end: int | None, start: int, stop: int | None
) -> Sequence[ShownInterval]:
    ends = [*(interval.start for interval in intervals[1:]), end]
    return [
        ShownInterval(interval=interval, end=until)
        for interval, until in zip(intervals, ends, strict=True)
        if (until is None or until > start) and (stop is None or interval.start < stop)
    ]
