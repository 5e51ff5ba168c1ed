"""Corrections: the stretches of time in which one sequence of intervals differs from another.

Rule: two sequences are compared by what each shows at an instant. Where nothing was shown before,
nothing is corrected. A late event that only ends the open interval corrects nothing either
(semantics 8).
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
    """An interval with its end (epoch ms); None where it was open."""

    interval: Interval
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A stretch of time in which a request changed what was shown (epoch ms)."""

    start: int
    end: int | None  # None: it is not over
    before: Sequence[ShownInterval]  # those that overlap the stretch, in their full length
    after: Sequence[ShownInterval]
    late: Sequence[Recorded]  # the request's late events, in order

    def only_ends_open_interval(self) -> bool:
        """Whether the only change is that a late event ended the open interval."""
        return (
            self.end is None
            and len(self.before) == 1
            and self.before[0].interval.start < self.start
            and any(event.time == self.start for event in self.late)
        )


def corrections(
    before: Sequence[Interval], after: Sequence[Interval], end: int | None, late: Sequence[Recorded]
) -> Iterator[Correction]:
    """The longest stretches in which two sequences of intervals show different things, in order.

    ``end`` is the end of both sequences (epoch ms; None: open), ``late`` the request's late events.
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
    count = bisect_right(intervals, time, key=lambda interval: interval.start)
    return intervals[count - 1].display if count else None


def _overlapping(
    intervals: Sequence[Interval], end: int | None, start: int, stop: int | None
) -> Sequence[ShownInterval]:
    ends = [*(interval.start for interval in intervals[1:]), end]
    return [
        ShownInterval(interval=interval, end=until)
        for interval, until in zip(intervals, ends, strict=True)
        if (until is None or until > start) and (stop is None or interval.start < stop)
    ]
