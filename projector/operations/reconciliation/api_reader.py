"""The reader of the vendor's APIs: from a step of a reconciliation to events.

What states no event is counted in the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from projector.contract.names import NameKind
from projector.operations.reconciliation.report import ReconciliationReport
from projector.webex import api_rows
from projector.webex.agent_events import agent_events
from projector.webex.api_events import ApiEvent, RowWithoutWebhook
from projector.webex.api_queries import ApiQueries
from projector.webex.api_rows import AgentActivity, ApiSource, TaskActivity, UnusableRow
from projector.webex.row_names import names_in
from projector.webex.search_queries import SearchQueries
from projector.webex.task_events import task_events


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStep:
    """What is read at a time: one API, for the window ``[start, end)`` in epoch ms."""

    source: ApiSource
    start: int
    end: int
    ids: Sequence[str] = ()  # of agents, or of one task; empty: of all
    is_gap: bool = False  # it reads only what a gap or an open task needs


class ApiReader:
    """Reads the events of one organisation; ``now`` is the present time in epoch ms."""

    def __init__(
        self,
        queries: ApiQueries,
        search: SearchQueries,
        report: ReconciliationReport,
        *,
        org_id: str,
        now: int,
    ) -> None:
        self._queries = queries
        self._search = search
        self._report = report
        self._org = org_id
        self._now = now
        self.names: dict[tuple[NameKind, str], str] = {}  # that rows had beside ids

    def events(self, step: ReadStep) -> Iterator[list[ApiEvent]]:
        """The events of a step, page by page; raises what the queries raise.

        Among them are events after the step's window, of sessions and tasks that went on.
        """
        readers = {
            ApiSource.AGENT_ACTIVITIES: self._agent_activities,
            ApiSource.AGENT_SESSIONS: self._agent_sessions,
            ApiSource.TASKS: self._tasks,
            ApiSource.TASK_DETAILS: self._task_details,
        }
        return readers[step.source](step)

    def _agent_activities(self, step: ReadStep) -> Iterator[list[ApiEvent]]:
        rows: list[AgentActivity | UnusableRow] = []
        for page in self._queries.agent_activities(step.start, step.end, step.ids):
            self._note_names(page)
            rows += api_rows.read_activities(page)
        yield self._agent_events(step, rows)

    def _agent_sessions(self, step: ReadStep) -> Iterator[list[ApiEvent]]:
        for page in self._search.agent_sessions(step.start, step.end, step.ids):
            self._note_names(page)
            rows = [row for session in page for row in api_rows.read_session(session)]
            yield self._agent_events(step, rows)

    def _tasks(self, step: ReadStep) -> Iterator[list[ApiEvent]]:
        for page in self._queries.tasks(step.start, step.end):
            yield self._task_events(step, [*api_rows.read_tasks(page)])

    def _task_details(self, step: ReadStep) -> Iterator[list[ApiEvent]]:
        for page in self._search.task_details(step.start, step.end, *step.ids):
            yield self._task_events(
                step, [row for task in page for row in api_rows.read_task_details(task)]
            )

    def _note_names(self, page: Any) -> None:
        self.names |= {(kind, id_): name for kind, id_, name in names_in(page)}

    def _agent_events(
        self, step: ReadStep, rows: Sequence[AgentActivity | UnusableRow]
    ) -> list[ApiEvent]:
        usable = self._usable(step.source, rows)
        return self._events(agent_events(usable, org_id=self._org, now=self._now))

    def _task_events(
        self, step: ReadStep, rows: Sequence[TaskActivity | UnusableRow]
    ) -> list[ApiEvent]:
        usable = self._usable(step.source, rows)
        return self._events(task_events(usable, org_id=self._org, now=self._now))

    def _usable(self, source: ApiSource, rows: Sequence[Any]) -> list[Any]:
        self._report.fetched(source, len(rows))
        for row in rows:
            if isinstance(row, UnusableRow):
                self._report.unusable(row)
        return [row for row in rows if not isinstance(row, UnusableRow)]

    def _events(
        self, results: Iterable[ApiEvent | RowWithoutWebhook | UnusableRow]
    ) -> list[ApiEvent]:
        events: list[ApiEvent] = []
        for it in results:
            if isinstance(it, UnusableRow):
                self._report.unusable(it)
            elif isinstance(it, RowWithoutWebhook):
                self._report.without_webhook(it)
            else:
                events.append(it)
        return events
