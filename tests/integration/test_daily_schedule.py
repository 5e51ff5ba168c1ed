"""The daily schedule: one reconciliation a day, from the end of the last one on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from projector.infrastructure.settings import read_settings
from projector.operations.job_queue import JobQueue
from projector.operations.reconciliation.coverage import HISTORY_LAG_MS, cover
from projector.operations.reconciliation.daily_schedule import (
    LONGEST_MS,
    OVERLAP_MS,
    TRY_AGAIN_MS,
    DailySchedule,
)

DAY_MS = 86_400_000
NOON = round(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp() * 1_000)
ASKS = {"PROJECTOR_WEBEX_ACCESS_TOKEN": "t_C_acme", "PROJECTOR_WEBEX_ORG_ID": "acme"}


@pytest.fixture
def at(site):
    """Lets the schedule act at a time (epoch ms); returns the windows requested so far."""
    now = [NOON]
    pool, jobs = site.service.pool, JobQueue(site.service.pool, clock=lambda: now[0])

    def look(moment: int, **more: str) -> list[tuple[int, int]]:
        now[0] = moment
        settings = read_settings(ASKS | {"PROJECTOR_RECONCILE_AT": "03:00"} | more)
        DailySchedule(jobs, pool, settings, clock=lambda: moment).request_if_due()
        found, _ = jobs.list("reconciliation")
        return [(job.parameters["from"], job.parameters["to"]) for job in reversed(found)]

    look.jobs, look.pool = jobs, pool
    return look


def test_it_requests_one_run_a_day(at):
    """The first time it acts after the hour; in between it requests nothing."""
    first = (NOON - HISTORY_LAG_MS - DAY_MS, NOON - HISTORY_LAG_MS)
    assert [first] == at(NOON) == at(NOON + 1) == at(NOON + DAY_MS // 2)
    assert 2 == len(at(NOON + DAY_MS))
    assert {"schedule"} == {job.who for job in at.jobs.list("reconciliation")[0]}


def test_a_window_begins_an_hour_before_the_end_of_the_covered_time(at):
    """For rows that came later. It is not longer than a week."""
    cover(at.pool, 1, "acme", NOON - 3 * DAY_MS, NOON - 2 * DAY_MS, now=NOON)
    cover(at.pool, 2, "another", NOON - DAY_MS, NOON, now=NOON)
    assert [(NOON - 2 * DAY_MS - OVERLAP_MS, NOON - HISTORY_LAG_MS)] == at(NOON)
    later = NOON + 30 * DAY_MS
    assert (later - HISTORY_LAG_MS - LONGEST_MS, later - HISTORY_LAG_MS) == at(later)[-1]


def test_a_failed_run_is_requested_again_after_an_hour(at):
    """Not only on the next day."""
    at(NOON)
    claimed = at.jobs.claim()
    at.jobs.finish(claimed, "failed", "The vendor is away.")
    assert 1 == len(at(NOON + TRY_AGAIN_MS))
    assert 2 == len(at(NOON + TRY_AGAIN_MS + 1))


@pytest.mark.parametrize(
    "more", [{"PROJECTOR_RECONCILE_AT": ""}, {"PROJECTOR_WEBEX_ACCESS_TOKEN": ""}]
)
def test_it_is_off_by_itself(at, more):
    """Without an hour, or without credentials."""
    assert [] == at(NOON, **more)
