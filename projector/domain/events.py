"""Events: what an event is, what distinguishes two events, and in which order they happened.

Rule: identity, order and restatement are functions of the events alone, never of their arrival. So
every reader of the log agrees on them (semantics 2 and 3).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from uuid import UUID, uuid5

KEY_NAMESPACE = UUID("6f0a9f0e-6f0b-5d0c-9a53-7c1f0c6f7a11")
BUCKETS, PARTITIONS = 256, 16  # hash slots of subjects, and groups of slots
BUCKETS_PER_PARTITION = BUCKETS // PARTITIONS
RECONCILIATION_TOLERANCE_MS = 2_000
EVENTS_PER_SNAPSHOT = 4  # of one subject, on average


class Kind(StrEnum):
    """What an event is about. It decides which subjects the event has and what folds it."""

    LOGIN = "login"
    LOGOUT = "logout"
    STATE = "state"
    CHANNEL = "channel"
    AGENT_OTHER = "agent-other"
    TASK = "task"
    CAPTURE = "capture"
    OTHER = "other"


class Origin(StrEnum):
    """How we learned of the event."""

    WEBHOOK = "webhook"
    RECONCILIATION = "reconciliation"
    IMPORT = "import"


class TimeSource(StrEnum):
    """Where an event's time comes from, the best source first."""

    CREATED = "created"
    DISPATCHED = "dispatched"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact about an agent or a task, free of the vendor's spelling.

    Text fields hold a non-empty string or None. An empty or ill-typed value becomes None.
    """

    org_id: str
    type: str
    id: str
    kind: Kind
    rank: int  # order among the events of one millisecond
    word: str | None = None  # the state it names; of a task event, the last part of its type
    knows_channels: bool = False  # of a state event: it is of the version with channels (V2)
    agent_id: str | None = None
    task_id: str | None = None
    team_id: str | None = None
    queue_id: str | None = None
    channel_id: str | None = None
    channel_type: str | None = None
    idle_code_id: str | None = None
    idle_code_name: str | None = None
    wrap_up_aux_code_id: str | None = None
    profile_type: str | None = None
    logged_out_by: str | None = None
    pending_idle_state: bool = False
    connected_channels: frozenset[str] | None = None
    origin: str | None = None  # the customer's address; Recorded.origin is something else
    destination: str | None = None
    direction: str | None = None
    outbound_type: str | None = None
    file_path: str | None = None
    terminating_party: str | None = None
    reason: str | None = None

    @property
    def agent_subject(self) -> str | None:
        """The agent whose state this event is part of."""
        return self.agent_id if self.kind in _AGENT_KINDS else None

    @property
    def task_subject(self) -> str | None:
        """The task whose state this event is part of."""
        return self.task_id if self.kind in _TASK_KINDS else None


_AGENT_KINDS = frozenset({Kind.LOGIN, Kind.LOGOUT, Kind.STATE, Kind.CHANNEL, Kind.AGENT_OTHER})
_TASK_KINDS = frozenset({Kind.TASK, Kind.CAPTURE, Kind.STATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An event that is offered to the log. The log may hold it already."""

    event: Event
    body: bytes  # as received, byte for byte
    created: int | None  # epoch ms, as the vendor says; None where it says nothing
    dispatched: int | None  # epoch ms at which the vendor built the delivery, if usable
    fingerprint: bytes  # digest of the compared fields: equal in a duplicate, not in a conflict
    key: UUID  # of organisation, type and id


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event of the log. Times are epoch milliseconds."""

    event: Event
    position: int
    time: int  # when it happened; time_source says where this comes from
    time_source: TimeSource
    created: int | None
    recorded_time: int
    origin: Origin
    request_position: int = 0  # the position of the first event of its request
    stated_time: int | None = None  # when an event that states the same was recorded before it

    @property
    def known_time(self) -> int:
        """When the fact that it states became known (epoch ms)."""
        return self.recorded_time if self.stated_time is None else self.stated_time

    @property
    def order(self) -> tuple[int, int, str, str, bool, bool]:
        """The sort key among the events of a subject (semantics 3).

        What an event's key holds beside type and id comes last, so that no two events are equal.
        """
        event = self.event
        is_task_id, is_created = event.id == event.task_id, self.created is not None
        return (self.time, event.rank, event.id, event.type, is_task_id, is_created)


def in_order(events: Iterable[Recorded]) -> list[Recorded]:
    """Events of one subject in the order in which they happened (semantics 3)."""
    return sorted(events, key=lambda recorded: recorded.order)


def event_key(org_id: str, type_: str, id_: str, *discriminators: int | None) -> UUID:
    """The key of an event: equal keys are the same event (semantics 2.1, 2.2)."""
    # No name contains NUL, so different parts never give the same text.
    return uuid5(KEY_NAMESPACE, "\0".join((org_id, type_, id_, *map(str, discriminators))))


def fingerprint(value: object) -> bytes:
    """A 16-byte digest of a JSON value. The order of keys in objects does not matter."""
    return hashlib.blake2b(_CANONICAL.encode(value).encode(), digest_size=16).digest()


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def bucket(kind: str, org_id: str, subject_id: str | None) -> int | None:
    """The bucket, 0 to 255, of a subject; None without a subject."""
    if subject_id is None:
        return None
    return zlib.crc32(f"{kind}\0{org_id}\0{subject_id}".encode()) % BUCKETS


def is_snapshot_point(recorded: Recorded) -> bool:
    """Whether the state after an event is saved as a snapshot.

    The event alone decides, so a late event moves no snapshot.
    """
    name = f"{recorded.event.id}\0{recorded.time}"
    return zlib.crc32(name.encode()) % EVENTS_PER_SNAPSHOT == 0


def restatements(ordered: Sequence[Recorded]) -> Mapping[int, int]:
    """The events that only repeat a fact: their positions to the position of the folded event.

    ``ordered`` are the events of one subject in their order. Of events that state one fact the
    first in order is folded. A reconciled event gives way to a webhook that ``states_fact_of`` it;
    beside a webhook with another idle code it is a fact of its own (semantics 2.4).
    """
    repeats: dict[int, int] = {}
    webhooks = _webhooks_by_key(ordered)
    for _, same_time in groupby(ordered, key=lambda recorded: recorded.time):
        first: dict[tuple[object, ...], int] = {}
        for recorded in same_time:
            fact, folded = _fact(recorded), None
            if recorded.origin is Origin.RECONCILIATION:
                close = _webhooks_within_tolerance(recorded, webhooks)
                stating = (it for it in close if states_fact_of(it.event, recorded.event))
                folded = next((it.position for it in stating), None)
                if any(_fact(it) == fact for it in close):
                    fact = (Origin.RECONCILIATION, *fact)  # the webhook has another idle code
            if folded is None:
                folded = first.setdefault(fact, recorded.position)
            if folded != recorded.position:
                repeats[recorded.position] = folded
    return repeats


def facts_once(ordered: Sequence[Recorded]) -> Sequence[Recorded]:
    """The events that are folded, in order: each fact once, known since the first that states it.

    ``ordered`` are the events of one subject in their order.
    """
    repeats = restatements(ordered)
    if not repeats:
        return ordered
    known_times: dict[int, int] = {}
    for recorded in ordered:
        position = repeats.get(recorded.position, recorded.position)
        position = repeats.get(position, position)  # a webhook may repeat another one
        known_time = known_times.get(position, recorded.recorded_time)
        known_times[position] = min(known_time, recorded.recorded_time)
    return [
        recorded
        if known_times[recorded.position] == recorded.recorded_time
        else replace(recorded, stated_time=known_times[recorded.position])
        for recorded in ordered
        if recorded.position not in repeats
    ]


def _fact(recorded: Recorded) -> tuple[object, ...]:
    """What an event states: equal for an event and its restatements."""
    event = recorded.event
    return (
        event.type,
        event.agent_id,
        event.task_id,
        recorded.time,
        event.word and plain_word(event.word),
        event.channel_id,
        event.channel_type,
        event.file_path if event.kind is Kind.CAPTURE else None,
    )


def states_fact_of(webhook: Event, reconciled: Event) -> bool:
    """Whether a webhook states the fact of a reconciled event, where their times are close.

    They have the same ``reconciliation_key``. State events with different idle codes or channel ids
    are different facts; a missing one fits any.
    """
    return reconciliation_key(webhook) == reconciliation_key(reconciled) and not (
        webhook.kind is Kind.STATE
        and (
            _differ(webhook.idle_code_id, reconciled.idle_code_id)
            or _differ(webhook.channel_id, reconciled.channel_id)
        )
    )


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def reconciliation_key(event: Event) -> tuple[object, ...]:
    """What a reconciled event must have in common with the webhook of the same fact.

    The path of a capture is not part of it: the vendor's APIs do not give the path of the webhook.
    """
    return (
        event.agent_id,
        event.task_id,
        event.kind if event.kind is Kind.STATE else event.type,
        event.word and plain_word(event.word),
        event.channel_type if event.kind is Kind.CHANNEL else None,
    )


def _webhooks_by_key(ordered: Sequence[Recorded]) -> dict[tuple[object, ...], list[Recorded]]:
    """The webhooks in their order; empty where there is no reconciled event to compare."""
    if not any(recorded.origin is Origin.RECONCILIATION for recorded in ordered):
        return {}
    webhooks: dict[tuple[object, ...], list[Recorded]] = {}
    for recorded in ordered:
        if recorded.origin is Origin.WEBHOOK:
            webhooks.setdefault(reconciliation_key(recorded.event), []).append(recorded)
    return webhooks


def _webhooks_within_tolerance(
    recorded: Recorded, webhooks: Mapping[tuple[object, ...], Sequence[Recorded]]
) -> Sequence[Recorded]:
    """The webhooks with the key of a reconciled event that lie close to it."""
    alike = webhooks.get(reconciliation_key(recorded.event), ())
    first = bisect_left(alike, recorded.time - RECONCILIATION_TOLERANCE_MS, key=_time)
    last = bisect_right(alike, recorded.time + RECONCILIATION_TOLERANCE_MS, lo=first, key=_time)
    return alike[first:last]


def _time(recorded: Recorded) -> int:
    return recorded.time


@lru_cache(maxsize=1_024)
def plain_word(word: str) -> str:
    """A state word in the form in which words are compared (semantics 4): no case, ``-``, ``_``."""
    return word.casefold().replace("-", "").replace("_", "")
