"""A reconciliation: reads the vendor's history of a time window, and appends what the log lacks.

Rule: each step can be repeated without harm. So a run whose worker was killed goes on with the step
that it was in.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any, Literal

from projector.event_log.store import EventStore
from projector.infrastructure.clock import DAY_MS, HOUR_MS, now_ms
from projector.infrastructure.database import Pool
from projector.operations.job_queue import ClaimedJob, JobFailed, JobIncomplete
from projector.operations.names import NameEntry, NameStore
from projector.operations.reconciliation.api_reader import ApiReader, ReadStep
from projector.operations.reconciliation.coverage import HISTORY_LAG_MS, cover
from projector.operations.reconciliation.gaps import (
    Gap,
    count_corrections,
    gaps_in_window,
    has_webhooks,
    long_open_tasks,
)
from projector.operations.reconciliation.log_comparison import ERRORS_OF_ONE_API, LogComparison
from projector.operations.reconciliation.report import ReconciliationReport, Verdict
from projector.webex.api_client import ApiClient, VendorSilent
from projector.webex.api_queries import ApiQueries
from projector.webex.api_rows import ApiSource
from projector.webex.credentials import CredentialsRefused, NoCredentials
from projector.webex.search_queries import LOOK_BACK_MS, SearchQueries

GAP_STEPS = 30  # agents, and tasks, that have a step of their own because of a gap
MOST_OPEN_TASKS = 200  # that have a step of their own, since they began long before the window
VIEWS_WAIT_SECONDS = 60.0
PROJECTION_POLL_SECONDS = 0.1
_SOURCE_OF_GAP = {"agent": ApiSource.AGENT_SESSIONS, "task": ApiSource.TASK_DETAILS}
_STEP_SPANS_MS = {ApiSource.AGENT_ACTIVITIES: HOUR_MS}  # of one step; a day for the other APIs
MOST_SILENCES = 2  # in a row, until the other steps of an API are left out
# The search API that tells each kind of subject, and the other API that tells of it too.
_KINDS: dict[Literal["agent", "task"], tuple[ApiSource, ApiSource]] = {
    "agent": (ApiSource.AGENT_SESSIONS, ApiSource.AGENT_ACTIVITIES),
    "task": (ApiSource.TASK_DETAILS, ApiSource.TASKS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationParameters:
    """The window ``[start, end)`` in epoch ms; with ``agent_ids`` only these agents are read."""

    start: int
    end: int
    agent_ids: Sequence[str] = ()
    dry_run: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> ReconciliationParameters:
        """The parameters of a job."""
        return cls(
            start=parameters["from"],
            end=parameters["to"],
            agent_ids=parameters.get("agentIds") or (),
            dry_run=parameters.get("dryRun") or False,
        )


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """Does jobs of reconciliation; ``connect`` makes a client of the vendor's APIs."""

    pool: Pool
    store: EventStore
    connect: Callable[[], ApiClient]
    views_position: Callable[[], int]
    name_store: NameStore
    clock: Callable[[], int] = now_ms

    def run(self, claimed: ClaimedJob) -> None:
        """Do a job from its last saved step on.

        JobFailed where no API could be read at all, JobIncomplete where something did not come.
        """
        client = self.connect()
        client.check_stop = claimed.check_stop
        try:
            parameters = ReconciliationParameters.of(claimed.job.parameters)
            _ReconciliationRun(self, claimed, client, parameters).run()
        except (NoCredentials, CredentialsRefused) as error:
            raise JobFailed(str(error)) from None
        finally:
            client.close()


