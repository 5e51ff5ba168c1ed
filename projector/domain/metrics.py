"""Metrics: the figures by which a contact centre is measured, and their formulas (docs/figures.md).

Rule: each metric is one sum divided by another, so a formula is a row of the table at the end. What
a task adds to the sums, and when, follows from its state alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from projector.domain.counters import CONSULT, HOLD, OFFERS, TALK, WRAP_UP, rona
from projector.domain.leg import STATUS_PRECEDENCE
from projector.domain.task import TaskState

BUSY_STATUSES = STATUS_PRECEDENCE  # of an agent on a task
READY_STATUS = "available"  # of an agent who waits for a task
WAITING_STATUSES = frozenset({"queued", "offered"})  # of a task whose customer waits


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiFacts:
    """What the metrics need to know of a task.

    Times are epoch ms, durations ms; None means that it did not happen. A time that lies in the
    future is one at which the passing of time alone will complete the task.
    """

    waiting_since: int | None  # None unless it waits now
    answered: int | None  # the time at which its first wait ended in a conversation
    answered_after_ms: int | None
    abandoned: int | None  # the time at which its first wait ended without a conversation
    offered: int | None  # the time of its first offer
    offers: int
    refused: int
    completed: int | None  # the time of its completion
    handled: int | None  # the same, if it ever was in conversation
    talk_ms: int
    hold_ms: int
    consult_ms: int
    wrap_up_ms: int


def kpi_facts(state: TaskState) -> KpiFacts:
    """What the metrics need to know of a task in this state."""
    began = _wait_began(state)
    answered = _answered(state, began)
    refused = rona(state.counters)
    completed = state.completed_time if state.complete else state.completion_deadline()
    return KpiFacts(
        waiting_since=_waiting_since(state, began),
        answered=answered,
        answered_after_ms=None if answered is None or began is None else answered - began,
        abandoned=None if began is None or state.status() != "abandoned" else state.ended_time,
        offered=state.offered_time,
        offers=max(state.counters[OFFERS], refused),  # the event of an offer may be lost
        refused=refused,
        completed=completed,
        handled=completed if state.had_conversation else None,
        talk_ms=state.counters[TALK],
        hold_ms=state.counters[HOLD],
        consult_ms=state.counters[CONSULT],
        wrap_up_ms=state.counters[WRAP_UP],
    )


def _wait_began(state: TaskState) -> int | None:
    """When it was first queued or offered. The offer of an outbound call keeps nobody waiting."""
    offered = None if state.is_outbound() else state.offered_time
    return min((time for time in (state.queued_time, offered) if time is not None), default=None)


def _answered(state: TaskState, began: int | None) -> int | None:
    """When the wait ended in a conversation; None where the conversation came before the wait."""
    connected = state.connected_time
    return None if began is None or connected is None or connected < began else connected


def _waiting_since(state: TaskState, began: int | None) -> int | None:
    if state.status() not in WAITING_STATUSES:
        return None
    return state.state_since if state.had_conversation else began


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """One sum divided by another; both are named by the totals that they add up."""

    name: str  # a heading of docs/figures.md
    dividend: tuple[str, ...]
    divisor: tuple[str, ...]
    counted: tuple[str, ...] = ()  # what ``count`` says, where it is not the divisor

    @property
    def counts(self) -> tuple[str, ...]:
        """The totals of what the metric rests on."""
        return self.counted or self.divisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The value of a metric, and what it rests on."""

    value: float | None  # None where nothing was counted
    count: int  # of agents, tasks or offers
    formula: str  # its name
    settled: bool  # later arrivals will probably not change it


def metrics(totals: Mapping[str, int], provisional: Collection[str]) -> dict[str, Metric]:
    """All metrics by name.

    ``totals`` has the names of ``ALL_TOTALS``; ``provisional`` names those that later arrivals may
    well change.
    """
    return {name: _metric(formula, totals, provisional) for name, formula in FORMULAS.items()}


def _metric(formula: Formula, totals: Mapping[str, int], provisional: Collection[str]) -> Metric:
    divisor = _sum(totals, formula.divisor)
    return Metric(
        value=_sum(totals, formula.dividend) / divisor if divisor else None,
        count=_sum(totals, formula.counts),
        formula=formula.name,
        settled=not {*formula.counts} & {*provisional},
    )


def _sum(totals: Mapping[str, int], names: Collection[str]) -> int:
    return sum(totals[name] for name in names)


_WAITS = ("answered", "abandoned")
_HANDLED = ("handled",)
FORMULAS = {
    "service_level": Formula(name="service-level", dividend=("answered_in_time",), divisor=_WAITS),
    "asa_ms": Formula(
        name="average-speed-of-answer", dividend=("answered_after_ms",), divisor=("answered",)
    ),
    "aht_ms": Formula(
        name="average-handle-time",
        dividend=("talk_ms", "hold_ms", "consult_ms", "wrap_up_ms"),
        divisor=_HANDLED,
    ),
    "talk_ms": Formula(name="average-talk-time", dividend=("talk_ms",), divisor=_HANDLED),
    "hold_ms": Formula(name="average-hold-time", dividend=("hold_ms",), divisor=_HANDLED),
    "wrap_up_ms": Formula(name="average-wrap-up-time", dividend=("wrap_up_ms",), divisor=_HANDLED),
    "occupancy": Formula(
        name="occupancy",
        dividend=("at_work_ms",),
        divisor=("at_work_ms", "ready_ms"),
        counted=("agents",),
    ),
    "abandonment": Formula(name="abandonment-rate", dividend=("abandoned",), divisor=_WAITS),
    "rona": Formula(name="rona-rate", dividend=("refused",), divisor=("offers",)),
}
COUNTED_TOTALS = frozenset(name for formula in FORMULAS.values() for name in formula.counts)
ALL_TOTALS = COUNTED_TOTALS.union(*((*it.dividend, *it.divisor) for it in FORMULAS.values()))
