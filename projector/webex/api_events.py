"""Facts: what rows of the vendor's APIs state, as events that the log can take.

The rule of this file: a fact has the id of its row, so that the same row asked for again is the
same event, and it carries only what was true at its time. What a row tells of later (how a task
ended, the last direction of a call) stays out, since it would be shown too early.
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
from projector.webex.api_rows import Activity, Contact, Flaw, Source
from projector.webex.webhook import Unusable, judge

# What the vendor's history calls otherwise than its webhooks.
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

# What webhooks tell and no API of the vendor does: it stays lost where a webhook was lost.
UNTOLD = (
    "agent:channelType_state_change",
    "agent:logout loggedOutBy",
    "agent:channel_state_change connectedChannels",
    "task:origin-updated",
    "task:failed",
    "task:conference-transferred",
    "capture:available filePath",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a row states, ready to be appended."""

    source: Source
    offered: Offered
    time: int  # epoch ms

    @property
    def subject(self) -> tuple[str, str]:
        """Kind and id of the subject among whose events its own webhook would be."""
        event = self.offered.event
        if event.agent_subject is not None:
            return "agent", event.agent_subject
        return "task", event.task_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """A row of a state or an event that no webhook has."""

    source: Source
    word: str


def agent_facts(
    activities: Iterable[Activity], *, org_id: str, now: int
) -> Iterator[Fact | Untold | Flaw]:
    """What agents did, by rows of their channels: equal moments of several channels are one."""
    moments: dict[tuple[object, ...], list[Activity]] = defaultdict(list)
    for row in sorted(activities, key=_place):
        word = _word(row)
        if word is None:
            yield Untold(source=row.source, word=row.state)
            continue
        moments[_moment(row, word)].append(row)
    for (told, *_), rows in moments.items():
        yield _fact(rows[0].source, _agent_element(rows[0], str(told)), org_id, now)
    for row in _without_wrapup_done(moments.values()):
        yield _fact(row.source, _wrapped_up(row), org_id, now)


def task_facts(
    contacts: Iterable[Contact], *, org_id: str, now: int
) -> Iterator[Fact | Untold | Flaw]:
    """What happened to tasks."""
    for row in contacts:
        element = _task_element(row)
        if element is None:
            yield Untold(source=row.source, word=row.event)
        else:
            yield _fact(row.source, element, org_id, now)


def with_path(fact: Fact, recordings: Iterable[Any], *, now: int) -> Fact:
    """A capture with the path of its task's recording, without the signature that expires."""
    for recording in recordings:
        about = recording.get("attributes") if isinstance(recording, dict) else None
        path = about.get("filePath") if isinstance(about, dict) else None
        if isinstance(path, str) and path:
            return _with(fact, {"filePath": path.partition("?")[0]}, now)
    return fact


def with_profile(fact: Fact, activities: Iterable[Activity], *, now: int) -> Fact:
    """A login with what only the other API tells of it: where the agent is called, and how."""
    for row in activities:
        if row.is_login and (row.agent_id, row.start) == (fact.subject[1], fact.time):
            return _with(fact, _profile(row), now)
    return fact


def _with(fact: Fact, more: Mapping[str, Any], now: int) -> Fact:
    element = json.loads(fact.offered.body)
    element["data"] |= _given(more)
    told = _fact(fact.source, element, fact.offered.event.org_id, now)
    return told if isinstance(told, Fact) else fact


def _fact(source: Source, element: dict[str, Any], org_id: str, now: int) -> Fact | Flaw:
    element |= {
        "specversion": "1.0",
        "source": f"/projector/reconciliation/{source}",
        "comciscoorgid": org_id,
        "datacontenttype": "application/json",
    }
    body = json.dumps(element, separators=(",", ":")).encode()
    judged = judge(body, element, now=now, default_org=None)
    if isinstance(judged, Unusable):
        return Flaw(source=source, reason=judged.reason, row=element["id"])
    return Fact(source=source, offered=judged, time=element["data"]["createdTime"])


# --- agents ---------------------------------------------------------------------------------------


def _place(row: Activity) -> tuple[object, ...]:
    """Of rows of one moment the first speaks for the others: always the same one."""
    order = _CHANNEL_ORDER.get((row.channel_type or "").casefold(), len(_CHANNEL_ORDER))
    return (row.start, row.agent_id, order, row.channel_id or "", row.state)


def _word(row: Activity) -> str | None:
    if row.is_login:
        return "login"
    if row.is_logout:
        return "logout"
    plain = plain_word(row.state)
    word = spelling(Kind.STATE, _ALIASES.get(plain, row.state))
    return word if word in AGENT_WORDS else None


