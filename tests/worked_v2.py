"""Small lives for what evidence and the passing of time end, worked out by hand from the semantics.

Data only. Each life has its events with the time at which each was recorded, and the right answers
to some questions. All moments are milliseconds after dawn, and so are the gaps of anomalies. Where
the page leaves the answer open, `choice` says what was chosen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.examples import (
    Body,
    Fields,
    Row,
    capture,
    channel,
    ended,
    login,
    logout,
    phase,
    rows,
    stretch,
    task,
    v1,
    v2,
)
from tests.examples import at as after_dawn

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
DELAY = 500  # between an event and its recording, where it is live

PHONE = ("ann-phone", "telephony")
CHAT = ("ann-chat", "chat")
CHAT_2 = ("ann-chat-2", "chat")


@dataclass(frozen=True, kw_only=True)
class Told:
    """A body, and when it was recorded (milliseconds after dawn)."""

    body: Body
    recorded: int
    origin: str = "webhook"


@dataclass(frozen=True, kw_only=True)
class Odd:
    """An anomaly. `gap` is None where the page says no more than that there is one."""

    kind: str
    subject: str  # agent:<id> or task:<id>
    event_id: str | None = None
    gap: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question, asked at `now` when all was recorded, and what is right. None is not compared.

    `anomalies` are all but the unexpected transitions; `first_traces` are the events of those among
    them that a task has for its first trace.
    """

    now: int
    at: int | None = None
    known_at: int | None = None
    agents: dict[str, Fields] = field(default_factory=dict)
    tasks: dict[str, Fields] = field(default_factory=dict)
    agent_intervals: dict[str, list[Row]] = field(default_factory=dict)
    task_intervals: dict[str, list[Row]] = field(default_factory=dict)
    anomalies: tuple[Odd, ...] | None = ()
    first_traces: tuple[str, ...] = ()
    open_tasks: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TimedLife:
    """What happened, when it was recorded, and the answers."""

    name: str
    told: tuple[Told, ...]
    answers: tuple[Answer, ...]
    choice: str = ""


def live(*bodies: Body) -> tuple[Told, ...]:
    """Bodies recorded a moment after their events, with ids e1, e2, ... where they have none."""
    return tuple(
        Told(
            body=body | {"id": body["id"] or f"e{number}"},
            recorded=body["data"]["createdTime"] - after_dawn(0) + DELAY,
        )
        for number, body in enumerate(bodies, 1)
    )


def recorded(moment: int, body: Body, origin: str = "webhook") -> Told:
    """One body that was recorded at another time; it brings its own id."""
    return Told(body=body, recorded=moment, origin=origin)


def by(event_id: str | None, row: Row) -> Row:
    """An interval with the event that began it; None where a deadline did."""
    return row | {"eventId": event_id}


def life(name: str, told: Iterable[Told], *answers: Answer, choice: str = "") -> TimedLife:
    return TimedLife(name=name, told=tuple(told), answers=answers, choice=choice)


def overdue(agent: str, last: int, moment: int) -> Odd:
    return Odd(kind="overdue", subject=f"agent:{agent}", gap=(last, moment))


def silent(agent: str, last: int, moment: int) -> Odd:
    return Odd(kind="missing-logout", subject=f"agent:{agent}", gap=(last, moment))


def missing_end(agent: str, event_id: str) -> Odd:
    return Odd(kind="missing-end", subject=f"agent:{agent}", event_id=event_id)


def stale(name: str, last: int, moment: int) -> Odd:
    return Odd(kind="missing-end", subject=f"task:{name}", gap=(last, moment))


# --- ties (section 3) -----------------------------------------------------------------------------

TIES = (
    life(
        "a-relogin-in-one-millisecond",
        live(
            login(0, "ann", "Available", id="in-1"),
            login(50_000, "ann", "Available", id="in-2"),
            logout(50_000, "ann", "AGENT") | {"id": "out-1"},
        ),
        Answer(
            now=60_000,
            agents={
                "ann": {
                    "status": "available",
                    "statusSince": after_dawn(0),
                    "stateSince": after_dawn(50_000),
                    "loggedIn": True,
                    "session.loginTime": after_dawn(50_000),
                    "session.logoutTime": None,
                    "session.loggedOutBy": None,
                    "lastEvent.id": "in-2",
                }
            },
            agent_intervals={"ann": rows(by("in-1", stretch(0, "available")))},
        ),
    ),
    life(
        "a-relogin-told-by-the-word-of-a-state",
        live(
            login(0, "ann", "Available", id="in-1"),
            v1(50_000, "ann", "logged-out", id="out-1"),
            login(50_000, "ann", id="in-2"),
        ),
        Answer(
            now=60_000,
            agents={"ann": {"status": "idle", "session.loginTime": after_dawn(50_000)}},
        ),
    ),
    life(
        "a-session-of-no-length-after-another",
        live(
            login(0, "ann", id="in-1"),
            logout(10_000, "ann", "AGENT") | {"id": "out-1"},
            logout(50_000, "ann", "SYSTEM") | {"id": "out-2"},
            login(50_000, "ann", id="in-2"),
        ),
        Answer(
            now=60_000,
            agents={
                "ann": {
                    "status": "logged-out",
                    "statusSince": after_dawn(10_000),
                    "session.loginTime": after_dawn(50_000),
                    "session.logoutTime": after_dawn(50_000),
                    "session.loggedOutBy": "SYSTEM",
                    "lastEvent.id": "out-2",
                }
            },
        ),
    ),
    life(
        "a-session-of-no-length-before-any",
        live(
            logout(50_000, "ann", "SYSTEM") | {"id": "out"},
            login(50_000, "ann", id="in"),
        ),
        Answer(
            now=60_000,
            agents={
                "ann": {
                    "status": "logged-out",
                    "session.loginTime": after_dawn(50_000),
                    "session.logoutTime": after_dawn(50_000),
                }
            },
        ),
    ),
    life(
        "a-session-that-time-ended-is-closed-before-the-millisecond",
        live(
            login(0, "ann", id="in-1"),
            logout(DAY + 1, "ann", "SYSTEM") | {"id": "out-2"},
            login(DAY + 1, "ann", id="in-2"),
        ),
        Answer(
            now=DAY + 60_000,
            agents={
                "ann": {
                    "status": "logged-out",
                    "session.loginTime": after_dawn(DAY + 1),
                    "session.logoutTime": after_dawn(DAY + 1),
                }
            },
            anomalies=(silent("ann", 0, DAY),),
        ),
    ),
    life(
        "a-relogin-at-the-last-moment-of-a-silence",
        live(
            login(0, "ann", id="in-1"),
            logout(DAY, "ann", "SYSTEM") | {"id": "out-2"},
            login(DAY, "ann", "Available", id="in-2"),
        ),
        Answer(
            now=DAY + 60_000,
            agents={
                "ann": {
                    "status": "available",
                    "session.loginTime": after_dawn(DAY),
                    "session.logoutTime": None,
                }
            },
        ),
    ),
    life(
        "a-task-held-again",
        live(
            task(0, "t", "connected", id="a"),
            task(10_000, "t", "on-hold", id="b"),
            task(20_000, "t", "on-hold", id="c"),
            task(20_000, "t", "hold-done", id="d"),
        ),
        Answer(
            now=30_000,
            tasks={
                "t": {
                    "currentState": "on-hold",
                    "stateSince": after_dawn(20_000),
                    "counts.holds": 2,
                    "durations.holdMs": 10_000,
                    "durations.talkMs": 10_000,
                    "lastEvent.id": "c",
                }
            },
            task_intervals={
                "t": rows(
                    by("a", phase(0, "assigned", "connected")),
                    by("b", phase(10_000, "assigned", "on-hold")),
                )
            },
        ),
    ),
    life(
        "a-task-held-for-no-time",
        live(
            task(0, "t", "connected", id="a"),
            task(20_000, "t", "hold-done", id="b"),
            task(20_000, "t", "on-hold", id="c"),
        ),
        Answer(
            now=30_000,
            tasks={
                "t": {
                    "currentState": "connected",
                    "stateSince": after_dawn(20_000),
                    "durations.talkMs": 20_000,
                    "lastEvent.id": "b",
                }
            },
        ),
    ),
    life(
        "a-leg-held-again",
        live(
            login(0, "ann", "Available", id="in"),
            v2(1_000, "ann", "connected", "t", on=PHONE, id="a"),
            v2(10_000, "ann", "on-hold", "t", on=PHONE, id="b"),
            v2(20_000, "ann", "on-hold", "t", on=PHONE, id="c"),
            v2(20_000, "ann", "hold-done", "t", on=PHONE, id="d"),
        ),
        Answer(
            now=30_000,
            agents={
                "ann": {
                    "status": "on-hold",
                    "statusSince": after_dawn(10_000),
                    "currentState": "on-hold",
                    "interactions.0.since": after_dawn(20_000),
                    "lastEvent.id": "c",
                }
            },
            tasks={"t": {"participants.0.state": "on-hold"}},
        ),
    ),
    life(
        "a-leg-held-for-no-time",
        live(
            login(0, "ann", "Available", id="in"),
            v2(1_000, "ann", "connected", "t", on=PHONE, id="a"),
            v2(20_000, "ann", "hold-done", "t", on=PHONE, id="b"),
            v2(20_000, "ann", "on-hold", "t", on=PHONE, id="c"),
        ),
        Answer(
            now=30_000,
            agents={"ann": {"status": "connected", "currentState": "hold-done"}},
            tasks={"t": {"participants.0.state": "hold-done"}},
        ),
    ),
    life(
        "each-leg-has-its-own-tie",
        live(
            login(0, "ann", "Available", id="in"),
            v2(1_000, "ann", "connected", "x", on=CHAT, id="a"),
            v2(2_000, "ann", "connected", "y", on=CHAT_2, id="b"),
            v2(3_000, "ann", "on-hold", "x", on=CHAT, id="c"),
            v2(20_000, "ann", "on-hold", "x", on=CHAT, id="d"),
            v2(20_000, "ann", "hold-done", "x", on=CHAT, id="e"),
            v2(20_000, "ann", "on-hold", "y", on=CHAT_2, id="f"),
            v2(20_000, "ann", "hold-done", "y", on=CHAT_2, id="g"),
        ),
        Answer(
            now=30_000,
            agents={
                "ann": {
                    "status": "connected",
                    "taskId": "y",
                    "interactions.0.taskId": "x",
                    "interactions.0.state": "on-hold",
                    "interactions.1.state": "hold-done",
                }
            },
        ),
    ),
    life(
        "a-leg-held-again-after-a-consult",
        live(
            login(0, "ann", "Available", id="in"),
            v2(1_000, "ann", "connected", "t", on=PHONE, id="a"),
            v2(2_000, "ann", "consulting", "t", on=PHONE, id="b"),
            v2(3_000, "ann", "consult-done", "t", on=PHONE, id="c"),
            v2(20_000, "ann", "hold-done", "t", on=PHONE, id="d"),
            v2(20_000, "ann", "on-hold", "t", on=PHONE, id="e"),
        ),
        Answer(now=30_000, agents={"ann": {"status": "on-hold", "currentState": "on-hold"}}),
        choice="A leg in consult-done is on hold, as its status says.",
    ),
)


