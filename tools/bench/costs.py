"""Costs in time or memory, as ratios of contenders that took turns, as in measure.py."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

from tools.bench.measure import Spread, spread

HEADINGS = ("part", "case", "ratio of", "to", "ratio", "p50", "p99", "of")


@dataclass(frozen=True, slots=True, kw_only=True)
class CostComparison:
    """The cost of a contender beside a baseline: above a ratio of 1 the contender costs more.

    A round's ratio is that of its two medians; p50 and p99 are over all rounds.
    """

    part: str
    case: str
    contender: str
    baseline: str
    unit: str
    ratio: Spread
    p50: tuple[float, float]
    p99: tuple[float, float]
    count: int  # of measurements of the contender
    rounds: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        return (
            self.part,
            self.case,
            self.contender,
            self.baseline,
            str(self.ratio),
            f"{self.p50[0]:,.2f} : {self.p50[1]:,.2f} {self.unit}",
            f"{self.p99[0]:,.2f} : {self.p99[1]:,.2f} {self.unit}",
            f"{self.count:,}",
        )


@dataclass(slots=True, kw_only=True)
class CostCase:
    """One situation; each turn of a contender has one or more measurements."""

    part: str
    name: str
    unit: str
    pairs: Sequence[tuple[str, str]]
    turns: dict[str, list[Sequence[float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, contender: str, measured: Sequence[float]) -> None:
        self.turns[contender].append(measured)

    def comparisons(self) -> Iterator[CostComparison]:
        for contender, baseline in self.pairs:
            yield self._compare(contender, baseline)

    def _compare(self, contender: str, baseline: str) -> CostComparison:
        ours, theirs = self.turns[contender], self.turns[baseline]
        all_ours, all_theirs = [*chain(*ours)], [*chain(*theirs)]
        medians = [
            (statistics.median(a), statistics.median(b)) for a, b in zip(ours, theirs, strict=True)
        ]
        return CostComparison(
            part=self.part,
            case=self.name,
            contender=contender,
            baseline=baseline,
            unit=self.unit,
            ratio=spread([a / b for a, b in medians]),
            p50=(statistics.median(all_ours), statistics.median(all_theirs)),
            p99=(percentile(all_ours, 99), percentile(all_theirs, 99)),
            count=len(all_ours),
            rounds=len(medians),
        )


def percentile(values: Sequence[float], rank: float) -> float:
    """The smallest value that at least ``rank`` percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * rank // 100) - 1)]
