"""The vendor's records: what its APIs would tell of a made-up day, from the truth of that day.

Pure. Told are agents' sessions with what they did on each channel, tasks with what happened to
them, and recordings; not what the vendor's history has no rows for: availability by channel type,
who logged an agent out, changed origins, failures and transferred conferences.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from projector.webex.simulator.payloads import Body

Row = dict[str, Any]
Slots = Mapping[str, Sequence[tuple[str, str]]]  # agent: channel id and type of each
RESTING = ("idle", "available")
NOISE_AFTER = {"new": "flow-activity", "connected": "recording-started"}
UNTOLD = ("origin-updated", "failed", "conference-transferred")
STATUS = {"new": "created", "parked": "queued", "connect": "offered"}


class Records:
    """Grows with what happens; ``slots`` are those of every agent who may log in."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.sessions: list[Row] = []
        self.tasks: dict[str, Row] = {}
        self.recordings: dict[str, list[Row]] = defaultdict(list)
        self._open: dict[str, Row] = {}  # sessions, by agent

    def add(self, body: Body) -> None:
        """Take what happened next. The first version's agent events say nothing new."""
        type_, data = body["type"], body["data"]
        if type_ == "agent:login":
            self._log_in(data)
        elif type_ == "agent:logout":
            self._log_out(data)
        elif type_ == "agent:channel_state_change":
            self._change(data)
        elif type_ == "capture:available":
            self._capture(data)
        elif type_.startswith("task:"):
            self._happen(type_.removeprefix("task:"), data)

    # --- agents ---

    def _log_in(self, data: Body) -> None:
        agent_id, now = data["agentId"], data["createdTime"]
        if agent_id in self._open and self._open[agent_id]["startTime"] == now:
            return  # told in both versions
        session: Row = {
            "agentSessionId": str(uuid5(NAMESPACE_OID, f"{agent_id} {now}")),
            "agentId": agent_id,
            "teamId": data["teamId"],
            "siteId": str(uuid5(NAMESPACE_OID, "site")),
            "startTime": now,
            "endTime": None,
            "isActive": True,
            "destination": data["destination"],
            "profileType": data["profileType"].lower(),
            "channelInfo": [
                {"channelId": id_, "channelType": kind, "subChannelType": kind, "activities": []}
                for id_, kind in self._slots[agent_id]
            ],
        }
        self.sessions.append(session)
        self._open[agent_id] = session
        for channel in session["channelInfo"]:
            row = _begin(channel, "idle", now, idleCode=_named(data.get("idleCodeId")))
            row["isLoginActivity"] = True

    def _log_out(self, data: Body) -> None:
        session = self._open.pop(data["agentId"], None)
        if session is None:
            return
        now = data["createdTime"]
        session |= {"endTime": now, "isActive": False}
        for channel in session["channelInfo"]:
            row = _begin(channel, "logged-out", now)
            row |= {"isLogoutActivity": True, "isCurrentActivity": False}
            row |= {"endTime": now, "duration": 0}

    def _change(self, data: Body) -> None:
        session = self._open.get(data["agentId"])
        if session is None:
            return
        word, now, task_id = data["currentState"], data["createdTime"], data.get("taskId")
        about = {
            "taskId": task_id,
            "queue": _named(data.get("queueId")),
            "idleCode": _named(data.get("idleCodeId")),
        }
        for channel in session["channelInfo"]:
            is_own = channel["channelId"] == data["channelId"]
            if is_own or (task_id is None and word in RESTING and _rests(channel, word, about)):
                if word == "wrapup-done":
                    about["wrapupCode"] = _named(data.get("wrapUpAuxCodeId"))
                    channel["activities"][-1]["wrapupCode"] = about["wrapupCode"]
                _begin(channel, word, now, **about)
        if word in {"wrapup", "wrapup-done"} and task_id in self.tasks:
            about = {"agentId": data["agentId"], "queueId": data.get("queueId")}
            self._row(self.tasks[task_id], word, now, eventName="WrapUp", **about)
        if word == "connected" and task_id in self.tasks:
            owner = {"id": data["agentId"], "name": "An Agent"}
            self.tasks[task_id] |= {"lastAgent": owner, "isContactHandled": True}

    # --- tasks ---

    def _happen(self, word: str, data: Body) -> None:
        if word in UNTOLD:
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
        self._row(task, word, now, queueId=queue, terminationReason=reason)
        if word in NOISE_AFTER:
            self._row(task, NOISE_AFTER[word], now + 1)

    def _capture(self, data: Body) -> None:
        task = self.tasks.get(data["taskId"])
        if task is None:
            return
        now = data["createdTime"]
        self._row(task, "capture-available", now, eventName="recording-available")
        name = f"recording-{now}.wav"
        place = f"https://media.example.com/{data['taskId']}/{name}"
        self.recordings[data["taskId"]].append(
            {
                "id": str(uuid5(NAMESPACE_OID, place)),
                "segment": False,
                "attributes": {
                    "fileName": name,
                    "filePath": f"{place}?X-Amz-Expires=60&X-Amz-Signature=0",
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

    def _row(self, task: Row, suffix: str, now: int, **about: Any) -> None:
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
            | about
        )

    # --- as the REST APIs tell it ---

    def activities(self) -> Iterable[Row]:
        """Agents' intervals, as the activities API has them."""
        for session in self.sessions:
            for channel in session["channelInfo"]:
                for row in channel["activities"]:
                    yield _agent_activity(session, channel, row)

    def snapshots(self) -> Iterable[Row]:
        """Tasks as they stand."""
        for task in self.tasks.values():
            yield {
                "id": task["id"],
                "attributes": {
                    "owner": task["lastAgent"],
                    "queue": task["lastQueue"],
                    "channelType": task["channelType"],
                    "status": _status(task),
                    "createdTime": task["createdTime"],
                    "lastUpdatedTime": task["lastActivityTime"],
                    "captureRequested": task["id"] in self.recordings or None,
                    "origin": task["origin"],
                    "destination": task["destination"],
                    "direction": task["direction"],
                    "reasonCode": None,
                },
            }


def _begin(channel: Row, word: str, now: int, **about: Any) -> Row:
    rows: list[Row] = channel["activities"]
    if rows and rows[-1]["endTime"] is None:
        ended = {"endTime": now, "duration": now - rows[-1]["startTime"]}
        rows[-1] |= {**ended, "isCurrentActivity": False}
    row: Row = {
        "id": f"{channel['channelId']}-{channel['channelType']}-{now}-{word}",
        "startTime": now,
        "endTime": None,
        "duration": None,
        "state": word,
        "isCurrentActivity": True,
        "isLoginActivity": False,
        "isLogoutActivity": False,
        "isOutdial": False,
        **about,
    }
    rows.append(row)
    return row


def _rests(channel: Row, word: str, about: Row) -> bool:
    """Whether a word of no task is said of a channel, too: it is free, and said other before."""
    last = channel["activities"][-1]
    free = last["state"] in RESTING
    return bool(free and (last["state"] != word or last.get("idleCode") != about["idleCode"]))


def _named(id_: str | None) -> Row | None:
    return None if id_ is None else {"id": id_, "name": f"Name of {id_[:8]}"}


def _task(data: Body) -> Row:
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


def _status(task: Row) -> str:
    if not task["isActive"]:
        return "completed" if task["isContactHandled"] else "abandoned"
    return STATUS.get(task["word"], "assigned")


def _agent_activity(session: Row, channel: Row, row: Row) -> Row:
    idle, queue = row.get("idleCode") or {}, row.get("queue") or {}
    return {
        "active": row["isCurrentActivity"],
        "agentId": session["agentId"],
        "agentDn": session["destination"],
        "agentLogin": "agent@example.com",
        "agentSessionId": session["agentSessionId"],
        "agentName": "An Agent",
        "currentState": row["state"],
        "siteId": session["siteId"],
        "siteName": "A Site",
        "teamId": session["teamId"],
        "teamName": "A Team",
        "isLogin": int(row["isLoginActivity"]),
        "taskId": row.get("taskId"),
        "channelId": channel["channelId"],
        "channelType": channel["channelType"],
        "subChannelType": channel["subChannelType"],
        "idleCodeName": idle.get("name"),
        "idleCode": idle.get("id"),
        "queueId": queue.get("id"),
        "queueName": queue.get("name"),
        "wrapupCodeName": (row.get("wrapupCode") or {}).get("name"),
        "reason": None,
        "startTime": row["startTime"],
        "endTime": -1 if row["endTime"] is None else row["endTime"],
        "mmProfileType": session["profileType"],
    }