# --- how legs end (section 4) ---------------------------------------------------------------------


def consulted(name: str, *words: str, released: bool) -> TimedLife:
    """An agent with these words on one task, a second apart, and consult-done at 60 s."""
    steps = [
        v2(10_000 + 1_000 * index, "ann", word, "t", on=PHONE) for index, word in enumerate(words)
    ]
    return life(
        name,
        live(
            login(0, "ann", "Available"),
            *steps,
            v2(60_000, "ann", "consult-done", "t", on=PHONE, id="done"),
        ),
        Answer(
            now=70_000,
            agents={
                "ann": {
                    "status": "unknown" if released else "on-hold",
                    "statusSince": after_dawn(60_000),
                    "currentState": "consult-done",
                    "stateSince": after_dawn(60_000),
                    "taskId": None if released else "t",
                    "interactions.len": 0 if released else 1,
                }
            },
            tasks={
                "t": {
                    "participants.0.state": "consult-done",
                    "participants.0.since": after_dawn(60_000),
                    "participants.0.open": not released,
                }
            },
        ),
    )


def tuned(
    name: str,
    word: str,
    status: str,
    *,
    kind: str = "telephony",
    on: tuple[str, str] | None = PHONE,
    gap: int = 2_001,
) -> TimedLife:
    """A connected leg, and a channel-type change `gap` ms after it; `status` is that of then."""
    moment = 100_000 + gap
    closes = status != "connected"
    open_row = by("leg", stretch(100_000, "connected", "t"))
    after = [by("tuned", stretch(moment, status, word="connected"))] if closes else []
    return life(
        name,
        live(
            login(0, "ann", "Available", id="in"),
            v2(50_000, "ann", "idle", idleCodeId="lunch", idleCodeName="Lunch", id="lunch"),
            v2(100_000, "ann", "connected", "t", on=on, id="leg"),
            channel(moment, "ann", kind, word, id="tuned"),
        ),
        Answer(
            now=200_000,
            agents={
                "ann": {
                    "status": status,
                    "statusSince": after_dawn(moment if closes else 100_000),
                    "currentState": "connected",
                    "stateSince": after_dawn(100_000),
                    "idleCodeId": None,
                    "idleCodeName": None,
                    "taskId": None if closes else "t",
                    "interactions.len": 0 if closes else 1,
                }
            },
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "available")),
                    by("lunch", stretch(50_000, "idle", code="lunch")),
                    open_row,
                    *after,
                )
            },
        ),
    )


def parted(name: str, second: Body, *anomalies: Odd, status: str, legs: int) -> TimedLife:
    """Two chats on one channel and a call, and at 60 s what may end them."""
    return life(
        name,
        live(
            login(0, "ann", "Available", id="in"),
            v2(1_000, "ann", "connected", "c1", on=CHAT, id="c1"),
            v2(2_000, "ann", "connected", "c2", on=CHAT, id="c2"),
            v2(3_000, "ann", "connected", "t", on=PHONE, id="t"),
            second | {"id": "second"},
        ),
        Answer(
            now=70_000,
            agents={"ann": {"status": status, "interactions.len": legs}},
            anomalies=anomalies,
        ),
    )


