"""The reference answers: the page of the semantics as plain code, without care for speed.

It shares no code with what it tests. It has every accepted event in a list, and for each question
it folds all events of a subject anew. If the two differ, the page decides which one is right. "s4"
in a comment is section 4 of the page. What the page leaves to the code (transition tables, settled,
positions) is not here.

An answer depends on a clock (s8, s9), so each question takes `now`, `at` and `known_at`. Deadlines
depend on when events were recorded, so `deliver` takes the recorded time of each request. All times
are epoch milliseconds.

"Choice" in a comment marks what the page leaves open.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import groupby
from typing import Any

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEAR = 2_000  # s2.4, s4: how far two streams of events are out of step

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
    stated: int | None = None  # when an event that states the same was recorded before it

    @property
    def known(self) -> int:
        """When what it states became known."""
        return self.recorded if self.stated is None else self.stated

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


def held_first(
    group: Sequence[Event],
    rank: Callable[[Event], float],
    is_held: Callable[[Event], bool],
    words_of: Callable[[Event], tuple[Any, str | None]],
) -> list[Event]:
    """s3: what was on hold before the millisecond is taken back before it is held again.

    `words_of` is the subject of an event's word (the task itself, or an agent's leg) and the word.
    """
    both = {
        words_of(event)[0] for event in group if words_of(event)[1] == "holddone" and is_held(event)
    } & {words_of(event)[0] for event in group if words_of(event)[1] == "onhold"}

    def place_of(event: Event) -> float:
        subject, word = words_of(event)
        if word == "holddone" and subject in both:
            (on_hold,) = {rank(it) for it in group if words_of(it) == (subject, "onhold")}
            return on_hold - 0.5
        return rank(event)

    return sorted(group, key=place_of)


# --- restatements (s2.4) --------------------------------------------------------------------------


def told_once(events: Sequence[Event]) -> list[Event]:
    """Each fact once, known since the first event that states it.

    Choice: a reconciled event that several webhooks cover is stated by the first of them in order.
    """
    by_cover: dict[tuple[Any, ...], list[Event]] = {}
    for event in events:
        if event.origin == "reconciliation":
            covering = ordered((it for it in events if covers(it, event)), some_rank)
            if covering:
                by_cover.setdefault(covering[0].key, []).append(event)
    late = {event.key for covered in by_cover.values() for event in covered}
    rest = ordered((event for event in events if event.key not in late), some_rank)
    told = {fact(event) for event in rest if event.origin == "webhook"}
    facts: dict[tuple[Any, ...], list[Event]] = {}
    for event in rest:
        # reconciled, and yet not covered by the webhook of that moment: its code is another one
        apart = event.origin == "reconciliation" and fact(event) in told
        same = facts.setdefault((apart, fact(event)), [])
        same += [event, *by_cover.get(event.key, ())]
    return [
        replace(first, stated=min(it.recorded for it in (first, *others)))
        for first, *others in facts.values()
    ]


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

    An anomaly of a deadline has no event. `gap` is given for the deadlines of s9 alone.
    """

    kind: str
    subject: tuple[str, str, str]
    event_id: str | None
    gap: tuple[int, int] | None = None


# --- deadlines (s9) -------------------------------------------------------------------------------

# By channelType: telephony, none, and any other.
RINGING_LIMIT = {"telephony": 5 * MINUTE, None: 5 * MINUTE, "other": HOUR}
WRAPUP_LIMIT = {"telephony": HOUR, None: HOUR, "other": HOUR}
LEG_LIMIT = {"telephony": 12 * HOUR, None: DAY, "other": 30 * DAY}
TASK_LIMIT = {"telephony": DAY, None: DAY, "other": 30 * DAY}
SILENT_AGENT_LIMIT = DAY


def medium(channel_type: str | None) -> str | None:
    """Choice: channelTypes are compared without case here, as the keys of `channels` are."""
    if channel_type is None or is_telephony(channel_type):
        return channel_type and "telephony"
    return "other"


def is_telephony(channel_type: str | None) -> bool:
    return channel_type is not None and channel_type.lower() == "telephony"


