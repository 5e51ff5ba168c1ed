"""Events of the vendor's APIs: what their rows state, as the webhooks that would have said it.

Rule: an event has the id of its row, so that reading the row again gives the same event. It holds
only what was true at its time. What a row knows of later times, such as how the task ended, stays
out, since views would show it too early.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from projector.domain.events import Kind, Offered, plain_word
from projector.domain.state_names import AGENT_WORDS, spelling
from projector.webex.api_rows import AgentActivity, ApiSource, TaskActivity, UnusableRow
from projector.webex.webhook import Unusable, judge

# States that have another name in the vendor's history than in its webhooks.
_ALIASES = {"conference": "conferencing"}
_CHANNEL_ORDER = {"telephony": 0, "chat": 1, "email": 2, "social": 3}

_TASK_WORDS = {
    plain_word(word): word
    for word in (
        *("new", "parked", "connect", "connected", "on-hold", "hold-done", "consulting"),
        *("consult-done", "conferencing", "conference-done", "conference-transferred"),
        *("ended", "failed"),
    )
}
_CAPTURE_WORDS = {plain_word(word) for word in ("recording-available", "capture-available")}
CALLBACK = "COURTESY_CALLBACK"

# What webhooks report and no API of the vendor does: it stays lost where the webhook was lost.
NOT_IN_APIS = (
    "agent:channelType_state_change",
    "agent:logout loggedOutBy",
    "agent:channel_state_change connectedChannels",
    "task:origin-updated",
    "task:failed",
    "task:conference-transferred",
    "capture:available filePath",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEvent:
    """The event that a row states, ready to be appended."""

    source: ApiSource
    offered: Offered
    time: int  # epoch ms

    @property
    def subject(self) -> tuple[str, str]:
        """The kind (agent or task) and the id of the subject whose events are compared with it."""
        event = self.offered.event
        if event.agent_subject is not None:
            return "agent", event.agent_subject
        return "task", event.task_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWithoutWebhook:
    """A row with a state or an event that no webhook has; ``word`` names it."""

    source: ApiSource
    word: str


def agent_events(
    activities: Iterable[AgentActivity], *, org_id: str, now: int
) -> Iterator[ApiEvent | RowWithoutWebhook | UnusableRow]:
    """Events of agents; ``now`` is epoch ms. Rows of several channels may state one event."""
    groups: dict[tuple[object, ...], list[AgentActivity]] = defaultdict(list)
    for row in sorted(activities, key=_row_order):
        word = _word(row)
        if word is None:
            yield RowWithoutWebhook(source=row.source, word=row.state)
            continue
        groups[_event_identity(row, word)].append(row)
    for (word_of_group, *_), rows in groups.items():
        yield _api_event(rows[0].source, _agent_element(rows[0], str(word_of_group)), org_id, now)
    for row in _without_wrapup_done(groups.values()):
        yield _api_event(row.source, _wrapup_done_element(row), org_id, now)


def task_events(
    activities: Iterable[TaskActivity], *, org_id: str, now: int
) -> Iterator[ApiEvent | RowWithoutWebhook | UnusableRow]:
    """Events of tasks; ``now`` is epoch ms."""
    for row in activities:
        element = _task_element(row)
        if element is None:
            yield RowWithoutWebhook(source=row.source, word=row.event)
        else:
            yield _api_event(row.source, element, org_id, now)


def with_recording_path(event: ApiEvent, recordings: Iterable[Any], *, now: int) -> ApiEvent:
    """A capture with the path of the first recording, without its signature, which expires."""
    for recording in recordings:
        attributes = recording.get("attributes") if isinstance(recording, dict) else None
        path = attributes.get("filePath") if isinstance(attributes, dict) else None
        if isinstance(path, str) and path:
            return _with_data(event, {"filePath": path.partition("?")[0]}, now)
    return event


def with_login_profile(
    event: ApiEvent, activities: Iterable[AgentActivity], *, now: int
) -> ApiEvent:
    """A login with what only the activities API has of it: the agent's number and profile."""
    for row in activities:
        if row.is_login and (row.agent_id, row.start) == (event.subject[1], event.time):
            return _with_data(event, _profile(row), now)
    return event


def _with_data(event: ApiEvent, data: Mapping[str, Any], now: int) -> ApiEvent:
    element = json.loads(event.offered.body)
    element["data"] |= _without_none(data)
    extended = _api_event(event.source, element, event.offered.event.org_id, now)
    return extended if isinstance(extended, ApiEvent) else event


def _api_event(
    source: ApiSource, element: dict[str, Any], org_id: str, now: int
) -> ApiEvent | UnusableRow:
    element |= {
        "specversion": "1.0",
        "source": f"/projector/reconciliation/{source}",
        "comciscoorgid": org_id,
        "datacontenttype": "application/json",
    }
    body = json.dumps(element, separators=(",", ":")).encode()
    judged = judge(body, element, now=now, default_org=None)
    if isinstance(judged, Unusable):
        return UnusableRow(source=source, reason=judged.reason, row=element["id"])
    return ApiEvent(source=source, offered=judged, time=element["data"]["createdTime"])


# --- agents ---------------------------------------------------------------------------------------


