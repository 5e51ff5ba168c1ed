"""Durable append: calls of one event and of many, from one process and from two at a time."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from tools.bench.contenders import (
    OURS,
    OURS_EACH,
    PARSE,
    RAW,
    STOCK,
    contenders,
    prepare,
    timed,
)
from tools.bench.ground import Bodies
from tools.bench.measure import Case, Comparison, Sample

PART = "intake"
Batches = list[list[bytes]]


@dataclass(frozen=True, kw_only=True)
class Load:
    """The calls that each process makes in one turn, and the events in each call."""

    name: str
    size: int
    calls: int


def loads(scale: float) -> Sequence[Load]:
    return (
        Load(name="single", size=1, calls=round(150 * scale)),
        Load(name="batches of 100", size=100, calls=round(12 * scale)),
        Load(name="batches of 1000", size=1_000, calls=max(2, round(3 * scale))),
    )


def measure(url: str, *, rounds: int, scale: float) -> Iterator[Comparison]:
    prepare(url)
    bodies = Bodies()
    for count in (1, 2):
        with workers(url, count) as crew:
            for load in loads(scale):
                for case in _measure(crew, bodies, load, rounds):
                    yield from case.comparisons()


def _measure(crew: Crew, bodies: Bodies, load: Load, rounds: int) -> Sequence[Case]:
    name = f"{load.name}, {crew.count} at a time"
    new = Case(part=PART, name=name, pairs=[(OURS, RAW), (STOCK, RAW), (OURS, STOCK)])
    again = Case(part=PART, name=f"{name}, all duplicates", pairs=[(OURS, RAW)])
    if load.size > 1:
        new.pairs = [*new.pairs, (OURS_EACH, RAW), (RAW, PARSE)]
    _warm_up(crew, bodies, load)
    for _ in range(rounds):
        # Both forms of ours fill one table, so the second form needs other events.
        lots, other_lots = (
            [bodies.batches(load.calls, load.size) for _ in range(crew.count)] for _ in range(2)
        )
        new.add(OURS, crew.run(OURS, lots, new=True))
        new.add(RAW, crew.run(RAW, lots, new=True))
        new.add(STOCK, crew.run(STOCK, lots, new=True))
        if load.size > 1:
            new.add(OURS_EACH, crew.run(OURS_EACH, other_lots, new=True))
            new.add(PARSE, crew.run(PARSE, lots))
        again.add(OURS, crew.run(OURS, lots, new=False))
        again.add(RAW, crew.run(RAW, lots, new=False))
    return (new, again)


def _warm_up(crew: Crew, bodies: Bodies, load: Load) -> None:
    for contender in (OURS, OURS_EACH, RAW, STOCK):
        crew.run(contender, [bodies.batches(8, load.size) for _ in range(crew.count)])


class Crew:
    """Processes that begin to append at the same time, each with connections of its own."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes
        self.count = len(pipes)

    def run(self, contender: str, lots: Sequence[Batches], *, new: bool | None = None) -> Sample:
        """One turn, with batches for each process.

        ``new`` says that all events must be new (True) or none (False).
        """
        for pipe, batches in zip(self._pipes, lots, strict=True):
            pipe.send((contender, batches))
        answers = [pipe.recv() for pipe in self._pipes]
        begins, ends, cpu_seconds, appended = zip(*answers, strict=True)
        events = sum(len(batch) for batches in lots for batch in batches)
        assert new is None or sum(appended) == (events if new else 0)
        return Sample(
            events=events,
            seconds=max(ends) - min(begins),
            cpu_seconds=None if None in cpu_seconds else sum(cpu_seconds),
        )


@contextmanager
def workers(url: str, count: int) -> Iterator[Crew]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    ends = [context.Pipe() for _ in range(count)]
    processes = [
        context.Process(target=_work, args=(url, theirs, barrier), daemon=True)
        for _, theirs in ends
    ]
    for process in processes:
        process.start()
    try:
        yield Crew([ours for ours, _ in ends])
    finally:
        for ours, _ in ends:
            ours.send(None)
        for process in processes:
            process.join(10)
            process.kill()


def _work(url: str, pipe: Connection, barrier: Barrier) -> None:
    by_name = contenders(url)
    while (message := pipe.recv()) is not None:
        name, batches = message
        gc.collect()
        barrier.wait(60)
        pipe.send(timed(by_name[name], batches))
