"""How the page words what it shows: times, freshness, and the order of rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from projector.contract.views import AgentView, TaskView

View = TypeVar("View", AgentView, TaskView)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The colour of a status, as the name of a class in page.css; also the order in which counts are
# shown. A status that comes from outside never becomes part of a class name.
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
    "unanswered": "lost",
    "failed": "lost",
    "not-responding": "lost",
}
OTHER_TONE = "other"


@dataclass(frozen=True, kw_only=True)
class DisplayTime:
    """A time as a person and as a browser read it; ``iso`` is null beyond the calendar."""

    ago: str
    exact: str
    iso: str | None


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How far the views behind the page lag the log, in words and as a tone."""

    words: str
    tone: str
    position: int
    reasons: Sequence[str]  # why the service is not ready


@dataclass(frozen=True, kw_only=True)
class TableRows(Generic[View]):
    """The rows of a table that are shown, and how many there are in all."""

    shown: Sequence[View]
    counted: int

    @property
    def total(self) -> str:
        is_cut = len(self.shown) < self.counted
        return f"{len(self.shown):,} of {self.counted:,}" if is_cut else f"{self.counted:,}"


def display_time(time: int, now: int) -> DisplayTime:
    """A time as it is read at ``now``; both are epoch milliseconds."""
    try:
        when = EPOCH + timedelta(milliseconds=time)
    except OverflowError:
        return DisplayTime(ago=ago(time, now), exact=f"{time} ms since 1970", iso=None)
    text = when.isoformat(timespec="milliseconds").removesuffix("+00:00")
    return DisplayTime(ago=ago(time, now), exact=f"{text.replace('T', ' ')} UTC", iso=f"{text}Z")


def ago(time: int, now: int) -> str:
    """How long ago, in one unit, rounded down; a time in the future counts as now."""
    seconds = max(0, now - time) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def freshness(head: int, position: int, reasons: Sequence[str]) -> Freshness:
    """How fresh the page is.

    ``head`` is the last position of the log, ``position`` the last one that the views have folded,
    and ``reasons`` say why the service is not ready.
    """
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
    ranks = {status: rank for rank, status in enumerate(TONES)}
    return sorted(counts.items(), key=lambda item: (ranks.get(item[0], len(ranks)), item[0]))


def logged_in_first(views: Sequence[AgentView]) -> list[AgentView]:
    """Agents who are logged in before the others, then by id, so that rows keep their places."""
    return sorted(views, key=lambda view: (not view.logged_in, view.org_id, view.agent_id))


def newest_first(views: Sequence[TaskView]) -> list[TaskView]:
    """By the time of creation, which does not change while a task is worked on."""
    return _latest(views, lambda view: _first_given(view.created_time, view.state_since))


def last_done_first(views: Sequence[TaskView]) -> list[TaskView]:
    """By the time of completion, or of the end, which comes before it."""
    return _latest(
        views, lambda view: _first_given(view.completed_time, view.ended_time, view.state_since)
    )


def organisations(*lists: Iterable[Any]) -> frozenset[str]:
    return frozenset(view.org_id for views in lists for view in views)


def _latest(views: Sequence[TaskView], time: Callable[[TaskView], int]) -> list[TaskView]:
    return sorted(views, key=lambda view: (-time(view), view.org_id, view.task_id))


def _first_given(*times: int | None) -> int:
    return next((time for time in times if time is not None), -1)
