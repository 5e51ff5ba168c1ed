"""The floor: agents log in, take breaks, take tasks and wrap up, and each step sends an event."""

from collections.abc import Iterator
from itertools import chain
from math import exp
from random import Random

from projector.webex.simulator.payloads import Outbox, Versions, WebhookBody
from projector.webex.simulator.staff import (
    CHANNEL_TYPES,
    ChannelSlot,
    IdleCode,
    SimulatedAgent,
    SimulatedLeg,
    hire,
    make_id,
)
from projector.webex.simulator.task_patterns import DURATIONS
from projector.webex.simulator.timeline import Process, Timeline

BREAK_NAMES = ("Break", "Lunch", "Meeting", "Coaching")
WRAP_UP_CODES = 5
HIRED_WITHIN_MS = 40_000


class SimulatedFloor:
    """All agents, the timeline that moves them, and the outbox for their events."""

    def __init__(self, agents: int, seed: int, start_ms: int, versions: Versions) -> None:
        # The roster depends on the seed alone; what happens also depends on the start. So two runs
        # with one seed have the same people, and no event id comes in both.
        roster = Random(f"{seed} roster")  # noqa: S311 - a simulation, no secret
        self.rng = Random(f"{seed} {start_ms} lives")  # noqa: S311 - a simulation, no secret
        envelopes = Random(f"{seed} {start_ms} wire")  # noqa: S311 - a simulation, no secret
        self.teams = hire(agents, roster)
        self.login_code, self.end_code, self.refused_code, *self.break_codes = (
            IdleCode(make_id(roster), name)
            for name in ("Logged in", "End of shift", "RONA", *BREAK_NAMES)
        )
        self.wrap_up_codes = [make_id(roster) for _ in range(WRAP_UP_CODES)]
        self.timeline = Timeline(start_ms)
        self.outbox = Outbox(envelopes, versions)
        self.on_duty = 0
        for agent in chain.from_iterable(self.teams):
            self.timeline.start(self._shifts(agent), self.rng.randrange(HIRED_WITHIN_MS))

    @property
    def now(self) -> int:
        return self.timeline.now

    def span(self, name: str) -> int:
        """A random duration of a kind, in milliseconds."""
        duration = DURATIONS[name]
        factor = exp(self.rng.gauss(0.0, duration.spread))
        return max(20, round(duration.median_ms * factor))

    def lag(self) -> int:
        """Milliseconds between a task's event and the agent's event for it."""
        return self.rng.randint(20, 60)

    def queue_id(self, channel_type: str, team: int) -> str:
        return self.teams[team][0].team.queues[channel_type]

    def free_agent(self, channel_type: str, team: int) -> SimulatedAgent | None:
        """An agent of a team who can take a task, at random; None where there is none."""
        members = self.teams[team % len(self.teams)]
        free = [agent for agent in members if agent.can_take(channel_type)]
        return self.rng.choice(free) if free else None

    # What agents do

    def say(self, agent: SimulatedAgent, word: str, leg: SimulatedLeg, **more: str) -> None:
        """The agent's state in a task changes to a word, and an event says so."""
        leg.state = word
        task = {"taskId": leg.task_id, "queueId": leg.queue_id, "origin": leg.origin, **more}
        self._state(agent, word, leg.slot, task)

    def release(self, agent: SimulatedAgent, leg: SimulatedLeg) -> None:
        """The agent leaves a task without wrapping up."""
        del agent.legs[leg.task_id]
        task = {"taskId": leg.task_id, "queueId": leg.queue_id}
        self._rest(agent, leg.slot, task)

    def wrap_up(self, agent: SimulatedAgent, leg: SimulatedLeg) -> Process:
        self.say(agent, "wrapup", leg)
        yield self.span("wrapup")
        self.say(agent, "wrapup-done", leg, wrapUpAuxCodeId=self.rng.choice(self.wrap_up_codes))
        yield self.rng.randint(1, 20)
        del agent.legs[leg.task_id]
        self._rest(agent, leg.slot, {})

    def refuse(self, agent: SimulatedAgent, leg: SimulatedLeg) -> Process:
        """The agent does not answer an offer: idle at once, and available after a while."""
        self.say(agent, "not-responding", leg)
        yield self.rng.randint(1, 20)
        del agent.legs[leg.task_id]
        if agent.requested_idle is None:
            self._go_idle(agent, self.refused_code, leg.slot)
            self.timeline.start(self._come_back(agent, leg.slot))

    def _come_back(self, agent: SimulatedAgent, slot: ChannelSlot) -> Process:
        yield self.rng.randint(8_000, 40_000)
        if agent.idle is self.refused_code and agent.requested_idle is None:
            self._go_available(agent, slot)

    # Shifts

    def _shifts(self, agent: SimulatedAgent) -> Process:
        worked = (
            self.rng.random()
        )  # part of the shift: the simulation begins in the middle of a day
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

    def _work_until(self, end: int, agent: SimulatedAgent) -> Process:
        while (until_break := self.span("until break")) < end - self.now:
            yield until_break
            yield from self._become_idle(agent, self.rng.choice(self.break_codes))
            yield self.span("break")
            self._go_available(agent, agent.slots[0])
        yield max(0, end - self.now)

    def _become_idle(self, agent: SimulatedAgent, code: IdleCode) -> Process:
        """The agent asks to go idle, and goes idle when the last task is over."""
        agent.requested_idle = code
        self._send_channel_changes(agent)
        while agent.legs:
            yield 500
        if agent.idle is not code:
            self._go_idle(agent, code, agent.slots[0])

    def _log_in(self, agent: SimulatedAgent) -> None:
        agent.logged_in, agent.idle = True, self.login_code
        self.on_duty += 1
        data = {"profileType": agent.profile, "idleCodeId": self.login_code.id}
        data |= {"destination": agent.phone, "teamId": agent.team.id}
        self._session(agent, "login", "Idle", data)
        self._send_channel_changes(agent)

    def _log_out(self, agent: SimulatedAgent) -> Process:
        agent.logged_in, agent.idle = False, None
        self.on_duty -= 1
        self._session(agent, "logout", "logged-out", {"loggedOutBy": "SELF"})
        yield self.rng.randint(1, 20)
        self._send_channel_changes(agent)

    def _go_available(self, agent: SimulatedAgent, slot: ChannelSlot) -> None:
        """``slot`` has no task: for another slot the event would say that its task is over."""
        agent.idle = None
        self._state(agent, "available", slot, {})

    def _go_idle(self, agent: SimulatedAgent, code: IdleCode, slot: ChannelSlot) -> None:
        agent.idle, agent.requested_idle = code, None
        self._state(agent, "idle", slot, {"idleCodeId": code.id})

    def _rest(self, agent: SimulatedAgent, slot: ChannelSlot, task: WebhookBody) -> None:
        """A task has left its slot: it is available, unless the agent is idle or asked to be."""
        if agent.requested_idle and not agent.legs:
            agent.idle, agent.requested_idle = agent.requested_idle, None
        if code := agent.idle or agent.requested_idle:
            self._state(agent, "idle", slot, {**task, "idleCodeId": code.id})
        else:
            self._state(agent, "available", slot, task)

    # Events

    def _session(self, agent: SimulatedAgent, event: str, word: str, fields: WebhookBody) -> None:
        data = {"agentId": agent.id, "currentState": word, **fields, "createdTime": self.now}
        self.outbox.session(event, data)

    def _state(
        self, agent: SimulatedAgent, word: str, slot: ChannelSlot, task: WebhookBody
    ) -> None:
        data = {"agentId": agent.id, "currentState": word, "destination": agent.phone, **task}
        data |= {"teamId": agent.team.id, "createdTime": self.now}
        busy = agent.connected()
        # The first version has no channels. So its list names the tasks, and a word without a task
        # is about the whole agent: it is sent only if no task rings or is wrapped up.
        tasks = {"connectedChannels": [leg.task_id for leg in busy]}
        channels = {"connectedChannels": [leg.slot.channel_id for leg in busy]}
        channel = {"channelId": slot.channel_id, "channelType": slot.channel_type}
        is_in_v1 = "taskId" in task or len(busy) == len(agent.legs)
        self.outbox.state(data | tasks if is_in_v1 else None, data | channel | channels)
        self._send_channel_changes(agent)

    def _send_channel_changes(self, agent: SimulatedAgent) -> None:
        for channel_type, data in self._changed_channels(agent):
            same = {"agentId": agent.id, "channelType": channel_type, "teamId": agent.team.id}
            self.outbox.channel_type({**same, **data, "createdTime": self.now})

    def _changed_channels(self, agent: SimulatedAgent) -> Iterator[tuple[str, WebhookBody]]:
        for channel_type in CHANNEL_TYPES:
            channel = agent.channel(channel_type)
            if agent.sent_words.get(channel_type) != channel:
                agent.sent_words[channel_type] = channel
                code = {} if channel.code_name is None else {"idleCodeName": channel.code_name}
                state = {"currentState": channel.word, "pendingIdleState": channel.pending}
                yield channel_type, state | code
