"""Intervals: the rows of a history."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from projector.contract.base import Shape, fields_of
from projector.domain.fold import Interval


class TaskInterval(Shape):
    """An interval of a task; `to` and `durationMs` are null while it is open."""

    from_: int = Field(alias="from")
    to: int | None
    duration_ms: int | None
    status: str
    current_state: str
    event_id: str | None = Field(description="Null where the passing of time began it.")


class AgentInterval(TaskInterval):
    task_id: str | None
    queue_id: str | None
    idle_code_id: str | None


def interval_row(kind: type[TaskInterval], interval: Interval, end: int | None) -> TaskInterval:
    """A row of a history; ``end`` is None while the interval is open (epoch ms)."""
    return kind.model_validate(
        {
            **fields_of(interval.display),
            "from": interval.start,
            "to": end,
            "duration_ms": None if end is None else end - interval.start,
            "event_id": interval.event_id,
        }
    )


def interval_rows(
    kind: type[TaskInterval], intervals: Sequence[Interval], end: int | None = None
) -> list[TaskInterval]:
    """Rows of a history: each ends where the next starts, the last at ``end`` (None: open)."""
    ends = [*(interval.start for interval in intervals), end][1:]
    return [interval_row(kind, *pair) for pair in zip(intervals, ends, strict=True)]
