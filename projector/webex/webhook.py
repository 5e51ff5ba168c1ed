"""Webex Contact Center's words: from the elements of a webhook to events of our own terms.

The only file that knows the vendor's spelling. A tolerant reader: what is unknown passes, what is
ill-typed carries nothing, and only what semantics 3 and 7 call unusable is refused, with its
reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from projector.domain.events import Event, Kind, Offered, event_key, fingerprint
from projector.domain.state_names import LOGGED_OUT, LOGIN_DEFAULT_WORD, rank, spelling
from projector.webex.json_body import is_too_deep, read_stored

DAY_MS = 86_400_000
NAME_BYTES = 512

_KINDS = {
    "agent:login": Kind.LOGIN,
    "agent:logout": Kind.LOGOUT,
    "agent:state_change": Kind.STATE,
    "agent:channel_state_change": Kind.STATE,
    "agent:channelType_state_change": Kind.CHANNEL,
    "capture:available": Kind.CAPTURE,
}
_FAMILIES = {"agent:": Kind.AGENT_OTHER, "task:": Kind.TASK, "capture:": Kind.OTHER}
_HEADINGS = {  # two headings of the vendor's page lack their prefix
    "conference-done": "task:conference-done",
    "conference-transferred": "task:conference-transferred",
}

# By these a second delivery is told to be the same event or a conflicting one (semantics 2.3).
_COMPARED = (
    "agentId",
    "taskId",
    "currentState",
    "createdTime",
    "teamId",
    "queueId",
    "idleCodeId",
    "idleCodeName",
    "wrapUpAuxCodeId",
    "destination",
    "origin",
    "direction",
    "channelId",
    "channelType",
    "outboundType",
    "connectedChannels",
    "loggedOutBy",
    "profileType",
    "pendingIdleState",
    "filePath",
    "terminatingParty",
    "reason",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """Bytes that make no event, and why; they are kept in quarantine."""

    body: bytes
    reason: str


class _Refused(Exception):  # noqa: N818 - a signal inside this file, never an error outside
    """Carries the reason why an element makes no event."""


def subscriptions(elements: Iterable[Any]) -> frozenset[str]:
    """The ids of the subscriptions that the elements name: the tails of their ``source``."""
    sources = (element.get("source") for element in elements if isinstance(element, dict))
    tails = (source.rsplit("/", 1)[-1] for source in sources if isinstance(source, str))
    return frozenset(tail for tail in tails if tail and _flaw(tail) is None)


def judge(body: bytes, element: Any, *, now: int, default_org: str | None) -> Offered | Unusable:
    """The event that an element states, or why it is unusable. ``now`` is epoch ms."""
    try:
        return _offer(body, element, now, default_org)
    except _Refused as refusal:
        return Unusable(body=body, reason=str(refusal))


def read_event(body: bytes, org_id: str) -> Event:
    """The event of a stored body, which ``judge`` once took for ``org_id``."""
    element = read_stored(body)
    return _event(element, org_id, _type(element), element["id"])


# --- The envelope ------------------------------------------------------------------------------


def _offer(body: bytes, element: Any, now: int, default_org: str | None) -> Offered:
    if not isinstance(element, dict):
        raise _Refused("not-an-object")
    if is_too_deep(body, element):
        raise _Refused("nested-too-deep")
    type_, id_ = _type(element), _name(element, "id")
    org_id = _organisation(element, default_org)
    data = _data(element)
    event = _event(element, org_id, type_, id_)
    created = _created(data, now)
    return Offered(
        event=event,
        body=body,
        created=created,
        dispatched=_dispatched(element, now),
        fingerprint=fingerprint(_compared(type_, element)),
        # Where the vendor's id is the task's, it cannot tell that task's events apart.
        key=event_key(org_id, type_, id_, *((created,) if id_ == data.get("taskId") else ())),
    )


def _type(element: Mapping[str, Any]) -> str:
    type_ = _name(element, "type")
    return _HEADINGS.get(type_, type_)


def _name(holder: Mapping[str, Any], field: str) -> str:
    """One of the five names that keys and indexes are made of: bounded, and sound text."""
    value = _text_or_none(holder.get(field))
    if value is None:
        raise _Refused(f"no-{_plain_name(field)}")
    flaw = _flaw(value)
    if flaw is not None:
        raise _Refused(f"{flaw}-{_plain_name(field)}")
    return value


def _flaw(name: str) -> str | None:
    """Why a text cannot be a name."""
    if len(name) <= NAME_BYTES and name.isascii() and "\0" not in name:
        return None
    if _UNSHOWABLE.search(name):
        return "unsound"
    return "too-long" if len(name.encode()) > NAME_BYTES else None


def _plain_name(field: str) -> str:
    return {
        "agentId": "agent-id",
        "taskId": "task-id",
        "comciscoorgid": "organisation",
        "comciscocorgid": "organisation",
    }.get(field, field)


def _organisation(element: Mapping[str, Any], default_org: str | None) -> str:
    for field in ("comciscoorgid", "comciscocorgid"):  # the vendor's page has both
        if _text_or_none(element.get(field)) is not None:
            return _name(element, field)
    if default_org is None:
        raise _Refused("no-organisation")
    return default_org


def _data(element: Mapping[str, Any]) -> Mapping[str, Any]:
    data = element.get("data")
    return data if isinstance(data, dict) else {}


def _compared(type_: str, element: Mapping[str, Any]) -> Mapping[str, Any]:
    if not type_.startswith(tuple(_FAMILIES)):
        return {name: element[name] for name in ("data",) if name in element}
    data = _data(element)
    return {name: data[name] for name in _COMPARED if name in data}


def _created(data: Mapping[str, Any], now: int) -> int | None:
    value = data.get("createdTime")
    if value is None:
        return None
    time = _epoch_ms(value)
    if time is None:
        raise _Refused("unusable-time")
    if time > now + DAY_MS:
        raise _Refused("time-in-the-future")
    return time


def _dispatched(element: Mapping[str, Any], now: int) -> int | None:
    time = _epoch_ms(element.get("comciscotimestamp"))
    return time if time is not None and time <= now + DAY_MS else None


def _epoch_ms(value: Any) -> int | None:
    """A time as it stands: no guessing of units, though the vendor's page has 12 digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        return int(digits[:40])  # longer ones are in the far future either way
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


