"""How the floor is put into words: times, freshness, order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from projector.contract.schemas import AgentView, TaskView

V = TypeVar("V", AgentView, TaskView)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The colour of a status, by the name of a class in page.css; also the order of the counts. Words
# from outside never become part of a class.
TONES = {
    "available": "free",
    "ringing": "calling",
    "connected": "busy",
    "on-hold": "held",
    "consulting": "busy",
    "conferencing": "busy",
    "wrapup": "after",
    "idle": "away",
    "logged-out": "gone",
    "created": "calling",
    "queued": "held",
    "offered": "calling",
    "assigned": "busy",
    "completed": "gone",
    "abandoned": "lost",
    "failed": "lost",
    "not-responding": "lost",
}
OTHER_TONE = "other"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A time as it is read; ``iso`` is null beyond the calendar."""

    ago: str
    exact: str
    iso: str | None


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How far the page is behind the log, in words and as a tone."""

    words: str
    tone: str
    position: int
    reasons: Sequence[str]  # why the service is not ready


@dataclass(frozen=True, kw_only=True)
class Rows(Generic[V]):
    """The rows of a table: those shown, out of how many."""

    shown: Sequence[V]
    counted: int

    @property
    def total(self) -> str:
        cut = len(self.shown) < self.counted
        return f"{len(self.shown):,} of {self.counted:,}" if cut else f"{self.counted:,}"


def moment(time: int, now: int) -> Moment:
    """A time in epoch milliseconds as it is read at ``now``."""
    try:
        when = EPOCH + timedelta(milliseconds=time)
    except OverflowError:
        return Moment(ago=ago(time, now), exact=f"{time} ms since 1970", iso=None)
    text = when.isoformat(timespec="milliseconds").removesuffix("+00:00")
    return Moment(ago=ago(time, now), exact=f"{text.replace('T', ' ')} UTC", iso=f"{text}Z")


def ago(time: int, now: int) -> str:
    """How long ago, in one unit; a clock that is ahead of ours counts as now."""
    seconds = max(0, now - time) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def freshness(head: int, position: int, reasons: Sequence[str]) -> Freshness:
    """The log's last position, and the one up to which the views are folded."""
    behind = max(0, head - position)
    if head == 0:
        words, tone = "no events yet", "gone"
    elif behind == 0:
        words, tone = "up to date", "free"
    else:
        words, tone = f"{behind:,} event{'s' if behind > 1 else ''} behind", "held"
    return Freshness(words=words, tone="lost" if reasons else tone, position=head, reasons=reasons)


def tone(status: str) -> str:
    return TONES.get(status, OTHER_TONE)


def in_order(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """How many agents have each status, in the order of ``TONES``."""
    places = {status: place for place, status in enumerate(TONES)}
    return sorted(counts.items(), key=lambda item: (places.get(item[0], len(places)), item[0]))


def present_first(views: Sequence[AgentView]) -> list[AgentView]:
    """Those who are logged in first; else by id, so that rows stay put."""
    return sorted(views, key=lambda view: (not view.logged_in, view.org_id, view.agent_id))


def newest_first(views: Sequence[TaskView]) -> list[TaskView]:
    """By when a task began: this does not change while it is worked on."""
    return _latest(views, lambda view: _first_known(view.created_time, view.state_since))


def last_done_first(views: Sequence[TaskView]) -> list[TaskView]:
    return _latest(
        views, lambda view: _first_known(view.completed_time, view.ended_time, view.state_since)
    )


def organisations(*lists: Iterable[Any]) -> frozenset[str]:
    return frozenset(view.org_id for views in lists for view in views)


def _latest(views: Sequence[TaskView], time: Callable[[TaskView], int]) -> list[TaskView]:
    return sorted(views, key=lambda view: (-time(view), view.org_id, view.task_id))


def _first_known(*times: int | None) -> int:
    return next((time for time in times if time is not None), -1)
