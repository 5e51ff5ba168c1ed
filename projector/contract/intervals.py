"""Intervals: the rows of a history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pydantic import Field

from projector.contract.base import Shape, fields_of
from projector.domain.fold import Interval
from projector.domain.team_periods import Periods


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


I = TypeVar("I", bound=TaskInterval)  # noqa: E741 - an interval


def seen_interval(row: I, periods: Periods) -> Iterator[I]:
    """The parts of a row that lie in some periods. One that is cut at its begin names no event."""
    for start, end in periods.cut(row.from_, row.to):
        yield row.model_copy(
            update={
                "from_": start,
                "to": end,
                "duration_ms": None if end is None else end - start,
                "event_id": row.event_id if start == row.from_ else None,
            }
        )


def interval_rows(
    kind: type[TaskInterval], intervals: Sequence[Interval], end: int | None = None
) -> list[TaskInterval]:
    """Rows of a history: each ends where the next starts, the last at ``end`` (None: open)."""
    ends = [*(interval.start for interval in intervals), end][1:]
    return [interval_row(kind, *pair) for pair in zip(intervals, ends, strict=True)]
