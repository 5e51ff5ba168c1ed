"""The task: its own words, its participants, and when it is complete.

The rule of this file: an end is never final by itself. A task is complete when it has ended and
nobody is at work on it, or when an hour has passed since; and later events may reopen it
(semantics 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from projector.domain.counters import (
    ANOMALIES,
    CONFERENCES,
    CONSULTS,
    DURATION_OF,
    HOLDS,
    OFFERS,
    REFUSALS,
    REFUSED_OFFERS,
    TRANSFERS,
)
from projector.domain.events import Event, Kind, Recorded, plain_word
from projector.domain.fold import (
    UNKNOWN,
    Anomaly,
    AnomalyKind,
    DisplayState,
    State,
    Transitions,
    insert_sorted,
    is_expected,
)
from projector.domain.leg import CLOSING
from projector.domain.state_names import LOGGED_OUT

HOUR_MS = 3_600_000
ENDED, FAILED = "ended", "failed"
OVER = frozenset({ENDED, FAILED})

# The state that a word leads to; a word that has none changes no state.
LEADS_TO = {
    "new": "new",
    "parked": "parked",
    "connect": "connect",
    "connected": "connected",
    "on-hold": "on-hold",
    "consulting": "consulting",
    "conferencing": "conferencing",
    "hold-done": "connected",
    "conference-done": "connected",
    "conference-transferred": "connected",
    "consult-done": "on-hold",  # the customer is still held
    "ended": ENDED,
    "failed": FAILED,
}
# These close a part of a conversation; where the task is over they say nothing new.
DONE = frozenset({"hold-done", "conference-done", "conference-transferred", "consult-done"})

_END = frozenset({ENDED, FAILED})
_AGAIN = frozenset({"parked", "connect", "connected"})  # queued, offered, taken by another agent
_TALK = frozenset({"on-hold", "consulting", "conferencing", "hold-done", "conference-done"})
TASK: Transitions = {
    "new": frozenset({"parked", "connect"}) | _END,
    "parked": frozenset({"connect"}) | _END,
    "connect": frozenset({"connected", "parked"}) | _END,
    "connected": _TALK | _AGAIN | _END | {"conference-transferred", "consult-done"},
    "on-hold": _AGAIN | _END | {"hold-done", "consulting", "consult-done", "conferencing", "new"},
    # A consult to an entry point starts a child contact, whose words mix in.
    "consulting": _AGAIN
    | _END
    | {"consult-done", "conferencing", "on-hold", "hold-done", "new", "conference-done"},
    "conferencing": _AGAIN | _END | {"conference-done", "conference-transferred", "hold-done"},
    # An end is not final: all that reopens a task may follow it, and what closes its parts.
    "ended": _AGAIN | DONE | {"new", "consulting", "conferencing", "on-hold"},
    "failed": frozenset({"new", "parked", "connect"}),
}

STATUS = {"new": "created", "parked": "queued", "connect": "offered", UNKNOWN: UNKNOWN}
ONCE_CONNECTED = frozenset({"connected", "on-hold", "hold-done", "consulting", "conferencing"})
LEFT_BY_TRANSFER = frozenset({"connected", "on-hold", "consulting", "conferencing", ENDED})
AT_WORK = frozenset(
    {
        "connected",
        "on-hold",
        "hold-done",
        "consulting",
        "conferencing",
        "conference-done",
        "wrapup",
    }
)
LEFT = CLOSING | {LOGGED_OUT}


@dataclass(slots=True, kw_only=True)
class Participant:
    """An agent in this task, by the agent's own state events."""

    state: str
    since: int
    joined_time: int
    wrap_up_aux_code_id: str | None = None
    refused_time: int | None = None  # the last time it did not respond

    def is_open(self) -> bool:
        return self.state not in LEFT


@dataclass(slots=True, kw_only=True)
class Capture:
    """A recording that became available."""

    file_path: str | None
    created_time: int | None