def deadline(events: Sequence[Event], limit: int, since: int | None = None) -> int | None:
    """When what the events tell has lasted for `limit`, by live knowledge only.

    It began at `since`, or with the events, which are of one millisecond then.

    An event that became known at the deadline or later has it as long after that time, if it was at
    most a day old then; else there is none. Choice: of events that tell the same (V1 and
    V2 twins; the last events of a silent subject) the one that was known first counts, so it does
    not depend on their ids.
    """
    moments = [
        start + limit if event.known < start + limit else event.known + limit
        for event, start in ((it, it.time if since is None else since) for it in events)
        if event.known < start + limit or event.known - start <= DAY
    ]
    return min(moments, default=None)


# --- an agent (s4) --------------------------------------------------------------------------------

BUSIEST = [
    plain(word) for word in words("conferencing consulting connected on-hold ringing wrapup")
]
COUNTS_AS = {
    "holddone": agent_word("connected"),
    "conferencedone": agent_word("connected"),
    "consultdone": agent_word("on-hold"),
}
IN_CONVERSATION = [
    plain(word)
    for word in words(
        "connected on-hold hold-done consulting consult-done conferencing conference-done"
    )
]
WAITING = ("ringing", "wrapup")
RESTING = ("idle", "available")
LEG_ENDS = ("wrapupdone", "notresponding", *RESTING)
FREE = {"available": agent_word("available"), "idle": agent_word("idle"), "loggedout": UNKNOWN}
FIRST_KINDS = ("missing-login", "missing-logout", "unknown-state", "missing-end")


def as_status(word: Word) -> Word:
    return COUNTS_AS.get(word.plain, word)


