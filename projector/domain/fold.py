"""The fold: how ordered events become the state of a subject, its intervals and its anomalies.

Rule: this file names no state. What a word does stands in the tables of ``agent.py``, ``leg.py``
and ``task.py``. So live processing, late events, replay and questions about the past share one
algorithm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from math import inf
from typing import ClassVar, Generic, Self, TypeVar

from projector.domain.counters import ANOMALY_COUNT, EVENT_COUNT, Counters
from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Origin,
    Recorded,
    facts_once,
    plain_word,
)
from projector.domain.facts import Facts

UNKNOWN = "unknown"
FIRST_OF_TIME = -(2**40)  # as the position of the first anomaly of a deadline

# A state to the words that may come next. After a state without a row every word is expected.
Transitions = Mapping[str, frozenset[str]]


# Of an anomaly: the position of its event, and the end of its gap. Those that the passing of time
# raised have negative positions, which number those of one time.
AnomalyKey = tuple[int, int]


class AnomalyKind(StrEnum):
    """What was not expected. Where more than one fits, the first is taken (semantics 6)."""

    MISSING_LOGIN = "missing-login"
    MISSING_LOGOUT = "missing-logout"
    UNKNOWN_STATE = "unknown-state"
    MISSING_END = "missing-end"
    WRAPUP_MISSING = "wrapup-missing"
    OVERDUE = "overdue"
    UNEXPECTED_TRANSITION = "unexpected-transition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A step that was not expected, and the gap in which something was probably lost (epoch ms)."""

    kind: AnomalyKind
    event_id: str | None  # None where the passing of time raised it
    position: int | None  # of the event; None without an event
    gap_from: int | None  # None before the first event of the subject
    gap_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayState:
    """What is shown of a subject."""

    status: str
    current_state: str
    task_id: str | None = None
    queue_id: str | None = None
    idle_code_id: str | None = None

    def has_status_of(self, other: DisplayState) -> bool:
        """Whether the status is the same, in whatever spelling."""
        return self.status == other.status or plain_word(self.status) == plain_word(other.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A display state from its start (epoch ms) up to the start of the subject's next interval."""

    start: int
    display: DisplayState
    event_id: str | None  # of the event that began it; None where the passing of time did
    silent_since: int | None = None  # where the passing of time began it: the last event's time


@dataclass(slots=True, kw_only=True)
class LastEvent:
    """The last event that was folded; times are epoch ms."""

    id: str
    type: str
    created_time: int | None
    recorded_time: int
    position: int
    time: int


@dataclass(slots=True, kw_only=True)
class State(ABC):
    """The state of one subject, which events change in place.

    Here stands what agents and tasks have in common, and what each must answer.
    """

    # Counters are written and read beside the state, so pydantic need not know their type.
    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True}

    status_since: int | None = None
    last_event: LastEvent | None = None
    first_known_time: int = 0  # of the events in the millisecond of the last one
    # The time of the last reconciled event, while a webhook may still state the same fact.
    reconciled_time: int | None = None
    counters: Counters = field(default_factory=Counters, compare=False)

    @property
    def event_count(self) -> int:
        """The number of events that were folded."""
        return self.counters[EVENT_COUNT]

    @property
    def anomaly_count(self) -> int:
        """The number of anomalies that were not withdrawn."""
        return self.counters[ANOMALY_COUNT]

    def can_append(self, ordered: Sequence[Recorded], last_known_time: int) -> bool:
        """Whether the fold may go on with these events: all of them come after the known ones.

        ``ordered`` are events of the subject in their order, at least one. ``last_known_time`` is
        that of the last known event (epoch ms), which may be a restatement that no state remembers.
        A reconciled event and a webhook within the tolerance may state one fact, so they must be
        folded together.
        """
        start, last = ordered[0].time, self.last_event
        if last is None:
            return True
        by_webhook = all(recorded.origin is not Origin.RECONCILIATION for recorded in ordered)
        comparable = self.reconciled_time if by_webhook else last.time
        return last_known_time < start and (
            comparable is None or comparable + RECONCILIATION_TOLERANCE_MS < start
        )

    @abstractmethod
    def apply_event(self, recorded: Recorded) -> AnomalyKind | None:
        """Apply one event; return what was not expected about it."""

    @abstractmethod
    def display_state(self) -> DisplayState:
        """What is shown of this state."""

    @abstractmethod
    def is_same_interval(self, before: DisplayState, now: DisplayState) -> bool:
        """Whether two display states, one after the other, belong to one interval."""

    @abstractmethod
    def copy(self) -> Self:
        """A state that changes apart from this one; what events alone change may be shared."""

    def tick_order(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        """The events of one millisecond in the order in which this state takes them.

        They are given in their order (semantics 3). Two ties look at the state before them.
        """
        return events

    @abstractmethod
    def deadline(self) -> int | None:
        """When the passing of time alone will change the state (epoch ms); None for never."""

    @abstractmethod
    def pass_deadline(self, time: int) -> Sequence[Anomaly]:
        """Change the state as it changes at its deadline, and count what is unusual about it.

        ``time`` is when that happens: the deadline, or later where an event moved it into the past.
        Returns the anomalies that stay, whatever comes later.
        """

    def standing_anomalies(self) -> Sequence[Anomaly]:
        """Those that later events may withdraw; no tick has them."""
        return ()

    def waiting_since(self) -> int | None:
        """Since when a customer waits (epoch ms); None where none does."""
        return None

    def live_facts(self) -> Facts:
        """The facts that are stored and may still change."""
        return {}

    def take_final_facts(self) -> Facts:
        """The facts that became final since they were last taken."""
        return {}


S = TypeVar("S", bound=State)
V = TypeVar("V")


@dataclass(slots=True)
class Fold(Generic[S]):
    """A running fold: the state, and the intervals, anomalies and facts since the fold began.

    A tick is all events of one millisecond. They are applied together, since what lasts no time is
    not shown.
    """

    state: S
    intervals: list[Interval] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)  # that stay; the state has the others
    final_facts: Facts = field(default_factory=dict)  # the state has those that may change
    _display: DisplayState | None = None  # of the state; None until it is computed
    _tick_time: int | None = None  # of the last tick
    _display_before_tick: DisplayState | None = None  # None before the first event
    _status_since_before_tick: int | None = None
    _passed_time: int = -1  # up to here time has passed
    _quiet_time: float = -1  # up to here the state as it is has no deadline
    _tick_passed_deadline: bool = False  # the deadline was in the millisecond of the last tick
    _live_facts: Facts | None = None  # of the state; None until they are computed

    def all_anomalies(self) -> Sequence[Anomaly]:
        """Those that stay, and those that later events may withdraw."""
        return [*self.anomalies, *self.state.standing_anomalies()]

    def facts(self) -> Facts:
        """The final facts, and those that may still change."""
        return self.final_facts | self.live_facts()

    def live_facts(self) -> Facts:
        """The facts that are stored and may still change."""
        if self._live_facts is None:
            self._live_facts = self.state.live_facts()
        return self._live_facts

    def advance_to(self, time: int) -> Fold[S]:
        """Let time pass up to ``time`` (epoch ms, included), as a reader at that time sees it."""
        if time > self._quiet_time:
            while self.pass_next_deadline(time) is not None:
                pass
        return self

    def pass_next_deadline(self, time: int) -> int | None:
        """Pass the next deadline up to ``time`` (epoch ms); return its time, None without one.

        What it makes due at the same time passes with it: a session may end with its last leg.
        """
        deadline = self.state.deadline()
        if deadline is None or deadline > time:
            return None
        before, self._quiet_time = self._current_display(), -1
        self._passed_time = max(deadline, self._passed_time)
        self._pass_deadlines(self._passed_time)
        self._update_display(self._passed_time, before, None)
        return self._passed_time

    def _pass_deadlines(self, time: int) -> None:
        while (deadline := self.state.deadline()) is not None and deadline <= time:
            self.anomalies += self.state.pass_deadline(time)
        self._note_facts()

    def _note_facts(self) -> None:
        self._live_facts = None
        if final := self.state.take_final_facts():
            self.final_facts |= final

    def apply(self, time: int, events: Sequence[Recorded]) -> None:
        """Apply a tick: all events of the millisecond ``time``, in their order."""
        self.advance_to(time - 1)
        if len(events) > 1:
            events = self.state.tick_order(events)
        self._display_before_tick = self._current_display() if self.state.last_event else None
        self._status_since_before_tick, self._tick_time = self.state.status_since, time
        self._passed_time = time
        self._apply_to_tick(time, events)

    def can_apply_more(self, time: int) -> bool:
        """Whether ``time`` is that of the last tick, and no deadline passed at its end."""
        return self._tick_time == time and not self._tick_passed_deadline

    def apply_more(self, time: int, events: Sequence[Recorded]) -> None:
        """Add events to the last tick. They come after the events that it has."""
        self.state.status_since = self._status_since_before_tick
        self._apply_to_tick(time, events)

    def _apply_to_tick(self, time: int, events: Sequence[Recorded]) -> None:
        before = self._display_before_tick
        for recorded in events:
            self._apply_event(recorded)
        begun_by: str | None = events[-1].event.id
        deadline = self.state.deadline()
        self._quiet_time = inf if deadline is None else deadline - 1
        self._tick_passed_deadline = time > self._quiet_time
        if self._tick_passed_deadline:
            shown = self.state.display_state()
            self._pass_deadlines(time)
            self._quiet_time = -1
            if not self.state.is_same_interval(shown, self.state.display_state()):
                begun_by = None
        self._update_display(time, before, begun_by)
        self._note_facts()

    def _apply_event(self, recorded: Recorded) -> None:
        state, event = self.state, recorded.event
        kind = state.apply_event(recorded)
        if kind is not None:
            state.counters[ANOMALY_COUNT] += 1
            self.anomalies.append(
                Anomaly(
                    kind=kind,
                    event_id=event.id,
                    position=recorded.position,
                    gap_from=state.last_event.time if state.last_event else None,
                    gap_to=recorded.time,
                )
            )
        state.counters[EVENT_COUNT] += 1
        last, known_time = state.last_event, recorded.known_time
        if last is None or last.time < recorded.time or known_time < state.first_known_time:
            state.first_known_time = known_time
        if recorded.origin is Origin.RECONCILIATION:
            state.reconciled_time = recorded.time
        elif (state.reconciled_time or 0) + RECONCILIATION_TOLERANCE_MS <= recorded.time:
            state.reconciled_time = None
        state.last_event = LastEvent(
            id=event.id,
            type=event.type,
            created_time=recorded.created,
            recorded_time=recorded.recorded_time,
            position=recorded.position,
            time=recorded.time,
        )

    def _current_display(self) -> DisplayState:
        return self._display or self.state.display_state()

    def _update_display(self, time: int, before: DisplayState | None, event_id: str | None) -> None:
        """Compute the display state; begin an interval where it is not that of ``before``."""
        now = self._display = self.state.display_state()
        if before is None or not before.has_status_of(now):
            self.state.status_since = time
        if before is None or not self.state.is_same_interval(before, now):
            last = self.state.last_event
            silent_since = last.time if event_id is None and last is not None else None
            self.intervals.append(
                Interval(start=time, display=now, event_id=event_id, silent_since=silent_since)
            )


