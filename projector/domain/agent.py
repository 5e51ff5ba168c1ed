"""The agent: sessions, words, channels, and the one status that a supervisor reads.

The rule of this file: an agent with an open leg is shown by its busiest leg, whatever the last word
said, and one without a session is logged out, whatever comes after (semantics 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from projector.domain.events import Event, Kind, Recorded, plain_word
from projector.domain.fold import (
    UNKNOWN,
    AnomalyKind,
    DisplayState,
    State,
    Transitions,
    insert_sorted,
    is_expected,
)
from projector.domain.leg import FREE, LEG, NO_LEG, SHOWN_AS, Leg, Legs, busiest, move
from projector.domain.state_names import (
    AGENT_WORDS,
    CHANNEL_LOGGED_OUT,
    CHANNEL_WORDS,
    LOGGED_IN,
    LOGGED_OUT,
)

# Words that a session leaves behind it: they open no new one.
TAIL = frozenset({"wrapup-done", "not-responding"})


# Of words that name no task: from the agent's last word, those that may come next.
AGENT: Transitions = {
    "idle": FREE | {"ringing", "connected", "consulting"},  # an outdial may start from idle
    "available": FREE | {"ringing", "connected", "consulting"},
    "wrapup-done": FREE | {"ringing", "connected"},
    "not-responding": FREE | {"ringing"},
    **{word: following | FREE for word, following in LEG.items() if word != NO_LEG},
}


@dataclass(slots=True, kw_only=True)
class Session:
    """One stay of an agent, from login to logout; a time is null where its event is unknown."""

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
    session: Session | None = None  # none was ever seen while null
    current_state: str = UNKNOWN
    state_since: int | None = None
    state_task: str | None = None
    idle_code_id: str | None = None  # of the current run of idle words
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
        return leg.status() if leg else SHOWN_AS.get(self.current_state, self.current_state)

    def is_same_interval(self, before: DisplayState, now: DisplayState) -> bool:
        return before.has_status_of(now) and (before.task_id, before.idle_code_id) == (
            now.task_id,
            now.idle_code_id,
        )

    def deadline(self) -> int | None:
        return None

    def pass_deadline(self) -> None:
        """Nothing is ever due."""

    # --- steps ---

    def apply_event(self, recorded: Recorded) -> AnomalyKind | None:
        taken = _STEPS.get(recorded.event.kind)
        return taken(self, recorded.event, recorded.time) if taken else None

    def _login(self, event: Event, time: int) -> AnomalyKind | None:
        word = event.word or LOGGED_IN
        anomaly = AnomalyKind.MISSING_LOGOUT if self.logged_in else _unknown(word, AGENT_WORDS)
        if self.logged_in:
            self.state_since = None  # a new stay, though the word be the same
        self.session = Session(
            login_time=time, profile_type=event.profile_type, destination=event.destination
        )
        self.logged_in = True
        self.legs.clear()
        self._carry(event)
        self._enter(word, event.task_id, time)
        self._carry_idle_code(event)
        return anomaly

    def _logout(self, event: Event, time: int) -> AnomalyKind | None:
        if self.session is not None and not self.logged_in:
            return None
        anomaly = AnomalyKind.MISSING_LOGIN if self.session is None else None
        session = self.session or Session()
        session.logout_time = time
        session.logged_out_by = event.logged_out_by if event.kind is Kind.LOGOUT else None
        self.session, self.logged_in = session, False
        self.legs.clear()
        for channel in self.channels.values():
            _enter_channel(channel, CHANNEL_LOGGED_OUT, time)
            channel.pending_idle_state, channel.idle_code_name = False, None
        self._carry(event)
        self._enter(LOGGED_OUT, None, time)
        return anomaly

    def _state_event(self, event: Event, time: int) -> AnomalyKind | None:
        word = event.word
        if word == LOGGED_OUT:
            return self._logout(event, time)
        if self._has_closed_session() and word in TAIL:
            self._carry(event)
            return None
        anomaly = self._ensure_session()
        self._carry(event)
        if word is None:
            self._carry_idle_code(event)
            return anomaly
        anomaly = anomaly or _unknown(word, AGENT_WORDS) or self._unexpected(event, word)
        self._enter(word, event.task_id, time)
        self._carry_idle_code(event)
        move(self.legs, event, word, time)
        return anomaly

    def _channel_event(self, event: Event, time: int) -> AnomalyKind | None:
        anomaly = None
        if event.word != CHANNEL_LOGGED_OUT:
            anomaly = self._ensure_session()
        anomaly = anomaly or _unknown(event.word, CHANNEL_WORDS)
        self._carry(event)
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
        return anomaly

    # --- sessions and words ---

    def _has_closed_session(self) -> bool:
        return self.session is not None and not self.logged_in

    def _ensure_session(self) -> AnomalyKind | None:
        """An event that only one who is logged in can cause says that a login was lost."""
        if self.logged_in:
            return None
        self.session, self.logged_in = Session(), True
        self.current_state, self.state_since, self.state_task = UNKNOWN, None, None
        return AnomalyKind.MISSING_LOGIN

    def _enter(self, word: str, task_id: str | None, time: int) -> None:
        is_known = self.state_since is not None  # else the word is a placeholder
        same_word = is_known and plain_word(word) == plain_word(self.current_state)
        if same_word and task_id == self.state_task:
            return
        if not same_word:
            self.idle_code_id = self.idle_code_name = None
        self.current_state, self.state_since, self.state_task = word, time, task_id

    def _carry(self, event: Event) -> None:
        self.team_id = event.team_id or self.team_id
        self.destination = event.destination or self.destination
        self.wrap_up_aux_code_id = event.wrap_up_aux_code_id or self.wrap_up_aux_code_id

    def _carry_idle_code(self, event: Event) -> None:
        if self.current_state == "idle":
            self.idle_code_id = event.idle_code_id or self.idle_code_id
            self.idle_code_name = event.idle_code_name or self.idle_code_name

    def _unexpected(self, event: Event, word: str) -> AnomalyKind | None:
        if (word, event.task_id) == (self.current_state, self.state_task):
            return None  # both versions of the event report every step
        if event.task_id is None:
            expected = is_expected(AGENT, self.current_state, word)
        else:
            leg = self.legs.get(event.task_id)
            expected = is_expected(LEG, leg.state if leg else NO_LEG, word)
        return None if expected else AnomalyKind.UNEXPECTED_TRANSITION


def _enter_channel(channel: Channel, word: str, time: int) -> None:
    if plain_word(channel.current_state) != plain_word(word):
        channel.current_state, channel.since = word, time


def _unknown(word: str | None, known: frozenset[str]) -> AnomalyKind | None:
    return None if word is None or word in known else AnomalyKind.UNKNOWN_STATE


_STEPS: dict[Kind, Callable[[AgentState, Event, int], AnomalyKind | None]] = {
    Kind.LOGIN: AgentState._login,  # noqa: SLF001 - the table of this class's own steps
    Kind.LOGOUT: AgentState._logout,  # noqa: SLF001
    Kind.STATE: AgentState._state_event,  # noqa: SLF001
    Kind.CHANNEL: AgentState._channel_event,  # noqa: SLF001
}
