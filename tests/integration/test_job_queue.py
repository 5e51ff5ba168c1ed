"""The job queue and its worker: one job at a time, resumed after a kill, and stored for ever."""

from __future__ import annotations

import threading

import pytest

from projector.operations.job_queue import ClaimedJob, JobFailed, JobQueue, NotCancellable
from projector.operations.worker import Worker
from tests.integration.driving import eventually

ASKED = {"orgIds": None}


@pytest.fixture
def jobs(site):
    return JobQueue(site.service.pool)


def worker(site, run, **more):
    return Worker(site.service.pool, site.url, {"replay": run, "reconciliation": run}, **more)


def ask(jobs, kind="replay", **asked):
    return jobs.enqueue(kind, ASKED | asked, who="test", why="to see")


def test_a_job_is_done_once_and_kept_with_who_and_why(site, jobs):
    """With its report, its times and its asker."""
    done = []
    first, second = ask(jobs, number=1), ask(jobs, number=2)

    def run(claimed: ClaimedJob) -> None:
        done.append(claimed.job.parameters["number"])
        claimed.report["found"] = claimed.job.id

    worker(site, run).work_off()
    worker(site, run).work_off()
    assert [1, 2] == done
    kept = [jobs.find("replay", job.id) for job in (first, second)]
    assert ["completed", "completed"] == [job.status for job in kept]
    assert [first.id, second.id] == [job.report["found"] for job in kept]
    assert ("test", "to see") == (kept[0].who, kept[0].why)
    assert kept[0].created_time <= kept[0].started_time <= kept[0].finished_time


def test_a_job_that_fails_says_why_and_the_next_one_is_worked_on(site, jobs):
    """By its sentence, or by the kind of what was not foreseen."""

    def run(claimed: ClaimedJob) -> None:
        if claimed.job.parameters["fails"] == "foreseen":
            raise JobFailed("The vendor is away.")
        if claimed.job.parameters["fails"]:
            raise ValueError("odd \0 text")

    asked = [ask(jobs, fails=it) for it in ("foreseen", "unforeseen", "")]
    worker(site, run).work_off()
    found = [jobs.find("replay", job.id) for job in asked]
    assert [
        ("failed", "The vendor is away."),
        ("failed", "ValueError: odd  text"),
        ("completed", None),
    ] == [(job.status, job.error) for job in found]


def test_a_killed_job_goes_on_from_what_it_saved(site, jobs):
    """Before any that waits, and with its report."""
    ask(jobs, number=1)
    seen = []

    def dies(claimed: ClaimedJob) -> None:
        claimed.progress["at"] = 7
        claimed.save()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker(site, dies).work_off()
    ask(jobs, number=2)
    worker(
        site, lambda claimed: seen.append((claimed.job.parameters["number"], claimed.progress))
    ).work_off()
    assert [(1, {"at": 7}), (2, {})] == seen


def test_a_worker_that_is_told_to_stop_leaves_its_job_for_the_next_start(site, jobs):
    """At the next save; nothing of it is ended."""
    job, stop = ask(jobs), threading.Event()

    def run(claimed: ClaimedJob) -> None:
        stop.set()
        claimed.progress["at"] = 3
        claimed.save()
        raise AssertionError

    worker(site, run).run(stop)
    found = jobs.find("replay", job.id)
    assert ("running", {"at": 3}) == (found.status, found.progress)


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(site, jobs):
    """At once, or at its next save; what has ended is not cancelled."""
    waiting, running = ask(jobs), ask(jobs)
    jobs.cancel("replay", waiting.id)

    def run(claimed: ClaimedJob) -> None:
        jobs.cancel("replay", claimed.job.id)
        claimed.save()
        raise AssertionError

    worker(site, run).work_off()
    found = [jobs.find("replay", job.id).status for job in (waiting, running)]
    assert ["cancelled", "cancelled"] == found
    with pytest.raises(NotCancellable):
        jobs.cancel("replay", running.id)
    assert jobs.cancel("replay", 10**9) is None
    assert jobs.cancel("reconciliation", running.id) is None


def test_two_workers_never_work_at_the_same_time(site, jobs):
    """The second waits, and takes over when the first is gone."""
    at_work, most, done, stop = [], [], [], threading.Event()

    def run(claimed: ClaimedJob) -> None:
        at_work.append(claimed.job.id)
        most.append(len(at_work))
        stop.wait(0.05)
        at_work.remove(claimed.job.id)
        done.append(claimed.job.id)

    asked = [ask(jobs).id for _ in range(6)]
    threads = [threading.Thread(target=worker(site, run).run, args=(stop,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(done) == 6)
    stop.set()
    for thread in threads:
        thread.join()
    assert asked == done
    assert {1} == {*most}


def test_a_waiting_worker_is_woken_by_a_job(site, jobs):
    """And does what is due between jobs."""
    done, looked, stop = [], [], threading.Event()
    it = worker(site, lambda claimed: done.append(claimed.job.id), between=lambda: looked.append(1))
    thread = threading.Thread(target=it.run, args=(stop,))
    thread.start()
    eventually(lambda: bool(looked))
    job = ask(jobs)
    eventually(lambda: done == [job.id], seconds=0.9)  # sooner than it would look by itself
    stop.set()
    thread.join()


def test_who_sees_some_organisations_sees_what_was_asked_of_them_alone(jobs):
    """Not what was asked of all."""
    of_all, of_one, of_two = (
        jobs.enqueue("replay", {"orgIds": orgs}, who="test", why=None)
        for orgs in (None, ["acme"], ["acme", "umbra"])
    )
    found, _ = jobs.list("replay", orgs={"acme"})
    assert [of_one.id] == [job.id for job in found]
    assert jobs.find("replay", of_two.id, orgs={"acme"}) is None
    assert of_all.id == jobs.find("replay", of_all.id).id


def test_jobs_are_listed_from_the_newest_on(jobs):
    """Page by page, each once."""
    asked = [ask(jobs).id for _ in range(5)]
    ask(jobs, kind="reconciliation")
    found, after = [], None
    while True:
        page, after = jobs.list("replay", after=after, limit=2)
        found += [job.id for job in page]
        if after is None:
            break
    assert asked[::-1] == found
