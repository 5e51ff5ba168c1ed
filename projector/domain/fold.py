"""The fold: how ordered events become the state of a subject, its intervals and its anomalies.

The rule of this file: it names no state. Live intake, late events, replay and every question about
the past call ``fold``; what a word does stands in the tables of ``agent.py`` and ``task.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import ClassVar, Generic, TypeVar

from projector.domain.counters import ANOMALIES, EVENTS, Counters
from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Origin,
    Recorded,
    plain_word,
    restatements,
)

UNKNOWN = "unknown"

# From a state, the words that may come next. A state that has no row expects anything.
Expected = Mapping[str, frozenset[str]]


class AnomalyKind(StrEnum):
    """What was not expected, first that fits (semantics 6)."""

    MISSING_LOGIN = "missing-login"
    MISSING_LOGOUT = "missing-logout"
    UNKNOWN_STATE = "unknown-state"
    WRAPUP_MISSING = "wrapup-missing"
    UNEXPECTED_TRANSITION = "unexpected-transition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A step that was not expected, and the gap in which something was probably lost (epoch ms)."""

    kind: AnomalyKind
    event_id: str | None  # null where the passing of time raised it
    position: int | None  # the event's, null with it
    gap_from: int | None  # null where nothing is known before
    gap_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayState:
    """What is shown of a subject between two changes."""

    status: str
    current_state: str
    task_id: str | None = None
    queue_id: str | None = None
    idle_code_id: str | None = None

    def has_status_of(self, other: DisplayState) -> bool:
        return self.status == other.status or plain_word(self.status) == plain_word(other.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch from its start (epoch ms) on; it ends where the subject's next one starts."""

    start: int
    display: DisplayState
    event_id: str | None  # null where the passing of time began it


@dataclass(slots=True, kw_only=True)
class LastEvent:
    """The last event folded, in order."""

    id: str
    type: str
    created_time: int | None
    recorded_time: int
    position: int
    time: int


@dataclass(slots=True, kw_only=True)
class State(ABC):
    """The state of one subject, folded in place: what all have in common, and must answer."""

    # The counters is written and read beside the rest, so pydantic need not know it.
    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True}

    status_since: int | None = None
    last_event: LastEvent | None = None
    reconciled_time: int | None = None  # what reconciliation told last, while a webhook may be near
    counters: Counters = field(default_factory=Counters, compare=False)

    @property
    def event_count(self) -> int:
        """How many events were folded."""
        return self.counters[EVENTS]

    @property
    def anomaly_count(self) -> int:
        """How many anomalies stand."""
        return self.counters[ANOMALIES]

    def is_before(self, ordered: Sequence[Recorded]) -> bool:
        """Whether folding may go on from here: nothing of these belongs among what is folded.

        What reconciliation told and a webhook of about the same time are weighed together.
        """
        start, last = ordered[0].time, self.last_event
        if last is None:
            return True
        by_webhook = all(recorded.origin is not Origin.RECONCILIATION for recorded in ordered)
        near = self.reconciled_time if by_webhook else last.time
        return last.time < start and (near is None or near + RECONCILIATION_TOLERANCE_MS < start)

    @abstractmethod
    def step(self, recorded: Recorded) -> AnomalyKind | None:
        """Take one event; say what was not expected about it."""

    @abstractmethod
    def display_state(self) -> DisplayState:
        """What an interval that starts now would show."""

    @abstractmethod
    def continues(self, before: DisplayState, now: DisplayState) -> bool:
        """Whether two stretches are one interval."""

    @abstractmethod
    def deadline(self) -> int | None:
        """When the passing of time alone will change the state, if ever (epoch ms)."""

    @abstractmethod
    def pass_deadline(self) -> None:
        """Let the due moment pass."""

    def deadline_anomaly(self) -> Anomaly | None:
        """What the passing of time alone has shown to be missing, as long as it stands."""
        return None


