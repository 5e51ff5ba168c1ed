"""A simulated task: the events that it sends, and how it finds an agent."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count

from projector.webex.simulator.floor import SimulatedFloor
from projector.webex.simulator.payloads import WebhookBody
from projector.webex.simulator.staff import SimulatedAgent, SimulatedLeg
from projector.webex.simulator.timeline import Process

ROUTING_TRIES_EVERY_MS = (400, 1_200)
TRIES_A_TEAM = 4  # then the next team is tried
WITHOUT_QUEUE = {"new", "failed"}


@dataclass
class SimulatedTask:
    id: str
    channel_type: str
    team: int
    queue_id: str
    origin: str
    destination: str
    plan: deque[str]
    direction: str = "INBOUND"
    outbound_type: str | None = None
    parked: bool = False
    legs: list[tuple[SimulatedAgent, SimulatedLeg]] = field(
        default_factory=list
    )  # in the order they joined


def send_event(floor: SimulatedFloor, task: SimulatedTask, event: str, **more: str | None) -> None:
    data: WebhookBody = {
        "taskId": task.id,
        "origin": task.origin,
        "destination": task.destination,
        "direction": task.direction,
        "channelType": task.channel_type,
        "outboundType": task.outbound_type,
        "queueId": task.queue_id,
        **more,
        "createdTime": floor.now,
    }
    if event in WITHOUT_QUEUE:
        del data["queueId"]
    floor.outbox.task(event, data)


def send_ended(floor: SimulatedFloor, task: SimulatedTask, party: str) -> None:
    send_event(floor, task, "ended", terminatingParty=party, reason=f"{party} Left")


def find_agent(
    floor: SimulatedFloor, task: SimulatedTask
) -> Generator[int, None, SimulatedAgent | None]:
    """A free agent; None if there is none before the customer's patience ends."""
    patience_ends = floor.now + floor.span(f"{task.channel_type} patience")
    for tries in count():
        agent = floor.free_agent(task.channel_type, task.team + tries // TRIES_A_TEAM)
        if agent or floor.now > patience_ends:
            return agent
        if not task.parked:
            park(floor, task)
        yield floor.rng.randint(*ROUTING_TRIES_EVERY_MS)
    return None


def park(floor: SimulatedFloor, task: SimulatedTask) -> None:
    task.parked = True
    send_event(floor, task, "parked")


def reserve(task: SimulatedTask, agent: SimulatedAgent) -> None:
    """The agent joins the task, and is not free for another one from now on."""
    leg = agent.reserve(task.id, task.queue_id, task.channel_type, task.origin)
    task.legs.append((agent, leg))


def ring(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    yield floor.lag()
    say(floor, task, "ringing")


def route(floor: SimulatedFloor, task: SimulatedTask) -> Generator[int, None, bool]:
    """Rings a free agent. If there is none in time, the customer leaves."""
    agent = yield from find_agent(floor, task)
    if agent is None:
        task.plan = deque(["leave"])
        return False
    reserve(task, agent)
    task.parked = False
    send_event(floor, task, "connect")
    yield from ring(floor, task)
    return True


def say(floor: SimulatedFloor, task: SimulatedTask, word: str) -> None:
    """The agent who joined last changes to a state word."""
    agent, leg = task.legs[-1]
    floor.say(agent, word, leg)


def all_say(floor: SimulatedFloor, task: SimulatedTask, word: str) -> Process:
    """The task's event, and soon after it the same word of each of its agents."""
    send_event(floor, task, word)
    for agent, leg in task.legs:
        yield floor.lag()
        floor.say(agent, word, leg)


def find_colleague(floor: SimulatedFloor, task: SimulatedTask) -> SimulatedAgent | None:
    """An agent who is free now, of the same team or else of the neighbouring one."""
    first, second = (floor.free_agent(task.channel_type, task.team + step) for step in (0, 1))
    return first or second
