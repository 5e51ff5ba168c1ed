"""The raw rows that the stand-in vendor serves, as its Search API names them.

Pure. Sessions and tasks may come from the simulation, or be written by hand. What the REST APIs
return is derived from them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

SimulatedRow = dict[str, Any]
SimulatedName = tuple[str, str, str]  # kind, id and name
STILL_RUNNING = -1  # the vendor's end of what has not ended
STATUS_AFTER_EVENT = {"new": "created", "parked": "queued", "connect": "offered"}
STATUS_OF_WORK = "assigned"
UNNAMED: SimulatedRow = {"id": None, "name": None}


@dataclass(kw_only=True)
class VendorRows:
    """What the vendor has stored; the field names are those of its GraphQL schema.

    ``sessions`` have ``channelInfo: [{..., "activities": [row, ...]}]``. ``tasks`` are by id, and
    have ``"activities": [row, ...]``. Here an ``activities`` is the plain list of all its rows, in
    any order; the Search API makes pages of it. A field that is left out is null. Times are
    epoch ms, and -1 is the end of what still runs. ``recordings`` are by task id. ``names`` are
    those of the configuration.
    """

    sessions: list[SimulatedRow] = field(default_factory=list)
    tasks: dict[str, SimulatedRow] = field(default_factory=dict)
    recordings: dict[str, list[SimulatedRow]] = field(default_factory=dict)
    names: Sequence[SimulatedName] = ()

    def activities(self) -> Iterator[SimulatedRow]:
        """What agents did on each channel, as the activities API returns it."""
        for session in [*self.sessions]:
            for channel in session["channelInfo"]:
                for row in [*channel["activities"]]:
                    yield _agent_activity(session, channel, row)

    def current_tasks(self) -> Iterator[SimulatedRow]:
        """Tasks as they are now, as the tasks API returns them."""
        return map(_current_task, [*self.tasks.values()])


def _agent_activity(
    session: SimulatedRow, channel: SimulatedRow, row: SimulatedRow
) -> SimulatedRow:
    idle, queue, wrap_up = (row.get(name) or {} for name in ("idleCode", "queue", "wrapupCode"))
    end = row.get("endTime")
    return {
        "active": bool(row.get("isCurrentActivity")),
        "agentId": session.get("agentId"),
        "agentDn": channel.get("agentPhoneNumber"),
        "agentLogin": session.get("userLoginId"),
        "agentSessionId": session.get("agentSessionId"),
        "agentName": session.get("agentName"),
        "currentState": row.get("state"),
        "siteId": session.get("siteId"),
        "siteName": session.get("siteName"),
        "teamId": session.get("teamId"),
        "teamName": session.get("teamName"),
        "isLogin": int(bool(row.get("isLoginActivity"))),
        "taskId": row.get("taskId"),
        "channelId": channel.get("channelId"),
        "channelType": channel.get("channelType"),
        "subChannelType": channel.get("subChannelType"),
        "idleCodeName": idle.get("name"),
        "idleCode": idle.get("id"),
        "queueId": queue.get("id"),
        "queueName": queue.get("name"),
        "wrapupCodeName": wrap_up.get("name"),
        "reason": None,
        "startTime": row.get("startTime"),
        "endTime": STILL_RUNNING if end is None else end,
        "mmProfileType": session.get("multiMediaProfileType"),
    }


def _current_task(task: SimulatedRow) -> SimulatedRow:
    direction = task.get("direction")
    times = [row["createdTime"] for row in task["activities"] if row.get("createdTime")]
    return {
        "id": task["id"],
        "attributes": {
            "owner": _named(task.get("lastAgent")),
            "queue": _named(task.get("lastQueue")),
            "channelType": task.get("channelType"),
            "status": _status(task),
            "createdTime": task.get("createdTime"),
            "lastUpdatedTime": task.get("lastActivityTime") or max(times, default=None),
            "captureRequested": task.get("captureRequested"),
            "origin": task.get("origin"),
            "destination": task.get("destination"),
            "direction": "outdial" if task.get("isOutdial") else direction and direction.lower(),
            "reasonCode": task.get("contactReason"),
        },
    }


def _named(owner: SimulatedRow | None) -> SimulatedRow:
    return UNNAMED | {name: it for name, it in (owner or {}).items() if name in UNNAMED}


def _status(task: SimulatedRow) -> str:
    """The tasks API's word for where a task is; its history tells it."""
    rows = sorted(task["activities"], key=lambda row: row.get("createdTime") or 0)
    words = [row.get("eventName") for row in rows]
    if not task.get("isActive"):
        return "completed" if "connected" in words else "abandoned"
    moves = [it for it in words if it in {*STATUS_AFTER_EVENT, "connected"}]
    return STATUS_AFTER_EVENT.get(moves[-1], STATUS_OF_WORK) if moves else "created"