class _ReconciliationRun:
    """One run: its plan, its progress and its report."""

    def __init__(
        self,
        parts: Reconciler,
        claimed: ClaimedJob,
        client: ApiClient,
        parameters: ReconciliationParameters,
    ) -> None:
        self._parts = parts
        self._claimed = claimed
        self._client = client
        self._parameters = parameters
        self._org = client.org_id
        self._report = ReconciliationReport(claimed.report)
        queries, now = ApiQueries(client), parts.clock()
        search = SearchQueries(client, self._report_missing)
        self._reader = ApiReader(queries, search, self._report, org_id=self._org, now=now)
        self._source = ApiSource.AGENT_SESSIONS  # of the present step
        self._silences: Counter[ApiSource] = Counter()  # in a row
        self._comparison = LogComparison(
            parts.pool,
            parts.store,
            queries,
            self._report,
            org_id=self._org,
            start=parameters.start,
            now=now,
            dry_run=parameters.dry_run,
        )

    def run(self) -> None:
        self._begin()
        steps = self._plan()
        for index in range(self._claimed.progress["next"], len(steps)):
            self._claimed.report |= {"step": index, "steps": len(steps)}
            # A step that is repeated counts from this report on, not from what it added before.
            self._claimed.progress["report"] = deepcopy(self._claimed.report)
            self._claimed.save()
            self._do(steps[index])
            self._claimed.progress["next"] = index + 1
        self._claimed.report |= {"step": len(steps), "requests": self._client.requests}
        self._claimed.save()
        self._end()

    def _begin(self) -> None:
        """Restore the report of the last saved step, or save what the plan is made of."""
        if "next" in self._claimed.progress:
            self._claimed.report.clear()
            self._claimed.report |= self._claimed.progress["report"]
            return
        parameters, pool = self._parameters, self._parts.pool
        gaps = self._gaps()
        if parameters.agent_ids:
            gaps = [it for it in gaps if it.kind == "agent" and it.id in parameters.agent_ids]
        open_tasks = long_open_tasks(
            pool, self._org, parameters.start - LOOK_BACK_MS, MOST_OPEN_TASKS
        )
        self._claimed.progress |= {
            "next": 0,
            "position": self._parts.store.head(),
            "gaps": [asdict(gap) for gap in gaps],
            "open": [{"id": id_, "start": start} for id_, start in open_tasks],
        }
        self._claimed.report |= {"orgId": self._org, "gapsFound": len(gaps)}

    def _gaps(self) -> list[Gap]:
        parameters, now = self._parameters, self._parts.clock()
        pool = self._parts.pool
        return gaps_in_window(pool, self._org, parameters.start, parameters.end, now=now)

    def _plan(self) -> list[ReadStep]:
        """All steps: subjects with gaps first, then tasks that are long open, then the window.

        It is made of saved progress alone, so a run that goes on has the same steps.
        """
        return [*self._gap_steps(), *self._open_task_steps(), *self._window_steps()]

    def _gap_steps(self) -> Iterator[ReadStep]:
        """A step for each subject, in the order of its first gap; some of agents, some of tasks."""
        start, end = self._parameters.start, self._parameters.end
        steps: Counter[str] = Counter()
        for kind, id_ in dict.fromkeys(
            (gap["kind"], gap["id"]) for gap in self._claimed.progress["gaps"]
        ):
            steps[kind] += 1
            if steps[kind] <= GAP_STEPS:
                source = _SOURCE_OF_GAP[kind]
                yield ReadStep(source=source, start=start, end=end, ids=[id_], is_gap=True)

    def _open_task_steps(self) -> Iterator[ReadStep]:
        """Steps for tasks that began before the time that the queries look back to."""
        if self._parameters.agent_ids:
            return
        for task in self._claimed.progress["open"]:
            yield ReadStep(
                source=ApiSource.TASK_DETAILS,
                start=task["start"],
                end=self._parameters.end,
                ids=[task["id"]],
                is_gap=True,
            )

    def _window_steps(self) -> Iterator[ReadStep]:
        start, end, agent_ids = (
            self._parameters.start,
            self._parameters.end,
            self._parameters.agent_ids,
        )
        sources = [ApiSource.AGENT_SESSIONS, ApiSource.AGENT_ACTIVITIES]
        sources += [] if agent_ids else [ApiSource.TASK_DETAILS, ApiSource.TASKS]
        for source in sources:
            span = _STEP_SPANS_MS.get(source, DAY_MS)
            for since in range(start, end, span):
                yield ReadStep(
                    source=source, start=since, end=min(end, since + span), ids=agent_ids
                )

    def _do(self, step: ReadStep) -> None:
        """Read a step and compare it; an API that fails does not stop the others."""
        if self._silences[step.source] >= MOST_SILENCES:
            return
        self._source, requests = step.source, self._client.requests
        try:
            for events in self._reader.events(step):
                self._comparison.compare(step, events)
                self._claimed.save()
            self._silences[step.source] = 0
        except ERRORS_OF_ONE_API as error:
            self._report.failure(step.source, str(error))
            self._silences[step.source] += isinstance(error, VendorSilent)
        self._report.requested(step.source, self._client.requests - requests)
        self._keep_names()

    def _keep_names(self) -> None:
        """Keep the names that the rows of a step had, also where the step failed halfway."""
        names, self._reader.names = self._reader.names, {}
        if names and not self._parameters.dry_run:
            self._parts.name_store.keep(
                "rows",
                [
                    NameEntry(org_id=self._org, kind=kind, id=id_, name=name)
                    for (kind, id_), name in names.items()
                ],
            )

    def _report_missing(self, sentence: str) -> None:
        """Report a part of an answer that did not come."""
        self._report.failure(self._source, sentence, is_part=True)

    def _end(self) -> None:
        parameters, pool, failures = self._parameters, self._parts.pool, self._report.failures
        if self._report.is_unread(step.source for step in self._plan()):
            raise JobFailed(failures[0]["reason"])
        is_of_all = not parameters.agent_ids
        if is_of_all:
            self._report_empty_answers()
        head = self._parts.store.head()
        if not parameters.dry_run:
            self._wait_for_views(head)
            self._report_effects(head)
        verdict = self._report.conclude()
        if verdict is Verdict.INCOMPLETE:
            raise JobIncomplete(self._report.first_defect)
        # What happened just now is not in the vendor's history yet.
        end = min(parameters.end, self._parts.clock() - HISTORY_LAG_MS)
        if is_of_all and not parameters.dry_run and parameters.start < end:
            job, now = self._claimed.job.id, self._parts.clock()
            cover(pool, job, self._org, parameters.start, end, now=now)

    def _report_empty_answers(self) -> None:
        """Report an API that has no row of a kind of which the log, or another API, has something.

        An empty answer for a time in which something happened is no proof that the time is whole.
        """
        window = self._parameters.start, self._parameters.end
        for kind, (source, other) in _KINDS.items():
            if self._report.rows_of(source) or self._report.failures_of(source):
                continue
            if self._report.rows_of(other):
                sentence = f"The vendor has no {kind}s of this window here, but some in {other}."
            elif has_webhooks(self._parts.pool, self._org, *window, kind=kind):
                sentence = f"The vendor has no {kind}s of this window, and the log has webhooks."
            else:
                continue
            self._report.failure(source, sentence, is_part=True)

    def _wait_for_views(self, head: int) -> None:
        """Wait until the views have the events up to a position, for a minute at most."""
        deadline = time.monotonic() + VIEWS_WAIT_SECONDS
        while self._parts.views_position() < head and time.monotonic() < deadline:
            self._claimed.save()
            time.sleep(PROJECTION_POLL_SECONDS)

    def _report_effects(self, head: int) -> None:
        """Report closed gaps and corrections; null where the views are not up to date yet."""
        report, position = self._claimed.report, self._claimed.progress["position"]
        pool = self._parts.pool
        if self._parts.views_position() < head:
            report |= {"gapsClosed": None, "correctionsMade": None}
            return
        open_gaps = {(gap.kind, gap.id, gap.position, gap.end) for gap in self._gaps()}
        names = ("kind", "id", "position", "end")
        gaps = [tuple(it[name] for name in names) for it in self._claimed.progress["gaps"]]
        report["gapsClosed"] = sum(gap not in open_gaps for gap in gaps)
        report["correctionsMade"] = count_corrections(pool, self._org, position, head)
