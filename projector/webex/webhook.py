"""Webhooks of Webex Contact Center: from the elements of a request's body to events of our own.

Rule: this is the only file that knows the vendor's envelope, and it reads it tolerantly. Unknown
types and fields pass, an ill-typed field counts as absent, and only what cannot be placed in the
log is refused, with a reason (semantics 3 and 7).

``EVENT_TYPES`` names the kind of each type. A type without a line there is stored and listed under
the kind of its prefix, and changes no state. An agent's type with a line there is subscribed to.
docs/architecture.md says what else a new event type touches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from projector.domain.events import Event, Kind, Offered, event_key, fingerprint
from projector.domain.state_names import LOGGED_OUT, LOGIN_DEFAULT_WORD, rank, spelling
from projector.webex.json_body import is_too_deep, read_element, read_stored

LONGEST_LEAD_MS = 86_400_000
LATEST_TIME = 2**53 - 1  # epoch ms: the last that a question can name
TIME_IN_THE_FUTURE = "time-in-the-future"  # why an event is unusable, until it is released
NAME_BYTES = 512

EVENT_TYPES = {
    "agent:login": Kind.LOGIN,
    "agent:logout": Kind.LOGOUT,
    "agent:state_change": Kind.STATE,
    "agent:channel_state_change": Kind.STATE,
    "agent:channelType_state_change": Kind.CHANNEL,
    "capture:available": Kind.CAPTURE,
}
_KIND_OF_PREFIX = {"agent:": Kind.AGENT_OTHER, "task:": Kind.TASK, "capture:": Kind.OTHER}
_TYPES_WITHOUT_PREFIX = {  # as two headings of the vendor's page spell them
    "conference-done": "task:conference-done",
    "conference-transferred": "task:conference-transferred",
}

# A second delivery that differs in one of these fields is a conflict, else a duplicate
# (semantics 2.3). A duplicate that differs in another field of ``data`` is a variation.
_FINGERPRINT_FIELDS = (
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
    """An element that states no event, and why. It goes into quarantine."""

    body: bytes
    reason: str


class _NotAnEvent(Exception):  # noqa: N818 - a signal inside this file, never an error outside
    """Carries the reason why an element states no event."""


@dataclass(frozen=True, slots=True)
class StatedSource:
    """What an element says of where it comes from; null where it says nothing."""

    subscription: str | None
    org_id: str | None


def stated_source(element: Any, default_org: str | None) -> StatedSource:
    """The subscription and the organisation that an element names."""
    if not isinstance(element, dict):
        return StatedSource(None, None)
    source = element.get("source")
    subscription = subscription_id(source) if isinstance(source, str) else None
    return StatedSource(subscription, _named_organisation(element) or default_org)


def subscription_id(address: str) -> str | None:
    """The id at the end of a subscription's address; null where none can be read.

    Every spelling of an address that means the same has one id: without query, fragment, empty and
    ``.`` segments and surrounding space, and with ``%41`` as ``A``.
    """
    path = _AFTER_PATH.split(address, maxsplit=1)[0].strip()
    segments = [_ENCODED.sub(_decoded, it) for it in path.split("/")]
    id_ = next((it for it in reversed(segments) if it not in ("", ".")), None)
    return id_ if id_ is not None and name_defect(id_) is None else None


def _decoded(encoded: re.Match[str]) -> str:
    return bytes.fromhex(encoded[0].replace("%", "")).decode("utf-8", "replace")


def judge(
    body: bytes,
    element: Any,
    *,
    now: int,
    default_org: str | None,
    latest: int | None = None,
) -> Offered | Unusable:
    """The event that an element states, or why it is unusable.

    ``body`` are the element's own bytes, ``now`` is epoch ms. ``default_org`` is the organisation
    of an element that names none. ``latest`` is the last created time that it may have, without it
    a day from now.
    """
    try:
        return _offer(
            body, element, now, default_org, now + LONGEST_LEAD_MS if latest is None else latest
        )
    except _NotAnEvent as refusal:
        return Unusable(body=body, reason=str(refusal))


def read_event(body: bytes, org_id: str) -> Event:
    """The event of a stored body, of which ``judge`` has made an event of ``org_id`` before."""
    element = read_stored(body)
    return _event(element, org_id, _type(element), element["id"])


def read_data(body: bytes) -> Mapping[str, Any]:
    """The ``data`` of an element's bytes; empty where they have none, or none that is an object."""
    try:
        element = read_element(body)
    except ValueError:
        return {}
    return _data(element) if isinstance(element, dict) else {}


