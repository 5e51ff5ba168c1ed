"""The reference answers: the page of the semantics as plain code, without care for speed.

It shares no code with what it tests. It has every accepted event in a list, and for each question
it folds all events of a subject anew. If the two differ, the page decides which one is right. "s4"
in a comment is section 4 of the page. What the page leaves to the code (transition tables, settled,
positions) is not here.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import groupby
from typing import Any

HOUR = 3_600_000
DAY = 24 * HOUR
NEAR = 2_000  # s2.4: a reconciled event and the webhook of the same fact

# --- words (s4) -----------------------------------------------------------------------------------


def words(*lines: str) -> list[str]:
    return " ".join(lines).split()


AGENT_WORDS = words(
    "logged-out idle available ringing not-responding connected on-hold hold-done consulting",
    "consult-done conferencing conference-done wrapup wrapup-done",
)
CHANNEL_WORDS = words("Available Idle Engaged EngagedOther WrapUp Reserved LoggedOut")

LOGIN, LOGOUT = "agent:login", "agent:logout"
V1, V2 = "agent:state_change", "agent:channel_state_change"
CHANNEL_CHANGE = "agent:channelType_state_change"
STATE_EVENTS = (V1, V2)


@cache
def plain(word: str) -> str:
    """A word as it is compared: without case, `-` and `_`."""
    return word.replace("-", "").replace("_", "").casefold()


SHOWN_AGENT = {plain(word): word for word in AGENT_WORDS}
SHOWN_CHANNEL = {plain(word): word for word in CHANNEL_WORDS}


def carried(data: Any, name: str) -> str | None:
    """A field counts only if it is a non-empty string (s4: "carries")."""
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) and value else None


# --- from a body to events (s2, s3, s7) -----------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Event:
    """An accepted event: its key, its time, and its data as received."""

    org: str
    type: str
    id: str
    created: int | None  # data.createdTime as parsed
    time: int
    time_source: str  # created, dispatched or recorded
    recorded: int
    data: Any
    body: Any
    origin: str = "webhook"

    @cached_property
    def agent(self) -> str | None:
        return carried(self.data, "agentId")

    @cached_property
    def task(self) -> str | None:
        return carried(self.data, "taskId")

    @cached_property
    def word(self) -> str | None:
        return carried(self.data, "currentState")

    @cached_property
    def plain_word(self) -> str | None:
        return None if self.word is None else plain(self.word)

    def get(self, name: str) -> str | None:
        return carried(self.data, name)

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """s2.1; s2.2: if the id is that of the task, the created time is in the key, also null."""
        if self.id == self.task:
            return (self.org, self.type, self.id, (self.created is not None, self.created or 0))
        return (self.org, self.type, self.id)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of one element of a request: an event, or the reason for its quarantine."""

    event: Event | None = None
    reason: str | None = None


class UnusableError(Exception):
    """The body is authentic but cannot be an event."""


def judge(
    body: bytes, recorded: int, default_org: str | None = None, origin: str = "webhook"
) -> list[Verdict]:
    """One verdict for each element of an array, one for any other body (http-api: counts)."""
    try:
        value = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return [Verdict(reason="not-json")]
    elements = value if isinstance(value, list) else [value]
    return [judge_element(element, recorded, default_org, origin) for element in elements]


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def judge_element(body: Any, recorded: int, default_org: str | None, origin: str) -> Verdict:
    try:
        return Verdict(event=event_of(body, recorded, default_org, origin))
    except UnusableError as why:
        return Verdict(reason=str(why))


def event_of(body: Any, recorded: int, default_org: str | None, origin: str) -> Event:
    identifier = carried(body, "id") or unusable("no-id")
    kind = carried(body, "type") or unusable("no-type")
    # s2.1: types as in the headings of the vendor's guide get their prefix
    kind = f"task:{kind}" if kind in ("conference-done", "conference-transferred") else kind
    data = body.get("data")
    # s7: agent:*, task:* and capture:* must name their subject
    if kind.startswith("agent:") and carried(data, "agentId") is None:
        unusable("no-subject")
    if kind.startswith(("task:", "capture:")) and carried(data, "taskId") is None:
        unusable("no-subject")
    # s2.1: both spellings, then the configured one
    org = (
        carried(body, "comciscoorgid")
        or carried(body, "comciscocorgid")
        or default_org
        or unusable("no-organisation")
    )
    # s7: names that the store cannot store
    for name in (identifier, kind, org, carried(data, "agentId"), carried(data, "taskId")):
        if name is not None and not storable(name):
            unusable("bad-name")
    created = created_time(data)
    time, source = place(created, body, recorded)
    if time > recorded + DAY:
        unusable("future")
    return Event(
        org=org,
        type=kind,
        id=identifier,
        created=created,
        time=time,
        time_source=source,
        recorded=recorded,
        data=data,
        body=body,
        origin=origin,
    )


def unusable(reason: str) -> Any:
    raise UnusableError(reason)


def storable(name: str) -> bool:
    """s7: at most 512 bytes of UTF-8, no NUL, no lone surrogate."""
    if "\0" in name or LONE.search(name):
        return False
    return len(name.encode()) <= 512


