"""Ratios of contenders that took turns; on a shared machine times alone cannot be compared."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

HEADINGS = ("part", "case", "ratio of", "to", "ratio", "events/s", "CPU ratio", "CPU us/event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One turn of one contender."""

    events: int
    seconds: float
    cpu_seconds: float | None = None  # of all processes that are known to work for it

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float | None:
        return None if self.cpu_seconds is None else self.cpu_seconds / self.events * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The result of several rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(median=statistics.median(values), least=min(values), most=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The rate of a contender beside that of a baseline, compared round by round."""

    part: str
    case: str
    contender: str
    baseline: str
    ratio: Spread
    # Processor time of an event of the baseline to that of the contender; waits do not count.
    cpu_ratio: Spread | None
    events_per_second: tuple[float, float]
    cpu_us_per_event: tuple[float, float] | None
    rounds: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        rates = " : ".join(f"{rate:,.0f}" for rate in self.events_per_second)
        cpu = " : ".join(f"{us:.0f}" for us in self.cpu_us_per_event or ())
        return (
            self.part,
            self.case,
            self.contender,
            self.baseline,
            str(self.ratio),
            rates,
            str(self.cpu_ratio or "-"),
            cpu or "-",
        )


@dataclass(slots=True, kw_only=True)
class Case:
    """One situation, in which contenders take turns; ``pairs`` are contender and baseline."""

    part: str
    name: str
    pairs: Sequence[tuple[str, str]]
    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def add(self, contender: str, sample: Sample) -> None:
        self.samples[contender].append(sample)

    def comparisons(self) -> Iterator[Comparison]:
        for contender, baseline in self.pairs:
            yield self._compare(contender, baseline)

    def _compare(self, contender: str, baseline: str) -> Comparison:
        ours, theirs = self.samples[contender], self.samples[baseline]
        both = [*zip(ours, theirs, strict=True)]
        cpu = [(a.cpu_us, b.cpu_us) for a, b in both if a.cpu_us and b.cpu_us]
        medians = [statistics.median(column) for column in zip(*cpu, strict=True)]
        return Comparison(
            part=self.part,
            case=self.name,
            contender=contender,
            baseline=baseline,
            ratio=spread([a.rate / b.rate for a, b in both]),
            cpu_ratio=spread([b / a for a, b in cpu]) if cpu else None,
            events_per_second=(
                statistics.median(sample.rate for sample in ours),
                statistics.median(sample.rate for sample in theirs),
            ),
            cpu_us_per_event=(medians[0], medians[1]) if cpu else None,
            rounds=len(both),
        )


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned."""
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)
