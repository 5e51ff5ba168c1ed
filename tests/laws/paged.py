"""One subject kept as the projection keeps it, in memory: pages of requests in, rows out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from projector.corrections import Correction
from projector.events import RECONCILIATION_TOLERANCE_MS, Recorded
from projector.machine import Anomaly, Interval
from projector.outcome import Row
from projector.repair import Checkpoint, Life, by_request
from projector.tables import Table
from projector.tally import Tally


class Kept:
    """What is stored of one subject; ``chunk`` is how many events are read at a time."""

    def __init__(self, table: Table[Any], chunk: int) -> None:
        self.table = table
        self.chunk = chunk
        self.state: str | None = None
        self.tally = Tally()
        self.events: list[Recorded] = []
        self.rows: list[Row] = []
        self.anomalies: dict[int, Anomaly] = {}
        self.checkpoints: dict[int, Checkpoint] = {}
        self.corrections: list[Correction] = []

    def take(self, page: Sequence[Recorded]) -> None:
        """A page of the log as far as it tells of this subject, by position."""
        in_order = sorted(page, key=lambda it: it.order)
        base: Checkpoint | None = None
        if self.state is None or self.table.load(self.state).is_before(in_order):
            life = Life(self.table, self.state, known=Stored(self, None))
            tally = Tally(self.tally)
        else:
            safe = in_order[0].time - RECONCILIATION_TOLERANCE_MS
            base = max(
                (it for it in self.checkpoints.values() if it.time < safe),
                key=lambda it: it.time,
                default=None,
            )
            since = base.time if base else -1
            life = Life(
                self.table,
                base.state if base else None,
                known=Stored(self, since),
                context=[
                    it
                    for it in self.events
                    if since - RECONCILIATION_TOLERANCE_MS <= it.time <= since
                ],
            )
            tally = base.tally if base else Tally()
        life.take(by_request(page))
        self._keep(life, tally, page)

    def _keep(self, life: Life[Any], tally: Tally, page: Sequence[Recorded]) -> None:
        state = life.state()
        if state is not None:
            self.state = self.table.dump(state)
        self.tally.add(life.outcome.added)
        self.events = sorted([*self.events, *page], key=lambda it: it.order)
        for row in self.rows:
            if row.known_to is None and row.interval.start in life.outcome.ended:
                row.known_to = life.outcome.ended[row.interval.start]
        self.rows += [*life.outcome.passed, *life.outcome.rows.values()]
        for position in life.outcome.withdrawn:
            del self.anomalies[position]
        self.anomalies |= life.outcome.anomalies
        for time in life.outcome.dropped:
            self.checkpoints.pop(time, None)
        for time, it in self.checkpoints.items():
            if time > life.outcome.last:
                it.tally.add(life.outcome.added)
        self.checkpoints |= {it.time: it for it in life.checkpoints(tally)}
        self.corrections += life.outcome.corrections

    def standing(self) -> list[Interval]:
        rows = [row.interval for row in self.rows if row.known_to is None]
        return sorted(rows, key=lambda it: it.start)


class Stored:
    """What the database would answer; ``since`` is the base's time, null where all is in it."""

    def __init__(self, kept: Kept, since: int | None) -> None:
        self._events = [] if since is None else [it for it in kept.events if it.time > since]
        self._intervals = kept.standing()
        self._chunk = kept.chunk
        self._since = since

    def more(self, after: int) -> Sequence[Recorded]:
        rest = [it for it in self._events if it.time > after]
        return [it for it in rest if it.time <= rest[: self._chunk][-1].time] if rest else []

    def in_force(self) -> Interval | None:
        if self._since is None:
            return self._intervals[-1] if self._intervals else None
        place = bisect_right(self._intervals, self._since, key=lambda it: it.start)
        return self._intervals[place - 1] if place else None

    def next_start(self, after: int) -> int | None:
        return next((it.start for it in self._intervals if it.start > after), None)
