"""Compares the vendor's events with the log, subject by subject, and appends the missing ones.

Rule: events are only appended, and nothing else is written. The projection folds them as late
events, and so corrects what they change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, TypeVar
from uuid import UUID

from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Kind, Origin, Recorded
from projector.event_log.store import EventStore, Request
from projector.infrastructure.database import Pool, consistent_read
from projector.operations.reconciliation.api_reader import ReadStep
from projector.operations.reconciliation.event_matching import (
    CLOCK_DIFFERENCE_MS,
    EventMatches,
    match_events,
)
from projector.operations.reconciliation.interval_differences import interval_differences
from projector.operations.reconciliation.report import ReconciliationReport
from projector.projection.read_models import AGENTS, TASKS, Table
from projector.webex.agent_events import with_login_profile
from projector.webex.api_answers import EndlessPages, ForeignOrganisation, UnexpectedAnswer
from projector.webex.api_client import VendorRefuses, VendorSilent
from projector.webex.api_events import ApiEvent, with_recording_path
from projector.webex.api_queries import ApiQueries
from projector.webex.api_rows import AgentActivity, ApiSource, read_activities

APPENDED_TOGETHER = 500
SUBJECTS_COMPARED_TOGETHER = 64  # so that memory is bounded
FEWEST_DISPLACED = 3  # webhooks with other times, from which on the clocks are taken to differ
# What one API does wrong, while others may answer.
ERRORS_OF_ONE_API = (
    VendorRefuses,
    VendorSilent,
    EndlessPages,
    ForeignOrganisation,
    UnexpectedAnswer,
)
_TABLES: Mapping[str, Table[Any]] = {"agent": AGENTS, "task": TASKS}
T = TypeVar("T")


class LogComparison:
    """Compares events of one organisation with the log.

    ``start`` is the start of the whole window, ``now`` the present time; both are epoch ms.
    """

    def __init__(  # noqa: PLR0913 - its parts, and a run's parameters by name
        self,
        pool: Pool,
        store: EventStore,
        queries: ApiQueries,
        report: ReconciliationReport,
        *,
        org_id: str,
        start: int,
        now: int,
        dry_run: bool,
    ) -> None:
        self._pool = pool
        self._store = store
        self._queries = queries
        self._report = report
        self._org = org_id
        self._start = start
        self._now = now
        self._dry_run = dry_run
        self._reported_missing: set[UUID] = set()  # of a dry run, by key

    def compare(self, step: ReadStep, events: Sequence[ApiEvent]) -> None:
        """Report which events of a step the log has, and append those that it lacks."""
        by_subject: dict[tuple[str, str], list[ApiEvent]] = defaultdict(list)
        for event in events:
            by_subject[event.subject].append(event)
        for subjects in _chunks(sorted(by_subject), SUBJECTS_COMPARED_TOGETHER):
            recorded = self._recorded({subject: by_subject[subject] for subject in subjects})
            found = EventMatches()
            for subject in subjects:
                matches = match_events(by_subject[subject], recorded[subject])
                if _has_whole_histories(step):
                    self._report_differences(step, subject, matches, recorded[subject])
                found.add(matches, before=step.end)
            self._conclude(step, found)

    def _conclude(self, step: ReadStep, found: EventMatches) -> None:
        """Report what was found of some subjects, and append what is missing."""
        if self._dry_run:
            _count_missing_once(found, self._reported_missing)
        self._note_clock_difference(step, found)
        if self._report.clock_difference_ms is not None:
            found.doubtful += found.missing
            found.missing = []
        self._report.matched(found)
        self._append(found.missing)

    def _note_clock_difference(self, step: ReadStep, found: EventMatches) -> None:
        """Report where rows and webhooks are of different clocks: then nothing is appended.

        Most events without a webhook of their time have one at another time, several of them, or
        all that were found.
        """
        displaced = [
            it.difference_ms
            for it in found.indistinct
            if abs(it.difference_ms) > RECONCILIATION_TOLERANCE_MS
        ]
        are_many = len(displaced) >= FEWEST_DISPLACED or (displaced and not found.matched)
        if are_many and len(displaced) > len(found.missing):
            self._report.clocks_differ(step.source, round(median(displaced)))

    def _report_differences(
        self,
        step: ReadStep,
        subject: tuple[str, str],
        matches: EventMatches,
        recorded: Sequence[Recorded],
    ) -> None:
        # A task that began before the window lacks its first events, and so folds differently.
        events = matches.certain
        if not events or (subject[0] == "task" and min(it.time for it in events) < self._start):
            return
        differences = interval_differences(
            _TABLES[subject[0]], recorded, events, matches.missing, start=step.start, end=step.end
        )
        self._report.differing(step.source, *subject, differences)

    def _recorded(
        self, subjects: Mapping[tuple[str, str], Sequence[ApiEvent]]
    ) -> dict[tuple[str, str], Sequence[Recorded]]:
        """What the log has of some subjects in the time of their events, by subject."""
        recorded: dict[tuple[str, str], Sequence[Recorded]] = {}
        with consistent_read(self._pool) as cur:
            head = self._store.head_of(cur)
            for kind, table in _TABLES.items():
                of_kind = [subject for subject in subjects if subject[0] == kind]
                ranges = [
                    (
                        self._org,
                        id_,
                        min(it.time for it in subjects[kind, id_]) - CLOCK_DIFFERENCE_MS - 1,
                        max(it.time for it in subjects[kind, id_]) + CLOCK_DIFFERENCE_MS,
                        head,
                    )
                    for _, id_ in of_kind
                ]
                rows = self._store.between(cur, table.column, ranges, condition=table.not_skipped)
                recorded |= zip(of_kind, rows, strict=True)
        return recorded

    def _append(self, missing: Sequence[ApiEvent]) -> None:
        if not self._dry_run:
            missing = self._completed(missing)
            for chunk in _chunks(missing, APPENDED_TOGETHER):
                offered = [event.offered for event in chunk]
                self._store.append([Request(events=offered, origin=Origin.RECONCILIATION)])
        self._report.appended(missing)

    def _completed(self, missing: Sequence[ApiEvent]) -> Sequence[ApiEvent]:
        """The events with what other APIs have of them: recordings, and the profiles of logins."""
        tasks = [it.subject[1] for it in missing if it.offered.event.kind is Kind.CAPTURE]
        recordings: Mapping[str, Sequence[Any]] = {}
        try:
            recordings = self._queries.captures([*dict.fromkeys(tasks)])
        except ERRORS_OF_ONE_API as error:
            self._report.failure(ApiSource.CAPTURES, str(error))
        return [self._complete(event, recordings) for event in missing]

    def _complete(self, event: ApiEvent, recordings: Mapping[str, Sequence[Any]]) -> ApiEvent:
        kind, id_ = event.offered.event.kind, event.subject[1]
        if kind is Kind.CAPTURE:
            return with_recording_path(event, recordings.get(id_, ()), now=self._now)
        if kind is Kind.LOGIN and event.source is ApiSource.AGENT_SESSIONS:
            return with_login_profile(event, self._activities_at(id_, event.time), now=self._now)
        return event

    def _activities_at(self, agent_id: str, time: int) -> Sequence[AgentActivity]:
        try:
            pages = [*self._queries.agent_activities(time, time + 1, [agent_id])]
        except ERRORS_OF_ONE_API:
            return ()  # the step of this API reports it
        rows = [row for page in pages for row in read_activities(page)]
        return [row for row in rows if isinstance(row, AgentActivity)]


def _count_missing_once(found: EventMatches, reported: set[UUID]) -> None:
    """Count a missing event that was reported before as matched: a real run would have it now."""

    def is_reported(event: ApiEvent) -> bool:
        return event.offered.key in reported

    again = [*filter(is_reported, [*found.missing, *found.doubtful])]
    again += [it.event for it in found.indistinct if is_reported(it.event)]
    found.matched += again
    found.missing = [event for event in found.missing if not is_reported(event)]
    found.doubtful = [event for event in found.doubtful if not is_reported(event)]
    found.indistinct = [it for it in found.indistinct if not is_reported(it.event)]
    reported.update(event.offered.key for event in found.missing)


def _has_whole_histories(step: ReadStep) -> bool:
    return step.source in {ApiSource.AGENT_SESSIONS, ApiSource.TASK_DETAILS} and not step.is_gap


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[first : first + size] for first in range(0, len(items), size))