def _moment(row: Activity, word: str) -> tuple[object, ...]:
    """What rows of one fact have in common.

    Idle and available of no task are told by a row of each channel.
    """
    if row.is_login or row.is_logout:
        return (word, row.agent_id, row.session_id, row.start)
    alone = row.task_id is not None or word not in {"idle", "available"}
    return (word, row.agent_id, row.start, row.task_id, row.channel_id if alone else None)


def _agent_element(row: Activity, word: str) -> dict[str, Any]:
    data: dict[str, Any] = {"agentId": row.agent_id, "createdTime": row.start}
    if word == "logout":
        id_ = f"{row.session_id or row.agent_id}-{row.start}-logout"
        return {"id": id_, "type": "agent:logout", "data": data | {"currentState": "logged-out"}}
    idle = {"idleCodeId": row.idle_code_id}
    if word == "login":
        data["teamId"] = row.team_id
        about = {"currentState": row.state} | _profile(row)
        id_ = f"{row.session_id or row.agent_id}-{row.start}-login"
        return {"id": id_, "type": "agent:login", "data": _given(data | about | idle)}
    done = {"wrapUpAuxCodeId": row.wrap_up_code_id} if word == "wrapup-done" else {}
    return _state(row, word, row.start, (idle if word == "idle" else {}) | done)


def _profile(row: Activity) -> dict[str, Any]:
    profile = (row.profile_type or "").upper() or None
    return {"destination": row.destination, "profileType": profile}


def _wrapped_up(row: Activity) -> dict[str, Any]:
    assert row.end is not None  # noqa: S101 - only such rows are finished
    return _state(row, "wrapup-done", row.end, {"wrapUpAuxCodeId": row.wrap_up_code_id})


def _state(row: Activity, word: str, time: int, more: Mapping[str, Any]) -> dict[str, Any]:
    data = {
        "agentId": row.agent_id,
        "currentState": word,
        "taskId": row.task_id,
        "queueId": row.queue_id,
        "channelId": row.channel_id,
        "channelType": row.channel_type,
        "teamId": row.team_id,
        "destination": row.destination,
        **more,
        "createdTime": time,
    }
    id_ = f"{row.channel_id or row.agent_id}-{row.channel_type or ''}-{time}-{word}"
    return {"id": id_, "type": "agent:channel_state_change", "data": _given(data)}


def _without_wrapup_done(moments: Iterable[Sequence[Activity]]) -> Iterator[Activity]:
    """Finished wrap-ups after which no row says that they are done."""
    channels: dict[tuple[object, ...], list[Activity]] = defaultdict(list)
    for rows in moments:
        for row in rows:
            channels[row.agent_id, row.channel_id].append(row)
    for rows in channels.values():
        rows.sort(key=lambda row: row.start)
        for row, following in pairwise(rows):
            wrapped = _word(row) == "wrapup" and row.task_id is not None and row.end is not None
            if wrapped and row.end == following.start and _word(following) != "wrapup-done":
                yield row


# --- tasks ----------------------------------------------------------------------------------------


def _task_element(row: Contact) -> dict[str, Any] | None:
    plain = plain_word(row.event)
    data: dict[str, Any] = {"taskId": row.task_id}
    if plain in _CAPTURE_WORDS:
        return {"id": row.id, "type": "capture:available", "data": data | {"createdTime": row.time}}
    word = _TASK_WORDS.get(plain)
    if word is None:
        return None
    data |= {"channelType": row.channel_type, "queueId": None if word == "new" else row.queue_id}
    direction = row.direction and row.direction.upper()
    # A customer who is called back turns the direction: the row says only what it was at last.
    data["direction"] = direction if word == "ended" or not row.is_callback else None
    if word == "new":
        # What comes first; a later change of it has no row.
        data |= {"origin": row.origin, "destination": row.destination}
    if word == "ended":
        data |= {"reason": row.reason, "terminatingParty": _party(row)}
        data["outboundType"] = CALLBACK if row.is_callback else None
    return {
        "id": row.id,
        "type": f"task:{word}",
        "data": _given(data) | {"createdTime": row.time},
    }


def _party(row: Contact) -> str | None:
    """Who ended it, as the reason begins; of the last end the row of the task says it."""
    if row.terminating_party is not None or row.reason is None:
        return row.terminating_party
    first = row.reason.split(maxsplit=1)[0].capitalize() if row.reason.strip() else ""
    return first if first in {"Agent", "Customer"} else "System"


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