# --- The event ---------------------------------------------------------------------------------


def _family(type_: str) -> Kind:
    return next(
        (kind for prefix, kind in _FAMILIES.items() if type_.startswith(prefix)), Kind.OTHER
    )


def _event(element: Mapping[str, Any], org_id: str, type_: str, id_: str) -> Event:
    data = _data(element)
    kind = _KINDS.get(type_) or _family(type_)
    word = _word(kind, type_, data)
    text = {_TEXTS[name]: _shown(value) for name, value in data.items() if name in _TEXTS}
    return Event(
        org_id=org_id,
        type=type_,
        id=id_,
        kind=kind,
        rank=rank(kind, word),
        word=word,
        knows_channels=type_ == "agent:channel_state_change",
        agent_id=_subject(data, "agentId", required=type_.startswith("agent:")),
        task_id=_subject(data, "taskId", required=type_.startswith(("task:", "capture:"))),
        pending_idle_state=data.get("pendingIdleState") is True,
        connected_channels=_channels(data.get("connectedChannels")),
        **text,
    )


_TEXTS = {
    "teamId": "team_id",
    "queueId": "queue_id",
    "channelId": "channel_id",
    "channelType": "channel_type",
    "idleCodeId": "idle_code_id",
    "idleCodeName": "idle_code_name",
    "wrapUpAuxCodeId": "wrap_up_aux_code_id",
    "profileType": "profile_type",
    "loggedOutBy": "logged_out_by",
    "origin": "origin",
    "destination": "destination",
    "direction": "direction",
    "outboundType": "outbound_type",
    "filePath": "file_path",
    "terminatingParty": "terminating_party",
    "reason": "reason",
}


def _subject(data: Mapping[str, Any], field: str, *, required: bool) -> str | None:
    if not required and _text_or_none(data.get(field)) is None:
        return None
    return _name(data, field)


def _channels(value: Any) -> frozenset[str] | None:
    if not isinstance(value, list):
        return None
    return frozenset(shown for item in value if (shown := _shown(item)) is not None)


def _word(kind: Kind, type_: str, data: Mapping[str, Any]) -> str | None:
    if kind in (Kind.TASK, Kind.CAPTURE):
        return type_.partition(":")[2]
    if kind is Kind.LOGOUT:
        return LOGGED_OUT
    came = _shown(data.get("currentState"))
    if kind is Kind.LOGIN and came is None:
        return LOGIN_DEFAULT_WORD
    if came is None or kind is Kind.OTHER:
        return None
    return spelling(kind, came)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _shown(value: Any) -> str | None:
    """Text as it is folded and shown: NUL and lone surrogates become U+FFFD (semantics 7)."""
    if not isinstance(value, str) or not value:
        return None
    if "\0" not in value and value.isprintable():
        return value
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", value)


_UNSHOWABLE = re.compile("[\0\ud800-\udfff]")
