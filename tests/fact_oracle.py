"""The reference waits, offers and contacts of a task: section 10 of the page as plain code.

It stands on the reference fold of a task (tests/oracle.py) and has no care for speed. It first goes
through the events in order and notes which fact begins and ends with which event. What else a fact
has (its agents, teams, times) is read from the list of all events afterwards.

"Choice" in a comment marks what the page leaves open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from tests.oracle import (
    CONVERSATION_EVENTS,
    HOUR,
    IN_CONVERSATION,
    STATE_EVENTS,
    TRACES,
    Event,
    Task,
    ends_an_offer,
    ordered,
    task_rank,
    told_once,
)

HANDLED_LIMIT = HOUR  # after its end a contact waits no longer for wrap-ups
OVER = ("ended", "failed")
TALKING = ("connected", "holddone", "conferencing", "conferencedone")  # words of an agent
HOLDING = ("onhold", "consultdone")
CONSULTED_ALONE = ("consulting", "consultdone")
CONSULTED = ("ringing", "consulting")
RELEASED = "released"
TOLD_AGAIN = {RELEASED: "consultdone"}
LEFT = (RELEASED, "wrapupdone", "notresponding", "idle", "available", "loggedout")
FIGURE_OF_STATE = {  # of a task
    "connected": "talk",
    "conferencing": "talk",
    "on-hold": "hold",
    "consulting": "consult",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one agent had to do with a fact. Times are milliseconds, of contacts alone."""

    team: str | None = None
    handled: bool = False
    talk: int = 0
    hold: int = 0
    consult: int = 0
    wrap_up: int = 0