@dataclass
class Leg:
    task: str
    state: Word
    began: list[Event]  # the event that began the state, and those that say the same word since
    channel: str | None = None
    channel_type: str | None = None
    queue: str | None = None
    words_had: set[str] = field(default_factory=set)

    @property
    def since(self) -> int:
        return self.began[0].time

    @property
    def deadline(self) -> int | None:
        """When it closes, if no further event changes it (s9)."""
        limits = {"ringing": RINGING_LIMIT, "wrapup": WRAPUP_LIMIT}
        limit = limits.get(self.state.plain, LEG_LIMIT)[medium(self.channel_type)]
        return deadline(self.began, limit, self.since)

    def take(self, event: Event) -> None:
        self.channel = event.get("channelId") or self.channel
        self.channel_type = event.get("channelType") or self.channel_type
        self.queue = event.get("queueId") or self.queue

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
        # what the status is after the leg of the last word closed without a word of its own (s4)
        self.after_leg: Word | None = None
        self.released: set[str] = set()  # tasks whose leg closed at its own consult-done
        self.latest: list[Event] = []  # the events of the latest millisecond
        self.last_leg_overdue: int | None = None  # when a leg was the last to close by time
        self.ended_by_time = False  # the session; until the next event
        self.next_event_after_time = False
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
        self.found: set[str] = set()
        self.next_event_after_time, self.ended_by_time = self.ended_by_time, False
        self.latest = with_latest(self.latest, event)
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
        # other agent:* types change nothing. Choice: they are events of the agent all the same, so
        # they break its silence, and a logout after one is not the next event (s9)
        if self.has_unknown_word(event):
            self.found.add("unknown-state")
        # s6: at most one for each event, the first of these
        kind = next((kind for kind in FIRST_KINDS if kind in self.found), None)
        if kind is not None:
            self.anomalies.append(
                Anomaly(kind=kind, subject=("agent", self.org, self.name), event_id=event.id)
            )

    def has_unknown_word(self, event: Event) -> bool:
        if event.type in (LOGIN, *STATE_EVENTS):
            return event.word is not None and event.plain_word not in SHOWN_AGENT
        return (
            event.type == CHANNEL_CHANGE
            and event.word is not None
            and event.plain_word not in SHOWN_CHANNEL
        )

    def in_order(self, group: Sequence[Event]) -> list[Event]:
        """s3: the events of a millisecond, by the state before it.

        Choice: a logout that comes before a login comes before all else. A leg in consult-done is
        on hold too: its customer is still held.
        """
        relogin = self.session == "open" and any(event.type == LOGIN for event in group)

        def rank(event: Event) -> float:
            return -1 if relogin and is_logout(event) else agent_rank(event)

        held = {leg.task for leg in self.legs.values() if as_status(leg.state).plain == "onhold"}
        return held_first(
            sorted(group, key=rank),
            rank,
            lambda event: event.task in held,
            lambda event: (event.task, event.plain_word if event.type in STATE_EVENTS else None),
        )

    # Sessions

    def log_in(self, event: Event) -> None:
        if self.session == "open":
            # a lost logout at that time: legs close, channels stay, stateSince restarts
            self.found.add("missing-logout")
            self.drop_legs()
            self.state = None
        self.open_session(event.time, event.get("profileType"), event.get("destination"))
        self.carry(event)
        self.codes = dict.fromkeys(self.codes)  # a login starts a new run of idle
        self.set_state(agent_word(event.word or "idle"), event)

    def log_out(self, event: Event, by: str | None) -> None:
        if self.session == "closed":
            if self.next_event_after_time:  # s9. Choice: these two fields alone
                self.logout_time, self.logged_out_by = event.time, by
            return  # changes nothing, not even carried fields
        if self.session == "none":
            self.found.add("missing-login")
        if any(leg.state.plain in IN_CONVERSATION for leg in self.legs.values()):
            self.found.add("missing-end")
        self.carry(event)
        self.set_state(LOGGED_OUT, event)
        self.close_session(event.time, by)

    def close_session(self, time: int, by: str | None) -> None:
        self.session = "closed"
        self.logout_time, self.logged_out_by = time, by
        self.drop_legs()
        for channel in self.channels.values():
            channel.become(channel_word("LoggedOut"), time)
            channel.pending, channel.code = False, None

    def drop_legs(self) -> None:
        """Choice: a consult-done of the next session is not one of this session told again."""
        self.legs, self.released, self.after_leg = {}, set(), None
        self.last_leg_overdue = None

    def open_session(
        self, login_time: int | None, profile: str | None, destination: str | None
    ) -> None:
        self.session = "open"
        self.login_time, self.logout_time, self.logged_out_by = login_time, None, None
        self.profile, self.login_destination = profile, destination

    def open_without_login(self) -> None:
        self.found.add("missing-login")
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
        self.after_leg = None
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
            self.open_without_login()
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

        # its own leg ends at wrapup-done, not-responding, idle, available, and at the consult-done
        # of who was only consulted; else it goes on or opens
        fresh_on_channel = False
        if own is not None and (word.plain in LEG_ENDS or self.is_release(own, word)):
            closing += [leg for leg in self.legs.values() if leg.task == own]
        elif own is not None:
            # Choice: a task that comes back to a channel is new on it, too.
            fresh_on_channel = own not in self.legs or channel != self.legs[own].channel
            leg = self.legs.setdefault(own, Leg(own, word, [event]))
            if leg.state.plain != word.plain:
                leg.state, leg.began = word, [event]
            else:
                leg.began.append(event)
            leg.words_had.add(word.plain)
            leg.take(event)
        if own is not None and self.is_release(own, word):
            self.released.add(own)
            self.after_leg = UNKNOWN
        elif own is not None:
            self.released.discard(own)

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
                # a channel and no task: available all legs on it; idle those in ringing or wrapup,
                # and all if it is of telephony
                here = [leg for leg in others if leg.on_channel_of(event)]
                voice = is_telephony(event.get("channelType")) or any(
                    is_telephony(leg.channel_type) for leg in here
                )
                closing += [
                    leg
                    for leg in here
                    if word.plain == "available" or voice or leg.state.plain in WAITING
                ]
            else:
                # agent-wide: ringing or wrapup; V1 without connectedChannels all without channelId
                closing += [leg for leg in others if leg.state.plain in WAITING]
                if event.type == V1 and named is None:
                    closing += [leg for leg in others if leg.channel is None]

        self.close(closing, told=own is not None)

    def is_release(self, own: str, word: Word) -> bool:
        """Whether it is the consult-done of an agent who was only consulted, or one told again.

        Choice: it is told again until the task has another word, or the session ends.
        """
        leg = self.legs.get(own)
        if word.plain != "consultdone":
            return False
        return own in self.released if leg is None else leg.words_had <= {"ringing", "consulting"}

    def close(self, legs: list[Leg], *, told: bool) -> None:
        """Close them. s6: two conversations that end at once, and neither end was told."""
        tasks = {leg.task for leg in legs}
        lost = [t for t in tasks if self.legs[t].state.plain in IN_CONVERSATION]
        if len(lost) > 1 and not told:
            self.found.add("missing-end")
        for name in tasks:
            del self.legs[name]

    # channels

    def change_channel(self, event: Event) -> None:
        if event.plain_word != "loggedout" and self.session != "open":
            self.open_without_login()
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
        if is_telephony(kind) and event.plain_word in FREE:
            # s4: nobody is free on a call; the two streams are not in step to the millisecond
            closing = [
                leg
                for leg in self.legs.values()
                if is_telephony(leg.channel_type) and event.time - leg.since > NEAR
            ]
            if any(leg.task == self.state_task for leg in closing):
                self.after_leg = FREE[event.plain_word]
            self.close(closing, told=False)

    # Deadlines

    def due(self) -> tuple[int, Leg | None] | None:
        """The next deadline, and the leg that it closes; None ends the session.

        Choice: a deadline that has passed already (a later event told a channelType that allows
        less) is as of that event, since nothing begins before the event that tells of it.
        """
        if self.session != "open":
            return None
        last = self.latest[-1].time
        legs = [
            (max(leg.deadline, last), leg.since, leg.task)
            for leg in self.legs.values()
            if leg.deadline is not None
        ]
        if legs:
            moment, _, name = min(legs)
            return moment, self.legs[name]
        silent = deadline(self.latest, SILENT_AGENT_LIMIT)
        if self.legs or silent is None:
            return None
        return max(silent, self.last_leg_overdue or 0), None

    def pass_deadline(self, moment: int, leg: Leg | None) -> None:
        kind = "missing-logout" if leg is None else "overdue"
        gap = (self.latest[-1].time, moment)
        self.anomalies.append(
            Anomaly(kind=kind, subject=("agent", self.org, self.name), event_id=None, gap=gap)
        )
        if leg is None:
            self.state, self.state_task, self.state_since = LOGGED_OUT, None, moment
            self.close_session(moment, None)
            self.ended_by_time = True
        else:
            del self.legs[leg.task]
            self.last_leg_overdue = moment
            if leg.task == self.state_task:
                self.after_leg = UNKNOWN

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
        return self.after_leg or as_status(self.state or UNKNOWN)

    def code(self, name: str) -> str | None:
        """Null where the leg was closed by a channel-type change, which tells no code."""
        told = self.status.plain == "idle" and (self.legs or self.after_leg is None)
        return self.codes[name] if told else None

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