def _row_order(row: AgentActivity) -> tuple[object, ...]:
    """A total order: of rows that state one event, the first is the same in every run."""
    channel_order = _CHANNEL_ORDER.get((row.channel_type or "").casefold(), len(_CHANNEL_ORDER))
    return (row.start, row.agent_id, channel_order, row.channel_id or "", row.state)


def _word(row: AgentActivity) -> str | None:
    if row.is_login:
        return "login"
    if row.is_logout:
        return "logout"
    plain = plain_word(row.state)
    word = spelling(Kind.STATE, _ALIASES.get(plain, row.state))
    return word if word in AGENT_WORDS else None


def _event_identity(row: AgentActivity, word: str) -> tuple[object, ...]:
    """What rows that state one event have in common, the word first.

    An agent who is idle or available without a task has a row on each channel.
    """
    if row.is_login or row.is_logout:
        return (word, row.agent_id, row.session_id, row.start)
    is_of_channel = row.task_id is not None or word not in {"idle", "available"}
    channel_id = row.channel_id if is_of_channel else None
    return (word, row.agent_id, row.start, row.task_id, channel_id)


def _agent_element(row: AgentActivity, word: str) -> dict[str, Any]:
    data: dict[str, Any] = {"agentId": row.agent_id, "createdTime": row.start}
    if word == "logout":
        id_ = f"{row.session_id or row.agent_id}-{row.start}-logout"
        return {"id": id_, "type": "agent:logout", "data": data | {"currentState": "logged-out"}}
    idle = {"idleCodeId": row.idle_code_id}
    if word == "login":
        data["teamId"] = row.team_id
        session = {"currentState": row.state} | _profile(row)
        id_ = f"{row.session_id or row.agent_id}-{row.start}-login"
        return {"id": id_, "type": "agent:login", "data": _without_none(data | session | idle)}
    wrapup = {"wrapUpAuxCodeId": row.wrap_up_code_id} if word == "wrapup-done" else {}
    return _state_element(row, word, row.start, (idle if word == "idle" else {}) | wrapup)


def _profile(row: AgentActivity) -> dict[str, Any]:
    profile = (row.profile_type or "").upper() or None
    return {"destination": row.destination, "profileType": profile}


def _wrapup_done_element(row: AgentActivity) -> dict[str, Any]:
    assert row.end is not None  # noqa: S101 - only finished wrap-ups come here
    return _state_element(row, "wrapup-done", row.end, {"wrapUpAuxCodeId": row.wrap_up_code_id})


def _state_element(
    row: AgentActivity, word: str, time: int, codes: Mapping[str, Any]
) -> dict[str, Any]:
    data = {
        "agentId": row.agent_id,
        "currentState": word,
        "taskId": row.task_id,
        "queueId": row.queue_id,
        "channelId": row.channel_id,
        "channelType": row.channel_type,
        "teamId": row.team_id,
        "destination": row.destination,
        **codes,
        "createdTime": time,
    }
    id_ = f"{row.channel_id or row.agent_id}-{row.channel_type or ''}-{time}-{word}"
    return {"id": id_, "type": "agent:channel_state_change", "data": _without_none(data)}


def _without_wrapup_done(groups: Iterable[Sequence[AgentActivity]]) -> Iterator[AgentActivity]:
    """Finished wrap-ups that no row of wrapup-done follows."""
    channels: dict[tuple[object, ...], list[AgentActivity]] = defaultdict(list)
    for rows in groups:
        for row in rows:
            channels[row.agent_id, row.channel_id].append(row)
    for rows in channels.values():
        rows.sort(key=lambda row: row.start)
        for row, following in pairwise(rows):
            is_finished_wrapup = (
                _word(row) == "wrapup" and row.task_id is not None and row.end is not None
            )
            if (
                is_finished_wrapup
                and row.end == following.start
                and _word(following) != "wrapup-done"
            ):
                yield row


# --- tasks ----------------------------------------------------------------------------------------


def _task_element(row: TaskActivity) -> dict[str, Any] | None:
    plain = plain_word(row.event)
    data: dict[str, Any] = {"taskId": row.task_id}
    if plain in _CAPTURE_WORDS:
        return {"id": row.id, "type": "capture:available", "data": data | {"createdTime": row.time}}
    word = _TASK_WORDS.get(plain)
    if word is None:
        return None
    data |= {"channelType": row.channel_type, "queueId": None if word == "new" else row.queue_id}
    direction = row.direction and row.direction.upper()
    # The call back to a customer turns the direction, and the row holds only the last one.
    data["direction"] = direction if word == "ended" or not row.is_callback else None
    if word == "new":
        # These are true at the beginning only; a later change has no row.
        data |= {"origin": row.origin, "destination": row.destination}
    if word == "ended":
        data |= {"reason": row.reason, "terminatingParty": _party(row)}
        data["outboundType"] = CALLBACK if row.is_callback else None
    return {
        "id": row.id,
        "type": f"task:{word}",
        "data": _without_none(data) | {"createdTime": row.time},
    }


def _party(row: TaskActivity) -> str | None:
    """Who ended the task: as its row says for the last end, else as the reason begins."""
    if row.terminating_party is not None or row.reason is None:
        return row.terminating_party
    first = row.reason.split(maxsplit=1)[0].capitalize() if row.reason.strip() else ""
    return first if first in {"Agent", "Customer"} else "System"


def _without_none(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
