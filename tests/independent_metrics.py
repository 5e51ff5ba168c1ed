"""The metrics of a floor, counted independently from views and histories, as one would on paper.

It shares nothing with `projector/domain/metrics.py` and `query/as_of/summary.py`, and has no SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from projector.contract.intervals import interval_rows
from projector.contract.views import agent_view, task_view
from projector.domain.fold import Fold
from projector.projection.read_models import AGENTS

AT_WORK = {"conferencing", "consulting", "connected", "on-hold", "ringing", "wrapup"}
View = dict[str, Any]
Folds = Mapping[tuple[str, str], Fold[Any]]


@dataclass
class Counted:
    """A value as a dividend and a divisor, and the count that is shown with it."""

    dividend: float = 0
    divisor: float = 0
    count: int = 0

    def add(self, dividend: float, divisor: float = 1, count: int = 1) -> None:
        self.dividend += dividend
        self.divisor += divisor
        self.count += count

    def as_json(self) -> dict[str, Any]:
        return {
            "value": self.dividend / self.divisor if self.divisor else None,
            "count": self.count,
        }


@dataclass
class FloorCount:
    """What was counted of a floor at a moment, in a window that began after ``start``."""

    moment: int
    start: int
    service_level_ms: int = 20_000
    figures: dict[str, Counted] = field(
        default_factory=lambda: {
            name: Counted()
            for name in ("serviceLevel", "asaMs", "ahtMs", "talkMs", "holdMs", "wrapUpMs",
                         "occupancy", "abandonment", "rona")
        }
    )  # fmt: skip

    def within(self, time: int | None) -> bool:
        return time is not None and self.start < time <= self.moment

    def agent(self, rows: Sequence[View]) -> None:
        """An agent's intervals."""
        spent: Counter[str] = Counter()
        for row in rows:
            end = self.moment if row["to"] is None else min(row["to"], self.moment)
            spent[row["status"]] += max(0, end - max(row["from"], self.start))
        busy, free = sum(spent[status] for status in AT_WORK), spent["available"]
        if busy + free:
            self.figures["occupancy"].add(busy, busy + free)

    def task(self, view: View) -> None:
        """A task's view."""
        queued, offered, connected = (
            view[f"{step}Time"] for step in ("queued", "offered", "connected")
        )
        if (view["direction"] or "").upper() == "OUTBOUND":
            offered = None
        begins = [time for time in (queued, offered) if time is not None]
        if begins and self.within(connected) and connected >= min(begins):
            waited = connected - min(begins)
            self.figures["asaMs"].add(waited)
            self.figures["serviceLevel"].add(waited <= self.service_level_ms)
            self.figures["abandonment"].add(0)
        if begins and view["status"] == "abandoned" and self.within(view["endedTime"]):
            self.figures["serviceLevel"].add(0)
            self.figures["abandonment"].add(1)
        if view["hadConversation"] and view["complete"] and self.within(view["completedTime"]):
            spent = view["durations"]
            self.figures["talkMs"].add(spent["talkMs"])
            self.figures["holdMs"].add(spent["holdMs"])
            self.figures["wrapUpMs"].add(spent["wrapUpMs"])
            self.figures["ahtMs"].add(sum(spent.values()) - spent["queuedMs"])
        if self.within(view["offeredTime"]):
            offers = max(view["counts"]["offers"], view["counts"]["rona"])
            self.figures["rona"].add(view["counts"]["rona"], offers, offers)


def waits_since(view: View) -> int | None:
    """Since when a customer waits."""
    if view["status"] not in {"queued", "offered"} or not view["isOpen"]:
        return None
    if view["hadConversation"]:
        return view["stateSince"]
    outbound = (view["direction"] or "").upper() == "OUTBOUND"
    begins = [view["queuedTime"], None if outbound else view["offeredTime"]]
    return min((time for time in begins if time is not None), default=None)


def summary(agents: Folds, tasks: Folds, moment: int, window: int) -> dict[str, Any]:
    """The summary, without formulas and `settled`."""
    floor = FloorCount(moment=moment, start=moment - window)
    statuses: Counter[str] = Counter()
    for key, subject in agents.items():
        statuses[shown(agent_view(*key, subject.state, settled=False))["status"]] += 1
        floor.agent([*map(shown, interval_rows(AGENTS.interval, subject.intervals))])
    views = []
    for key, subject in tasks.items():
        view = shown(task_view(*key, subject.state, settled=False))
        # No view shows that a task was in conversation where the event that began it was lost, nor
        # that its captures are all that came.
        view["hadConversation"] = subject.state.had_conversation
        is_over = view["complete"] or view["status"] == "failed" or view["stale"]
        view["isOpen"] = not is_over and not subject.state.is_recording_alone
        floor.task(view)
        last = max(subject.state.last_event.time, view["completedTime"] or 0)
        if view["isOpen"] or last > floor.start:
            views.append(view)
    since = [it for it in map(waits_since, views) if it is not None]
    return {
        "agents": {
            "total": len(agents),
            "loggedIn": len(agents) - statuses["logged-out"],
            "byStatus": dict(statuses),
        },
        "tasks": {
            "open": sum(view["isOpen"] for view in views),
            "waiting": len(since),
            "byStatus": dict(Counter(view["status"] for view in views)),
            "longestWaitMs": max(0, moment - min(since)) if since else None,
        },
    } | {name: it.as_json() for name, it in floor.figures.items()}


def shown(model: Any) -> View:
    return model.model_dump(by_alias=True, mode="json")
