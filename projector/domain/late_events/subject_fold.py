"""The fold of one subject over its known ticks. It can also give the state before any of them.

Rule: the first ``folded`` ticks are folded, the others wait. States are saved at snapshots and
where a fold was begun again. So to go back costs the few ticks since the last saved state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol

from projector.domain.counters import Counters
from projector.domain.events import Recorded, facts_once, in_order, is_snapshot_point
from projector.domain.fold import Fold, S
from projector.domain.late_events.changeset import total
from projector.domain.late_events.known_ticks import (
    KnownTicks,
    Tick,
    within_tolerance,
)


class StateCodec(Protocol[S]):
    """How a state is made, written as text and read."""

    def fresh(self) -> S:
        """The state before any event."""

    def load(self, text: str, counters: Mapping[str, int] = ...) -> S:
        """The state that a text describes, with some counters."""

    def dump(self, state: S) -> str:
        """The text of a state, without its counters."""


class SubjectFold(Generic[S]):
    """Folds the known ticks of a subject.

    ``base`` is the text of the state where the fold begins (None: before any event). ``loaded`` is
    that state, if the caller has loaded it. ``counters`` are the counters there.
    """

    def __init__(
        self,
        codec: StateCodec[S],
        base: str | None,
        known: KnownTicks,
        *,
        loaded: S | None,
        counters: Mapping[str, int],
    ) -> None:
        self.codec = codec
        self.known = known
        self.folded = 0  # the number of folded ticks
        self._base = base
        self.current = self._begin(base) if loaded is None else Fold(loaded)  # after them
        self.counters = Counters(counters)  # after them

    def _begin(self, state: str | None) -> Fold[S]:
        return Fold(self.codec.fresh() if state is None else self.codec.load(state))

    # --- forward ---

    def fold_up_to(self, time: int) -> int:
        """Fold the waiting ticks before a time; return the index of the first tick after them."""
        index = self.known.index_at(time)
        while self.folded < index:
            waiting = self.known.ticks[self.folded]
            tick = self.known.ticks[self.folded] = self.fold_tick(
                self.current, waiting.time, waiting.events
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
        """Apply the events of one millisecond to a fold, and return the tick.

        ``request`` are events that are not among the known ticks yet: they may state facts too.
        """
        tick = Tick(time, events)
        unique = self._unique_events(time, events, request)
        if unique:
            fold.intervals, fold.anomalies, fold.final_facts = [], [], {}
            fold.state.counters = tick.counters
            fold.apply(time, unique)
            tick.intervals, tick.anomalies = fold.intervals, fold.anomalies
            tick.facts = fold.final_facts
            tick.has_snapshot = any(map(is_snapshot_point, unique))
            if tick.has_snapshot:
                tick.state = self.codec.dump(fold.state)
        return tick

    def extend_last_tick(
        self, tick: Tick, events: Sequence[Recorded], request: Sequence[Recorded]
    ) -> Tick:
        """Apply more events to the last folded tick, all after its own; return the new tick."""
        together = [*tick.events, *events]
        added = {it.position for it in events}
        unique = [
            it for it in self._unique_events(tick.time, together, request) if it.position in added
        ]
        longer = Tick(tick.time, together, tick.intervals, tick.anomalies, tick.facts)
        longer.has_snapshot, longer.counters = tick.has_snapshot, Counters(tick.counters)
        if unique:
            fold = self.current
            fold.intervals, fold.anomalies, fold.final_facts = [], [], {}
            fold.state.counters = Counters()
            fold.apply_more(tick.time, unique)
            earlier = [it for it in tick.intervals if it.start < tick.time]
            longer.intervals = [*earlier, *fold.intervals]
            longer.anomalies = [*tick.anomalies, *fold.anomalies]
            longer.facts = {**tick.facts, **fold.final_facts}
            longer.counters.add(fold.state.counters)
            longer.has_snapshot = longer.has_snapshot or any(map(is_snapshot_point, unique))
        if longer.has_snapshot:
            longer.state = self.codec.dump(self.current.state)
        return longer

    def _unique_events(
        self, time: int, events: Sequence[Recorded], request: Sequence[Recorded]
    ) -> Sequence[Recorded]:
        """The events of a millisecond without those that only restate a fact."""
        comparable = events
        if self.known.has_reconciled:
            comparable = in_order(
                {
                    *self.known.events_within_tolerance(time),
                    *within_tolerance(request, time),
                    *events,
                }
            )
        elif len(events) == 1:
            return events
        own = {recorded.position for recorded in events}
        return [recorded for recorded in facts_once(comparable) if recorded.position in own]

    # --- back ---

    def fold_before(self, index: int) -> Fold[S]:
        """A new fold of all ticks before an index; it begins at the last saved state."""
        ticks = self.known.ticks
        self._save_last_state(index)
        saved = next((count for count in range(index, 0, -1) if ticks[count - 1].state), 0)
        fold = self._begin(ticks[saved - 1].state if saved else self._base)
        for tick in ticks[saved:index]:
            self.fold_tick(fold, tick.time, tick.events)
        if index > saved:  # so that the next call has fewer ticks to fold
            ticks[index - 1].state = self.codec.dump(fold.state)
        return fold

    def counters_before(self, index: int) -> Counters:
        """The counters before a tick. It is a folded tick or the next one to fold."""
        return self.counters.plus(total(self.known.ticks[index : self.folded]), times=-1)

    def save_state_before(self, time: int) -> None:
        """Save the state after all known ticks, if they are folded and before a time."""
        ticks = self.known.ticks
        if 0 < len(ticks) == self.folded and ticks[-1].time < time:
            self._save_last_state(len(ticks))

    def _save_last_state(self, index: int) -> None:
        ticks = self.known.ticks
        if index == self.folded and index and ticks[index - 1].state is None:
            ticks[index - 1].state = self.codec.dump(self.current.state)
