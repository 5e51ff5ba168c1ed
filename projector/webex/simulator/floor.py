"""The agents at work: they log in, take breaks, ring, talk and wrap up, and say so."""

from collections.abc import Iterator
from itertools import chain
from math import exp
from random import Random

from projector.webex.simulator.patterns import SPANS
from projector.webex.simulator.payloads import Body, Versions, Wire
from projector.webex.simulator.staff import CHANNEL_TYPES, Agent, IdleCode, Leg, Slot, hire, make_id
from projector.webex.simulator.timeline import Process, Timeline

BREAK_NAMES = ("Break", "Lunch", "Meeting", "Coaching")
WRAP_UP_CODES = 5
HIRED_WITHIN_MS = 40_000


class Floor:
    def __init__(self, agents: int, seed: int, start_ms: int, versions: Versions) -> None:
        # The roster depends on the seed alone, what happens also on the start: two runs with one
        # seed show the same people, and no event id of the first run comes back in the second.
        roster = Random(f"{seed} roster")  # noqa: S311 - a world, no secret
        self.rng = Random(f"{seed} {start_ms} lives")  # noqa: S311 - a world, no secret
        wire = Random(f"{seed} {start_ms} wire")  # noqa: S311 - a world, no secret
        self.teams = hire(agents, roster)
        self.login_code, self.end_code, self.refused_code, *self.break_codes = (
            IdleCode(make_id(roster), name)
            for name in ("Logged in", "End of shift", "RONA", *BREAK_NAMES)
        )
        self.wrap_up_codes = [make_id(roster) for _ in range(WRAP_UP_CODES)]
        self.timeline = Timeline(start_ms)
        self.wire = Wire(wire, versions)
        self.on_duty = 0
        for agent in chain.from_iterable(self.teams):
            self.timeline.start(self._shifts(agent), self.rng.randrange(HIRED_WITHIN_MS))

    @property
    def now(self) -> int:
        return self.timeline.now

    def span(self, name: str) -> int:
        """A duration of this kind, drawn anew."""
        kind = SPANS[name]
        return max(20, round(kind.median_ms * exp(self.rng.gauss(0.0, kind.spread))))

    def lag(self) -> int:
        """How long after a task's event its agent's event happens."""
        return self.rng.randint(20, 60)

    def queue_id(self, channel_type: str, team: int) -> str:
        return self.teams[team][0].team.queues[channel_type]

    def free_agent(self, channel_type: str, team: int) -> Agent | None:
        free = [a for a in self.teams[team % len(self.teams)] if a.can_take(channel_type)]
        return self.rng.choice(free) if free else None

    # What agents do

    def say(self, agent: Agent, word: str, leg: Leg, **more: str) -> None:
        """The agent's state in a task changes to this word."""
        leg.state = word
        named = {"taskId": leg.task_id, "queueId": leg.queue_id, "origin": leg.origin, **more}
        self._state(agent, word, leg.slot, named)

    def release(self, agent: Agent, leg: Leg) -> None:
        """The agent is rid of the task without wrapping up."""
        del agent.legs[leg.task_id]
        named = {"taskId": leg.task_id, "queueId": leg.queue_id}
        self._rest(agent, leg.slot, named)

    def wrap_up(self, agent: Agent, leg: Leg) -> Process:
        self.say(agent, "wrapup", leg)
        yield self.span("wrapup")
        self.say(agent, "wrapup-done", leg, wrapUpAuxCodeId=self.rng.choice(self.wrap_up_codes))
        yield self.rng.randint(1, 20)
        del agent.legs[leg.task_id]
        self._rest(agent, leg.slot, {})

    def refuse(self, agent: Agent, leg: Leg) -> Process:
        """The agent lets the offer pass: idle at once, and back after a while."""
        self.say(agent, "not-responding", leg)
        yield self.rng.randint(1, 20)
        del agent.legs[leg.task_id]
        if agent.wish is None:
            self._go_idle(agent, self.refused_code, leg.slot)
            self.timeline.start(self._come_back(agent, leg.slot))

    def _come_back(self, agent: Agent, slot: Slot) -> Process:
        yield self.rng.randint(8_000, 40_000)
        if agent.idle is self.refused_code and agent.wish is None:
            self._go_available(agent, slot)

    # Shifts

    def _shifts(self, agent: Agent) -> Process:
        worked = self.rng.random()  # the floor is found in the middle of a day
        while True:
            end = self.now + round(self.span("shift") * (1 - 0.9 * worked))
            self._log_in(agent)
            yield self.rng.randint(2_000, 9_000)
            self._go_available(agent, agent.slots[0])
            yield from self._work_until(end, agent)
            yield from self._become_idle(agent, self.end_code)
            yield self.rng.randint(1_500, 20_000)
            yield from self._log_out(agent)
            yield self.span("off")
            worked = 0.0

    def _work_until(self, end: int, agent: Agent) -> Process:
        while (until_break := self.span("until break")) < end - self.now:
            yield until_break
            yield from self._become_idle(agent, self.rng.choice(self.break_codes))
            yield self.span("break")
            self._go_available(agent, agent.slots[0])
        yield max(0, end - self.now)

    def _become_idle(self, agent: Agent, code: IdleCode) -> Process:
        """Asks to go idle, and is once the last task is off the desk."""
        agent.wish = code
        self._tell_channels(agent)
        while agent.legs:
            yield 500
        if agent.idle is not code:
            self._go_idle(agent, code, agent.slots[0])

    def _log_in(self, agent: Agent) -> None:
        agent.logged_in, agent.idle = True, self.login_code
        self.on_duty += 1
        data = {"profileType": agent.profile, "idleCodeId": self.login_code.id}
        data |= {"destination": agent.phone, "teamId": agent.team.id}
        self._session(agent, "login", "Idle", data)
        self._tell_channels(agent)

    def _log_out(self, agent: Agent) -> Process:
        agent.logged_in, agent.idle = False, None
        self.on_duty -= 1
        self._session(agent, "logout", "logged-out", {"loggedOutBy": "SELF"})
        yield self.rng.randint(1, 20)
        self._tell_channels(agent)

    def _go_available(self, agent: Agent, slot: Slot) -> None:
        """Told of a slot without a task: of another it would say that its task is over."""
        agent.idle = None
        self._state(agent, "available", slot, {})

    def _go_idle(self, agent: Agent, code: IdleCode, slot: Slot) -> None:
        agent.idle, agent.wish = code, None
        self._state(agent, "idle", slot, {"idleCodeId": code.id})

    def _rest(self, agent: Agent, slot: Slot, named: Body) -> None:
        """One task less: available in its slot, unless the agent is idle or asked to be."""
        if agent.wish and not agent.legs:
            agent.idle, agent.wish = agent.wish, None
        if code := agent.idle or agent.wish:
            self._state(agent, "idle", slot, {**named, "idleCodeId": code.id})
        else:
            self._state(agent, "available", slot, named)

    # What is told of it

    def _session(self, agent: Agent, event: str, word: str, more: Body) -> None:
        data = {"agentId": agent.id, "currentState": word, **more, "createdTime": self.now}
        self.wire.session(event, data)

    def _state(self, agent: Agent, word: str, slot: Slot, named: Body) -> None:
        data = {"agentId": agent.id, "currentState": word, "destination": agent.phone, **named}
        data |= {"teamId": agent.team.id, "createdTime": self.now}
        busy = agent.connected()
        # The first version knows no channels: its list can but name the tasks, and a word without
        # a task is the whole agent's, which waits until no other task rings or is wrapped up.
        tasks = {"connectedChannels": [leg.task_id for leg in busy]}
        channels = {"connectedChannels": [leg.slot.channel_id for leg in busy]}
        place = {"channelId": slot.channel_id, "channelType": slot.channel_type}
        told = "taskId" in named or len(busy) == len(agent.legs)
        self.wire.state(data | tasks if told else None, data | place | channels)
        self._tell_channels(agent)

    def _tell_channels(self, agent: Agent) -> None:
        for channel_type, data in self._changed_channels(agent):
            same = {"agentId": agent.id, "channelType": channel_type, "teamId": agent.team.id}
            self.wire.channel_type({**same, **data, "createdTime": self.now})

    def _changed_channels(self, agent: Agent) -> Iterator[tuple[str, Body]]:
        for channel_type in CHANNEL_TYPES:
            told = agent.channel(channel_type)
            if agent.shown.get(channel_type) != told:
                agent.shown[channel_type] = told
                code = {} if told.code_name is None else {"idleCodeName": told.code_name}
                state = {"currentState": told.word, "pendingIdleState": told.pending}
                yield channel_type, state | code
