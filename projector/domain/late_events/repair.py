"""Repair: requests are applied to one subject, in whatever order they arrive.

Rule: a late event costs what it disturbs. From the state before it two folds run side by side, one
without the request and one with it. Where both states are equal again, all later ticks stay as they
are. The difference between the two folds is what the request changed. So it depends on the log
alone, and not on the batches in which the log is read.

An in-order event is always the newest, so there is no earlier result to compare with. That is why
live processing and replay use the same code. Decision 0008 has a picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from typing import Generic

from projector.domain.counters import NO_COUNTS, Counters
from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Recorded, in_order
from projector.domain.facts import Facts
from projector.domain.fold import Fold, Interval, S
from projector.domain.late_events.changeset import ChangeSet, LateCount, intervals
from projector.domain.late_events.corrections import corrections
from projector.domain.late_events.known_ticks import (
    KnownTicks,
    NothingStored,
    StoredSubject,
    Tick,
    is_reconciled,
)
from projector.domain.late_events.subject_fold import StateCodec, SubjectFold
from projector.domain.state_names import has_tie


class SubjectRepair(Generic[S]):
    """Applies requests to one subject, from a stored state on.

    ``base`` is the text of that state (None: before any event). ``loaded`` is that state, if the
    caller has loaded it. ``counters`` are the counters there, and ``late_counts`` what late
    requests of the same batch, which are not applied here, add to them. ``stored`` answers for the
    events after ``base`` (None: there are none). ``context`` are the stored events within the
    reconciliation tolerance before it.
    """

    def __init__(  # noqa: PLR0913 - where the fold begins, and what is stored around it
        self,
        codec: StateCodec[S],
        base: str | None = None,
        *,
        loaded: S | None = None,
        counters: Mapping[str, int] = NO_COUNTS,
        late_counts: Iterable[LateCount] = (),
        stored: StoredSubject | None = None,
        context: Sequence[Recorded] = (),
    ) -> None:
        self._known = KnownTicks(stored, context)
        self._fold = SubjectFold(codec, base, self._known, loaded=loaded, counters=counters)
        self._stored = stored or NothingStored()
        self._late_counts = deque(late_counts)
        self._interval_at_start: tuple[Interval | None] | None = None  # once it is read
        self._depends_on_end = False
        self.changes = ChangeSet()

    # --- results ---

    def state(self) -> S | None:
        """The state after all events, without counters; None where the stored state stays."""
        is_at_end = self._known.is_complete and self._fold.folded == len(self._known.ticks)
        return self._fold.current.state if is_at_end else None

    def leaves_end_unchanged(self) -> bool:
        """Whether the last event and its state stay as stored, and no change depends on them."""
        has_later = (
            not self._known.is_complete or self._known.ticks[-1].time > self.changes.last_time
        )
        return has_later and not self._depends_on_end

    # --- requests ---

    def apply(self, requests: Sequence[Sequence[Recorded]]) -> None:
        """Apply requests in the order of their positions; the events of each are in order."""
        starts = [request[0].time for request in requests]
        for request, next_start in zip(requests, [*starts[1:], None], strict=True):
            self._apply_request(request, next_start)

    def _apply_request(self, request: Sequence[Recorded], next_start: int | None) -> None:
        """Apply one request; ``next_start`` is the time of the first event of the next one."""
        first, last = request[0].time, request[-1].time
        while self._late_counts and self._late_counts[0].known_from < request[0].request_position:
            self._fold.counters.add(self._late_counts.popleft().added)
        if next_start == last:
            # The next request begins in the same millisecond, which may be folded again then.
            self._fold.save_state_before(last)
        self._known.read_to(last + RECONCILIATION_TOLERANCE_MS)
        known = self._known
        known.has_reconciled = known.has_reconciled or any(map(is_reconciled, request))
        window = self._restatement_window(first, last) if known.has_reconciled else 0
        start = self._fold.fold_up_to(first - window)
        if self._is_newest(request, start, window):
            self._append(request)
        elif window == 0 and first == last and self._is_last_tick(start, last):
            self._redo_last_millisecond(request)
        else:
            self._merge_late(request, start, last + window)

    def _restatement_window(self, first: int, last: int) -> int:
        """How far around a request (ms) events may restate facts of it, or facts of them.

        It is 0 where there is no reconciled event: then only events of one millisecond may.
        """
        around = self._known.between(
            first - RECONCILIATION_TOLERANCE_MS, last + RECONCILIATION_TOLERANCE_MS
        )
        events = (recorded for tick in around for recorded in tick.events)
        return RECONCILIATION_TOLERANCE_MS if any(map(is_reconciled, events)) else 0

    def _is_newest(self, request: Sequence[Recorded], start: int, window: int) -> bool:
        """Whether all known events come before the request's first event."""
        ticks = self._known.ticks
        if start == len(ticks):
            return True
        time = request[0].time
        return (
            window == 0
            and self._is_last_tick(start, time)
            and ticks[start].events[-1].order < request[0].order
            and self._fold.current.can_apply_more(time)
            and not has_tie([*ticks[start].events, *(it for it in request if it.time == time)])
        )

    def _is_last_tick(self, index: int, time: int) -> bool:
        """Whether the tick at an index is the last known one, is folded and has this time."""
        ticks = self._known.ticks
        return index == len(ticks) - 1 == self._fold.folded - 1 and ticks[index].time == time

    def _append(self, request: Sequence[Recorded]) -> None:
        """Fold a request that comes after all known events."""
        ticks, fold = self._known.ticks, self._fold
        replaced = [tick for tick in ticks[-1:] if tick.time == request[0].time]
        new, live_before = [], fold.current.live_facts()
        for time, events in groupby(request, key=lambda recorded: recorded.time):
            if replaced and replaced[0].time == time:
                new.append(fold.extend_last_tick(replaced[0], list(events), request))
            else:
                new.append(fold.fold_tick(fold.current, time, list(events), request))
        start = len(ticks) - len(replaced)
        counters = fold.counters_before(start)
        ticks[start:] = new
        fold.folded = len(ticks)
        self._record(request, replaced, new, counters, (live_before, fold.current.live_facts()))

    def _redo_last_millisecond(self, request: Sequence[Recorded]) -> None:
        """Fold the last tick again: the request's events belong between those that it has."""
        ticks, fold = self._known.ticks, self._fold
        late, last, before = self._late_events(request), ticks[-1], fold.current
        start, live_before = len(ticks) - 1, fold.current.live_facts()
        fold.current = fold.fold_before(start)
        counters = fold.counters_before(start)
        tick = fold.fold_tick(fold.current, last.time, in_order([*last.events, *request]), request)
        ticks[start] = tick
        live_facts = live_before, fold.current.live_facts()
        self._record(request, [last], [tick], counters, live_facts, is_late=bool(late))
        if late:
            self._correct(late, start, [last], [tick], before)

    def _merge_late(self, request: Sequence[Recorded], start: int, safe_time: int) -> None:
        """Fold from a tick on, without and with the request, until both states are equal.

        The states are not compared before ``safe_time`` (epoch ms): until then the request and
        known events may state the same facts.
        """
        ticks, fold = self._known.ticks, self._fold
        late, counters = self._late_events(request), fold.counters_before(start)
        without, with_request = fold.fold_before(start), fold.fold_before(start)
        request_ticks = deque(
            (time, list(events)) for time, events in groupby(request, key=lambda it: it.time)
        )
        index, new, are_equal = start, list[Tick](), False
        while not are_equal:
            if index == len(ticks):
                self._known.read_more()
            tick = ticks[index] if index < len(ticks) else None
            if tick is None and not request_ticks:
                break
            added: Sequence[Recorded] = ()
            if request_ticks and (tick is None or request_ticks[0][0] <= tick.time):
                time, added = request_ticks.popleft()
            if tick is not None and not (added and time < tick.time):
                ticks[index] = tick = fold.fold_tick(without, tick.time, tick.events)
                index += 1
                events = in_order([*tick.events, *added]) if added else tick.events
                new.append(fold.fold_tick(with_request, tick.time, events, request))
                if not request_ticks and tick.time >= safe_time:
                    are_equal = without.state == with_request.state
            else:  # nothing is known in this millisecond
                new.append(fold.fold_tick(with_request, time, added, request))
        replaced, unchanged = ticks[start:index], ticks[index : fold.folded]
        ticks[start:index] = new
        if index >= fold.folded:
            fold.folded, fold.current = start + len(new), with_request
        else:
            fold.folded += len(new) - len(replaced)
        live = ({}, {}) if are_equal else (without.live_facts(), with_request.live_facts())
        self._record(
            request, replaced, new, counters, live, is_late=bool(late), unchanged=unchanged
        )
        if late:
            self._correct(late, start, replaced, new, None if are_equal else without)

    def _late_events(self, request: Sequence[Recorded]) -> Sequence[Recorded]:
        """The events of a request that come before the last event of the subject."""
        if not self._known.is_complete:
            return request
        if not self._known.ticks:
            return ()
        newest = self._known.ticks[-1].events[-1].order
        return [recorded for recorded in request if recorded.order < newest]

    def _record(  # noqa: PLR0913 - what replaces what, and what stands before and after it
        self,
        request: Sequence[Recorded],
        replaced: Sequence[Tick],
        new: Sequence[Tick],
        counters: Counters,
        live_facts: tuple[Facts, Facts],
        *,
        is_late: bool = False,
        unchanged: Sequence[Tick] = (),
    ) -> None:
        """Record the changes of a request, and move the counters behind the folded ticks."""
        position = request[0].request_position
        self.changes.record(
            position, replaced, new, counters=counters, live_facts=live_facts, is_late=is_late
        )
        for tick in chain(new, unchanged):
            counters.add(tick.counters)
        self._fold.counters = counters

    # --- corrections ---

    def _correct(
        self,
        late: Sequence[Recorded],
        start: int,
        replaced: Sequence[Tick],
        new: Sequence[Tick],
        without: Fold[S] | None,
    ) -> None:
        """Record what changed of what was shown.

        ``without`` is the fold without the request; None where both folds became equal.
        """
        before, after = [*intervals(replaced).values()], [*intervals(new).values()]
        shown_at = late[0].recorded_time
        end = None
        if without is None:
            end = self._end_of_disturbance(start + len(new), shown_at)
        else:
            # The intervals that time alone began until the request was recorded, in both folds.
            before += _begun_by_time(without, shown_at)
            after += _begun_by_time(self._fold.fold_before(len(self._known.ticks)), shown_at)
        if before == after:
            return
        interval = self._interval_before(start)
        first = [] if interval is None else [interval]
        for correction in corrections([*first, *before], [*first, *after], end, late):
            if not correction.only_ends_open_interval():
                self.changes.corrections.append(correction)

    def _interval_before(self, index: int) -> Interval | None:
        """The interval that is in force before a tick."""
        for tick in reversed(self._known.ticks[:index]):
            if tick.intervals:
                return tick.intervals[-1]
        if self._interval_at_start is None:
            self._interval_at_start = (self._stored.interval_at_start(),)
        return self._interval_at_start[0]

    def _end_of_disturbance(self, index: int, shown_at: int) -> int | None:
        """The end of the interval in force where both folds are equal again; None: it is open."""
        ticks, fold = self._known.ticks, self._fold
        for tick in ticks[index : fold.folded]:
            if tick.intervals:
                return tick.intervals[0].start
        end = self._stored.next_interval_start(ticks[fold.folded - 1].time)
        self._depends_on_end = self._depends_on_end or end is None
        if end is None:
            while not self._known.is_complete:
                self._known.read_more()
            fold.fold_up_to(ticks[-1].time + 1)
            last = fold.fold_before(len(ticks))
            end = next((interval.start for interval in _begun_by_time(last, shown_at)), None)
        return end


def by_request(events: Sequence[Recorded]) -> list[list[Recorded]]:
    """Events, given by position, grouped into requests; the events of each request are in order."""
    requests = groupby(events, key=lambda recorded: recorded.request_position)
    return [in_order(request) for _, request in requests]


def _begun_by_time(fold: Fold[S], time: int) -> Sequence[Interval]:
    """The intervals that the passing of time alone begins up to a time."""
    fold.intervals = []
    return fold.advance_to(time).intervals
