"""Hypothesis strategies: a believable day of a contact centre, and noise that no real day brings.

Both draw bodies in the order of their facts. `arrivals` shuffles and repeats them, `batches` cuts
them into requests. Equal milliseconds are common, and gaps of more than an hour are not rare.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

BASE = 1_767_225_600_000
LAST = BASE + 15 * 3_600_000  # no fact is later, so all are in the past when they arrive
HOUR = 3_600_000
V1, V2 = "agent:state_change", "agent:channel_state_change"

Body = dict[str, Any]

# --- a believable day -----------------------------------------------------------------------------

PAUSES = (0,) * 8 + (1, 1, 2, 30, 999, 1_000, 1_999, 2_000, 2_001, 5_000, 60_000)
LONG_PAUSES = (HOUR - 1, HOUR, HOUR + 1, HOUR + 5_000)
MEDIA = ("telephony", "chat", "email", "social")
CHANNEL_WORDS = ("Available", "Idle", "Engaged", "EngagedOther", "WrapUp", "Reserved", "LoggedOut")

# The next moves of a task by its phase; a move that is listed twice is likelier.
NEXT = {
    "": ("arrive",) * 6 + ("offer", "answer"),
    "waiting": ("offer", "offer", "offer", "park", "hang_up"),
    "offered": ("answer", "answer", "answer", "refuse", "refuse", "park", "offer", "hang_up"),
    "talking": ("hold", "consult", "hang_up", "hang_up", "park", "note", "list_channels", "free"),
    "on-hold": ("resume", "resume", "consult", "hang_up", "offer"),
    "consulting": ("consult_done", "conference", "hang_up"),
    "meeting": ("conference_done", "hand_over", "hang_up"),
    "over": ("wrap_up", "wrap_up", "wrap_up", "record", "hang_up", "offer", "park", "fail", "free"),
}
AGENT_MOVES = (
    "sign_in",
    "sign_out",
    "ready",
    "rest",
    "rest_on_channel",
    "ready_on_channel",
    "tune",
)


@dataclass
class ImaginedFloor:
    """The agents and tasks of one day, and the bodies of their events so far."""

    draw: Any
    shapes: tuple[str, ...]  # the types of agents' events: V1, V2 or both
    now: int = BASE
    agent: str = ""  # whose turn it is
    bodies: list[Body] = field(default_factory=list)
    phase: dict[str, str] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    crew: dict[str, list[str]] = field(default_factory=dict)  # who is on a task

    def pick(self, options):
        return self.draw(st.sampled_from(options))

    def pause(self) -> None:
        long = self.draw(st.integers(0, 19)) == 0
        self.now = min(self.now + self.pick(LONG_PAUSES if long else PAUSES), LAST)

    def drift(self) -> None:
        self.now = min(self.now + self.pick((0, 0, 0, 1, 30)), LAST)

    def emit(self, kind: str, **data: Any) -> None:
        present = {name: value for name, value in data.items() if value is not None}
        self.bodies.append(
            envelope(f"e{len(self.bodies):03}", kind, present | {"createdTime": self.now})
        )

    def emit_task(self, task: str, word: str, **more: Any) -> None:
        self.drift()
        self.emit(
            f"task:{word}",
            taskId=task,
            channelType=self.media[task],
            origin="+15550110",
            destination="+15550120",
            direction="INBOUND",
            queueId=self.pick((None, None, "q-a", "q-b")),
            **more,
        )

    def emit_agent(self, agent: str, word: str, media: str | None, **more: Any) -> None:
        """An event of each type that the subscriptions of this day use, in the same millisecond."""
        self.drift()
        channel = {"channelId": f"{agent}-{media}", "channelType": media} if media else {}
        for shape in self.shapes:
            fields = {} if shape == V1 else channel
            self.emit(shape, agentId=agent, currentState=word, **fields, **more)

    def emit_crew(self, task: str, word: str, **more: Any) -> None:
        for agent in self.crew[task]:
            self.emit_agent(agent, word, self.media[task], taskId=task, **more)

    # what an agent does

    def sign_in(self, agent: str) -> None:
        self.emit(
            "agent:login",
            agentId=agent,
            currentState=self.pick(("Idle", "Available", None)),
            teamId=self.pick(("team-1", "team-2")),
            destination="4001",
            profileType="BLENDED",
            idleCodeId=self.pick((None, "start")),
        )

    def sign_out(self, agent: str) -> None:
        by = self.pick(("AGENT", "SYSTEM", None))
        self.emit("agent:logout", agentId=agent, currentState="logged-out", loggedOutBy=by)

    def ready(self, agent: str) -> None:
        self.emit_agent(agent, self.pick(("available", "Available")), None)

    def rest(self, agent: str) -> None:
        code = self.pick((None, "lunch", "break"))
        self.emit_agent(agent, self.pick(("idle", "Idle")), None, idleCodeId=code)

    def ready_on_channel(self, agent: str) -> None:
        self.emit_agent(agent, "available", self.pick(MEDIA))

    def rest_on_channel(self, agent: str) -> None:
        self.emit_agent(agent, "idle", self.pick(MEDIA), idleCodeId="lunch", idleCodeName="Lunch")

    def tune(self, agent: str) -> None:
        for media in self.pick((("telephony",), ("chat", "email"), MEDIA)):
            self.emit(
                "agent:channelType_state_change",
                agentId=agent,
                channelType=media,
                currentState=self.pick(CHANNEL_WORDS),
                pendingIdleState=self.pick((False, False, True)),
                idleCodeName=self.pick((None, "Lunch")),
                teamId="team-1",
            )

    # what happens to a task

    def arrive(self, task: str) -> None:
        self.emit_task(task, "new")
        self.phase[task] = "waiting"

    def park(self, task: str) -> None:
        self.emit_task(task, "parked")
        self.phase[task] = "waiting"

    def offer(self, task: str) -> None:
        self.emit_task(task, "connect")
        self.crew[task] = [self.agent]
        self.emit_crew(task, "ringing", queueId=self.pick((None, "q-a")))
        self.phase[task] = "offered"

    def answer(self, task: str) -> None:
        self.crew[task] = self.crew[task] or [self.agent]
        self.emit_task(task, "connected")
        self.emit_crew(task, "connected")
        self.phase[task] = "talking"

    def refuse(self, task: str) -> None:
        self.emit_crew(task, "not-responding")
        for refusing in self.crew[task]:
            self.emit_agent(refusing, "idle", None, idleCodeId="rona")
        if self.pick((True, False)):
            reason = self.pick(("RONA Timer Expired", "rona"))
            self.emit_task(task, "ended", terminatingParty="System", reason=reason)
        self.crew[task] = []
        self.phase[task] = "waiting"

    def hold(self, task: str) -> None:
        self.emit_task(task, "on-hold")
        self.emit_crew(task, "on-hold")
        self.phase[task] = "on-hold"

    def resume(self, task: str) -> None:
        self.emit_task(task, "hold-done")
        self.emit_crew(task, "hold-done")
        self.phase[task] = "talking"

    def consult(self, task: str) -> None:
        self.emit_task(task, "consulting")
        self.crew[task] = list(dict.fromkeys([*self.crew[task], self.agent]))
        self.emit_crew(task, "consulting")
        self.phase[task] = "consulting"

    def consult_done(self, task: str) -> None:
        self.emit_task(task, "consult-done")
        self.emit_crew(task, "consult-done")
        self.crew[task] = self.crew[task][:1]
        self.phase[task] = "on-hold"

    def conference(self, task: str) -> None:
        self.emit_task(task, "conferencing")
        self.emit_crew(task, "conferencing")
        self.phase[task] = "meeting"

    def conference_done(self, task: str) -> None:
        self.emit_task(task, "conference-done")
        self.emit_crew(task, self.pick(("conference-done", "hold-done")))
        self.phase[task] = "talking"

    def hand_over(self, task: str) -> None:
        self.emit_task(task, "conference-transferred")
        for leaving in self.crew[task][:1]:
            self.emit_agent(leaving, "wrapup", self.media[task], taskId=task)
        self.phase[task] = "talking"

    def hang_up(self, task: str) -> None:
        party = self.pick(("Customer", "Agent", "System"))
        self.emit_task(task, "ended", terminatingParty=party, reason=f"{party} Left")
        if self.phase[task] not in ("waiting", "over"):
            self.emit_crew(task, "wrapup")
        self.phase[task] = "over"

    def wrap_up(self, task: str) -> None:
        self.emit_crew(task, "wrapup-done", wrapUpAuxCodeId=self.pick((None, "sold", "help")))
        for leaving in self.crew[task]:
            self.emit_agent(leaving, self.pick(("available", "idle")), self.media[task])

    def free(self, task: str) -> None:
        """The agents are free again without a wrap-up; their events name the task."""
        self.emit_crew(task, self.pick(("available", "idle")))

    def list_channels(self, task: str) -> None:
        named = self.pick(([], [task], [f"{self.agent}-{self.media[task]}"], None))
        self.emit_crew(task, "connected", connectedChannels=named)

    def note(self, task: str) -> None:
        self.emit_task(task, self.pick(("origin-updated", "customer-left", "owner-changed")))

    def record(self, task: str) -> None:
        path = self.pick(("https://captures.invalid/a", "https://captures.invalid/b"))
        self.emit("capture:available", taskId=task, filePath=path)

    def fail(self, task: str) -> None:
        self.emit_task(task, "failed", reason="no route")


def envelope(identifier: str, kind: str, data: Any) -> Body:
    return {
        "id": identifier,
        "specversion": "1.0",
        "type": kind,
        "source": "/com/cisco/wxcc/sub-1",
        "comciscoorgid": "acme",
        "comciscotimestamp": str(data["createdTime"] + 400),
        "datacontenttype": "application/json",
        "data": data,
    }


@st.composite
def believable_deliveries(draw, max_moves: int = 18) -> list[Body]:
    """Some agents at work on some tasks. Sometimes events are lost or come twice."""
    floor = ImaginedFloor(draw, draw(st.sampled_from([(V1,), (V2,), (V2,), (V1, V2), (V2, V1)])))
    agents = ["ann", "bob", "cy"][: draw(st.integers(1, 3))]
    for task in ["t-1", "t-2", "t-3"][: draw(st.integers(1, 3))]:
        floor.phase[task], floor.crew[task] = "", []
        floor.media[task] = draw(st.sampled_from(MEDIA))
    for agent in agents:
        if draw(st.integers(0, 3)):
            floor.sign_in(agent)
    for _ in range(draw(st.integers(1, max_moves))):
        floor.pause()
        floor.agent = draw(st.sampled_from(agents))
        if draw(st.integers(0, 3)) == 0:
            getattr(floor, draw(st.sampled_from(AGENT_MOVES)))(floor.agent)
        else:
            task = draw(st.sampled_from(sorted(floor.phase)))
            getattr(floor, draw(st.sampled_from(NEXT[floor.phase[task]])))(task)
    return draw(imperfect(floor.bodies))


@st.composite
def imperfect(draw, bodies: list[Body]) -> list[Body]:
    """Sometimes events are lost, or a second subscription brings some with other ids."""
    indexes = st.integers(0, len(bodies) - 1)
    lost = draw(st.one_of(st.just(set()), st.just(set()), st.sets(indexes, max_size=3)))
    again = draw(st.one_of(st.just(set()), st.just(set()), st.sets(indexes, max_size=4)))
    remaining = [body for index, body in enumerate(bodies) if index not in lost]
    return remaining + [draw(with_other_id(bodies[index], index)) for index in sorted(again)]


@st.composite
def with_other_id(draw, body: Body, index: int) -> Body:
    """The same fact with an id that sorts before or after the first one, maybe another queue."""
    queue = draw(st.sampled_from([{}, {"queueId": "q-again"}]))
    return body | {"id": f"{draw(st.sampled_from('az'))}{index:03}", "data": body["data"] | queue}


# --- noise ----------------------------------------------------------------------------------------

TYPES = (
    # the types that make views come more often
    *("agent:login", "agent:logout", "agent:channelType_state_change") * 2,
    *("agent:state_change", "agent:channel_state_change") * 6,
    *("task:new", "task:parked", "task:connect", "task:connected", "task:on-hold") * 2,
    *("task:ended", "task:ended", "task:failed", "task:hold-done", "task:consulting"),
    *("task:consult-done", "task:conferencing", "task:conference-done", "conference-done"),
    *("task:conference-transferred", "conference-transferred", "task:origin-updated"),
    *("task:join-conference", "task:exit-conference", "task:customer-left", "task:owner-changed"),
    *("task:primary-owner-left", "capture:available", "capture:available", "capture:deleted"),
    *("campaign:contact-disposition", "flow:error", "task-message:appended"),
    *("task-message:append-failed", "agent:coffee", "task:", "agent:", "Task:new", "rain"),
)
WORDS = (
    *("idle", "Idle", "IDLE", "available", "Available", "ringing", "Not_Responding", "connected"),
    *("not-responding", "on-hold", "OnHold", "hold-done", "consulting", "consult-done"),
    *("conferencing", "conference-done", "wrapup", "WrapUp", "wrap-up", "wrapup-done"),
    *("WRAPUP_DONE", "logged-out", "LoggedOut", "Engaged", "Reserved", "pondering", "Pondering"),
    *("pon-der_ing", "end-consult", "nul\0", "lone\ud800", "_type_"),
)
ODD = (None, "", 0, 7, 1.5, True, False, [], ["a", 1, None], {}, {"_type_": "x", "_data_": []})
STRANGE_TEXT = ("nul\0inside", "\udfff", "a\ud83d\ude00b", "é", "\u2028", "'; --", "%s", " ")
OFFSETS = (0,) * 4 + (1, 1, 2, 3, 1_000, 1_999, 2_000, 2_001, 5_000, HOUR, HOUR + 1, 2 * HOUR + 5)


def often(*usual: Any, odd: tuple[Any, ...] = ODD) -> st.SearchStrategy[Any]:
    """Mostly one of the usual values, sometimes an odd or meaningless one."""
    return st.integers(0, 14).flatmap(lambda dice: st.sampled_from(odd if dice == 0 else usual))


moments = st.sampled_from(OFFSETS).map(lambda offset: BASE + offset)
sound_times = st.one_of(
    moments,
    moments,
    moments,
    moments.map(str),
    moments.map(float),
    st.sampled_from([0, 160_269_666_391, "0", "00160269666391", 1.0e3]),
)
unsound_times = st.sampled_from(
    [-1, 1.5, True, [], {}, "", "x", "-1", " 1", "1.0", "1e3", "\u0663"]
)
dispatches = often("1767225600400", 1_767_225_600_900, "1767225605000", odd=(*ODD, "x", -1))

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "taskId": often("t-1", "t-1", "t-2", "t/3"),
    "teamId": often("team-1", "team-2", *STRANGE_TEXT),
    "queueId": often("q-a", "q-b", "nul\0inside"),
    "idleCodeId": often("lunch", "0", "lone\udfff"),
    "idleCodeName": often("Lunch", "Zero"),
    "wrapUpAuxCodeId": often("sold", "help"),
    "destination": often("4001", "4002", *STRANGE_TEXT),
    "origin": often("+15550110", *STRANGE_TEXT),
    "direction": often("INBOUND", "OUTBOUND"),
    "channelId": often("c-1", "c-1", "c-2"),
    "channelType": often("telephony", "chat", "Chat", "EMAIL", "fax"),
    "outboundType": often("CALLBACK"),
    "connectedChannels": often([], ["t-1"], ["c-1", 5, None], ["t-2", "c-2"], [{"_type_": 1}]),
    "loggedOutBy": often("AGENT", "SYSTEM"),
    "profileType": often("BLENDED"),
    "pendingIdleState": often(True, False, odd=(None, "true", 1)),
    "filePath": often("https://captures.invalid/a", "https://captures.invalid/b"),
    "terminatingParty": often("Customer", "System", "SYSTEM", "Agent"),
    "reason": often("Customer Left", "RONA Timer Expired", "a rona", "CoroNation"),
    "brandNew": often(1, {"_type_": "datetime", "_data_": "x"}, "nul\0", "\ud800", [[[[]]]]),
}
FREQUENT_FIELDS = ("taskId", "channelId", "channelType")


@dataclass(frozen=True)
class Palette:
    """The few types and words of one example, so that they come again."""

    types: list[str]
    words: list[str]
    arrival_decides: bool


@st.composite
def palettes(draw, *, arrival_decides: bool) -> Palette:
    types = draw(st.lists(st.sampled_from(TYPES), min_size=2, max_size=6))
    words = draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=4))
    types += draw(st.sampled_from([[], [V1, "task:ended"], [V2, "task:ended"], [V1, V2]]))
    words += draw(st.sampled_from([[], ["wrapup", "wrapup-done"], ["idle", "ringing"]]))
    return Palette(types, words, arrival_decides)


@st.composite
def noisy_data(draw, palette: Palette) -> dict[str, Any]:
    data = {"agentId": draw(often("ann", "ann", "bob"))}
    if draw(st.integers(0, 5)):
        data["currentState"] = draw(often(*palette.words))
    for name in FREQUENT_FIELDS:
        if draw(st.integers(0, 3)):
            data[name] = draw(FIELDS[name])
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=4, unique=True)):
        data[name] = draw(FIELDS[name])
    dice = draw(st.integers(0, 9)) if palette.arrival_decides else 9
    if dice > 1:
        data["createdTime"] = draw(sound_times)
    elif dice == 1:
        data["createdTime"] = draw(st.one_of(st.none(), unsound_times))
    return data


@st.composite
def noisy_body(draw, identifier: str, palette: Palette) -> Body:
    kind = draw(st.sampled_from(palette.types))
    body: Body = {"id": identifier, "type": kind, "source": "wxcc"}
    orgs = draw(st.sampled_from(["right"] * 10 + ["misspelt"] * 4 + ["both", "other", "none"]))
    if orgs in ("right", "both"):
        body["comciscoorgid"] = "acme"
    if orgs in ("misspelt", "both"):
        body["comciscocorgid"] = "acme" if orgs == "misspelt" else "umbra"
    if orgs == "other":
        body["comciscoorgid"] = draw(often("umbra"))
    if draw(st.integers(0, 3)):
        body["comciscotimestamp"] = draw(dispatches)
    data = draw(noisy_data(palette))
    if kind.startswith(("task:", "capture:")) and draw(st.integers(0, 14)):
        data["taskId"] = draw(often("t-1", "t-2"))
    return body | {"data": data}


@st.composite
def broken(draw, body: Body) -> Body:
    """A required part of an event is missing or of the wrong type."""
    part = draw(st.sampled_from(["id", "type", "data"]))
    wrong = {
        "id": [*ODD, "i" * 512, "i" * 513, "é" * 257, "\0", "\ud800"],
        "type": [*ODD, "agent:" + "x" * 513, "a\0", "\ud800"],
        "data": ODD,
    }
    if draw(st.integers(0, 3)):
        return body | {part: draw(st.sampled_from(wrong[part]))}
    return {name: value for name, value in body.items() if name != part}


@st.composite
def retouched(draw, body: Body) -> Body:
    """The same key with another value of one field: a conflict, or a duplicate if it is equal."""
    name = draw(st.sampled_from(sorted(FIELDS)))
    return body | {"data": body["data"] | {name: draw(FIELDS[name])}}


@st.composite
def noisy_deliveries(draw, *, arrival_decides: bool = True, max_size: int = 20) -> list[Body]:
    """Noise. With `arrival_decides` ids come again for other facts and times are missing.

    Then only the same order of arrival must give the same answers. Without it every id is unique
    and every event has a time, so any order of arrival must give the same answers.
    """
    palette = draw(palettes(arrival_decides=arrival_decides))
    bodies = []
    for index in range(draw(st.integers(0, max_size))):
        unique = f"e{index:03}"
        shared = draw(st.sampled_from([unique, unique, unique, "e001", "t-1", "t-2"]))
        body = draw(noisy_body(shared if arrival_decides else unique, palette))
        dice = draw(st.integers(0, 19)) if arrival_decides else 19
        if dice == 0:
            body = draw(broken(body))
        bodies.append(body)
        if dice in (1, 2):
            bodies.append(draw(retouched(body)))
    return bodies


# --- the same fact again --------------------------------------------------------------------------

RESTATED_FIELDS = (
    "teamId",
    "queueId",
    "idleCodeId",
    "idleCodeName",
    "wrapUpAuxCodeId",
    "destination",
)


@st.composite
def restated(draw, body: Body) -> Body:
    """The same fact with a later id, maybe with another value of one field."""
    name = draw(st.sampled_from(RESTATED_FIELDS))
    changed = draw(st.sampled_from([{}, {name: "restated"}]))
    return body | {"id": f"~{body['id']}", "data": body["data"] | changed}


SHIFTS = (0, 0, 0, -2_001, -2_000, -1, 1, 999, 2_000, 2_001)


@st.composite
def reconciled(draw, bodies: list[Body], max_size: int = 4) -> list[Body]:
    """What reconciliation may bring about some of the bodies: the same facts or others near them.

    Each has an id of its own. It is up to about two seconds away, and its idle code and channel are
    those of the webhook, missing, or others.
    """
    sound = [it for it in bodies if isinstance(it.get("id"), str) and has_data(it)]
    if not sound:
        return []
    chosen = draw(st.lists(st.sampled_from(sound), max_size=max_size))
    return [draw(near(body, f"r{index}")) for index, body in enumerate(chosen)]


@st.composite
def tuned(draw, bodies: list[Body], max_size: int = 4) -> list[Body]:
    """Webhooks of channel types, up to about two seconds before or after some of the bodies."""
    times = [
        it["data"]["createdTime"]
        for it in bodies
        if has_data(it) and is_whole_time(it["data"].get("createdTime"))
    ]
    if not times:
        return []
    changes = st.fixed_dictionaries(
        {
            "agentId": st.sampled_from(["ann", "ann", "bob"]),
            "channelType": st.sampled_from(MEDIA[:2]),
            "currentState": st.sampled_from(CHANNEL_WORDS),
            "pendingIdleState": st.booleans(),
            "createdTime": st.tuples(st.sampled_from(times), st.sampled_from(SHIFTS)).map(sum),
        },
        optional={"idleCodeName": st.just("Lunch")},
    )
    return [
        envelope(f"c{index}", "agent:channelType_state_change", data)
        for index, data in enumerate(draw(st.lists(changes, max_size=max_size)))
    ]


def is_whole_time(value: Any) -> bool:
    return isinstance(value, int) and value >= BASE


def has_data(body: Body) -> bool:
    return isinstance(body.get("data"), dict)


@st.composite
def near(draw, body: Body, identifier: str) -> Body:
    data = body["data"]
    if is_whole_time(data.get("createdTime")):
        data = data | {"createdTime": data["createdTime"] + draw(st.sampled_from(SHIFTS))}
    for name, another in (("idleCodeId", "another"), ("channelId", "c-another")):
        fate = draw(st.sampled_from(("keep", "keep", "drop", "replace")))
        if fate == "replace":
            data = data | {name: another}
        elif fate == "drop":
            data = {key: value for key, value in data.items() if key != name}
    kind = body.get("type")
    if kind in (V1, V2):
        kind = draw(st.sampled_from((kind, V1, V2)))
    return body | {"id": identifier, "type": kind, "data": data}


@st.composite
def disputed(draw, body: Body) -> Body:
    """Other content with the same key: any field may differ, except those of the key."""
    values = {
        **FIELDS,
        "agentId": st.sampled_from(["ann", "bob", "stranger"]),
        "createdTime": st.one_of(sound_times, unsound_times),
        "currentState": st.sampled_from(WORDS),
    }
    names = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=4, unique=True))
    return body | {"data": body["data"] | {name: draw(values[name]) for name in names}}


# --- arrivals -------------------------------------------------------------------------------------


@st.composite
def arrivals(draw, bodies: list[Body], max_repeats: int = 4) -> list[Body]:
    """Any order of arrival, with some deliveries repeated anywhere."""
    arrival = list(draw(st.permutations(bodies)))
    if bodies:
        for again in draw(st.lists(st.sampled_from(bodies), max_size=max_repeats)):
            arrival.insert(draw(st.integers(0, len(arrival))), again)
    return arrival


@st.composite
def batches(draw, bodies: list[Body], max_batches: int = 6) -> list[list[Body]]:
    """The same bodies, cut into arrays of requests; some may be empty."""
    indexes = st.lists(st.integers(0, len(bodies)), max_size=max_batches - 1)
    cuts = [0, *sorted(draw(indexes)), len(bodies)]
    return [bodies[start:end] for start, end in pairwise(cuts)]
