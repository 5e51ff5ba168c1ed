"""The timeline of a task: its waits, offers and contacts, and what each agent did for it.

Rule: it comes from the same fold as the view. An agent's stretches are what the participant shows
tick by tick, so they agree with the view, and what lasts no time is not shown. What an event ended
has ended, even where the clock is some seconds behind; what only the passing of time will end goes
on until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from projector.domain.events import Recorded
from projector.domain.facts import Fact, FactKind
from projector.domain.fold import Fold, ticks
from projector.domain.participant import Participant
from projector.domain.task import TaskState
from projector.domain.team_periods import Periods


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """An agent in one state of a task; times are epoch ms."""

    agent_id: str
    team_id: str | None  # the latest that the agent's events about the task carried by its end
    state: str
    start: int
    end: int | None  # when the agent's next word came; None while there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimeline:
    """What happened to a task, each part by its start."""

    facts: Sequence[Fact]
    stretches: Sequence[Stretch]

    def seen_in(self, periods: Periods) -> TaskTimeline:
        """The parts that lie in some periods, cut to them.

        Of a wait, an offer or a contact that is cut at its end, the end is not told. Its sums are
        those of the whole, as those of the view are.
        """
        return TaskTimeline(
            facts=[
                replace(
                    fact,
                    start=start,
                    end=end,
                    outcome=fact.outcome if end == fact.end else None,
                    counted_time=_if_seen(fact.counted_time, periods),
                )
                for fact in self.facts
                for start, end in periods.cut(fact.start, fact.end)
            ],
            stretches=[
                replace(stretch, start=start, end=end)
                for stretch in self.stretches
                for start, end in periods.cut(stretch.start, stretch.end)
            ],
        )


def _if_seen(time: int | None, periods: Periods) -> int | None:
    return time if time is not None and periods.include(time) else None


def fold_timeline(
    state: TaskState, ordered: Sequence[Recorded], *, after: int, now: int
) -> TaskTimeline:
    """The timeline since ``after`` at the time ``now`` (epoch ms); the state is changed in place.

    ``state`` and ``ordered`` are as for ``fold``. What was final by ``after`` is not in it.
    """
    fold, stretches = Fold(state), _Stretches(state.participants)
    for time, events in ticks(ordered, after=after):
        fold.apply(time, events)
        stretches.note(time, events, state.participants)
    fold.advance_to(now)
    return TaskTimeline(
        facts=sorted(_facts(fold, now), key=lambda fact: fact.start),
        stretches=sorted(stretches.all(), key=lambda it: (it.start, it.agent_id)),
    )


class _Stretches:
    """The stretches of a task's participants, who change from tick to tick."""

    def __init__(self, participants: Mapping[str, Participant]) -> None:
        self._ended: list[Stretch] = []
        self._open: dict[str, Stretch] = {}
        for agent_id, participant in participants.items():
            self._begin(agent_id, participant)

    def note(
        self, time: int, events: Iterable[Recorded], participants: Mapping[str, Participant]
    ) -> None:
        """Note what the tick of ``time`` changed; ``participants`` are as they are after it."""
        for agent_id in sorted({it.event.agent_id for it in events if it.event.agent_id}):
            participant, stretch = participants.get(agent_id), self._open.get(agent_id)
            if participant is None:
                continue
            if participant.since == time:  # it is in another state than before
                if stretch is not None:
                    self._ended.append(replace(stretch, end=time))
                    del self._open[agent_id]
                self._begin(agent_id, participant)
            elif stretch is not None:
                self._open[agent_id] = replace(stretch, team_id=participant.team_id)

    def all(self) -> Iterator[Stretch]:
        yield from self._ended
        yield from self._open.values()

    def _begin(self, agent_id: str, participant: Participant) -> None:
        if participant.is_open():
            self._open[agent_id] = Stretch(
                agent_id=agent_id,
                team_id=participant.team_id,
                state=participant.state,
                start=participant.since,
                end=None,
            )


def _facts(fold: Fold[TaskState], now: int) -> Iterator[Fact]:
    """The facts at a time; those that go on have no end."""
    state = fold.state
    facts = fold.facts()
    going_on = [*state.journey.uncounted_facts(state)]
    if state.journey.wait is not None:
        going_on.append(state.journey.wait.fact(FactKind.WAIT, state, None, None))
    for fact in (facts | {fact.key: fact for fact in going_on}).values():
        yield _unless_handled(fact, now)


def _unless_handled(fact: Fact, now: int) -> Fact:
    """A contact as it is while somebody wraps up: it is not handled, and nothing is doubtful."""
    waits_for_wrap_up = (
        fact.kind is FactKind.CONTACT
        and fact.is_doubtful
        and fact.counted_time is not None
        and fact.counted_time > now
    )
    return replace(fact, counted_time=None, is_doubtful=False) if waits_for_wrap_up else fact
