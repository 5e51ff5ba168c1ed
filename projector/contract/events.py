"""Events of the log, their duplicates and their conflicts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from projector.contract.base import Base64, Shape
from projector.domain.events import Origin, Recorded, TimeSource

# What another body under the key of an event is: one that contradicts it in a compared field, or a
# duplicate that differs in another field of `data`.
ConflictKind = Literal["conflict", "variation"]
FIELDS_DESCRIPTION = "The names of the fields of `data` that differ, sorted."


class EventRow(Shape):
    """An event of the log."""

    position: int
    id: str
    type: str
    org_id: str
    agent_id: str | None
    task_id: str | None
    created_time: int | None = Field(description="As the vendor says; null when absent.")
    time: int = Field(description="When it happened, by `timeSource`.")
    time_source: TimeSource
    recorded_time: int
    origin: Origin = Field(description="How we learned of the event.")
    restates: int | None = Field(description="The position of the event whose fact it repeats.")


class DuplicateShape(Shape):
    """A further delivery of an event that the log already had.

    Where its body differs in a field of `data`, that body is among the conflicts, as a variation.
    """

    recorded_time: int


class ConflictShape(Shape):
    """Another body under the key of an event that the log already had."""

    kind: ConflictKind
    fields: list[str] = Field(description=FIELDS_DESCRIPTION)
    sha256: str
    body: Base64 = Field(description="As received, base64.")
    parsed: Any
    deliveries: int
    first_time: int
    last_time: int


class EventWithBody(EventRow):
    """An event of the log with its body."""

    body: Base64 = Field(description="As received, base64.")


class LogEvent(EventWithBody):
    """An event of the log with its body, duplicates and conflicts."""

    parsed: Any = Field(description="The body's JSON; null where the body is no JSON.")
    sha256: str = Field(description="Of the body, hex.")
    duplicates: list[DuplicateShape]
    conflicts: list[ConflictShape]


def event_row(recorded: Recorded, restates: int | None) -> EventRow:
    """An event of the log as the API shows it; ``restates`` is a position."""
    event = recorded.event
    return EventRow(
        position=recorded.position,
        id=event.id,
        type=event.type,
        org_id=event.org_id,
        agent_id=event.agent_id,
        task_id=event.task_id,
        created_time=recorded.created,
        time=recorded.time,
        time_source=recorded.time_source,
        recorded_time=recorded.recorded_time,
        origin=recorded.origin,
        restates=restates,
    )
