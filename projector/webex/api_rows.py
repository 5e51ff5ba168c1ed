"""Rows of the vendor's APIs, in our own terms.

A tolerant reader: unknown fields pass, and a row that cannot be used is told with its reason; what
one row lacks costs no other row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# A time below it, were it in milliseconds, would lie before 1973: such a row counts in seconds.
EARLIEST_MS = 100_000_000_000
LONGEST_NAME = 512


class Source(StrEnum):
    """Where a row comes from; those that tell more of a fact are asked first."""

    ACTIVITIES = "activities"  # GET /v1/agents/activities
    SESSIONS = "agentSession"  # Search API, agents' activities (AAR)
    TASKS = "tasks"  # GET /v1/tasks
    CONTACTS = "taskDetails"  # Search API, tasks' activities (CAR)
    CAPTURES = "captures"  # POST /v1/captures/query, for the recordings of captures alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What an agent did on one channel from ``start`` to ``end`` (epoch ms; null: still does)."""

    source: Source
    agent_id: str
    session_id: str
    channel_id: str | None
    channel_type: str | None
    state: str
    start: int
    end: int | None
    is_login: bool = False
    is_logout: bool = False
    task_id: str | None = None
    queue_id: str | None = None
    team_id: str | None = None
    idle_code_id: str | None = None
    wrap_up_code_id: str | None = None
    destination: str | None = None
    profile_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What happened to a task at a time (epoch ms)."""

    source: Source
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
    direction: str | None = None
    is_callback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A row that cannot be used, and why."""

    source: Source
    reason: str
    row: str | None = None  # its id, where it has one


class _Refused(Exception):  # noqa: N818 - a signal inside this file, never an error outside
    """Carries the reason why a row cannot be used."""


def activities(rows: Iterable[Any]) -> Iterator[Activity | Flaw]:
    """Of the agent activities API."""
    for row in rows:
        yield _tried(Source.ACTIVITIES, row, _activity)


def session_activities(session: Any) -> Iterator[Activity | Flaw]:
    """Of one agent session of the Search API, all its channels."""
    for channel in _list(session, "channelInfo"):
        for node in _list(channel.get("activities"), "nodes"):
            yield _tried(Source.SESSIONS, node, _session_activity, session, channel)


def tasks(rows: Iterable[Any]) -> Iterator[Contact | Flaw]:
    """Of the tasks API, which tells how each began."""
    for row in rows:
        yield _tried(Source.TASKS, row, _beginning)


def contacts(task: Any) -> Iterator[Contact | Flaw]:
    """Of one task of the Search API."""
    nodes = _list(task.get("activities"), "nodes")
    last = max((_last_end(node) for node in nodes), default=0)
    for node in nodes:
        yield _tried(Source.CONTACTS, node, _contact, task, last)


def _tried(source: Source, row: Any, read: Any, *more: Any) -> Any:
    if not isinstance(row, Mapping):
        return Flaw(source=source, reason="not an object")
    try:
        return read(row, *more)
    except _Refused as refusal:
        return Flaw(source=source, reason=str(refusal), row=_text(row, "id"))


def _activity(row: Mapping[str, Any]) -> Activity:
    end = row.get("endTime")
    running = row.get("active") is True or end in (None, -1)
    state = _name(row, "currentState")
    return Activity(
        source=Source.ACTIVITIES,
        agent_id=_name(row, "agentId"),
        session_id=_text(row, "agentSessionId") or "",
        channel_id=_text(row, "channelId"),
        channel_type=_text(row, "channelType"),
        state=state,
        start=_time(row, "startTime"),
        end=None if running else _time(row, "endTime"),
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
) -> Activity:
    state = _name(row, "state")
    running = row.get("isCurrentActivity") is True or row.get("endTime") in (None, -1)
    return Activity(
        source=Source.SESSIONS,
        agent_id=_name(session, "agentId"),
        session_id=_text(session, "agentSessionId") or "",
        channel_id=_text(channel, "channelId"),
        channel_type=_text(channel, "channelType"),
        state=state,
        start=_time(row, "startTime"),
        end=None if running else _time(row, "endTime"),
        is_login=row.get("isLoginActivity") is True,
        is_logout=row.get("isLogoutActivity") is True or _is_logged_out(state),
        task_id=_text(row, "taskId"),
        queue_id=_id_of(row, "queue"),
        team_id=_text(session, "teamId"),
        idle_code_id=_id_of(row, "idleCode"),
        wrap_up_code_id=_id_of(row, "wrapupCode"),
    )


def _beginning(row: Mapping[str, Any]) -> Contact:
    about = row.get("attributes")
    if not isinstance(about, Mapping):
        raise _Refused("no attributes")
    task_id, time = _name(row, "id"), _time(about, "createdTime")
    return Contact(
        source=Source.TASKS,
        id=f"{task_id}-{time}-new",
        task_id=task_id,
        event="new",
        time=time,
        channel_type=_text(about, "channelType"),
        origin=_text(about, "origin"),
        destination=_text(about, "destination"),
        direction=_text(about, "direction"),
    )


def _contact(row: Mapping[str, Any], task: Mapping[str, Any], last_end: int) -> Contact:
    time = _time(row, "createdTime")
    return Contact(
        source=Source.CONTACTS,
        id=_name(row, "id"),
        task_id=_name(task, "id"),
        event=_name(row, "eventName"),
        time=time,
        queue_id=_text(row, "queueId"),
        reason=_text(row, "terminationReason"),
        terminating_party=_text(task, "terminatingEnd") if time == last_end else None,
        channel_type=_text(task, "channelType"),
        origin=_text(task, "origin"),
        destination=_text(task, "destination"),
        direction=_text(task, "direction"),
        is_callback=task.get("isCallback") is True,
    )


def _last_end(node: Any) -> int:
    time = node.get("createdTime") if isinstance(node, Mapping) else None
    ended = isinstance(time, int) and node.get("eventName") == "ended"
    return time if ended and isinstance(time, int) else 0


def _is_logged_out(state: str) -> bool:
    return state.casefold().replace("-", "").replace("_", "") == "loggedout"


def _time(row: Mapping[str, Any], field: str) -> int:
    value = row.get(field)
    if value is None:
        raise _Refused(f"no {field}")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _Refused(f"{field} is no time in milliseconds")
    if value < EARLIEST_MS:
        raise _Refused(f"{field} is in seconds, not milliseconds")
    return value


def _name(row: Any, field: str) -> str:
    value = _text(row, field)
    if value is None:
        raise _Refused(f"no {field}")
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
