"""The agent: its sessions, words and channels, and the one status that a supervisor reads.

Rule: an agent with an open leg is shown by its busiest leg, whatever its last word says. An agent
without an open session is shown as logged out (semantics 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

from projector.domain.counters import ANOMALY_COUNT, Counters
from projector.domain.deadlines import SESSION_LIMIT_MS, deadline_after, is_telephony
from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Event,
    Kind,
    Origin,
    Recorded,
    plain_word,
)
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
from projector.domain.leg import (
    CONSULT_DONE,
    FREE,
    LEG_STATUS,
    LEG_TRANSITIONS,
    NO_LEG,
    Leg,
    Legs,
    apply_to_legs,
    busiest,
    close_calls,
    close_leg,
    close_overdue,
    releases,
)
from projector.domain.state_names import (
    AGENT_WORDS,
    CHANNEL_LOGGED_OUT,
    CHANNEL_WORDS,
    HELD_AGAIN,
    LOGGED_OUT,
    LOGIN_DEFAULT_WORD,
    RELOGIN,
    with_tie,
)

# What a supervisor reads after a change of telephony ended the call that the last word was of.
FREE_CHANNEL_STATUS = {"Available": "available", "Idle": "idle", CHANNEL_LOGGED_OUT: UNKNOWN}
# Words that may still come after a logout: they open no new session.
TRAILING_WORDS = frozenset({"wrapup-done", "not-responding"})


# For words that name no task: the agent's last word to the words that may come next.
AGENT_TRANSITIONS: Transitions = {
    "idle": FREE | {"ringing", "connected", "consulting"},  # an outdial may start from idle
    "available": FREE | {"ringing", "connected", "consulting"},
    "wrapup-done": FREE | {"ringing", "connected"},
    "not-responding": FREE | {"ringing"},
    **{word: following | FREE for word, following in LEG_TRANSITIONS.items() if word != NO_LEG},
}


@dataclass(slots=True, kw_only=True)
class Session:
    """One stay of an agent, from login to logout (epoch ms); None where that event is missing."""

    login_time: int | None = None
    logout_time: int | None = None
    logged_out_by: str | None = None
    profile_type: str | None = None
    destination: str | None = None


@dataclass(slots=True, kw_only=True)
class Channel:
    """Availability for one channel type."""

    current_state: str
    since: int
    pending_idle_state: bool = False
    idle_code_name: str | None = None


@dataclass(slots=True, kw_only=True)
class AgentState(State):
    """All that is known of an agent after some of its events."""

    logged_in: bool = False
    session: Session | None = None  # the current or the last one
    current_state: str = UNKNOWN
    state_since: int | None = None
    state_task: str | None = None
    # What is shown without an open leg until the next word, instead of the last word: that one was
    # of a leg which something else than a word has closed.
    free_status: str | None = None
    released_tasks: list[str] = field(default_factory=list)  # whose consult released the agent
    ended_by_time: bool = False  # the session, and nothing came since
    idle_code_id: str | None = None  # of the current idle words, one after the other
    idle_code_name: str | None = None
    team_id: str | None = None
    destination: str | None = None
    wrap_up_aux_code_id: str | None = None
    legs: Legs = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)

    # --- what is shown ---

    def display_state(self) -> DisplayState:
        task_id, leg = busiest(self.legs)
        status = self._status(leg)
        return DisplayState(
            status=status,
            current_state=self.current_state,
            task_id=task_id,
            queue_id=leg.queue_id if leg else None,
            idle_code_id=self.idle_code_id if status == "idle" else None,
        )

    def _status(self, leg: Leg | None) -> str:
        if not self.logged_in:
            return LOGGED_OUT
        if leg:
            return leg.status()
        return self.free_status or LEG_STATUS.get(self.current_state, self.current_state)

    def is_same_interval(self, before: DisplayState, now: DisplayState) -> bool:
        return before.has_status_of(now) and (before.task_id, before.idle_code_id) == (
            now.task_id,
            now.idle_code_id,
        )

    def copy(self) -> AgentState:
        return replace(
            self,
            session=self.session and copy(self.session),
            released_tasks=[*self.released_tasks],
            legs=dict(self.legs),
            channels={name: copy(channel) for name, channel in self.channels.items()},
            counters=Counters(self.counters),
        )

    # --- the passing of time ---

    def deadline(self) -> int | None:
        if not self.logged_in or self.last_event is None:
            return None
        if self.legs:
            deadlines = (leg.deadline() for leg in self.legs.values())
            return min((it for it in deadlines if it is not None), default=None)
        last = self.last_event
        return deadline_after(last.time, self.first_known_time, SESSION_LIMIT_MS)

    def pass_deadline(self, time: int) -> Sequence[Anomaly]:
        if not self.legs:
            self._end_session_by_time(time)
            return [self._anomaly_of_time(AnomalyKind.MISSING_LOGOUT, time)]
        closed = close_overdue(self.legs, time)
        if self.state_task in closed:
            self.free_status = UNKNOWN
        return [self._anomaly_of_time(AnomalyKind.OVERDUE, time) for _ in closed]

    def _end_session_by_time(self, time: int) -> None:
        assert self.session is not None  # noqa: S101 - an agent who is logged in has one
        self.session.logout_time = time
        self.ended_by_time = True
        self._log_out(time)

    def _anomaly_of_time(self, kind: AnomalyKind, time: int) -> Anomaly:
        assert self.last_event is not None  # noqa: S101 - else there is no deadline
        self.counters[ANOMALY_COUNT] += 1
        gap_from = self.last_event.time
        return Anomaly(kind=kind, event_id=None, position=None, gap_from=gap_from, gap_to=time)

    # --- ties ---

    def tick_order(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        if self.logged_in:
            events = with_tie(events, RELOGIN)
        for task_id, leg in self.legs.items():
            if leg.status() == "on-hold":
                events = with_tie(events, HELD_AGAIN, task_id=task_id)
        return events

    # --- events ---

    def apply_event(self, recorded: Recorded) -> AnomalyKind | None:
        event, time = recorded.event, recorded.time
        handler = _HANDLERS.get(event.kind)
        if handler is None:
            self.ended_by_time = False
            return None
        was_ended_by_time, self.ended_by_time = self.ended_by_time, False
        if was_ended_by_time and _is_logout(event):
            self._note_late_logout(event, time)
            return None
        if recorded.origin is not Origin.RECONCILIATION or event.kind is Kind.CHANNEL:
            return handler(self, recorded)
        words = self._words()
        anomaly = handler(self, recorded)
        if self.logged_in and self._words() != words:
            self._forget_channels(time)
        return anomaly

    def _apply_login(self, recorded: Recorded) -> AnomalyKind | None:
        event, time = recorded.event, recorded.time
        word = event.word or LOGIN_DEFAULT_WORD
        anomaly = AnomalyKind.MISSING_LOGOUT if self.logged_in else _unknown_word(word, AGENT_WORDS)
        self.state_since = None  # a new session begins a new state, even with the same word
        self.session = Session(
            login_time=time, profile_type=event.profile_type, destination=event.destination
        )
        self.logged_in = True
        self.legs.clear()
        self.released_tasks.clear()
        self._copy_fields(event)
        self._enter_word(word, event.task_id, time)
        self._copy_idle_code(event)
        return anomaly

    def _apply_logout(self, recorded: Recorded) -> AnomalyKind | None:
        event, time = recorded.event, recorded.time
        if self.session is not None and not self.logged_in:
            return None
        anomaly = AnomalyKind.MISSING_LOGIN if self.session is None else None
        if any(leg.is_in_conversation() for leg in self.legs.values()):
            anomaly = anomaly or AnomalyKind.MISSING_END
        self.session = self.session or Session()
        self.session.logout_time = time
        self.session.logged_out_by = event.logged_out_by if event.kind is Kind.LOGOUT else None
        self._copy_fields(event)
        self._log_out(time)
        return anomaly

    def _note_late_logout(self, event: Event, time: int) -> None:
        """The logout of a session that the passing of time has ended."""
        assert self.session is not None  # noqa: S101 - it has ended
        self.session.logout_time = time
        self.session.logged_out_by = event.logged_out_by if event.kind is Kind.LOGOUT else None

    def _log_out(self, time: int) -> None:
        self.logged_in = False
        self.legs.clear()
        self.released_tasks.clear()
        for channel in self.channels.values():
            _enter_channel(channel, CHANNEL_LOGGED_OUT, time)
            channel.pending_idle_state, channel.idle_code_name = False, None
        self._enter_word(LOGGED_OUT, None, time)

    def _apply_state(self, recorded: Recorded) -> AnomalyKind | None:
        event, word = recorded.event, recorded.event.word
        if word == LOGGED_OUT:
            return self._apply_logout(recorded)
        if self._has_closed_session() and word in TRAILING_WORDS:
            self._copy_fields(event)
            return None
        anomaly = self._ensure_session()
        self._copy_fields(event)
        if word is None:
            self._copy_idle_code(event)
            return anomaly
        if word == CONSULT_DONE and (
            event.task_id in self.released_tasks  # told again, as in both versions of the event
            or releases(self.legs, event.task_id, word)
        ):
            return anomaly or self._release(recorded)
        if event.task_id in self.released_tasks:
            self.released_tasks.remove(event.task_id)
        anomaly = anomaly or _unknown_word(word, AGENT_WORDS)
        unexpected = self._unexpected_word(event, word)
        self._enter_word(word, event.task_id, recorded.time)
        self._copy_idle_code(event)
        talking = self._conversations() if event.task_id is None else 0
        apply_to_legs(self.legs, recorded, word)
        if event.task_id is None and talking - self._conversations() > 1:
            anomaly = anomaly or AnomalyKind.MISSING_END
        return anomaly or unexpected

    def _release(self, recorded: Recorded) -> AnomalyKind | None:
        """The consult of an agent who was only consulted is done: nobody waits for them."""
        event, task_id = recorded.event, recorded.event.task_id
        if task_id is not None and task_id not in self.released_tasks:
            self.released_tasks = sorted([*self.released_tasks, task_id])
        unexpected = (
            self._unexpected_word(event, CONSULT_DONE) if self.legs.get(task_id or "") else None
        )
        self._enter_word(CONSULT_DONE, task_id, recorded.time)
        close_leg(self.legs, event)
        self.free_status = UNKNOWN
        return unexpected

    def _conversations(self) -> int:
        return sum(leg.is_in_conversation() for leg in self.legs.values())

    def _apply_channel(self, recorded: Recorded) -> AnomalyKind | None:
        event, time = recorded.event, recorded.time
        anomaly = None
        if event.word != CHANNEL_LOGGED_OUT:
            anomaly = self._ensure_session()
        anomaly = anomaly or _unknown_word(event.word, CHANNEL_WORDS)
        self._copy_fields(event)
        if event.channel_type is None:
            return anomaly
        name = event.channel_type.lower()
        channel = self.channels.get(name) or insert_sorted(
            self.channels, name, Channel(current_state=UNKNOWN, since=time)
        )
        if event.word is not None:
            _enter_channel(channel, event.word, time)
        channel.pending_idle_state = event.pending_idle_state
        channel.idle_code_name = event.idle_code_name
        if event.word in FREE_CHANNEL_STATUS and is_telephony(event.channel_type):
            return anomaly or self._end_calls(FREE_CHANNEL_STATUS[event.word], time)
        return anomaly

    def _end_calls(self, status: str, time: int) -> AnomalyKind | None:
        """Calls are over where their channel type says that the agent is free."""
        before, talking = set(self.legs), self._conversations()
        close_calls(self.legs, time)
        if self.state_task in before - self.legs.keys():
            self.free_status = status
        return AnomalyKind.MISSING_END if talking - self._conversations() > 1 else None

    def _words(self) -> tuple[object, ...]:
        """What the agent's words say: of the agent, and of each open leg."""
        leg_states = {task_id: leg.state for task_id, leg in self.legs.items()}
        return (plain_word(self.current_state), self.state_task, leg_states)

    def _forget_channels(self, time: int) -> None:
        """After lost words the channels are unknown: no API reports what was lost of them.

        What was told of a channel just before stays, as the two streams are not in step to the
        millisecond.
        """
        for channel in self.channels.values():
            if channel.since < time - RECONCILIATION_TOLERANCE_MS:
                _enter_channel(channel, UNKNOWN, time)
                channel.pending_idle_state, channel.idle_code_name = False, None

    # --- sessions and words ---

    def _has_closed_session(self) -> bool:
        return self.session is not None and not self.logged_in

    def _ensure_session(self) -> AnomalyKind | None:
        """Open a session where none is open: only a logged-in agent can cause this event."""
        if self.logged_in:
            return None
        self.session, self.logged_in = Session(), True
        self.current_state, self.state_since, self.state_task = UNKNOWN, None, None
        return AnomalyKind.MISSING_LOGIN

    def _enter_word(self, word: str, task_id: str | None, time: int) -> None:
        self.free_status = None
        has_word = self.state_since is not None  # else the current state is a placeholder
        same_word = has_word and plain_word(word) == plain_word(self.current_state)
        if same_word and task_id == self.state_task:
            return
        if not same_word:
            self.idle_code_id = self.idle_code_name = None
        self.current_state, self.state_since, self.state_task = word, time, task_id

    def _copy_fields(self, event: Event) -> None:
        self.team_id = event.team_id or self.team_id
        self.destination = event.destination or self.destination
        self.wrap_up_aux_code_id = event.wrap_up_aux_code_id or self.wrap_up_aux_code_id

    def _copy_idle_code(self, event: Event) -> None:
        if self.current_state == "idle":
            self.idle_code_id = event.idle_code_id or self.idle_code_id
            self.idle_code_name = event.idle_code_name or self.idle_code_name

    def _unexpected_word(self, event: Event, word: str) -> AnomalyKind | None:
        if (word, event.task_id) == (self.current_state, self.state_task):
            return None  # both versions of the event report every step
        if event.task_id is None:
            expected = is_expected(AGENT_TRANSITIONS, self.current_state, word)
        else:
            leg = self.legs.get(event.task_id)
            expected = is_expected(LEG_TRANSITIONS, leg.state if leg else NO_LEG, word)
        return None if expected else AnomalyKind.UNEXPECTED_TRANSITION


def _enter_channel(channel: Channel, word: str, time: int) -> None:
    if plain_word(channel.current_state) != plain_word(word):
        channel.current_state, channel.since = word, time


def _unknown_word(word: str | None, words: frozenset[str]) -> AnomalyKind | None:
    return None if word is None or word in words else AnomalyKind.UNKNOWN_STATE


def _is_logout(event: Event) -> bool:
    return event.kind is Kind.LOGOUT or (event.kind is Kind.STATE and event.word == LOGGED_OUT)


_HANDLERS: dict[Kind, Callable[[AgentState, Recorded], AnomalyKind | None]] = {
    Kind.LOGIN: AgentState._apply_login,  # noqa: SLF001 - the table of this class's own handlers
    Kind.LOGOUT: AgentState._apply_logout,  # noqa: SLF001
    Kind.STATE: AgentState._apply_state,  # noqa: SLF001
    Kind.CHANNEL: AgentState._apply_channel,  # noqa: SLF001
}
