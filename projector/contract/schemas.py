"""The shapes of the HTTP contract: what a reader gets, in the vendor's own manner.

Camel case, times as epoch milliseconds, null where nothing is known. The OpenAPI document is made
from these models, and they answer.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import fields
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

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
from projector.domain.events import Origin, Recorded, TimeSource
from projector.domain.fold import AnomalyKind, Interval, State
from projector.domain.task import TaskState

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Shape(BaseModel):
    """A JSON object of the contract."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True
    )


Base64 = Annotated[
    bytes,
    PlainSerializer(lambda body: base64.b64encode(body).decode(), return_type=str),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class LastEventShape(Shape):
    id: str
    type: str
    created_time: int | None
    recorded_time: int
    position: int


class Provenance(Shape):
    """What a view rests on."""

    last_event: LastEventShape | None
    event_count: int
    anomaly_count: int
    settled: bool = Field(description="Later arrivals are unlikely to change this view.")


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
    current_state: str
    since: int
    pending_idle_state: bool
    idle_code_name: str | None


class AgentView(Provenance):
    """The state of an agent."""

    agent_id: str
    org_id: str
    team_id: str | None
    status: str = Field(description="What a supervisor reads: the state of the busiest leg.")
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
    status: str = Field(description="In the words of the vendor's Tasks API, and `failed`.")
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
    participants: list[ParticipantShape]
    captures: list[CaptureShape]
    counts: CountsShape
    durations: DurationsShape


class TaskInterval(Shape):
    """A stretch of one state; `to` and `durationMs` are null while it is open."""

    from_: int = Field(alias="from")
    to: int | None
    duration_ms: int | None
    status: str
    current_state: str
    event_id: str | None = Field(description="Null where the passing of time began it.")


class AgentInterval(TaskInterval):
    task_id: str | None
    queue_id: str | None
    idle_code_id: str | None


class EventRow(Shape):
    """An event of the log."""

    position: int
    id: str
    type: str
    org_id: str
    agent_id: str | None
    task_id: str | None
    created_time: int | None = Field(description="As the vendor says; null when absent.")
    time: int = Field(description="When it happened, by `timeSource`.")
    time_source: TimeSource
    recorded_time: int
    origin: Origin = Field(description="How the fact was learned.")
    restates: int | None = Field(description="The position of the event whose fact it repeats.")


class DuplicateShape(Shape):
    """A delivery of an event that was there already."""

    recorded_time: int


class ConflictShape(Shape):
    """A body that says something else under the key of an event that was there already."""

    sha256: str
    body: Base64 = Field(description="As received, base64.")
    parsed: Any
    deliveries: int
    first_time: int
    last_time: int


class EventWithBody(EventRow):
    """An event of the log with its body."""

    body: Base64 = Field(description="As received, base64.")


class LogEvent(EventWithBody):
    """An event of the log with all that is kept of it."""

    parsed: Any = Field(description="The body's JSON; null where it is none.")
    sha256: str = Field(description="Of the body, hex.")
    duplicates: list[DuplicateShape]
    conflicts: list[ConflictShape]


class ConflictRow(Shape):
    """A conflict in the ledger: between which times such a body came, and of which event."""

    kind: Literal["conflict"]
    org_id: str
    subject: str | None = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int = Field(alias="from")
    to: int
    event_id: str
    position: int = Field(description="Of the event that came first.")
    data: Any = Field(description="Of the later body, parsed.")
    sha256: str = Field(description="Of the later body, hex.")
    deliveries: int


class QuarantineRow(Shape):
    """An authentic body that makes no event."""

    id: int
    reason: str
    sha256: str
    body: Base64 = Field(description="As received, base64.")
    headers: Any
    deliveries: int
    first_time: int
    last_time: int


class AnomalyRow(Shape):
    """A step that was not expected; between `from` and `to` something was probably lost."""

    kind: AnomalyKind
    org_id: str
    subject: str = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int | None = Field(alias="from", description="Null where nothing is known before.")
    to: int
    event_id: str | None = Field(description="Null where the passing of time raised it.")
    position: int | None = Field(description="Of the event.")


class LateEvent(Shape):
    """An event that was recorded after events that happened later."""

    event_id: str
    position: int
    time: int
    recorded_time: int
    lateness_ms: int = Field(description="From its time to when it was recorded.")


class CorrectionRow(Shape):
    """What the late events of one publication changed from `from` to `to` (null: to this day)."""

    kind: Literal["correction"]
    org_id: str
    subject: str = Field(description="`agent:` or `task:` and its id.")
    agent_id: str | None
    task_id: str | None
    from_: int = Field(alias="from")
    to: int | None
    event_id: str = Field(description="Of the first of the late events.")
    position: int = Field(description="Where the events of the publication begin.")
    recorded_time: int
    before: list[AgentInterval | TaskInterval] = Field(description="What was shown, uncut.")
    after: list[AgentInterval | TaskInterval] = Field(description="What is shown since, uncut.")
    events: list[LateEvent]


class FieldShape(Shape):
    """A field's value and the event that set it; nulls where none did, or only time passed."""

    value: Any
    event_id: str | None
    position: int | None
    time: int | None = Field(description="When it was set.")


class Effect(StrEnum):
    """What an event did to what was thought before."""

    LATE = "late"
    CONFLICT = "conflict"
    RESTATEMENT = "restatement"
    CORRECTION = "correction"


class AroundShape(Shape):
    """An event that was not simply the next one."""

    event_id: str
    position: int
    time: int
    recorded_time: int = Field(description="Of a conflict: of its first delivery.")
    effect: Effect


class Explanation(Shape):
    """Why a view shows what it shows."""

    fields: dict[str, FieldShape]
    around: list[AroundShape] = Field(description="Since what is shown began, by time.")
    looked_from: int | None = Field(
        description="What was set up to this time is not looked up; null: all was looked at."
    )


class AgentsShape(Shape):
    """Agents at the moment."""

    total: int
    logged_in: int
    by_status: dict[str, int]


class TasksShape(Shape):
    """Tasks that are open at the moment, or of which something happened in the window."""

    open: int
    waiting: int
    by_status: dict[str, int]
    longest_wait_ms: int | None = Field(description="Null where none waits.")


class FigureShape(Shape):
    value: float | None = Field(description="Null where nothing was counted.")
    count: int = Field(description="How many the value rests on.")
    formula: str = Field(description="A heading of docs/figures.md.")
    settled: bool = Field(description="Later arrivals are unlikely to change what is counted.")


class Summary(Shape):
    """A floor: what it is at a moment, and the figures of a window up to it."""

    agents: AgentsShape
    tasks: TasksShape
    service_level: FigureShape
    asa_ms: FigureShape
    aht_ms: FigureShape
    talk_ms: FigureShape
    hold_ms: FigureShape
    wrap_up_ms: FigureShape
    occupancy: FigureShape
    abandonment: FigureShape
    rona: FigureShape


def event_row(recorded: Recorded, restates: int | None) -> EventRow:
    """An event of the log in the contract's shape."""
    event = recorded.event
    return EventRow(
        position=recorded.position,
        id=event.id,
        type=event.type,
        org_id=event.org_id,
        agent_id=event.agent_id,
        task_id=event.task_id,
        created_time=recorded.created,
        time=recorded.time,
        time_source=recorded.time_source,
        recorded_time=recorded.recorded_time,
        origin=recorded.origin,
        restates=restates,
    )


def agent_view(org_id: str, agent_id: str, state: AgentState, *, settled: bool) -> AgentView:
    """An agent's state in the contract's shape."""
    shown = state.display_state()
    interactions = sorted(state.legs.items(), key=lambda item: (item[1].since, item[0]))
    return AgentView.model_validate(
        {
            **_folded(state),
            **_fields(shown),
            "agent_id": agent_id,
            "org_id": org_id,
            "session": state.session or Session(),
            "idle_code_name": state.idle_code_name if shown.status == "idle" else None,
            "interactions": [{"task_id": task_id, **_fields(leg)} for task_id, leg in interactions],
            "channels": dict(sorted(state.channels.items())),
            "settled": settled,
        }
    )


def task_view(org_id: str, task_id: str, state: TaskState, *, settled: bool) -> TaskView:
    """A task's state in the contract's shape."""
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
            "participants": [
                {"agent_id": agent_id, "open": participant.is_open(), **_fields(participant)}
                for agent_id, participant in joined
            ],
            "settled": settled,
        }
    )


