"""What a caller of some teams may see, moment by moment.

Rule: what happened to an agent is seen where the agent was of one of the teams at that moment, and
what happened to a task where such an agent took part in it as of that moment. It is what a view as
of that moment would answer, as far as was known at the position of the question. After the last
event of a task nothing happens to it any more: what goes on then is seen as of the question.

No table has these periods. They are folded from the last snapshot before the moments that are asked
for and the events since, so reading costs about as much as the events of the subjects around them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.domain.team_periods import (
    NO_END,
    Periods,
    joined_times,
    periods_of_teams,
    union,
)
from projector.event_log.store import EventStore
from projector.infrastructure.clock import HOUR_MS
from projector.projection.read_models import AGENTS, TASKS, Key, Table
from projector.query.as_of.reconstruct import AsOf, fold_stretches

SubjectStretch = tuple[Key, int, int]  # a subject, and from when to when, both included (epoch ms)
# Moments of a subject that are farther apart are read apart: many events may lie between them.
_TOGETHER_MS = HOUR_MS
ALWAYS = Periods([(-NO_END, NO_END)])


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedMoment:
    """When something happened (epoch ms), and the agent and the task that it names."""

    org_id: str
    agent_id: str | None
    task_id: str | None
    time: int


class TeamMoments:
    """Reads the periods of the caller's teams with a cursor of the caller's transaction.

    Null ``team_ids``: every moment is seen, and nothing is read.
    """

    def __init__(
        self,
        cur: Cursor[TupleRow],
        store: EventStore,
        team_ids: frozenset[str] | None,
        as_of: AsOf,
    ) -> None:
        self._cur = cur
        self._store = store
        self._team_ids = team_ids
        self._as_of = as_of

    @property
    def are_all_seen(self) -> bool:
        """Whether the caller's token is for all teams."""
        return self._team_ids is None

    def periods(
        self, table: Table[Any], key: Key, *, start: int, end: int | None = None
    ) -> Periods:
        """When a subject is seen, within ``start`` to ``end`` (null: without an end)."""
        if self.are_all_seen:
            return ALWAYS
        (periods,) = self._periods(table, [(key, start, NO_END if end is None else end)])
        return periods

    def of_stretches(
        self, table: Table[Any], stretches: Sequence[SubjectStretch]
    ) -> Sequence[Periods]:
        """When subjects are seen, each within its stretch."""
        if self.are_all_seen:
            return [ALWAYS] * len(stretches)
        return self._periods(table, stretches)

    def seen(
        self, table: Table[Any], moments: Iterable[tuple[Key, int]]
    ) -> frozenset[tuple[Key, int]]:
        """Those of some moments of subjects that are seen."""
        if self.are_all_seen:
            return frozenset(moments)
        times = defaultdict[Key, set[int]](set)
        for key, time in moments:
            times[key].add(time)
        stretches = [
            (key, part[0], part[-1]) for key, its in times.items() for part in _parts(sorted(its))
        ]
        return frozenset(
            (key, time)
            for (key, start, end), periods in zip(
                stretches, self._periods(table, stretches), strict=True
            )
            for time in times[key]
            if start <= time <= end and periods.include(time)
        )

    def seen_by_name(self, moments: Sequence[NamedMoment]) -> list[bool]:
        """Whether each is seen: by the agent that it names, or else by the task."""
        if self.are_all_seen:
            return [True] * len(moments)
        agents = [((it.org_id, it.agent_id), it.time) if it.agent_id else None for it in moments]
        by_agent = self.seen(AGENTS, filter(None, agents))
        tasks = [
            ((it.org_id, it.task_id), it.time) if it.task_id and agent not in by_agent else None
            for it, agent in zip(moments, agents, strict=True)
        ]
        by_task = self.seen(TASKS, filter(None, tasks))
        return [
            agent in by_agent or task in by_task for agent, task in zip(agents, tasks, strict=True)
        ]

    def _periods(self, table: Table[Any], stretches: Sequence[SubjectStretch]) -> Sequence[Periods]:
        return self._of_agents(stretches) if table is AGENTS else self._of_tasks(stretches)

    def _of_agents(self, stretches: Sequence[SubjectStretch]) -> Sequence[Periods]:
        folds = fold_stretches(self._cur, self._store, AGENTS, stretches, self._as_of)
        return [
            Periods()
            if it is None
            else periods_of_teams(
                it.state,
                it.events,
                after=it.since,
                start=start,
                team_ids=self._team_ids or frozenset(),
            )
            for it, (_, start, _) in zip(folds, stretches, strict=True)
        ]

    def _of_tasks(self, stretches: Sequence[SubjectStretch]) -> Sequence[Periods]:
        folds = fold_stretches(self._cur, self._store, TASKS, stretches, self._as_of)
        parts = [
            _TaskPart()
            if it is None
            else _TaskPart(
                joined=joined_times(it.state, it.events, after=it.since, start=start),
                last=max(start, it.state.last_event.time if it.state.last_event else start),
            )
            for it, (_, start, _) in zip(folds, stretches, strict=True)
        ]
        told, now = list[SubjectStretch](), list[SubjectStretch]()
        for (key, _, end), part in zip(stretches, parts, strict=True):
            for agent_id, since in part.joined.items():
                agent = (key[0], agent_id)
                told.append((agent, since, max(since, part.last if end == NO_END else end)))
                if end == NO_END:
                    moment = max(part.last, self._as_of.now)
                    now.append((agent, moment, moment))
        while_told, since_then = iter(self._of_agents(told)), iter(self._of_agents(now))
        return [
            union(
                [
                    _with_now(next(while_told), next(since_then), part.last)
                    if end == NO_END
                    else next(while_told)
                    for _ in part.joined
                ]
            )
            for (_, _, end), part in zip(stretches, parts, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskPart:
    """Since when agents take part in a task, and its last event (epoch ms)."""

    joined: Mapping[str, int] = field(default_factory=dict)
    last: int = 0


def _with_now(told: Periods, now: Periods, last: int) -> Periods:
    """The periods up to the last event of a task, and from then on as it is now."""
    after = Periods([(last + 1, NO_END)] if now.stretches else [])
    return union([told.up_to(last + 1), after])


def _parts(times: Sequence[int]) -> Iterable[Sequence[int]]:
    """Some times in order, apart where there is much between two of them."""
    ends = [index for index, (a, b) in enumerate(pairwise(times), 1) if b - a > _TOGETHER_MS]
    for start, end in pairwise([0, *ends, len(times)]):
        yield times[start:end]
