"""The records of the simulated APIs: what the vendor would store of the simulated events.

Pure. There are agents' sessions with what they did on each channel, tasks with what happened to
them, and recordings. As at the vendor, there are no rows for availability by channel type, who
logged an agent out, changed origins, failures and transferred conferences.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from projector.webex.simulator.payloads import WebhookBody
from projector.webex.simulator.vendor_rows import SimulatedRow, VendorRows

ChannelSlots = Mapping[str, Sequence[tuple[str, str]]]  # by agent: the id and type of each channel
RESTING = ("idle", "available")
EXTRA_ROW_AFTER = {"new": "flow-activity", "connected": "recording-started"}
EVENTS_WITHOUT_ROW = ("origin-updated", "failed", "conference-transferred")


class ApiRecords(VendorRows):
    """Grows with each event; ``slots`` are the channels of every agent who may log in."""

    def __init__(self, slots: ChannelSlots) -> None:
        super().__init__(recordings=defaultdict(list))
        self._slots = slots
        self._open_sessions: dict[str, SimulatedRow] = {}  # by agent

    def add(self, body: WebhookBody) -> None:
        """Record the next event. State changes of the first version repeat those of the second."""
        type_, data = body["type"], body["data"]
        if type_ == "agent:login":
            self._record_login(data)
        elif type_ == "agent:logout":
            self._record_logout(data)
        elif type_ == "agent:channel_state_change":
            self._record_state(data)
        elif type_ == "capture:available":
            self._record_capture(data)
        elif type_.startswith("task:"):
            self._record_task_event(type_.removeprefix("task:"), data)

    # --- agents ---

    def _record_login(self, data: WebhookBody) -> None:
        agent_id, now = data["agentId"], data["createdTime"]
        if agent_id in self._open_sessions and self._open_sessions[agent_id]["startTime"] == now:
            return  # both versions have the login
        session: SimulatedRow = {
            "agentSessionId": str(uuid5(NAMESPACE_OID, f"{agent_id} {now}")),
            "agentId": agent_id,
            "teamId": data["teamId"],
            "siteId": str(uuid5(NAMESPACE_OID, "site")),
            "startTime": now,
            "endTime": None,
            "isActive": True,
            "userLoginId": "agent@example.com",
            "agentName": "An Agent",
            "siteName": "A Site",
            "teamName": "A Team",
            "multiMediaProfileType": data["profileType"].lower(),
            "channelInfo": [
                {"channelId": id_, "channelType": kind, "subChannelType": kind, "activities": []}
                for id_, kind in self._slots[agent_id]
            ],
        }
        self.sessions.append(session)
        self._open_sessions[agent_id] = session
        for channel in session["channelInfo"]:
            row = _add_activity(channel, "idle", now, idleCode=_named(data.get("idleCodeId")))
            row["isLoginActivity"] = True

    def _record_logout(self, data: WebhookBody) -> None:
        session = self._open_sessions.pop(data["agentId"], None)
        if session is None:
            return
        now = data["createdTime"]
        session |= {"endTime": now, "isActive": False}
        for channel in session["channelInfo"]:
            row = _add_activity(channel, "logged-out", now)
            row |= {"isLogoutActivity": True, "isCurrentActivity": False}
            row |= {"endTime": now, "duration": 0}

    def _record_state(self, data: WebhookBody) -> None:
        session = self._open_sessions.get(data["agentId"])
        if session is None:
            return
        word, now, task_id = data["currentState"], data["createdTime"], data.get("taskId")
        fields = {
            "taskId": task_id,
            "queue": _named(data.get("queueId")),
            "idleCode": _named(data.get("idleCodeId")),
        }
        for channel in session["channelInfo"]:
            is_named = channel["channelId"] == data["channelId"]
            is_rest = task_id is None and word in RESTING
            if is_named or (is_rest and _rests_anew(channel, word, fields)):
                if word == "wrapup-done":
                    fields["wrapupCode"] = _named(data.get("wrapUpAuxCodeId"))
                    channel["activities"][-1]["wrapupCode"] = fields["wrapupCode"]
                _add_activity(channel, word, now, **fields)
        if word in {"wrapup", "wrapup-done"} and task_id in self.tasks:
            fields = {"agentId": data["agentId"], "queueId": data.get("queueId")}
            self._add_task_row(self.tasks[task_id], word, now, eventName="WrapUp", **fields)
        if word == "connected" and task_id in self.tasks:
            owner = {"id": data["agentId"], "name": "An Agent"}
            self.tasks[task_id] |= {"lastAgent": owner, "isContactHandled": True}

    # --- tasks ---

    def _record_task_event(self, word: str, data: WebhookBody) -> None:
        if word in EVENTS_WITHOUT_ROW:
            return
        task = self.tasks.setdefault(data["taskId"], _task(data))
        now, queue = data["createdTime"], data.get("queueId")
        task["direction"] = data["direction"].lower()
        task["isCallback"] = data.get("outboundType") == "COURTESY_CALLBACK"
        task["lastActivityTime"] = now
        task["word"] = word
        if queue:
            task["lastQueue"] = {"id": queue, "name": "A Queue"}
        ended = word == "ended"
        reason = data.get("reason")
        system = ended and data["terminatingParty"] == "System"
        if ended and not system:
            task |= {"endedTime": now, "isActive": False}
        elif not system:
            task |= {"endedTime": None, "isActive": True}
        if ended:
            task |= {"terminatingEnd": data["terminatingParty"], "terminationReason": reason}
        self._add_task_row(task, word, now, queueId=queue, terminationReason=reason)
        if word in EXTRA_ROW_AFTER:
            self._add_task_row(task, EXTRA_ROW_AFTER[word], now + 1)

    def _record_capture(self, data: WebhookBody) -> None:
        task = self.tasks.get(data["taskId"])
        if task is None:
            return
        now = data["createdTime"]
        self._add_task_row(task, "capture-available", now, eventName="recording-available")
        name = f"recording-{now}.wav"
        url = f"https://media.example.com/{data['taskId']}/{name}"
        self.recordings[data["taskId"]].append(
            {
                "id": str(uuid5(NAMESPACE_OID, url)),
                "segment": False,
                "attributes": {
                    "fileName": name,
                    "filePath": f"{url}?X-Amz-Expires=60&X-Amz-Signature=0",
                    "startTime": task["createdTime"],
                    "stopTime": task["endedTime"],
                    "participants": [],
                    "channel1": "Caller",
                    "channel2": "Agent",
                    "callType": "main",
                    "sensitive": False,
                },
            }
        )

    def _add_task_row(self, task: SimulatedRow, suffix: str, now: int, **fields: Any) -> None:
        rows = task["activities"]
        if rows and rows[-1]["endedTime"] is None:
            rows[-1] |= {"endedTime": now, "duration": now - rows[-1]["createdTime"]}
        rows.append(
            {
                "id": f"{task['id']}-{now}-{suffix}",
                "eventName": suffix,
                "previousState": rows[-1]["eventName"] if rows else None,
                "createdTime": now,
                "endedTime": None,
                "duration": None,
                "lastActivityTime": now,
            }
            | fields
        )


def _add_activity(channel: SimulatedRow, word: str, now: int, **fields: Any) -> SimulatedRow:
    rows: list[SimulatedRow] = channel["activities"]
    if rows and rows[-1]["endTime"] is None:
        ended = {"endTime": now, "duration": now - rows[-1]["startTime"]}
        rows[-1] |= {**ended, "isCurrentActivity": False}
    row: SimulatedRow = {
        "id": f"{channel['channelId']}-{channel['channelType']}-{now}-{word}",
        "startTime": now,
        "endTime": None,
        "duration": None,
        "state": word,
        "isCurrentActivity": True,
        "isLoginActivity": False,
        "isLogoutActivity": False,
        "isOutdial": False,
        **fields,
    }
    rows.append(row)
    return row


def _rests_anew(channel: SimulatedRow, word: str, fields: SimulatedRow) -> bool:
    """Whether a state without a task is new on a channel, which must be free for it."""
    last = channel["activities"][-1]
    is_free = last["state"] in RESTING
    return bool(is_free and (last["state"] != word or last.get("idleCode") != fields["idleCode"]))


def _named(id_: str | None) -> SimulatedRow | None:
    return None if id_ is None else {"id": id_, "name": f"Name of {id_[:8]}"}


def _task(data: WebhookBody) -> SimulatedRow:
    return {
        "id": data["taskId"],
        "channelType": data["channelType"],
        "origin": data["origin"],
        "destination": data["destination"],
        "createdTime": data["createdTime"],
        "endedTime": None,
        "isActive": True,
        "isContactHandled": False,
        "lastQueue": None,
        "lastAgent": None,
        "terminatingEnd": None,
        "terminationReason": None,
        "activities": [],
    }
