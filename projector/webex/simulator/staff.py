"""Teams, agents and the tasks that an agent can take: the rules that keep the floor consistent."""

from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple
from uuid import UUID

CHANNEL_TYPES = ("telephony", "chat", "email")
SLOTS = {"telephony": 1, "chat": 2, "email": 3}
PROFILES = ("BLENDED", "BLENDED", "BLENDED_REALTIME", "EXCLUSIVE")
REALTIME = {"telephony", "chat"}
AGENTS_A_TEAM = 12
OFFERED = {"ringing", "not-responding"}
NOT_BUSY = OFFERED | {"wrapup", "wrapup-done"}  # a leg in such a state has no connected channel


class IdleCode(NamedTuple):
    id: str
    name: str


class ChannelSlot(NamedTuple):
    """Room for one task at an agent. The vendor calls it a channel, and gives it an id."""

    channel_id: str
    channel_type: str


class ChannelWord(NamedTuple):
    """What the vendor says of one channel type of an agent."""

    word: str
    pending: bool
    code_name: str | None


@dataclass(frozen=True)
class Team:
    id: str
    queues: dict[str, str]  # by channel type


@dataclass
class SimulatedLeg:
    """An agent's part in a task, from the offer until the agent has left it."""

    task_id: str
    queue_id: str
    origin: str
    slot: ChannelSlot
    state: str = "ringing"


@dataclass
class SimulatedAgent:
    """An agent: a session, an idle code, and the legs of open tasks."""

    id: str
    team: Team
    phone: str
    profile: str
    slots: tuple[ChannelSlot, ...]
    logged_in: bool = False
    idle: IdleCode | None = None
    requested_idle: IdleCode | None = None  # the agent asked to go idle, and still has tasks
    legs: dict[str, SimulatedLeg] = field(default_factory=dict)
    sent_words: dict[str, ChannelWord] = field(default_factory=dict)  # the last, by channel type

    def can_take(self, channel_type: str) -> bool:
        """Whether the agent is available for one more task of a channel type."""
        at_work = self.logged_in and not self.idle and not self.requested_idle
        return at_work and not self.is_blocked(channel_type) and bool(self._free(channel_type))

    def is_blocked(self, channel_type: str) -> bool:
        """Whether work on another channel type closes this one, as the profile says."""
        others = {leg.slot.channel_type for leg in self.legs.values()} - {channel_type}
        if self.profile == "EXCLUSIVE":
            return bool(others)
        return self.profile == "BLENDED_REALTIME" and {channel_type, *others} >= REALTIME

    def reserve(self, task_id: str, queue_id: str, channel_type: str, origin: str) -> SimulatedLeg:
        leg = SimulatedLeg(task_id, queue_id, origin, self._free(channel_type)[0])
        self.legs[task_id] = leg
        return leg

    def connected(self) -> list[SimulatedLeg]:
        """The legs that count among the connected channels."""
        return [leg for leg in self.legs.values() if leg.state not in NOT_BUSY]

    def channel(self, channel_type: str) -> ChannelWord:
        """What the vendor says of a channel type; it follows from the session and the legs."""
        states = {leg.state for leg in self.legs.values() if leg.slot.channel_type == channel_type}
        if not self.logged_in:
            return ChannelWord("LoggedOut", pending=False, code_name=None)
        code = self.idle or self.requested_idle
        if states:
            return ChannelWord(_busy_word(states), code is not None, code.name if code else None)
        if code:
            return ChannelWord("Idle", pending=False, code_name=code.name)
        word = "EngagedOther" if self.is_blocked(channel_type) else "Available"
        return ChannelWord(word, pending=False, code_name=None)

    def _free(self, channel_type: str) -> list[ChannelSlot]:
        taken = {leg.slot for leg in self.legs.values()}
        return [it for it in self.slots if it.channel_type == channel_type and it not in taken]


def _busy_word(states: set[str]) -> str:
    if states <= OFFERED:
        return "Reserved"
    return "WrapUp" if states <= NOT_BUSY else "Engaged"


def make_id(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def hire(agents: int, rng: Random) -> list[list[SimulatedAgent]]:
    """New agents, by team."""
    teams = [_team(rng) for _ in range(-(-agents // AGENTS_A_TEAM))]
    roster: list[list[SimulatedAgent]] = [[] for _ in teams]
    for number in range(agents):
        home = number % len(teams)
        roster[home].append(_agent(number, teams[home], rng))
    return roster


def _team(rng: Random) -> Team:
    return Team(make_id(rng), {channel_type: make_id(rng) for channel_type in CHANNEL_TYPES})


def _agent(number: int, team: Team, rng: Random) -> SimulatedAgent:
    slots = tuple(
        ChannelSlot(make_id(rng), kind) for kind in CHANNEL_TYPES for _ in range(SLOTS[kind])
    )
    return SimulatedAgent(make_id(rng), team, str(4000 + number), rng.choice(PROFILES), slots)