def is_logout(event: Event) -> bool:
    return event.type == LOGOUT or (event.type in STATE_EVENTS and event.plain_word == "loggedout")


def fold_agent(
    org: str, name: str, events: Sequence[Event], clock: int
) -> tuple[Agent, list[dict[str, Any]]]:
    agent = Agent(org, name)
    moments: list[tuple[int, dict[str, Any], str | None]] = []

    def pass_deadlines(until: int) -> None:
        """Apply what is due at `until` or earlier, each after all events of its millisecond."""
        while (due := agent.due()) is not None and due[0] <= until:
            agent.pass_deadline(*due)
            moments.append((due[0], agent.row(), None))

    for time, group in groupby(events, key=lambda event: event.time):
        pass_deadlines(time - 1)
        for event in agent.in_order(list(group)):
            agent.apply(event)
        moments.append((time, agent.row(), event.id))
    pass_deadlines(clock)
    return agent, intervals(moments, ("status", "taskId", "idleCodeId"))


def agent_view(org: str, name: str, events: Sequence[Event], clock: int) -> dict[str, Any]:
    agent, rows = fold_agent(org, name, events, clock)
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
            "lastEvent": last_event(agent.latest),
            "eventCount": len(events),
        }
    )


def last_event(latest: Sequence[Event]) -> dict[str, Any]:
    return {"id": latest[-1].id, "type": latest[-1].type, "createdTime": latest[-1].created}


def with_latest(latest: list[Event], event: Event) -> list[Event]:
    """The events of the latest millisecond, with the next event in order."""
    return [*latest, event] if latest and latest[-1].time == event.time else [event]


