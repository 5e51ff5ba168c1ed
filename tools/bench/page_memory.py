"""The memory of the page Floor over a shift: beside a service that gets what 2,000 agents make."""

from __future__ import annotations

from collections.abc import Iterator

from tools.bench.browser import SETTLE_SECONDS, has_browser, open_floor
from tools.bench.costs import CostCase, CostComparison

PART = "page-memory"
RATE = (60, 1)  # events per second, and per POST
FIRST, LAST = "first third", "last third"


def measure(url: str, *, minutes: int) -> Iterator[CostComparison]:
    """Measured once a minute; the last third of the time is compared with the first."""
    if not has_browser(PART):
        return
    case = CostCase(part=PART, name=f"{minutes} minutes", unit="MiB", pairs=[(LAST, FIRST)])
    with open_floor(url) as floor:
        floor.fill()
        sizes = []
        for _ in range(minutes):
            floor.post(*RATE, 60 - SETTLE_SECONDS)
            sizes.append(floor.heap_mib())
    case.add(FIRST, sizes[: minutes // 3])
    case.add(LAST, sizes[-(minutes // 3) :])
    yield from case.comparisons()
