"""Situations of a contact centre with the expected answers, worked out by hand from the semantics.

A situation has whole webhook bodies, their order of arrival, and what must be read afterwards. The
data is made up. Expected fields are paths: `session.loginTime`, `interactions.0.taskId`,
`interactions.len`.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

ORG = "acme"
DAWN = 1_767_225_600_000  # 2026-01-01T00:00:00Z, when every situation begins
RECORDED = DAWN + 20 * 3_600_000  # when all of them were stored
NOW = RECORDED + 60_000  # when the answers are read: no deadline of them has passed

Body = dict[str, Any]
Fields = dict[str, Any]
Row = dict[str, Any]


def at(moment: int) -> int:
    """The epoch time of `moment` milliseconds after dawn."""
    return DAWN + moment


# --- bodies ---------------------------------------------------------------------------------------


def body(kind: str, moment: int, *, id: str = "", **data: Any) -> Body:  # noqa: A002  the vendor's word
    """A whole webhook, dispatched 400 ms after the fact; without an id, `story` numbers it."""
    return {
        "id": id,
        "specversion": "1.0",
        "type": kind,
        "source": "/com/cisco/wxcc/sub-1",
        "comciscoorgid": ORG,
        "comciscotimestamp": str(at(moment) + 400),
        "datacontenttype": "application/json",
        "data": data | {"createdTime": at(moment)},
    }


def login(moment: int, agent: str, word: str = "Idle", **more: Any) -> Body:
    """An agent of team-1 signs in."""
    usual = {"destination": "4001", "profileType": "BLENDED", "teamId": "team-1"}
    return body("agent:login", moment, agentId=agent, currentState=word, **(usual | more))


def logout(moment: int, agent: str, by: str) -> Body:
    """An agent is signed out by AGENT, SUPERVISOR or SYSTEM."""
    return body("agent:logout", moment, agentId=agent, currentState="logged-out", loggedOutBy=by)


def state(
    kind: str, moment: int, agent: str, words: tuple[str | None, str | None], more: Fields
) -> Body:
    """A state and the task that it is about; None leaves a field out."""
    word, task = words
    fields = {"currentState": word, "taskId": task}
    present = {name: value for name, value in fields.items() if value is not None}
    return body(kind, moment, agentId=agent, **present, **more)


def v1(
    moment: int, agent: str, word: str | None = None, task: str | None = None, **more: Any
) -> Body:
    """An agent's state in the old shape, which has no channels."""
    return state("agent:state_change", moment, agent, (word, task), more)


def v2(
    moment: int,
    agent: str,
    word: str | None = None,
    task: str | None = None,
    on: tuple[str, str] | None = None,
    **more: Any,
) -> Body:
    """An agent's state in the new shape; `on` is the channel's id and type."""
    channel = {} if on is None else {"channelId": on[0], "channelType": on[1]}
    return state("agent:channel_state_change", moment, agent, (word, task), channel | more)


def channel(moment: int, agent: str, kind: str, word: str, **more: Any) -> Body:
    """An agent's availability in one type of channel."""
    usual = {"channelType": kind, "currentState": word, "pendingIdleState": False}
    return body("agent:channelType_state_change", moment, agentId=agent, **(usual | more))


def task(moment: int, name: str, word: str, **more: Any) -> Body:
    """A step of an inbound task."""
    usual = {
        "origin": "+15550110",
        "destination": "+15550120",
        "direction": "INBOUND",
        "channelType": "telephony",
    }
    return body(f"task:{word}", moment, taskId=name, **(usual | more))


def ended(moment: int, name: str, party: str = "Customer", reason: str = "", **more: Any) -> Body:
    """A task's end; the reason is "Customer Left" if no other is given."""
    because = reason or f"{party} Left"
    return task(moment, name, "ended", terminatingParty=party, reason=because, **more)


def capture(moment: int, name: str, path: str, **more: Any) -> Body:
    """A recording can be fetched."""
    return body("capture:available", moment, taskId=name, filePath=path, **more)


def undated(original: Body, dispatched: int | str) -> Body:
    """The same without a created time, so that its dispatch time counts."""
    data = {name: value for name, value in original["data"].items() if name != "createdTime"}
    return original | {"data": data, "comciscotimestamp": dispatched}


def misspelt(original: Body) -> Body:
    """The same with the organisation in the field that the vendor's guide misspells."""
    rest = {name: value for name, value in original.items() if name != "comciscoorgid"}
    return rest | {"comciscocorgid": original["comciscoorgid"]}


def unprefixed(original: Body) -> Body:
    """The same with the type of the guide's heading, which has no `task:`."""
    return original | {"type": original["type"].removeprefix("task:")}


def story(*bodies: Body) -> tuple[Body, ...]:
    """Give the bodies without an id one by their number: e1, e2, ..."""
    return tuple(it | {"id": it["id"] or f"e{number}"} for number, it in enumerate(bodies, 1))


# --- answers --------------------------------------------------------------------------------------


def stretch(
    moment: int, status: str, task: str | None = None, *, word: str = "", code: str | None = None
) -> Row:
    """An agent's interval without its end; `word` is currentState if it differs from status."""
    return {
        "from": at(moment),
        "status": status,
        "currentState": word or status,
        "taskId": task,
        "idleCodeId": code,
    }


def phase(moment: int, status: str, word: str) -> Row:
    """A task's interval without its end."""
    return {"from": at(moment), "status": status, "currentState": word}


