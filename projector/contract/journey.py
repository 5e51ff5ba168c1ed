"""The journey of a task: its waits, offers and contacts, and its agents' stretches, as rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from projector.contract.base import Shape
from projector.domain.facts import AgentPart, Fact, FactKind, FactOutcome
from projector.domain.timeline import Stretch, TaskTimeline

RowKind = Literal["wait", "offer", "contact", "stretch"]
KINDS_IN_ORDER: tuple[RowKind, ...] = ("wait", "offer", "contact", "stretch")


class JourneyAgent(Shape):
    """An agent who takes part; all but the ids are of a contact, else null."""

    agent_id: str
    team_id: str | None
    handled: bool | None = Field(
        default=None,
        description="Whether the agent talked with the customer, and was not only consulted.",
    )
    talk_ms: int | None = None
    hold_ms: int | None = None
    consult_ms: int | None = None
    wrap_up_ms: int | None = None


class JourneyRow(Shape):
    """A wait, an offer, a contact, or an agent in one state; fields of other kinds are null."""

    kind: RowKind
    from_: int = Field(alias="from")
    to: int | None = Field(description="Null while it goes on, as `durationMs` is.")
    duration_ms: int | None
    state: str | None = Field(
        default=None, description="Of a stretch: the agent's state in this task."
    )
    outcome: FactOutcome | None = Field(
        default=None, description="Of a wait or an offer that has ended."
    )
    queue_id: str | None = None
    channel_type: str | None = None
    direction: str | None = None
    handled_time: int | None = Field(
        default=None,
        description="Of a contact: when it had ended and its wrap-ups were finished.",
    )
    talk_ms: int | None = None
    hold_ms: int | None = None
    consult_ms: int | None = None
    wrap_up_ms: int | None = None
    doubtful: bool = Field(description="Its end, or a part of it, was not told.")
    agents: list[JourneyAgent]


def journey_rows(timeline: TaskTimeline) -> list[JourneyRow]:
    """A timeline by start; of one time waits come first, then offers, contacts and stretches."""
    rows = [*map(_fact_row, timeline.facts), *map(_stretch_row, timeline.stretches)]
    return sorted(rows, key=lambda row: (row.from_, KINDS_IN_ORDER.index(row.kind)))


def _fact_row(fact: Fact) -> JourneyRow:
    is_contact = fact.kind is FactKind.CONTACT
    return _row(
        fact.kind.value,
        fact.start,
        fact.end,
        outcome=fact.outcome,
        queue_id=fact.queue_id,
        channel_type=fact.channel_type,
        direction=fact.direction,
        doubtful=fact.is_doubtful,
        agents=[
            _contact_agent(agent_id, part) if is_contact else _agent(agent_id, part.team_id)
            for agent_id, part in fact.parts.items()
        ],
        **_of_contact(fact) if is_contact else {},
    )


def _stretch_row(stretch: Stretch) -> JourneyRow:
    return _row(
        "stretch",
        stretch.start,
        stretch.end,
        state=stretch.state,
        doubtful=False,
        agents=[_agent(stretch.agent_id, stretch.team_id)],
    )


def _row(kind: RowKind, start: int, end: int | None, **own_fields: object) -> JourneyRow:
    duration_ms = None if end is None else end - start
    return JourneyRow.model_validate(
        {"kind": kind, "from": start, "to": end, "duration_ms": duration_ms, **own_fields}
    )


def _of_contact(fact: Fact) -> dict[str, object]:
    return {"handled_time": fact.counted_time, **_durations(fact)}


def _agent(agent_id: str, team_id: str | None) -> JourneyAgent:
    return JourneyAgent(agent_id=agent_id, team_id=team_id)


def _contact_agent(agent_id: str, part: AgentPart) -> JourneyAgent:
    return JourneyAgent(
        agent_id=agent_id, team_id=part.team_id, handled=part.handled, **_durations(part)
    )


def _durations(of: Fact | AgentPart) -> dict[str, int]:
    return {
        "talk_ms": of.talk_ms,
        "hold_ms": of.hold_ms,
        "consult_ms": of.consult_ms,
        "wrap_up_ms": of.wrap_up_ms,
    }
