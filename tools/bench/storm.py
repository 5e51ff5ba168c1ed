"""Storms: a whole log that arrives in another order, folded beside the same log in order.

Each turn has its own database with the same events in requests of 50, so only the order of arrival
differs. The work of a storm should be linear: twice the events in twice the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random

from projector.event_log.store import EventStore
from projector.infrastructure.database import open_pool
from projector.projection.runner import Runner
from tools.bench.costs import CostCase, CostComparison
from tools.bench.ground import Bodies, drop_database, fill, new_database, parse
from tools.bench.lives import one_agent
from tools.bench.measure import Case, Comparison, Sample
from tools.bench.meter import Meter

PART = "storm"
REQUEST = 50
MINUTE_MS = 60_000
IN_ORDER = "in order"
Order = Callable[[Sequence[bytes]], Sequence[bytes]]


def reversed_(bodies: Sequence[bytes]) -> Sequence[bytes]:
    return bodies[::-1]


def shuffled(minutes: int, bodies: Sequence[bytes]) -> Sequence[bytes]:
    """Delay each event by up to so many minutes, at random."""
    chance = Random(1)
    arrivals = [(it.created or 0) + chance.randrange(minutes * MINUTE_MS) for it in parse(bodies)]
    return [body for _, body in sorted(zip(arrivals, bodies, strict=True))]


# 200 agents make 10,000 events in about six minutes, so an hour is longer than any log here.
FLOOR: dict[str, Order] = {
    "reversed": reversed_,
    "shuffled within an hour": partial(shuffled, 60),
    "shuffled within 5 minutes": partial(shuffled, 5),
}
ONE_AGENT: dict[str, Order] = {"reversed": reversed_}


def measure(url: str, *, rounds: int, events: int) -> Iterator[Comparison | CostComparison]:
    sizes = (events, 2 * events, 4 * events)
    floor, agent = Bodies().take(sizes[-1]), one_agent("storm", sizes[-1])
    for name, bodies, orders in (("200 agents", floor, FLOOR), ("one agent", agent, ONE_AGENT)):
        cases = _Cases(name, [IN_ORDER, *orders], sizes)
        for _ in range(rounds):
            for size in sizes:
                for order, arrange in {IN_ORDER: list[bytes], **orders}.items():
                    cases.add(order, size, _turn(url, arrange(bodies[:size])))
        yield from cases.comparisons()


class _Cases:
    """A turn is compared with the same size in order, and with half the size in its order."""

    def __init__(self, name: str, orders: Sequence[str], sizes: Sequence[int]) -> None:
        late = [order for order in orders if order != IN_ORDER]
        self._to_in_order = {
            size: Case(
                part=PART, name=f"{name}, {label(size)}", pairs=[(it, IN_ORDER) for it in late]
            )
            for size in sizes
        }
        doubled = [(label(2 * size), label(size)) for size in sizes[:-1]]
        self._to_half = {
            order: CostCase(part=PART, name=f"{name}, {order}", unit="s", pairs=doubled)
            for order in orders
        }

    def add(self, order: str, size: int, sample: Sample) -> None:
        self._to_in_order[size].add(order, sample)
        self._to_half[order].add(label(size), [sample.seconds])

    def comparisons(self) -> Iterator[Comparison | CostComparison]:
        for case in self._to_in_order.values():
            yield from case.comparisons()
        for growth in self._to_half.values():
            yield from growth.comparisons()


def label(events: int) -> str:
    return f"{events:,} events"


def _turn(url: str, bodies: Sequence[bytes]) -> Sample:
    """Append all events, then fold them; only the fold is timed."""
    own_url = new_database(url, "bench_storm_turn")
    pool = open_pool(own_url, max_size=1)
    store = EventStore(pool)
    fill(store, bodies, request=REQUEST)
    sample = Meter(own_url).timed(len(bodies), Runner(store, own_url).catch_up)
    pool.close()
    drop_database(url, "bench_storm_turn")
    return sample