def differing_fields(data: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The sorted names of the fields in which two values of ``data`` differ.

    They are compared as JSON values, and a field that is null differs from one that is absent. The
    envelope is not compared: dispatch time and source differ in each delivery.
    """
    if fingerprint(data) == fingerprint(other):
        return []
    return sorted(
        {
            _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", name)
            for name in data.keys() | other.keys()
            if name not in data
            or name not in other
            or fingerprint(data[name]) != fingerprint(other[name])
        }
    )


# --- The envelope ------------------------------------------------------------------------------


def _offer(body: bytes, element: Any, now: int, default_org: str | None, latest: int) -> Offered:
    if not isinstance(element, dict):
        raise _NotAnEvent("not-an-object")
    if is_too_deep(body, element):
        raise _NotAnEvent("nested-too-deep")
    type_, id_ = _type(element), _name(element, "id")
    org_id = _organisation(element, default_org)
    data = _data(element)
    event = _event(element, org_id, type_, id_)
    created = _created(data, latest)
    return Offered(
        event=event,
        body=body,
        created=created,
        dispatched=_dispatched(element, now),
        fingerprint=fingerprint(_compared(type_, element)),
        # Where the vendor repeats the task's id as the event's, only the time tells events apart.
        key=event_key(org_id, type_, id_, *((created,) if id_ == data.get("taskId") else ())),
    )


def _type(element: Mapping[str, Any]) -> str:
    type_ = _name(element, "type")
    return _TYPES_WITHOUT_PREFIX.get(type_, type_)


def _name(fields: Mapping[str, Any], field: str) -> str:
    """A name that keys and indexes are made of: not empty, at most 512 bytes, valid text."""
    value = _text_or_none(fields.get(field))
    if value is None:
        raise _NotAnEvent(f"no-{_reason_name(field)}")
    defect = name_defect(value)
    if defect is not None:
        raise _NotAnEvent(f"{defect}-{_reason_name(field)}")
    return value


def name_defect(name: str) -> str | None:
    """Why a text cannot name anything in our tables; null where it can."""
    if len(name) <= NAME_BYTES and name.isascii() and "\0" not in name:
        return None
    if _NOT_TEXT.search(name):
        return "unsound"
    return "too-long" if len(name.encode()) > NAME_BYTES else None


def _reason_name(field: str) -> str:
    return {
        "agentId": "agent-id",
        "taskId": "task-id",
        "comciscoorgid": "organisation",
        "comciscocorgid": "organisation",
    }.get(field, field)


def _organisation(element: Mapping[str, Any], default_org: str | None) -> str:
    for field in _ORGANISATION_FIELDS:
        if _text_or_none(element.get(field)) is not None:
            return _name(element, field)
    if default_org is None:
        raise _NotAnEvent("no-organisation")
    return default_org


def _named_organisation(element: Mapping[str, Any]) -> str | None:
    named = (_text_or_none(element.get(field)) for field in _ORGANISATION_FIELDS)
    return next((it for it in named if it is not None), None)


_ORGANISATION_FIELDS = ("comciscoorgid", "comciscocorgid")  # the vendor's page has both


def _data(element: Mapping[str, Any]) -> Mapping[str, Any]:
    data = element.get("data")
    return data if isinstance(data, dict) else {}


def _compared(type_: str, element: Mapping[str, Any]) -> Mapping[str, Any]:
    if not type_.startswith(tuple(_KIND_OF_PREFIX)):
        return {name: element[name] for name in ("data",) if name in element}
    data = _data(element)
    return {name: data[name] for name in _FINGERPRINT_FIELDS if name in data}


def _created(data: Mapping[str, Any], latest: int) -> int | None:
    value = data.get("createdTime")
    if value is None:
        return None
    time = _epoch_ms(value)
    if time is None:
        raise _NotAnEvent("unusable-time")
    if time > latest:
        raise _NotAnEvent(TIME_IN_THE_FUTURE)
    return time


def _dispatched(element: Mapping[str, Any], now: int) -> int | None:
    time = _epoch_ms(element.get("comciscotimestamp"))
    return time if time is not None and time <= now + LONGEST_LEAD_MS else None


def _epoch_ms(value: Any) -> int | None:
    """Epoch ms as they stand. An unusual number of digits is no hint of another unit."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        return int(digits[:40])  # a longer number is in the far future either way
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


# --- The event ---------------------------------------------------------------------------------


def _family(type_: str) -> Kind:
    return next(
        (kind for prefix, kind in _KIND_OF_PREFIX.items() if type_.startswith(prefix)), Kind.OTHER
    )


def _event(element: Mapping[str, Any], org_id: str, type_: str, id_: str) -> Event:
    data = _data(element)
    kind = EVENT_TYPES.get(type_) or _family(type_)
    word = _word(kind, type_, data)
    text = {
        _TEXT_FIELDS[name]: _displayable(value)
        for name, value in data.items()
        if name in _TEXT_FIELDS
    }
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


_TEXT_FIELDS = {
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
    return frozenset(text for item in value if (text := _displayable(item)) is not None)


def _word(kind: Kind, type_: str, data: Mapping[str, Any]) -> str | None:
    if kind in (Kind.TASK, Kind.CAPTURE):
        return type_.partition(":")[2]
    if kind is Kind.LOGOUT:
        return LOGGED_OUT
    state = _displayable(data.get("currentState"))
    if kind is Kind.LOGIN and state is None:
        return LOGIN_DEFAULT_WORD
    if state is None or kind is Kind.OTHER:
        return None
    return spelling(kind, state)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _displayable(value: Any) -> str | None:
    """Text as the fold and the readers get it: NUL and lone surrogates become U+FFFD."""
    if not isinstance(value, str) or not value:
        return None
    if "\0" not in value and value.isprintable():
        return value
    return _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", value)


_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")
_AFTER_PATH = re.compile("[?#]")