def interval_row(kind: type[TaskInterval], interval: Interval, end: int | None) -> TaskInterval:
    """A row of a history; ``end`` is null while it is open."""
    return kind.model_validate(
        {
            **_fields(interval.display),
            "from": interval.start,
            "to": end,
            "duration_ms": None if end is None else end - interval.start,
            "event_id": interval.event_id,
        }
    )


def interval_rows(
    kind: type[TaskInterval], intervals: Sequence[Interval], end: int | None = None
) -> list[TaskInterval]:
    """Rows of a history: each ends where the next starts, the last at ``end`` (null: open)."""
    ends = [*(interval.start for interval in intervals), end][1:]
    return [interval_row(kind, *pair) for pair in zip(intervals, ends, strict=True)]


def late_event(*, event_id: str, position: int, time: int, recorded_time: int) -> LateEvent:
    """An event that came after later ones, in the ledger's shape."""
    return LateEvent(
        event_id=event_id,
        position=position,
        time=time,
        recorded_time=recorded_time,
        lateness_ms=max(0, recorded_time - time),
    )


def _folded(state: State) -> dict[str, Any]:
    return {
        **_fields(state),
        "event_count": state.event_count,
        "anomaly_count": state.anomaly_count,
    }


def _fields(value: DataclassInstance) -> dict[str, Any]:
    """A dataclass's own fields, not copied and not unpacked below."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