def fold(state: S, ordered: Sequence[Recorded], *, after: int = -1) -> Fold[S]:
    """Fold the events later than ``after`` (epoch ms) into a state, which is changed in place.

    ``ordered`` are events of the subject in their order. The state holds those up to ``after`` and
    nothing later. They may be in ``ordered`` too: then later restatements of them are recognized.
    """
    result = Fold(state)
    for time, events in ticks(ordered, after=after):
        result.apply(time, events)
    return result


def ticks(
    ordered: Sequence[Recorded], *, after: int = -1
) -> Iterator[tuple[int, Sequence[Recorded]]]:
    """The ticks later than ``after`` with their times (epoch ms), each fact once."""
    unique_events = (recorded for recorded in facts_once(ordered) if recorded.time > after)
    for time, same_time in groupby(unique_events, key=lambda recorded: recorded.time):
        yield time, tuple(same_time)


def anomaly_keys(anomalies: Iterable[Anomaly]) -> dict[AnomalyKey, Anomaly]:
    """Anomalies of one subject by key. Those of one deadline are numbered in their order."""
    keys: dict[AnomalyKey, Anomaly] = {}
    for anomaly in anomalies:
        position = FIRST_OF_TIME if anomaly.position is None else anomaly.position
        while position <= 0 and (position, anomaly.gap_to) in keys:
            position += 1
        keys[position, anomaly.gap_to] = anomaly
    return keys


def insert_sorted(mapping: dict[str, V], key: str, value: V) -> V:
    """Insert in the order of keys, so that equal states give equal text; return the value."""
    mapping[key] = value
    if len(mapping) > 1:
        ordered = sorted(mapping.items())
        mapping.clear()
        mapping.update(ordered)
    return value


def is_expected(table: Transitions, state: str, word: str) -> bool:
    """Whether a word may follow a state. The state's own word always may."""
    return word == state or state not in table or word in table[state]
