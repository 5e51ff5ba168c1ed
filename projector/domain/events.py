"""Events: what one is, what tells two apart, and in which order they happened.

The rule of this file: identity, order and restatement are functions of the events alone, never of
their arrival, so that every reader of the log agrees on them (semantics 2 and 3).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from uuid import UUID, uuid5

KEY_NAMESPACE = UUID("6f0a9f0e-6f0b-5d0c-9a53-7c1f0c6f7a11")
BUCKETS, PARTITIONS = 256, 16  # shares of the work, and groups of these
BUCKETS_PER_PARTITION = BUCKETS // PARTITIONS
RECONCILIATION_TOLERANCE_MS = 2_000
EVENTS_PER_SNAPSHOT = 4  # of a subject, on average from one whose state is kept to the next


class Kind(StrEnum):
    """What an event is about; decides which subjects it has and which step folds it."""

    LOGIN = "login"
    LOGOUT = "logout"
    STATE = "state"
    CHANNEL = "channel"
    AGENT_OTHER = "agent-other"
    TASK = "task"
    CAPTURE = "capture"
    OTHER = "other"


class Origin(StrEnum):
    """How we learned the fact."""

    WEBHOOK = "webhook"
    RECONCILIATION = "reconciliation"
    IMPORT = "import"


class TimeSource(StrEnum):
    """Where an event's time comes from, best first."""

    CREATED = "created"
    DISPATCHED = "dispatched"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact in the field's own terms, free of the vendor's spelling.

    Text fields hold a non-empty string or None: an empty or ill-typed value carries nothing.
    """

    org_id: str
    type: str
    id: str
    kind: Kind
    rank: int  # place among events of one millisecond
    word: str | None = None  # the state it names; of task events, the type's own word
    slotted: bool = False  # of state events: the version that knows channels (V2)
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
    origin: str | None = None  # the customer, not to be confused with Recorded.origin
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
    """An event as a delivery offers it to the log: not stored yet, perhaps known already."""

    event: Event
    body: bytes  # as received, byte for byte
    created: int | None  # epoch ms, as the vendor says; null when absent
    dispatched: int | None  # epoch ms at which the vendor built the delivery, if usable
    fingerprint: bytes  # digest of the fields by which a duplicate is told from a conflict
    key: UUID  # organisation, type and id


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event of the log. Times are epoch milliseconds."""

    event: Event
    position: int
    time: int  # when it happened, by time_source
    time_source: TimeSource
    created: int | None
    recorded_time: int
    origin: Origin
    request_position: int = 0  # where the events of its publication begin

    @property
    def order(self) -> tuple[int, int, str, str, bool, bool]:
        """The place among the events of a subject (semantics 3).

        What the key holds beside type and id comes last, so that no two events are equal.
        """
        event = self.event
        is_task_id, is_created = event.id == event.task_id, self.created is not None
        return (self.time, event.rank, event.id, event.type, is_task_id, is_created)


def in_order(events: Iterable[Recorded]) -> list[Recorded]:
    """Events of one subject as they happened (semantics 3)."""
    return sorted(events, key=lambda recorded: recorded.order)


def event_key(org_id: str, type_: str, id_: str, *discriminators: int | None) -> UUID:
    """The key of an event: equal keys are the same event (semantics 2.1, 2.2)."""
    # NUL is in no name, so no two keys are spelt alike.
    return uuid5(KEY_NAMESPACE, "\0".join((org_id, type_, id_, *map(str, discriminators))))


def fingerprint(value: object) -> bytes:
    """A 16-byte digest, equal for equal JSON values whatever the order of their keys."""
    return hashlib.blake2b(_CANONICAL.encode(value).encode(), digest_size=16).digest()


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def bucket(kind: str, org_id: str, subject_id: str | None) -> int | None:
    """The share of the work, 0 to 255, that a subject belongs to; None without a subject."""
    if subject_id is None:
        return None
    return zlib.crc32(f"{kind}\0{org_id}\0{subject_id}".encode()) % BUCKETS


def is_snapshot_point(recorded: Recorded) -> bool:
    """Whether the state after an event is kept.

    Chosen by the event alone, so that what comes late moves no snapshot.
    """
    name = f"{recorded.event.id}\0{recorded.time}"
    return zlib.crc32(name.encode()) % EVENTS_PER_SNAPSHOT == 0


def restatements(ordered: Sequence[Recorded]) -> Mapping[int, int]:
    """Which events only repeat a fact: position to the position of the one that is folded.

    ``ordered`` are the events of one subject in their order. Semantics 2.4: of events that state
    one fact the first in order is folded; what reconciliation says again of a webhook, within
    2,000 ms, gives way to the webhook.
    """
    repeats: dict[int, int] = {}
    webhooks = _webhook_times(ordered)
    for _, moment in groupby(ordered, key=lambda recorded: recorded.time):
        first: dict[tuple[object, ...], int] = {}
        for recorded in moment:
            kept = _nearby_webhook(recorded, webhooks)
            if kept is None:
                kept = first.setdefault(_fact(recorded), recorded.position)
            if kept != recorded.position:
                repeats[recorded.position] = kept
    return repeats


def _fact(recorded: Recorded) -> tuple[object, ...]:
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


def loose_fact(event: Event) -> tuple[object, ...]:
    """What a reconciled event has in common with the webhook of the same fact.

    Not the path of a capture: the vendor's APIs do not tell the one that the webhook had.
    """
    return (
        event.agent_id,
        event.task_id,
        event.kind if event.kind is Kind.STATE else event.type,
        event.word and plain_word(event.word),
        event.channel_type if event.kind is Kind.CHANNEL else None,
    )


def _webhook_times(ordered: Sequence[Recorded]) -> dict[tuple[object, ...], list[tuple[int, int]]]:
    if not any(recorded.origin is Origin.RECONCILIATION for recorded in ordered):
        return {}
    times: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    for recorded in ordered:
        if recorded.origin is Origin.WEBHOOK:
            fact = loose_fact(recorded.event)
            times.setdefault(fact, []).append((recorded.time, recorded.position))
    return times


def _nearby_webhook(
    recorded: Recorded, webhooks: Mapping[tuple[object, ...], Iterable[tuple[int, int]]]
) -> int | None:
    if recorded.origin is not Origin.RECONCILIATION:
        return None
    for time, position in webhooks.get(loose_fact(recorded.event), ()):
        if abs(time - recorded.time) <= RECONCILIATION_TOLERANCE_MS:
            return position
    return None


@lru_cache(maxsize=1_024)
def plain_word(word: str) -> str:
    """A state word as it is compared: without case, ``-`` and ``_`` (semantics 4)."""
    return word.casefold().replace("-", "").replace("_", "")
