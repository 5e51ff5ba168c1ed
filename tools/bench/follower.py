"""Runners in their own processes: the speed of several together, and the memory of one."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from threading import Event, Thread

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from projector.event_log.store import EventStore
from projector.infrastructure.database import open_pool
from projector.projection.runner import FOLD_BATCH_EVENTS, Runner
from tools.bench.measure import Sample

POLL_SECONDS = 0.02
_IS_BEHIND = "SELECT min(position) < %(head)s FROM projector.projections"
_spawn = multiprocessing.get_context("spawn")


def follow_together(url: str, events: int, count: int) -> Sample:
    """Fold the whole log by ``count`` processes that work as `projector follow` does."""
    pipes = [_spawn.Pipe() for _ in range(count)]
    crew = [_spawn.Process(target=_follow, args=(url, theirs)) for _, theirs in pipes]
    for process in crew:
        process.start()
    for ours, _ in pipes:
        ours.recv()
    begin = time.monotonic()
    for ours, _ in pipes:
        ours.send("go")
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(_IS_BEHIND, {"head": events}).fetchone() == (True,):
            assert all(process.is_alive() for process in crew)
            time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - begin
    for ours, _ in pipes:
        ours.send("stop")
    for process in crew:
        process.join(30)
    return Sample(events=events, seconds=seconds)


def _follow(url: str, pipe: Pipe) -> None:
    pool, stop = open_pool(url, max_size=1), Event()
    runner = Runner(EventStore(pool), url)
    pipe.send("ready")
    pipe.recv()
    thread = Thread(target=runner.run, args=(stop,))
    thread.start()
    pipe.recv()
    stop.set()
    thread.join()
    pool.close()


def peaks_mb(url: str, marks: Sequence[int]) -> Sequence[float]:
    """The peak memory (MB) of one process by the time that it has folded so many events."""
    ours, theirs = _spawn.Pipe()
    process = _spawn.Process(target=_follow_and_measure, args=(url, theirs))
    process.start()
    peaks: list[float] = ours.recv()
    process.join(30)
    return [peaks[min(len(peaks), -(-mark // FOLD_BATCH_EVENTS)) - 1] for mark in marks]


class _MeasuredRunner(Runner):
    """Notes the peak memory (MB) of its process after each batch."""

    peaks: list[float]

    def process_batch(self, connection: Connection[DictRow]) -> bool:
        has_worked = super().process_batch(connection)
        self.peaks.append(_peak_mb())
        return has_worked


def _peak_mb() -> float:
    # getrusage would also count the process that started this one.
    [line] = [it for it in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in it]
    return int(line.split()[1]) / 1024


def _follow_and_measure(url: str, pipe: Pipe) -> None:
    pool = open_pool(url, max_size=1)
    runner = _MeasuredRunner(EventStore(pool), url)
    runner.peaks = []
    runner.catch_up()
    pipe.send(runner.peaks)
    pool.close()
