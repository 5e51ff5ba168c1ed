"""The journey of a task: how its events begin and end its waits, offers and contacts.

Rule: a customer waits, or is in conversation, or neither. An offer goes on beside both. What no
later event can change is final and leaves the journey; the rows keep it (semantics 10).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from projector.domain.contact import Contact, FactTask
from projector.domain.facts import AgentPart, Fact, FactKind, FactOutcome, Facts
from projector.domain.leg import IN_CONVERSATION
from projector.domain.participant import Participant


@dataclass(slots=True, kw_only=True)
class OpenFact:
    """A wait or an offer that has not ended."""

    start: int
    number: int  # among those that begin in the same millisecond
    queue_id: str | None
    # Of a wait: who rang for it or had the first word during it. Of an offer: who rang.
    agent_ids: list[str] = field(default_factory=list)  # sorted

    def add_agent(self, agent_id: str) -> None:
        """Note that the fact concerns an agent."""
        if agent_id not in self.agent_ids:
            insort(self.agent_ids, agent_id)

    def fact(
        self, kind: FactKind, task: FactTask, end: int | None, outcome: FactOutcome | None
    ) -> Fact:
        """The fact, if it ends at a time (epoch ms) and with an outcome."""
        teams = {name: task.participants[name].team_id for name in self.agent_ids}
        return Fact(
            kind=kind,
            start=self.start,
            number=self.number,
            end=end,
            counted_time=end,
            outcome=outcome,
            queue_id=self.queue_id,
            channel_type=task.channel_type,
            direction=task.direction,
            is_doubtful=outcome is FactOutcome.UNKNOWN,
            parts={name: AgentPart(team_id=team_id) for name, team_id in teams.items()},
        )


@dataclass(slots=True, kw_only=True)
class Journey:
    """The facts of a task that are not final, and those that its last events made final.

    Times are epoch ms. Each method takes the task as it is after the event, participants aside:
    they are as before.
    """

    wait: OpenFact | None = None
    offer: OpenFact | None = None
    contacts: list[Contact] = field(default_factory=list)  # the last one may go on
    has_rung: bool = False  # ringing was told of some agent
    # What began in the millisecond of the last event: kind to number.
    begun_time: int | None = None
    begun: dict[str, int] = field(default_factory=dict)
    final: list[Fact] = field(default_factory=list, compare=False)

    @property
    def open_contact(self) -> Contact | None:
        """The conversation that goes on; None where there is none."""
        last = self.contacts[-1] if self.contacts else None
        return last if last is not None and last.end is None else None

    # --- results ---

    def take_final(self) -> Facts:
        """The facts that became final since they were last taken."""
        if not self.final:
            return {}
        facts, self.final = {fact.key: fact for fact in self.final}, []
        return facts

    def live_facts(self, task: FactTask, deadline: int | None) -> Facts:
        """The wait that goes on and the contacts that have ended, unless they are final.

        ``deadline`` is when the passing of time ends the wait.
        """
        facts = [it.fact(task) for it in self.contacts if it.end is not None]
        if self.wait is not None:
            facts.append(self.wait.fact(FactKind.WAIT, task, deadline, FactOutcome.UNKNOWN))
        return {fact.key: fact for fact in facts}

    def uncounted_facts(self, task: FactTask) -> Iterator[Fact]:
        """The offer and the conversation that go on: no figure counts them yet."""
        if self.offer is not None:
            yield self.offer.fact(FactKind.OFFER, task, None, None)
        if (contact := self.open_contact) is not None:
            yield contact.fact(task)

    # --- the passing of time ---

    def move_to(self, task: FactTask, time: int) -> None:
        """Go on to the time of an event: what no event from then on can change is final."""
        if self.begun_time is not None and self.begun_time < time:
            self.begun_time, self.begun = None, {}
        if self.contacts:
            last = self.contacts[-1]
            for contact in list(self.contacts):
                if contact.is_final(time, has_next=contact is not last):
                    self.contacts.remove(contact)
                    self.final.append(contact.fact(task))

    def with_wait_overdue(self, task: FactTask, time: int) -> Journey:
        """The journey once time has ended its wait. This one stays as it is."""
        if self.wait is None:
            return self
        ended = self.wait.fact(FactKind.WAIT, task, time, FactOutcome.UNKNOWN)
        return replace(self, wait=None, final=[*self.final, ended])

    # --- words of the task; ``queue_id`` is that of the event ---

    def park(self, task: FactTask, time: int, queue_id: str | None) -> None:
        """The customer is queued."""
        self._end_contact(task, time)
        self._end_offer(task, time, FactOutcome.REFUSED)
        wait = self.wait
        if wait is not None and wait.queue_id is None:
            wait.queue_id = queue_id
        elif wait is not None and queue_id not in {None, wait.queue_id}:
            self._end_wait(task, time, FactOutcome.MOVED)
        if self.wait is None:
            self.wait = self._begin(FactKind.WAIT, time, queue_id or task.queue_id)

    def offer_task(
        self, task: FactTask, time: int, queue_id: str | None, *, keeps_waiting: bool
    ) -> None:
        """The task is offered; ``keeps_waiting`` says whether a customer waits for an answer."""
        self._end_offer(task, time, FactOutcome.REFUSED)
        queue_id = queue_id or task.queue_id
        if keeps_waiting and self.wait is None and self.open_contact is None:
            self.wait = self._begin(FactKind.WAIT, time, queue_id)
        self.offer = self._begin(FactKind.OFFER, time, queue_id)

    def refuse_offer(self, task: FactTask, time: int) -> None:
        """The system takes the offer back, since nobody responded."""
        self._end_offer(task, time, FactOutcome.REFUSED)

    def converse(self, task: FactTask, time: int) -> None:
        """The conversation goes on, or begins: then it answers the wait and accepts the offer."""
        if self.open_contact is not None:
            return
        queue_id = self.wait.queue_id if self.wait is not None else None
        self._end_wait(task, time, FactOutcome.ANSWERED)
        self._end_offer(task, time, FactOutcome.ACCEPTED)
        number = self._next_number(FactKind.CONTACT, time)
        contact = Contact(start=time, number=number, queue_id=queue_id or task.queue_id)
        for agent_id, participant in task.participants.items():
            if participant.is_in_conversation():
                contact.note_word(agent_id, participant.state)
                contact.share_of(agent_id).team_id = participant.team_id
        self.contacts.append(contact)

    def end(self, task: FactTask, time: int, outcome: FactOutcome) -> None:
        """The task ends or fails; ``outcome`` is that of a wait."""
        self._end_contact(task, time)
        self._end_wait(task, time, outcome)
        self._end_offer(task, time, FactOutcome.WITHDRAWN)

    def leave_state(self, state: str, since: int, time: int) -> None:
        """The task leaves a state in which it was for a while."""
        contact = self.open_contact
        if contact is not None:
            contact.add_stretch(state, time - max(since, contact.start))

    def drop_wait(self) -> None:
        """Nobody has waited: the contact centre calls the customer."""
        wait = self.wait
        if wait is not None:
            self.wait = None
            if self.begun_time == wait.start:
                self.begun[FactKind.WAIT.value] -= 1

    # --- words of agents ---

    def note_agent(self, agent_id: str, word: str, *, is_new: bool) -> None:
        """An agent says something of the task; ``is_new`` says whether for the first time."""
        if word == "ringing":
            self.has_rung = True
            for fact in (self.wait, self.offer):
                if fact is not None:
                    fact.add_agent(agent_id)
        elif is_new and self.wait is not None:
            self.wait.add_agent(agent_id)

    def is_about_wait(self, agent_id: str) -> bool:
        """Whether a word of an agent may end the wait: it is not of an earlier conversation."""
        return self.wait is None or agent_id in self.wait.agent_ids

    def refuse(self, task: FactTask, time: int, agent_id: str) -> None:
        """An agent did not respond: one who rang for the offer, or any where no ringing is told."""
        offer = self.offer
        if offer is not None and (not self.has_rung or agent_id in offer.agent_ids):
            offer.add_agent(agent_id)
            self._end_offer(task, time, FactOutcome.REFUSED)

    def answer(self, task: FactTask, time: int, agent_id: str) -> None:
        """An agent is in conversation."""
        if self.open_contact is None and self.offer is not None:
            self.offer.add_agent(agent_id)
        self.converse(task, time)

    def note_trace(self, task: FactTask, time: int) -> None:
        """Something hints at a conversation whose words are lost."""
        self._end_wait(task, time, FactOutcome.UNKNOWN)

    def change_word(self, agent_id: str, participant: Participant, word: str, time: int) -> None:
        """A participant goes from one state to the next one."""
        contact = self.open_contact
        if contact is not None:
            if participant.is_in_conversation():
                self._leave_conversation(contact, agent_id, participant, time)
            if word in IN_CONVERSATION:
                contact.note_word(agent_id, word)
        if participant.state == "wrapup":
            self._finish_wrap_up(agent_id, participant, time)
        if word == "wrapup" and self.contacts:
            latest = self.contacts[-1]
            latest.share_of(agent_id).wraps_up = True
            participant.wraps_up = latest.moment

    def note_team(self, agent_id: str, participant: Participant) -> None:
        """Note the team of an agent after its word: it is that of its part in the contact."""
        for contact in self.contacts:
            share = contact.shares.get(agent_id)
            if share is not None and (contact.end is None or share.wraps_up):
                share.team_id = participant.team_id

    def _finish_wrap_up(self, agent_id: str, participant: Participant, time: int) -> None:
        contact = next((it for it in self.contacts if it.moment == participant.wraps_up), None)
        participant.wraps_up = None
        if contact is not None:
            share = contact.share_of(agent_id)
            share.wraps_up, share.team_id = False, participant.team_id
            share.wrap_up_ms += time - participant.since
            contact.wrap_up_end = max(contact.wrap_up_end, time)

    def _leave_conversation(
        self, contact: Contact, agent_id: str, participant: Participant, time: int
    ) -> None:
        ms = time - max(participant.since, contact.start)
        contact.add_stretch(participant.state, ms, contact.share_of(agent_id))

    # --- beginnings and ends ---

    def _begin(self, kind: FactKind, time: int, queue_id: str | None) -> OpenFact:
        return OpenFact(start=time, number=self._next_number(kind, time), queue_id=queue_id)

    def _next_number(self, kind: FactKind, time: int) -> int:
        self.begun_time = time
        number = self.begun[kind.value] = self.begun.get(kind.value, -1) + 1
        return number

    def _end_wait(self, task: FactTask, time: int, outcome: FactOutcome) -> None:
        if self.wait is not None:
            self.final.append(self.wait.fact(FactKind.WAIT, task, time, outcome))
            self.wait = None

    def _end_offer(self, task: FactTask, time: int, outcome: FactOutcome) -> None:
        if self.offer is not None:
            self.final.append(self.offer.fact(FactKind.OFFER, task, time, outcome))
            self.offer = None

    def _end_contact(self, task: FactTask, time: int) -> None:
        contact = self.open_contact
        if contact is not None:
            for agent_id, participant in task.participants.items():
                if participant.is_in_conversation():
                    self._leave_conversation(contact, agent_id, participant, time)
            contact.end = time
            contact.channel_type, contact.direction = task.channel_type, task.direction