S = TypeVar("S", bound=State)
V = TypeVar("V")


@dataclass(slots=True)
class Fold(Generic[S]):
    """What a fold tells: the state, the intervals begun and the events not expected on the way."""

    state: S
    intervals: list[Interval] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)  # of events; time's are in the state
    _told: DisplayState | None = None  # what the state shows, where it is known already
    _before: DisplayState | None = None  # what was shown before the millisecond taken last
    _since: int | None = None  # since when its status was
    _taken: int | None = None
    _deadline_passed: bool = False  # whether time passed at its end

    def advance_to(self, moment: int) -> Fold[S]:
        """Let time pass up to and with ``moment``, as one who reads then would see it."""
        due = self.state.deadline()
        if due is not None and due <= moment:
            before = self._shown()
            self.state.pass_deadline()
            self._begin(due, before, None)
        return self

    def apply(self, time: int, moment: Sequence[Recorded]) -> None:
        """Take all events of one millisecond: what lasts no time is not shown."""
        self.advance_to(time - 1)
        self._before = self._shown() if self.state.last_event else None
        self._since, self._taken = self.state.status_since, time
        self._go_through(time, moment)

    def can_apply_more(self, time: int) -> bool:
        """Whether a millisecond is the one taken last, and no time passed at its end."""
        return self._taken == time and not self._deadline_passed

    def apply_more(self, time: int, moment: Sequence[Recorded]) -> None:
        """Take events of the millisecond taken last that come after all taken of it."""
        self.state.status_since = self._since
        self._go_through(time, moment)

    def _go_through(self, time: int, moment: Sequence[Recorded]) -> None:
        before = self._before
        for recorded in moment:
            self._step(recorded)
        begun_by: str | None = moment[-1].event.id
        self._deadline_passed = self.state.deadline() == time
        if self._deadline_passed:
            if before is not None and self.state.continues(before, self.state.display_state()):
                begun_by = None
            self.state.pass_deadline()
        self._begin(time, before, begun_by)

    def _step(self, recorded: Recorded) -> None:
        state, event = self.state, recorded.event
        kind = state.step(recorded)
        if kind is not None:
            state.counters[ANOMALIES] += 1
            self.anomalies.append(
                Anomaly(
                    kind=kind,
                    event_id=event.id,
                    position=recorded.position,
                    gap_from=state.last_event.time if state.last_event else None,
                    gap_to=recorded.time,
                )
            )
        state.counters[EVENTS] += 1
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

    def _shown(self) -> DisplayState:
        return self._told or self.state.display_state()

    def _begin(self, time: int, before: DisplayState | None, event_id: str | None) -> None:
        now = self._told = self.state.display_state()
        if before is None or not before.has_status_of(now):
            self.state.status_since = time
        if before is None or not self.state.continues(before, now):
            self.intervals.append(Interval(start=time, display=now, event_id=event_id))


def fold(state: S, ordered: Sequence[Recorded], *, after: int = -1) -> Fold[S]:
    """Fold events in their order into a state that holds none of them and nothing later.

    ``state`` is changed in place. Repeated statements of one fact are passed over, also where it is
    stated first by an event up to ``after`` (epoch ms), which the state holds already.
    """
    story = Fold(state)
    repeats = restatements(ordered)
    told = (
        recorded
        for recorded in ordered
        if recorded.position not in repeats and recorded.time > after
    )
    for time, moment in groupby(told, key=lambda recorded: recorded.time):
        story.apply(time, tuple(moment))
    return story


def put(mapping: dict[str, V], key: str, value: V) -> V:
    """Insert in the order of keys, so that equal states are written alike."""
    mapping[key] = value
    if len(mapping) > 1:
        ordered = sorted(mapping.items())
        mapping.clear()
        mapping.update(ordered)
    return value


def is_expected(table: Expected, state: str, word: str) -> bool:
    """Whether a word may follow a state; saying the same again always may."""
    return word == state or state not in table or word in table[state]
