"""The vendor's records of agents: their sessions, and what they did on each channel.

Pure. The states are those of published answers of the vendor. It has more of them than webhooks,
and some words are other ones: an agent who is consulted does not ring, but is reserved. It keeps
no row for the end of a wrap-up, which is the end of the wrap-up's row.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from projector.webex.simulator.known_names import SITE_NAME, KnownNames
from projector.webex.simulator.payloads import WebhookBody
from projector.webex.simulator.vendor_rows import STILL_RUNNING, UNNAMED, SimulatedRow

ChannelSlots = Mapping[str, Sequence[tuple[str, str]]]  # by agent: the id and type of each channel
RESTING = ("idle", "available")
HAS_LEFT = {*RESTING, "not-responding", "wrapup", "wrapup-done"}
HAS_JOINED = {"connected", "conferencing"}  # who was consulted is with the customer now
ASKING = {"on-hold", "consulting"}  # an agent in such a state consults whoever is called now
SITE: SimulatedRow = {"siteId": SITE_NAME[1], "siteName": SITE_NAME[2]}
COPIED_FIELDS = ("taskId", "queue", "isOutdial", "outboundType")
# The rows that lead to a row, each with its longest duration in milliseconds.
LEADING_TO = {
    "consult-done": (("EndConsult", 800),),
    "conferencing": (("Conference", 900),),
}
# What an agent did before the wrap-up, by the last event of the task.
LEADING_TO_WRAPUP = {
    "ended": (("call-ended", 1_000),),
    "parked": (("vt-transfer", 1_500),),
    "connect": (("BlindTransfer", 700),),
    "connected": (("ConsultTransfer", 800), ("transferred", 10)),
}


class AgentLeg(NamedTuple):
    """The last state of an agent in a task, on one of the agent's channels."""

    word: str
    channel: SimulatedRow


