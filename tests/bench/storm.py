"""Storms: a whole log delivered late, in requests of 50, folded beside the same log in order.

Each turn has a database of its own with equal events, so only the order of arrival differs. A
storm's total work should grow as its events do: twice the events in twice the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from projector.database import open_pool
from projector.runner import Runner
from projector.store import EventStore
from tests.bench.costs import CostCase, CostComparison
from tests.bench.ground import Bodies, drop_database, fill, new_database, parse
from tests.bench.lives import one_agent
from tests.bench.measure import Case, Comparison, Sample
from tests.bench.meter import Meter

PART = "storm"
REQUEST = 50
HOUR_MS = 3_600_000
IN_ORDER = "in order"
Order = Callable[[Sequence[bytes]], Sequence[bytes]]


def reversed_(bodies: Sequence[bytes]) -> Sequence[bytes]:
    return bodies[::-1]


def shuffled(bodies: Sequence[bytes]) -> Sequence[bytes]:
    """Each event is up to an hour late."""
    chance = Random(1)
    arrivals = [(it.created or 0) + chance.randrange(HOUR_MS) for it in parse(bodies)]
    return [body for _, body in sorted(zip(arrivals, bodies, strict=True))]


FLOOR: dict[str, Order] = {"reversed": reversed_, "shuffled within an hour": shuffled}
ONE_AGENT: dict[str, Order] = {"reversed": reversed_}


def measure(url: str, *, rounds: int, events: int) -> Iterator[Comparison | CostComparison]:
    sizes = (events, 2 * events, 4 * events)
    floor, agent = Bodies().take(sizes[-1]), one_agent("storm", sizes[-1])
    for name, bodies, orders in (("200 agents", floor, FLOOR), ("one agent", agent, ONE_AGENT)):
        yield from _measure(url, name, bodies, orders, sizes, rounds)


def _measure(
    url: str,
    name: str,
    bodies: Sequence[bytes],
    orders: dict[str, Order],
    sizes: Sequence[int],
    rounds: int,
) -> Iterator[Comparison | CostComparison]:
    beside = [
        Case(part=PART, name=f"{name}, {size:,} events", pairs=[(it, IN_ORDER) for it in orders])
        for size in sizes
    ]
    growing = {
        order: CostCase(
            part=PART,
            name=f"{name}, {order}",
            unit="s",
            pairs=[(f"{2 * size:,} events", f"{size:,} events") for size in sizes[:-1]],
        )
        for order in (IN_ORDER, *orders)
    }
    for _ in range(rounds):
        for size, case in zip(sizes, beside, strict=True):
            for order, arrange in {IN_ORDER: tuple[bytes, ...], **orders}.items():
                sample = _turn(url, arrange(bodies[:size]))
                case.add(order, sample)
                growing[order].add(f"{size:,} events", [sample.seconds])
    for one in (*beside, *growing.values()):
        yield from one.comparisons()


def _turn(url: str, bodies: Sequence[bytes]) -> Sample:
    """All is appended, then folded, and only that is timed."""
    own = new_database(url, "bench_storm_turn")
    pool = open_pool(own, max_size=1)
    store = EventStore(pool)
    fill(store, bodies, request=REQUEST)
    sample = Meter(own).timed(len(bodies), Runner(store, own).catch_up)
    pool.close()
    drop_database(url, "bench_storm_turn")
    return sample
