"""Rows of the ledgers: conflicts, quarantine, anomalies and corrections."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from projector.contract.base import Base64, Shape
from projector.contract.events import FIELDS_DESCRIPTION, ConflictKind
from projector.contract.intervals import AgentInterval, TaskInterval
from projector.domain.fold import AnomalyKind


class ConflictRow(Shape):
    """Another body under the key of an event; `from` and `to` are its first and last delivery."""

    kind: ConflictKind = Field(
        description="A `conflict` differs in a compared field, a `variation` in others only."
    )
    org_id: str
    subject: str | None = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int = Field(alias="from")
    to: int
    event_id: str
    position: int = Field(description="Of the event that is in the log.")
    data: Any = Field(description="The other body, parsed.")
    fields: list[str] = Field(description=FIELDS_DESCRIPTION)
    sha256: str = Field(description="Of the other body, hex.")
    event_sha256: str = Field(description="Of the body in the log, hex.")
    deliveries: int


class QuarantineRetry(Shape):
    """An operator's retry that left the body in quarantine."""

    who: str
    why: str
    time: int
    reason: str = Field(description="Why the body still made no event.")


class QuarantineResolution(Shape):
    """What ended the quarantine of a body, and who asked for it."""

    kind: Literal["retry", "release"]
    who: str
    why: str
    time: int
    positions: list[int] = Field(description="Of the events of the log that the body states.")


class QuarantineRow(Shape):
    """An authentic body that made no event when it came."""

    id: int
    reason: str = Field(description="The last that was found; nothing is wrong once resolved.")
    sha256: str
    body: Base64 = Field(description="As received, base64.")
    headers: Any
    deliveries: int
    first_time: int
    last_time: int
    retries: list[QuarantineRetry] = Field(description="Those in vain, the oldest first.")
    resolution: QuarantineResolution | None = Field(description="Null while it is in quarantine.")


class AnomalyRow(Shape):
    """A step that was not expected; between `from` and `to` something was probably lost."""

    kind: AnomalyKind
    org_id: str
    subject: str = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int | None = Field(alias="from", description="Null before the subject's first event.")
    to: int
    event_id: str | None = Field(description="Null where the passing of time raised it.")
    position: int | None = Field(description="Of the event.")


class LateEvent(Shape):
    """An event that was recorded after events that happened later."""

    event_id: str
    position: int
    time: int
    recorded_time: int
    lateness_ms: int = Field(description="From its time to its recorded time.")


class CorrectionRow(Shape):
    """What the late events of one request changed from `from` to `to` (null: it is not over)."""

    kind: Literal["correction"]
    org_id: str
    subject: str = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int = Field(alias="from")
    to: int | None
    event_id: str | None = Field(
        description="Of the first of the late events; null where the token's teams see none."
    )
    position: int = Field(description="Of the first event of the request.")
    recorded_time: int
    before: list[AgentInterval | TaskInterval] = Field(
        description="The intervals that were shown, in full."
    )
    after: list[AgentInterval | TaskInterval] = Field(
        description="The intervals that are shown since, in full."
    )
    events: list[LateEvent]


def late_event(*, event_id: str, position: int, time: int, recorded_time: int) -> LateEvent:
    """A late event as the ledger of corrections shows it; times are epoch ms."""
    return LateEvent(
        event_id=event_id,
        position=position,
        time=time,
        recorded_time=recorded_time,
        lateness_ms=max(0, recorded_time - time),
    )
