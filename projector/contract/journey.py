"""The journey of a task: its waits, offers and contacts, and its agents' stretches, as rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from projector.contract.base import Shape
from projector.domain.facts import AgentPart, Fact, FactKind, FactOutcome
from projector.domain.timeline import Stretch, TaskTimeline

KINDS_IN_ORDER = ("wait", "offer", "contact", "stretch")


class JourneyAgent(Shape):
    """An agent who takes part in a wait, an offer or a contact."""

    agent_id: str
    team_id: str | None


class ContactAgent(JourneyAgent):
    """What an agent did in a contact."""

    handled: bool = Field(
        description="Whether the agent talked with the customer, and was not only consulted."
    )
    talk_ms: int
    hold_ms: int
    consult_ms: int
    wrap_up_ms: int


class JourneyPart(Shape):
    """A part of a journey; `to` and `durationMs` are null while it goes on."""

    kind: Literal["wait", "offer", "contact", "stretch"]
    from_: int = Field(alias="from")
    to: int | None
    duration_ms: int | None


class FactPart(JourneyPart):
    """A wait, an offer or a contact, as figures count it."""

    queue_id: str | None
    channel_type: str | None
    direction: str | None
    doubtful: bool = Field(description="Its end, or a part of it, was not told.")


class WaitOrOffer(FactPart):
    """The customer waits for an agent, or the task is offered to one."""

    kind: Literal["wait", "offer"]
    outcome: FactOutcome | None = Field(description="Null while it goes on.")
    agents: list[JourneyAgent]


class ContactPart(FactPart):
    """A conversation with the customer."""

    kind: Literal["contact"]
    handled_time: int | None = Field(
        description="When it had ended and its wrap-ups were finished; null before."
    )
    talk_ms: int
    hold_ms: int
    consult_ms: int
    wrap_up_ms: int
    agents: list[ContactAgent]


class StretchPart(JourneyPart):
    """An agent in one state of the task."""

    kind: Literal["stretch"]
    state: str
    agent_id: str
    team_id: str | None


JourneyRow = WaitOrOffer | ContactPart | StretchPart


def journey_rows(timeline: TaskTimeline) -> list[JourneyRow]:
    """A timeline by start; of one time waits come first, then offers, contacts and stretches."""
    rows = [*map(_fact_row, timeline.facts), *map(_stretch_row, timeline.stretches)]
    return sorted(rows, key=lambda row: (row.from_, KINDS_IN_ORDER.index(row.kind)))


def _fact_row(fact: Fact) -> JourneyRow:
    fields = {
        "kind": fact.kind.value,
        **_times(fact.start, fact.end),
        "queue_id": fact.queue_id,
        "channel_type": fact.channel_type,
        "direction": fact.direction,
        "doubtful": fact.is_doubtful,
    }
    if fact.kind is FactKind.CONTACT:
        agents = [
            {**_agent(agent_id, part), "handled": part.handled, **_sums(part)}
            for agent_id, part in fact.parts.items()
        ]
        return ContactPart.model_validate(
            fields | {"handled_time": fact.counted_time, "agents": agents, **_sums(fact)}
        )
    agents = [_agent(agent_id, part) for agent_id, part in fact.parts.items()]
    return WaitOrOffer.model_validate(fields | {"outcome": fact.outcome, "agents": agents})


def _stretch_row(stretch: Stretch) -> JourneyRow:
    return StretchPart.model_validate(
        {
            "kind": "stretch",
            **_times(stretch.start, stretch.end),
            "state": stretch.state,
            "agent_id": stretch.agent_id,
            "team_id": stretch.team_id,
        }
    )


def _times(start: int, end: int | None) -> dict[str, object]:
    return {"from": start, "to": end, "duration_ms": None if end is None else end - start}


def _agent(agent_id: str, part: AgentPart) -> dict[str, object]:
    return {"agent_id": agent_id, "team_id": part.team_id}


def _sums(of: Fact | AgentPart) -> dict[str, object]:
    return {
        "talk_ms": of.talk_ms,
        "hold_ms": of.hold_ms,
        "consult_ms": of.consult_ms,
        "wrap_up_ms": of.wrap_up_ms,
    }