@dataclass(frozen=True, kw_only=True)
class TaskFact:
    """A wait, an offer or a contact of a task, as of a clock."""

    kind: str  # wait, offer or contact
    start: int
    number: int = 0  # among the task's facts of the same kind and start
    end: int | None = None  # None while it is open
    outcome: str | None = None  # contacts have none
    counted: int | None = None  # when figures count it: at its end, or at a contact's handledTime
    queue: str | None = None
    channel_type: str | None = None
    direction: str | None = None
    talk: int = 0
    hold: int = 0
    consult: int = 0
    wrap_up: int = 0
    doubtful: bool = False
    parts: dict[str, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class Heard:
    """An event, and what the task was right after it."""

    event: Event
    state: str | None
    channel_type: str | None
    direction: str | None


@dataclass(frozen=True, kw_only=True)
class WordStretch:
    """One word of an agent on the task, up to the agent's next different word.

    `first` and `after` are the numbers of the events that began and ended it.
    """

    agent: str
    word: str
    start: int
    first: int
    end: int | None = None
    after: int | None = None

    def overlaps(self, first: int, after: int | None) -> bool:
        """Whether it is the agent's word at some moment between two events, by their order."""
        begins_before = after is None or self.first < after
        return begins_before and (self.after is None or self.after > first)


@dataclass
class Draft:
    """A fact while it is found. `first` and `last` are the numbers of its first and last event."""

    kind: str
    start: int
    first: int
    queue: str | None
    end: int | None = None
    last: int | None = None
    outcome: str | None = None
    agents: set[str] = field(default_factory=set)


class Search:
    """The facts that begin and end while the events of a task are told in order."""

    def __init__(self, org: str, name: str) -> None:
        self.task = Task(org, name)
        self.told: list[Heard] = []
        self.drafts: list[Draft] = []
        self.wait: Draft | None = None
        self.offer: Draft | None = None
        self.contact: Draft | None = None
        self.was_parked = False
        self.first_words: dict[str, int] = {}  # by agent, the number of the event
        self.latest_rings: dict[str, int] = {}

    def tell(self, event: Event) -> None:
        self.task.apply(event)
        fields = self.task.carries
        self.told.append(Heard(event, self.task.state, fields["channelType"], fields["direction"]))
        if event.type.startswith("task:"):
            self.tell_task(event, event.type.removeprefix("task:"))
        elif event.type in STATE_EVENTS and event.plain_word is not None:
            self.tell_word(str(event.agent), event.plain_word)

    # events of the task

    def tell_task(self, event: Event, word: str) -> None:
        if word != "parked" and self.wait is not None and self.is_outdial():
            self.drafts.remove(self.wait)  # nobody has waited, as is known now
            self.wait = None
        if word == "parked":
            self.park(event)
        elif word == "connect":
            self.connect()
        elif word in CONVERSATION_EVENTS:
            self.converse()
        elif word == "ended" and ends_an_offer(event):
            self.close_offer("refused")
        elif word == "ended":
            self.finish(self.outcome_of_end(event))
        elif word == "failed":
            self.finish("unanswered")

    def is_outdial(self) -> bool:
        return self.task.outbound and not self.was_parked

    def park(self, event: Event) -> None:
        """It refuses an offer and ends a contact. In another queue it ends the wait."""
        self.was_parked = True
        self.close_offer("refused")
        self.close_contact()
        queue = event.get("queueId")
        if self.wait is not None and self.wait.queue is None:
            self.wait.queue = queue
        elif self.wait is not None and queue not in (None, self.wait.queue):
            self.close_wait("moved")
        if self.wait is None:
            self.wait = self.begin("wait", self.task.carries["queueId"])

    def connect(self) -> None:
        """It is an offer, and begins a wait of who neither waits nor is in conversation.

        Choice: an outdial is one by the direction known by then; one that becomes known while the
        wait goes on takes it back, one that comes later does not.
        """
        self.close_offer("refused")
        if self.wait is None and self.contact is None and not self.is_outdial():
            self.wait = self.begin("wait", self.task.carries["queueId"])
        self.offer = self.begin("offer", self.task.carries["queueId"])

    def converse(self, agent: str | None = None) -> None:
        """A conversation begins, if there is none, and the task is not over after the event.

        An agent whose word does it has a part in the wait and in the offer.
        """
        if self.contact is not None or self.task.state in OVER:
            return
        queue = self.wait.queue if self.wait is not None else None
        for fact in (self.wait, self.offer):
            if fact is not None and agent is not None:
                fact.agents.add(agent)
        self.close_wait("answered")
        self.close_offer("accepted")
        self.contact = self.begin("contact", queue or self.task.carries["queueId"])

    def outcome_of_end(self, event: Event) -> str:
        """Of a wait. Choice: direction is the task's at the end, its own fields included."""
        party = (event.get("terminatingParty") or "").casefold()
        if self.task.outbound:
            return "unanswered"
        return {"": "abandoned", "customer": "abandoned", "agent": "unknown"}.get(
            party, "unanswered"
        )

    def finish(self, outcome: str) -> None:
        self.close_wait(outcome)
        self.close_offer("withdrawn")
        self.close_contact()

    # agents' words

    def tell_word(self, agent: str, word: str) -> None:
        number = len(self.told) - 1
        is_first = agent not in self.first_words
        self.first_words.setdefault(agent, number)
        if word == "ringing":
            self.latest_rings[agent] = number
        if self.wait is not None and (word == "ringing" or is_first):
            self.wait.agents.add(agent)
        if self.offer is not None and word == "ringing":
            self.offer.agents.add(agent)
        if word == "notresponding":
            self.decline(agent)
        elif self.counts_for_the_wait(agent):
            if word in IN_CONVERSATION:
                self.converse(agent)
            elif word in TRACES and not self.task.outbound:
                self.close_wait("unknown")

    def decline(self, agent: str) -> None:
        """Choice: of any agent, where nobody was told to ring for the task at all.

        Where nobody rang for this offer alone, the late refusal of the offer before, in the very
        millisecond of the next connect, would else refuse what the next agent accepts.
        """
        rang_for_it = self.offer is not None and (
            not self.latest_rings or self.latest_rings.get(agent, -1) > self.offer.first
        )
        if self.offer is not None and rang_for_it:
            self.offer.agents.add(agent)
            self.close_offer("refused")

    def counts_for_the_wait(self, agent: str) -> bool:
        """Not the words of who had one before the wait began, and has not rung since."""
        if self.wait is None:
            return True
        new = self.first_words[agent] > self.wait.first
        return new or self.latest_rings.get(agent, -1) > self.wait.first

    # the passing of time

    def pass_silence(self, until: int) -> None:
        """s9: the deadline of a silent task ends its wait; later events do not take this back."""
        moment = self.task.stale_from(until)
        if moment is not None:
            self.close_wait("unknown", moment)

    # facts

    def begin(self, kind: str, queue: str | None) -> Draft:
        number = len(self.told) - 1
        draft = Draft(kind, self.told[number].event.time, number, queue)
        self.drafts.append(draft)
        return draft

    def close(self, draft: Draft | None, outcome: str | None, moment: int | None = None) -> None:
        if draft is None:
            return
        draft.outcome, draft.last = outcome, len(self.told) - 1
        draft.end = self.told[-1].event.time if moment is None else moment

    def close_wait(self, outcome: str, moment: int | None = None) -> None:
        self.close(self.wait, outcome, moment)
        self.wait = None

    def close_offer(self, outcome: str) -> None:
        self.close(self.offer, outcome)
        self.offer = None

    def close_contact(self) -> None:
        self.close(self.contact, None)
        self.contact = None


def search(events: Sequence[Event], clock: int) -> Search:
    """Go through what is known of one task, each fact of it once, up to the clock."""
    life = [
        event
        for event in ordered(told_once(events), task_rank)
        if event.type.startswith("task:")
        or event.type == "capture:available"
        or (event.type in STATE_EVENTS and event.task is not None)
    ]
    found = Search(events[0].org, str(events[0].task))
    for time, group in groupby(life, key=lambda event: event.time):
        found.pass_silence(time - 1)
        for event in found.task.in_order(list(group)):
            found.tell(event)
    found.pass_silence(clock)
    return found


def facts_of_task(events: Sequence[Event], clock: int) -> list[TaskFact]:
    """All waits, offers and contacts of one task, in the order in which they began.

    `events` are all accepted events about the task that are known.
    """
    if not events:
        return []
    found = search(events, clock)
    stretches = stretches_of(found.told)
    numbers: dict[tuple[str, int], int] = {}
    facts = []
    for draft in found.drafts:
        number = numbers.get((draft.kind, draft.start), 0)
        numbers[draft.kind, draft.start] = number + 1
        after_end = found.told[-1 if draft.last is None else draft.last]
        fact = TaskFact(
            kind=draft.kind,
            start=draft.start,
            number=number,
            end=draft.end,
            outcome=draft.outcome,
            queue=draft.queue,
            channel_type=after_end.channel_type,
            direction=after_end.direction,
        )
        if draft.kind == "contact":
            facts.append(with_work(fact, draft, found, stretches, clock))
        else:
            facts.append(
                replace(
                    fact,
                    counted=draft.end,
                    doubtful=draft.outcome == "unknown",
                    parts={
                        agent: Part(team=team_of(agent, up_to(found.told, draft.last)))
                        for agent in sorted(draft.agents)
                    },
                )
            )
    return facts


def up_to(told: Sequence[Heard], last: int | None) -> Sequence[Heard]:
    """The events up to one of them.

    Choice: a fact ends with the event that ends it, so what comes after this one in order, in the
    same millisecond too, is no part of it.
    """
    return told if last is None else told[: last + 1]


def team_of(agent: str, told: Sequence[Heard]) -> str | None:
    """The latest team that an agent's events carry. A task's own events tell no team."""
    teams = [
        it.event.get("teamId")
        for it in told
        if it.event.type in STATE_EVENTS and it.event.agent == agent
    ]
    return next((team for team in reversed(teams) if team is not None), None)


# --- contacts -------------------------------------------------------------------------------------


def stretches_of_task(events: Sequence[Event], clock: int) -> list[WordStretch]:
    """What each agent's words on one task say, by the order in which they began."""
    return stretches_of(search(events, clock).told) if events else []


def stretches_of(told: Sequence[Heard]) -> list[WordStretch]:
    """Choice: the consult-done of who was only consulted is `released`: nobody is on hold (s4)."""
    running: dict[str, WordStretch] = {}
    done: list[WordStretch] = []
    only_consulted: set[str] = set()
    for number, it in enumerate(told):
        word = it.event.plain_word
        if it.event.type not in STATE_EVENTS or word is None:
            continue
        agent, time = str(it.event.agent), it.event.time
        before = running.get(agent)
        if before is not None and word in {before.word, TOLD_AGAIN.get(before.word)}:
            continue
        takes_part = before is not None and before.word not in LEFT
        was_only_consulted = takes_part and agent in only_consulted
        only_consulted.discard(agent)
        if word in CONSULTED and (was_only_consulted or not takes_part):
            only_consulted.add(agent)
        if was_only_consulted and word == "consultdone":
            word = RELEASED
        if before is not None:
            done.append(replace(before, end=time, after=number))
        running[agent] = WordStretch(agent=agent, word=word, start=time, first=number)
    return sorted([*done, *running.values()], key=lambda stretch: stretch.first)


def with_work(
    fact: TaskFact, draft: Draft, found: Search, stretches: Sequence[WordStretch], clock: int
) -> TaskFact:
    """A contact with its times, when it is handled, and who had a part in it."""
    told = found.told
    times = dict.fromkeys(("talk", "hold", "consult"), 0)
    last = len(told) - 1 if draft.last is None else draft.last
    for before, after in zip(
        told[draft.first : last], told[draft.first + 1 : last + 1], strict=True
    ):
        figure = FIGURE_OF_STATE.get(before.state or "")
        if figure is not None:
            times[figure] += after.event.time - before.event.time

    wrap_ups = wrap_ups_of(draft, found, stretches)
    counted, doubtful = handled_time(draft, wrap_ups, clock)
    sums = dict.fromkeys(sorted({stretch.agent for stretch in wrap_ups}), 0)
    for stretch in wrap_ups:
        if stretch.end is not None and is_finished(stretch, draft):
            sums[stretch.agent] += stretch.end - stretch.start
    return replace(
        fact,
        talk=times["talk"],
        hold=times["hold"],
        consult=times["consult"],
        wrap_up=sum(sums.values()),
        counted=counted,
        doubtful=doubtful,
        parts={
            agent: replace(part, team=team_of(agent, own_events(agent, draft, told, wrap_ups)))
            for agent, part in parts_of(draft, stretches, sums, told[-1].event.time).items()
        },
    )


def own_events(
    agent: str, draft: Draft, told: Sequence[Heard], wrap_ups: Sequence[WordStretch]
) -> Sequence[Heard]:
    """What was told up to the end of an agent's part in a contact.

    Choice: that is the end of the contact, and of the agent's wrap-ups that count for it; the limit
    where one is unfinished.
    """
    if draft.end is None or draft.last is None:
        return told
    last, limit = draft.last, draft.end + HANDLED_LIMIT
    for stretch in wrap_ups:
        if stretch.agent == agent and is_finished(stretch, draft):
            last = max(last, stretch.after or 0)
        elif stretch.agent == agent:
            last = max(i for i, it in enumerate(told) if i <= last or it.event.time <= limit)
    return told[: last + 1]


def wrap_ups_of(draft: Draft, found: Search, stretches: Sequence[WordStretch]) -> list[WordStretch]:
    """The wrap-ups that begin with the contact or later, and before the next contact.

    Choices: before and after are by the order of events. One that begins later than the limit
    after the end is no wrap-up of this contact; one that begins at the limit is unfinished then.
    """
    contacts = [it.first for it in found.drafts if it.kind == "contact"]
    following = next((first for first in contacts if first > draft.first), len(found.told))
    return [
        stretch
        for stretch in stretches
        if stretch.word == "wrapup"
        and draft.first <= stretch.first < following
        and (draft.end is None or stretch.start <= draft.end + HANDLED_LIMIT)
    ]


def is_finished(stretch: WordStretch, draft: Draft) -> bool:
    """Whether a wrap-up ended in time to count."""
    return stretch.end is not None and (
        draft.end is None or stretch.end <= draft.end + HANDLED_LIMIT
    )


def handled_time(
    draft: Draft, wrap_ups: Sequence[WordStretch], clock: int
) -> tuple[int | None, bool]:
    """When a contact counts (None: not yet), and whether one of its wrap-ups was never finished.

    The limit is tested after all events of its millisecond. Choices: it has passed when the clock
    says so, whatever an event ahead of the clock tells. All that is known decides, so a wrap-up
    that begins after all others had finished moves the moment to its own end.
    """
    if draft.end is None:
        return None, False
    if all(is_finished(stretch, draft) for stretch in wrap_ups):
        return max(draft.end, *(stretch.end or 0 for stretch in wrap_ups), 0), False
    limit = draft.end + HANDLED_LIMIT
    return (limit, True) if limit <= clock else (None, False)


def parts_of(
    draft: Draft, stretches: Sequence[WordStretch], wrap_ups: dict[str, int], latest: int
) -> dict[str, Part]:
    """The agents in conversation at some moment of a contact, and those who wrap it up.

    Choice: who only wraps up has a part also where the wrap-up is unfinished and counts nothing.
    """
    end = latest if draft.end is None else draft.end
    parts = {}
    for agent in sorted({stretch.agent for stretch in stretches}):
        own = [
            stretch
            for stretch in stretches
            if stretch.agent == agent
            and stretch.word in IN_CONVERSATION
            and stretch.overlaps(draft.first, draft.last)
        ]
        if not own and agent not in wrap_ups:
            continue

        def spent(*words: str, own: Sequence[WordStretch] = own) -> int:
            return sum(
                max(0, min(end, end if it.end is None else it.end) - max(draft.start, it.start))
                for it in own
                if it.word in words
            )

        parts[agent] = Part(
            handled=not own or any(it.word not in CONSULTED_ALONE for it in own),
            talk=spent(*TALKING),
            hold=spent(*HOLDING),
            consult=spent("consulting"),
            wrap_up=wrap_ups.get(agent, 0),
        )
    return parts


def comparable(fact: TaskFact) -> TaskFact:
    """The fact without the times that are not final: those of a contact that is not handled."""
    if fact.kind != "contact" or fact.counted is not None:
        return fact
    bare = {agent: Part(team=part.team, handled=part.handled) for agent, part in fact.parts.items()}
    return replace(fact, talk=0, hold=0, consult=0, wrap_up=0, parts=bare)
