"""The figures of a floor, counted independently from folds, as one would on paper.

It shares nothing with `projector/domain/metrics.py` and `projector/query/figures`, and has no SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from projector.contract.views import agent_view, task_view
from projector.domain.facts import Fact
from projector.domain.fold import Fold, Interval

AT_WORK = {"conferencing", "consulting", "connected", "on-hold", "wrapup"}
View = dict[str, Any]
Key = tuple[str, str]
Folds = Mapping[Key, Fold[Any]]


@dataclass
class Counted:
    """A value as a dividend and a divisor, and the counts that are shown with it."""

    dividend: float = 0
    divisor: float = 0
    count: int = 0
    doubtful: int = 0

    def add(self, dividend: float, divisor: float = 1, count: int = 1) -> None:
        self.dividend += dividend
        self.divisor += divisor
        self.count += count

    def as_json(self) -> dict[str, Any]:
        return {
            "value": self.dividend / self.divisor if self.divisor else None,
            "count": self.count,
            "doubtful": self.doubtful,
        }


@dataclass
class FigureWindow:
    """What was counted in ``[start, end)``, with a clock up to which time had passed."""

    start: int
    end: int
    clock: int
    service_level_ms: int = 20_000
    short_abandon_ms: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Counted] = field(
        default_factory=lambda: {
            name: Counted()
            for name in ("serviceLevel", "asaMs", "ahtMs", "talkMs", "holdMs", "wrapUpMs",
                         "occupancy", "abandonment", "rona")
        }
    )  # fmt: skip

    def within(self, time: int | None) -> bool:
        return time is not None and self.start <= time < self.end

    def fact(self, fact: Fact) -> None:
        if fact.kind == "wait" and self.within(fact.start) and fact.start <= self.clock:
            self.counts["offered"] += 1
        if fact.counted_time is None or fact.counted_time > self.clock:
            return
        if not self.within(fact.counted_time):
            return
        if fact.kind == "wait":
            self.wait(fact)
        elif fact.kind == "offer":
            if fact.outcome in {"accepted", "refused"}:
                self.figures["rona"].add(fact.outcome == "refused")
        else:
            self.contact(fact)

    def wait(self, fact: Fact) -> None:
        assert fact.end is not None
        waited, outcome = fact.end - fact.start, fact.outcome
        if outcome == "abandoned" and waited < self.short_abandon_ms:
            self.counts["shortAbandoned"] += 1
            return
        self.counts[str(outcome)] += 1
        if outcome == "answered":
            in_time = waited <= self.service_level_ms
            self.counts["answeredInTime"] += in_time
            self.figures["asaMs"].add(waited)
            self.figures["serviceLevel"].add(in_time)
            self.figures["abandonment"].add(0)
        elif outcome == "abandoned":
            self.figures["serviceLevel"].add(0)
            self.figures["abandonment"].add(1)
        elif outcome == "unknown":
            for name in ("asaMs", "serviceLevel", "abandonment"):
                self.figures[name].doubtful += 1

    def contact(self, fact: Fact) -> None:
        self.counts["handled"] += 1
        total = fact.talk_ms + fact.hold_ms + fact.consult_ms + fact.wrap_up_ms
        for name, ms in (("talkMs", fact.talk_ms), ("holdMs", fact.hold_ms),
                         ("wrapUpMs", fact.wrap_up_ms), ("ahtMs", total)):  # fmt: skip
            self.figures[name].add(ms)
            self.figures[name].doubtful += fact.is_doubtful

    def agent(self, intervals: Sequence[Interval]) -> None:
        """An agent's intervals up to the clock."""
        spent: Counter[str] = Counter()
        for status, _, start, end in told_stretches(intervals, min(self.end, self.clock)):
            spent[status] += max(0, end - max(start, self.start))
        at_work, ready = sum(spent[status] for status in AT_WORK), spent["available"]
        if at_work + ready:
            self.figures["occupancy"].add(at_work, at_work + ready)
        self.figures["occupancy"].doubtful += sum(
            max(0, min(end, self.end) - max(start, self.start))
            for start, end in doubtful_stretches(intervals, min(self.end, self.clock))
        )


Stretch = tuple[str, str | None, int, int]  # status, idle code, start, end


def told_stretches(intervals: Sequence[Interval], clock: int) -> Iterator[Stretch]:
    """Each interval up to the next one, up to the clock, without what is doubtful."""
    doubtful = list(doubtful_stretches(intervals, clock))
    for index, it in enumerate(intervals):
        end = intervals[index + 1].start if index + 1 < len(intervals) else clock
        pieces = [(it.start, min(end, clock))]
        for since, until in doubtful:
            pieces = [
                piece
                for start, stop in pieces
                for piece in ((start, min(stop, since)), (max(start, until), stop))
                if piece[0] < piece[1]
            ]
        for start, stop in pieces:
            yield it.display.status, it.display.idle_code_id, start, stop


def doubtful_stretches(intervals: Sequence[Interval], clock: int) -> Iterator[tuple[int, int]]:
    """From a last event to what time alone began, none of them twice."""
    covered = -1
    for it in intervals:
        if it.event_id is None and it.silent_since is not None:
            since = max(covered, it.silent_since)
            if since < min(it.start, clock):
                yield since, min(it.start, clock)
            covered = max(covered, it.start)


def summary(
    agents: Folds,
    tasks: Folds,
    *,
    known_agents: Folds,
    facts: Sequence[Fact],
    moment: int,
    window: int,
    clock: int,
) -> dict[str, Any]:
    """The summary, without formulas and `settled`."""
    counted = FigureWindow(start=moment - window, end=moment, clock=clock)
    for fact in facts:
        counted.fact(fact)
    for subject in known_agents.values():
        counted.agent(subject.intervals)
    statuses = Counter(
        shown(agent_view(*key, it.state, settled=False))["status"] for key, it in agents.items()
    )
    views, since = [], []
    for key, subject in tasks.items():
        view = shown(task_view(*key, subject.state, settled=False))
        is_over = view["complete"] or view["status"] == "failed" or view["stale"]
        # No view shows that its captures are all that came.
        view["isOpen"] = not is_over and not subject.state.is_recording_alone
        last = max(subject.state.last_event.time, view["completedTime"] or 0)
        if view["isOpen"] or last >= counted.start:
            views.append(view)
            waits = [it for it in subject.facts().values() if it.kind == "wait"]
            if view["isOpen"]:
                since += [it.start for it in waits if it.end is None or it.end > moment
                          if subject.state.journey.wait is not None]  # fmt: skip
    names = ("offered", "answered", "answeredInTime", "abandoned", "shortAbandoned", "unanswered",
             "moved", "unknown", "handled")  # fmt: skip
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
        "counts": {name: counted.counts[name] for name in names},
    } | {name: it.as_json() for name, it in counted.figures.items()}


def shown(model: Any) -> View:
    return model.model_dump(by_alias=True, mode="json")
