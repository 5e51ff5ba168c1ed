"""The job queue and its worker: one job at a time, resumed after a kill, and stored for ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from projector.infrastructure.clock import now_ms
from projector.operations.job_queue import ClaimedJob, JobFailed, JobQueue, NotCancellable
from projector.operations.own_jobs import OwnJobs
from projector.operations.worker import Worker
from tests.integration.driving import eventually

PARAMETERS = {"orgIds": None}


@pytest.fixture
def jobs(site):
    return JobQueue(site.service.pool)


def worker(site, run, **more):
    return Worker(site.service.pool, site.url, {"replay": run, "reconciliation": run}, **more)


def enqueue(jobs, kind="replay", **parameters):
    return jobs.enqueue(kind, PARAMETERS | parameters, who="test", why="to see")


def test_a_job_is_done_once_and_stored_with_who_and_why(site, jobs):
    """With its report and its times."""
    done = []
    first, second = enqueue(jobs, number=1), enqueue(jobs, number=2)

    def run(claimed: ClaimedJob) -> None:
        done.append(claimed.job.parameters["number"])
        claimed.report["found"] = claimed.job.id

    worker(site, run).work_off()
    worker(site, run).work_off()
    assert [1, 2] == done
    stored = [jobs.find("replay", job.id) for job in (first, second)]
    assert ["completed", "completed"] == [job.status for job in stored]
    assert [first.id, second.id] == [job.report["found"] for job in stored]
    assert ("test", "to see") == (stored[0].who, stored[0].why)
    assert stored[0].created_time <= stored[0].started_time <= stored[0].finished_time


def test_a_job_that_fails_says_why_and_the_next_one_is_worked_on(site, jobs):
    """With the sentence of a foreseen error, or the type and text of another one."""

    def run(claimed: ClaimedJob) -> None:
        if claimed.job.parameters["fails"] == "foreseen":
            raise JobFailed("The vendor is away.")
        if claimed.job.parameters["fails"]:
            raise ValueError("odd \0 text")

    enqueued = [enqueue(jobs, fails=it) for it in ("foreseen", "unforeseen", "")]
    worker(site, run).work_off()
    found = [jobs.find("replay", job.id) for job in enqueued]
    assert [
        ("failed", "The vendor is away."),
        ("failed", "ValueError: odd  text"),
        ("completed", None),
    ] == [(job.status, job.error) for job in found]


def test_a_killed_job_goes_on_from_what_it_saved(site, jobs):
    """It comes before jobs that are queued, and has its progress."""
    enqueue(jobs, number=1)
    seen = []

    def dies(claimed: ClaimedJob) -> None:
        claimed.progress["at"] = 7
        claimed.save()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker(site, dies).work_off()
    enqueue(jobs, number=2)
    worker(
        site, lambda claimed: seen.append((claimed.job.parameters["number"], claimed.progress))
    ).work_off()
    assert [(1, {"at": 7}), (2, {})] == seen


def test_a_worker_that_is_told_to_stop_leaves_its_job_for_the_next_start(site, jobs):
    """It ends at the next save; the job stays as it is."""
    job, stop = enqueue(jobs), threading.Event()

    def run(claimed: ClaimedJob) -> None:
        stop.set()
        claimed.progress["at"] = 3
        claimed.save()
        raise AssertionError

    worker(site, run).run(stop)
    found = jobs.find("replay", job.id)
    assert ("running", {"at": 3}) == (found.status, found.progress)


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(site, jobs):
    """At once, or at its next save; what has ended is not cancelled. The first reason stays."""
    waiting, running = enqueue(jobs), enqueue(jobs)
    by_ann: Any = {"who": "ann", "why": "too slow"}
    jobs.cancel("replay", waiting.id, **by_ann)

    def run(claimed: ClaimedJob) -> None:
        jobs.cancel("replay", claimed.job.id, **by_ann)
        jobs.cancel("replay", claimed.job.id, who="bob", why=None)
        claimed.save()
        raise AssertionError

    worker(site, run).work_off()
    for found in (jobs.find("replay", job.id) for job in (waiting, running)):
        assert "cancelled" == found.status
        assert by_ann == {name: found.cancellation[name] for name in by_ann}
        assert found.created_time <= found.cancellation["time"] <= now_ms()
    with pytest.raises(NotCancellable):
        jobs.cancel("replay", running.id, **by_ann)
    assert jobs.cancel("replay", 10**9, **by_ann) is None
    assert jobs.cancel("reconciliation", running.id, **by_ann) is None


def test_two_workers_never_work_at_the_same_time(site, jobs):
    """The second waits, and takes over when the first is gone."""
    at_work, most, done, stop = [], [], [], threading.Event()

    def run(claimed: ClaimedJob) -> None:
        at_work.append(claimed.job.id)
        most.append(len(at_work))
        stop.wait(0.05)
        at_work.remove(claimed.job.id)
        done.append(claimed.job.id)

    ids = [enqueue(jobs).id for _ in range(6)]
    threads = [threading.Thread(target=worker(site, run).run, args=(stop,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(done) == 6)
    stop.set()
    for thread in threads:
        thread.join()
    assert ids == done
    assert {1} == {*most}


def test_a_waiting_worker_is_woken_by_a_job(site, jobs):
    """Between jobs it does what is due."""
    done, looked, stop = [], [], threading.Event()
    it = worker(site, lambda claimed: done.append(claimed.job.id), between=lambda: looked.append(1))
    thread = threading.Thread(target=it.run, args=(stop,))
    thread.start()
    eventually(lambda: bool(looked))
    job = enqueue(jobs)
    eventually(lambda: done == [job.id], seconds=0.9)  # sooner than it would look by itself
    stop.set()
    thread.join()


def test_jobs_are_limited_to_organisations(jobs):
    """A job of all organisations is not among those of one."""
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
    ids = [enqueue(jobs).id for _ in range(5)]
    enqueue(jobs, kind="reconciliation")
    listed, after = [], None
    while True:
        page, after = jobs.list("replay", after=after, limit=2)
        listed += [job.id for job in page]
        if after is None:
            break
    assert ids[::-1] == listed


def test_a_job_that_somebody_does_is_taken_by_no_worker(site, jobs):
    """It is a row like any other: it is found, and says what became of it."""
    done, stop = [], threading.Event()

    def run(claimed: ClaimedJob) -> None:
        done.append(claimed.job.who)
        claimed.report["found"] = 1

    own = OwnJobs(jobs, {"reconciliation": run}, name="mine", stop=stop)
    begun = own.begin("reconciliation", PARAMETERS, why="to see")
    assert ("running", "mine") == (begun.job.status, begun.job.who)
    worker(site, lambda _: done.append("the worker")).work_off()
    assert [] == done
    finished = own.do(begun)
    assert (["mine"], "completed", {"found": 1}) == (done, finished.status, finished.report)
    assert finished == jobs.find("reconciliation", begun.job.id)


def test_a_job_of_ones_own_is_cancelled_or_given_up(jobs):
    """Like one of the worker; a stop of the process gives it up."""
    stop = threading.Event()
    own = OwnJobs(jobs, {"replay": lambda it: it.save()}, name="mine", stop=stop)
    begun = [own.begin("replay", PARAMETERS, why="to see") for _ in range(2)]
    jobs.cancel("replay", begun[0].job.id, who="ann", why=None)
    assert "cancelled" == own.do(begun[0]).status
    stop.set()
    assert "cancelled" == own.do(begun[1]).status


def test_what_a_killed_process_left_is_ended_by_the_next(jobs):
    """But not what another one does."""
    mine, theirs = (
        OwnJobs(jobs, {}, name=name, stop=threading.Event()).begin("replay", PARAMETERS, why="?")
        for name in ("mine", "theirs")
    )
    OwnJobs(jobs, {}, name="mine", stop=threading.Event())
    ended = jobs.find("replay", mine.job.id)
    assert ("failed", "The process that did it has ended.") == (ended.status, ended.error)
    assert "running" == jobs.find("replay", theirs.job.id).status