LEGS = (
    consulted("a-consulted-agent-is-released", "ringing", "consulting", released=True),
    consulted("consulted-without-a-ring", "consulting", released=True),
    consulted("rung-for-a-consult-alone", "ringing", released=True),
    consulted("who-asked-goes-on-holding", "connected", "consulting", released=False),
    consulted("who-held-goes-on-holding", "on-hold", "consulting", released=False),
    consulted(
        "rung-connected-and-consulting", "ringing", "connected", "consulting", released=False
    ),
    life(
        "a-consult-done-alone-opens-a-leg",
        live(login(0, "ann", "Available"), v2(60_000, "ann", "consult-done", "t", on=PHONE)),
        Answer(
            now=70_000,
            agents={"ann": {"status": "on-hold", "interactions.len": 1}},
            tasks={"t": {"participants.0.open": True}},
        ),
    ),
    life(
        "a-release-told-twice",
        live(
            login(0, "ann", "Available", id="in"),
            v1(10_000, "ann", "ringing", "t", id="r1"),
            v2(10_000, "ann", "ringing", "t", on=PHONE, id="r2"),
            v1(12_000, "ann", "consulting", "t", id="c1"),
            v2(12_000, "ann", "consulting", "t", on=PHONE, id="c2"),
            v1(60_000, "ann", "consult-done", "t", id="d1"),
            v2(60_000, "ann", "consult-done", "t", on=PHONE, id="d2"),
            v2(60_200, "ann", "consult-done", "t", on=PHONE, id="d3"),
        ),
        Answer(
            now=70_000,
            agents={
                "ann": {
                    "status": "unknown",
                    "statusSince": after_dawn(60_000),
                    "interactions.len": 0,
                }
            },
            tasks={"t": {"participants.0.open": False}},
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "available")),
                    by("r2", stretch(10_000, "ringing", "t")),
                    by("c2", stretch(12_000, "consulting", "t")),
                    by("d2", stretch(60_000, "unknown", word="consult-done")),
                )
            },
        ),
    ),
    life(
        "a-released-agent-comes-back",
        live(
            login(0, "ann", "Available"),
            v2(12_000, "ann", "consulting", "t", on=PHONE),
            v2(60_000, "ann", "consult-done", "t", on=PHONE),
            v2(80_000, "ann", "ringing", "t", on=PHONE),
            v2(81_000, "ann", "connected", "t", on=PHONE),
            v2(82_000, "ann", "consulting", "t", on=PHONE),
            v2(90_000, "ann", "consult-done", "t", on=PHONE),
        ),
        Answer(
            now=95_000,
            at=80_500,
            agents={"ann": {"status": "ringing", "interactions.0.since": after_dawn(80_000)}},
            tasks={"t": {"participants.0.open": True, "participants.0.state": "ringing"}},
        ),
        Answer(
            now=95_000,
            agents={"ann": {"status": "on-hold"}},
            tasks={
                "t": {
                    "participants.0.open": True,
                    "participants.0.joinedTime": after_dawn(12_000),
                }
            },
        ),
    ),
    life(
        "a-release-of-the-session-before",
        live(
            login(0, "ann", "Available"),
            v2(12_000, "ann", "consulting", "t", on=PHONE),
            v2(60_000, "ann", "consult-done", "t", on=PHONE),
            logout(61_000, "ann", "AGENT"),
            login(62_000, "ann"),
            v2(63_000, "ann", "consult-done", "t", on=PHONE),
        ),
        Answer(now=70_000, agents={"ann": {"status": "on-hold", "interactions.len": 1}}),
        choice="A release is told again in its own session alone.",
    ),
    life(
        "a-release-and-another-word-between",
        live(
            login(0, "ann", "Available"),
            v2(12_000, "ann", "consulting", "t", on=PHONE),
            v2(60_000, "ann", "consult-done", "t", on=PHONE),
            v2(61_000, "ann", "wrapup-done", "t", on=PHONE),
            v2(63_000, "ann", "consult-done", "t", on=PHONE),
        ),
        Answer(
            now=70_000,
            agents={"ann": {"status": "on-hold", "interactions.len": 1}},
            tasks={"t": {"participants.0.open": True}},
        ),
        choice="A release is told again until the agent has another word on the task.",
    ),
    life(
        "a-release-and-a-hold-of-no-length",
        live(
            login(0, "ann", "Available"),
            v2(12_000, "ann", "consulting", "t", on=PHONE),
            v2(60_000, "ann", "consult-done", "t", on=PHONE),
            v2(61_000, "ann", "on-hold", "t", on=PHONE),
            v2(61_000, "ann", "hold-done", "t", on=PHONE),
        ),
        Answer(
            now=70_000,
            agents={"ann": {"status": "connected"}},
            tasks={"t": {"participants.0.state": "hold-done", "participants.0.open": True}},
        ),
    ),
    life(
        "consulted-after-a-conversation-of-before",
        live(
            login(0, "ann", "Available"),
            v2(1_000, "ann", "connected", "t", on=PHONE),
            v2(2_000, "ann", "wrapup-done", "t", on=PHONE),
            v2(12_000, "ann", "consulting", "t", on=PHONE),
            v2(60_000, "ann", "consult-done", "t", on=PHONE),
        ),
        Answer(
            now=70_000,
            agents={"ann": {"status": "unknown", "interactions.len": 0}},
            tasks={"t": {"participants.0.open": False}},
        ),
    ),
    life(
        "a-chat-goes-on-after-a-release",
        live(
            login(0, "ann", "Available"),
            v2(1_000, "ann", "wrapup", "c", on=CHAT),
            v2(12_000, "ann", "consulting", "t", on=PHONE),
            v2(60_000, "ann", "consult-done", "t", on=PHONE),
            v2(61_000, "ann", "available", on=CHAT),
        ),
        Answer(now=70_000, at=60_500, agents={"ann": {"status": "wrapup", "taskId": "c"}}),
        Answer(now=70_000, agents={"ann": {"status": "available", "taskId": None}}),
    ),
    life(
        "idle-on-the-phone-ends-the-call",
        live(
            login(0, "ann", "Available"),
            v2(10_000, "ann", "connected", "t", on=PHONE),
            v2(300_000, "ann", "idle", on=PHONE, idleCodeId="lunch"),
        ),
        Answer(
            now=310_000,
            agents={
                "ann": {
                    "status": "idle",
                    "statusSince": after_dawn(300_000),
                    "idleCodeId": "lunch",
                    "interactions.len": 0,
                }
            },
        ),
    ),
    life(
        "idle-on-a-channel-that-a-leg-knows-as-a-phone",
        live(
            login(0, "ann", "Available"),
            v2(10_000, "ann", "connected", "t", on=PHONE),
            v2(300_000, "ann", "idle", channelId=PHONE[0]),
        ),
        Answer(now=310_000, agents={"ann": {"status": "idle", "interactions.len": 0}}),
    ),
    life(
        "idle-on-a-phone-that-a-leg-knows-by-its-id-alone",
        live(
            login(0, "ann", "Available"),
            v2(10_000, "ann", "connected", "t", channelId=PHONE[0]),
            v2(300_000, "ann", "idle", on=PHONE),
        ),
        Answer(now=310_000, agents={"ann": {"status": "idle", "interactions.len": 0}}),
    ),
    life(
        "idle-on-another-phone",
        live(
            login(0, "ann", "Available"),
            v2(10_000, "ann", "connected", "t", on=PHONE),
            v2(300_000, "ann", "idle", on=("other-phone", "telephony")),
        ),
        Answer(now=310_000, agents={"ann": {"status": "connected", "interactions.len": 1}}),
    ),
    life(
        "idle-on-a-chat-channel",
        live(
            login(0, "ann", "Available"),
            v2(9_000, "ann", "connected", "c", on=CHAT),
            v2(10_000, "ann", "ringing", "d", on=CHAT),
            v2(300_000, "ann", "idle", on=CHAT),
        ),
        Answer(now=310_000, agents={"ann": {"status": "connected", "interactions.len": 1}}),
    ),
    tuned("the-phone-becomes-available", "Available", "available"),
    tuned("the-phone-becomes-idle", "Idle", "idle"),
    tuned("the-phone-is-logged-out", "LoggedOut", "unknown"),
    tuned("the-phone-becomes-available-too-soon", "Available", "connected", gap=2_000),
    tuned("the-phone-is-engaged", "Engaged", "connected"),
    tuned("the-phone-is-engaged-elsewhere", "EngagedOther", "connected"),
    tuned("the-phone-wraps-up", "WrapUp", "connected"),
    tuned("the-phone-is-reserved", "Reserved", "connected"),
    tuned("a-chat-channel-becomes-available", "Available", "connected", kind="chat"),
    tuned("the-phone-says-nothing-of-a-chat", "Available", "connected", on=CHAT),
    tuned("the-phone-says-nothing-of-a-leg-without-a-type", "Available", "connected", on=None),
    life(
        "a-word-after-the-phone",
        live(
            login(0, "ann", "Available", id="in"),
            v2(100_000, "ann", "connected", "t", on=PHONE, id="leg"),
            channel(200_000, "ann", "telephony", "Idle", id="tuned"),
            channel(205_000, "ann", "telephony", "Available", id="tuned-again"),
            v2(210_000, "ann", "wrapup-done", "t", on=PHONE, id="done"),
        ),
        Answer(
            now=220_000,
            agents={"ann": {"status": "wrapup-done", "currentState": "wrapup-done"}},
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "available")),
                    by("leg", stretch(100_000, "connected", "t")),
                    by("tuned", stretch(200_000, "idle", word="connected")),
                    by("done", stretch(210_000, "wrapup-done")),
                )
            },
        ),
    ),
    life(
        "the-phone-ends-a-call-that-was-not-the-last-word",
        live(
            login(0, "ann", "Available"),
            v2(100_000, "ann", "connected", "t", on=PHONE),
            v2(110_000, "ann", "idle", idleCodeId="lunch"),
            channel(200_000, "ann", "telephony", "Available"),
        ),
        Answer(now=220_000, at=190_000, agents={"ann": {"status": "connected"}}),
        Answer(
            now=220_000,
            agents={
                "ann": {
                    "status": "idle",
                    "statusSince": after_dawn(200_000),
                    "idleCodeId": "lunch",
                    "interactions.len": 0,
                }
            },
        ),
    ),
    life(
        "the-phone-is-free-and-a-chat-goes-on",
        live(
            login(0, "ann", "Available"),
            v2(90_000, "ann", "connected", "c", on=CHAT),
            v2(100_000, "ann", "connected", "t", on=PHONE),
            channel(200_000, "ann", "telephony", "Available"),
        ),
        Answer(
            now=220_000,
            agents={"ann": {"status": "connected", "taskId": "c", "interactions.len": 1}},
        ),
    ),
    parted(
        "a-logout-amid-conversations",
        logout(60_000, "ann", "SYSTEM"),
        missing_end("ann", "second"),
        status="logged-out",
        legs=0,
    ),
    parted(
        "a-word-logged-out-amid-conversations",
        v1(60_000, "ann", "logged-out"),
        missing_end("ann", "second"),
        status="logged-out",
        legs=0,
    ),
    parted(
        "a-word-ends-two-conversations",
        v2(60_000, "ann", "available", on=CHAT),
        missing_end("ann", "second"),
        status="connected",
        legs=1,
    ),
    parted(
        "a-list-ends-three-conversations",
        v1(60_000, "ann", "available", connectedChannels=[]),
        missing_end("ann", "second"),
        status="available",
        legs=0,
    ),
    parted(
        "a-word-ends-one-conversation",
        v2(60_000, "ann", "available", on=PHONE),
        status="connected",
        legs=2,
    ),
    parted(
        "a-word-with-a-task-ends-two",
        v1(60_000, "ann", "wrapup", "t", connectedChannels=[]),
        status="wrapup",
        legs=1,
    ),
    parted(
        "an-unknown-word-ends-three",
        v1(60_000, "ann", "dreaming", connectedChannels=[]),
        Odd(kind="unknown-state", subject="agent:ann", event_id="second"),
        status="dreaming",
        legs=0,
    ),
    parted(
        "a-login-amid-conversations",
        login(60_000, "ann"),
        Odd(kind="missing-logout", subject="agent:ann", event_id="second"),
        status="idle",
        legs=0,
    ),
    life(
        "the-phone-ends-two-calls",
        live(
            login(0, "ann", "Available"),
            v2(1_000, "ann", "on-hold", "t", on=PHONE),
            v2(2_000, "ann", "consult-done", "u", on=PHONE),
            channel(60_000, "ann", "telephony", "Idle", id="tuned"),
        ),
        Answer(
            now=70_000, agents={"ann": {"status": "idle"}}, anomalies=(missing_end("ann", "tuned"),)
        ),
    ),
    life(
        "a-word-ends-a-conversation-and-a-wrap-up",
        live(
            login(0, "ann", "Available"),
            v2(1_000, "ann", "connected", "c1", on=CHAT),
            v2(2_000, "ann", "connected", "c2", on=CHAT),
            v2(3_000, "ann", "wrapup", "c1", on=CHAT),
            v2(60_000, "ann", "available", on=CHAT),
        ),
        Answer(now=70_000, agents={"ann": {"status": "available", "interactions.len": 0}}),
    ),
    life(
        "a-logout-amid-a-wrap-up",
        live(
            login(0, "ann", "Available"),
            v2(1_000, "ann", "wrapup", "t", on=PHONE),
            v2(2_000, "ann", "ringing", "c", on=CHAT),
            logout(60_000, "ann", "AGENT"),
        ),
        Answer(now=70_000, agents={"ann": {"status": "logged-out"}}),
    ),
    *(
        life(
            f"a-logout-amid-{word}",
            live(
                login(0, "ann", "Available"),
                v2(1_000, "ann", word, "t", on=PHONE),
                logout(60_000, "ann", "AGENT") | {"id": "out"},
            ),
            Answer(now=70_000, anomalies=(missing_end("ann", "out"),)),
        )
        for word in (
            "connected",
            "on-hold",
            "hold-done",
            "consulting",
            "consult-done",
            "conferencing",
            "conference-done",
        )
    ),
)


