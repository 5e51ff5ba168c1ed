"""The vendor's records of tasks: what they are now, what happened to them, and their recordings.

Pure. The rows are those of published answers of the vendor. A consult to an entry point makes a
child task, and the child's rows stand in the parent's list. There are no rows for changed origins,
failures and transferred conferences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import NAMESPACE_OID, uuid5

from projector.webex.simulator.agent_records import SITE
from projector.webex.simulator.known_names import ENTRY_POINT, KnownNames
from projector.webex.simulator.payloads import WebhookBody
from projector.webex.simulator.vendor_rows import STILL_RUNNING, UNNAMED, SimulatedRow

# How the rows of a child task tell that they are: all of them, its first one, or none.
ChildMarks = Literal["all", "new", "none"]
WORDS_WITHOUT_ROW = {"origin-updated", "failed", "conference-transferred"}
CHILD_WORDS = {"new", "parked", "connect", "connected", "ended"}
# States in which an agent talks to the customer, so that what comes next is a transfer.
TALKING = {"connected", "hold-done", "consult-done", "conference-done"}
INSTANT_WORDS = {"ended", "flow-activity", "recording-started", "recording-available"}
# The parts of ids that are not the name of the event.
ID_SUFFIXES = {
    "recording-started": "capture-started",
    "recording-available": "capture-available",
    "WrapUp": "wrapup-done",
}
FOLLOWED_BY = {"new": "flow-activity", "connected": "recording-started"}
# The rows that lead to a row, each with its longest duration in milliseconds.
LeadingRows = tuple[tuple[str, int], ...]
LEADING_TO_WORD: dict[str, LeadingRows] = {
    "consulting": (("consult", 700),),
    "conferencing": (("Conference", 650),),
}
TRANSFERS: dict[str, LeadingRows] = {
    "parked": (("dequeued", 1_000), ("vt-transfer", 900)),
    "connect": (("blind-transfer", 800), ("Transferred", 400)),
    "connected": (("ConsultTransfer", 700), ("Transferred", 5)),
}
EVENT_OF_AGENT = {"ringing": "connect"}  # the others have the same word as their event


@dataclass(kw_only=True)
class TaskCourse:
    """A task's row, and what its next row depends on."""

    task: SimulatedRow
    word: str = ""  # of the last event
    running: SimulatedRow | None = None  # the last row of a state
    child_id: str | None = None  # while a child task is open
    wrap_ups: dict[str, SimulatedRow] = field(default_factory=dict)  # by agent, until they end

    @property
    def rows(self) -> list[SimulatedRow]:
        rows: list[SimulatedRow] = self.task["activities"]
        return rows