@dataclass(slots=True, kw_only=True)
class TaskState(State):
    """All that is known of a task after some of its events; times are epoch ms."""

    current_state: str = UNKNOWN
    state_since: int | None = None
    ever_connected: bool = False
    complete: bool = False
    hour_passed: bool = False  # since the end; from then on only a reopening changes completion
    wrapup_missing: bool = False  # when it passed, somebody was still at work
    channel_type: str | None = None
    direction: str | None = None
    outbound_type: str | None = None
    origin: str | None = None
    destination: str | None = None
    queue_id: str | None = None
    created_time: int | None = None
    queued_time: int | None = None
    offered_time: int | None = None
    connected_time: int | None = None
    ended_time: int | None = None
    completed_time: int | None = None
    terminating_party: str | None = None
    reason: str | None = None
    participants: dict[str, Participant] = field(default_factory=dict)
    captures: list[Capture] = field(default_factory=list)

    # --- what is shown ---

    def status(self) -> str:
        """The vendor's Tasks API words, first that fits."""
        if self.current_state == FAILED:
            return "failed"
        if self.current_state != ENDED:
            return STATUS.get(self.current_state, "assigned")
        if not self.ever_connected:
            return "abandoned"
        return "completed" if self.complete else "assigned"

    def display_state(self) -> DisplayState:
        return DisplayState(
            status=self.status(), current_state=self.current_state, queue_id=self.queue_id
        )

    def is_same_interval(self, before: DisplayState, now: DisplayState) -> bool:
        return (before.status, before.current_state) == (now.status, now.current_state)

    def is_open(self) -> bool:
        """Neither complete nor failed."""
        return not self.complete and self.current_state != FAILED

    # --- the hour ---

    def deadline(self) -> int | None:
        if self.current_state != ENDED or self.hour_passed or self.ended_time is None:
            return None
        return self.ended_time + HOUR_MS

    def pass_deadline(self) -> None:
        due = self.deadline()
        self.hour_passed = True
        if not self.complete:
            self.complete, self.completed_time = True, due
            self.wrapup_missing = True
            self.counters[ANOMALIES] += 1

    def deadline_anomaly(self) -> Anomaly | None:
        if not self.wrapup_missing or self.completed_time is None:
            return None
        return Anomaly(
            kind=AnomalyKind.WRAPUP_MISSING,
            event_id=None,
            position=None,
            gap_from=self.completed_time - HOUR_MS,
            gap_to=self.completed_time,
        )

    # --- steps ---

    def apply_event(self, recorded: Recorded) -> AnomalyKind | None:
        event, time = recorded.event, recorded.time
        if event.kind is Kind.CAPTURE:
            self._capture(event, recorded.created)
            return None
        if event.kind is Kind.STATE:
            return self._participate(event, time)
        return self._take(event, time)

    def _take(self, event: Event, time: int) -> AnomalyKind | None:
        self._carry(event)
        word = event.word or ""
        if word == ENDED and _ends_an_offer(event):
            self.counters[REFUSED_OFFERS] += 1
            return None
        anomaly = self._unexpected(word)
        noted = _NOTED.get(word)
        if noted is not None:
            noted(self, event, time)
        self.ever_connected = self.ever_connected or word in ONCE_CONNECTED
        leads_to = LEADS_TO.get(word)
        if leads_to is not None and not (word in DONE and self.current_state in OVER):
            self._enter(leads_to, event, time)
        return anomaly

    def _enter(self, state: str, event: Event, time: int) -> None:
        if state == ENDED:
            self.ended_time = time
            self.terminating_party, self.reason = event.terminating_party, event.reason
        elif state == FAILED:
            self.reason = event.reason
            self._undo_completion()
        elif self.current_state in OVER:
            self.ended_time = self.terminating_party = self.reason = None
            self._undo_completion()
        if state != self.current_state:
            if self.state_since is not None:
                self._add_duration(self.current_state, time - self.state_since)
            self.current_state, self.state_since = state, time
        self._weigh_completion(time)

    def _add_duration(self, state: str, ms: int) -> None:
        if state in DURATION_OF:
            self.counters[DURATION_OF[state]] += ms

    def _undo_completion(self) -> None:
        self.counters[ANOMALIES] -= self.wrapup_missing  # it is withdrawn
        self.complete = self.hour_passed = self.wrapup_missing = False
        self.completed_time = None

    def _weigh_completion(self, time: int) -> None:
        """Complete is: ended, and nobody at work. Once the hour has passed it is settled."""
        if self.hour_passed:
            return
        complete = self.current_state == ENDED and not any(
            participant.state in AT_WORK for participant in self.participants.values()
        )
        if complete != self.complete:
            self.complete = complete
            self.completed_time = time if complete else None

    def _participate(self, event: Event, time: int) -> AnomalyKind | None:
        agent_id, word = event.agent_id or "", event.word
        participant = self.participants.get(agent_id)
        if word is not None:
            if participant is None:
                joined = Participant(state=word, since=time, joined_time=time)
                participant = insert_sorted(self.participants, agent_id, joined)
            self._move(participant, word, time)
        if participant is not None:
            participant.wrap_up_aux_code_id = (
                event.wrap_up_aux_code_id or participant.wrap_up_aux_code_id
            )
        self._weigh_completion(time)
        return None

    def _move(self, participant: Participant, word: str, time: int) -> None:
        if plain_word(participant.state) != plain_word(word):
            if participant.state == "wrapup":
                self._add_duration("wrapup", time - participant.since)
            participant.state, participant.since = word, time
        if word == "connected":
            self.ever_connected = True
            self.connected_time = _first(self.connected_time, time)
        if word == "not-responding" and participant.refused_time != time:
            # Both versions of the event say it in the same millisecond: one refusal.
            participant.refused_time = time
            self.counters[REFUSALS] += 1

    def _capture(self, event: Event, created: int | None) -> None:
        self.captures.append(Capture(file_path=event.file_path, created_time=created))

    def _carry(self, event: Event) -> None:
        self.channel_type = event.channel_type or self.channel_type
        self.direction = event.direction or self.direction
        self.outbound_type = event.outbound_type or self.outbound_type
        self.origin = event.origin or self.origin
        self.destination = event.destination or self.destination
        self.queue_id = event.queue_id or self.queue_id

    def _unexpected(self, word: str) -> AnomalyKind | None:
        if word not in LEADS_TO:
            return None
        expected = is_expected(TASK, self.current_state, word)
        return None if expected else AnomalyKind.UNEXPECTED_TRANSITION

    # --- what single words note ---

    def _note_new(self, _: Event, time: int) -> None:
        self.created_time = _first(self.created_time, time)

    def _note_parked(self, _: Event, time: int) -> None:
        self.queued_time = _first(self.queued_time, time)
        self._note_requeued()

    def _note_connect(self, _: Event, time: int) -> None:
        self.offered_time = _first(self.offered_time, time)
        self.counters[OFFERS] += 1
        self._note_requeued()

    def _note_requeued(self) -> None:
        """Queued or offered again straight out of a conversation: a transfer."""
        if self.ever_connected and self.current_state in LEFT_BY_TRANSFER:
            self.counters[TRANSFERS] += 1

    def _note_connected(self, _: Event, time: int) -> None:
        self.connected_time = _first(self.connected_time, time)

    def _note_hold(self, _: Event, __: int) -> None:
        self.counters[HOLDS] += 1

    def _note_consult(self, _: Event, __: int) -> None:
        self.counters[CONSULTS] += 1

    def _note_conference(self, _: Event, __: int) -> None:
        self.counters[CONFERENCES] += 1

    def _note_transfer(self, _: Event, __: int) -> None:
        self.counters[TRANSFERS] += 1


def _first(known: int | None, time: int) -> int:
    return time if known is None else known


def _ends_an_offer(event: Event) -> bool:
    """An end by the system that names RONA: the offer is over, the task goes on."""
    party, reason = event.terminating_party or "", event.reason or ""
    return party.casefold() == "system" and "rona" in reason.casefold()


_NOTED: dict[str, Callable[[TaskState, Event, int], None]] = {
    "new": TaskState._note_new,  # noqa: SLF001 - the table of this class's own steps
    "parked": TaskState._note_parked,  # noqa: SLF001
    "connect": TaskState._note_connect,  # noqa: SLF001
    "connected": TaskState._note_connected,  # noqa: SLF001
    "on-hold": TaskState._note_hold,  # noqa: SLF001
    "consulting": TaskState._note_consult,  # noqa: SLF001
    "conferencing": TaskState._note_conference,  # noqa: SLF001
    "conference-transferred": TaskState._note_transfer,  # noqa: SLF001
}
