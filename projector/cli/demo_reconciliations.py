"""The reconciliations of a demo: it does them itself, over the database of the service.

The service knows no vendor, so its worker could ask nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from projector.bootstrap.worker import build_own_jobs
from projector.cli.demo_totals import DemoTotals, counted
from projector.cli.service_client import Client, ServiceSilent
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, StoreUnavailable
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.migrations import pending
from projector.infrastructure.settings import Settings
from projector.operations.job_queue import ClaimedJob
from projector.operations.own_jobs import OwnJobs, SoleProcess
from projector.webex.simulator.payloads import SIMULATED_ORG_ID

DEMO_WORKER = "demo"
UNDER_WAY_SECONDS = 30.0  # webhooks that are younger may still come
RECONCILED_TWICE_MS = 120_000  # of two windows that are reconciled


class AnotherDemo(ProjectorError):  # noqa: N818 - named for what is noticed
    """Another demo plays for the same service."""

    def __init__(self) -> None:
        super().__init__(
            "Another demo plays for this service already, with the same people: end it by Ctrl-C"
            " first, or watch what it plays."
        )


class OtherDatabase(ProjectorError):  # noqa: N818
    """The service at ``url`` works on another database than this process."""

    def __init__(self, url: str, why: str = "") -> None:
        super().__init__(
            f"The service at {url} works on another database than this command: give it the same"
            f" DATABASE_URL or PROJECTOR_DATA_DIR{f' ({why})' if why else '.'}"
        )


def hold_alone(sole: SoleProcess, url: str) -> None:
    """Raise AnotherDemo where one plays over this database, OtherDatabase where none answers."""
    try:
        is_alone = sole.hold()
    except StoreUnavailable as error:
        raise OtherDatabase(url, str(error)) from None
    if not is_alone:
        raise AnotherDemo


def demo_jobs(
    settings: Settings, pool: Pool, database_url: str, url: str, stop: threading.Event
) -> OwnJobs:
    """What does the jobs of a demo; ``settings`` name the stand-in as the vendor.

    Raises OtherDatabase where the database is none of a service that runs.
    """
    try:
        if pending(database_url):
            raise OtherDatabase(url)
        return build_own_jobs(settings, pool, database_url, DEMO_WORKER, stop)
    except StoreUnavailable as error:
        raise OtherDatabase(url, str(error)) from None


class DemoReconciliations:
    """Reconciles what a demo has played, until ``stop``; ``say`` tells the operator a sentence."""

    def __init__(
        self,
        jobs: OwnJobs,
        *,
        totals: DemoTotals,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self._jobs = jobs
        self._totals = totals
        self._stop = stop
        self._say = say

    def begin(self, start: int, end: int, client: Client, url: str) -> ClaimedJob:
        """Begin that of the past, once it is sure that the service has this database.

        The service is at ``url``. Raises OtherDatabase.
        """
        job = self._begin(start, end)
        try:
            shown = client.get(f"/api/v1/reconciliations/{job.job.id}", "createdTime")
        except ServiceSilent:
            shown = {}
        if job.job.created_time != shown.get("createdTime"):
            self._jobs.give_up(job)
            raise OtherDatabase(url)
        return job

    def give_up(self, job: ClaimedJob) -> None:
        self._jobs.give_up(job)

    def go_on(self, first: ClaimedJob, since: int, every: float) -> None:
        """Do the first one, and then every some seconds what has happened since, until the stop."""
        under_way_ms = round(min(UNDER_WAY_SECONDS, every) * 1_000)
        job, is_waiting = first, False
        while True:
            try:
                self._told(self._jobs.do(job).report)
                is_waiting = False
                if self._stop.wait(every):
                    return
                until = now_ms() - under_way_ms
                job = self._begin(since - RECONCILED_TWICE_MS, until)
                since = until
            except ProjectorError as error:
                if not is_waiting:
                    self._say(f"The reconciliation has to wait: {error}")
                is_waiting = True
                if self._stop.wait(every):
                    return

    def _begin(self, start: int, end: int) -> ClaimedJob:
        parameters = {
            "from": start,
            "to": end,
            "agentIds": [],
            "dryRun": False,
            "orgIds": [SIMULATED_ORG_ID],
        }
        return self._jobs.begin(
            "reconciliation", parameters, why="The demo looks for what was lost."
        )

    def _told(self, report: dict[str, Any]) -> None:
        appended = sum(it["appended"] for it in report.get("sources", {}).values())
        corrections = report.get("correctionsMade") or 0
        self._totals.reconciliations += 1
        self._totals.reconciled += appended
        self._totals.corrections += corrections
        verdict = report.get("verdict")
        end = "it was interrupted" if verdict is None else f"verdict: {verdict}"
        self._say(
            f"A reconciliation appended {counted(appended, 'event')} that no webhook had brought:"
            f" {counted(corrections, 'correction')}; {end}"
        )