# --- tasks (section 5) ----------------------------------------------------------------------------


def over(
    name: str,
    *steps: Body,
    status: str,
    complete: bool = True,
    first_traces: tuple[str, ...] = (),
    **ending: str,
) -> TimedLife:
    """A parked task, some steps, and an end at 100 s."""
    end = {"terminatingParty": "Customer", "reason": "Customer Left"} | ending
    return life(
        name,
        live(
            login(0, "ann"),
            task(0, "t", "parked", queueId="q", id="parked"),
            *steps,
            task(100_000, "t", "ended", id="end", **end),
        ),
        Answer(
            now=200_000,
            tasks={"t": {"status": status, "complete": complete, "currentState": "ended"}},
            first_traces=first_traces,
        ),
    )


def handed(
    name: str, *words: tuple[str, str], transfers: int, shape: str = "v2", choice: str = ""
) -> TimedLife:
    """Agents' words on one task, a second apart from 10 s; the number of transfers."""
    steps: list[Body] = []
    for index, (agent, word) in enumerate(words):
        moment = 10_000 + 1_000 * index
        if shape in ("v2", "both"):
            steps.append(v2(moment, agent, word, "t", on=(f"{agent}-phone", "telephony")))
        if shape in ("v1", "both"):
            steps.append(v1(moment, agent, word, "t"))
    return life(
        name,
        live(task(0, "t", "new"), task(9_000, "t", "connected"), *steps),
        Answer(now=HOUR - 1, anomalies=None, tasks={"t": {"counts.transfers": transfers}}),
        choice=choice,
    )


TALKING = (("ann", "connected"), ("ann", "on-hold"), ("ann", "consulting"))
ASKED = (("bob", "ringing"), ("bob", "consulting"))

