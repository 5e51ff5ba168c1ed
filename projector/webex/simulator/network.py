"""What happens to events between the vendor and us: paced to a rate, late, doubled, lost.

Pure and streaming: only what is still under way is held. Moments are epoch milliseconds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import count, islice
from random import Random
from typing import NamedTuple

from projector.webex.simulator.payloads import Body

LATE_MS = 20_000  # mean delay of a late event
MUCH_LATER_MS = 300_000  # mean delay of half of the second deliveries
FEWEST_IN_A_STRETCH = 20


class Delivery(NamedTuple):
    due_ms: int
    body: Body


def paced(events: Iterable[Body], rate: float, start_ms: int) -> Iterator[Body]:
    """The same events, their times moved so that `rate` of them happen in a second.

    The world's time is cut into stretches that hold one second's worth of events (at least 20).
    Each is stretched or pressed to the time these may take, so that gaps keep their proportions
    inside it and the rate holds whatever the hour of the day in the world.
    """
    events = iter(events)
    size = max(FEWEST_IN_A_STRETCH, round(rate))
    told = 0
    old_start: int | None = None
    while stretch := list(islice(events, size)):
        if old_start is None:
            old_start = _created(stretch[0])
        old_ms = max(1, _created(stretch[-1]) - old_start)
        new_start, new_ms = start_ms + told * 1_000 / rate, len(stretch) * 1_000 / rate
        for body in stretch:
            share = (_created(body) - old_start) / old_ms
            yield _moved(body, int(new_start + share * new_ms))
        old_start = _created(stretch[-1])
        told += len(stretch)


class _Chances(NamedTuple):
    late: float
    duplicate: float
    lose: float


def disturb(  # noqa: PLR0913 - three probabilities by name
    events: Iterable[Body],
    *,
    late: float = 0.0,
    duplicate: float = 0.0,
    lose: float = 0.0,
    seed: int = 1,
    counters: Counter[str] | None = None,
) -> Iterator[Delivery]:
    """Deliveries in the order they arrive, each fate with its probability; `counters` counts fates.

    Events must come in the order of their time. When they end, what is still under way arrives
    at once.
    """
    chances = _Chances(late, duplicate, lose)
    rng = Random(f"{seed} network")  # noqa: S311 - weather, no secret
    counters = Counter() if counters is None else counters
    under_way: list[tuple[int, int, Body]] = []
    order = count()
    for body in events:
        now = _created(body)
        for due in _arrivals(now, chances, rng, counters):
            heappush(under_way, (due, next(order), body))
        while under_way and under_way[0][0] <= now:
            yield _arrive(under_way)
    while under_way:
        yield _arrive(under_way)._replace(due_ms=now)


def _arrivals(now: int, chances: _Chances, rng: Random, counters: Counter[str]) -> Iterator[int]:
    if rng.random() < chances.lose:
        counters["lost"] += 1
        return
    first = now
    if rng.random() < chances.late:
        counters["late"] += 1
        first += 1 + round(rng.expovariate(1 / LATE_MS))
    yield first
    if rng.random() < chances.duplicate:
        counters["duplicated"] += 1
        yield first + round(rng.expovariate(1 / rng.choice((1_000, MUCH_LATER_MS))))


def _arrive(under_way: list[tuple[int, int, Body]]) -> Delivery:
    due, _, body = heappop(under_way)
    return Delivery(due, body)


def _created(body: Body) -> int:
    return int(body["data"]["createdTime"])


def _moved(body: Body, created: int) -> Body:
    """A copy that happened at another time and was dispatched as long after it."""
    data = {**body["data"], "createdTime": created}
    if "comciscotimestamp" not in body:
        return {**body, "data": data}
    lag = int(body["comciscotimestamp"]) - _created(body)
    return {**body, "comciscotimestamp": str(created + lag), "data": data}