class AgentRecords:
    """Fills a list of sessions; ``slots`` are the channels of every agent who may log in."""

    def __init__(
        self, slots: ChannelSlots, sessions: list[SimulatedRow], names: KnownNames
    ) -> None:
        self._slots = slots
        self._names = names
        self._sessions = sessions
        self._open: dict[str, SimulatedRow] = {}  # by agent
        self._legs: dict[str, dict[str, AgentLeg]] = defaultdict(dict)  # by task and agent
        self._consulted: set[tuple[str, str]] = set()  # task and agent

    def session_of(self, agent_id: str) -> SimulatedRow | None:
        """The open session of an agent."""
        return self._open.get(agent_id)

    def log_in(self, data: WebhookBody) -> None:
        """A session begins; its channels say so one after the other, within milliseconds."""
        agent_id, now = data["agentId"], data["createdTime"]
        if agent_id in self._open and self._open[agent_id]["startTime"] == now:
            return  # both versions have the login
        session = _session(data, self._slots[agent_id], self._names)
        self._sessions.append(session)
        self._open[agent_id] = session
        for number, channel in enumerate(session["channelInfo"]):
            idle = self._names.named("idleCode", data.get("idleCodeId"))
            row = _add_row(channel, "idle", now + _offset(number), idleCode=idle)
            row["isLoginActivity"] = True

    def log_out(self, data: WebhookBody) -> None:
        """The session ends; each channel has a last row, of no length."""
        session = self._open.pop(data["agentId"], None)
        if session is None:
            return
        now = data["createdTime"]
        session |= {"endTime": now, "isActive": False, "state": "logged-out"}
        session["agentSignOutReason"] = data.get("loggedOutBy")
        for number, channel in enumerate(session["channelInfo"]):
            row = _add_row(channel, "logged-out", now + _offset(number))
            row["isLogoutActivity"] = True
            _end_row(row, row["startTime"])

    def change_state(self, data: WebhookBody, task_word: str, *, is_outdial: bool) -> None:
        """A state of an agent; ``task_word`` is the last event of the task that it is about."""
        session = self._open.get(data["agentId"])
        channel = _channel(session, data["channelId"])
        if session is None or channel is None:
            return
        session["state"] = data["currentState"]
        if data["currentState"] == "wrapup-done":
            _end_wrap_up(channel, data, self._names)
        elif data.get("taskId") is None and data["currentState"] in RESTING:
            _rest(session, channel, data, self._fields(data))
        else:
            self._work(channel, data, task_word, is_outdial=is_outdial)

    def _work(
        self, channel: SimulatedRow, data: WebhookBody, task_word: str, *, is_outdial: bool
    ) -> None:
        """A state that is about a task, or about one channel alone."""
        agent_id, task_id = data["agentId"], data.get("taskId") or ""
        word, now = data["currentState"], data["createdTime"]
        others = {id_: leg for id_, leg in self._legs[task_id].items() if id_ != agent_id}
        if word == "ringing" and any(it.word in ASKING for it in others.values()):
            self._consulted.add((task_id, agent_id))
            for leg in others.values():
                if leg.word == "on-hold":
                    _add_row(leg.channel, "consult", now, **_copied(leg.channel))
        is_consulted = (task_id, agent_id) in self._consulted
        last = channel["activities"][-1]["state"]
        for state, longest in _leading(word, last, task_word, is_consulted=is_consulted):
            _lead_to(channel, state, now, longest)
        if word == "ringing" and is_outdial:
            state = "outdial-reserved"
        else:
            state = _state_of_consulted(word, last) if is_consulted else word
        fields = {**self._fields(data), "isOutdial": is_outdial}
        _add_row(channel, state, now, **fields)
        if state == "consulting":
            _add_row(channel, "connected-consulting", now + 8, **fields)
        self._legs[task_id][agent_id] = AgentLeg(word, channel)
        if word in HAS_LEFT:
            del self._legs[task_id][agent_id]
        if word in {*HAS_LEFT, *HAS_JOINED}:
            self._consulted.discard((task_id, agent_id))

    def _fields(self, data: WebhookBody) -> SimulatedRow:
        return {
            "taskId": data.get("taskId"),
            "queue": self._names.named("queue", data.get("queueId")),
            "idleCode": self._names.named("idleCode", data.get("idleCodeId")),
        }


def _session(
    data: WebhookBody, slots: Sequence[tuple[str, str]], names: KnownNames
) -> SimulatedRow:
    agent_id, now = data["agentId"], data["createdTime"]
    return {
        "agentSessionId": str(uuid5(NAMESPACE_OID, f"{agent_id} {now}")),
        "agentId": agent_id,
        "agentName": names.name("agent", agent_id),
        "userLoginId": f"agent-{agent_id[:8]}@example.com",
        "teamId": data["teamId"],
        "teamName": names.name("team", data["teamId"]),
        **SITE,
        "startTime": now,
        "endTime": STILL_RUNNING,
        "isActive": True,
        "state": "idle",
        "multiMediaProfileType": data["profileType"].lower(),
        "channelInfo": [
            {
                "channelId": id_,
                "channelType": kind,
                "subChannelType": kind,
                "agentPhoneNumber": data["destination"],
                "activities": [],
            }
            for id_, kind in slots
        ],
    }


def _channel(session: SimulatedRow | None, channel_id: str) -> SimulatedRow | None:
    channels = session["channelInfo"] if session else ()
    return next((it for it in channels if it["channelId"] == channel_id), None)


def _rest(
    session: SimulatedRow, named_channel: SimulatedRow, data: WebhookBody, fields: SimulatedRow
) -> None:
    """A state without a task is of all channels that are free, within milliseconds."""
    word, now = data["currentState"], data["createdTime"]
    is_first = not any(it["state"] == "available" for it in named_channel["activities"])
    if word == "available" and is_first:
        _end_row(_add_row(named_channel, "skill-update", now), now)
    for number, channel in enumerate(session["channelInfo"]):
        is_named = channel is named_channel
        if is_named or _rests_anew(channel, word, data):
            last = channel["activities"][-1]["state"]
            suffix = "-rona" if last == "not-responding" else ""
            start = now if is_named else now + number % 3
            _add_row(channel, word, start, suffix=suffix, **fields)


