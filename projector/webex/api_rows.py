"""Rows of the vendor's APIs, in our own terms.

Rule: the reading is tolerant. Unknown fields pass, and a row that cannot be used becomes an
``UnusableRow`` with its reason. It never prevents the reading of another row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from projector.domain.events import plain_word
from projector.domain.state_names import LOGGED_OUT

# In milliseconds a smaller time would lie before 1973, so it can only be in seconds.
EARLIEST_MS = 100_000_000_000
LONGEST_NAME = 512


class ApiSource(StrEnum):
    """The API that a row comes from, in the order in which they are read.

    Where two APIs report one event, the first tells its whole context.
    """

    AGENT_SESSIONS = "agentSession"  # Search API, agents' activities (AAR)
    AGENT_ACTIVITIES = "activities"  # GET /v1/agents/activities
    TASK_DETAILS = "taskDetails"  # Search API, tasks' activities (CAR)
    TASKS = "tasks"  # GET /v1/tasks
    CAPTURES = "captures"  # POST /v1/captures/query, for the recordings of captures alone


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentActivity:
    """What an agent did on one channel, from ``start`` to ``end`` (epoch ms; None: not over)."""

    source: ApiSource
    agent_id: str
    session_id: str
    channel_id: str | None
    channel_type: str | None
    state: str
    start: int
    end: int | None
    is_login: bool = False
    is_logout: bool = False  # it ends with the session
    sign_out_reason: str | None = None  # of the session, in the vendor's words
    task_id: str | None = None
    queue_id: str | None = None
    team_id: str | None = None
    idle_code_id: str | None = None
    wrap_up_code_id: str | None = None
    destination: str | None = None
    profile_type: str | None = None
    is_of_part: bool = False  # other rows of its channel did not come


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskActivity:
    """What happened to a task at ``time`` (epoch ms)."""

    source: ApiSource
    id: str
    task_id: str
    event: str
    time: int
    queue_id: str | None = None
    reason: str | None = None
    terminating_party: str | None = None
    channel_type: str | None = None
    origin: str | None = None
    destination: str | None = None
    direction: str | None = None  # inbound, outbound or outdial, in any case of letters
    is_callback: bool = False
    child_contact_id: str | None = None
    consult_entry_point_id: str | None = None
    task_end: int | None = None  # when the whole task ended; None while it is active
    is_of_part: bool = False  # other rows of its task did not come, or cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableRow:
    """A row that cannot be used, and the reason."""

    source: ApiSource
    reason: str
    row: str | None = None  # its id, where it has one


class _NotUsable(Exception):  # noqa: N818 - a signal inside this file, never an error outside
    """Carries the reason why a row cannot be used."""


def read_activities(rows: Iterable[Any]) -> Iterator[AgentActivity | UnusableRow]:
    """The rows of the agent activities API."""
    for row in rows:
        yield _read_or_unusable(ApiSource.AGENT_ACTIVITIES, row, _activity)


def read_session(session: Any) -> Iterator[AgentActivity | UnusableRow]:
    """The activities of one agent session of the Search API, on all its channels, and its end."""
    for channel in _list(session, "channelInfo"):
        for node in _list(channel, "activities"):
            yield _read_or_unusable(
                ApiSource.AGENT_SESSIONS, node, _session_activity, session, channel
            )
    if session.get("isActive") is False and session.get("endTime") is not None:
        yield _read_or_unusable(ApiSource.AGENT_SESSIONS, session, _session_end)


def read_tasks(rows: Iterable[Any]) -> Iterator[TaskActivity | UnusableRow]:
    """The beginnings of the tasks of the tasks API."""
    for row in rows:
        yield _read_or_unusable(ApiSource.TASKS, row, _beginning)


def read_task_details(task: Any) -> Iterator[TaskActivity | UnusableRow]:
    """What happened to one task of the Search API."""
    nodes = _list(task, "activities")
    last_end = max((_end_time(node) for node in nodes), default=0)
    rows = [
        _read_or_unusable(ApiSource.TASK_DETAILS, node, _task_event, task, last_end)
        for node in nodes
    ]
    are_part = task.get("arePart") is True or any(
        isinstance(row, UnusableRow) and _may_tell_a_child(node)
        for row, node in zip(rows, nodes, strict=True)
    )
    for row in rows:
        yield replace(row, is_of_part=True) if are_part and isinstance(row, TaskActivity) else row


def _may_tell_a_child(node: Mapping[str, Any]) -> bool:
    """Whether a row that cannot be read may be the sign of a consult with a contact of its own."""
    marks = (node.get("childContactId"), node.get("consultEpId"))
    word = node.get("eventName")
    return any(marks) or not isinstance(word, str) or plain_word(word) == "new"


def _read_or_unusable(source: ApiSource, row: Any, read: Any, *context: Any) -> Any:
    if not isinstance(row, Mapping):
        return UnusableRow(source=source, reason="not an object")
    try:
        return read(row, *context)
    except _NotUsable as refusal:
        id_ = _text(row, "id") or _text(row, "agentSessionId")
        return UnusableRow(source=source, reason=str(refusal), row=id_)


def _activity(row: Mapping[str, Any]) -> AgentActivity:
    end = row.get("endTime")
    is_running = row.get("active") is True or end in (None, -1)
    state = _name(row, "currentState")
    return AgentActivity(
        source=ApiSource.AGENT_ACTIVITIES,
        agent_id=_name(row, "agentId"),
        session_id=_name(row, "agentSessionId"),
        channel_id=_text(row, "channelId"),
        channel_type=_text(row, "channelType"),
        state=state,
        start=_time(row, "startTime"),
        end=None if is_running else _time(row, "endTime"),
        is_login=row.get("isLogin") in (1, True),
        is_logout=_is_logged_out(state),
        task_id=_text(row, "taskId"),
        queue_id=_text(row, "queueId"),
        team_id=_text(row, "teamId"),
        idle_code_id=_text(row, "idleCode"),
        destination=_text(row, "agentDn"),
        profile_type=_text(row, "mmProfileType"),
    )


def _session_activity(
    row: Mapping[str, Any], session: Mapping[str, Any], channel: Mapping[str, Any]
) -> AgentActivity:
    state = _name(row, "state")
    is_running = row.get("isCurrentActivity") is True or row.get("endTime") in (None, -1)
    return AgentActivity(
        source=ApiSource.AGENT_SESSIONS,
        agent_id=_name(session, "agentId"),
        session_id=_name(session, "agentSessionId"),
        channel_id=_text(channel, "channelId"),
        channel_type=_text(channel, "channelType"),
        state=state,
        start=_time(row, "startTime"),
        end=None if is_running else _time(row, "endTime"),
        is_login=row.get("isLoginActivity") is True,
        is_logout=row.get("isLogoutActivity") is True or _is_logged_out(state),
        sign_out_reason=_text(session, "agentSignOutReason"),
        task_id=_text(row, "taskId"),
        queue_id=_id_of(row, "queue"),
        team_id=_text(session, "teamId"),
        idle_code_id=_id_of(row, "idleCode"),
        wrap_up_code_id=_id_of(row, "wrapupCode"),
        destination=_text(channel, "agentPhoneNumber"),
        profile_type=_text(session, "multiMediaProfileType"),
        is_of_part=channel.get("arePart") is True,
    )


def _session_end(session: Mapping[str, Any]) -> AgentActivity:
    """A logout without a channel. It is used where no row of a channel tells the logout."""
    time = _time(session, "endTime")
    return AgentActivity(
        source=ApiSource.AGENT_SESSIONS,
        agent_id=_name(session, "agentId"),
        session_id=_name(session, "agentSessionId"),
        channel_id=None,
        channel_type=None,
        state=LOGGED_OUT,
        start=time,
        end=time,
        is_logout=True,
        sign_out_reason=_text(session, "agentSignOutReason"),
    )


def _beginning(row: Mapping[str, Any]) -> TaskActivity:
    attributes = row.get("attributes")
    if not isinstance(attributes, Mapping):
        raise _NotUsable("no attributes")
    task_id, time = _name(row, "id"), _time(attributes, "createdTime")
    return TaskActivity(
        source=ApiSource.TASKS,
        id=f"{task_id}-{time}-new",
        task_id=task_id,
        event="new",
        time=time,
        channel_type=_text(attributes, "channelType"),
        origin=_text(attributes, "origin"),
        destination=_text(attributes, "destination"),
        direction=_text(attributes, "direction"),
    )


def _task_event(row: Mapping[str, Any], task: Mapping[str, Any], last_end: int) -> TaskActivity:
    time = _time(row, "createdTime")
    return TaskActivity(
        source=ApiSource.TASK_DETAILS,
        id=_name(row, "id"),
        task_id=_name(task, "id"),
        event=_name(row, "eventName"),
        time=time,
        queue_id=_text(row, "queueId"),
        reason=_text(row, "terminationReason"),
        terminating_party=_text(task, "terminatingEnd") if time == last_end else None,
        child_contact_id=_text(row, "childContactId"),
        consult_entry_point_id=_text(row, "consultEpId"),
        task_end=_task_end(task),
        channel_type=_text(task, "channelType"),
        origin=_text(task, "origin"),
        destination=_text(task, "destination"),
        direction="outdial" if task.get("isOutdial") is True else _text(task, "direction"),
        is_callback=task.get("isCallback") is True,
    )


def _task_end(task: Mapping[str, Any]) -> int | None:
    time = task.get("endedTime")
    is_over = task.get("isActive") is False and isinstance(time, int)
    return time if is_over else None


def _end_time(node: Any) -> int:
    """When an end of the task happened; 0 for any other row."""
    time = node.get("createdTime") if isinstance(node, Mapping) else None
    ended = isinstance(time, int) and node.get("eventName") == "ended"
    return time if ended and isinstance(time, int) else 0


def _is_logged_out(state: str) -> bool:
    return plain_word(state) == plain_word(LOGGED_OUT)


def _time(row: Mapping[str, Any], field: str) -> int:
    value = row.get(field)
    if value is None:
        raise _NotUsable(f"no {field}")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _NotUsable(f"{field} is no time in milliseconds")
    if value < EARLIEST_MS:
        raise _NotUsable(f"{field} is in seconds, not milliseconds")
    return value


def _name(row: Any, field: str) -> str:
    value = _text(row, field)
    if value is None:
        raise _NotUsable(f"no {field}")
    return value


def _text(row: Any, field: str) -> str | None:
    value = row.get(field) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value:
        return None
    return value if len(value) <= LONGEST_NAME or field not in _NAMES else None


_NAMES = {"agentId", "id", "taskId", "channelId", "agentSessionId"}


def _id_of(row: Mapping[str, Any], field: str) -> str | None:
    return _text(row.get(field), "id")


def _list(row: Any, field: str) -> list[Any]:
    value = row.get(field) if isinstance(row, Mapping) else None
    return [it for it in value if isinstance(it, Mapping)] if isinstance(value, list) else []
