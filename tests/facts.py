"""The facts of the core as the reference has them, so that both can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from projector.domain.events import Recorded
from projector.domain.facts import Fact, FactKind
from projector.domain.fold import fold
from projector.projection.read_models import TASKS
from tests.fact_oracle import Part, TaskFact, comparable


def facts_at(events: Sequence[Recorded], clock: int) -> list[TaskFact]:
    """All facts of a task from its events, in order, as a reader at a clock takes them."""
    folded = fold(TASKS.fresh(), events).advance_to(clock)
    state = folded.state
    facts = [*folded.facts().values(), *state.journey.uncounted_facts(state)]
    return by_beginning([as_reference(fact, clock) for fact in facts])


def by_beginning(facts: Sequence[TaskFact]) -> list[TaskFact]:
    return sorted(facts, key=lambda fact: (fact.start, fact.kind, fact.number))


def as_reference(fact: Fact, clock: int) -> TaskFact:
    """The fact; what time has not brought about at the clock is not there yet."""
    is_over = fact.end is not None and fact.end <= clock
    is_counted = fact.counted_time is not None and fact.counted_time <= clock
    # An open wait knows how time will end it.
    if fact.kind is FactKind.CONTACT:
        is_over = fact.end is not None
    return comparable(
        TaskFact(
            kind=fact.kind.value,
            start=fact.start,
            number=fact.number,
            end=fact.end if is_over else None,
            outcome=fact.outcome.value if is_over and fact.outcome else None,
            counted=fact.counted_time if is_counted else None,
            queue=fact.queue_id,
            channel_type=fact.channel_type,
            direction=fact.direction,
            talk=fact.talk_ms,
            hold=fact.hold_ms,
            consult=fact.consult_ms,
            wrap_up=fact.wrap_up_ms,
            doubtful=fact.is_doubtful and is_counted,
            parts={
                agent: Part(
                    team=part.team_id,
                    handled=part.handled,
                    talk=part.talk_ms,
                    hold=part.hold_ms,
                    consult=part.consult_ms,
                    wrap_up=part.wrap_up_ms,
                )
                for agent, part in fact.parts.items()
            },
        )
    )