TASKS = (
    over("given-up-by-the-customer", status="abandoned"),
    over("given-up-by-nobody-named", status="abandoned", terminatingParty=""),
    over("ended-by-the-system", status="unanswered", terminatingParty="System", reason="Overflow"),
    over("ended-by-the-SYSTEM", status="unanswered", terminatingParty="SYSTEM"),
    over(
        "an-outdial-that-nobody-answered",
        task(2_000, "t", "connect", direction="OUTBOUND"),
        status="unanswered",
        direction="Outbound",
    ),
    over(
        "an-outdial-wrapped-up",
        task(2_000, "t", "connect", direction="OUTBOUND"),
        v2(3_000, "ann", "ringing", "t", on=PHONE),
        v2(90_000, "ann", "wrapup", "t", on=PHONE),
        v2(95_000, "ann", "wrapup-done", "t", on=PHONE),
        status="unanswered",
        direction="OUTBOUND",
        terminatingParty="Agent",
    ),
    over(
        "an-outdial-that-was-answered",
        task(2_000, "t", "connected", direction="OUTBOUND"),
        status="completed",
        direction="OUTBOUND",
    ),
    *(
        over(f"in-conversation-by-{word}", task(50_000, "t", word), status="completed")
        for word in (
            *("connected", "on-hold", "hold-done", "consulting", "consult-done", "conferencing"),
            *("conference-done", "conference-transferred"),
        )
    ),
    over("not-in-conversation-by-connect", task(50_000, "t", "connect"), status="abandoned"),
    *(
        over(
            f"in-conversation-by-an-agents-{word}",
            v2(50_000, "ann", word, "t", on=PHONE),
            v2(60_000, "ann", "idle", "t", on=PHONE),
            status="completed",
        )
        for word in (
            *("connected", "on-hold", "hold-done", "consulting", "consult-done", "conferencing"),
            "conference-done",
        )
    ),
    *(
        over(
            f"not-in-conversation-by-an-agents-{word}",
            v2(50_000, "ann", word, "t", on=PHONE),
            status="abandoned",
        )
        for word in ("ringing", "not-responding", "idle", "available")
    ),
    over(
        "a-wrap-up-is-a-trace",
        v2(50_000, "ann", "wrapup", "t", on=PHONE, id="wrap"),
        v2(60_000, "ann", "wrapup-done", "t", on=PHONE, id="done"),
        status="completed",
        first_traces=("wrap",),
    ),
    over(
        "a-finished-wrap-up-is-a-trace",
        v2(60_000, "ann", "wrapup-done", "t", on=PHONE, id="done"),
        status="completed",
        first_traces=("done",),
    ),
    over(
        "an-end-by-the-agent-is-a-trace",
        status="completed",
        terminatingParty="AGENT",
        first_traces=("end",),
    ),
    over(
        "no-trace-after-a-conversation",
        v2(40_000, "ann", "connected", "t", on=PHONE),
        v2(50_000, "ann", "wrapup", "t", on=PHONE),
        v2(60_000, "ann", "wrapup-done", "t", on=PHONE),
        status="completed",
        terminatingParty="Agent",
    ),
    over(
        "the-direction-is-learned-last",
        v2(50_000, "ann", "wrapup", "t", on=PHONE),
        v2(60_000, "ann", "wrapup-done", "t", on=PHONE),
        status="unanswered",
        direction="OUTBOUND",
    ),
    life(
        "an-inbound-call-that-proves-to-be-outbound",
        live(
            login(0, "ann"),
            task(0, "t", "parked", id="parked"),
            v2(50_000, "ann", "wrapup", "t", on=PHONE, id="wrap"),
            v2(60_000, "ann", "wrapup-done", "t", on=PHONE),
            ended(100_000, "t", id="end"),
            task(110_000, "t", "origin-updated", direction="OUTBOUND", id="out"),
        ),
        Answer(
            now=200_000,
            at=109_999,
            tasks={"t": {"status": "completed", "direction": "INBOUND"}},
            first_traces=("wrap",),
        ),
        Answer(
            now=200_000,
            tasks={"t": {"status": "unanswered", "direction": "OUTBOUND"}},
            task_intervals={
                "t": rows(
                    by("parked", phase(0, "queued", "parked")),
                    by("end", phase(100_000, "completed", "ended")),
                    by("out", phase(110_000, "unanswered", "ended")),
                )
            },
        ),
        choice="An interval of the past has the direction as of then, as the view of then has.",
    ),
    life(
        "a-trace-that-comes-first",
        live(
            v2(50_000, "ann", "wrapup", "t", on=PHONE),
            v2(60_000, "ann", "wrapup-done", "t", on=PHONE),
            ended(100_000, "t"),
        ),
        Answer(
            now=200_000,
            tasks={"t": {"status": "completed"}},
            anomalies=(Odd(kind="missing-login", subject="agent:ann", event_id="e1"),),
        ),
    ),
    life(
        "an-offer-ends-and-nothing-more",
        live(
            task(0, "t", "parked"),
            task(1_000, "t", "connect"),
            ended(9_000, "t", "System", "RONA Timer Expired"),
        ),
        Answer(now=10_000, tasks={"t": {"status": "offered"}}, open_tasks=("t",)),
    ),
    life(
        "a-trace-is-no-conversation-for-transfers",
        live(
            task(0, "t", "parked"),
            ended(9_000, "t", "Agent", id="end"),
            task(10_000, "t", "parked"),
        ),
        Answer(now=11_000, tasks={"t": {"counts.transfers": 0}}, first_traces=("end",)),
    ),
    life(
        "held-is-conversation-enough-for-transfers",
        live(
            task(0, "t", "parked"),
            v2(5_000, "ann", "on-hold", "t", on=PHONE),
            ended(9_000, "t"),
            task(10_000, "t", "parked"),
        ),
        Answer(
            now=11_000,
            tasks={"t": {"counts.transfers": 1}},
            anomalies=(Odd(kind="missing-login", subject="agent:ann", event_id="e2"),),
        ),
    ),
    handed(
        "handed-over-and-then-left",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("ann", "wrapup"),
        ("ann", "wrapup-done"),
        transfers=1,
    ),
    handed(
        "left-and-then-handed-over",
        *TALKING,
        *ASKED,
        ("ann", "wrapup"),
        ("ann", "wrapup-done"),
        ("bob", "connected"),
        transfers=1,
    ),
    handed(
        "handed-over-and-left-for-idle",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("ann", "idle"),
        transfers=1,
    ),
    handed(
        "handed-over-without-a-ring",
        *TALKING,
        ("bob", "consulting"),
        ("bob", "connected"),
        ("ann", "wrapup"),
        transfers=1,
    ),
    handed(
        "handed-over-in-both-shapes",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("ann", "wrapup"),
        ("ann", "wrapup-done"),
        transfers=1,
        shape="both",
    ),
    handed(
        "handed-on-once-more",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("ann", "wrapup"),
        ("bob", "consulting"),
        ("cal", "ringing"),
        ("cal", "consulting"),
        ("cal", "connected"),
        ("bob", "wrapup"),
        transfers=2,
    ),
    handed("asked-and-still-there", *TALKING, *ASKED, ("bob", "connected"), transfers=0),
    handed(
        "rung-and-connected",
        *TALKING,
        ("bob", "ringing"),
        ("bob", "connected"),
        ("ann", "wrapup"),
        transfers=0,
    ),
    handed(
        "a-conference-is-no-transfer",
        *TALKING,
        *ASKED,
        ("bob", "conferencing"),
        ("ann", "conferencing"),
        ("ann", "wrapup"),
        ("bob", "connected"),
        transfers=0,
    ),
    handed(
        "a-conference-after-it-is-no-transfer",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("bob", "conferencing"),
        ("ann", "wrapup"),
        transfers=0,
    ),
    handed(
        "a-conference-of-the-other-is-no-transfer",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("ann", "conferencing"),
        ("ann", "wrapup"),
        transfers=0,
    ),
    handed(
        "a-conference-before-taking-over-is-no-transfer",
        *TALKING,
        *ASKED,
        ("ann", "conferencing"),
        ("bob", "connected"),
        ("ann", "wrapup"),
        transfers=0,
    ),
    handed(
        "the-one-who-left-came-back",
        *TALKING,
        *ASKED,
        ("ann", "wrapup"),
        ("ann", "connected"),
        ("bob", "connected"),
        transfers=0,
    ),
    handed(
        "left-in-an-earlier-consult",
        *TALKING,
        *ASKED,
        ("ann", "wrapup"),
        ("bob", "consult-done"),
        ("ann", "wrapup-done"),
        ("cat", "ringing"),
        ("cat", "connected"),
        ("cat", "consulting"),
        *ASKED,
        ("bob", "connected"),
        transfers=0,
    ),
    handed(
        "asked-and-left", *TALKING, *ASKED, ("bob", "consult-done"), ("ann", "wrapup"), transfers=0
    ),
    handed(
        "consulted-before-the-latest-ring",
        *TALKING,
        *ASKED,
        ("bob", "consult-done"),
        ("bob", "ringing"),
        ("bob", "connected"),
        ("ann", "wrapup"),
        transfers=0,
    ),
    handed(
        "who-left-before-the-ask-hands-nothing-over",
        ("ann", "connected"),
        ("ann", "wrapup"),
        ("cal", "connected"),
        *ASKED,
        ("bob", "connected"),
        transfers=0,
        choice="Who goes first goes after the other one was rung, or consulted without a ring.",
    ),
    handed(
        "who-came-after-it-hands-nothing-over",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("cal", "connected"),
        ("cal", "wrapup"),
        transfers=0,
    ),
    handed(
        "two-leave-and-one-has-come",
        ("cal", "connected"),
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("ann", "wrapup"),
        ("cal", "wrapup"),
        transfers=1,
    ),
    handed(
        "handed-over-and-back",
        *TALKING,
        *ASKED,
        ("bob", "connected"),
        ("bob", "wrapup"),
        ("ann", "wrapup"),
        transfers=0,
        choice="Who has left when the other one goes has taken nothing over.",
    ),
    handed(
        "nobody-was-in-conversation",
        ("ann", "ringing"),
        *ASKED,
        ("bob", "connected"),
        ("ann", "not-responding"),
        transfers=0,
    ),
)


# --- the passing of time (section 9) --------------------------------------------------------------


def lasting(
    name: str, word: str, limit: int, on: tuple[str, str] | None, shown: str = ""
) -> TimedLife:
    """A leg in one state from 10 s on, a millisecond before its limit and at it."""
    since, moment = 10_000, 10_000 + limit
    day_later = since + DAY
    session_ends = limit >= DAY  # nothing else came of the agent: the session ends with the leg
    before = [
        by("in", stretch(0, "idle")),
        by("leg", stretch(since, shown or word, "t", word=word)),
    ]
    after = (
        by(None, stretch(moment, "logged-out"))
        if session_ends
        else by(None, stretch(moment, "unknown", word=word))
    )
    return life(
        name,
        live(login(0, "ann", id="in"), v2(since, "ann", word, "t", on=on, id="leg")),
        Answer(
            now=moment - 1,
            agents={"ann": {"status": shown or word, "interactions.len": 1}},
            agent_intervals={"ann": rows(*before)},
            anomalies=(stale("t", since, day_later),) if moment - 1 >= day_later else (),
        ),
        Answer(
            now=moment,
            agents={
                "ann": {
                    "status": "logged-out" if session_ends else "unknown",
                    "statusSince": after_dawn(moment),
                    "currentState": "logged-out" if session_ends else word,
                    "stateSince": after_dawn(moment if session_ends else since),
                    "taskId": None,
                    "interactions.len": 0,
                    "eventCount": 2,
                    "session.logoutTime": after_dawn(moment) if session_ends else None,
                }
            },
            agent_intervals={"ann": rows(*before, after)},
            anomalies=(
                overdue("ann", since, moment),
                *([silent("ann", since, moment)] if session_ends else []),
                *([stale("t", since, day_later)] if moment >= day_later else []),
            ),
        ),
    )


def silence(name: str, limit: int, **carries: str) -> TimedLife:
    """A parked task that nothing more is told of."""
    parked = task(10_000, "t", "parked", queueId="q", **carries)
    since, moment = 10_000, 10_000 + limit
    usual = {"status": "queued", "currentState": "parked", "stateSince": after_dawn(since)}
    shown = {"t": rows(by("parked", phase(since, "queued", "parked")))}
    return life(
        name,
        live(parked | {"id": "parked"}),
        Answer(
            now=moment - 1,
            tasks={"t": usual | {"stale": False}},
            task_intervals=shown,
            open_tasks=("t",),
        ),
        Answer(
            now=moment,
            tasks={"t": usual | {"stale": True}},
            task_intervals=shown,
            anomalies=(stale("t", since, moment),),
            open_tasks=(),
        ),
    )


def late_ring(name: str, delay: int, deadline: int | None) -> TimedLife:
    """A ring at 10 s that was recorded `delay` ms later; when it ends, if it does."""
    ring = v2(10_000, "ann", "ringing", "t", on=PHONE, id="ring")
    told = (*live(login(0, "ann", id="in")), recorded(10_000 + delay, ring))
    ringing = {"ann": {"status": "ringing", "interactions.len": 1}}
    if deadline is None:
        return life(name, told, Answer(now=400 * DAY, agents=ringing))
    return life(
        name,
        told,
        Answer(now=deadline - 1, agents=ringing),
        Answer(
            now=deadline,
            agents={"ann": {"status": "unknown", "statusSince": after_dawn(deadline)}},
            anomalies=(overdue("ann", 10_000, deadline),),
        ),
    )


