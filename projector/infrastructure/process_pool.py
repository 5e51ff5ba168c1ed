"""A pool of processes; each makes once what its calls share, such as a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.processes import die_with_parent

R = TypeVar("R")
# Processes are spawned, not forked: a connection must not be shared by two of them.
CONTEXT = get_context("spawn")


class WorkerDied(ProjectorError):  # noqa: N818 - named for what happened
    """A process of the pool is gone, perhaps for lack of memory."""


class ProcessPool:
    """Runs functions in processes; their first argument is what ``make`` returned there."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def submit(self, function: Callable[..., R], *args: Any) -> Future[R]:
        """Call ``function(made, *args)`` in a process; all of it must be picklable."""
        return self._executor.submit(_call, function, args)


@contextmanager
def process_pool(processes: int, make: Callable[..., Any], *args: Any) -> Iterator[ProcessPool]:
    """A pool whose processes call ``make(*args)`` once.

    WorkerDied where a process ends before its work does.
    """
    try:
        with ProcessPoolExecutor(processes, CONTEXT, _make, (make, args)) as executor:
            yield ProcessPool(executor)
    except BrokenProcessPool as error:
        raise WorkerDied(
            "A process of several died, perhaps for lack of memory: try fewer at a time."
        ) from error


_MADE: list[Any] = []  # what ``make`` returned in this process


def _make(make: Callable[..., Any], args: tuple[Any, ...]) -> None:
    die_with_parent()
    _MADE.append(make(*args))


def _call(function: Callable[..., R], args: tuple[Any, ...]) -> R:
    return function(_MADE[0], *args)
