"""The daily schedule: requests a reconciliation once a day, if there are credentials."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from projector.infrastructure.clock import DAY_MS, HOUR_MS, now_ms
from projector.infrastructure.database import Pool
from projector.infrastructure.settings import Settings
from projector.operations.job_queue import Job, JobQueue
from projector.operations.reconciliation.coverage import HISTORY_LAG_MS, covered_until
from projector.webex.credential_store import has_credentials

WHO = "schedule"
OVERLAP_MS = HOUR_MS  # read again, for what came into the history later
TRY_AGAIN_MS = HOUR_MS  # after a run that failed
TRY_UNTIL_MS = 6 * HOUR_MS  # after the due time, where something did not come
LONGEST_MS = 7 * DAY_MS  # of one window, where nothing was reconciled for long


class DailySchedule:
    """Used by the worker that holds the lock, so that one process at a time requests a run."""

    def __init__(
        self, jobs: JobQueue, pool: Pool, settings: Settings, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._jobs = jobs
        self._pool = pool
        self._settings = settings
        self._clock = clock

    def request_if_due(self) -> None:
        """Queue the reconciliation of the time since the last one, once today's time has come."""
        due = self._last_due_time()
        if due is None:
            return
        last = self._jobs.newest("reconciliation", WHO)
        if last is None or last.created_time < due or self._is_to_be_tried_again(last, due):
            start, end = self._window()
            org_id = self._settings.webex_org_id
            parameters = {
                "from": start,
                "to": end,
                "agentIds": [],
                "dryRun": False,
                "orgIds": None if org_id is None else [org_id],
            }
            self._jobs.enqueue("reconciliation", parameters, who=WHO, why="It is due.")

    def _is_to_be_tried_again(self, last: Job, due: int) -> bool:
        waited = self._clock() > last.created_time + TRY_AGAIN_MS
        if last.status == "failed":
            return waited
        # What did not come may come later; a row that cannot be read probably stays so.
        may_change = last.status == "incomplete" and bool(last.report.get("failures"))
        return may_change and waited and self._clock() < due + TRY_UNTIL_MS

    def _last_due_time(self) -> int | None:
        """When a run was due last, in epoch ms; None where none ever is."""
        time_of_day = self._settings.reconcile_at
        if time_of_day is None or not has_credentials(self._settings):
            return None
        now = datetime.fromtimestamp(self._clock() / 1_000, UTC)
        due = now.replace(
            hour=time_of_day.hour,
            minute=time_of_day.minute,
            second=time_of_day.second,
            microsecond=0,
        )
        if due > now:
            due -= timedelta(days=1)
        return round(due.timestamp() * 1_000)

    def _window(self) -> tuple[int, int]:
        end = self._clock() - HISTORY_LAG_MS
        covered = covered_until(self._pool, self._settings.webex_org_id, end - LONGEST_MS)
        start = end - DAY_MS if covered is None else min(covered, end) - OVERLAP_MS
        return max(start, end - LONGEST_MS), end
