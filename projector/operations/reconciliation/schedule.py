"""The schedule: asks for a reconciliation once a day, if the vendor can be asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool
from projector.infrastructure.settings import Settings
from projector.operations.job_queue import Job, JobQueue
from projector.operations.reconciliation.coverage import covered_until
from projector.webex.api_queries import DAY_MS, HOUR_MS

WHO = "schedule"
LAG_MS = 600_000  # the vendor's history trails what happens by some minutes
OVERLAP_MS = HOUR_MS  # read again before what is covered, for what came into it later
TRY_AGAIN_MS = HOUR_MS  # after one that failed
LONGEST_MS = 7 * DAY_MS  # of what was not covered for long


class Schedule:
    """ClaimedJob by whoever holds the worker's lock, so that one process at a time asks."""

    def __init__(
        self, jobs: JobQueue, pool: Pool, settings: Settings, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._jobs = jobs
        self._pool = pool
        self._settings = settings
        self._clock = clock

    def ask_if_due(self) -> None:
        """Ask for what came since the last reconciliation, if today's moment has passed."""
        due = self._due()
        if due is None:
            return
        last = self._jobs.newest("reconciliation", WHO)
        if last is None or last.created_time < due or self._is_to_be_tried_again(last):
            start, end = self._window()
            asked = {"from": start, "to": end, "agentIds": [], "dryRun": False}
            org_id = self._settings.webex_org_id
            asked |= {"orgIds": None if org_id is None else [org_id]}
            self._jobs.enqueue("reconciliation", asked, who=WHO, why="It is due.")

    def _is_to_be_tried_again(self, last: Job) -> bool:
        return last.status == "failed" and self._clock() > last.created_time + TRY_AGAIN_MS

    def _due(self) -> int | None:
        """When it was due last, epoch ms; null where it never is."""
        at = self._settings.reconcile_at
        if at is None or not self._settings.asks_vendor:
            return None
        now = datetime.fromtimestamp(self._clock() / 1_000, UTC)
        due = now.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
        if due > now:
            due -= timedelta(days=1)
        return round(due.timestamp() * 1_000)

    def _window(self) -> tuple[int, int]:
        end = self._clock() - LAG_MS
        covered = covered_until(self._pool, self._settings.webex_org_id)
        start = end - DAY_MS if covered is None else covered - OVERLAP_MS
        return max(start, end - LONGEST_MS), end
