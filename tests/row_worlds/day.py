"""A day at the vendor: what it sends, and what its APIs return; worlds write both into it.

Rule: a webhook is written together with what the rows tell of it, so that a test knows what can be
restored where the webhook is lost. Times are epoch ms by the clock of the webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from projector.webex.simulator.captured_webhooks import webhook
from projector.webex.simulator.payloads import SIMULATED_ORG_ID, SUBSCRIPTIONS, WebhookBody

VendorRow = dict[str, Any]
MIDNIGHT = 1_794_960_000_000
MINUTE_MS = 60_000
STILL_RUNNING = -1  # the published end of what has not ended
DISPATCH_MS = 300  # from the event to its webhook
MOST_SKEW_MS = 2_000  # between the times of a webhook and of its row
CHANNELS = ("telephony", "chat", "email", "email-2", "email-3", "email-4", "social")
IN_CONVERSATION = {"connected", "on-hold", "hold-done", "consulting", "consult-done"} | {
    "conferencing",
    "conference-done",
}
# What the webhook of a channel type says when the agent's word on its channel changes.
CHANNEL_WORD = {
    "ringing": "Reserved",
    "connected": "Engaged",
    "wrapup": "WrapUp",
    "available": "Available",
    "idle": "Idle",
}


@dataclass(frozen=True, kw_only=True)
class ToldWebhook:
    """A webhook, and the same event as the vendor's rows tell it; None where no row tells it.

    The rows are those of a session or of a task, their owner. They are not read, but perhaps for
    another reason, where the owner ended before the window.
    """

    body: WebhookBody
    in_rows: WebhookBody | None
    owner_id: str
    is_read: bool = True


class VendorDay:
    """What is sent of a day, and the rows of its APIs: the window of a run is ``[start, end)``.

    ``version`` is that of agents' webhooks. The rows' clock is ``skew_ms`` ahead of the webhooks'.
    Rows of several channels that are about one event are ``apart_ms`` from one to the next.
    ``running_end`` is the end of what still runs. ``worlds`` says for a reader what the day is made
    of.
    """

    def __init__(
        self,
        *,
        version: str = "2",
        skew_ms: int = 0,
        apart_ms: int = 1,
        running_end: int | None = STILL_RUNNING,
    ) -> None:
        self.start = MIDNIGHT
        self.end = MIDNIGHT + 360 * MINUTE_MS
        self.version = version
        self.skew_ms = skew_ms
        self.apart_ms = apart_ms
        self.running_end = running_end
        self.worlds: list[str] = []
        self.webhooks: list[ToldWebhook] = []
        self.sessions: list[VendorRow] = []
        self.tasks: dict[str, VendorRow] = {}
        self.recordings: dict[str, list[VendorRow]] = {}
        self._numbers = count()
        self._changes: list[tuple[int, VendorRow, VendorRow]] = []

    def __repr__(self) -> str:
        """The worlds in place of all their rows."""
        window = f"window +{self.start - MIDNIGHT} to +{self.end - MIDNIGHT}"
        kind = f"version {self.version}, skew {self.skew_ms}, apart {self.apart_ms}"
        return f"VendorDay({self.worlds}, {window}, {kind}, running end {self.running_end})"

    def new_id(self) -> str:
        """An id that no other has; the same in every run."""
        return str(uuid5(NAMESPACE_OID, f"row world {next(self._numbers)}"))

    def change(self, time: int, row: VendorRow, **fields: Any) -> None:
        """What a row says from a time on, by the clock of the rows."""
        self._changes.append((time, row, {name: row.get(name) for name in fields}))
        row |= fields

    def window(self, start: int, end: int) -> VendorDay:
        """The same day, of which a run reads what overlaps a window; the rows have all of it."""
        owners = [(it["agentSessionId"], it, "endTime") for it in self.sessions]
        owners += [(it["id"], it, "endedTime") for it in self.tasks.values()]
        read = {id_ for id_, it, ended in owners if it["isActive"] or it[ended] >= start}
        day = copy(self)
        day.start, day.end = start, end
        day.webhooks = [
            replace(
                it,
                in_rows=it.in_rows if it.in_rows and _time(it.in_rows) < end else None,
                is_read=it.owner_id in read,
            )
            for it in self.webhooks
        ]
        return day

    def until(self, end: int) -> VendorDay:
        """The same day as it is at an end: neither webhooks nor rows know what comes later.

        The rows of this day are changed for it.
        """
        for time, row, before in reversed(self._changes):
            if time >= end:
                row.update(before)
        self.sessions = [it for it in self.sessions if it["startTime"] < end]
        self.tasks = {it["id"]: it for it in self.tasks.values() if it["createdTime"] < end}
        channels = [channel for session in self.sessions for channel in session["channelInfo"]]
        for owner, name in (
            *((channel, "startTime") for channel in channels),
            *((task, "createdTime") for task in self.tasks.values()),
        ):
            owner["activities"] = [row for row in owner["activities"] if row[name] < end]
        day = self.window(self.start, end)
        day.webhooks = [it for it in day.webhooks if _stamp(it.body) < end + MOST_SKEW_MS]
        return day

    def send(
        self,
        event_type: str,
        at: int,
        data: Mapping[str, Any],
        *,
        owner_id: str,
        told: Mapping[str, Any] | None,
        row_at: int | None = None,
        row_type: str | None = None,
    ) -> None:
        """A webhook. ``told`` are the fields that the rows tell otherwise, or do not tell (None).

        It is None itself where no row tells of the event.
        """
        resource = event_type.partition(":")[0]
        envelope = {
            "organisation": {"comciscoorgid": SIMULATED_ORG_ID},
            "subscription": SUBSCRIPTIONS[resource],
            "stamp": str(at + DISPATCH_MS),
        }
        id_, body_data = self.new_id(), {**data, "createdTime": at}
        in_rows = None
        if told is not None:
            time = self.skew_ms + (at if row_at is None else row_at)
            merged = {**body_data, "createdTime": time, "connectedChannels": None, **told}
            present = {name: value for name, value in merged.items() if value is not None}
            in_rows = webhook(id_, row_type or event_type, present, **envelope)
        body = webhook(id_, event_type, body_data, **envelope)
        self.webhooks.append(ToldWebhook(body=body, in_rows=in_rows, owner_id=owner_id))


class Line:
    """A contact: what webhooks say of the task, and its row with what happened to it.

    ``direction`` is the webhooks' word, ``row_direction`` the rows'.
    """

    def __init__(
        self,
        day: VendorDay,
        at: int,
        *,
        channel_type: str = "telephony",
        direction: str = "INBOUND",
        row_direction: str = "inbound",
    ) -> None:
        self.day = day
        self.id = day.new_id()
        self.queue_id = day.new_id()
        self.said: WebhookBody = {
            "taskId": self.id,
            "origin": "+15550100001" if channel_type == "telephony" else "customer@example.com",
            "destination": "+15550100900" if channel_type == "telephony" else "help@example.com",
            "direction": direction,
            "channelType": channel_type,
            "outboundType": None,
        }
        self.task: VendorRow = {
            "id": self.id,
            "status": "connected",
            "channelType": channel_type,
            "createdTime": at + day.skew_ms,
            "endedTime": day.running_end,
            "isActive": True,
            "origin": self.said["origin"],
            "destination": self.said["destination"],
            "direction": row_direction,
            "isOutdial": row_direction == "outdial",
            "isCallback": False,
            "lastQueue": {"id": self.queue_id, "name": "Support"},
            "terminatingEnd": None,
            "terminationReason": None,
            "activities": [],
        }
        day.tasks[self.id] = self.task

    def send(
        self, at: int, word: str, *, told: Mapping[str, Any] | None = None, **data: Any
    ) -> None:
        """A webhook that no row tells, unless ``told`` says how."""
        queue = {} if word == "new" else {"queueId": self.queue_id}
        if word != "new" and told is not None:
            told = {"origin": None, "destination": None, **told}  # told of the beginning alone
        data = {**self.said, **queue, **data}
        self.day.send(f"task:{word}", at, data, owner_id=self.id, told=told)

    def row(self, at: int, event_name: str, *, suffix: str | None = None, **fields: Any) -> None:
        """A row of the task's history. Its id may have another word at its end."""
        rows, time = self.task["activities"], at + self.day.skew_ms
        if rows and rows[-1]["isActive"]:
            duration = time - rows[-1]["createdTime"]
            self.day.change(time, rows[-1], isActive=False, endedTime=time, duration=duration)
        place = {"entrypointId": "entry-1"} if event_name == "new" else {"queueId": self.queue_id}
        rows.append(
            {
                "id": f"{self.id}-{time}-{suffix or event_name}",
                "isActive": True,
                "createdTime": time,
                "endedTime": self.day.running_end,
                "duration": None,
                "eventName": event_name,
                "previousState": rows[-1]["eventName"] if rows else None,
                **place,
                **fields,
            }
        )

    def both(self, at: int, word: str, *, told: Mapping[str, Any] = {}, **data: Any) -> None:
        """A webhook, and the row of the same word and time."""
        self.row(at, word)
        self.send(at, word, told=told, **data)

    def ended(self, at: int, party: str, reason: str) -> None:
        """The end of the whole task."""
        self.row(at, "ended", terminationReason=reason)
        self.send(at, "ended", told={}, terminatingParty=party, reason=reason)
        time = at + self.day.skew_ms
        self.task["activities"][-1] |= {"isActive": False, "endedTime": time, "duration": 0}
        end = {"terminatingEnd": party, "terminationReason": reason}
        self.day.change(time, self.task, status="ended", isActive=False, endedTime=time, **end)

    def recorded(self, at: int) -> None:
        """The recording is available. Its path in the webhook is that of the API for recordings."""
        self.row(at, "recording-available", suffix="capture-available")
        path = f"https://media.example.com/{self.id}.wav"
        attributes = {"fileName": f"{self.id}.wav", "filePath": f"{path}?X-Amz-Signature=0"}
        recording = {"id": self.day.new_id(), "segment": False, "attributes": attributes}
        self.day.recordings.setdefault(self.id, []).append(recording)
        api = "https://api.wxcc-us1.cisco.com/v1/captures/query"
        data = {"taskId": self.id, "filePath": api}
        told = {"filePath": path}
        self.day.send("capture:available", at, data, owner_id=self.id, told=told)


