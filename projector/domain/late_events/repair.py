"""Repair: one subject's life, folded request by request, whatever order its events came in.

The rule of this file: a late event costs what it disturbs. From the state before it two folds go on
side by side, one without it and one with it, and where they meet the rest stands as it was. What a
request changed is told by comparing the two, so it depends on the log alone and not on the pages in
which somebody read it. Nothing is known after an event that is not late, so it has nothing to be
compared with: live intake and replay are the same walk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Generic, Protocol

from projector.domain.counters import NOTHING, Counters
from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Origin,
    Recorded,
    in_order,
    is_snapshot,
    restatements,
)
from projector.domain.fold import Fold, Interval, S
from projector.domain.late_events.changeset import LateCount, Moment, Outcome, intervals, total
from projector.domain.late_events.corrections import corrections


class Codec(Protocol[S]):
    """How a state begins, is written, and is read again."""

    @property
    def has_deadlines(self) -> bool:
        """Whether the passing of time alone may change what is shown."""

    def fresh(self) -> S: ...

    def load(self, text: str, counters: Mapping[str, int] = ...) -> S: ...

    def dump(self, state: S) -> str: ...


class Known(Protocol):
    """What is stored of the subject; asked only where a fold needs more than is at hand."""

    def more(self, after: int) -> Sequence[Recorded]:
        """The next known events above a time, whole milliseconds in order; none at the end."""

    def in_force(self) -> Interval | None:
        """The stored interval in which the fold begins."""

    def next_start(self, after: int) -> int | None:
        """When the first stored interval that starts above a time starts."""


class Nothing:
    """Nothing is stored."""

    def more(self, _: int) -> Sequence[Recorded]:
        return ()

    def in_force(self) -> Interval | None:
        return None

    def next_start(self, _: int) -> int | None:
        return None


class Life(Generic[S]):
    """The part of a subject's life that is folded at a time, and all that comes of it.

    ``base`` is a stored state (null: none yet), ``at`` the same where it is loaded, ``counters`` what
    is counted there, and ``late_counts`` what requests count before it that this life does not
    fold; ``context`` are the events of the tolerance before its time, which may state what later
    ones state again.
    """

    def __init__(  # noqa: PLR0913 - where it begins, and what is known around
        self,
        codec: Codec[S],
        base: str | None = None,
        *,
        at: S | None = None,
        counters: Mapping[str, int] = NOTHING,
        late_counts: Iterable[LateCount] = (),
        known: Known | None = None,
        context: Sequence[Recorded] = (),
    ) -> None:
        self._codec = codec
        self._base = base
        self._known = known or Nothing()
        self._complete = known is None  # all that is known is at hand
        self._context = context
        self._has_reconciled = any(map(_is_reconciled, context))
        self._moments: list[Moment] = []
        self._folded = 0  # of the moments; the others wait until a fold needs them
        self._at = self._begin(base) if at is None else Fold(at)
        self._counters = Counters(counters)  # there
        self._late_counts = deque(late_counts)
        self._in_force: tuple[Interval | None] | None = None  # once asked for
        self._asked_for_the_end = False
        self.outcome = Outcome()

    # --- what comes of it ---

    def state(self) -> S | None:
        """The state after all that is known, its counters aside; null where that stays as stored."""
        return self._at.state if self._complete and self._folded == len(self._moments) else None

    def leaves_the_end(self) -> bool:
        """Whether what is known last stands as it was, and nothing said depends on it."""
        has_later = not self._complete or self._moments[-1].time > self.outcome.last
        return has_later and not self._asked_for_the_end

    # --- the walk ---

    def take(self, requests: Sequence[Sequence[Recorded]]) -> None:
        """Fold what some requests tell of the subject, one after the other; each is in order."""
        begins = [request[0].time for request in requests]
        for request, next_time in zip(requests, [*begins[1:], None], strict=True):
            self._take(request, next_time)

    def _take(self, request: Sequence[Recorded], next_time: int | None) -> None:
        """Fold one request into what is known before it.

        Where the next one begins in its last millisecond, the state before that is kept, since some
        of it may have to be folded again.
        """
        first, last = request[0].time, request[-1].time
        while self._late_counts and self._late_counts[0].known_from < request[0].request_position:
            self._counters.add(self._late_counts.popleft().added)
        if next_time == last:
            self._keep_state(last)
        self._read_to(last + RECONCILIATION_TOLERANCE_MS)
        self._has_reconciled = self._has_reconciled or any(map(_is_reconciled, request))
        reach = self._reach(first, last) if self._has_reconciled else 0
        start = self._fold_up_to(first - reach)
        if self._goes_on(request, start, reach):
            self._go_on(request)
        elif reach == 0 and first == last and self._is_the_last(start, last):
            self._go_on_again(request)
        else:
            self._weave(request, start, last + reach)

    def _keep_state(self, time: int) -> None:
        place = len(self._moments) - 1
        if 0 <= place == self._folded - 1 and self._moments[place].time < time:
            self._keep_last(place + 1)

    def _goes_on(self, request: Sequence[Recorded], start: int, reach: int) -> bool:
        """Whether nothing known comes after a request, so that the fold only goes on."""
        if start == len(self._moments):
            return True
        time = request[0].time
        return (
            reach == 0
            and self._is_the_last(start, time)
            and self._moments[start].events[-1].order < request[0].order
            and self._at.can_apply_more(time)
        )

    def _go_on(self, request: Sequence[Recorded]) -> None:
        replaced = [it for it in self._moments[-1:] if it.time == request[0].time]
        fresh = []
        for time, events in groupby(request, key=lambda recorded: recorded.time):
            if replaced and replaced[0].time == time:
                fresh.append(self._fold_more(replaced[0], list(events), request))
            else:
                fresh.append(self._fold(self._at, time, list(events), request))
        start = len(self._moments) - len(replaced)
        counters = self._tally_before(start)
        self._moments[start:] = fresh
        self._folded = len(self._moments)
        self._note(request, replaced, fresh, counters)

    def _fold_more(
        self, moment: Moment, events: Sequence[Recorded], request: Sequence[Recorded]
    ) -> Moment:
        """The moment taken last, with more events that come after all that it had."""
        together = [*moment.events, *events]
        told = [it for it in self._told(moment.time, together, request) if it in events]
        more = Moment(moment.time, together, moment.intervals, moment.anomalies)
        more.is_snapshot, more.counters = moment.is_snapshot, Counters(moment.counters)
        if told:
            story = self._at
            story.intervals, story.anomalies, story.state.counters = [], [], Counters()
            story.apply_more(moment.time, told)
            earlier = [it for it in moment.intervals if it.start < moment.time]
            more.intervals = [*earlier, *story.intervals]
            more.anomalies = [*moment.anomalies, *story.anomalies]
            more.counters.add(story.state.counters)
            more.is_snapshot = more.is_snapshot or any(map(is_snapshot, told))
        if more.is_snapshot:
            more.state = self._codec.dump(self._at.state)
        return more

    def _is_the_last(self, start: int, time: int) -> bool:
        """Whether a millisecond is the last that is known."""
        known = len(self._moments)
        return start == known - 1 == self._folded - 1 and self._moments[start].time == time

    def _go_on_again(self, request: Sequence[Recorded]) -> None:
        """Fold the last millisecond once more: what comes belongs among what was taken of it."""
        late, (last,), old = self._late(request), self._moments[-1:], self._at
        start = len(self._moments) - 1
        self._at = self._story_before(start)
        counters = self._tally_before(start)
        moment = self._fold(self._at, last.time, in_order([*last.events, *request]), request)
        self._moments[start] = moment
        self._note(request, [last], [moment], counters, is_late=bool(late))
        if late:
            self._correct(late, start, [last], [moment], old)

    def _weave(self, request: Sequence[Recorded], start: int, safe: int) -> None:
        late, counters = self._late(request), self._tally_before(start)
        old, new = self._story_before(start), self._story_before(start)
        waiting = deque(
            (time, list(events)) for time, events in groupby(request, key=lambda it: it.time)
        )
        place, fresh, met = start, list[Moment](), False
        while not met:
            if place == len(self._moments):
                self._read_more()
            known = self._moments[place] if place < len(self._moments) else None
            if known is None and not waiting:
                break
            added: Sequence[Recorded] = ()
            if waiting and (known is None or waiting[0][0] <= known.time):
                time, added = waiting.popleft()
            if known is not None and not (added and time < known.time):
                self._moments[place] = known = self._fold(old, known.time, known.events)
                place += 1
                events = in_order([*known.events, *added]) if added else known.events
                fresh.append(self._fold(new, known.time, events, request))
                if not waiting and known.time >= safe:
                    met = old.state == new.state
            else:
                fresh.append(self._fold(new, time, added, request))
        replaced = self._moments[start:place]
        rest = self._moments[place : self._folded]
        self._moments[start:place] = fresh
        if place >= self._folded:
            self._folded, self._at = start + len(fresh), new
        else:
            self._folded += len(fresh) - len(replaced)
        self._note(request, replaced, fresh, counters, is_late=bool(late), rest=rest)
        if late:
            self._correct(late, start, replaced, fresh, None if met else old)

    def _tally_before(self, place: int) -> Counters:
        """What is counted before a moment that the fold has come to."""
        return self._counters.plus(total(self._moments[place : self._folded]), times=-1)

    def _note(  # noqa: PLR0913 - what came in whose place, and what is counted around
        self,
        request: Sequence[Recorded],
        replaced: Sequence[Moment],
        fresh: Sequence[Moment],
        counters: Counters,
        *,
        is_late: bool = False,
        rest: Sequence[Moment] = (),
    ) -> None:
        position = request[0].request_position
        self.outcome.note(position, replaced, fresh, counters=counters, is_late=is_late)
        for moment in chain(fresh, rest):
            counters.add(moment.counters)
        self._counters = counters

    def _fold(
        self,
        story: Fold[S],
        time: int,
        events: Sequence[Recorded],
        request: Sequence[Recorded] = (),
    ) -> Moment:
        """Let a story take a moment; ``request`` is what is told beside the moments at hand."""
        moment = Moment(time, events)
        told = self._told(time, events, request)
        if told:
            story.intervals, story.anomalies = [], []
            story.state.counters = moment.counters
            story.apply(time, told)
            moment.intervals, moment.anomalies = story.intervals, story.anomalies
            moment.is_snapshot = any(map(is_snapshot, told))
            if moment.is_snapshot:
                moment.state = self._codec.dump(story.state)
        return moment

    def _told(
        self, time: int, events: Sequence[Recorded], request: Sequence[Recorded]
    ) -> Sequence[Recorded]:
        """The events of a moment without those that state a fact again."""
        near = events
        if self._has_reconciled and any(map(_is_reconciled, events)):
            near = in_order({*self._near(time), *_within(request, time), *events})
        elif len(events) == 1:
            return events
        repeats = restatements(near)
        return [recorded for recorded in events if recorded.position not in repeats]

    def _near(self, time: int) -> Iterator[Recorded]:
        self._read_to(time + RECONCILIATION_TOLERANCE_MS)
        yield from _within(self._context, time)
        for moment in self._between(
            time - RECONCILIATION_TOLERANCE_MS, time + RECONCILIATION_TOLERANCE_MS
        ):
            yield from moment.events

    # --- what is known ---

    def _begin(self, state: str | None) -> Fold[S]:
        return Fold(self._codec.fresh() if state is None else self._codec.load(state))

    def _read_to(self, time: int) -> None:
        while not self._complete and (not self._moments or self._moments[-1].time <= time):
            self._read_more()

    def _read_more(self) -> None:
        if self._complete:
            return
        last = self._moments[-1].time if self._moments else -1
        found = self._known.more(last)
        self._complete = not found
        self._has_reconciled = self._has_reconciled or any(map(_is_reconciled, found))
        self._moments += [
            Moment(time, list(events))
            for time, events in groupby(found, key=lambda recorded: recorded.time)
        ]

    def _reach(self, first: int, last: int) -> int:
        """How far around a request facts may be stated again by what reconciliation told."""
        around = self._between(
            first - RECONCILIATION_TOLERANCE_MS, last + RECONCILIATION_TOLERANCE_MS
        )
        told = (recorded for moment in around for recorded in moment.events)
        return RECONCILIATION_TOLERANCE_MS if any(map(_is_reconciled, told)) else 0

    def _between(self, first: int, last: int) -> Sequence[Moment]:
        begin = bisect_left(self._moments, first, key=_time)
        return self._moments[begin : bisect_right(self._moments, last, lo=begin, key=_time)]

    def _fold_up_to(self, time: int) -> int:
        """Fold what waits before a time; the place of the first moment from it on."""
        place = bisect_left(self._moments, time, key=_time)
        while self._folded < place:
            known = self._moments[self._folded]
            moment = self._fold(self._at, known.time, known.events)
            self._moments[self._folded] = moment
            self._counters.add(moment.counters)
            self._folded += 1
        return place

    def _story_before(self, place: int) -> Fold[S]:
        """The fold of all that is known before a moment, from the last state that was kept."""
        self._keep_last(place)
        kept = next((at for at in range(place, 0, -1) if self._moments[at - 1].state), 0)
        story = self._begin(self._moments[kept - 1].state if kept else self._base)
        for moment in self._moments[kept:place]:
            self._fold(story, moment.time, moment.events)
        if place > kept:  # who comes next has a shorter way
            self._moments[place - 1].state = self._codec.dump(story.state)
        return story

    def _keep_last(self, place: int) -> None:
        if place == self._folded and place and self._moments[place - 1].state is None:
            self._moments[place - 1].state = self._codec.dump(self._at.state)

    def _late(self, request: Sequence[Recorded]) -> Sequence[Recorded]:
        """Those that are not last among all that was known before."""
        if not self._complete:
            return request
        if not self._moments:
            return ()
        newest = self._moments[-1].events[-1].order
        return [recorded for recorded in request if recorded.order < newest]

    def _correct(
        self,
        late: Sequence[Recorded],
        start: int,
        replaced: Sequence[Moment],
        fresh: Sequence[Moment],
        old: Fold[S] | None,
    ) -> None:
        """Keep what changed of what had been shown; ``old`` where the two folds never met."""
        before, after = [*intervals(replaced).values()], [*intervals(fresh).values()]
        shown_at = late[0].recorded_time
        end = None
        if old is None:
            end = self._next_start(start + len(fresh), shown_at)
        elif self._codec.has_deadlines:
            # What the passing of time had shown, or would have, until the request came.
            before += _passing(old, shown_at)
            after += _passing(self._story_before(len(self._moments)), shown_at)
        if before == after:
            return
        in_force = self._in_force_before(start)
        first = [] if in_force is None else [in_force]
        for correction in corrections([*first, *before], [*first, *after], end, late):
            if not correction.closes_the_open_one():
                self.outcome.corrections.append(correction)

    def _in_force_before(self, place: int) -> Interval | None:
        for moment in reversed(self._moments[:place]):
            if moment.intervals:
                return moment.intervals[-1]
        if self._in_force is None:
            self._in_force = (self._known.in_force(),)
        return self._in_force[0]

    def _next_start(self, place: int, shown_at: int) -> int | None:
        """Where the interval that stands at the end of a disturbance ends."""
        for moment in self._moments[place : self._folded]:
            if moment.intervals:
                return moment.intervals[0].start
        found = self._known.next_start(self._moments[self._folded - 1].time)
        self._asked_for_the_end = self._asked_for_the_end or found is None
        if found is None and self._codec.has_deadlines:
            while not self._complete:
                self._read_more()
            self._fold_up_to(self._moments[-1].time + 1)
            last = self._story_before(len(self._moments))
            found = next((interval.start for interval in _passing(last, shown_at)), None)
        return found


def by_request(events: Sequence[Recorded]) -> list[list[Recorded]]:
    """Events by position as the requests that told them, each in order."""
    told = groupby(events, key=lambda recorded: recorded.request_position)
    return [in_order(request) for _, request in told]


def _passing(story: Fold[S], moment: int) -> Sequence[Interval]:
    """What the passing of time alone has begun up to a moment."""
    story.intervals = []
    return story.advance_to(moment).intervals


def _is_reconciled(recorded: Recorded) -> bool:
    return recorded.origin is Origin.RECONCILIATION


def _within(events: Iterable[Recorded], time: int) -> Iterator[Recorded]:
    return (it for it in events if abs(it.time - time) <= RECONCILIATION_TOLERANCE_MS)


def _time(moment: Moment) -> int:
    return moment.time
