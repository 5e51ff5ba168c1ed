"""Waiting for a position: one reader for all who wait, and nobody unknown waits."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from projector.infrastructure.database import StoreUnavailable
from projector.query.position_watch import PositionWatch, TooManyWait
from tests.conftest import Site
from tests.integration.driving import eventually

FAR = {"X-Min-Position": "999999999999"}


class MovedPosition:
    """A position that a test moves, and how often and by how many at a time it was read."""

    def __init__(self) -> None:
        self.position = 0
        self.reads = 0
        self.readers: set[str] = set()

    def __call__(self) -> int:
        self.reads += 1
        self.readers.add(threading.current_thread().name)
        return self.position


def test_one_thread_reads_for_all_who_wait() -> None:
    """Each is answered when its own position is there."""
    read = MovedPosition()
    watch = PositionWatch(read)
    with ThreadPoolExecutor(20) as threads:
        answers = [threads.submit(watch.wait_for, position, 10.0) for position in range(1, 21)]
        time.sleep(0.3)
        assert read.reads < 60  # and not of each of the 20
        assert not any(it.done() for it in answers)
        read.position = 10
        assert all(it.result(5) for it in answers[:10])
        assert not any(it.done() for it in answers[10:])
        read.position = 20
        assert all(it.result(5) for it in answers)
    assert {"position-watch"} == read.readers
    reads = read.reads
    time.sleep(0.1)
    assert read.reads <= reads + 1  # nobody waits, nothing is read
    watch.close()


def test_what_is_not_reached_in_time_is_said() -> None:
    watch = PositionWatch(MovedPosition())
    began = time.monotonic()
    assert not watch.wait_for(1, 0.1)
    assert 0.1 <= time.monotonic() - began < 2
    watch.close()


def test_a_position_may_go_back() -> None:
    """What was read before the question does not count."""
    read = MovedPosition()
    watch = PositionWatch(read)
    read.position = 5
    assert watch.wait_for(5, 5)
    read.position = 0
    assert not watch.wait_for(5, 0.1)
    watch.close()


def test_an_error_reaches_all_who_wait() -> None:
    """And the next question is asked anew."""
    failing = True

    def read() -> int:
        if failing:
            raise StoreUnavailable("it does not answer")
        return 1

    watch = PositionWatch(read)
    with pytest.raises(StoreUnavailable):
        watch.wait_for(1, 5)
    failing = False
    assert watch.wait_for(1, 5)
    watch.close()


def test_only_so_many_wait() -> None:
    """The others are told at once, and there is room again when one has its answer."""
    read = MovedPosition()
    watch = PositionWatch(read, most_waiting=2)
    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(watch.wait_for, 1, 10.0) for _ in range(2)]
        eventually(lambda: len(watch._waiting) == 2)
        with pytest.raises(TooManyWait):
            watch.wait_for(0, 1)
        read.position = 1
        assert all(it.result(5) for it in answers)
    assert watch.wait_for(1, 5)
    watch.close()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_nobody_waits_without_a_token(site: Site, path: str) -> None:
    """401 at once on the open routes, with a wrong token too; with one it is waited."""
    began = time.monotonic()
    for headers in (FAR, {"X-Min-Position": "0"}, FAR | {"Authorization": "Bearer wrong"}):
        answer = site.client.get(path, headers=headers)
        assert (401, "application/problem+json") == (answer.status_code, answer.content_type)
    assert time.monotonic() - began < 3
    assert 200 == site.client.get(path).status_code
    assert 200 == site.get(path, headers={"X-Min-Position": "0"}).status_code


def test_a_request_beyond_the_room_is_told_to_come_again(site: Site) -> None:
    """503 with Retry-After, and no thread is held."""
    full = PositionWatch(lambda: 0, most_waiting=0)
    object.__setattr__(site.service, "position_watch", full)
    answer = site.get("/api/v1/status", headers=FAR)
    assert 503 == answer.status_code
    assert "Retry-After" in answer.headers
    assert "Too many requests wait" in answer.json["detail"]
