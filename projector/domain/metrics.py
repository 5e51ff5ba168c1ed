"""Metrics: the figures by which a contact centre is measured, and their formulas (docs/figures.md).

Rule: each metric is one sum divided by another, so a formula is a row of the table at the end. The
sums are of facts, each counted at one moment, and of the times of agents in their statuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

# An agent with a task. One whose phone rings is neither at work nor ready.
AT_WORK_STATUSES = ("conferencing", "consulting", "connected", "on-hold", "wrapup")
READY_STATUS = "available"  # of an agent who waits for a task
IDLE_STATUS = "idle"  # of an agent on a break, who may say by an idle code on which
OTHER_CHANNELS = "*"  # in a table by channel type: those without a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How long a wait may last (ms) to be answered in time, and how long an abandoned one is short.

    ``service_level_ms`` is by channel type in lower case; it has a row for ``OTHER_CHANNELS``.
    """

    service_level_ms: Mapping[str, int]
    short_abandon_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """One sum divided by another; both are named by the totals that they add up."""

    name: str  # a heading of docs/figures.md
    dividend: tuple[str, ...]
    divisor: tuple[str, ...]
    counted: tuple[str, ...] = ()  # what ``count`` says, where it is not the divisor
    doubtful: tuple[str, ...] = ()  # what is left out, since its end was not told

    @property
    def counts(self) -> tuple[str, ...]:
        """The totals of what the metric rests on."""
        return self.counted or self.divisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The value of a metric, and what it rests on."""

    value: float | None  # None where nothing was counted
    count: int  # of agents, waits, contacts or offers
    doubtful: int  # how many of these, or ms of agents, are left out
    formula: str  # its name
    settled: bool  # later arrivals will probably not change it


def metrics(totals: Mapping[str, int], provisional: Collection[str]) -> dict[str, Metric]:
    """All metrics by name.

    ``totals`` has what the formulas name, without what is 0; ``provisional`` names those that later
    arrivals may well change.
    """
    return {name: _metric(name, totals, provisional) for name in FORMULAS}


def metric_value(name: str, totals: Mapping[str, int]) -> float | None:
    """One metric alone; null where nothing was counted."""
    formula = FORMULAS[name]
    divisor = _sum(totals, formula.divisor)
    return _sum(totals, formula.dividend) / divisor if divisor else None


def _metric(name: str, totals: Mapping[str, int], provisional: Collection[str]) -> Metric:
    formula = FORMULAS[name]
    return Metric(
        value=metric_value(name, totals),
        count=_sum(totals, formula.counts),
        doubtful=_sum(totals, formula.doubtful),
        formula=formula.name,
        settled=not {*formula.counts} & {*provisional},
    )


def _sum(totals: Mapping[str, int], names: Collection[str]) -> int:
    return sum([totals.get(name, 0) for name in names])


_WAITS = ("answered", "abandoned")
_LOST_WAITS = ("unknown",)
_HANDLED = ("handled",)
_LOST_WRAP_UPS = ("doubtful_contacts",)
FORMULAS = {
    "service_level": Formula(
        name="service-level", dividend=("answered_in_time",), divisor=_WAITS, doubtful=_LOST_WAITS
    ),
    "asa_ms": Formula(
        name="average-speed-of-answer",
        dividend=("wait_ms",),
        divisor=("answered",),
        doubtful=_LOST_WAITS,
    ),
    "aht_ms": Formula(
        name="average-handle-time",
        dividend=("talk_ms", "hold_ms", "consult_ms", "wrap_up_ms"),
        divisor=_HANDLED,
        doubtful=_LOST_WRAP_UPS,
    ),
    "talk_ms": Formula(
        name="average-talk-time", dividend=("talk_ms",), divisor=_HANDLED, doubtful=_LOST_WRAP_UPS
    ),
    "hold_ms": Formula(
        name="average-hold-time", dividend=("hold_ms",), divisor=_HANDLED, doubtful=_LOST_WRAP_UPS
    ),
    "wrap_up_ms": Formula(
        name="average-wrap-up-time",
        dividend=("wrap_up_ms",),
        divisor=_HANDLED,
        doubtful=_LOST_WRAP_UPS,
    ),
    "occupancy": Formula(
        name="occupancy",
        dividend=("at_work_ms",),
        divisor=("at_work_ms", "ready_ms"),
        counted=("agents",),
        doubtful=("doubtful_ms",),
    ),
    "abandonment": Formula(
        name="abandonment-rate", dividend=("abandoned",), divisor=_WAITS, doubtful=_LOST_WAITS
    ),
    "rona": Formula(name="rona-rate", dividend=("refused",), divisor=("accepted", "refused")),
}
# What is counted of waits, beside the figures.
WAIT_COUNTS = (
    *("offered", "answered", "answered_in_time", "abandoned", "short_abandoned"),
    *("unanswered", "moved", "unknown"),
)
COUNTED_TOTALS = frozenset(name for formula in FORMULAS.values() for name in formula.counts)
