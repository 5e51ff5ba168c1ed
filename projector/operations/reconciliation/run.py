"""A reconciliation: asks the vendor for a window, and appends what the log lacks of it.

The rule of this file: each step can be done again at no harm, so a run that was killed goes on from
the step in which it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool
from projector.operations.job_queue import ClaimedJob, JobFailed
from projector.operations.reconciliation.comparison import Comparison
from projector.operations.reconciliation.coverage import cover
from projector.operations.reconciliation.gaps import corrections_made, gaps, long_open
from projector.operations.reconciliation.reader import Reader, Step
from projector.operations.reconciliation.report import Report
from projector.webex.api_client import Vendor, VendorRefuses, VendorSilent
from projector.webex.api_queries import (
    HOUR_MS,
    LOOK_BACK_MS,
    Endless,
    Foreign,
    Sources,
    Unexpected,
)
from projector.webex.api_rows import Source
from projector.webex.credentials import CredentialsRefused, NoCredentials

WITH_GAPS = 30  # agents, and tasks, that are asked for first, one by one
LONG_OPEN = 200  # tasks that are open since before the window, the latest of them
VIEWS_WAIT_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.1
_SPANS = {Source.ACTIVITIES: HOUR_MS}  # asked for at a time; of the others a day
_OF_A_SOURCE = (VendorRefuses, VendorSilent, Endless, Foreign, Unexpected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The window ``[start, end)`` of an organisation, epoch ms; agents alone, where some are."""

    start: int
    end: int
    agent_ids: Sequence[str] = ()
    dry_run: bool = False

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Asked:
        return cls(
            start=asked["from"],
            end=asked["to"],
            agent_ids=asked.get("agentIds") or (),
            dry_run=asked.get("dryRun") or False,
        )


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """Runs reconciliations, one at a time, with whatever reaches the vendor."""

    pool: Pool
    store: EventStore
    vendor: Callable[[], Vendor]
    views_position: Callable[[], int]
    clock: Callable[[], int] = now_ms

    def run(self, held: ClaimedJob) -> None:
        """Do what a run asks for, from where it was left; JobFailed where nothing can be asked."""
        vendor = self.vendor()
        try:
            _Run(self, held, vendor, Asked.of(held.job.parameters)).run()
        except (NoCredentials, CredentialsRefused) as error:
            raise JobFailed(str(error)) from None
        finally:
            vendor.close()


class _Run:
    """One run: its plan, its progress and its report."""

    def __init__(self, by: Reconciler, held: ClaimedJob, vendor: Vendor, asked: Asked) -> None:
        self._by = by
        self._held = held
        self._vendor = vendor
        self._asked = asked
        self._org = vendor.org_id
        self._report = Report(held.report)
        sources, now = Sources(vendor), by.clock()
        self._reader = Reader(sources, self._report, org_id=self._org, now=now)
        self._comparison = Comparison(
            by.pool,
            by.store,
            sources,
            self._report,
            org_id=self._org,
            start=asked.start,
            now=now,
            dry_run=asked.dry_run,
        )

    def run(self) -> None:
        self._begin()
        steps = self._plan()
        for place in range(self._held.progress["next"], len(steps)):
            self._held.report |= {"step": place, "steps": len(steps)}
            # A step that is begun again counts anew from here.
            self._held.progress["report"] = deepcopy(self._held.report)
            self._held.save()
            self._try(steps[place])
            self._held.progress["next"] = place + 1
        self._held.report |= {"step": len(steps), "requests": self._vendor.requests}
        self._held.save()
        self._end()

    def _begin(self) -> None:
        if "next" in self._held.progress:
            self._held.report.clear()
            self._held.report |= self._held.progress["report"]
        else:
            asked = self._asked
            found = gaps(self._by.pool, self._org, asked.start, asked.end)
            if asked.agent_ids:
                found = [it for it in found if it.kind == "agent" and it.id in asked.agent_ids]
            self._held.progress |= {
                "next": 0,
                "position": self._by.store.head(),
                "gaps": [asdict(gap) for gap in found],
                "open": [
                    {"id": id_, "start": began}
                    for id_, began in long_open(
                        self._by.pool, self._org, asked.start - LOOK_BACK_MS, LONG_OPEN
                    )
                ],
            }
            self._held.report |= {"orgId": self._org, "gapsFound": len(found)}

    def _plan(self) -> list[Step]:
        """First the gaps that anomalies name, then the window; sources that tell more first."""
        asked, steps = self._asked, []
        for kind, source in (("agent", Source.SESSIONS), ("task", Source.CONTACTS)):
            ids = dict.fromkeys(
                it["id"] for it in self._held.progress["gaps"] if it["kind"] == kind
            )
            steps += [
                Step(source=source, start=asked.start, end=asked.end, ids=[id_], is_gap=True)
                for id_ in [*ids][:WITH_GAPS]
            ]
        if not asked.agent_ids:
            # Open for longer than the vendor's windows are looked back.
            steps += [
                Step(source=Source.CONTACTS, start=it["start"], end=asked.end, ids=[it["id"]],
                     is_gap=True)
                for it in self._held.progress["open"]
            ]  # fmt: skip
        whole = [Source.SESSIONS, Source.ACTIVITIES]
        whole += [] if asked.agent_ids else [Source.TASKS, Source.CONTACTS]
        for source in whole:
            span = _SPANS.get(source, 24 * HOUR_MS)
            for since in range(asked.start, asked.end, span):
                until = min(asked.end, since + span)
                steps.append(Step(source=source, start=since, end=until, ids=asked.agent_ids))
        return steps

    def _try(self, step: Step) -> None:
        """Do a step; a source that refuses costs the others nothing."""
        try:
            for facts in self._reader.facts(step):
                self._comparison.take(step, facts)
                self._held.save()
        except _OF_A_SOURCE as error:
            self._report.failure(step.source, str(error))

    def _end(self) -> None:
        asked, report = self._asked, self._held.report
        head = self._by.store.head()
        if not asked.dry_run:
            self._await_views(head)
            self._outcome(head)
            if self._report.is_whole and not asked.agent_ids:
                job, now = self._held.job.id, self._by.clock()
                cover(self._by.pool, job, self._org, asked.start, asked.end, now=now)
        failed = {line["source"] for line in report["failures"]}
        read = {name for name, counts in report["sources"].items() if counts["fetched"]}
        if failed and not read - failed:
            raise JobFailed(report["failures"][0]["reason"])

    def _await_views(self, head: int) -> None:
        """Until what was appended shows, as long as that may be expected."""
        deadline = time.monotonic() + VIEWS_WAIT_SECONDS
        while self._by.views_position() < head and time.monotonic() < deadline:
            self._held.save()
            time.sleep(LOOK_EVERY_SECONDS)

    def _outcome(self, head: int) -> None:
        """What came of what was appended; null where the views have not taken it yet."""
        report, position = self._held.report, self._held.progress["position"]
        if self._by.views_position() < head:
            report |= {"gapsClosed": None, "correctionsMade": None}
            return
        left = {
            (gap.kind, gap.id, gap.position)
            for gap in gaps(self._by.pool, self._org, self._asked.start, self._asked.end)
        }
        found = [(it["kind"], it["id"], it["position"]) for it in self._held.progress["gaps"]]
        report["gapsClosed"] = sum(gap not in left for gap in found)
        report["correctionsMade"] = corrections_made(self._by.pool, self._org, position, head)
