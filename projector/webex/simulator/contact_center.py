"""A made-up contact centre that never closes: an endless stream of webhook bodies, by time.

Rule: equal arguments give equal streams. So nothing here reads a clock or the network.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from math import pi, sin

from projector.webex.simulator.directory import directory
from projector.webex.simulator.floor import SimulatedFloor
from projector.webex.simulator.payloads import Versions, WebhookBody
from projector.webex.simulator.staff import make_id
from projector.webex.simulator.task import SimulatedTask
from projector.webex.simulator.task_patterns import ARRIVAL_GAPS_MS, PATTERNS
from projector.webex.simulator.task_steps import phone_number, run_plan
from projector.webex.simulator.timeline import Process
from projector.webex.simulator.vendor_rows import SimulatedName

DAILY_CYCLE_MS = 86_400_000
LONGEST_GAP_MS = 300_000  # between two new tasks of a channel type


class Simulation:
    """`agents` people at work from `start_ms` (epoch ms) on; iterate for the webhooks' bodies.

    `versions` are those of the agents' events: "1" has no channels, "2" has them, and "both" says
    everything about an agent twice, as two subscriptions would.
    """

    def __init__(
        self, agents: int, seed: int = 1, *, start_ms: int, versions: Versions = "2"
    ) -> None:
        self._floor = SimulatedFloor(agents, seed, start_ms, versions)
        for channel_type in PATTERNS:
            self._floor.timeline.start(arrivals(self._floor, channel_type))

    def slots(self) -> dict[str, list[tuple[str, str]]]:
        """The channels of each agent, as (id, type), by the agent's id."""
        return {
            agent.id: [(slot.channel_id, slot.channel_type) for slot in agent.slots]
            for agent in chain.from_iterable(self._floor.teams)
        }

    def names(self) -> Iterator[SimulatedName]:
        """What people call the agents, teams, queues and codes: kind, id and name."""
        return directory(self._floor)

    def __iter__(self) -> Iterator[WebhookBody]:
        while True:
            self._floor.timeline.step()
            yield from self._floor.outbox.take()


def arrivals(floor: SimulatedFloor, channel_type: str) -> Process:
    """Starts tasks: their number grows with the agents on duty; some come even without any."""
    while True:
        busy = (0.85 + 0.15 * sin(2 * pi * floor.now / DAILY_CYCLE_MS)) * max(floor.on_duty, 0.5)
        gap = floor.rng.expovariate(busy / ARRIVAL_GAPS_MS[channel_type])
        yield min(round(gap), LONGEST_GAP_MS)
        floor.timeline.start(run_plan(floor, new_task(floor, channel_type)))


def new_task(floor: SimulatedFloor, channel_type: str) -> SimulatedTask:
    patterns = PATTERNS[channel_type].values()
    [pattern] = floor.rng.choices([*patterns], [it.weight for it in patterns])
    team = floor.rng.randrange(len(floor.teams))
    origin, destination = ADDRESSES[channel_type](floor, team)
    queue_id = floor.queue_id(channel_type, team)
    plan = deque(pattern.steps.split())
    return SimulatedTask(
        make_id(floor.rng), channel_type, team, queue_id, origin, destination, plan
    )


def phone_addresses(floor: SimulatedFloor, team: int) -> tuple[str, str]:
    return phone_number(floor), f"+1555010{team:04}"


def chat_addresses(floor: SimulatedFloor, team: int) -> tuple[str, str]:
    return customer_address(floor), f"Chat_EP_{team}"


def email_addresses(floor: SimulatedFloor, team: int) -> tuple[str, str]:
    return customer_address(floor), f"support-{team}@example.org"


def customer_address(floor: SimulatedFloor) -> str:
    return f"customer-{floor.rng.randrange(10**6)}@example.com"


ADDRESSES: dict[str, Callable[[SimulatedFloor, int], tuple[str, str]]] = {
    "telephony": phone_addresses,
    "chat": chat_addresses,
    "email": email_addresses,
}