class Desk:
    """An agent's session: what webhooks say of the agent, and the rows on each channel.

    What concerns the whole agent, as the login does, has a row on each channel.
    """

    def __init__(
        self,
        day: VendorDay,
        at: int,
        *,
        agent_id: str | None = None,
        channels: Sequence[str] = CHANNELS,
    ) -> None:
        self.day = day
        self.agent_id = agent_id or day.new_id()
        self.team_id = day.new_id()
        self.phone = "4001"
        self.idle_code = day.new_id()
        self._talking: set[str] = set()
        self.channels: dict[str, VendorRow] = {
            name: {
                "channelId": day.new_id(),
                "channelType": name.partition("-")[0],
                "subChannelType": name.partition("-")[0],
                "agentPhoneNumber": self.phone,
                "activities": [],
            }
            for name in channels
        }
        self.session: VendorRow = {
            "agentSessionId": day.new_id(),
            "agentId": self.agent_id,
            "agentName": "Maria Ortiz",
            "userLoginId": "agent@example.com",
            "teamId": self.team_id,
            "teamName": "Support",
            "siteId": "site-1",
            "siteName": "Austin",
            "multiMediaProfileType": "blended",
            "startTime": at + day.skew_ms,
            "endTime": day.running_end,
            "isActive": True,
            "agentSignOutReason": None,
            "channelInfo": [*self.channels.values()],
        }
        day.sessions.append(self.session)
        for place, name in enumerate(channels):
            row_at = at + place * day.apart_ms
            self.row(row_at, "idle", on=name, code=self.idle_code, isLoginActivity=True)
        login = {"currentState": "Idle", "destination": self.phone, "profileType": "BLENDED"}
        login |= {"idleCodeId": self.idle_code, "teamId": self.team_id}
        self._send("login", at, {"agentId": self.agent_id, **login}, told={})
        self._tune(at, channels, "Idle")

    def send(
        self,
        at: int,
        word: str,
        call: Line | str | None = None,
        *,
        on: str = "telephony",
        told: Mapping[str, Any] | None = None,
        row_at: int | None = None,
        **data: Any,
    ) -> None:
        """A webhook that no row tells, unless ``told`` says how, and ``row_at`` when."""
        channel = self.channels[on]
        if word in IN_CONVERSATION:
            self._talking.add(channel["channelId"])
        else:
            self._talking.discard(channel["channelId"])
        task = {} if call is None else {"taskId": _id_of_call(call)}
        queue = {"queueId": call.queue_id} if isinstance(call, Line) else {}
        body = {
            "agentId": self.agent_id,
            "currentState": word,
            "destination": self.phone,
            "teamId": self.team_id,
            **task,
            **queue,
            "channelId": channel["channelId"],
            "channelType": channel["channelType"],
            "connectedChannels": sorted(self._talking),
            **data,
        }
        if self.day.version == "1":
            self._send_first_version(at, body, told, row_at)
        else:
            self._send("channel_state_change", at, body, told=told, row_at=row_at)
        if word in CHANNEL_WORD and "-" not in on:
            self._tune(at, (on,), CHANNEL_WORD[word])

    def row(
        self,
        at: int,
        state: str,
        call: Line | str | None = None,
        *,
        on: str = "telephony",
        code: str | None = None,
        suffix: str = "",
        **fields: Any,
    ) -> None:
        """A row on a channel. The row before it ends when this one begins."""
        channel, time = self.channels[on], at + self.day.skew_ms
        self._end_row(channel, time)
        channel_id, channel_type = channel["channelId"], channel["channelType"]
        channel["activities"].append(
            {
                "id": f"{channel_id}-{channel_type}-{time}-{state}{suffix}",
                "startTime": time,
                "endTime": self.day.running_end,
                "duration": None,
                "state": state,
                "taskId": None if call is None else _id_of_call(call),
                "queue": {"id": call.queue_id, "name": "Support"}
                if isinstance(call, Line)
                else None,
                "idleCode": None if code is None else {"id": code, "name": f"Code {code[:4]}"},
                "isOutdial": isinstance(call, Line) and call.task["isOutdial"],
                "isCurrentActivity": True,
                "isLoginActivity": False,
                "isLogoutActivity": False,
                **fields,
            }
        )

    def both(self, at: int, word: str, call: Line | str | None = None, **more: Any) -> None:
        """A webhook, and the row of the same word, channel and time."""
        on = more.get("on", "telephony")
        self.row(at, word, call, on=on)
        self.send(at, word, call, told={}, **more)

    def rest(
        self,
        at: int,
        word: str,
        *,
        code: str | None = None,
        names: str = "telephony",
        suffix: str = "",
    ) -> None:
        """The agent goes available or idle: one webhook, and a row on each channel without a task.

        The webhook ``names`` one channel. Rows tell it as an event of the first channel.
        """
        free = [name for name, it in self.channels.items() if not _has_task(it)]
        for place, name in enumerate(free):
            self.row(at + place * self.day.apart_ms, word, on=name, code=code, suffix=suffix)
        first = self.channels[free[0]]
        told = {"channelId": first["channelId"], "channelType": first["channelType"]}
        self.send(at, word, on=names, told=told, **({} if code is None else {"idleCodeId": code}))
        self._tune(at, [name for name in free if name != names], CHANNEL_WORD[word])

    def wrap_up(self, at: int, done: int, free: int, call: Line, *, on: str = "telephony") -> None:
        """After-call work. The rows have no word for its end: the next row says when it was."""
        code = {"id": "wrap-up-7", "name": "Sale"}
        self.row(at, "wrapup", call, on=on, wrapupCode=code)
        self.send(at, "wrapup", call, on=on, told={})
        chosen = {"wrapUpAuxCodeId": code["id"]}
        self.send(done, "wrapup-done", call, on=on, told={}, row_at=free, **chosen)
        self.both(free, "available", on=on)

    def log_out(self, at: int, how: str = "row", *, reason: str | None = None) -> None:
        """The session ends; ``how`` says what tells it.

        "row": a row on each channel. "flag": that of the last rows before. "session": no row.
        """
        time, last_row = at + self.day.skew_ms, {"isLogoutActivity": True}
        for place, (name, channel) in enumerate(self.channels.items()):
            if how == "row":
                self.row(at + place * self.day.apart_ms, "logged-out", on=name, **last_row)
            elif how == "flag":
                self.day.change(time, channel["activities"][-1], **last_row)
            last = channel["activities"][-1]
            self._end_row(channel, max(time, last["startTime"]))
        end = {"endTime": time, "isActive": False, "agentSignOutReason": reason}
        self.day.change(time, self.session, **end)
        by = "SELF"
        data = {"agentId": self.agent_id, "currentState": "logged-out", "loggedOutBy": by}
        told = {"loggedOutBy": by if reason == by else None}
        self._send("logout", at, data, told=told)
        self._talking.clear()
        self._tune(at + 12, [*self.channels], "LoggedOut")

    def _send(self, event: str, at: int, data: WebhookBody, **more: Any) -> None:
        owner_id = self.session["agentSessionId"]
        self.day.send(f"agent:{event}", at, data, owner_id=owner_id, **more)

    def _send_first_version(
        self, at: int, body: WebhookBody, told: Mapping[str, Any] | None, row_at: int | None
    ) -> None:
        """The first version has no channels, and rows tell it as the second one."""
        channel = {name: body.pop(name) for name in ("channelId", "channelType")}
        del body["connectedChannels"]
        told = None if told is None else channel | told
        row_type = "agent:channel_state_change"
        self._send("state_change", at, body, told=told, row_at=row_at, row_type=row_type)

    def _end_row(self, channel: VendorRow, time: int) -> None:
        rows = channel["activities"]
        if rows and rows[-1]["isCurrentActivity"]:
            duration = time - rows[-1]["startTime"]
            end = {"endTime": time, "isCurrentActivity": False, "duration": duration}
            self.day.change(time, rows[-1], **end)

    def _tune(self, at: int, channels: Sequence[str], word: str) -> None:
        """What webhooks alone say: the availability of each type of channel."""
        for channel_type in dict.fromkeys(name.partition("-")[0] for name in channels):
            data = {"agentId": self.agent_id, "currentState": word, "channelType": channel_type}
            data |= {"pendingIdleState": False, "teamId": self.team_id}
            if self.day.version == "2":
                self._send("channelType_state_change", at, data, told=None)


def _has_task(channel: VendorRow) -> bool:
    last = channel["activities"][-1]
    return last["taskId"] is not None and last["state"] != "not-responding"


def _id_of_call(call: Line | str) -> str:
    return call.id if isinstance(call, Line) else call


def _stamp(body: WebhookBody) -> int:
    """When it happened, by the clock of the webhooks."""
    return int(body["comciscotimestamp"]) - DISPATCH_MS


def _time(body: WebhookBody) -> int:
    time: int = body["data"]["createdTime"]
    return time
