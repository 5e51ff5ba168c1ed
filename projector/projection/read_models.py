"""The read models: how a folded state becomes rows, and by which facets lists find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, LiteralString

from pydantic import BaseModel, TypeAdapter

from projector.contract.intervals import AgentInterval, TaskInterval
from projector.contract.views import agent_view, task_view
from projector.domain.agent import AgentState
from projector.domain.counters import NO_COUNTS, Counters
from projector.domain.events import BUCKETS_PER_PARTITION, Event, Recorded, bucket
from projector.domain.facts import AgentPart, Fact, FactKind, FactOutcome
from projector.domain.fold import Anomaly, DisplayState, Fold, Interval, S, anomaly_keys
from projector.domain.task import TaskState
from projector.event_log.reader import ENDLESS, SubjectColumn
from projector.infrastructure.sql import Columns

# To be raised when the same events make other rows. A runner of another version folds nothing.
FOLD_VERSION = 5

# What a stored state leaves out: counters are stored beside it, final facts in rows.
_NOT_STORED: Any = {"counters": True, "journey": {"final"}}

Key = tuple[str, str]  # organisation and id of a subject
KEY_COLUMNS = Columns({"org_id": "text", "id": "text"})
Facets = dict[str, list[str]]  # filter name of the HTTP contract to the values it finds


# Columns of an interval; a row also has its subject and the two positions of its being known.
INTERVAL_COLUMNS = Columns(
    {
        "start": "bigint",
        "status": "text",
        "current_state": "text",
        "task_id": "text",
        "queue_id": "text",
        "idle_code_id": "text",
        "event_id": "text",
        "silent_since": "bigint",
    }
)


def interval_to_row(interval: Interval) -> tuple[object, ...]:
    """The values of ``INTERVAL_COLUMNS``."""
    display = interval.display
    return (
        interval.start,
        display.status,
        display.current_state,
        display.task_id,
        display.queue_id,
        display.idle_code_id,
        interval.event_id,
        interval.silent_since,
    )


def interval_from_row(row: Sequence[Any]) -> Interval:
    """The interval of a row of ``INTERVAL_COLUMNS``."""
    start, status, current_state, task_id, queue_id, idle_code_id, event_id, silent_since = row
    return Interval(
        start=start,
        event_id=event_id,
        silent_since=silent_since,
        display=DisplayState(
            status=status,
            current_state=current_state,
            task_id=task_id,
            queue_id=queue_id,
            idle_code_id=idle_code_id,
        ),
    )


def interval_to_json(interval: Interval, end: int | None) -> dict[str, object]:
    """An interval as corrections store it; ``end`` is None while it is open."""
    return {"end": end, "event_id": interval.event_id, "start": interval.start} | asdict(
        interval.display
    )


def interval_from_json(stored: Mapping[str, Any]) -> tuple[Interval, int | None]:
    """The interval that a correction stores, and its end."""
    fields = {**stored}
    start, end, event_id = (fields.pop(name) for name in ("start", "end", "event_id"))
    return Interval(start=start, display=DisplayState(**fields), event_id=event_id), end


# Columns of a fact; a row also has its subject and the two positions of its being known.
FACT_COLUMNS = Columns(
    {
        "kind": "text",
        "start": "bigint",
        "number": "integer",
        "finish": "bigint",
        "counted_time": "bigint",
        "outcome": "text",
        "queue_id": "text",
        "channel_type": "text",
        "direction": "text",
        "talk_ms": "bigint",
        "hold_ms": "bigint",
        "consult_ms": "bigint",
        "wrap_up_ms": "bigint",
        "doubtful": "boolean",
        "parts": "jsonb",
    }
)


def fact_to_row(fact: Fact) -> tuple[object, ...]:
    """The values of ``FACT_COLUMNS``; the parts are a dict."""
    return (
        fact.kind.value,
        fact.start,
        fact.number,
        fact.end,
        fact.counted_time,
        None if fact.outcome is None else fact.outcome.value,
        fact.queue_id,
        fact.channel_type,
        fact.direction,
        fact.talk_ms,
        fact.hold_ms,
        fact.consult_ms,
        fact.wrap_up_ms,
        fact.is_doubtful,
        {agent_id: _part_to_json(fact.kind, part) for agent_id, part in fact.parts.items()},
    )


def _part_to_json(kind: FactKind, part: AgentPart) -> dict[str, object]:
    return asdict(part) if kind is FactKind.CONTACT else {"team_id": part.team_id}


def fact_from_row(row: Sequence[Any]) -> Fact:
    """The fact of a row of ``FACT_COLUMNS``."""
    kind, start, number, end, counted_time, outcome, queue_id, channel_type, direction = row[:9]
    talk_ms, hold_ms, consult_ms, wrap_up_ms, is_doubtful, parts = row[9:]
    return Fact(
        kind=FactKind(kind),
        start=start,
        number=number,
        end=end,
        counted_time=counted_time,
        outcome=None if outcome is None else FactOutcome(outcome),
        queue_id=queue_id,
        channel_type=channel_type,
        direction=direction,
        talk_ms=talk_ms,
        hold_ms=hold_ms,
        consult_ms=consult_ms,
        wrap_up_ms=wrap_up_ms,
        is_doubtful=is_doubtful,
        parts={agent_id: AgentPart(**part) for agent_id, part in sorted(parts.items())},
    )


def late_event_to_json(recorded: Recorded) -> dict[str, object]:
    """A late event as corrections store it."""
    return {
        "event_id": recorded.event.id,
        "position": recorded.position,
        "time": recorded.time,
        "recorded_time": recorded.recorded_time,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The facets of a subject from a time on (epoch ms), if no event comes before."""

    time: int
    facets: Facets


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the passing of time will change of a state, if no event comes, and has not yet.

    ``anomalies`` are those that it will raise, and those that stand as long as no event withdraws
    them.
    """

    stages: Sequence[Stage]
    anomalies: Sequence[Anomaly]

    def stages_to_json(self) -> list[dict[str, object]] | None:
        """The stages as they are stored; None where there are none."""
        return [{"from": it.time, "facets": it.facets} for it in self.stages] or None

    def anomalies_to_json(self) -> list[dict[str, object]] | None:
        """The anomalies as they are stored; None where there are none."""
        return [
            {
                "kind": it.kind.value,
                "from": it.gap_from,
                "to": it.gap_to,
                "position": position,
                "event_id": it.event_id,
            }
            for (position, _), it in anomaly_keys(self.anomalies).items()
        ] or None

    @property
    def anomaly_time(self) -> int | None:
        """The time of the first anomaly."""
        return min((it.gap_to for it in self.anomalies), default=None)


@dataclass(frozen=True, kw_only=True)
class Table(Generic[S]):
    """One kind of subject: its states, its views, and the names of its tables."""

    name: Literal["agents", "tasks"]
    intervals: Literal["agent_intervals", "task_intervals"]
    anomalies: Literal["agent_anomalies", "task_anomalies"]
    snapshots: Literal["agent_snapshots", "task_snapshots"]
    late_counts: Literal["agent_late_counts", "task_late_counts"]
    facts: Literal["task_facts"] | None
    corrections: Literal["agent_corrections", "task_corrections"]
    subject: Literal["agent", "task"]
    column: SubjectColumn  # of the log
    subject_of: Callable[[Event], str | None]
    fresh: Callable[[], S]
    codec: TypeAdapter[S]
    facets: Callable[[S], Facets]
    view: Callable[..., BaseModel]  # (org_id, id, state, *, settled)
    interval: type[TaskInterval]

    @property
    def not_skipped(self) -> LiteralString:
        """The condition of rows of ``log`` that no operator skipped for this kind of subject."""
        return _NOT_SKIPPED[self.name]

    @property
    def all_names(self) -> tuple[str, ...]:
        """All tables of this kind of subject."""
        return (
            *(self.name, self.intervals, self.anomalies, self.snapshots),
            *(self.late_counts, self.corrections),
            *([self.facts] if self.facts is not None else []),
        )

    def bucket_of(self, key: Key) -> int:
        """The hash bucket of a subject."""
        return bucket(self.subject, *key) or 0

    def partition_of(self, key: Key) -> int:
        """The partition that a subject belongs to."""
        return self.bucket_of(key) // BUCKETS_PER_PARTITION

    def load(self, text: str, counters: Mapping[str, int] = NO_COUNTS) -> S:
        state = self.codec.validate_json(text)
        state.counters = Counters(counters)
        return state

    def dump(self, state: S) -> str:
        """The state without its counters; folds go on alike from states of equal text."""
        return self.codec.dump_json(state, exclude=_NOT_STORED).decode()

    def outlook(self, state: S) -> Outlook:
        """What the passing of time alone will change of a state."""
        fold, stages = Fold(state.copy()), list[Stage]()
        while (time := fold.pass_next_deadline(ENDLESS)) is not None:
            if stages and stages[-1].time == time:
                stages.pop()
            stages.append(Stage(time=time, facets=self.facets(fold.state)))
        return Outlook(stages=stages, anomalies=fold.all_anomalies())


_NOT_SKIPPED: Mapping[str, LiteralString] = {
    "agents": "NOT EXISTS (SELECT FROM skipped AS s"
    " WHERE s.kind = 'agents' AND s.position = log.position)",
    "tasks": "NOT EXISTS (SELECT FROM skipped AS s"
    " WHERE s.kind = 'tasks' AND s.position = log.position)",
}


def _agent_facets(state: AgentState) -> Facets:
    display = state.display_state()
    legs = state.legs.values()
    channel_types = {leg.channel_type for leg in legs if leg.channel_type} | set(state.channels)
    return _present(
        status=[display.status],
        currentState=[state.current_state],
        teamId=[state.team_id],
        queueId=[display.queue_id],
        channelType=sorted(channel_types),
        loggedIn=[_flag(state.logged_in)],
    )


def _task_facets(state: TaskState) -> Facets:
    return _present(
        status=[state.status()],
        currentState=[state.current_state],
        queueId=[state.queue_id],
        channelType=[state.channel_type],
        direction=[state.direction],
        agentId=sorted(state.participants),
        open=[_flag(state.is_open())],
        stale=[_flag(state.is_stale())],
    )


def _flag(value: bool) -> str:  # noqa: FBT001 - the value is the whole subject
    return "true" if value else "false"


def _present(**facets: list[Any]) -> Facets:
    return {name: [v for v in values if v is not None] for name, values in facets.items()}


AGENTS = Table(
    name="agents",
    intervals="agent_intervals",
    anomalies="agent_anomalies",
    snapshots="agent_snapshots",
    late_counts="agent_late_counts",
    facts=None,
    corrections="agent_corrections",
    subject="agent",
    column="agent_id",
    subject_of=lambda event: event.agent_subject,
    fresh=AgentState,
    codec=TypeAdapter(AgentState),
    facets=_agent_facets,
    view=agent_view,
    interval=AgentInterval,
)
TASKS = Table(
    name="tasks",
    intervals="task_intervals",
    anomalies="task_anomalies",
    snapshots="task_snapshots",
    late_counts="task_late_counts",
    facts="task_facts",
    corrections="task_corrections",
    subject="task",
    column="task_id",
    subject_of=lambda event: event.task_subject,
    fresh=TaskState,
    codec=TypeAdapter(TaskState),
    facets=_task_facets,
    view=task_view,
    interval=TaskInterval,
)
TABLES: tuple[Table[Any], ...] = (AGENTS, TASKS)
