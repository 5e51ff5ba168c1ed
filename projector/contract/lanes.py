"""The timeline of an agent: the spans of its lanes, as rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from projector.contract.base import Shape, fields_of
from projector.domain.agent import Session
from projector.domain.lanes import ChannelContent, Span, StatusContent


class LaneRow(Shape):
    """What a lane shows; `to` and `durationMs` are null while it goes on."""

    kind: Literal["session", "status", "leg", "channel"]
    from_: int = Field(alias="from")
    to: int | None
    duration_ms: int | None
    by_time: bool = Field(description="Whether the passing of time ended it, and no event.")
    event_id: str | None = Field(
        description="Null where the passing of time began it, and where it began by `lookedFrom`."
    )


class SessionRow(LaneRow):
    """The agent is logged in."""

    kind: Literal["session"]
    logged_out_by: str | None
    profile_type: str | None


class StatusRow(LaneRow):
    """An interval of the agent's history."""

    kind: Literal["status"]
    status: str
    current_state: str
    task_id: str | None
    queue_id: str | None
    idle_code_id: str | None
    idle_code_name: str | None


class LegRow(LaneRow):
    """A state of a leg; channel and queue are the last that were told in it."""

    kind: Literal["leg"]
    task_id: str
    state: str
    channel_id: str | None
    channel_type: str | None
    queue_id: str | None


class ChannelRow(LaneRow):
    """A state of a channel type."""

    kind: Literal["channel"]
    channel_type: str
    state: str
    idle_code_name: str | None


TimelineRow = SessionRow | StatusRow | LegRow | ChannelRow


def timeline_rows(spans: Iterable[Span]) -> list[TimelineRow]:
    """The rows of spans, in their order."""
    return [_row(span) for span in spans]


def _row(span: Span) -> TimelineRow:
    kind, name = span.lane
    fields = {
        "kind": kind.value,
        "from": span.start,
        "to": span.end,
        "duration_ms": None if span.end is None else span.end - span.start,
        "by_time": span.ended_by_time,
        "event_id": span.event_id,
        **fields_of(span.content),
    }
    content = span.content
    if isinstance(content, Session):
        return SessionRow.model_validate(fields)
    if isinstance(content, StatusContent):
        return StatusRow.model_validate(fields | fields_of(content.display))
    if isinstance(content, ChannelContent):
        return ChannelRow.model_validate(fields | {"channel_type": name})
    return LegRow.model_validate(fields | {"task_id": name})
