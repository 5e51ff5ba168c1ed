"""The reader: from what a step asks of the vendor to facts, and to the report what makes none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from projector.operations.reconciliation.report import Report
from projector.webex import api_rows as rows
from projector.webex.api_events import Fact, Untold, agent_facts, task_facts
from projector.webex.api_queries import Sources
from projector.webex.api_rows import Activity, Contact, Flaw, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is asked of one source at a time, of the window ``[start, end)`` in epoch ms."""

    source: Source
    start: int
    end: int
    ids: Sequence[str] = ()  # of agents, or of one task
    is_gap: bool = False


class Reader:
    """Reads steps of one organisation; ``now`` is epoch ms."""

    def __init__(self, sources: Sources, report: Report, *, org_id: str, now: int) -> None:
        self._sources = sources
        self._report = report
        self._org = org_id
        self._now = now

    def facts(self, step: Step) -> Iterator[list[Fact]]:
        """The facts of a step, page by page."""
        read = {
            Source.ACTIVITIES: self._activities,
            Source.SESSIONS: self._sessions,
            Source.TASKS: self._tasks,
            Source.CONTACTS: self._contacts,
        }
        return read[step.source](step)

    def _activities(self, step: Step) -> Iterator[list[Fact]]:
        told = [
            row
            for page in self._sources.activities(step.start, step.end, step.ids)
            for row in rows.activities(page)
        ]
        yield self._agent_facts(step, told)

    def _sessions(self, step: Step) -> Iterator[list[Fact]]:
        for page in self._sources.sessions(step.start, step.end, step.ids):
            told = [row for session in page for row in rows.session_activities(session)]
            yield self._agent_facts(step, told)

    def _tasks(self, step: Step) -> Iterator[list[Fact]]:
        for page in self._sources.tasks(step.start, step.end):
            yield self._task_facts(step, [*rows.tasks(page)])

    def _contacts(self, step: Step) -> Iterator[list[Fact]]:
        for page in self._sources.contacts(step.start, step.end, *step.ids):
            yield self._task_facts(step, [row for task in page for row in rows.contacts(task)])

    def _agent_facts(self, step: Step, told: Sequence[Activity | Flaw]) -> list[Fact]:
        usable = self._usable(step.source, told)
        return self._facts(step, agent_facts(usable, org_id=self._org, now=self._now))

    def _task_facts(self, step: Step, told: Sequence[Contact | Flaw]) -> list[Fact]:
        usable = self._usable(step.source, told)
        return self._facts(step, task_facts(usable, org_id=self._org, now=self._now))

    def _usable(self, source: Source, told: Sequence[Any]) -> list[Any]:
        self._report.fetched(source, len(told))
        for row in told:
            if isinstance(row, Flaw):
                self._report.flaw(row)
        return [row for row in told if not isinstance(row, Flaw)]

    def _facts(self, step: Step, told: Iterable[Fact | Untold | Flaw]) -> list[Fact]:
        facts: list[Fact] = []
        for it in told:
            if isinstance(it, Flaw):
                self._report.flaw(it)
            elif isinstance(it, Untold):
                self._report.untold(it)
            elif it.time < step.end:
                facts.append(it)
        return facts
