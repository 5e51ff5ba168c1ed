"""Figures: what a contact centre is measured by, and how (docs/figures.md).

The rule of this file: a figure is what was counted divided by what it is counted of, so a formula
is a row of the table at the end. What a task adds to them, and when, is a function of its state.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from projector.domain.counters import CONSULT, HOLD, OFFERS, TALK, WRAP_UP, rona
from projector.domain.leg import PRECEDENCE
from projector.domain.task import TaskState

AT_WORK = PRECEDENCE  # an agent's statuses, where it is on a task
READY = "available"
WAITING = frozenset({"queued", "offered"})  # a task's statuses, where a customer waits


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiFacts:
    """What the figures count of a task; times and durations in ms, null where it has none.

    What the passing of time alone will bring about is told beforehand, by its time.
    """

    waits_since: int | None  # it waits now
    answered: int | None  # when its first wait ended in a conversation
    answered_after_ms: int | None
    abandoned: int | None  # when its first wait ended without one
    offered: int | None  # when it was offered first
    offers: int
    refused: int
    over: int | None  # when it is complete
    handled: int | None  # the same, of a task once in conversation
    talk_ms: int
    hold_ms: int
    consult_ms: int
    wrap_up_ms: int


def kpi_facts(state: TaskState) -> KpiFacts:
    """What the figures count of a task in this state."""
    began = _wait_began(state)
    answered = _answered(state, began)
    refused = rona(state.counters)
    over = state.completed_time if state.complete else state.deadline()
    return KpiFacts(
        waits_since=_waits_since(state, began),
        answered=answered,
        answered_after_ms=None if answered is None or began is None else answered - began,
        abandoned=None if began is None or state.status() != "abandoned" else state.ended_time,
        offered=state.offered_time,
        offers=max(state.counters[OFFERS], refused),  # the telling of an offer may be lost
        refused=refused,
        over=over,
        handled=over if state.ever_connected else None,
        talk_ms=state.counters[TALK],
        hold_ms=state.counters[HOLD],
        consult_ms=state.counters[CONSULT],
        wrap_up_ms=state.counters[WRAP_UP],
    )


def _wait_began(state: TaskState) -> int | None:
    """When it was queued or offered first; a call that an agent makes keeps nobody waiting."""
    offered = None if _is_outbound(state) else state.offered_time
    return min((time for time in (state.queued_time, offered) if time is not None), default=None)


def _is_outbound(state: TaskState) -> bool:
    return (state.direction or "").casefold().startswith("out")


def _answered(state: TaskState, began: int | None) -> int | None:
    """When the wait ended in a conversation; one that began after it was no first wait."""
    connected = state.connected_time
    return None if began is None or connected is None or connected < began else connected


def _waits_since(state: TaskState, began: int | None) -> int | None:
    if state.status() not in WAITING:
        return None
    return state.state_since if state.ever_connected else began


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """One sum of counts divided by another, by their names."""

    name: str  # as in docs/figures.md
    value: tuple[str, ...]
    of: tuple[str, ...]
    counted: tuple[str, ...] = ()  # where the divisor is none: what was counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value, null where nothing was counted, and what it rests on."""

    value: float | None
    count: int
    formula: str
    settled: bool


def figures(totals: Mapping[str, int], provisional: Collection[str]) -> dict[str, Figure]:
    """All figures; ``provisional`` names the counts that later arrivals may well change."""
    return {name: _figure(formula, totals, provisional) for name, formula in FORMULAS.items()}


def _figure(formula: Formula, totals: Mapping[str, int], provisional: Collection[str]) -> Figure:
    counted = formula.counted or formula.of
    divisor = _sum(totals, formula.of)
    return Figure(
        value=_sum(totals, formula.value) / divisor if divisor else None,
        count=_sum(totals, counted),
        formula=formula.name,
        settled=not {*counted} & {*provisional},
    )


def _sum(totals: Mapping[str, int], names: Collection[str]) -> int:
    return sum(totals[name] for name in names)


_WAITS = ("answered", "abandoned")
_HANDLED = ("handled",)
FORMULAS = {
    "service_level": Formula(name="service-level", value=("answered_in_time",), of=_WAITS),
    "asa_ms": Formula(
        name="average-speed-of-answer", value=("answered_after_ms",), of=("answered",)
    ),
    "aht_ms": Formula(
        name="average-handle-time",
        value=("talk_ms", "hold_ms", "consult_ms", "wrap_up_ms"),
        of=_HANDLED,
    ),
    "talk_ms": Formula(name="average-talk-time", value=("talk_ms",), of=_HANDLED),
    "hold_ms": Formula(name="average-hold-time", value=("hold_ms",), of=_HANDLED),
    "wrap_up_ms": Formula(name="average-wrap-up-time", value=("wrap_up_ms",), of=_HANDLED),
    "occupancy": Formula(
        name="occupancy", value=("at_work_ms",), of=("at_work_ms", "ready_ms"), counted=("agents",)
    ),
    "abandonment": Formula(name="abandonment-rate", value=("abandoned",), of=_WAITS),
    "rona": Formula(name="rona-rate", value=("refused",), of=("offers",)),
}
COUNTED = frozenset(name for formula in FORMULAS.values() for name in formula.counted or formula.of)
SUMMED = COUNTED.union(*((*formula.value, *formula.of) for formula in FORMULAS.values()))