def created_time(data: Any) -> int | None:
    """s3: an integer from 0 on, an integral float, ASCII digits; null and absent are no time."""
    value = data.get("createdTime") if isinstance(data, dict) else None
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and digits(value):
        return digits_value(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return unusable("bad-time")


def place(created: int | None, body: Any, recorded: int) -> tuple[int, str]:
    """s3: created, else dispatched if it is usable and not more than a day ahead, else recorded."""
    if created is not None:
        return created, "created"
    dispatched = body.get("comciscotimestamp")
    if isinstance(dispatched, str) and digits(dispatched):
        dispatched = digits_value(dispatched)
    if (
        isinstance(dispatched, int)
        and not isinstance(dispatched, bool)
        and 0 <= dispatched <= recorded + DAY
    ):
        return dispatched, "dispatched"
    return recorded, "recorded"


def digits(text: str) -> bool:
    return re.fullmatch("[0-9]+", text) is not None


def digits_value(text: str) -> int:
    """Python reads at most 4,300 digits; more is far in the future however it is read."""
    text = text.lstrip("0") or "0"
    return int(text) if len(text) <= 4_300 else 10**4_300


# --- equality (s2.3) ------------------------------------------------------------------------------

NAMED = words(
    "agentId taskId currentState createdTime teamId queueId idleCodeId idleCodeName",
    "wrapUpAuxCodeId destination origin direction channelId channelType outboundType",
    "connectedChannels loggedOutBy profileType pendingIdleState filePath terminatingParty reason",
)


def same_data(first: Event, second: Event) -> bool:
    if first.type.startswith(("agent:", "task:", "capture:")):
        return all(same_field(first.data, second.data, name) for name in NAMED)
    return same_field(first.body, second.body, "data")


def differing_names(first: Event, second: Event) -> list[str]:
    """The top-level names in data that only one has, or that have different values; sorted."""
    one, other = (it.data if isinstance(it.data, dict) else {} for it in (first, second))
    return sorted(name for name in {*one, *other} if not same_field(one, other, name))


def same_field(first: dict[str, Any], second: dict[str, Any], name: str) -> bool:
    """Null differs from absent."""
    if name not in first or name not in second:
        return name not in first and name not in second
    return same_json(first[name], second[name])


def same_json(first: Any, second: Any) -> bool:
    """Key order free, array order kept, 1 = 1.0, true is no number."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            same_json(first[key], second[key]) for key in first
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same_json, first, second))
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    return bool(first == second)


# --- order (s3) -----------------------------------------------------------------------------------

AGENT_RANK = words(
    "LOGIN wrapup wrapup-done not-responding idle available ringing connected on-hold consulting",
    "consult-done conferencing conference-done hold-done UNKNOWN CHANNEL logged-out",
)
TASK_RANK = words(
    "task:new task:origin-updated task:parked task:connect task:connected task:on-hold",
    "task:consulting task:consult-done task:conferencing task:conference-done",
    "task:conference-transferred task:hold-done task:ended task:failed",
)


def agent_rank(event: Event) -> int:
    if event.type == LOGIN:
        return AGENT_RANK.index("LOGIN")
    if event.type == LOGOUT:
        return AGENT_RANK.index("logged-out")
    if event.type == CHANNEL_CHANGE:
        return AGENT_RANK.index("CHANNEL")
    if event.type in STATE_EVENTS and event.plain_word in SHOWN_AGENT:
        return AGENT_RANK.index(SHOWN_AGENT[event.plain_word])
    return AGENT_RANK.index("UNKNOWN")  # unknown words, no word, and other agent:* types


def task_rank(event: Event) -> int:
    if event.type in TASK_RANK:
        return TASK_RANK.index(event.type)
    if event.type.startswith("task:"):
        return 100
    if event.type.startswith("capture:"):
        return 101
    return 200 + agent_rank(event)


def ordered(events: Iterable[Event], rank: Callable[[Event], int]) -> list[Event]:
    """(time, rank, id, type) by code point; the rest of the key decides between equal ones."""
    return sorted(
        events, key=lambda event: (event.time, rank(event), event.id, event.type, event.key)
    )


# --- restatements (s2.4) --------------------------------------------------------------------------


def restated(events: Sequence[Event]) -> set[tuple[Any, ...]]:
    """The keys of events that only repeat a fact that another event states."""
    late = {
        event.key
        for event in events
        if event.origin == "reconciliation" and any(covers(other, event) for other in events)
    }
    rest = ordered((event for event in events if event.key not in late), some_rank)
    told = {fact(event) for event in rest if event.origin == "webhook"}
    facts: set[tuple[Any, ...]] = set()
    again = set()
    for event in rest:
        # reconciled, and yet not covered by the webhook of that moment: its code is another one
        apart = event.origin == "reconciliation" and fact(event) in told
        if (apart, fact(event)) in facts:
            again.add(event.key)
        facts.add((apart, fact(event)))
    return late | again


def some_rank(event: Event) -> int:
    """Events of one fact have one type and one word, so they have one rank."""
    return agent_rank(event) if event.type.startswith("agent:") else task_rank(event)


def fact(event: Event) -> tuple[Any, ...]:
    path = event.get("filePath") if event.type.startswith("capture:") else None
    channel = (event.get("channelId"), event.get("channelType"))
    return (
        event.org,
        event.type,
        event.agent,
        event.task,
        event.time,
        state_word(event),
        *channel,
        path,
    )


def state_word(event: Event) -> str | None:
    """The state word of an agent's event; None for a logout and for a task, whose type says it.

    s4: a login without a word means idle.
    """
    if event.type == LOGIN:
        return event.plain_word or "idle"
    named = event.type.startswith("agent:") and event.type != LOGOUT
    return event.plain_word if named else None


def covers(webhook: Event, reconciled: Event) -> bool:
    """Whether it is a webhook of the same subject, task and word within two seconds, V1 = V2.

    A state with another idle code or on another channelId is another fact, if both carry one.
    """
    return (
        webhook.origin == "webhook"
        and loose(webhook) == loose(reconciled)
        and abs(webhook.time - reconciled.time) <= NEAR
        and not (
            webhook.type in STATE_EVENTS
            and any(
                len({webhook.get(name), reconciled.get(name)} - {None}) == 2
                for name in ("idleCodeId", "channelId")
            )
        )
    )


def loose(event: Event) -> tuple[Any, ...]:
    kind = "state" if event.type in STATE_EVENTS else event.type
    channel = event.get("channelType") if event.type == CHANNEL_CHANGE else None
    return (event.org, kind, event.agent, event.task, state_word(event), channel)


# --- what is shown --------------------------------------------------------------------------------

LONE = re.compile("[\ud800-\udfff]")


def shown(value: Any) -> Any:
    """s7: U+FFFD in place of NUL and lone surrogates."""
    if isinstance(value, str):
        return LONE.sub("\ufffd", value).replace("\0", "\ufffd")
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {shown(key): shown(item) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class Word:
    """A state word, as it is compared and as it is shown."""

    plain: str
    text: str


UNKNOWN = Word("unknown", "unknown")
LOGGED_OUT = Word("loggedout", "logged-out")


def agent_word(text: str) -> Word:
    return Word(plain(text), SHOWN_AGENT.get(plain(text), text))


def channel_word(text: str) -> Word:
    return Word(plain(text), SHOWN_CHANNEL.get(plain(text), text))


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """An unexpected step: its kind, its subject (agent or task, organisation, id), and its event.

    An anomaly of the passing hour has no event.
    """

    kind: str
    subject: tuple[str, str, str]
    event_id: str | None


# --- an agent (s4) --------------------------------------------------------------------------------

BUSIEST = [
    plain(word) for word in words("conferencing consulting connected on-hold ringing wrapup")
]
COUNTS_AS = {
    "holddone": agent_word("connected"),
    "conferencedone": agent_word("connected"),
    "consultdone": agent_word("on-hold"),
}
WAITING = ("ringing", "wrapup")
RESTING = ("idle", "available")
LEG_ENDS = ("wrapupdone", "notresponding", *RESTING)


def as_status(word: Word) -> Word:
    return COUNTS_AS.get(word.plain, word)


@dataclass
class Leg:
    task: str
    state: Word
    since: int
    channel: str | None = None
    channel_type: str | None = None
    queue: str | None = None
    channels_had: set[str] = field(default_factory=set)

    def take(self, event: Event) -> None:
        self.channel = event.get("channelId") or self.channel
        self.channel_type = event.get("channelType") or self.channel_type
        self.queue = event.get("queueId") or self.queue
        self.channels_had |= {self.channel} if self.channel else set()

    def on_channel_of(self, event: Event) -> bool:
        """Equal channelIds or, if one has none, equal channelTypes."""
        if self.channel and event.get("channelId"):
            return self.channel == event.get("channelId")
        return self.channel_type is not None and self.channel_type == event.get("channelType")

    @property
    def weight(self) -> int:
        word = as_status(self.state).plain
        return BUSIEST.index(word) if word in BUSIEST else len(BUSIEST)


@dataclass
class Channel:
    state: Word
    since: int
    pending: bool = False
    code: str | None = None

    def become(self, word: Word, time: int) -> None:
        """The same word again does not restart `since`."""
        if self.state.plain != word.plain:
            self.state, self.since = word, time


class Agent:
    """The events of one agent, folded one by one in order."""

    def __init__(self, org: str, name: str) -> None:
        self.org, self.name = org, name
        self.session = "none"  # none, open, closed
        self.login_time: int | None = None
        self.logout_time: int | None = None
        self.logged_out_by: str | None = None
        self.profile: str | None = None
        self.login_destination: str | None = None
        self.state: Word | None = None
        self.state_task: str | None = None
        self.state_since: int | None = None
        self.codes: dict[str, str | None] = {"idleCodeId": None, "idleCodeName": None}
        self.legs: dict[str, Leg] = {}
        self.channels: dict[str, Channel] = {}
        self.carries: dict[str, str | None] = {
            "teamId": None,
            "destination": None,
            "wrapUpAuxCodeId": None,
        }
        self.anomalies: list[Anomaly] = []

    def apply(self, event: Event) -> None:
        said = self.said()
        self.take(event)
        # a reconciled login or state that changed the words: older channels are not known any more
        if (
            event.origin == "reconciliation"
            and event.type in (LOGIN, *STATE_EVENTS)
            and self.said() != said
            and not (event.type in STATE_EVENTS and event.plain_word == "loggedout")
        ):
            for channel in self.channels.values():
                if event.time - channel.since > NEAR:
                    channel.become(UNKNOWN, event.time)
                    channel.pending, channel.code = False, None

    def said(self) -> list[Any]:
        """The agent's words: its own with the task, and that of each leg."""
        own = (self.state or UNKNOWN).plain
        return [own, self.state_task, {leg.task: leg.state.plain for leg in self.legs.values()}]

    def take(self, event: Event) -> None:
        before = len(self.anomalies)
        if event.type == LOGIN:
            self.log_in(event)
        elif event.type == LOGOUT:
            self.log_out(event, event.get("loggedOutBy"))
        elif event.type in STATE_EVENTS and event.plain_word == "loggedout":
            self.log_out(event, None)
        elif event.type in STATE_EVENTS:
            self.change_state(event)
        elif event.type == CHANNEL_CHANGE:
            self.change_channel(event)
        # other agent:* types change nothing
        if len(self.anomalies) == before and self.has_unknown_word(event):
            self.report("unknown-state", event)

    def has_unknown_word(self, event: Event) -> bool:
        if event.type in (LOGIN, *STATE_EVENTS):
            return event.word is not None and event.plain_word not in SHOWN_AGENT
        return (
            event.type == CHANNEL_CHANGE
            and event.word is not None
            and event.plain_word not in SHOWN_CHANNEL
        )

    def report(self, kind: str, event: Event) -> None:
        self.anomalies.append(
            Anomaly(kind=kind, subject=("agent", self.org, self.name), event_id=event.id)
        )

    # Sessions

    def log_in(self, event: Event) -> None:
        if self.session == "open":
            # a lost logout at that time: legs close, channels stay, stateSince restarts
            self.report("missing-logout", event)
            self.legs = {}
            self.state = None
        self.open_session(event.time, event.get("profileType"), event.get("destination"))
        self.carry(event)
        self.codes = dict.fromkeys(self.codes)  # a login starts a new run of idle
        self.set_state(agent_word(event.word or "idle"), event)

    def log_out(self, event: Event, by: str | None) -> None:
        if self.session == "closed":
            return  # changes nothing, not even carried fields
        if self.session == "none":
            self.report("missing-login", event)
        self.session = "closed"
        self.logout_time, self.logged_out_by = event.time, by
        self.carry(event)
        self.legs = {}
        self.set_state(LOGGED_OUT, event)
        for channel in self.channels.values():
            channel.become(channel_word("LoggedOut"), event.time)
            channel.pending, channel.code = False, None

    def open_session(
        self, login_time: int | None, profile: str | None, destination: str | None
    ) -> None:
        self.session = "open"
        self.login_time, self.logout_time, self.logged_out_by = login_time, None, None
        self.profile, self.login_destination = profile, destination

    def open_without_login(self, event: Event) -> None:
        self.report("missing-login", event)
        self.open_session(None, None, None)
        self.state, self.state_task, self.state_since = (
            None,
            None,
            None,
        )  # unknown until a word comes

    def carry(self, event: Event) -> None:
        for name in self.carries:
            self.carries[name] = event.get(name) or self.carries[name]

    # currentState, stateSince

    def set_state(self, word: Word, event: Event) -> None:
        if word.plain == "idle" and (self.state is None or self.state.plain != "idle"):
            self.codes = dict.fromkeys(self.codes)
        if self.state is None or (self.state.plain, self.state_task) != (word.plain, event.task):
            self.state, self.state_task, self.state_since = word, event.task, event.time
        self.take_codes(event)

    def take_codes(self, event: Event) -> None:
        """The latest value of each field since the current run of idle words began."""
        if self.state is not None and self.state.plain == "idle":
            for name in self.codes:
                self.codes[name] = event.get(name) or self.codes[name]

    def change_state(self, event: Event) -> None:
        if self.session == "closed" and event.plain_word in ("wrapupdone", "notresponding"):
            self.carry(event)  # an event of the old session
            return
        if self.session != "open":
            self.open_without_login(event)
        self.carry(event)
        if event.word is None:
            self.take_codes(event)
            return
        self.set_state(agent_word(event.word), event)
        self.change_legs(event, agent_word(event.word))

    # Legs

    def change_legs(self, event: Event, word: Word) -> None:
        own, channel = event.task, event.get("channelId")
        others = [leg for leg in self.legs.values() if leg.task != own]
        closing: list[Leg] = []

        # its own leg ends at wrapup-done, not-responding, idle, available; else goes on or opens
        fresh_on_channel = False
        if own is not None and word.plain in LEG_ENDS:
            closing += [leg for leg in self.legs.values() if leg.task == own]
        elif own is not None:
            fresh_on_channel = own not in self.legs or channel not in self.legs[own].channels_had
            leg = self.legs.setdefault(own, Leg(own, word, event.time))
            if leg.state.plain != word.plain:
                leg.state, leg.since = word, event.time
            leg.take(event)

        # connectedChannels that names neither task nor channelId; never its own, ringing or wrapup
        named = connected_channels(event)
        if named is not None:
            closing += [
                leg
                for leg in others
                if leg.state.plain not in WAITING
                and leg.task not in named
                and leg.channel not in named
            ]

        # a new task on a channelId
        if fresh_on_channel and channel is not None:
            closing += [
                leg for leg in others if leg.state.plain in WAITING and leg.channel == channel
            ]

        if own is None and word.plain in RESTING:
            if channel is not None or event.get("channelType") is not None:
                # a channel and no task: available all legs on it, idle those in ringing or wrapup
                here = [leg for leg in others if leg.on_channel_of(event)]
                closing += [
                    leg for leg in here if word.plain == "available" or leg.state.plain in WAITING
                ]
            else:
                # agent-wide: ringing or wrapup; V1 without connectedChannels all without channelId
                closing += [leg for leg in others if leg.state.plain in WAITING]
                if event.type == V1 and named is None:
                    closing += [leg for leg in others if leg.channel is None]

        for leg in closing:
            self.legs.pop(leg.task, None)

    # channels

    def change_channel(self, event: Event) -> None:
        if event.plain_word != "loggedout" and self.session != "open":
            self.open_without_login(event)
        self.carry(event)
        kind = event.get("channelType")
        if kind is None:
            return
        word = channel_word(event.word) if event.word else None
        channel = self.channels.setdefault(kind.lower(), Channel(word or UNKNOWN, event.time))
        if word is not None:
            channel.become(word, event.time)
        channel.pending = event.data.get("pendingIdleState") is True
        channel.code = event.get("idleCodeName")

    # the view

    @property
    def leading_leg(self) -> Leg | None:
        """The busiest leg; among equals the last that began, then the smaller taskId."""
        return min(
            self.legs.values(), key=lambda leg: (leg.weight, -leg.since, leg.task), default=None
        )

    @property
    def status(self) -> Word:
        if self.session != "open":
            return LOGGED_OUT
        if self.leading_leg is not None:
            return as_status(self.leading_leg.state)
        return as_status(self.state or UNKNOWN)

    def code(self, name: str) -> str | None:
        return self.codes[name] if self.status.plain == "idle" else None

    def row(self) -> dict[str, Any]:
        leg = self.leading_leg
        return {
            "status": self.status,
            "currentState": (self.state or UNKNOWN).text,
            "taskId": leg.task if leg else None,
            "queueId": leg.queue if leg else None,
            "idleCodeId": self.code("idleCodeId"),
        }


def connected_channels(event: Event) -> list[str] | None:
    """Null, absent or no array: there is no list. Members that are not strings name nothing."""
    value = event.data.get("connectedChannels")
    return (
        [member for member in value if isinstance(member, str)] if isinstance(value, list) else None
    )


def fold_agent(org: str, name: str, events: Sequence[Event]) -> tuple[Agent, list[dict[str, Any]]]:
    agent = Agent(org, name)
    moments = []
    for time, group in groupby(events, key=lambda event: event.time):
        for event in group:
            agent.apply(event)
        moments.append((time, agent.row(), event.id))
    return agent, intervals(moments, ("status", "taskId", "idleCodeId"))


def agent_view(org: str, name: str, events: Sequence[Event]) -> dict[str, Any]:
    agent, rows = fold_agent(org, name, events)
    return shown(
        {
            "agentId": name,
            "orgId": org,
            "teamId": agent.carries["teamId"],
            "status": agent.status.text,
            "statusSince": run_start(rows),
            "currentState": (agent.state or UNKNOWN).text,
            "stateSince": agent.state_since,
            "loggedIn": agent.session == "open",
            "session": {
                "loginTime": agent.login_time,
                "logoutTime": agent.logout_time,
                "loggedOutBy": agent.logged_out_by,
                "profileType": agent.profile,
                "destination": agent.login_destination,
            },
            "idleCodeId": agent.code("idleCodeId"),
            "idleCodeName": agent.code("idleCodeName"),
            "wrapUpAuxCodeId": agent.carries["wrapUpAuxCodeId"],
            "taskId": rows[-1]["taskId"],
            "queueId": agent.row()["queueId"],
            "destination": agent.carries["destination"],
            "interactions": [
                {
                    "taskId": leg.task,
                    "channelId": leg.channel,
                    "channelType": leg.channel_type,
                    "state": leg.state.text,
                    "since": leg.since,
                    "queueId": leg.queue,
                }
                for leg in sorted(agent.legs.values(), key=lambda leg: (leg.since, leg.task))
            ],
            "channels": {
                kind: {
                    "currentState": channel.state.text,
                    "since": channel.since,
                    "pendingIdleState": channel.pending,
                    "idleCodeName": channel.code,
                }
                for kind, channel in agent.channels.items()
            },
            "lastEvent": last_event(events),
            "eventCount": len(events),
        }
    )


def last_event(events: Sequence[Event]) -> dict[str, Any]:
    return {"id": events[-1].id, "type": events[-1].type, "createdTime": events[-1].created}


# --- intervals (s4, s5) ---------------------------------------------------------------------------


def intervals(
    moments: list[tuple[int, dict[str, Any], str | None]], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The longest intervals with equal `names`, made of the values after each moment.

    Moments are in order; an hour that passes may add a second entry to a millisecond. Unknown words
    are compared like known ones; a row has the spelling of its first word.
    """
    rows: list[dict[str, Any]] = []
    keys: list[tuple[Any, ...]] = []
    for _, group in groupby(moments, key=lambda moment: moment[0]):
        parts = list(group)
        time, row, _ = parts[-1]
        key = compared(row, names)
        if keys and keys[-1] == key:
            continue
        # the event is named if it ended the old interval, and not if the passing hour did
        cause = next(
            event_id for _, then, event_id in parts if not keys or compared(then, names) != keys[-1]
        )
        if rows:
            rows[-1]["to"] = time
            rows[-1]["durationMs"] = time - rows[-1]["from"]
        rows.append(
            {"from": time, "to": None, "durationMs": None}
            | row
            | {"status": row["status"].text, "eventId": cause}
        )
        keys.append(key)
    return rows


def compared(row: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name].plain if isinstance(row[name], Word) else row[name] for name in names)


def run_start(rows: list[dict[str, Any]]) -> int:
    """The start of the last run of intervals that have one status."""
    start = len(rows) - 1
    while start > 0 and plain(rows[start - 1]["status"]) == plain(rows[start]["status"]):
        start -= 1
    return int(rows[start]["from"])


# --- a task (s5) ----------------------------------------------------------------------------------

OPENING = ("new", "parked", "connect", "connected", "on-hold", "consulting", "conferencing")
BACK_TO = {
    "hold-done": "connected",
    "conference-done": "connected",
    "conference-transferred": "connected",
    "consult-done": "on-hold",
}
AT_WORK = [
    plain(word)
    for word in words("connected on-hold hold-done consulting conferencing conference-done wrapup")
]
LEFT = [plain(word) for word in words("wrapup-done not-responding idle available logged-out")]
STATUS = {"new": "created", "parked": "queued", "connect": "offered"}
TRANSFER_FROM = ("connected", "on-hold", "consulting", "conferencing", "ended")
TASK_FIELDS = words("origin destination direction channelType outboundType queueId")
DURATION = {
    "parked": "queuedMs",
    "connected": "talkMs",
    "conferencing": "talkMs",
    "on-hold": "holdMs",
    "consulting": "consultMs",
}
COUNTED = {
    "connect": "offers",
    "on-hold": "holds",
    "consulting": "consults",
    "conferencing": "conferences",
}
FIRST_TIME = {
    "new": "createdTime",
    "parked": "queuedTime",
    "connect": "offeredTime",
    "connected": "connectedTime",
}


@dataclass
class Participant:
    agent: str
    state: Word
    since: int
    joined: int
    wrap_up_code: str | None = None


class Task:
    """The events of one task, folded one by one in order; the caller says when an hour passes."""

    def __init__(self, org: str, name: str) -> None:
        self.org, self.name = org, name
        self.state: str | None = None
        self.since: int | None = None
        self.carries: dict[str, str | None] = dict.fromkeys(TASK_FIELDS)
        self.first: dict[str, int | None] = dict.fromkeys(FIRST_TIME.values())
        self.ended_time: int | None = None
        self.terminating_party: str | None = None
        self.reason: str | None = None
        self.complete = False
        self.completed_time: int | None = None
        self.hour_passed = False
        self.wrapup_missing = False
        self.ever_connected = False
        self.participants: dict[str, Participant] = {}
        self.captures: list[dict[str, Any]] = []
        self.counts = {"offers": 0, "holds": 0, "consults": 0, "conferences": 0, "transfers": 0}
        self.refusals: set[tuple[str | None, int]] = set()
        self.refused_offers = 0
        self.durations = {"queuedMs": 0, "talkMs": 0, "holdMs": 0, "consultMs": 0, "wrapUpMs": 0}

    def apply(self, event: Event) -> None:
        if event.type.startswith("task:"):
            self.apply_task_event(event, event.type.removeprefix("task:"))
        elif event.type.startswith("agent:"):
            self.apply_agent_event(event)
        elif event.type == "capture:available":
            self.captures.append({"filePath": event.get("filePath"), "createdTime": event.created})
        self.judge_completion(event.time)

    def apply_task_event(self, event: Event, word: str) -> None:
        for name in self.carries:
            self.carries[name] = event.get(name) or self.carries[name]
        self.count(event, word)
        if word in OPENING:
            if self.state in ("ended", "failed"):  # reopening removes all of these
                self.ended_time = self.terminating_party = self.reason = None
            self.set_state(word, event.time)
        elif word in BACK_TO and self.state not in ("ended", "failed"):
            self.set_state(BACK_TO[word], event.time)
        elif word == "ended" and not ends_an_offer(event):
            self.set_state("ended", event.time)
            self.ended_time = event.time
            self.terminating_party = event.get("terminatingParty")
            self.reason = event.get("reason")
        elif word == "failed":
            self.set_state("failed", event.time)
            self.reason = event.get("reason")

    def count(self, event: Event, word: str) -> None:
        """The first times and the counts, taken before the state changes."""
        if word in FIRST_TIME and self.first[FIRST_TIME[word]] is None:
            self.first[FIRST_TIME[word]] = event.time
        if word in COUNTED:
            self.counts[COUNTED[word]] += 1
        if word == "ended" and ends_an_offer(event):
            self.refused_offers += 1
        # s5: parked or connect directly after work on a connected task is a transfer
        put_back = word in ("parked", "connect") and self.state in TRANSFER_FROM
        if word == "conference-transferred" or (put_back and self.ever_connected):
            self.counts["transfers"] += 1
        if word in ("connected", "on-hold", "hold-done", "consulting", "conferencing"):
            self.ever_connected = True

    def set_state(self, word: str, time: int) -> None:
        if word == self.state:
            return
        if self.state in DURATION and self.since is not None:
            self.durations[DURATION[self.state]] += time - self.since
        self.state, self.since = word, time

    def apply_agent_event(self, event: Event) -> None:
        agent = str(event.agent)
        if event.word is None:  # adds no participant, and changes only the fields that it carries
            if agent in self.participants:
                self.participants[agent].wrap_up_code = (
                    event.get("wrapUpAuxCodeId") or self.participants[agent].wrap_up_code
                )
            return
        word = agent_word(event.word)
        person = self.participants.setdefault(
            agent, Participant(agent, word, event.time, event.time)
        )
        if person.state.plain != word.plain:
            if person.state.plain == "wrapup":
                self.durations["wrapUpMs"] += event.time - person.since
            person.state, person.since = word, event.time
        person.wrap_up_code = event.get("wrapUpAuxCodeId") or person.wrap_up_code
        if word.plain == "connected":
            self.ever_connected = True
            if self.first["connectedTime"] is None:
                self.first["connectedTime"] = event.time
        if word.plain == "notresponding":
            self.refusals.add((agent, event.time))

    # complete

    def judge_completion(self, time: int) -> None:
        if self.state != "ended":  # never ended, reopened or failed
            self.complete, self.completed_time, self.hour_passed, self.wrapup_missing = (
                False,
                None,
                False,
                False,
            )
        elif not self.hour_passed:
            complete = not any(
                person.state.plain in AT_WORK for person in self.participants.values()
            )
            if not complete:
                self.completed_time = None
            elif not self.complete:
                self.completed_time = time
            self.complete = complete

    @property
    def deadline(self) -> int | None:
        """The end of the hour while it is in the future."""
        if self.state != "ended" or self.hour_passed or self.ended_time is None:
            return None
        return self.ended_time + HOUR

    def pass_the_hour(self) -> None:
        moment = self.deadline
        if not self.complete:
            self.complete, self.completed_time, self.wrapup_missing = True, moment, True
        self.hour_passed = True

    # the view

    @property
    def status(self) -> str:
        if self.state == "failed":
            return "failed"
        if self.state == "ended":
            if not self.ever_connected:
                return "abandoned"
            return "completed" if self.complete else "assigned"
        return "unknown" if self.state is None else STATUS.get(self.state, "assigned")

    def row(self) -> dict[str, Any]:
        return {"status": Word(self.status, self.status), "currentState": self.state or "unknown"}


def ends_an_offer(event: Event) -> bool:
    """Whether it is an end by System with the reason RONA, both compared without case."""
    return (event.get("terminatingParty") or "").casefold() == "system" and "rona" in (
        event.get("reason") or ""
    ).casefold()


def fold_task(
    org: str, name: str, events: Sequence[Event], clock: int
) -> tuple[Task, list[dict[str, Any]]]:
    task = Task(org, name)
    moments: list[tuple[int, dict[str, Any], str | None]] = []

    def pass_hours(until: int) -> None:
        """Apply the hour that ends at `until` or earlier, after all events of its millisecond."""
        if task.deadline is not None and task.deadline <= until:
            moment = task.deadline
            task.pass_the_hour()
            moments.append((moment, task.row(), None))

    for time, group in groupby(events, key=lambda event: event.time):
        pass_hours(time - 1)
        for event in group:
            task.apply(event)
        moments.append((time, task.row(), event.id))
    pass_hours(clock)
    return task, intervals(moments, ("status", "currentState"))


def task_view(org: str, name: str, events: Sequence[Event], clock: int) -> dict[str, Any]:
    task, _ = fold_task(org, name, events, clock)
    return shown(
        {
            "taskId": name,
            "orgId": org,
            "status": task.status,
            "currentState": task.state or "unknown",
            "stateSince": task.since,
            "complete": task.complete,
            **task.carries,
            **task.first,
            "endedTime": task.ended_time,
            "completedTime": task.completed_time,
            "terminatingParty": task.terminating_party,
            "reason": task.reason,
            "participants": [
                {
                    "agentId": person.agent,
                    "state": person.state.text,
                    "since": person.since,
                    "joinedTime": person.joined,
                    "wrapUpAuxCodeId": person.wrap_up_code,
                    "open": person.state.plain not in LEFT,
                }
                for person in sorted(
                    task.participants.values(), key=lambda person: (person.joined, person.agent)
                )
            ],
            "captures": task.captures,
            "counts": task.counts | {"rona": max(len(task.refusals), task.refused_offers)},
            "durations": task.durations,
            "lastEvent": last_event(events),
            "eventCount": len(events),
        }
    )


# --- the store ------------------------------------------------------------------------------------

Views = dict[tuple[str, str], dict[str, Any]]
Rows = dict[tuple[str, str], list[dict[str, Any]]]
Lives = dict[tuple[str, str], list[Event]]


class Oracle:
    """Everything delivered so far, and all answers of the page about it."""

    def __init__(self, default_org: str | None = None) -> None:
        self.default_org = default_org
        self.accepted: list[Event] = []
        self.conflicts: list[Event] = []
        self.variations: list[Event] = []
        self.quarantined: list[str] = []

    def deliver(
        self, body: bytes | dict[str, Any] | list[Any], recorded: int, origin: str = "webhook"
    ) -> dict[str, int]:
        """Accept one request; answer its counts."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        counts = {"received": 0, "appended": 0, "duplicates": 0, "conflicts": 0, "quarantined": 0}
        for verdict in judge(raw, recorded, self.default_org, origin):
            counts["received"] += 1
            counts[self.keep(verdict)] += 1
        return counts

    def keep(self, verdict: Verdict) -> str:
        """s2.3: an event with a known key is a duplicate or a conflict; the first one stays."""
        if verdict.event is None:
            self.quarantined.append(str(verdict.reason))
            return "quarantined"
        first = next((event for event in self.accepted if event.key == verdict.event.key), None)
        if first is None:
            self.accepted.append(verdict.event)
            return "appended"
        if same_data(first, verdict.event):
            if differing_names(first, verdict.event):
                self.variations.append(verdict.event)
            return "duplicates"
        self.conflicts.append(verdict.event)
        return "conflicts"

    def folded(self, at: int | None, known_at: int | None) -> list[Event]:
        """s8: the events that a question may use, without restatements."""
        known = [
            event
            for event in self.accepted
            if (at is None or event.time <= at) and (known_at is None or event.recorded <= known_at)
        ]
        out = restated(known)
        return [event for event in known if event.key not in out]

    def agent_lives(self, at: int | None, known_at: int | None) -> Lives:
        lives: Lives = {}
        for event in ordered(self.folded(at, known_at), agent_rank):
            if event.type.startswith("agent:"):
                lives.setdefault((event.org, str(event.agent)), []).append(event)
        return lives

    def task_lives(self, at: int | None, known_at: int | None) -> Lives:
        """s5: all task:* and capture:available, and the agents' state events that name the task."""
        lives: Lives = {}
        for event in ordered(self.folded(at, known_at), task_rank):
            named_by_agent = event.type in STATE_EVENTS and event.task is not None
            own = event.type.startswith("task:") or event.type == "capture:available"
            if own or named_by_agent:
                lives.setdefault((event.org, str(event.task)), []).append(event)
        return lives

    def agents(
        self,
        now: int,  # noqa: ARG002  an agent does not depend on the clock
        at: int | None = None,
        known_at: int | None = None,
    ) -> Views:
        """Each agent's view, by (orgId, agentId)."""
        return {
            subject: agent_view(*subject, events)
            for subject, events in self.agent_lives(at, known_at).items()
        }

    def tasks(self, now: int, at: int | None = None, known_at: int | None = None) -> Views:
        """Each task's view, by (orgId, taskId)."""
        time = clock(now, at, known_at)
        return {
            subject: task_view(*subject, events, time)
            for subject, events in self.task_lives(at, known_at).items()
        }

    def agent_intervals(
        self,
        now: int,  # noqa: ARG002  an agent does not depend on the clock
        at: int | None = None,
        known_at: int | None = None,
    ) -> Rows:
        """Each agent's intervals, by (orgId, agentId)."""
        lives = self.agent_lives(at, known_at).items()
        return {subject: shown(fold_agent(*subject, events)[1]) for subject, events in lives}

    def task_intervals(self, now: int, at: int | None = None, known_at: int | None = None) -> Rows:
        """Each task's intervals, by (orgId, taskId)."""
        time = clock(now, at, known_at)
        lives = self.task_lives(at, known_at).items()
        return {subject: shown(fold_task(*subject, events, time)[1]) for subject, events in lives}

    def anomalies(
        self, now: int, at: int | None = None, known_at: int | None = None
    ) -> list[Anomaly]:
        """The anomalies that the page decides; unexpected transitions are decided by the code."""
        found: list[Anomaly] = []
        for subject, events in self.agent_lives(at, known_at).items():
            found += fold_agent(*subject, events)[0].anomalies
        for subject, events in self.task_lives(at, known_at).items():
            if fold_task(*subject, events, clock(now, at, known_at))[0].wrapup_missing:
                found.append(
                    Anomaly(kind="wrapup-missing", subject=("task", *subject), event_id=None)
                )
        return found


def clock(now: int, at: int | None, known_at: int | None) -> int:
    """s8: the clock of a question is `at`, else `knownAt`, else now."""
    return at if at is not None else known_at if known_at is not None else now