class TaskRecords:
    """Fills tasks and recordings, both by task id."""

    def __init__(
        self,
        tasks: dict[str, SimulatedRow],
        recordings: dict[str, list[SimulatedRow]],
        names: KnownNames,
        child_marks: ChildMarks,
    ) -> None:
        self._tasks = tasks
        self._recordings = recordings
        self._names = names
        self._child_marks = child_marks
        self._courses: dict[str, TaskCourse] = {}

    def last_word(self, task_id: str) -> str:
        """The last event of a task; empty for one that is not known."""
        course = self._courses.get(task_id)
        return course.word if course else ""

    def record(self, word: str, data: WebhookBody) -> None:
        """An event of a task."""
        if word in WORDS_WITHOUT_ROW:
            return
        course = self._course(data)
        if word == "new" and course.word:
            self._open_child(course, data)
        is_of_child = course.child_id is not None and word in CHILD_WORDS
        if not is_of_child:
            self._lead_to(course, word, data)
            _update(course.task, word, data, self._queue(data))
        self._add(course, word, data, **self._marks(course, word, is_of_child=is_of_child))
        course.word = word
        if is_of_child and word == "ended":
            course.child_id = None

    def record_agent(self, data: WebhookBody, session: SimulatedRow) -> None:
        """A state of an agent in a task: the task's rows say who it was."""
        course = self._courses.get(data.get("taskId") or "")
        if course is None:
            return
        word: str = data["currentState"]
        agent = _agent(session, data)
        if word == "wrapup":
            course.wrap_ups[data["agentId"]] = _add_row(
                course, "WrapUp", data["createdTime"], **agent, **self._queue_fields(data)
            )
        elif word == "wrapup-done":
            _end_wrap_up(course, data, self._names)
        else:
            _name_agent(course, EVENT_OF_AGENT.get(word, word), agent)
        if word == "connected":
            course.task["lastAgent"] = _last_agent(agent, session)
            course.task["lastTeam"] = {"id": agent["teamId"], "name": agent["teamName"]}
            course.task |= {"isContactHandled": True, "contactHandleType": "normal"}

    def record_capture(self, data: WebhookBody) -> None:
        """A recording can be fetched now."""
        course = self._courses.get(data["taskId"])
        if course is None:
            return
        _add_row(course, "recording-available", data["createdTime"])
        recordings = self._recordings.setdefault(data["taskId"], [])
        recordings.append(_recording(course.task, data))

    def _course(self, data: WebhookBody) -> TaskCourse:
        course = self._courses.get(data["taskId"])
        if course is None:
            course = self._courses[data["taskId"]] = TaskCourse(task=_task(data))
            self._tasks[data["taskId"]] = course.task
        return course

    def _open_child(self, course: TaskCourse, data: WebhookBody) -> None:
        """A consult to an entry point has reached it, and made a task there."""
        course.child_id = str(uuid5(NAMESPACE_OID, f"{data['taskId']} {data['createdTime']}"))
        if self._child_marks == "all" and course.running and course.word == "consulting":
            _, entry_point_id, name = ENTRY_POINT
            course.running |= {"consultEpId": entry_point_id, "consultEpName": name}

    def _lead_to(self, course: TaskCourse, word: str, data: WebhookBody) -> None:
        leading = LEADING_TO_WORD.get(word, ())
        is_handed_over = word == "connected" and course.word == "consulting"
        if is_handed_over or (word != "connected" and course.word in TALKING):
            leading = TRANSFERS.get(word, leading)
        for name, longest in leading:
            room = (data["createdTime"] - course.rows[-1]["createdTime"]) // 2
            if room > 0:
                start = data["createdTime"] - min(room, longest)
                _add_row(course, name, start, **self._queue_fields(data))

    def _add(self, course: TaskCourse, word: str, data: WebhookBody, **marks: Any) -> None:
        now, reason = data["createdTime"], data.get("reason")
        _add_row(course, word, now, terminationReason=reason, **self._queue_fields(data), **marks)
        if word in FOLLOWED_BY and course.child_id is None:
            _add_row(course, FOLLOWED_BY[word], now + 1)

    def _queue(self, data: WebhookBody) -> SimulatedRow:
        return self._names.named("queue", data.get("queueId"))

    def _queue_fields(self, data: WebhookBody) -> SimulatedRow:
        queue = self._queue(data)
        return {"queueId": queue["id"], "queueName": queue["name"]}

    def _marks(self, course: TaskCourse, word: str, *, is_of_child: bool) -> SimulatedRow:
        """How a row of a child task tells that it is one."""
        is_marked = is_of_child and (
            self._child_marks == "all" or (self._child_marks == "new" and word == "new")
        )
        return (
            {"childContactId": course.child_id, "childContactType": "consult"} if is_marked else {}
        )


def _task(data: WebhookBody) -> SimulatedRow:
    return {
        "id": data["taskId"],
        "status": "created",
        "channelType": data["channelType"],
        "channelSubType": data["channelType"],
        "origin": data["origin"],
        "destination": data["destination"],
        "createdTime": data["createdTime"],
        "endedTime": STILL_RUNNING,
        "isActive": True,
        "totalDuration": 0,
        "isContactHandled": False,
        "contactHandleType": None,
        "captureRequested": None,
        "lastQueue": UNNAMED,
        "lastTeam": UNNAMED,
        "lastSite": {"id": SITE["siteId"], "name": SITE["siteName"]},
        "lastAgent": UNNAMED,
        "terminatingEnd": None,
        "terminationReason": None,
        "lastWrapUpCodeId": None,
        "lastWrapupCodeName": None,
        "activities": [],
    }


