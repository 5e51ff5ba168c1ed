"""Views: an agent or a task as the API shows it, and how a state becomes one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from projector.contract.base import Shape, fields_of
from projector.domain.agent import AgentState, Session
from projector.domain.counters import (
    CONFERENCES,
    CONSULT,
    CONSULTS,
    HOLD,
    HOLDS,
    OFFERS,
    QUEUED,
    TALK,
    TRANSFERS,
    WRAP_UP,
    rona,
)
from projector.domain.fold import State
from projector.domain.task import TaskState


class LastEventShape(Shape):
    id: str
    type: str
    created_time: int | None
    recorded_time: int
    position: int


class Provenance(Shape):
    """The events that a view rests on."""

    last_event: LastEventShape | None
    event_count: int
    anomaly_count: int
    settled: bool = Field(description="Later arrivals will probably not change this view.")


class SessionShape(Shape):
    login_time: int | None
    logout_time: int | None
    logged_out_by: str | None
    profile_type: str | None
    destination: str | None


class Interaction(Shape):
    """An open leg."""

    task_id: str
    channel_id: str | None
    channel_type: str | None
    state: str
    since: int
    queue_id: str | None


class ChannelShape(Shape):
    current_state: str = Field(
        description="As the last event of this channel type says; `unknown` since a reconciled"
        " event that changed the agent's or an interaction's state."
    )
    since: int
    pending_idle_state: bool
    idle_code_name: str | None


class AgentView(Provenance):
    """The state of an agent."""

    agent_id: str
    org_id: str
    team_id: str | None
    status: str = Field(
        description="What a supervisor reads: the state of the busiest open leg, if there is one."
    )
    status_since: int | None
    current_state: str
    state_since: int | None
    logged_in: bool
    session: SessionShape
    idle_code_id: str | None
    idle_code_name: str | None
    wrap_up_aux_code_id: str | None
    task_id: str | None
    queue_id: str | None
    destination: str | None
    interactions: list[Interaction]
    channels: dict[str, ChannelShape]


class ParticipantShape(Shape):
    agent_id: str
    state: str
    since: int
    joined_time: int
    wrap_up_aux_code_id: str | None
    open: bool


class CaptureShape(Shape):
    file_path: str | None
    created_time: int | None


class CountsShape(Shape):
    offers: int
    rona: int
    holds: int
    consults: int
    conferences: int
    transfers: int


class DurationsShape(Shape):
    queued_ms: int
    talk_ms: int
    hold_ms: int
    consult_ms: int
    wrap_up_ms: int


class TaskView(Provenance):
    """The state of a task."""

    task_id: str
    org_id: str
    status: str = Field(description="A status of the vendor's Tasks API, `failed` or `unanswered`.")
    current_state: str
    state_since: int | None
    complete: bool
    channel_type: str | None
    direction: str | None
    outbound_type: str | None
    origin: str | None
    destination: str | None
    queue_id: str | None
    created_time: int | None
    queued_time: int | None
    offered_time: int | None
    connected_time: int | None
    ended_time: int | None
    completed_time: int | None
    terminating_party: str | None
    reason: str | None
    open: bool = Field(description="Something may still happen: it is not over, nor stale.")
    stale: bool = Field(
        description="Nothing came for so long that the task is probably over: it is not open."
    )
    waiting_since: int | None = Field(description="When the customer began to wait; null if not.")
    participants: list[ParticipantShape]
    captures: list[CaptureShape]
    counts: CountsShape
    durations: DurationsShape


class SubjectLeft(Shape):
    """An agent or a task that no longer fits what a stream asks for, or may see."""

    kind: Literal["agent", "task"]
    org_id: str
    agent_id: str | None = Field(default=None, description="Null for a task.")
    task_id: str | None = Field(default=None, description="Null for an agent.")


class SnapshotStart(Shape):
    """All views that fit follow, up to the event `snapshot`. What they lack then is out of date."""

    position: int = Field(description="Up to here the log was folded when the snapshot began.")


class SnapshotEnd(Shape):
    """All views that fit have been sent since the event `reset`."""

    agents: int = Field(description="So many the snapshot had, without what changed meanwhile.")
    tasks: int
    position: int = Field(description="Up to here the log is folded in what was sent.")


def agent_view(org_id: str, agent_id: str, state: AgentState, *, settled: bool) -> AgentView:
    """The view of an agent."""
    display = state.display_state()
    interactions = sorted(state.legs.items(), key=lambda item: (item[1].since, item[0]))
    return AgentView.model_validate(
        {
            **_folded(state),
            **fields_of(display),
            "agent_id": agent_id,
            "org_id": org_id,
            "session": state.session or Session(),
            "idle_code_name": state.idle_code_name if display.status == "idle" else None,
            "interactions": [
                {"task_id": task_id, **fields_of(leg)} for task_id, leg in interactions
            ],
            "channels": dict(sorted(state.channels.items())),
            "settled": settled,
        }
    )


def task_view(org_id: str, task_id: str, state: TaskState, *, settled: bool) -> TaskView:
    """The view of a task."""
    counters = state.counters
    joined = sorted(state.participants.items(), key=lambda item: (item[1].joined_time, item[0]))
    return TaskView.model_validate(
        {
            **_folded(state),
            "counts": {
                "offers": counters[OFFERS],
                "rona": rona(counters),
                "holds": counters[HOLDS],
                "consults": counters[CONSULTS],
                "conferences": counters[CONFERENCES],
                "transfers": counters[TRANSFERS],
            },
            "durations": {
                "queued_ms": counters[QUEUED],
                "talk_ms": counters[TALK],
                "hold_ms": counters[HOLD],
                "consult_ms": counters[CONSULT],
                "wrap_up_ms": counters[WRAP_UP],
            },
            "task_id": task_id,
            "org_id": org_id,
            "status": state.status(),
            "open": state.is_open(),
            "stale": state.is_stale(),
            "waiting_since": state.waiting_since() if state.is_open() else None,
            "participants": [
                {"agent_id": agent_id, "open": participant.is_open(), **fields_of(participant)}
                for agent_id, participant in joined
            ],
            "settled": settled,
        }
    )


def _folded(state: State) -> dict[str, Any]:
    return {
        **fields_of(state),
        "event_count": state.event_count,
        "anomaly_count": state.anomaly_count,
    }
