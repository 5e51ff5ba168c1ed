"""The network between the vendor and the service: it makes events late, doubles and loses them.

Pure and streaming: only deliveries under way are in memory. Times are epoch milliseconds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import count, islice
from random import Random
from typing import NamedTuple

from projector.webex.simulator.payloads import WebhookBody

LATE_MS = 20_000  # mean delay of a late event
MUCH_LATER_MS = 300_000  # mean delay of half of the second deliveries
FEWEST_IN_A_SLICE = 20


class NetworkDelivery(NamedTuple):
    """A webhook body, and the time at which it arrives (epoch ms)."""

    due_ms: int
    body: WebhookBody


def paced(events: Iterable[WebhookBody], rate: float, start_ms: int) -> Iterator[WebhookBody]:
    """The same events, with their times moved so that `rate` of them happen in a second.

    The events are cut into slices of one second's worth (at least 20). Each slice is scaled to the
    time that its events may take. So the gaps keep their proportions within a slice, and the rate
    is the same at any hour of the simulated day.
    """
    events = iter(events)
    size = max(FEWEST_IN_A_SLICE, round(rate))
    count_before = 0
    old_start: int | None = None
    while events_of_slice := list(islice(events, size)):
        if old_start is None:
            old_start = _created(events_of_slice[0])
        old_ms = max(1, _created(events_of_slice[-1]) - old_start)
        new_start, new_ms = (
            start_ms + count_before * 1_000 / rate,
            len(events_of_slice) * 1_000 / rate,
        )
        for body in events_of_slice:
            share = (_created(body) - old_start) / old_ms
            yield _moved(body, int(new_start + share * new_ms))
        old_start = _created(events_of_slice[-1])
        count_before += len(events_of_slice)


class _Chances(NamedTuple):
    late: float
    duplicate: float
    lose: float


def disturb(  # noqa: PLR0913 - three probabilities by name
    events: Iterable[WebhookBody],
    *,
    late: float = 0.0,
    duplicate: float = 0.0,
    lose: float = 0.0,
    seed: int = 1,
    counters: Counter[str] | None = None,
) -> Iterator[NetworkDelivery]:
    """Deliveries in the order in which they arrive.

    `late`, `duplicate` and `lose` are probabilities; `counters` counts how often each happened.
    Events must come in the order of their time. After the last event, everything that is still
    under way arrives at once.
    """
    chances = _Chances(late, duplicate, lose)
    rng = Random(f"{seed} network")  # noqa: S311 - a simulation, no secret
    counters = Counter() if counters is None else counters
    under_way: list[tuple[int, int, WebhookBody]] = []
    order = count()
    for body in events:
        now = _created(body)
        for due in _arrivals(now, chances, rng, counters):
            heappush(under_way, (due, next(order), body))
        while under_way and under_way[0][0] <= now:
            yield _arrive(under_way)
    while under_way:
        yield _arrive(under_way)._replace(due_ms=now)


def storms(  # noqa: PLR0913 - all but the first by name
    deliveries: Iterable[NetworkDelivery],
    *,
    start_ms: int,
    every_ms: int,
    hold_ms: int,
    seed: int = 1,
    counters: Counter[str] | None = None,
) -> Iterator[NetworkDelivery]:
    """The same deliveries, but from time to time nothing arrives, and then all of it at once.

    Each ``every_ms`` from ``start_ms`` on ends with ``hold_ms`` in which all is held; it arrives at
    their end, in any order. ``counters`` counts what was held. Deliveries must come by due time.
    """
    rng = Random(f"{seed} storms")  # noqa: S311 - a simulation, no secret
    counters = Counter() if counters is None else counters
    held: list[NetworkDelivery] = []
    held_until = 0
    for delivery in deliveries:
        if held and delivery.due_ms >= held_until:
            yield from _let_go(held, held_until, rng)
            held = []
        since = (delivery.due_ms - start_ms) % every_ms
        if delivery.due_ms >= start_ms and since >= every_ms - hold_ms:
            held_until = delivery.due_ms - since + every_ms
            held.append(delivery)
            counters["held"] += 1
        else:
            yield delivery
    yield from _let_go(held, held_until, rng)


def _let_go(held: list[NetworkDelivery], due_ms: int, rng: Random) -> Iterator[NetworkDelivery]:
    rng.shuffle(held)
    return (delivery._replace(due_ms=due_ms) for delivery in held)


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


def _arrive(under_way: list[tuple[int, int, WebhookBody]]) -> NetworkDelivery:
    due, _, body = heappop(under_way)
    return NetworkDelivery(due, body)


def _created(body: WebhookBody) -> int:
    return int(body["data"]["createdTime"])


def _moved(body: WebhookBody, created: int) -> WebhookBody:
    """A copy that happened at another time, and was dispatched as long after it."""
    data = {**body["data"], "createdTime": created}
    if "comciscotimestamp" not in body:
        return {**body, "data": data}
    lag = int(body["comciscotimestamp"]) - _created(body)
    return {**body, "comciscotimestamp": str(created + lag), "data": data}
