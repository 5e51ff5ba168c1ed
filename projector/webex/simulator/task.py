"""A task: what it tells of itself, and how it gets hold of an agent."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count

from projector.webex.simulator.floor import Floor
from projector.webex.simulator.payloads import Body
from projector.webex.simulator.staff import Agent, Leg
from projector.webex.simulator.timeline import Process

ROUTING_TRIES_EVERY_MS = (400, 1_200)
TRIES_A_TEAM = 4  # then the neighbouring team may help as well
WITHOUT_QUEUE = {"new", "failed"}


@dataclass
class Task:
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
    legs: list[tuple[Agent, Leg]] = field(default_factory=list)  # in the order they joined


def tell(floor: Floor, task: Task, event: str, **more: str | None) -> None:
    data: Body = {
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
    floor.wire.task(event, data)


def tell_ended(floor: Floor, task: Task, party: str) -> None:
    tell(floor, task, "ended", terminatingParty=party, reason=f"{party} Left")


def find(floor: Floor, task: Task) -> Generator[int, None, Agent | None]:
    """A free agent, waited for as long as the customer's patience lasts."""
    patience_ends = floor.now + floor.span(f"{task.channel_type} patience")
    for tries in count():
        agent = floor.free_agent(task.channel_type, task.team + tries // TRIES_A_TEAM)
        if agent or floor.now > patience_ends:
            return agent
        if not task.parked:
            park(floor, task)
        yield floor.rng.randint(*ROUTING_TRIES_EVERY_MS)
    return None


def park(floor: Floor, task: Task) -> None:
    task.parked = True
    tell(floor, task, "parked")


def reserve(task: Task, agent: Agent) -> None:
    """The agent joins the task's legs, and nobody else can have this agent from now on."""
    leg = agent.reserve(task.id, task.queue_id, task.channel_type, task.origin)
    task.legs.append((agent, leg))


def ring(floor: Floor, task: Task) -> Process:
    yield floor.lag()
    say(floor, task, "ringing")


def route(floor: Floor, task: Task) -> Generator[int, None, bool]:
    """Rings a free agent. Without one in time the customer leaves."""
    agent = yield from find(floor, task)
    if agent is None:
        task.plan = deque(["leave"])
        return False
    reserve(task, agent)
    task.parked = False
    tell(floor, task, "connect")
    yield from ring(floor, task)
    return True


def say(floor: Floor, task: Task, word: str) -> None:
    """The word of the agent who joined last."""
    agent, leg = task.legs[-1]
    floor.say(agent, word, leg)


def all_say(floor: Floor, task: Task, word: str) -> Process:
    """The task's event, and soon after it the same word of every agent on it."""
    tell(floor, task, word)
    for agent, leg in task.legs:
        yield floor.lag()
        floor.say(agent, word, leg)


def find_colleague(floor: Floor, task: Task) -> Agent | None:
    """Free now, in the same team or the neighbouring one."""
    first, second = (floor.free_agent(task.channel_type, task.team + step) for step in (0, 1))
    return first or second
