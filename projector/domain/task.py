"""The task: its own words, its participants, and when it is complete.

Rule: an end alone is not final. A task is complete when it has ended and nobody is at work on it,
or when an hour has passed since its end. Later events may reopen it (semantics 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from projector.domain.counters import (
    AGENT_REFUSALS,
    ANOMALY_COUNT,
    CONFERENCES,
    CONSULTS,
    DURATION_OF,
    HOLDS,
    OFFERS,
    SYSTEM_REFUSALS,
    TRANSFERS,
    Counters,
)
from projector.domain.deadlines import COMPLETION_LIMIT_MS, deadline_after, task_limit_ms
from projector.domain.events import Event, Kind, Recorded, plain_word
from projector.domain.facts import FactOutcome, Facts
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
from projector.domain.journey import Journey
from projector.domain.leg import IN_CONVERSATION, LEG_STATUS
from projector.domain.participant import LEFT_STATES, NEVER, Moment, Participant
from projector.domain.state_names import HELD_AGAIN, with_tie

TASK_ENDED, TASK_FAILED = "ended", "failed"
OVER_STATES = frozenset({TASK_ENDED, TASK_FAILED})

# A word to the state that it leads to. Other words change no state.
STATE_AFTER_WORD = {
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
    "ended": TASK_ENDED,
    "failed": TASK_FAILED,
}
# These words close a part of a conversation. They do not reopen a task that is over.
PART_DONE = frozenset({"hold-done", "conference-done", "conference-transferred", "consult-done"})

_ENDINGS = frozenset({TASK_ENDED, TASK_FAILED})
_NEXT_AGENT = frozenset(
    {"parked", "connect", "connected"}
)  # queued, offered, taken by another agent
_IN_TALK = frozenset({"on-hold", "consulting", "conferencing", "hold-done", "conference-done"})
TASK_TRANSITIONS: Transitions = {
    "new": frozenset({"parked", "connect"}) | _ENDINGS,
    "parked": frozenset({"connect"}) | _ENDINGS,
    "connect": frozenset({"connected", "parked"}) | _ENDINGS,
    "connected": _IN_TALK | _NEXT_AGENT | _ENDINGS | {"conference-transferred", "consult-done"},
    "on-hold": _NEXT_AGENT
    | _ENDINGS
    | {"hold-done", "consulting", "consult-done", "conferencing", "new"},
    # A consult to an entry point starts a child contact, whose words mix in.
    "consulting": _NEXT_AGENT
    | _ENDINGS
    | {"consult-done", "conferencing", "on-hold", "hold-done", "new", "conference-done"},
    "conferencing": _NEXT_AGENT
    | _ENDINGS
    | {"conference-done", "conference-transferred", "hold-done"},
    # An end is not final: what reopens a task may follow it, and what closes its parts.
    "ended": _NEXT_AGENT | PART_DONE | {"new", "consulting", "conferencing", "on-hold"},
    "failed": frozenset({"new", "parked", "connect"}),
}

TASK_STATUS = {"new": "created", "parked": "queued", "connect": "offered", UNKNOWN: UNKNOWN}
# Words of a task, and of its agents, that say that somebody talked with the customer.
CONVERSATION_WORDS = IN_CONVERSATION | {"conference-transferred"}
# Words of agents that hint at a conversation whose words may be lost.
TRACE_WORDS = frozenset({"wrapup", "wrapup-done"})
LEFT_BY_TRANSFER = frozenset({"connected", "on-hold", "consulting", "conferencing", TASK_ENDED})
AT_WORK_STATES = frozenset(
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


@dataclass(slots=True, kw_only=True)
class Capture:
    """A recording that became available."""

    file_path: str | None
    created_time: int | None


@dataclass(slots=True, kw_only=True)
class Trace:
    """An event that hints at a conversation; times are epoch ms."""

    event_id: str
    position: int
    time: int
    previous_time: int  # of the event before it


@dataclass(slots=True, kw_only=True)
class TaskState(State):
    """All that is known of a task after some of its events; times are epoch ms."""

    current_state: str = UNKNOWN
    state_since: int | None = None
    had_conversation: bool = False  # as its words and those of its agents say
    has_trace: bool = False  # something hints at a conversation
    first_trace: Trace | None = None  # where nothing before it tells of the conversation
    is_recording_alone: bool = True  # it has no event but captures
    stale_since: int | None = None  # nothing came for so long that it is probably over
    last_moment: Moment = (-1, 0)  # of the last word of an agent
    complete: bool = False
    hour_passed: bool = False  # since the end: now only a reopening changes completion
    wrapup_missing: bool = False  # somebody was still at work when the hour passed
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
    journey: Journey = field(default_factory=Journey)

    # --- what is shown ---

    def status(self) -> str:
        """The status in the words of the vendor's Tasks API: the first that fits."""
        if self.current_state == TASK_FAILED:
            return "failed"
        if self.current_state != TASK_ENDED:
            return TASK_STATUS.get(self.current_state, "assigned")
        if not self.was_in_conversation():
            by_system = (self.terminating_party or "").casefold() == "system"
            return "unanswered" if by_system or self.is_outbound() else "abandoned"
        return "completed" if self.complete else "assigned"

    def was_in_conversation(self) -> bool:
        """Whether the customer ever talked with somebody.

        Traces do not count in an outbound task: nobody need answer it to be hung up or wrapped up.
        """
        return self.had_conversation or (self.has_trace and not self.is_outbound())

    def is_outbound(self) -> bool:
        """Whether the contact centre called the customer."""
        return (self.direction or "").casefold() == "outbound"

    def display_state(self) -> DisplayState:
        return DisplayState(
            status=self.status(), current_state=self.current_state, queue_id=self.queue_id
        )

    def is_same_interval(self, before: DisplayState, now: DisplayState) -> bool:
        return (before.status, before.current_state) == (now.status, now.current_state)

    def is_open(self) -> bool:
        """Whether something may still happen: it is neither complete, failed nor stale."""
        is_over = self.complete or self.current_state == TASK_FAILED
        return not is_over and not self.is_stale() and not self.is_recording_alone

    def is_stale(self) -> bool:
        """Whether nothing came for so long that the task is probably over."""
        return self.stale_since is not None

    def copy(self) -> TaskState:
        return replace(self, counters=Counters(self.counters))

    # --- the passing of time ---

    def completion_deadline(self) -> int | None:
        """When the task will be complete, whoever is at work (epoch ms); None where it will not."""
        if self.current_state != TASK_ENDED or self.hour_passed or self.ended_time is None:
            return None
        return self.ended_time + COMPLETION_LIMIT_MS

    def deadline(self) -> int | None:
        last = self.last_event
        if self.current_state in OVER_STATES:
            return self.completion_deadline()
        if last is None or self.is_stale() or self.is_recording_alone:
            return None
        limit = task_limit_ms(self.channel_type)
        return deadline_after(last.time, self.first_known_time, limit)

    def pass_deadline(self, time: int) -> Sequence[Anomaly]:
        if self.current_state != TASK_ENDED:
            self.stale_since = time
            self.journey = self.journey.with_wait_overdue(self, time)
            self.counters[ANOMALY_COUNT] += 1
            return ()
        self.hour_passed = True
        if not self.complete:
            self.complete, self.completed_time = True, time
            self.wrapup_missing = True
            self.counters[ANOMALY_COUNT] += 1
        return ()

    def standing_anomalies(self) -> Sequence[Anomaly]:
        anomalies = []
        trace = self.first_trace
        if trace is not None and not self.is_outbound():  # by the direction as it is known now
            anomalies.append(
                Anomaly(
                    kind=AnomalyKind.UNEXPECTED_TRANSITION,
                    event_id=trace.event_id,
                    position=trace.position,
                    gap_from=trace.previous_time,
                    gap_to=trace.time,
                )
            )
        if self.stale_since is not None and self.last_event is not None:
            start = self.last_event.time
            anomalies.append(_anomaly(AnomalyKind.MISSING_END, start, self.stale_since))
        if self.wrapup_missing and self.completed_time is not None:
            start = self.completed_time - COMPLETION_LIMIT_MS
            anomalies.append(_anomaly(AnomalyKind.WRAPUP_MISSING, start, self.completed_time))
        return anomalies

    # --- facts ---

    def waiting_since(self) -> int | None:
        return None if self.journey.wait is None else self.journey.wait.start

    def live_facts(self) -> Facts:
        journey = self.journey
        if journey.wait is None and not journey.contacts:
            return {}
        return journey.live_facts(self, self.deadline())

    def take_final_facts(self) -> Facts:
        return self.journey.take_final()

    # --- ties ---

    def tick_order(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        if self.current_state == "on-hold":
            events = with_tie(events, HELD_AGAIN, kind=Kind.TASK)
        for agent_id, participant in self.participants.items():
            if (
                participant.is_open()
                and LEG_STATUS.get(participant.state, participant.state) == "on-hold"
            ):
                events = with_tie(events, HELD_AGAIN, agent_id=agent_id)
        return events

    # --- events ---

    def apply_event(self, recorded: Recorded) -> AnomalyKind | None:
        event = recorded.event
        if self.stale_since is not None:
            self.stale_since = None
            self.counters[ANOMALY_COUNT] -= 1  # that anomaly is withdrawn
        if event.kind is Kind.CAPTURE:
            self._apply_capture(event, recorded.created)
            return None
        self.is_recording_alone = False
        self.journey.move_to(self, recorded.time)
        if event.kind is Kind.STATE:
            self._apply_agent_event(recorded)
            return None
        return self._apply_task_event(recorded)

    def _apply_task_event(self, recorded: Recorded) -> AnomalyKind | None:
        event, time = recorded.event, recorded.time
        self._copy_fields(event)
        word = event.word or ""
        if word != "parked" and self.queued_time is None and self.is_outbound():
            self.journey.drop_wait()
        if word == TASK_ENDED and _ends_an_offer(event):
            self.counters[SYSTEM_REFUSALS] += 1
            self.journey.refuse_offer(self, time)
            return None
        anomaly = self._unexpected_word(word)
        note = _NOTES.get(word)
        if note is not None:
            note(self, event, time)
        self.had_conversation = self.had_conversation or word in CONVERSATION_WORDS
        if word == TASK_ENDED and (event.terminating_party or "").casefold() == "agent":
            self._note_trace(recorded, is_anomaly=anomaly is not None)
        leads_to = STATE_AFTER_WORD.get(word)
        if leads_to is not None and not (word in PART_DONE and self.current_state in OVER_STATES):
            self._enter_state(leads_to, event, time)
        self._go_on_with_journey(event, word, time)
        return anomaly

    def _go_on_with_journey(self, event: Event, word: str, time: int) -> None:
        journey = self.journey
        if word == "parked":
            journey.park(self, time, event.queue_id)
        elif word == "connect":
            keeps_waiting = self.queued_time is not None or not self.is_outbound()
            journey.offer_task(self, time, event.queue_id, keeps_waiting=keeps_waiting)
        elif word in OVER_STATES:
            journey.end(self, time, self._wait_outcome(event, word))
        elif word in CONVERSATION_WORDS and self.current_state not in OVER_STATES:
            journey.converse(self, time)

    def _wait_outcome(self, event: Event, word: str) -> FactOutcome:
        """How a wait ends with the task."""
        party = (event.terminating_party or "").casefold()
        if word == TASK_FAILED or self.is_outbound():
            return FactOutcome.UNANSWERED
        if party == "agent":  # an agent was there, so there was probably a conversation
            return FactOutcome.UNKNOWN
        return FactOutcome.ABANDONED if party in {"", "customer"} else FactOutcome.UNANSWERED

    def _enter_state(self, state: str, event: Event, time: int) -> None:
        if state == TASK_ENDED:
            self.ended_time = time
            self.terminating_party, self.reason = event.terminating_party, event.reason
        elif state == TASK_FAILED:
            self.reason = event.reason
            self._undo_completion()
        elif self.current_state in OVER_STATES:
            self.ended_time = self.terminating_party = self.reason = None
            self._undo_completion()
        if state != self.current_state:
            if self.state_since is not None:
                self._add_duration(self.current_state, time - self.state_since)
                self.journey.leave_state(self.current_state, self.state_since, time)
            self.current_state, self.state_since = state, time
        self._update_completion(time)

    def _add_duration(self, state: str, ms: int) -> None:
        if state in DURATION_OF:
            self.counters[DURATION_OF[state]] += ms

    def _undo_completion(self) -> None:
        self.counters[ANOMALY_COUNT] -= self.wrapup_missing  # that anomaly is withdrawn
        self.complete = self.hour_passed = self.wrapup_missing = False
        self.completed_time = None

    def _update_completion(self, time: int) -> None:
        """A task is complete when it has ended and nobody is at work, or the hour has passed."""
        if self.hour_passed:
            return
        complete = self.current_state == TASK_ENDED and not any(
            participant.state in AT_WORK_STATES for participant in self.participants.values()
        )
        if complete != self.complete:
            self.complete = complete
            self.completed_time = time if complete else None

    def _apply_agent_event(self, recorded: Recorded) -> None:
        event, time = recorded.event, recorded.time
        agent_id, word = event.agent_id or "", event.word
        participant = self.participants.get(agent_id)
        is_new = participant is None
        if word is not None:
            if word in TRACE_WORDS:
                self._note_trace(recorded, is_anomaly=False)
            if participant is None:
                joined = Participant(state="", since=time, joined_time=time)
                participant = insert_sorted(self.participants, agent_id, joined)
        if participant is not None:
            participant.team_id = event.team_id or participant.team_id
            if word is not None:
                self.journey.note_agent(agent_id, word, is_new=is_new)
                self._go_on_with_agent(agent_id, word, time)
                self._move_participant(participant, agent_id, word, time)
            participant.wrap_up_aux_code_id = (
                event.wrap_up_aux_code_id or participant.wrap_up_aux_code_id
            )
            self.journey.note_team(agent_id, participant)
        self._update_completion(time)

    def _go_on_with_agent(self, agent_id: str, word: str, time: int) -> None:
        journey = self.journey
        if word == "not-responding":
            journey.refuse(self, time, agent_id)
        elif not journey.is_about_wait(agent_id):
            return
        elif word in IN_CONVERSATION and self.current_state not in OVER_STATES:
            journey.answer(self, time, agent_id)
        elif word in TRACE_WORDS and not self.is_outbound():
            journey.note_trace(self, time)

    def _move_participant(
        self, participant: Participant, agent_id: str, word: str, time: int
    ) -> None:
        if plain_word(participant.state) != plain_word(word):
            self.journey.change_word(agent_id, participant, word, time)
            self._note_consult_transfer(participant, word, time)
            participant.note_consulted(word)
            if participant.state == "wrapup":
                self._add_duration("wrapup", time - participant.since)
            participant.state, participant.since = word, time
        self.had_conversation = self.had_conversation or word in IN_CONVERSATION
        if word == "connected":
            self.connected_time = _first(self.connected_time, time)
        if word == "not-responding" and participant.refused_time != time:
            # Both versions of the event report one refusal in the same millisecond.
            participant.refused_time = time
            self.counters[AGENT_REFUSALS] += 1

    def _note_consult_transfer(self, participant: Participant, word: str, time: int) -> None:
        """Count a task that goes from one agent to another whom that one has consulted.

        The consulted agent takes over, and the other one leaves, in either order. Each takes part
        in one transfer. ``participant`` is the agent before the word.
        """
        moment = self._next_moment(time)
        others = [it for it in self.participants.values() if it is not participant]
        if word == "ringing" or participant.part_began is None:
            participant.part_began = moment
            participant.took_over = participant.talks_since = None
        if word == "conferencing":
            participant.conferenced = moment
        if word in IN_CONVERSATION:
            participant.left = None
            participant.talks_since = participant.talks_since or moment
        if word == "connected" and participant.is_consulted:
            participant.took_over = moment
            self._transfer(
                (participant, it)
                for it in others
                if it.left is not None and it.left > participant.part_began
            )
        elif word == "wrapup" or word in LEFT_STATES:
            participant.took_over = None
            if participant.talks_since is not None:
                since, participant.talks_since = participant.talks_since, None
                participant.left = moment
                self._transfer(
                    (it, participant)
                    for it in others
                    if it.took_over is not None and since < it.took_over
                )

    def _transfer(self, pairs: Iterable[tuple[Participant, Participant]]) -> None:
        """Count the first of some pairs of who took over and who left, if there is one.

        Where one of them conferenced since the consult began, it was a conference.
        """
        fitting = [
            (new, old)
            for new, old in pairs
            if max(new.conferenced or NEVER, old.conferenced or NEVER) < (new.part_began or NEVER)
        ]
        if fitting:
            new, old = min(fitting, key=lambda pair: (pair[0].took_over, pair[1].left))
            new.took_over = old.left = None
            self.counters[TRANSFERS] += 1

    def _next_moment(self, time: int) -> Moment:
        number = self.last_moment[1] + 1 if self.last_moment[0] == time else 0
        self.last_moment = time, number
        return self.last_moment

    def _note_trace(self, recorded: Recorded, *, is_anomaly: bool) -> None:
        """Something hints at a conversation; without another sign of it, its words are lost.

        With ``is_anomaly`` the event is unexpected for another reason, too.
        """
        is_first = not (self.has_trace or self.had_conversation)
        self.has_trace = True
        if is_first and not is_anomaly and self.last_event is not None:
            self.first_trace = Trace(
                event_id=recorded.event.id,
                position=recorded.position,
                time=recorded.time,
                previous_time=self.last_event.time,
            )
            self.counters[ANOMALY_COUNT] += not self.is_outbound()

    def _apply_capture(self, event: Event, created: int | None) -> None:
        self.captures.append(Capture(file_path=event.file_path, created_time=created))

    def _copy_fields(self, event: Event) -> None:
        self.channel_type = event.channel_type or self.channel_type
        was_outbound = self.is_outbound()
        self.direction = event.direction or self.direction
        if self.first_trace is not None:
            self.counters[ANOMALY_COUNT] += was_outbound - self.is_outbound()
        self.outbound_type = event.outbound_type or self.outbound_type
        self.origin = event.origin or self.origin
        self.destination = event.destination or self.destination
        self.queue_id = event.queue_id or self.queue_id

    def _unexpected_word(self, word: str) -> AnomalyKind | None:
        if word not in STATE_AFTER_WORD:
            return None
        expected = is_expected(TASK_TRANSITIONS, self.current_state, word)
        return None if expected else AnomalyKind.UNEXPECTED_TRANSITION

    # --- what single words record ---

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
        """A task that is queued or offered directly after a conversation is transferred."""
        if self.had_conversation and self.current_state in LEFT_BY_TRANSFER:
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


def _anomaly(kind: AnomalyKind, start: int, end: int) -> Anomaly:
    return Anomaly(kind=kind, event_id=None, position=None, gap_from=start, gap_to=end)


def _first(earlier: int | None, time: int) -> int:
    return time if earlier is None else earlier


def _ends_an_offer(event: Event) -> bool:
    """Whether only the offer is over: the system ended it, and the reason names RONA."""
    party, reason = event.terminating_party or "", event.reason or ""
    return party.casefold() == "system" and "rona" in reason.casefold()


_NOTES: dict[str, Callable[[TaskState, Event, int], None]] = {
    "new": TaskState._note_new,  # noqa: SLF001 - the table of this class's own handlers
    "parked": TaskState._note_parked,  # noqa: SLF001
    "connect": TaskState._note_connect,  # noqa: SLF001
    "connected": TaskState._note_connected,  # noqa: SLF001
    "on-hold": TaskState._note_hold,  # noqa: SLF001
    "consulting": TaskState._note_consult,  # noqa: SLF001
    "conferencing": TaskState._note_conference,  # noqa: SLF001
    "conference-transferred": TaskState._note_transfer,  # noqa: SLF001
}