LOGGED_OUT_BY_TIME = {
    "status": "logged-out",
    "statusSince": after_dawn(DAY + 10_000),
    "currentState": "logged-out",
    "stateSince": after_dawn(DAY + 10_000),
    "loggedIn": False,
    "session.loginTime": after_dawn(0),
    "session.logoutTime": after_dawn(DAY + 10_000),
    "session.loggedOutBy": None,
    "teamId": "team-1",
}
QUIET = (login(0, "ann", id="in"), v2(10_000, "ann", "available", id="ready"))

TIME = (
    lasting("ringing-on-the-phone", "ringing", 5 * MINUTE, PHONE),
    lasting("ringing-without-a-type", "ringing", 5 * MINUTE, None),
    lasting("ringing-in-a-chat", "ringing", HOUR, CHAT),
    lasting("wrapping-up-on-the-phone", "wrapup", HOUR, PHONE),
    lasting("wrapping-up-without-a-type", "wrapup", HOUR, None),
    lasting("wrapping-up-a-chat", "wrapup", HOUR, CHAT),
    lasting("talking-on-the-phone", "connected", 12 * HOUR, PHONE),
    lasting("holding-on-the-phone", "on-hold", 12 * HOUR, PHONE),
    lasting("after-a-consult-on-the-phone", "consult-done", 12 * HOUR, PHONE, "on-hold"),
    lasting("talking-without-a-type", "connected", DAY, None),
    lasting("talking-in-a-chat", "connected", 30 * DAY, CHAT),
    life(
        "an-answer-at-the-last-moment",
        live(
            login(0, "ann"),
            v2(10_000, "ann", "ringing", "t", on=PHONE),
            v2(10_000 + 5 * MINUTE, "ann", "connected", "t", on=PHONE),
        ),
        Answer(now=HOUR, agents={"ann": {"status": "connected"}}),
    ),
    life(
        "another-fact-at-the-last-moment",
        live(
            login(0, "ann", id="in"),
            v2(10_000, "ann", "ringing", "t", on=PHONE, id="ring"),
            channel(10_000 + 5 * MINUTE, "ann", "chat", "Idle", id="tuned"),
        ),
        Answer(
            now=HOUR,
            agents={"ann": {"status": "unknown"}},
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "idle")),
                    by("ring", stretch(10_000, "ringing", "t")),
                    by(None, stretch(10_000 + 5 * MINUTE, "unknown", word="ringing")),
                )
            },
            anomalies=(overdue("ann", 10_000 + 5 * MINUTE, 10_000 + 5 * MINUTE),),
        ),
    ),
    life(
        "an-event-and-a-deadline-change-the-same-millisecond",
        live(
            login(0, "ann", id="in"),
            v2(5_000, "ann", "connected", "c", on=CHAT, id="talk"),
            v2(10_000, "ann", "ringing", "t", on=PHONE, id="ring"),
            v2(10_000 + 5 * MINUTE, "ann", "wrapup-done", "c", on=CHAT, id="done"),
        ),
        Answer(
            now=HOUR,
            agents={"ann": {"status": "wrapup-done", "interactions.len": 0}},
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "idle")),
                    by("talk", stretch(5_000, "connected", "c")),
                    by(None, stretch(10_000 + 5 * MINUTE, "wrapup-done")),
                )
            },
            anomalies=(overdue("ann", 10_000 + 5 * MINUTE, 10_000 + 5 * MINUTE),),
        ),
        choice="The deadline is tested last, so it begins what is shown then.",
    ),
    life(
        "a-second-ring-does-not-restart",
        live(
            login(0, "ann"),
            v2(10_000, "ann", "ringing", "t", on=PHONE),
            v2(10_000 + 4 * MINUTE, "ann", "ringing", "t", on=PHONE),
        ),
        Answer(
            now=10_000 + 5 * MINUTE,
            agents={"ann": {"status": "unknown", "interactions.len": 0}},
            anomalies=(overdue("ann", 10_000 + 4 * MINUTE, 10_000 + 5 * MINUTE),),
        ),
    ),
    life(
        "a-ring-after-the-ring-was-overdue",
        live(
            login(0, "ann", id="in"),
            v2(10_000, "ann", "ringing", "t", on=PHONE, id="r1"),
            v2(10_000 + 6 * MINUTE, "ann", "ringing", "t", on=PHONE, id="r2"),
            v2(20_000 + 6 * MINUTE, "ann", "connected", "t", on=PHONE, id="c"),
        ),
        Answer(
            now=HOUR,
            agents={"ann": {"status": "connected"}},
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "idle")),
                    by("r1", stretch(10_000, "ringing", "t")),
                    by(None, stretch(10_000 + 5 * MINUTE, "unknown", word="ringing")),
                    by("r2", stretch(10_000 + 6 * MINUTE, "ringing", "t")),
                    by("c", stretch(20_000 + 6 * MINUTE, "connected", "t")),
                )
            },
            anomalies=(overdue("ann", 10_000, 10_000 + 5 * MINUTE),),
        ),
    ),
    life(
        "a-type-that-comes-later-counts",
        live(
            login(0, "ann"),
            v1(10_000, "ann", "ringing", "t"),
            v2(20_000, "ann", "ringing", "t", on=CHAT),
        ),
        Answer(now=9_999 + HOUR, agents={"ann": {"status": "ringing"}}),
        Answer(
            now=10_000 + HOUR,
            agents={"ann": {"status": "unknown"}},
            anomalies=(overdue("ann", 20_000, 10_000 + HOUR),),
        ),
    ),
    life(
        "a-type-that-comes-too-late",
        live(
            login(0, "ann", id="in"),
            v2(10_000, "ann", "ringing", "t", on=CHAT, id="r1"),
            v2(10_000 + 10 * MINUTE, "ann", "ringing", "t", on=PHONE, id="r2"),
        ),
        Answer(
            now=HOUR,
            agents={"ann": {"status": "unknown"}},
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "idle")),
                    by("r1", stretch(10_000, "ringing", "t")),
                    by(None, stretch(10_000 + 10 * MINUTE, "unknown", word="ringing")),
                )
            },
            anomalies=(overdue("ann", 10_000 + 10 * MINUTE, 10_000 + 10 * MINUTE),),
        ),
        choice="A deadline that has passed already is as of the event that tells of it.",
    ),
    life(
        "the-last-word-was-not-of-the-overdue-leg",
        live(
            login(0, "ann", "Available"),
            v2(10_000, "ann", "ringing", "c", on=CHAT),
            v2(20_000, "ann", "available", on=PHONE),
        ),
        Answer(now=10_000 + HOUR - 1, agents={"ann": {"status": "ringing"}}),
        Answer(
            now=10_000 + HOUR,
            agents={"ann": {"status": "available", "statusSince": after_dawn(10_000 + HOUR)}},
            anomalies=(overdue("ann", 20_000, 10_000 + HOUR),),
        ),
    ),
    life(
        "several-pass-one-after-the-other",
        live(
            login(0, "ann", "Available", id="in"),
            v2(10_000, "ann", "connected", "c", on=CHAT, id="c"),
            v2(20_000, "ann", "connected", "t", on=PHONE, id="t"),
            v2(30_000, "ann", "ringing", "u", on=("ann-phone-2", "telephony"), id="u"),
        ),
        Answer(
            now=31 * DAY,
            agents={
                "ann": {
                    "status": "logged-out",
                    "session.logoutTime": after_dawn(10_000 + 30 * DAY),
                    "eventCount": 4,
                }
            },
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "available")),
                    by("c", stretch(10_000, "connected", "c")),
                    by("t", stretch(20_000, "connected", "t")),
                    by(None, stretch(20_000 + 12 * HOUR, "connected", "c", word="ringing")),
                    by(None, stretch(10_000 + 30 * DAY, "logged-out")),
                )
            },
            anomalies=(
                overdue("ann", 30_000, 30_000 + 5 * MINUTE),
                overdue("ann", 30_000, 20_000 + 12 * HOUR),
                overdue("ann", 30_000, 10_000 + 30 * DAY),
                silent("ann", 30_000, 10_000 + 30 * DAY),
                stale("c", 10_000, 10_000 + DAY),
                stale("t", 20_000, 20_000 + DAY),
                stale("u", 30_000, 30_000 + DAY),
            ),
        ),
    ),
    life(
        "two-legs-in-one-millisecond",
        live(
            login(0, "ann", "Available", id="in"),
            v2(10_000, "ann", "wrapup", "t", on=PHONE, id="t"),
            v2(10_000 + 55 * MINUTE, "ann", "ringing", "u", on=("p2", "telephony"), id="u"),
        ),
        Answer(
            now=2 * HOUR,
            agents={"ann": {"status": "unknown", "statusSince": after_dawn(10_000 + HOUR)}},
            anomalies=(
                overdue("ann", 10_000 + 55 * MINUTE, 10_000 + HOUR),
                overdue("ann", 10_000 + 55 * MINUTE, 10_000 + HOUR),
            ),
        ),
    ),
    # an agent's silence
    life(
        "an-agent-falls-silent",
        live(*QUIET, channel(5_000, "ann", "telephony", "Available", pendingIdleState=True)),
        Answer(
            now=DAY + 9_999,
            agents={"ann": {"status": "available", "loggedIn": True}},
        ),
        Answer(
            now=DAY + 10_000,
            agents={
                "ann": LOGGED_OUT_BY_TIME
                | {
                    "channels.telephony.currentState": "LoggedOut",
                    "channels.telephony.since": after_dawn(DAY + 10_000),
                    "channels.telephony.pendingIdleState": False,
                    "eventCount": 3,
                    "lastEvent.id": "ready",
                }
            },
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "idle")),
                    by("ready", stretch(10_000, "available")),
                    by(None, stretch(DAY + 10_000, "logged-out")),
                )
            },
            anomalies=(silent("ann", 10_000, DAY + 10_000),),
        ),
        Answer(
            now=DAY + 9_999,
            at=DAY + 10_000,
            agents={"ann": LOGGED_OUT_BY_TIME},
            anomalies=(silent("ann", 10_000, DAY + 10_000),),
        ),
        Answer(now=9 * DAY, at=DAY + 9_999, agents={"ann": {"status": "available"}}),
        Answer(now=9 * DAY, known_at=DAY + 9_999, agents={"ann": {"status": "available"}}),
        Answer(
            now=9 * DAY,
            known_at=DAY + 10_000,
            agents={"ann": {"status": "logged-out"}},
            anomalies=(silent("ann", 10_000, DAY + 10_000),),
        ),
    ),
    life(
        "any-event-breaks-the-silence",
        live(*QUIET, channel(DAY + 10_000, "ann", "chat", "Idle")),
        Answer(now=2 * DAY + 9_999, agents={"ann": {"status": "available"}}),
        Answer(
            now=2 * DAY + 10_000,
            agents={"ann": {"status": "logged-out"}},
            anomalies=(silent("ann", DAY + 10_000, 2 * DAY + 10_000),),
        ),
    ),
    life(
        "a-leg-outlasts-the-silence",
        live(
            login(0, "ann", id="in"),
            v2(10_000, "ann", "wrapup", "t", on=PHONE, id="wrap"),
        ),
        Answer(
            now=10_000 + DAY,
            agents={
                "ann": {"status": "logged-out", "session.logoutTime": after_dawn(10_000 + DAY)}
            },
            agent_intervals={
                "ann": rows(
                    by("in", stretch(0, "idle")),
                    by("wrap", stretch(10_000, "wrapup", "t")),
                    by(None, stretch(10_000 + HOUR, "unknown", word="wrapup")),
                    by(None, stretch(10_000 + DAY, "logged-out")),
                )
            },
            anomalies=(
                overdue("ann", 10_000, 10_000 + HOUR),
                silent("ann", 10_000, 10_000 + DAY),
                stale("t", 10_000, 10_000 + DAY),
            ),
        ),
    ),
    life(
        "the-logout-comes-after-the-silence",
        live(
            *QUIET,
            logout(2 * DAY, "ann", "SYSTEM") | {"id": "out"},
            logout(2 * DAY + 1, "ann", "AGENT") | {"id": "out-2"},
        ),
        Answer(
            now=3 * DAY,
            agents={
                "ann": LOGGED_OUT_BY_TIME
                | {
                    "session.logoutTime": after_dawn(2 * DAY),
                    "session.loggedOutBy": "SYSTEM",
                }
            },
            anomalies=(silent("ann", 10_000, DAY + 10_000),),
        ),
    ),
    life(
        "a-word-logged-out-after-the-silence",
        live(*QUIET, v2(2 * DAY, "ann", "logged-out", teamId="team-2")),
        Answer(
            now=3 * DAY,
            agents={"ann": LOGGED_OUT_BY_TIME | {"session.logoutTime": after_dawn(2 * DAY)}},
            anomalies=(silent("ann", 10_000, DAY + 10_000),),
        ),
    ),
    life(
        "a-logout-that-is-not-the-next-event",
        live(
            *QUIET,
            channel(2 * DAY, "ann", "telephony", "LoggedOut"),
            logout(2 * DAY + 1, "ann", "SYSTEM"),
        ),
        Answer(
            now=3 * DAY,
            agents={"ann": LOGGED_OUT_BY_TIME},
            anomalies=(silent("ann", 10_000, DAY + 10_000),),
        ),
    ),
    life(
        "back-after-the-silence",
        live(*QUIET, v2(2 * DAY, "ann", "available", id="back")),
        Answer(
            now=2 * DAY + 1_000,
            agents={"ann": {"status": "available", "session.loginTime": None}},
            anomalies=(
                silent("ann", 10_000, DAY + 10_000),
                Odd(kind="missing-login", subject="agent:ann", event_id="back"),
            ),
        ),
    ),
    life(
        "a-login-after-the-silence",
        live(*QUIET, login(2 * DAY, "ann", id="in-2")),
        Answer(
            now=2 * DAY + 1_000,
            agents={"ann": {"status": "idle", "session.loginTime": after_dawn(2 * DAY)}},
            anomalies=(silent("ann", 10_000, DAY + 10_000),),
        ),
    ),
    life(
        "a-late-event-moves-the-silence",
        (
            *live(*QUIET),
            recorded(DAY, v2(HOUR, "ann", "idle", id="late")),
        ),
        Answer(
            now=3 * DAY,
            known_at=DAY + 10_000,
            agents={"ann": {"status": "idle"}},
        ),
        Answer(
            now=DAY + HOUR,
            agents={"ann": {"status": "logged-out"}},
            anomalies=(silent("ann", HOUR, DAY + HOUR),),
        ),
    ),
    # a task's silence
    silence("silent-on-the-phone", DAY),
    silence("silent-in-a-chat", 30 * DAY, channelType="chat"),
    silence("silent-without-a-type", DAY, channelType=""),
    life(
        "an-agents-word-breaks-the-silence-of-a-task",
        live(
            task(0, "t", "connected"),
            login(DAY, "ann"),
            v2(DAY, "ann", "hold-done", "t", on=PHONE),
        ),
        Answer(now=DAY + 500, tasks={"t": {"stale": False}}, open_tasks=("t",)),
        Answer(now=2 * DAY - 1, tasks={"t": {"stale": False}}, anomalies=None),
        Answer(now=2 * DAY, tasks={"t": {"stale": True}}, anomalies=None, open_tasks=()),
    ),
    life(
        "a-stale-task-moves-again",
        live(
            task(0, "t", "parked"),
            task(2 * DAY, "t", "connect"),
        ),
        Answer(
            now=2 * DAY + 500,
            known_at=2 * DAY - 1,
            tasks={"t": {"stale": True, "status": "queued"}},
            anomalies=(stale("t", 0, DAY),),
            open_tasks=(),
        ),
        Answer(
            now=2 * DAY + 500,
            at=2 * DAY - 1,
            tasks={"t": {"stale": True, "status": "queued"}},
            anomalies=(stale("t", 0, DAY),),
        ),
        Answer(
            now=2 * DAY + 500,
            tasks={"t": {"stale": False, "status": "offered"}},
            open_tasks=("t",),
        ),
    ),
    life(
        "over-is-never-stale",
        live(
            task(0, "t", "connected"),
            ended(1_000, "t"),
            task(0, "u", "parked"),
            task(1_000, "u", "failed"),
        ),
        Answer(
            now=90 * DAY,
            tasks={"t": {"stale": False}, "u": {"stale": False}},
            open_tasks=(),
        ),
    ),
    life(
        "a-recording-alone",
        live(capture(10_000, "t", "https://captures.invalid/a")),
        Answer(
            now=10_500,
            tasks={"t": {"status": "unknown", "stale": False, "captures.len": 1}},
            open_tasks=(),
        ),
        Answer(now=90 * DAY, tasks={"t": {"stale": False}}, open_tasks=()),
    ),
    life(
        "a-recording-and-another-event",
        live(
            capture(10_000, "t", "https://captures.invalid/a"),
            task(20_000, "t", "origin-updated"),
        ),
        Answer(now=20_500, tasks={"t": {"stale": False}}, open_tasks=("t",)),
        Answer(
            now=DAY + 20_000,
            tasks={"t": {"status": "unknown", "stale": True}},
            anomalies=(stale("t", 20_000, DAY + 20_000),),
            open_tasks=(),
        ),
    ),
    life(
        "a-participant-outlasts-its-leg",
        live(
            task(0, "t", "connected"),
            login(0, "ann"),
            v2(10_000, "ann", "connected", "t", on=PHONE),
            v2(20_000, "ann", "wrapup", "t", on=PHONE),
            ended(20_000, "t"),
        ),
        Answer(
            now=20_000 + HOUR - 1,
            agents={"ann": {"status": "wrapup"}},
            tasks={"t": {"status": "assigned", "complete": False}},
        ),
        Answer(
            now=20_000 + HOUR,
            agents={"ann": {"status": "unknown"}},
            tasks={
                "t": {
                    "status": "completed",
                    "completedTime": after_dawn(20_000 + HOUR),
                    "participants.0.state": "wrapup",
                    "participants.0.open": True,
                }
            },
            anomalies=(
                overdue("ann", 20_000, 20_000 + HOUR),
                Odd(kind="wrapup-missing", subject="task:t"),
            ),
        ),
    ),
    # live knowledge only
    late_ring("recorded-just-before-its-deadline", 5 * MINUTE - 1, 10_000 + 5 * MINUTE),
    late_ring("recorded-at-its-deadline", 5 * MINUTE, 10_000 + 10 * MINUTE),
    late_ring("recorded-after-its-deadline", 7 * HOUR, 10_000 + 7 * HOUR + 5 * MINUTE),
    life(
        "recorded-a-day-later",
        (
            *live(login(DAY - 2 * HOUR, "ann", id="in")),
            recorded(2 * DAY - HOUR, v1(DAY - HOUR, "ann", "ringing", "t", id="ring")),
        ),
        Answer(
            now=2 * DAY - HOUR + 5 * MINUTE - 1,
            agents={"ann": {"status": "ringing"}},
        ),
        Answer(
            now=2 * DAY - HOUR + 5 * MINUTE,
            agents={
                "ann": {
                    "status": "unknown",
                    "statusSince": after_dawn(2 * DAY - HOUR + 5 * MINUTE),
                    "interactions.len": 0,
                }
            },
            anomalies=(overdue("ann", DAY - HOUR, 2 * DAY - HOUR + 5 * MINUTE),),
        ),
        Answer(
            now=3 * DAY - HOUR,
            agents={
                "ann": {
                    "status": "logged-out",
                    "session.logoutTime": after_dawn(3 * DAY - HOUR),
                }
            },
            tasks={"t": {"stale": True}},
            anomalies=(
                overdue("ann", DAY - HOUR, 2 * DAY - HOUR + 5 * MINUTE),
                silent("ann", DAY - HOUR, 3 * DAY - HOUR),
                stale("t", DAY - HOUR, 3 * DAY - HOUR),
            ),
        ),
    ),
    late_ring("recorded-more-than-a-day-later", DAY + 1, None),
    *(
        life(
            f"a-twin-that-came-{order}-and-late",
            (
                *live(login(0, "ann", id="in")),
                recorded(10_500, v2(10_000, "ann", "ringing", "t", on=PHONE, id="b")),
                recorded(10_000 + 7 * MINUTE, v1(10_000, "ann", "ringing", "t", id=twin)),
            ),
            Answer(
                now=HOUR,
                agents={
                    "ann": {"status": "unknown", "statusSince": after_dawn(10_000 + 5 * MINUTE)}
                },
                anomalies=(overdue("ann", 10_000, 10_000 + 5 * MINUTE),),
            ),
            choice="Of events that tell the same the one that was known first has the deadline.",
        )
        for order, twin in (("first", "a"), ("last", "c"))
    ),
    life(
        "old-news-stays-as-it-was-told",
        (
            recorded(10 * DAY, login(0, "ann", id="in")),
            recorded(10 * DAY, v2(1_000, "ann", "connected", "t", on=PHONE, id="talk")),
            recorded(10 * DAY, task(0, "t", "connected", id="task")),
            recorded(10 * DAY, v2(1_000, "bob", "available", id="bob")),
        ),
        Answer(
            now=400 * DAY,
            agents={"ann": {"status": "connected"}, "bob": {"status": "available"}},
            tasks={"t": {"stale": False, "status": "assigned"}},
            anomalies=(Odd(kind="missing-login", subject="agent:bob", event_id="bob"),),
            open_tasks=("t",),
        ),
    ),
    life(
        "a-chat-recorded-days-later-is-live",
        (
            recorded(3 * DAY, login(0, "ann", id="in")),
            recorded(3 * DAY, v2(1_000, "ann", "connected", "c", on=CHAT, id="talk")),
            recorded(3 * DAY, task(1_000, "c", "connected", channelType="chat", id="task")),
        ),
        Answer(
            now=1_000 + 30 * DAY - 1,
            agents={"ann": {"status": "connected"}},
            tasks={"c": {"stale": False}},
        ),
        Answer(
            now=1_000 + 30 * DAY,
            agents={"ann": {"status": "unknown", "loggedIn": True}},
            tasks={"c": {"stale": True}},
            anomalies=(
                overdue("ann", 1_000, 1_000 + 30 * DAY),
                stale("c", 1_000, 1_000 + 30 * DAY),
            ),
        ),
        choice=(
            "Old news of an agent leaves the session open, also when a live leg of it closes by "
            "time: its last event has no deadline."
        ),
    ),
    life(
        "what-was-known-then-and-now",
        (
            *live(
                login(0, "ann", id="in"),
                v2(10_000, "ann", "ringing", "t", on=PHONE, id="ring"),
            ),
            recorded(20 * MINUTE, v2(15_000, "ann", "connected", "t", on=PHONE, id="talk")),
        ),
        Answer(
            now=HOUR,
            known_at=19 * MINUTE,
            agents={"ann": {"status": "unknown"}},
            anomalies=(overdue("ann", 10_000, 10_000 + 5 * MINUTE),),
        ),
        Answer(
            now=HOUR,
            known_at=19 * MINUTE,
            at=10_000 + 5 * MINUTE - 1,
            agents={"ann": {"status": "ringing"}},
        ),
        Answer(now=HOUR, known_at=20 * MINUTE, agents={"ann": {"status": "connected"}}),
        Answer(now=HOUR, at=19 * MINUTE, agents={"ann": {"status": "connected"}}),
    ),
    life(
        "a-night-reconciled",
        (
            *live(login(0, "ann", id="in")),
            recorded(
                10 * HOUR,
                v2(10_000, "ann", "ringing", "t", on=PHONE, id="ring"),
                "reconciliation",
            ),
            recorded(
                10 * HOUR,
                v2(20_000, "ann", "wrapup", "t", on=PHONE, id="wrap"),
                "reconciliation",
            ),
        ),
        Answer(
            now=11 * HOUR - 1,
            agents={"ann": {"status": "wrapup"}},
            first_traces=("wrap",),
        ),
        Answer(
            now=11 * HOUR,
            agents={"ann": {"status": "unknown"}},
            anomalies=(overdue("ann", 20_000, 11 * HOUR),),
            first_traces=("wrap",),
        ),
    ),
    life(
        "a-copy-that-comes-late",
        (
            *live(
                login(0, "ann", id="in"),
                v2(10_000, "ann", "ringing", "t", on=PHONE, id="b"),
                task(10_000, "t", "parked", id="queued-b"),
            ),
            # In their order both come before what they repeat, so they are folded.
            recorded(25 * HOUR, v2(10_000, "ann", "ringing", "t", on=PHONE, id="a")),
            recorded(25 * HOUR, task(10_000, "t", "parked", id="queued-a")),
        ),
        Answer(
            now=25 * HOUR,
            agents={"ann": {"status": "logged-out"}},
            tasks={"t": {"stale": True}},
            anomalies=(
                overdue("ann", 10_000, 5 * MINUTE + 10_000),
                silent("ann", 10_000, DAY + 10_000),
                stale("t", 10_000, DAY + 10_000),
            ),
        ),
        choice="A fact is known since the first event that states it.",
    ),
    life(
        "a-webhook-later-than-its-reconciled-event",
        (
            *live(login(0, "ann", id="in")),
            recorded(
                60_000, v2(10_500, "ann", "connected", "t", on=PHONE, id="r"), "reconciliation"
            ),
            recorded(30 * HOUR, v2(10_000, "ann", "connected", "t", on=PHONE, id="w")),
        ),
        Answer(
            now=31 * HOUR,
            at=12 * HOUR + 9_999,
            agents={"ann": {"status": "connected"}},
        ),
        Answer(
            now=31 * HOUR,
            at=13 * HOUR,
            agents={"ann": {"status": "unknown"}},
            anomalies=(overdue("ann", 10_000, 12 * HOUR + 10_000),),
        ),
        choice="A fact is known since the first event that states it.",
    ),
)

TIMED_LIVES: tuple[TimedLife, ...] = (*TIES, *LEGS, *TASKS, *TIME)
