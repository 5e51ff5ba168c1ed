"""The comparison: facts of the vendor's with the log, subject by subject; what lacks is appended.

The rule of this file: facts are appended and nothing is edited; what they change is repaired by the
fold that takes them, as late events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Kind, Origin, Recorded
from projector.event_log.store import EventStore, Request
from projector.infrastructure.database import Pool, consistent_read
from projector.operations.reconciliation.differing import differing
from projector.operations.reconciliation.matching import Matching, match
from projector.operations.reconciliation.reader import Step
from projector.operations.reconciliation.report import Report
from projector.projection.read_models import AGENTS, TASKS, Table
from projector.webex.api_client import VendorRefuses
from projector.webex.api_events import Fact, with_path, with_profile
from projector.webex.api_queries import Sources, Unexpected
from projector.webex.api_rows import Activity, Source, activities

APPENDED_TOGETHER = 500
SUBJECTS_READ = 64  # that are compared together, so that memory is bounded
_TABLES: Mapping[str, Table[Any]] = {"agent": AGENTS, "task": TASKS}
T = TypeVar("T")


class Comparison:
    """Compares facts of one organisation with one log; ``start`` is that of the whole window."""

    def __init__(  # noqa: PLR0913 - what is compared with what, and what is done then
        self,
        pool: Pool,
        store: EventStore,
        sources: Sources,
        report: Report,
        *,
        org_id: str,
        start: int,
        now: int,
        dry_run: bool,
    ) -> None:
        self._pool = pool
        self._store = store
        self._sources = sources
        self._report = report
        self._org = org_id
        self._start = start
        self._now = now
        self._dry_run = dry_run
        self._told: set[UUID] = set()  # of a dry run: what it said to be missing

    def take(self, step: Step, facts: Sequence[Fact]) -> None:
        """Compare the facts of a step with the log, append those that it lacks, report both."""
        subjects: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for fact in facts:
            subjects[fact.subject].append(fact)
        for some in _parts(sorted(subjects), SUBJECTS_READ):
            known = self._known({subject: subjects[subject] for subject in some})
            missing: list[Fact] = []
            for subject in some:
                missing += self._compare(step, subject, subjects[subject], known[subject])
            self._append(missing)

    def _compare(
        self,
        step: Step,
        subject: tuple[str, str],
        facts: Sequence[Fact],
        known: Sequence[Recorded],
    ) -> Sequence[Fact]:
        found = match(facts, known)
        if _tells_whole_lives(step):
            self._differing(step, subject, facts, known, found.missing)
        if self._dry_run:
            _told_once(found, self._told)
        self._report.matched(found)
        return found.missing

    def _differing(
        self,
        step: Step,
        subject: tuple[str, str],
        facts: Sequence[Fact],
        known: Sequence[Recorded],
        missing: Sequence[Fact],
    ) -> None:
        # A task of which the beginning is not told cannot be folded alike.
        if subject[0] == "task" and min(fact.time for fact in facts) < self._start:
            return
        found = differing(
            _TABLES[subject[0]], known, facts, missing, start=step.start, end=step.end
        )
        self._report.differing(step.source, *subject, found)

    def _known(
        self, subjects: Mapping[tuple[str, str], Sequence[Fact]]
    ) -> dict[tuple[str, str], Sequence[Recorded]]:
        """The events that the log has of some subjects at about the times of their facts."""
        found: dict[tuple[str, str], Sequence[Recorded]] = {}
        near = RECONCILIATION_TOLERANCE_MS
        with consistent_read(self._pool) as cur:
            head = self._store.head_of(cur)
            for kind, table in _TABLES.items():
                own = [subject for subject in subjects if subject[0] == kind]
                asked = [
                    (
                        self._org,
                        id_,
                        min(fact.time for fact in subjects[kind, id_]) - near - 1,
                        max(fact.time for fact in subjects[kind, id_]) + near,
                        head,
                    )
                    for _, id_ in own
                ]
                read = self._store.between(cur, table.column, asked, condition=table.not_skipped)
                found |= zip(own, read, strict=True)
        return found

    def _append(self, missing: Sequence[Fact]) -> None:
        if not self._dry_run:
            missing = self._completed(missing)
            for some in _parts(missing, APPENDED_TOGETHER):
                offered = [fact.offered for fact in some]
                self._store.append([Request(events=offered, origin=Origin.RECONCILIATION)])
        self._report.appended(missing)

    def _completed(self, missing: Sequence[Fact]) -> Sequence[Fact]:
        """Facts with what other APIs tell of them: recordings, and the profiles of logins."""
        tasks = [it.subject[1] for it in missing if it.offered.event.kind is Kind.CAPTURE]
        recordings: Mapping[str, Sequence[Any]] = {}
        try:
            recordings = self._sources.captures([*dict.fromkeys(tasks)])
        except (VendorRefuses, Unexpected) as error:
            self._report.failure(Source.CAPTURES, str(error))
        return [self._complete(fact, recordings) for fact in missing]

    def _complete(self, fact: Fact, recordings: Mapping[str, Sequence[Any]]) -> Fact:
        kind, id_ = fact.offered.event.kind, fact.subject[1]
        if kind is Kind.CAPTURE:
            return with_path(fact, recordings.get(id_, ()), now=self._now)
        if kind is Kind.LOGIN and fact.source is Source.SESSIONS:
            return with_profile(fact, self._logins(id_, fact.time), now=self._now)
        return fact

    def _logins(self, agent_id: str, time: int) -> Sequence[Activity]:
        try:
            pages = [*self._sources.activities(time, time + 1, [agent_id])]
        except VendorRefuses:
            return ()  # its own step says so
        told = [row for page in pages for row in activities(page)]
        return [row for row in told if isinstance(row, Activity)]


def _told_once(found: Matching, told: set[UUID]) -> None:
    """What was said to be missing before would have been appended by now."""
    again = [fact for fact in found.missing if fact.offered.key in told]
    found.matched += again
    found.missing = [fact for fact in found.missing if fact.offered.key not in told]
    told.update(fact.offered.key for fact in found.missing)


def _tells_whole_lives(step: Step) -> bool:
    return step.source in {Source.SESSIONS, Source.CONTACTS} and not step.is_gap


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[first : first + size] for first in range(0, len(items), size))
