"""Rows of the ledgers: anomalies, corrections, conflicts, quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from projector.domain.fold import AnomalyKind

if TYPE_CHECKING:
    pass


from projector.contract.base import Base64, Shape
from projector.contract.intervals import AgentInterval, TaskInterval


class ConflictRow(Shape):
    """A conflict in the ledger: between which times such a body came, and of which event."""

    kind: Literal["conflict"]
    org_id: str
    subject: str | None = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int = Field(alias="from")
    to: int
    event_id: str
    position: int = Field(description="Of the event that came first.")
    data: Any = Field(description="Of the later body, parsed.")
    sha256: str = Field(description="Of the later body, hex.")
    deliveries: int


class QuarantineRow(Shape):
    """An authentic body that makes no event."""

    id: int
    reason: str
    sha256: str
    body: Base64 = Field(description="As received, base64.")
    headers: Any
    deliveries: int
    first_time: int
    last_time: int


class AnomalyRow(Shape):
    """A step that was not expected; between `from` and `to` something was probably lost."""

    kind: AnomalyKind
    org_id: str
    subject: str = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int | None = Field(alias="from", description="Null where nothing is known before.")
    to: int
    event_id: str | None = Field(description="Null where the passing of time raised it.")
    position: int | None = Field(description="Of the event.")


class LateEvent(Shape):
    """An event that was recorded after events that happened later."""

    event_id: str
    position: int
    time: int
    recorded_time: int
    lateness_ms: int = Field(description="From its time to when it was recorded.")


class CorrectionRow(Shape):
    """What the late events of one publication changed from `from` to `to` (null: to this day)."""

    kind: Literal["correction"]
    org_id: str
    subject: str = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int = Field(alias="from")
    to: int | None
    event_id: str = Field(description="Of the first of the late events.")
    position: int = Field(description="Where the events of the publication begin.")
    recorded_time: int
    before: list[AgentInterval | TaskInterval] = Field(description="What was shown, uncut.")
    after: list[AgentInterval | TaskInterval] = Field(description="What is shown since, uncut.")
    events: list[LateEvent]


def late_event(*, event_id: str, position: int, time: int, recorded_time: int) -> LateEvent:
    """An event that came after later ones, in the ledger's shape."""
    return LateEvent(
        event_id=event_id,
        position=position,
        time=time,
        recorded_time=recorded_time,
        lateness_ms=max(0, recorded_time - time),
    )
