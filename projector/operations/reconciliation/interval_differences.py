"""Interval differences: where the vendor's events and ours show one subject differently.

Rule: the same fold makes the intervals of both sides. So a difference comes from the events, never
from the way in which they are folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from projector.domain.events import (
    RECONCILIATION_TOLERANCE_MS,
    Kind,
    Origin,
    Recorded,
    TimeSource,
    in_order,
)
from projector.domain.fold import Interval, S, fold
from projector.domain.late_events.corrections import ShownInterval, corrections
from projector.projection.read_models import Table
from projector.webex.api_events import ApiEvent

_FIRST_MADE_UP_POSITION = 1 << 60  # behind all of the log, for events that are not in it


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalDifference:
    """A span of time, ``[start, end)`` in epoch ms, in which the vendor's intervals differ."""

    start: int
    end: int
    ours: Sequence[ShownInterval]
    vendors: Sequence[ShownInterval]


def interval_differences(  # noqa: PLR0913 - two sides, and the time in which they are compared
    table: Table[S],
    recorded: Sequence[Recorded],
    api_events: Sequence[ApiEvent],
    missing: Sequence[ApiEvent],
    *,
    start: int,
    end: int,
) -> Iterator[IntervalDifference]:
    """Differences between our intervals, with the missing events appended, and the vendor's.

    The comparison covers the time from the vendor's first event within ``[start, end)`` on. A
    difference that is no longer than the tolerance of a restatement is left out.
    """
    if not api_events:
        return
    since = max(start, min(event.time for event in api_events))
    ours = _intervals(table, [*recorded, *_as_recorded(missing)])
    vendor_events = _as_recorded(api_events)
    if table.name == "tasks":
        # Who worked on a task stands in the agents' rows, which are compared by themselves.
        vendor_events += [it for it in recorded if it.event.kind is Kind.STATE]
    vendors = _intervals(table, vendor_events)
    for it in corrections(ours, vendors, end, ()):
        first, last = max(it.start, since), min(end, it.end or end)
        if last - first > RECONCILIATION_TOLERANCE_MS:
            yield IntervalDifference(start=first, end=last, ours=it.before, vendors=it.after)


def _intervals(table: Table[S], events: Iterable[Recorded]) -> list[Interval]:
    folded = fold(table.fresh(), in_order(events))
    # An agent's row may lack the queue of the task, so queues are not compared.
    return [replace(it, display=replace(it.display, queue_id=None)) for it in folded.intervals]


def _as_recorded(events: Iterable[ApiEvent]) -> list[Recorded]:
    """The events as if they were in the log."""
    return [
        Recorded(
            event=event.offered.event,
            position=position,
            time=event.time,
            time_source=TimeSource.CREATED,
            created=event.time,
            recorded_time=event.time,
            origin=Origin.RECONCILIATION,
        )
        for position, event in enumerate(events, start=_FIRST_MADE_UP_POSITION)
    ]


def interval_rows(rows: Iterable[ShownInterval]) -> list[dict[str, Any]]:
    """Intervals as JSON objects of the report."""
    return [
        {
            "from": row.interval.start,
            "to": row.end,
            "status": row.interval.display.status,
            "currentState": row.interval.display.current_state,
            "taskId": row.interval.display.task_id,
            "idleCodeId": row.interval.display.idle_code_id,
            "eventId": row.interval.event_id,
        }
        for row in rows
    ]
