"""The outcome: all that changes in the tables while one subject's events of a page are folded.

The rule of this file: moments are replaced by others, and only what differs is told. A row that a
request began and a later one of the same page ended is told too: it was known in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from projector.corrections import Correction
from projector.events import Recorded
from projector.machine import Anomaly, Interval
from projector.tally import Tally


@dataclass(slots=True, kw_only=True)
class Row:
    """An interval, and the positions of the requests between which it was known."""

    interval: Interval
    known_from: int
    known_to: int | None = None


@dataclass(slots=True)
class Moment:
    """One millisecond in which events happened, and what its fold told."""

    time: int
    events: Sequence[Recorded]  # in order, restatements included
    intervals: Sequence[Interval] = ()
    anomalies: Sequence[Anomaly] = ()
    tally: Tally = field(default_factory=Tally)  # what this moment adds
    state: str | None = None  # after it, where that is kept
    is_checkpoint: bool = False


@dataclass(slots=True)
class Outcome:
    """What comes of one life; positions are those of requests, times epoch ms."""

    first: int | None = None  # of the times that were disturbed
    last: int = 0  # checkpoints after it stand; only their tallies grow by ``added``
    added: Tally = field(default_factory=Tally)  # to the subject's
    rows: dict[int, Row] = field(default_factory=dict)  # new ones that stand, by start
    passed: list[Row] = field(default_factory=list)  # new ones that a later request ended
    ended: dict[int, int] = field(default_factory=dict)  # stored ones, by start: who ended each
    anomalies: dict[int, Anomaly] = field(default_factory=dict)  # new ones, by event's position
    withdrawn: set[int] = field(default_factory=set)  # positions of stored ones
    dropped: set[int] = field(default_factory=set)  # times of stored checkpoints
    corrections: list[Correction] = field(default_factory=list)

    def covers(self, time: int) -> bool:
        """Whether a time was disturbed."""
        return self.first is not None and self.first <= time <= self.last

    def note(self, position: int, replaced: Sequence[Moment], fresh: Sequence[Moment]) -> None:
        """A request made some moments of others."""
        begin, end = fresh[0].time, fresh[-1].time
        if replaced:
            begin, end = min(begin, replaced[0].time), max(end, replaced[-1].time)
        self.first = begin if self.first is None or begin < self.first else self.first
        self.last = max(self.last, end)
        for moment in replaced:
            self.added.add(moment.tally, times=-1)
            if moment.is_checkpoint:
                self.dropped.add(moment.time)
        for moment in fresh:
            self.added.add(moment.tally)
            if moment.is_checkpoint:
                self.dropped.discard(moment.time)
        self._note_intervals(position, intervals(replaced), intervals(fresh))
        self._note_anomalies(_anomalies(replaced), _anomalies(fresh))

    def _note_intervals(
        self, position: int, before: dict[int, Interval], after: dict[int, Interval]
    ) -> None:
        for start, interval in before.items():
            if after.get(start) != interval:
                row = self.rows.pop(start, None)
                if row is None:
                    self.ended[start] = position
                else:
                    row.known_to = position
                    self.passed.append(row)
        for start, interval in after.items():
            if before.get(start) != interval:
                self.rows[start] = Row(interval=interval, known_from=position)

    def _note_anomalies(self, before: dict[int, Anomaly], after: dict[int, Anomaly]) -> None:
        for position, anomaly in before.items():
            if after.get(position) != anomaly and self.anomalies.pop(position, None) is None:
                self.withdrawn.add(position)
        for position, anomaly in after.items():
            if before.get(position) != anomaly:
                self.anomalies[position] = anomaly


def intervals(moments: Iterable[Moment]) -> dict[int, Interval]:
    """What some moments begin, by start."""
    return {interval.start: interval for moment in moments for interval in moment.intervals}


def _anomalies(moments: Iterable[Moment]) -> dict[int, Anomaly]:
    return {
        anomaly.position: anomaly
        for moment in moments
        for anomaly in moment.anomalies
        if anomaly.position is not None
    }
