"""Differing: where the vendor's rows and our events show other intervals of one subject.

The rule of this file: both versions are folded by the same fold, so what differs is what was told,
never how it was reckoned.
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
from projector.webex.api_events import Fact

_NOT_STORED = 1 << 60  # positions of facts that the log does not have (yet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A stretch of time, ``[start, end)`` in epoch ms, that the vendor tells otherwise."""

    start: int
    end: int
    ours: Sequence[ShownInterval]
    vendors: Sequence[ShownInterval]


def differing(  # noqa: PLR0913 - two versions, and the time in which they are compared
    table: Table[S],
    known: Sequence[Recorded],
    facts: Sequence[Fact],
    missing: Sequence[Fact],
    *,
    start: int,
    end: int,
) -> Iterator[Differing]:
    """Compare what we show once the missing facts are appended with what the vendor tells.

    What borders tell apart by less than the tolerance of a restatement is no difference.
    """
    if not facts:
        return
    since = max(start, min(fact.time for fact in facts))
    ours = _intervals(table, [*known, *_told(missing)])
    others = _told(facts)
    if table.name == "tasks":
        # Who worked on a task is told by agents' rows, which are compared by themselves.
        others += [it for it in known if it.event.kind is Kind.STATE]
    vendors = _intervals(table, others)
    for it in corrections(ours, vendors, end, ()):
        begins, ends = max(it.start, since), min(end, it.end or end)
        if ends - begins > RECONCILIATION_TOLERANCE_MS:
            yield Differing(start=begins, end=ends, ours=it.before, vendors=it.after)


def _intervals(table: Table[S], events: Iterable[Recorded]) -> list[Interval]:
    story = fold(table.fresh(), in_order(events))
    # The queue of a task is no part of what an agent's row must know.
    return [replace(it, display=replace(it.display, queue_id=None)) for it in story.intervals]


def _told(facts: Iterable[Fact]) -> list[Recorded]:
    return [_as_recorded(place, fact) for place, fact in enumerate(facts, start=_NOT_STORED)]


def _as_recorded(position: int, fact: Fact) -> Recorded:
    return Recorded(
        event=fact.offered.event,
        position=position,
        time=fact.time,
        time_source=TimeSource.CREATED,
        created=fact.time,
        recorded_time=fact.time,
        origin=Origin.RECONCILIATION,
    )


def shown_rows(rows: Iterable[ShownInterval]) -> list[dict[str, Any]]:
    """Intervals as the report lists them."""
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
