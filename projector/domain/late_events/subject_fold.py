"""The fold of one subject over its known ticks, with the state before any tick that is asked for.

Rule: ticks up to ``folded`` are folded, the later ones wait. States are saved at snapshots and where
a fold began again, so going back costs the few ticks since the last saved state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol

from projector.domain.counters import Counters
from projector.domain.events import Recorded, in_order, is_snapshot_point, restatements
from projector.domain.fold import Fold, S
from projector.domain.late_events.changeset import total
from projector.domain.late_events.known_ticks import (
    KnownTicks,
    Tick,
    is_reconciled,
    within_tolerance,
)


class StateCodec(Protocol[S]):
    """How a state begins, is written as text, and is read again."""

    @property
    def has_deadlines(self) -> bool:
        """Whether the passing of time alone may change what is shown."""

    def fresh(self) -> S: ...

    def load(self, text: str, counters: Mapping[str, int] = ...) -> S: ...

    def dump(self, state: S) -> str: ...


class SubjectFold(Generic[S]):
    """Folds the known ticks of a subject.

    ``base`` is the state where the fold begins (null: no event yet), ``at`` the same state where it
    is loaded already, and ``counters`` are the counters there.
    """

    def __init__(
        self,
        codec: StateCodec[S],
        base: str | None,
        known: KnownTicks,
        *,
        at: S | None,
        counters: Mapping[str, int],
    ) -> None:
        self.codec = codec
        self.known = known
        self.folded = 0  # how many of the known ticks are folded
        self._base = base
        self.at = self._begin(base) if at is None else Fold(at)  # after the folded ticks
        self.counters = Counters(counters)  # after the folded ticks

    def _begin(self, state: str | None) -> Fold[S]:
        return Fold(self.codec.fresh() if state is None else self.codec.load(state))

    # --- forward ---

    def fold_up_to(self, time: int) -> int:
        """Fold the waiting ticks before a time; the index of the first tick from it on."""
        index = self.known.index_at(time)
        while self.folded < index:
            waiting = self.known.ticks[self.folded]
            tick = self.known.ticks[self.folded] = self.fold_tick(
                self.at, waiting.time, waiting.events
            )
            self.counters.add(tick.counters)
            self.folded += 1
        return index

    def fold_tick(
        self,
        fold: Fold[S],
        time: int,
        events: Sequence[Recorded],
        request: Sequence[Recorded] = (),
    ) -> Tick:
        """Apply the events of one millisecond to a fold.

        ``request`` are events that are not among the known ticks yet.
        """
        tick = Tick(time, events)
        unique = self._unique_events(time, events, request)
        if unique:
            fold.intervals, fold.anomalies = [], []
            fold.state.counters = tick.counters
            fold.apply(time, unique)
            tick.intervals, tick.anomalies = fold.intervals, fold.anomalies
            tick.has_snapshot = any(map(is_snapshot_point, unique))
            if tick.has_snapshot:
                tick.state = self.codec.dump(fold.state)
        return tick

    def extend_last_tick(
        self, tick: Tick, events: Sequence[Recorded], request: Sequence[Recorded]
    ) -> Tick:
        """The last folded tick with more events, all of which come after those it has."""
        together = [*tick.events, *events]
        unique = [it for it in self._unique_events(tick.time, together, request) if it in events]
        longer = Tick(tick.time, together, tick.intervals, tick.anomalies)
        longer.has_snapshot, longer.counters = tick.has_snapshot, Counters(tick.counters)
        if unique:
            fold = self.at
            fold.intervals, fold.anomalies, fold.state.counters = [], [], Counters()
            fold.apply_more(tick.time, unique)
            earlier = [it for it in tick.intervals if it.start < tick.time]
            longer.intervals = [*earlier, *fold.intervals]
            longer.anomalies = [*tick.anomalies, *fold.anomalies]
            longer.counters.add(fold.state.counters)
            longer.has_snapshot = longer.has_snapshot or any(map(is_snapshot_point, unique))
        if longer.has_snapshot:
            longer.state = self.codec.dump(self.at.state)
        return longer

    def _unique_events(
        self, time: int, events: Sequence[Recorded], request: Sequence[Recorded]
    ) -> Sequence[Recorded]:
        """The events of a millisecond without those that only restate a fact."""
        comparable = events
        if self.known.has_reconciled and any(map(is_reconciled, events)):
            comparable = in_order(
                {*self.known.events_near(time), *within_tolerance(request, time), *events}
            )
        elif len(events) == 1:
            return events
        repeats = restatements(comparable)
        return [recorded for recorded in events if recorded.position not in repeats]

    # --- back ---

    def fold_before(self, index: int) -> Fold[S]:
        """A new fold with all ticks before an index, from the last saved state on."""
        ticks = self.known.ticks
        self._save_last_state(index)
        saved = next((at for at in range(index, 0, -1) if ticks[at - 1].state), 0)
        fold = self._begin(ticks[saved - 1].state if saved else self._base)
        for tick in ticks[saved:index]:
            self.fold_tick(fold, tick.time, tick.events)
        if index > saved:  # the next one who asks has a shorter way
            ticks[index - 1].state = self.codec.dump(fold.state)
        return fold

    def counters_before(self, index: int) -> Counters:
        """The counters before a tick that is folded or is the next one."""
        return self.counters.plus(total(self.known.ticks[index : self.folded]), times=-1)

    def save_state_before(self, time: int) -> None:
        """Save the state after the last folded tick, where a tick at a later time may need it."""
        ticks = self.known.ticks
        if 0 < len(ticks) == self.folded and ticks[-1].time < time:
            self._save_last_state(len(ticks))

    def _save_last_state(self, index: int) -> None:
        ticks = self.known.ticks
        if index == self.folded and index and ticks[index - 1].state is None:
            ticks[index - 1].state = self.codec.dump(self.at.state)