def _rests_anew(channel: SimulatedRow, word: str, data: WebhookBody) -> bool:
    """Whether a state without a task is new on a channel, which must be free for it."""
    last = channel["activities"][-1]
    is_free = last["state"] in RESTING
    code = (last["idleCode"] or UNNAMED)["id"]
    return bool(is_free and (last["state"] != word or code != data.get("idleCodeId")))


def _end_wrap_up(channel: SimulatedRow, data: WebhookBody, names: KnownNames) -> None:
    last = channel["activities"][-1]
    last["wrapupCode"] = names.named("wrapUpCode", data.get("wrapUpAuxCodeId"))
    _end_row(last, data["createdTime"])


def _leading(
    word: str, last: str, task_word: str, *, is_consulted: bool
) -> Iterator[tuple[str, int]]:
    """The states that lead to one, each with its longest duration (ms)."""
    if word == "wrapup":
        yield from LEADING_TO_WRAPUP.get(task_word, ())
    elif word == "consulting" and not is_consulted:
        yield ("ConnectedConsultReserved", 1_000) if last == "consult" else ("consult", 700)
    elif not is_consulted:
        yield from LEADING_TO.get(word, ())


def _state_of_consulted(word: str, last: str) -> str:
    """The vendor's word for a state of an agent who is consulted."""
    if word == "ringing":
        return "IdleConsultReserved" if last == "idle" else "AvailableConsultReserved"
    if word == "consulting":
        return "idle-consulting" if last == "IdleConsultReserved" else "available-consulting"
    return word


def _copied(channel: SimulatedRow) -> SimulatedRow:
    return {name: channel["activities"][-1][name] for name in COPIED_FIELDS}


def _lead_to(channel: SimulatedRow, state: str, now: int, longest: int) -> None:
    """A row that ends now and is not longer than half of the row before it."""
    room = (now - channel["activities"][-1]["startTime"]) // 2
    if room > 0:
        _add_row(channel, state, now - min(room, longest), **_copied(channel))


def _add_row(
    channel: SimulatedRow, state: str, start: int, *, suffix: str = "", **fields: Any
) -> SimulatedRow:
    """The next row of a channel, from its start (epoch ms) on; the row before it ends there."""
    rows: list[SimulatedRow] = channel["activities"]
    if rows:
        start = max(start, rows[-1]["startTime"])
        if rows[-1]["endTime"] == STILL_RUNNING:
            _end_row(rows[-1], start)
    row: SimulatedRow = {
        "id": f"{channel['channelId']}-{channel['channelType']}-{start}-{state}{suffix}",
        "startTime": start,
        "endTime": STILL_RUNNING,
        "duration": STILL_RUNNING,
        "state": state,
        "idleCode": UNNAMED,
        "taskId": None,
        "queue": UNNAMED,
        "wrapupCode": UNNAMED,
        "isOutdial": False,
        "outboundType": None,
        "isCurrentActivity": True,
        "isLoginActivity": False,
        "isLogoutActivity": False,
        **fields,
    }
    rows.append(row)
    channel |= {"currentState": state, "idleCodeName": row["idleCode"]["name"]}
    channel["lastActivityTime"] = start
    return row


def _end_row(row: SimulatedRow, end: int) -> None:
    end = max(end, row["startTime"])
    row |= {"endTime": end, "duration": end - row["startTime"], "isCurrentActivity": False}


def _offset(number: int) -> int:
    """Milliseconds after the first of several channels; one or two lie between neighbours."""
    return number + number // 2