def rows(*starts: Row) -> list[Row]:
    """The intervals with their ends: each ends where the next one begins, and the last is open."""
    ends = [start["from"] for start in starts[1:]] + [None]
    return [start | {"to": end} for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Life:
    """A situation: the events, their order of arrival, and the expected answers."""

    name: str
    about: str
    events: tuple[Body, ...]
    arrival: tuple[int, ...]  # indexes of events, with repeats, one per request
    agents: dict[str, Fields] = field(default_factory=dict)
    tasks: dict[str, Fields] = field(default_factory=dict)
    agent_intervals: dict[str, list[Row]] = field(default_factory=dict)
    task_intervals: dict[str, list[Row]] = field(default_factory=dict)
    counts: dict[str, int] | None = None  # summed over the whole arrival
    arrival_decides: bool = False  # with another order of arrival other answers may be right

    def bodies(self) -> list[Body]:
        """Copies of the bodies in their order of arrival."""
        return [copy.deepcopy(self.events[index]) for index in self.arrival]


def look_up(view: Any, path: str) -> Any:
    """The value of a view at the path of an expected field."""
    for step in path.split("."):
        if step == "len":
            view = len(view)
        else:
            view = view[int(step)] if isinstance(view, list) else view[step]
    return view


# --- situations -----------------------------------------------------------------------------------

LIVES: tuple[Life, ...] = (
    Life(
        name="a-chat-whose-wrapup-done-is-lost",
        about=(
            "The agent's channel becomes available, so the agent's wrap-up ends. The chat "
            "itself is complete only when its hour has passed."
        ),
        events=story(
            login(0, "ann", "Available"),
            task(1_000, "chat-1", "new", channelType="chat"),
            task(1_500, "chat-1", "parked", channelType="chat", queueId="q-web"),
            task(4_900, "chat-1", "connect", channelType="chat"),
            v2(5_000, "ann", "ringing", "chat-1", on=("ann-chat", "chat")),
            task(6_900, "chat-1", "connected", channelType="chat"),
            v2(7_000, "ann", "connected", "chat-1", on=("ann-chat", "chat")),
            ended(49_900, "chat-1", channelType="chat"),
            v2(50_000, "ann", "wrapup", "chat-1", on=("ann-chat", "chat")),
            v2(62_000, "ann", "available", on=("ann-chat", "chat")),
        ),
        arrival=(3, 0, 1, 2, 9, 5, 4, 6, 8, 7, 2),
        agents={
            "ann": {
                "status": "available",
                "statusSince": at(62_000),
                "currentState": "available",
                "stateSince": at(62_000),
                "taskId": None,
                "interactions": [],
                "session.loginTime": at(0),
                "eventCount": 5,
            },
        },
        tasks={
            "chat-1": {
                "status": "completed",
                "complete": True,
                "completedTime": at(3_649_900),
                "endedTime": at(49_900),
                "queueId": "q-web",
                "channelType": "chat",
                "durations": {
                    "queuedMs": 3_400,
                    "talkMs": 43_000,
                    "holdMs": 0,
                    "consultMs": 0,
                    "wrapUpMs": 0,
                },
                "counts.offers": 1,
            },
        },
        agent_intervals={
            "ann": rows(
                stretch(0, "available"),
                stretch(5_000, "ringing", "chat-1"),
                stretch(7_000, "connected", "chat-1"),
                stretch(50_000, "wrapup", "chat-1"),
                stretch(62_000, "available"),
            ),
        },
        task_intervals={
            "chat-1": rows(
                phase(1_000, "created", "new"),
                phase(1_500, "queued", "parked"),
                phase(4_900, "offered", "connect"),
                phase(6_900, "assigned", "connected"),
                phase(49_900, "assigned", "ended"),
                phase(3_649_900, "completed", "ended"),
            ),
        },
    ),
    Life(
        name="old-and-new-shape-at-once",
        about=(
            "Each state comes twice, with and without a channel. The one without a channel "
            "must not end the mail, and a refusal that comes twice counts once."
        ),
        events=story(
            login(0, "bob", idleCodeId="meeting"),
            v1(2_000, "bob", "connected", "mail-1"),
            v1(3_000, "bob", "ringing", "chat-2"),
            v1(9_000, "bob", "not-responding", "chat-2"),
            v1(9_001, "bob", "idle", idleCodeId="rona"),
            v2(2_000, "bob", "connected", "mail-1", on=("bob-mail", "email")),
            v2(3_000, "bob", "ringing", "chat-2", on=("bob-chat", "chat")),
            v2(9_000, "bob", "not-responding", "chat-2", on=("bob-chat", "chat")),
            v2(9_001, "bob", "idle", on=("bob-chat", "chat"), idleCodeId="rona"),
        ),
        arrival=(0, 1, 5, 6, 2, 3, 7, 8, 4),
        agents={
            "bob": {
                "status": "connected",
                "statusSince": at(2_000),
                "currentState": "idle",
                "stateSince": at(9_001),
                "idleCodeId": None,
                "taskId": "mail-1",
                "interactions": [
                    {
                        "taskId": "mail-1",
                        "channelId": "bob-mail",
                        "channelType": "email",
                        "state": "connected",
                        "since": at(2_000),
                        "queueId": None,
                    }
                ],
                "eventCount": 9,
            },
        },
        tasks={
            "chat-2": {
                "status": "unknown",
                "currentState": "unknown",
                "stateSince": None,
                "counts.rona": 1,
                "complete": False,
            },
            "mail-1": {"status": "unknown", "connectedTime": at(2_000)},
        },
        agent_intervals={
            "bob": rows(
                stretch(0, "idle", code="meeting"),
                stretch(2_000, "connected", "mail-1"),
            ),
        },
        task_intervals={
            "chat-2": rows(
                phase(3_000, "unknown", "unknown"),
            ),
            "mail-1": rows(
                phase(2_000, "unknown", "unknown"),
            ),
        },
    ),
    Life(
        name="a-list-of-connected-chats",
        about=(
            "A chat that the list leaves out is over, unless it is in wrap-up. The chat that "
            "began last is shown."
        ),
        events=story(
            login(0, "cal"),
            v1(1_000, "cal", "connected", "chat-a"),
            v1(2_000, "cal", "connected", "chat-b"),
            v1(5_000, "cal", "wrapup", "chat-a", connectedChannels=["chat-b"]),
            v1(6_000, "cal", "connected", "chat-c", connectedChannels=["chat-c"]),
            v1(7_000, "cal", "wrapup-done", "chat-a"),
        ),
        arrival=(4, 5, 3, 2, 1, 0, 0),
        agents={
            "cal": {
                "status": "connected",
                "statusSince": at(1_000),
                "currentState": "wrapup-done",
                "stateSince": at(7_000),
                "taskId": "chat-c",
                "interactions.len": 1,
            },
        },
        agent_intervals={
            "cal": rows(
                stretch(0, "idle"),
                stretch(1_000, "connected", "chat-a"),
                stretch(2_000, "connected", "chat-b"),
                stretch(6_000, "connected", "chat-c"),
            ),
        },
    ),
    Life(
        name="not-ready-while-chatting",
        about=(
            "Not-ready ends ringing and wrap-up, and leaves the chat whose channel the list "
            "names. A channel id rings for one task at a time."
        ),
        events=story(
            login(0, "yan"),
            v2(1_000, "yan", "connected", "chat-y", on=("slot-1", "chat")),
            v2(2_000, "yan", "wrapup", "mail-y", on=("slot-2", "email")),
            v1(3_000, "yan", "idle", connectedChannels=["slot-1"], idleCodeId="desk"),
            v2(5_000, "yan", "ringing", "chat-w", on=("slot-3", "chat")),
            v2(8_000, "yan", "ringing", "chat-v", on=("slot-3", "chat")),
        ),
        arrival=(0, 5, 4, 3, 2, 1),
        agents={
            "yan": {
                "status": "connected",
                "statusSince": at(1_000),
                "currentState": "ringing",
                "stateSince": at(8_000),
                "idleCodeId": None,
                "interactions.len": 2,
                "interactions.0.taskId": "chat-y",
                "interactions.1.taskId": "chat-v",
            },
        },
        agent_intervals={
            "yan": rows(
                stretch(0, "idle"),
                stretch(1_000, "connected", "chat-y"),
            ),
        },
    ),
    Life(
        name="a-call-held-for-a-chat",
        about=(
            "The agent's status is that of the busiest leg: after a consult the customer is "
            "still on hold, and after a hold the agent talks."
        ),
        events=story(
            login(0, "dee", "Available"),
            v2(
                1_000, "dee", "ringing", "call-d", on=("dee-phone", "telephony"), queueId="q-call-d"
            ),
            v2(
                2_000,
                "dee",
                "connected",
                "call-d",
                on=("dee-phone", "telephony"),
                queueId="q-call-d",
            ),
            v2(
                3_000, "dee", "on-hold", "call-d", on=("dee-phone", "telephony"), queueId="q-call-d"
            ),
            v2(4_000, "dee", "connected", "chat-x", on=("dee-chat", "chat"), queueId="q-chat-x"),
            v2(
                5_000,
                "dee",
                "consulting",
                "call-d",
                on=("dee-phone", "telephony"),
                queueId="q-call-d",
            ),
            v2(
                8_000,
                "dee",
                "consult-done",
                "call-d",
                on=("dee-phone", "telephony"),
                queueId="q-call-d",
            ),
            v2(
                9_000,
                "dee",
                "hold-done",
                "call-d",
                on=("dee-phone", "telephony"),
                queueId="q-call-d",
            ),
            v2(10_000, "dee", "wrapup", "chat-x", on=("dee-chat", "chat"), queueId="q-chat-x"),
        ),
        arrival=(0, 2, 1, 4, 3, 8, 7, 6, 5),
        agents={
            "dee": {
                "status": "connected",
                "statusSince": at(8_000),
                "currentState": "wrapup",
                "stateSince": at(10_000),
                "taskId": "call-d",
                "queueId": "q-call-d",
                "interactions.0.taskId": "call-d",
                "interactions.0.state": "hold-done",
                "interactions.1.taskId": "chat-x",
            },
        },
        agent_intervals={
            "dee": rows(
                stretch(0, "available"),
                stretch(1_000, "ringing", "call-d"),
                stretch(2_000, "connected", "call-d"),
                stretch(3_000, "on-hold", "call-d"),
                stretch(4_000, "connected", "chat-x"),
                stretch(5_000, "consulting", "call-d"),
                stretch(8_000, "connected", "chat-x", word="consult-done"),
                stretch(9_000, "connected", "call-d", word="hold-done"),
            ),
        },
    ),
    Life(
        name="break-after-break",
        about=(
            "An idle code may change while idle goes on. It stays if no other is given, and "
            "is gone once the agent was available."
        ),
        events=story(
            login(0, "eve", idleCodeId="start"),
            v2(1_000, "eve", "idle", idleCodeId="lunch", idleCodeName="Lunch"),
            v2(2_000, "eve", "idle"),
            v2(3_000, "eve", "available"),
            v2(4_000, "eve", "Idle"),
            v2(5_000, "eve", "IDLE", idleCodeId="team"),
        ),
        arrival=(5, 4, 3, 2, 1, 0),
        agents={
            "eve": {
                "status": "idle",
                "statusSince": at(4_000),
                "stateSince": at(4_000),
                "idleCodeId": "team",
                "idleCodeName": None,
            },
        },
        agent_intervals={
            "eve": rows(
                stretch(0, "idle", code="start"),
                stretch(1_000, "idle", code="lunch"),
                stretch(3_000, "available"),
                stretch(4_000, "idle"),
                stretch(5_000, "idle", code="team"),
            ),
        },
    ),
    Life(
        name="signed-in-twice",
        about=(
            "The sign-out in between was lost: the old chat is over, and the chat channel "
            "stays as it was."
        ),
        events=story(
            login(0, "fay"),
            channel(500, "fay", "chat", "Engaged"),
            v2(600, "fay", "connected", "chat-f", on=("fay-chat", "chat")),
            login(9_000, "fay", "Available", destination="4009"),
        ),
        arrival=(3, 2, 1, 0),
        agents={
            "fay": {
                "status": "available",
                "stateSince": at(9_000),
                "interactions": [],
                "taskId": None,
                "session": {
                    "loginTime": at(9_000),
                    "logoutTime": None,
                    "loggedOutBy": None,
                    "profileType": "BLENDED",
                    "destination": "4009",
                },
                "channels.chat.currentState": "Engaged",
                "channels.chat.since": at(500),
            },
        },
        agent_intervals={
            "fay": rows(
                stretch(0, "idle"),
                stretch(600, "connected", "chat-f"),
                stretch(9_000, "available"),
            ),
        },
    ),
    Life(
        name="the-last-words-of-a-session",
        about=(
            "The end of a wrap-up and a late refusal still come after sign-out, and open no "
            "leg. The first talk arrives last."
        ),
        events=story(
            login(0, "gus"),
            v2(10, "gus", "available"),
            v2(1_000, "gus", "wrapup", "call-g", on=("gus-phone", "telephony")),
            logout(3_000, "gus", "AGENT"),
            v2(3_010, "gus", "not-responding", "call-h", on=("gus-phone", "telephony")),
            v2(
                3_020,
                "gus",
                "wrapup-done",
                "call-g",
                on=("gus-phone", "telephony"),
                wrapUpAuxCodeId="sold",
            ),
            channel(3_030, "gus", "telephony", "LoggedOut"),
            v2(900, "gus", "connected", "call-g", on=("gus-phone", "telephony")),
        ),
        arrival=(0, 1, 2, 3, 4, 5, 6, 7),
        agents={
            "gus": {
                "status": "logged-out",
                "loggedIn": False,
                "stateSince": at(3_000),
                "wrapUpAuxCodeId": "sold",
                "session.logoutTime": at(3_000),
                "session.loggedOutBy": "AGENT",
                "interactions": [],
                "channels.telephony.currentState": "LoggedOut",
                "eventCount": 8,
            },
        },
        tasks={
            "call-g": {
                "participants": [
                    {
                        "agentId": "gus",
                        "state": "wrapup-done",
                        "since": at(3_020),
                        "joinedTime": at(900),
                        "wrapUpAuxCodeId": "sold",
                        "open": False,
                    }
                ],
                "durations.wrapUpMs": 2_020,
            },
            "call-h": {"counts.rona": 1, "participants.0.open": False},
        },
        agent_intervals={
            "gus": rows(
                stretch(0, "idle"),
                stretch(10, "available"),
                stretch(900, "connected", "call-g"),
                stretch(1_000, "wrapup", "call-g"),
                stretch(3_000, "logged-out"),
            ),
        },
        task_intervals={
            "call-g": rows(
                phase(900, "unknown", "unknown"),
            ),
        },
    ),
    Life(
        name="talking-after-sign-out",
        about=(
            "A call in a closed session shows that a sign-in was lost. An available of the "
            "old shape ends the call, which names no channel."
        ),
        events=story(
            login(0, "hal", idleCodeId="0"),
            logout(1_000, "hal", "SYSTEM"),
            v1(50_000, "hal", "connected", "call-i"),
            v1(60_000, "hal", "available"),
        ),
        arrival=(2, 3, 0, 1),
        agents={
            "hal": {
                "status": "available",
                "statusSince": at(60_000),
                "loggedIn": True,
                "session": {
                    "loginTime": None,
                    "logoutTime": None,
                    "loggedOutBy": None,
                    "profileType": None,
                    "destination": None,
                },
                "interactions": [],
            },
        },
        agent_intervals={
            "hal": rows(
                stretch(0, "idle", code="0"),
                stretch(1_000, "logged-out"),
                stretch(50_000, "connected", "call-i"),
                stretch(60_000, "available"),
            ),
        },
    ),
    Life(
        name="seen-only-by-channels",
        about=(
            "Words of channels prove a session, but not its state. A change without a word "
            "brings the team only."
        ),
        events=story(
            channel(0, "ivy", "telephony", "Idle", idleCodeName="Coaching"),
            channel(100, "ivy", "EMAIL", "available"),
            v2(200, "ivy", teamId="team-2"),
            v2(5_000, "ivy", "idle", idleCodeId="x"),
        ),
        arrival=(3, 2, 1, 0, 1),
        agents={
            "ivy": {
                "status": "idle",
                "stateSince": at(5_000),
                "loggedIn": True,
                "session.loginTime": None,
                "teamId": "team-2",
                "channels": {
                    "telephony": {
                        "currentState": "Idle",
                        "since": at(0),
                        "pendingIdleState": False,
                        "idleCodeName": "Coaching",
                    },
                    "email": {
                        "currentState": "Available",
                        "since": at(100),
                        "pendingIdleState": False,
                        "idleCodeName": None,
                    },
                },
                "eventCount": 4,
            },
        },
        agent_intervals={
            "ivy": rows(
                stretch(0, "unknown"),
                stretch(5_000, "idle", code="x"),
            ),
        },
    ),
    Life(
        name="a-channel-signed-out-first",
        about=(
            "A signed-out channel does not prove a session, and the later sign-in does not "
            "change the channel."
        ),
        events=story(
            channel(0, "jon", "chat", "LoggedOut"),
            login(4_000, "jon"),
        ),
        arrival=(1, 0),
        agents={
            "jon": {
                "status": "idle",
                "stateSince": at(4_000),
                "session.loginTime": at(4_000),
                "channels.chat.currentState": "LoggedOut",
                "channels.chat.since": at(0),
                "anomalyCount": 0,
            },
        },
        agent_intervals={
            "jon": rows(
                stretch(0, "logged-out", word="unknown"),
                stretch(4_000, "idle"),
            ),
        },
    ),
    Life(
        name="channels-follow-the-sign-out",
        about=(
            "A word that comes again keeps its start. Signing out signs all channels out and "
            "drops the pending break."
        ),
        events=story(
            login(0, "zoe", idleCodeId="d"),
            channel(10, "zoe", "telephony", "Available"),
            channel(1_000, "zoe", "telephony", "Engaged"),
            channel(
                2_000, "zoe", "telephony", "Engaged", pendingIdleState=True, idleCodeName="Lunch"
            ),
            logout(5_000, "zoe", "SUPERVISOR"),
            login(9_000, "zoe", idleCodeId="d"),
        ),
        arrival=(5, 0, 4, 1, 3, 2),
        agents={
            "zoe": {
                "status": "idle",
                "statusSince": at(9_000),
                "stateSince": at(9_000),
                "anomalyCount": 0,
                "channels": {
                    "telephony": {
                        "currentState": "LoggedOut",
                        "since": at(5_000),
                        "pendingIdleState": False,
                        "idleCodeName": None,
                    }
                },
                "session.loggedOutBy": None,
            },
        },
        agent_intervals={
            "zoe": rows(
                stretch(0, "idle", code="d"),
                stretch(5_000, "logged-out"),
                stretch(9_000, "idle", code="d"),
            ),
        },
    ),
    Life(
        name="everything-in-one-millisecond",
        about=(
            "Steps that come in the wrong order within a millisecond still follow one "
            "another, and a state of no duration leaves no interval."
        ),
        events=story(
            login(0, "kim"),
            task(500, "call-k", "new"),
            task(990, "call-k", "connected"),
            task(990, "call-k", "connect"),
            v2(1_000, "kim", "connected", "call-k", on=("kim-phone", "telephony")),
            task(3_000, "call-k", "conferencing"),
            ended(4_990, "call-k"),
            task(4_990, "call-k", "conference-done"),
            v2(5_000, "kim", "available"),
            v2(5_000, "kim", "idle", idleCodeId="break"),
            v2(5_000, "kim", "wrapup-done", "call-k"),
            v2(5_000, "kim", "wrapup", "call-k"),
        ),
        arrival=(8, 9, 10, 11, 6, 7, 0, 1, 2, 3, 4, 5),
        agents={
            "kim": {
                "status": "available",
                "currentState": "available",
                "stateSince": at(5_000),
                "idleCodeId": None,
                "interactions": [],
            },
        },
        tasks={
            "call-k": {
                "status": "completed",
                "complete": True,
                "completedTime": at(5_000),
                "offeredTime": at(990),
                "connectedTime": at(990),
                "counts.offers": 1,
                "counts.conferences": 1,
                "durations.talkMs": 4_000,
                "durations.wrapUpMs": 0,
            },
        },
        agent_intervals={
            "kim": rows(
                stretch(0, "idle"),
                stretch(1_000, "connected", "call-k"),
                stretch(5_000, "available"),
            ),
        },
        task_intervals={
            "call-k": rows(
                phase(500, "created", "new"),
                phase(990, "assigned", "connected"),
                phase(3_000, "assigned", "conferencing"),
                phase(4_990, "assigned", "ended"),
                phase(5_000, "completed", "ended"),
            ),
        },
    ),
    Life(
        name="refused-and-given-up",
        about=(
            "The system's end of a refused offer does not end the call; the end by a caller "
            "who hangs up before an answer does."
        ),
        events=story(
            login(0, "leo", "Available"),
            login(0, "mia", "Available"),
            task(1_000, "call-l", "new"),
            task(1_100, "call-l", "connect"),
            v2(1_120, "leo", "ringing", "call-l", on=("leo-phone", "telephony")),
            v2(16_000, "leo", "not-responding", "call-l", on=("leo-phone", "telephony")),
            v2(16_001, "leo", "idle", idleCodeId="rona"),
            ended(16_010, "call-l", "System", "rona_timer"),
            task(16_100, "call-l", "connect"),
            v2(16_120, "mia", "ringing", "call-l", on=("mia-phone", "telephony")),
            ended(21_000, "call-l"),
            v2(21_005, "mia", "available", "call-l", on=("mia-phone", "telephony")),
        ),
        arrival=(0, 1, 7, 2, 3, 10, 4, 5, 6, 8, 9, 11, 7),
        agents={
            "leo": {"status": "idle", "idleCodeId": "rona", "stateSince": at(16_001)},
            "mia": {"status": "available", "taskId": None, "stateSince": at(21_005)},
        },
        tasks={
            "call-l": {
                "status": "abandoned",
                "complete": True,
                "endedTime": at(21_000),
                "completedTime": at(21_000),
                "terminatingParty": "Customer",
                "connectedTime": None,
                "counts": {
                    "offers": 2,
                    "rona": 1,
                    "holds": 0,
                    "consults": 0,
                    "conferences": 0,
                    "transfers": 0,
                },
                "participants.len": 2,
            },
        },
        agent_intervals={
            "leo": rows(
                stretch(0, "available"),
                stretch(1_120, "ringing", "call-l"),
                stretch(16_000, "not-responding"),
                stretch(16_001, "idle", code="rona"),
            ),
            "mia": rows(
                stretch(0, "available"),
                stretch(16_120, "ringing", "call-l"),
                stretch(21_005, "available"),
            ),
        },
        task_intervals={
            "call-l": rows(
                phase(1_000, "created", "new"),
                phase(1_100, "offered", "connect"),
                phase(21_000, "abandoned", "ended"),
            ),
        },
    ),
    Life(
        name="ended-and-offered-again",
        about=(
            "A second agent gets the call after its first end: it is a transfer, and the "
            "second end counts."
        ),
        events=story(
            task(0, "call-m", "connected"),
            v1(10, "nia", "connected", "call-m"),
            ended(5_000, "call-m", "Agent"),
            v1(5_010, "nia", "wrapup", "call-m"),
            v1(7_000, "nia", "wrapup-done", "call-m"),
            task(8_000, "call-m", "connect"),
            v1(8_010, "omar", "ringing", "call-m"),
            task(9_000, "call-m", "connected"),
            v1(9_010, "omar", "connected", "call-m"),
            ended(20_000, "call-m"),
            v1(20_010, "omar", "wrapup", "call-m"),
            v1(26_000, "omar", "wrapup-done", "call-m", wrapUpAuxCodeId="help"),
        ),
        arrival=(9, 10, 11, 5, 6, 7, 8, 0, 1, 2, 3, 4),
        agents={
            "nia": {"status": "wrapup-done", "interactions": []},
            "omar": {"status": "wrapup-done", "wrapUpAuxCodeId": "help"},
        },
        tasks={
            "call-m": {
                "createdTime": None,
                "offeredTime": at(8_000),
                "connectedTime": at(0),
                "endedTime": at(20_000),
                "completedTime": at(26_000),
                "terminatingParty": "Customer",
                "counts.transfers": 1,
                "counts.offers": 1,
                "durations.talkMs": 16_000,
                "durations.wrapUpMs": 7_980,
            },
        },
        agent_intervals={
            "nia": rows(
                stretch(10, "connected", "call-m"),
                stretch(5_010, "wrapup", "call-m"),
                stretch(7_000, "wrapup-done"),
            ),
        },
        task_intervals={
            "call-m": rows(
                phase(0, "assigned", "connected"),
                phase(5_000, "assigned", "ended"),
                phase(7_000, "completed", "ended"),
                phase(8_000, "offered", "connect"),
                phase(9_000, "assigned", "connected"),
                phase(20_000, "assigned", "ended"),
                phase(26_000, "completed", "ended"),
            ),
        },
    ),
    Life(
        name="ended-and-queued-again",
        about=(
            "A task that is back in the queue has no end, party, reason or completion, but it "
            "was connected once."
        ),
        events=story(
            task(0, "call-u", "new"),
            task(700, "call-u", "connected"),
            ended(5_000, "call-u", "Agent"),
            task(9_000, "call-u", "parked", queueId="callbacks"),
        ),
        arrival=(3, 0, 2, 1, 2),
        tasks={
            "call-u": {
                "status": "queued",
                "complete": False,
                "endedTime": None,
                "completedTime": None,
                "terminatingParty": None,
                "reason": None,
                "connectedTime": at(700),
                "queuedTime": at(9_000),
                "queueId": "callbacks",
                "counts.transfers": 1,
                "participants": [],
            },
        },
        task_intervals={
            "call-u": rows(
                phase(0, "created", "new"),
                phase(700, "assigned", "connected"),
                phase(5_000, "completed", "ended"),
                phase(9_000, "queued", "parked"),
            ),
        },
    ),
    Life(
        name="a-conference-handed-on",
        about=(
            "Three people talk, one agent leaves and wraps up, the other stays. The call is "
            "complete when both have wrapped up."
        ),
        events=story(
            task(0, "call-n", "new"),
            task(500, "call-n", "connect"),
            task(1_000, "call-n", "connected"),
            v2(1_030, "pia", "connected", "call-n", on=("pia-phone", "telephony")),
            task(5_000, "call-n", "consulting"),
            v2(5_030, "pia", "consulting", "call-n", on=("pia-phone", "telephony")),
            v2(5_031, "quin", "consulting", "call-n", on=("quin-phone", "telephony")),
            task(9_000, "call-n", "conferencing"),
            v2(9_030, "pia", "conferencing", "call-n", on=("pia-phone", "telephony")),
            v2(9_031, "quin", "conferencing", "call-n", on=("quin-phone", "telephony")),
            unprefixed(task(15_000, "call-n", "conference-transferred")),
            v2(15_010, "pia", "wrapup", "call-n", on=("pia-phone", "telephony")),
            v2(15_020, "quin", "connected", "call-n", on=("quin-phone", "telephony")),
            v2(18_000, "pia", "wrapup-done", "call-n", on=("pia-phone", "telephony")),
            ended(30_000, "call-n"),
            v2(30_010, "quin", "wrapup", "call-n", on=("quin-phone", "telephony")),
            v2(33_000, "quin", "wrapup-done", "call-n", on=("quin-phone", "telephony")),
        ),
        arrival=(16, 15, 14, 13, 12, 11, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
        agents={
            "pia": {"session.loginTime": None},
            "quin": {"loggedIn": True},
        },
        tasks={
            "call-n": {
                "counts": {
                    "offers": 1,
                    "rona": 0,
                    "holds": 0,
                    "consults": 1,
                    "conferences": 1,
                    "transfers": 1,
                },
                "durations": {
                    "queuedMs": 0,
                    "talkMs": 25_000,
                    "holdMs": 0,
                    "consultMs": 4_000,
                    "wrapUpMs": 5_980,
                },
                "completedTime": at(33_000),
            },
        },
        agent_intervals={
            "pia": rows(
                stretch(1_030, "connected", "call-n"),
                stretch(5_030, "consulting", "call-n"),
                stretch(9_030, "conferencing", "call-n"),
                stretch(15_010, "wrapup", "call-n"),
                stretch(18_000, "wrapup-done"),
            ),
            "quin": rows(
                stretch(5_031, "consulting", "call-n"),
                stretch(9_031, "conferencing", "call-n"),
                stretch(15_020, "connected", "call-n"),
                stretch(30_010, "wrapup", "call-n"),
                stretch(33_000, "wrapup-done"),
            ),
        },
        task_intervals={
            "call-n": rows(
                phase(0, "created", "new"),
                phase(500, "offered", "connect"),
                phase(1_000, "assigned", "connected"),
                phase(5_000, "assigned", "consulting"),
                phase(9_000, "assigned", "conferencing"),
                phase(15_000, "assigned", "connected"),
                phase(30_000, "assigned", "ended"),
                phase(33_000, "completed", "ended"),
            ),
        },
    ),
    Life(
        name="complete-between-two-words",
        about=(
            "The consult is over and wrap-up has not begun: for a short time nobody works on "
            "the task, and that time is its completion."
        ),
        events=story(
            task(0, "call-o", "connected"),
            v1(30, "rae", "connected", "call-o"),
            task(4_000, "call-o", "consulting"),
            v1(4_030, "rae", "consulting", "call-o"),
            v1(4_031, "sam", "consulting", "call-o"),
            ended(9_000, "call-o"),
            v1(9_010, "rae", "consult-done", "call-o"),
            v1(9_011, "sam", "consult-done", "call-o"),
            v1(9_500, "rae", "wrapup", "call-o"),
            v1(12_000, "rae", "wrapup-done", "call-o"),
            task(12_500, "call-o", "consult-done"),
        ),
        arrival=(10, 0, 9, 1, 8, 2, 7, 3, 6, 4, 5),
        agents={
            "sam": {"status": "unknown", "currentState": "consult-done", "interactions.len": 0},
        },
        tasks={
            "call-o": {
                "currentState": "ended",
                "stateSince": at(9_000),
                "completedTime": at(12_000),
                "durations.consultMs": 5_000,
                "durations.wrapUpMs": 2_500,
                "eventCount": 11,
            },
        },
        agent_intervals={
            "sam": rows(
                stretch(4_031, "consulting", "call-o"),
                stretch(9_011, "unknown", word="consult-done"),
            ),
        },
        task_intervals={
            "call-o": rows(
                phase(0, "assigned", "connected"),
                phase(4_000, "assigned", "consulting"),
                phase(9_000, "assigned", "ended"),
                phase(9_011, "completed", "ended"),
                phase(9_500, "assigned", "ended"),
                phase(12_000, "completed", "ended"),
            ),
        },
    ),
    Life(
        name="offered-again-from-hold",
        about=(
            "An offer directly from hold is a transfer, an offer after an offer is not. Notes "
            "and origins change no state."
        ),
        events=story(
            task(0, "call-p", "new"),
            task(100, "call-p", "parked", queueId="billing"),
            task(2_000, "call-p", "connect", queueId="billing"),
            task(3_000, "call-p", "connected"),
            task(10_000, "call-p", "on-hold"),
            task(12_000, "call-p", "connect", queueId="tech"),
            task(15_000, "call-p", "connect"),
            task(16_000, "call-p", "connected"),
            task(17_000, "call-p", "hold-done"),
            task(18_000, "call-p", "origin-updated", origin="+15550333"),
            task(19_000, "call-p", "customer-note"),
        ),
        arrival=(9, 8, 7, 10, 6, 5, 0, 1, 2, 3, 4),
        tasks={
            "call-p": {
                "status": "assigned",
                "currentState": "connected",
                "stateSince": at(16_000),
                "queueId": "tech",
                "connectedTime": at(3_000),
                "offeredTime": at(2_000),
                "counts": {
                    "offers": 3,
                    "rona": 0,
                    "holds": 1,
                    "consults": 0,
                    "conferences": 0,
                    "transfers": 1,
                },
                "durations": {
                    "queuedMs": 1_900,
                    "talkMs": 7_000,
                    "holdMs": 2_000,
                    "consultMs": 0,
                    "wrapUpMs": 0,
                },
                "complete": False,
                "eventCount": 11,
            },
        },
        task_intervals={
            "call-p": rows(
                phase(0, "created", "new"),
                phase(100, "queued", "parked"),
                phase(2_000, "offered", "connect"),
                phase(3_000, "assigned", "connected"),
                phase(10_000, "assigned", "on-hold"),
                phase(12_000, "offered", "connect"),
                phase(16_000, "assigned", "connected"),
            ),
        },
    ),
    Life(
        name="an-hour-of-wrapping-up",
        about=(
            "After an hour the call is complete without the wrap-up, and neither the late end "
            "of the wrap-up nor a second hang-up changes that. A consult reopens the other "
            "call."
        ),
        events=story(
            task(0, "call-q", "new"),
            task(100, "call-q", "connect"),
            task(200, "call-q", "connected"),
            v1(230, "tess", "connected", "call-q"),
            ended(10_000, "call-q"),
            v1(10_040, "tess", "wrapup", "call-q"),
            v1(3_670_000, "tess", "wrapup-done", "call-q"),
            ended(3_730_000, "call-q"),
            task(1_000, "call-r", "new"),
            task(1_100, "call-r", "connected"),
            v1(1_130, "ugo", "connected", "call-r"),
            ended(20_000, "call-r"),
            task(3_625_000, "call-r", "consulting"),
        ),
        arrival=(7, 6, 5, 4, 3, 2, 1, 0, 12, 11, 10, 9, 8),
        tasks={
            "call-q": {
                "status": "completed",
                "complete": True,
                "completedTime": at(3_610_000),
                "endedTime": at(3_730_000),
                "stateSince": at(10_000),
                "durations.wrapUpMs": 3_659_960,
            },
            "call-r": {
                "status": "assigned",
                "complete": False,
                "completedTime": None,
                "endedTime": None,
                "terminatingParty": None,
                "reason": None,
            },
        },
        task_intervals={
            "call-q": rows(
                phase(0, "created", "new"),
                phase(100, "offered", "connect"),
                phase(200, "assigned", "connected"),
                phase(10_000, "assigned", "ended"),
                phase(3_610_000, "completed", "ended"),
            ),
            "call-r": rows(
                phase(1_000, "created", "new"),
                phase(1_100, "assigned", "connected"),
                phase(20_000, "assigned", "ended"),
                phase(3_620_000, "completed", "ended"),
                phase(3_625_000, "assigned", "consulting"),
            ),
        },
    ),
    Life(
        name="ids-of-each-subscription",
        about=(
            "Two subscriptions bring one fact with two ids: the event with the smaller id "
            "counts, as a whole. Two recordings of one time are two."
        ),
        events=story(
            login(0, "vic", id="login-1"),
            v2(
                1_000,
                "vic",
                "ringing",
                "call-s",
                on=("vic-phone", "telephony"),
                id="ring-1",
                queueId="q-1",
            ),
            task(900, "call-s", "connect", id="offer-1"),
            capture(7_000, "call-s", "https://captures.invalid/a"),
            login(0, "vic", id="login-2"),
            v2(
                1_000,
                "vic",
                "ringing",
                "call-s",
                on=("vic-phone", "telephony"),
                id="ring-2",
                queueId="q-2",
            ),
            task(900, "call-s", "connect", id="offer-2"),
            capture(7_000, "call-s", "https://captures.invalid/a"),
            capture(7_000, "call-s", "https://captures.invalid/b"),
        ),
        arrival=(4, 5, 6, 7, 8, 0, 1, 2, 3),
        agents={
            "vic": {
                "eventCount": 2,
                "queueId": "q-1",
                "lastEvent.id": "ring-1",
                "status": "ringing",
            },
        },
        tasks={
            "call-s": {
                "eventCount": 4,
                "counts.offers": 1,
                "captures.len": 2,
                "status": "offered",
                "participants.len": 1,
            },
        },
        agent_intervals={
            "vic": rows(
                stretch(0, "idle"),
                stretch(1_000, "ringing", "call-s"),
            ),
        },
        task_intervals={
            "call-s": rows(
                phase(900, "offered", "connect"),
            ),
        },
    ),
    Life(
        name="one-id-for-two-facts",
        about=(
            "The first content counts. An additional field, or the other spelling of the "
            "organisation, makes no difference."
        ),
        events=story(
            login(0, "wes"),
            v2(1_000, "wes", "available", id="x1"),
            v2(2_000, "wes", "idle", id="x1", idleCodeId="no"),
            v2(1_000, "wes", "available", id="x1", brandNew=[1]),
            misspelt(v2(1_000, "wes", "available", id="x1")),
        ),
        arrival=(0, 1, 2, 3, 4),
        agents={
            "wes": {"status": "available", "stateSince": at(1_000), "eventCount": 2},
        },
        agent_intervals={
            "wes": rows(
                stretch(0, "idle"),
                stretch(1_000, "available"),
            ),
        },
        counts={"received": 5, "appended": 2, "duplicates": 2, "conflicts": 1, "quarantined": 0},
        arrival_decides=True,
    ),
    Life(
        name="the-task-as-id",
        about=(
            "Every step has the task's id, so its time is part of the key. The end has no "
            "time, and its second delivery is the same end."
        ),
        events=story(
            task(0, "call-t", "new", id="call-t"),
            task(1_000, "call-t", "parked", id="call-t"),
            task(5_000, "call-t", "connect", id="call-t"),
            task(7_000, "call-t", "parked", id="call-t"),
            task(9_000, "call-t", "connect", id="call-t"),
            undated(ended(0, "call-t", id="call-t"), dispatched=str(at(12_000))),
            undated(ended(0, "call-t", id="call-t"), dispatched=str(at(3_000))),
        ),
        arrival=(5, 6, 4, 3, 2, 1, 0, 2),
        tasks={
            "call-t": {
                "status": "abandoned",
                "endedTime": at(12_000),
                "eventCount": 6,
                "counts.offers": 2,
                "durations.queuedMs": 6_000,
            },
        },
        task_intervals={
            "call-t": rows(
                phase(0, "created", "new"),
                phase(1_000, "queued", "parked"),
                phase(5_000, "offered", "connect"),
                phase(7_000, "queued", "parked"),
                phase(9_000, "offered", "connect"),
                phase(12_000, "abandoned", "ended"),
            ),
        },
        counts={"received": 8, "appended": 6, "duplicates": 2, "conflicts": 0, "quarantined": 0},
        arrival_decides=True,
    ),
    Life(
        name="no-time-of-its-own",
        about=("The dispatch time of the first delivery orders a change that has no created time."),
        events=story(
            login(0, "xia", idleCodeId="a"),
            undated(v2(0, "xia", "available", id="n1"), dispatched=at(5_000)),
            undated(v2(0, "xia", "available", id="n1"), dispatched=str(at(8_000))),
            v2(7_000, "xia", "idle", idleCodeId="b"),
        ),
        arrival=(3, 1, 2, 0),
        agents={
            "xia": {"status": "idle", "idleCodeId": "b", "stateSince": at(7_000), "eventCount": 3},
        },
        agent_intervals={
            "xia": rows(
                stretch(0, "idle", code="a"),
                stretch(5_000, "available"),
                stretch(7_000, "idle", code="b"),
            ),
        },
        counts={"received": 4, "appended": 3, "duplicates": 1, "conflicts": 0, "quarantined": 0},
        arrival_decides=True,
    ),
)