# --- intervals (s4, s5) ---------------------------------------------------------------------------


def intervals(
    moments: list[tuple[int, dict[str, Any], str | None]], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The longest intervals with equal `names`, made of the values after each moment.

    Moments are in order; deadlines that pass may add entries to a millisecond. Unknown words are
    compared like known ones; a row has the spelling of its first word.
    """
    rows: list[dict[str, Any]] = []
    keys: list[tuple[Any, ...]] = []
    for _, group in groupby(moments, key=lambda moment: moment[0]):
        parts = list(group)
        time, row, _ = parts[-1]
        key = compared(row, names)
        if keys and keys[-1] == key:
            continue
        # choice: the last change of the millisecond began the interval; a deadline has no event
        cause, before = None, keys[-1] if keys else None
        for _, then, event_id in parts:
            if compared(then, names) != before:
                cause, before = event_id, compared(then, names)
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
CONVERSATION_EVENTS = words(
    "connected on-hold hold-done consulting consult-done conferencing conference-done",
    "conference-transferred",
)
TRACES = ("wrapup", "wrapupdone")
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
    words_had: set[str] = field(default_factory=set)  # since it was not there
    released: bool = False  # its own consult-done, where it was only consulted

    @property
    def open(self) -> bool:
        return self.state.plain not in LEFT and not self.released


@dataclass
class TransferSide:
    """What an agent did on a task, as far as a consult transfer needs it (s5).

    Moments are the numbers of the agents' words on the task, in order.
    """

    run: set[str] = field(default_factory=set)  # words since the latest ringing
    run_began: int = 0
    talking_from: int | None = None
    conferenced: int = -1
    gone: int | None = None  # left a conversation, and no transfer has used it
    arrived: int | None = None  # connected after a consult, and no transfer has used it


class ConsultTransfers:
    """The consult transfers of one task: a consulted agent takes over, and the other one leaves.

    Choices, where the page says no more: the consulted agent B connects at c, the other one A goes
    at d, in either order. A was in conversation (the words of s6) before c, and d is not before the
    run of words of B began. Neither has conferenced since that run began. B is still there when A
    goes, and A is not back when B connects. Each c and each d is used once, the earliest first.
    """

    def __init__(self) -> None:
        self.count = 0
        self.number = 0
        self.sides: dict[str, TransferSide] = {}

    def say(self, agent: str, word: str) -> None:
        self.number += 1
        side = self.sides.setdefault(agent, TransferSide(run_began=self.number))
        if word == "ringing":
            side.run, side.run_began, side.arrived, side.talking_from = (
                set(),
                self.number,
                None,
                None,
            )
        if word == "conferencing":
            side.conferenced = self.number
        takes_over = word == "connected" and side.run in ({"ringing", "consulting"}, {"consulting"})
        side.run.add(word)
        if word in IN_CONVERSATION:
            side.gone = None
            side.talking_from = side.talking_from or self.number
        others = [it for name, it in self.sides.items() if name != agent]
        if takes_over:
            side.arrived = self.number
            self.match([(side, it) for it in others if it.gone and it.gone > side.run_began])
        if word == "wrapup" or word in LEFT:
            side.arrived = None
            if side.talking_from is not None:
                side.gone = self.number
                came = [it for it in others if it.arrived and side.talking_from < it.arrived]
                self.match([(it, side) for it in came])
            side.talking_from = None

    def match(self, pairs: list[tuple[TransferSide, TransferSide]]) -> None:
        """Use the earliest of pairs of who came and who went."""
        pairs = [
            (came, went)
            for came, went in pairs
            if max(came.conferenced, went.conferenced) < came.run_began
        ]
        if pairs:
            came, went = min(pairs, key=lambda pair: (pair[0].arrived, pair[1].gone))
            came.arrived = went.gone = None
            self.count += 1


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
        self.in_conversation_told = False
        self.traced = False
        self.unexpected_trace: Event | None = None
        self.latest: list[Event] = []  # the events of the latest millisecond
        self.captures_only = True
        self.consult_transfers = ConsultTransfers()
        self.participants: dict[str, Participant] = {}
        self.captures: list[dict[str, Any]] = []
        self.counts = {"offers": 0, "holds": 0, "consults": 0, "conferences": 0, "transfers": 0}
        self.refusals: set[tuple[str | None, int]] = set()
        self.refused_offers = 0
        self.durations = {"queuedMs": 0, "talkMs": 0, "holdMs": 0, "consultMs": 0, "wrapUpMs": 0}

    def apply(self, event: Event) -> None:
        self.note_conversation(event)
        self.latest = with_latest(self.latest, event)
        self.captures_only = self.captures_only and event.type == "capture:available"
        if event.type.startswith("task:"):
            self.apply_task_event(event, event.type.removeprefix("task:"))
        elif event.type.startswith("agent:"):
            self.apply_agent_event(event)
        elif event.type == "capture:available":
            self.captures.append({"filePath": event.get("filePath"), "createdTime": event.created})
        self.judge_completion(event.time)

    def in_order(self, group: Sequence[Event]) -> list[Event]:
        """s3: the events of a millisecond, by the state before it, of participants too."""
        held = {
            person.agent
            for person in self.participants.values()
            if person.open and as_status(person.state).plain == "onhold"
        }

        def words_of(event: Event) -> tuple[Any, str | None]:
            if event.type.startswith("agent:"):
                return event.agent, event.plain_word
            return None, plain(event.type.removeprefix("task:"))

        def is_held(event: Event) -> bool:
            subject = words_of(event)[0]
            return self.state == "on-hold" if subject is None else subject in held

        return held_first(group, task_rank, is_held, words_of)

    def note_conversation(self, event: Event) -> None:
        """s5: conversation that was told, and its traces; before the event changes anything."""
        told = event.type in [f"task:{word}" for word in CONVERSATION_EVENTS]
        trace = (
            event.type == "task:ended"
            and (event.get("terminatingParty") or "").casefold() == "agent"
        )
        if event.type in STATE_EVENTS:
            told, trace = event.plain_word in IN_CONVERSATION, event.plain_word in TRACES
        if trace and not self.traced:
            self.traced = True
            # s6: a subject's first event is never unexpected
            if not self.in_conversation_told and self.latest:
                self.unexpected_trace = event
        self.in_conversation_told = self.in_conversation_told or told

    @property
    def outbound(self) -> bool:
        return (self.carries["direction"] or "").casefold() == "outbound"

    @property
    def trace_anomaly(self) -> Event | None:
        """By the direction as of the question: nothing that an outdial does is a trace."""
        return None if self.outbound else self.unexpected_trace

    @property
    def in_conversation(self) -> bool:
        """Ever. Choice: a row of the past has the direction as of then, like `at` of that time."""
        return self.in_conversation_told or (self.traced and not self.outbound)

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
        # s5: parked or connect directly after work on a task once in conversation is a transfer
        put_back = word in ("parked", "connect") and self.state in TRANSFER_FROM
        if word == "conference-transferred" or (put_back and self.in_conversation_told):
            self.counts["transfers"] += 1

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
        # s4: who was only consulted leaves at the consult-done, which may be told again
        if word.plain == "consultdone" and person.open:
            person.released = bool(person.words_had) and person.words_had <= {
                "ringing",
                "consulting",
            }
        elif word.plain != "consultdone" or not person.released:
            if not person.open:
                person.words_had = set()
            person.released = False
        person.words_had.add(word.plain)
        self.consult_transfers.say(agent, word.plain)
        if person.state.plain != word.plain:
            if person.state.plain == "wrapup":
                self.durations["wrapUpMs"] += event.time - person.since
            person.state, person.since = word, event.time
        person.wrap_up_code = event.get("wrapUpAuxCodeId") or person.wrap_up_code
        if word.plain == "connected" and self.first["connectedTime"] is None:
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

    # the passing of time

    def stale_from(self, clock: int) -> int | None:
        """When the silence grew too long, if it has by then."""
        if self.state in ("ended", "failed") or self.captures_only:
            return None
        moment = deadline(self.latest, TASK_LIMIT[medium(self.carries["channelType"])])
        return moment if moment is not None and moment <= clock else None

    def is_open(self, clock: int) -> bool:
        """What `open=true` lists: neither complete nor failed, nor stale, nor captures alone."""
        over = self.complete or self.state == "failed" or self.captures_only
        return not over and self.stale_from(clock) is None

    # the view

    @property
    def status(self) -> str:
        if self.state == "failed":
            return "failed"
        if self.state == "ended":
            if not self.in_conversation:
                system = (self.terminating_party or "").casefold() == "system"
                return "unanswered" if self.outbound or system else "abandoned"
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
        for event in task.in_order(list(group)):
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
            "open": task.is_open(clock),
            "stale": task.stale_from(clock) is not None,
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
                    "open": person.open,
                }
                for person in sorted(
                    task.participants.values(), key=lambda person: (person.joined, person.agent)
                )
            ],
            "captures": task.captures,
            "counts": task.counts
            | {
                "rona": max(len(task.refusals), task.refused_offers),
                "transfers": task.counts["transfers"] + task.consult_transfers.count,
            },
            "durations": task.durations,
            "lastEvent": last_event(task.latest),
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
        """Accept one request that is recorded at that time; answer its counts."""
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
        return told_once(known)

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

    def agents(self, now: int, at: int | None = None, known_at: int | None = None) -> Views:
        """Each agent's view, by (orgId, agentId)."""
        time = clock(now, at, known_at)
        return {
            subject: agent_view(*subject, events, time)
            for subject, events in self.agent_lives(at, known_at).items()
        }

    def tasks(self, now: int, at: int | None = None, known_at: int | None = None) -> Views:
        """Each task's view, by (orgId, taskId)."""
        time = clock(now, at, known_at)
        return {
            subject: task_view(*subject, events, time)
            for subject, events in self.task_lives(at, known_at).items()
        }

    def open_tasks(
        self, now: int, at: int | None = None, known_at: int | None = None
    ) -> set[tuple[str, str]]:
        """The (orgId, taskId) of the tasks that `open=true` lists."""
        time = clock(now, at, known_at)
        lives = self.task_lives(at, known_at).items()
        return {
            subject
            for subject, events in lives
            if fold_task(*subject, events, time)[0].is_open(time)
        }

    def agent_intervals(self, now: int, at: int | None = None, known_at: int | None = None) -> Rows:
        """Each agent's intervals, by (orgId, agentId)."""
        time = clock(now, at, known_at)
        lives = self.agent_lives(at, known_at).items()
        return {subject: shown(fold_agent(*subject, events, time)[1]) for subject, events in lives}

    def task_intervals(self, now: int, at: int | None = None, known_at: int | None = None) -> Rows:
        """Each task's intervals, by (orgId, taskId)."""
        time = clock(now, at, known_at)
        lives = self.task_lives(at, known_at).items()
        return {subject: shown(fold_task(*subject, events, time)[1]) for subject, events in lives}

    def anomalies(
        self, now: int, at: int | None = None, known_at: int | None = None
    ) -> list[Anomaly]:
        """The anomalies that the page decides.

        Unexpected transitions are decided by the code, except the first trace of a conversation.
        """
        found: list[Anomaly] = []
        time = clock(now, at, known_at)
        for subject, events in self.agent_lives(at, known_at).items():
            found += fold_agent(*subject, events, time)[0].anomalies
        for subject, events in self.task_lives(at, known_at).items():
            found += task_anomalies(fold_task(*subject, events, time)[0], time)
        return found


def task_anomalies(task: Task, time: int) -> list[Anomaly]:
    subject = ("task", task.org, task.name)
    found = []
    if task.trace_anomaly is not None:
        kind, event_id = "unexpected-transition", task.trace_anomaly.id
        found.append(Anomaly(kind=kind, subject=subject, event_id=event_id))
    if task.wrapup_missing:
        found.append(Anomaly(kind="wrapup-missing", subject=subject, event_id=None))
    moment = task.stale_from(time)
    if moment is not None:
        gap = (task.latest[-1].time, moment)
        found.append(Anomaly(kind="missing-end", subject=subject, event_id=None, gap=gap))
    return found


def clock(now: int, at: int | None, known_at: int | None) -> int:
    """s8: the clock of a question is `at`, else `knownAt`, else now."""
    return at if at is not None else known_at if known_at is not None else now