def _update(task: SimulatedRow, word: str, data: WebhookBody, queue: SimulatedRow) -> None:
    """What the task is after one of its own events; it goes on after an end by the system."""
    now = data["createdTime"]
    is_callback = data.get("outboundType") == "COURTESY_CALLBACK"
    is_outdial = data["direction"] != "INBOUND" and not is_callback
    task |= {
        "status": "created" if word == "new" else word,
        "direction": data["direction"].lower(),
        "isCallback": is_callback,
        "isOutdial": is_outdial,
        "outdialType": data.get("outboundType") if is_outdial else None,
        "lastActivityTime": now,
        "totalDuration": now - task["createdTime"],
    }
    if data.get("queueId"):
        task["lastQueue"] = queue
    if word == "connected":
        task["captureRequested"] = data["channelType"] == "telephony"
    if word == "ended":
        task["terminatingEnd"] = data["terminatingParty"]
        task["terminationReason"] = data.get("reason")
    if word == "ended" and data["terminatingParty"] != "System":
        task |= {"endedTime": now, "isActive": False}
        task["contactHandleType"] = "normal" if task["isContactHandled"] else "abandoned"
    elif word != "ended":
        task |= {"endedTime": STILL_RUNNING, "isActive": True}


def _add_row(course: TaskCourse, word: str, start: int, **fields: Any) -> SimulatedRow:
    """The next row of a task; the row of a state ends where that of the next state begins."""
    rows = course.rows
    start = max(start, rows[-1]["createdTime"]) if rows else start
    before = course.running
    row: SimulatedRow = {
        "id": f"{course.task['id']}-{start}-{ID_SUFFIXES.get(word, word)}",
        "eventName": word,
        "previousState": before["eventName"] if before else None,
        "nextState": None,
        "createdTime": start,
        "endedTime": STILL_RUNNING,
        "duration": STILL_RUNNING,
        "isActive": True,
        "lastActivityTime": start,
        **fields,
    }
    rows.append(row)
    course.task["lastActivityTime"] = start
    if word == "ended" or word not in {*INSTANT_WORDS, "WrapUp"}:
        if before and before["isActive"]:
            _end_row(before, start)
        if before:
            before["nextState"] = word
        course.running = row
    if word in INSTANT_WORDS:
        _end_row(row, start)
    return row


def _end_row(row: SimulatedRow, end: int) -> None:
    end = max(end, row["createdTime"])
    row |= {"endedTime": end, "duration": end - row["createdTime"], "isActive": False}


def _end_wrap_up(course: TaskCourse, data: WebhookBody, names: KnownNames) -> None:
    row = course.wrap_ups.pop(data["agentId"], None)
    if row is not None:
        _end_row(row, data["createdTime"])
        code = names.named("wrapUpCode", data.get("wrapUpAuxCodeId"))
        course.task |= {"lastWrapUpCodeId": code["id"], "lastWrapupCodeName": code["name"]}


def _agent(session: SimulatedRow, data: WebhookBody) -> SimulatedRow:
    names = ("agentId", "agentName", "agentSessionId", "teamId", "teamName", "siteId", "siteName")
    return {
        **{name: session[name] for name in names},
        "agentChannelId": data["channelId"],
        "agentPhoneNumber": data.get("destination"),
    }


def _last_agent(agent: SimulatedRow, session: SimulatedRow) -> SimulatedRow:
    return {
        "id": agent["agentId"],
        "name": agent["agentName"],
        "signInId": session["userLoginId"],
        "sessionId": agent["agentSessionId"],
        "phoneNumber": agent["agentPhoneNumber"],
        "channelId": agent["agentChannelId"],
    }


def _name_agent(course: TaskCourse, word: str, agent: SimulatedRow) -> None:
    """The last row of a word is of an agent; a second agent is its destination."""
    row = next((it for it in reversed(course.rows) if it["eventName"] == word), None)
    if row is None or row.get("agentId") == agent["agentId"]:
        return
    if row.get("agentId") is None:
        row |= agent
    elif word in {"consulting", "conferencing"}:
        row["destinationAgentId"] = agent["agentId"]
        row["destinationAgentName"] = agent["agentName"]
        row["destinationAgentSessionId"] = agent["agentSessionId"]
        row["destinationAgentChannelId"] = agent["agentChannelId"]


def _recording(task: SimulatedRow, data: WebhookBody) -> SimulatedRow:
    name = f"recording-{data['createdTime']}.wav"
    url = f"https://media.example.com/{data['taskId']}/{name}"
    participants: Sequence[str] = [it for it in [task["lastAgent"]["id"]] if it]
    return {
        "id": str(uuid5(NAMESPACE_OID, url)),
        "segment": False,
        "attributes": {
            "fileName": name,
            "filePath": f"{url}?X-Amz-Expires=60&X-Amz-Signature=0",
            "startTime": task["createdTime"],
            "stopTime": task["endedTime"],
            "participants": participants,
            "channel1": "Caller",
            "channel2": "Agent",
            "callType": "main",
            "sensitive": False,
        },
    }
