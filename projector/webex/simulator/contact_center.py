"""A made-up contact centre that never closes: webhook bodies, for ever, in the order of time.

Pure: nothing here reads a clock or the network, and equal arguments give equal streams.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from math import pi, sin

from projector.webex.simulator.floor import Floor
from projector.webex.simulator.lives import live, phone_number
from projector.webex.simulator.patterns import GAPS_MS, LIVES
from projector.webex.simulator.payloads import Body, Versions
from projector.webex.simulator.staff import make_id
from projector.webex.simulator.task import Task
from projector.webex.simulator.timeline import Process

DAY_MS = 86_400_000
LONGEST_GAP_MS = 300_000


class Simulation:
    """`agents` people at work from `start_ms` on; iterate for what the vendor would tell.

    `versions` is that of the agents' events: "1" knows no channels, "2" does, "both" tells
    everything of an agent twice, as two subscriptions would.
    """

    def __init__(
        self, agents: int, seed: int = 1, *, start_ms: int, versions: Versions = "2"
    ) -> None:
        self._floor = Floor(agents, seed, start_ms, versions)
        for channel_type in LIVES:
            self._floor.timeline.start(arrivals(self._floor, channel_type))

    def slots(self) -> dict[str, list[tuple[str, str]]]:
        """The channels of each agent: id and type."""
        return {
            agent.id: [(slot.channel_id, slot.channel_type) for slot in agent.slots]
            for agent in chain.from_iterable(self._floor.teams)
        }

    def __iter__(self) -> Iterator[Body]:
        while True:
            self._floor.timeline.step()
            yield from self._floor.wire.take()


def arrivals(floor: Floor, channel_type: str) -> Process:
    """New tasks, the more the more agents are on duty; some come even when nobody is."""
    while True:
        busy = (0.85 + 0.15 * sin(2 * pi * floor.now / DAY_MS)) * max(floor.on_duty, 0.5)
        gap = floor.rng.expovariate(busy / GAPS_MS[channel_type])
        yield min(round(gap), LONGEST_GAP_MS)
        floor.timeline.start(live(floor, new_task(floor, channel_type)))


def new_task(floor: Floor, channel_type: str) -> Task:
    lives = LIVES[channel_type].values()
    [life] = floor.rng.choices([*lives], [life.weight for life in lives])
    team = floor.rng.randrange(len(floor.teams))
    origin, destination = ADDRESSES[channel_type](floor, team)
    queue_id = floor.queue_id(channel_type, team)
    plan = deque(life.steps.split())
    return Task(make_id(floor.rng), channel_type, team, queue_id, origin, destination, plan)


def phone_addresses(floor: Floor, team: int) -> tuple[str, str]:
    return phone_number(floor), f"+1555010{team:04}"


def chat_addresses(floor: Floor, team: int) -> tuple[str, str]:
    return customer_address(floor), f"Chat_EP_{team}"


def email_addresses(floor: Floor, team: int) -> tuple[str, str]:
    return customer_address(floor), f"support-{team}@example.org"


def customer_address(floor: Floor) -> str:
    return f"customer-{floor.rng.randrange(10**6)}@example.com"


ADDRESSES: dict[str, Callable[[Floor, int], tuple[str, str]]] = {
    "telephony": phone_addresses,
    "chat": chat_addresses,
    "email": email_addresses,
}
