"""Waiting for the views to reach a position: one thread asks the database for all who wait.

Rule: an answer is of a read that began after the question. So whoever waits sees no older position,
also after a switch to other read models, which may be further behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field

from projector.infrastructure.errors import ProjectorError

POLL_SECONDS = 0.01
MOST_WAITING = 32  # each holds a thread of the web server


class TooManyWait(ProjectorError):  # noqa: N818 - named for what callers handle
    """As many wait for a position as may; trying again may help."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """Somebody who waits, and the future that is done when the views are there."""

    position: int
    reached: Future[None] = field(default_factory=Future)


class PositionWatch:
    """Answers when the views have reached a position. Thread-safe.

    ``read`` returns the position of the views. The thread starts with the first who waits.
    """

    def __init__(self, read: Callable[[], int], *, most_waiting: int = MOST_WAITING) -> None:
        self._read = read
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: set[_Waiter] = set()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def wait_for(self, position: int, seconds: float) -> bool:
        """Wait until the views have reached a position; whether they have, in time.

        TooManyWait where there is no room to wait; what ``read`` raises.
        """
        waiter = _Waiter(position)
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                raise TooManyWait("Too many requests wait for a position: try again.")
            self._waiting.add(waiter)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="position-watch", daemon=True
                )
                self._thread.start()
        try:
            waiter.reached.result(seconds)
        except FutureTimeout:
            return False
        finally:
            with self._changed:
                self._waiting.discard(waiter)
        return True

    def close(self) -> None:
        """Stop asking."""
        self._closed.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed.is_set())
                asked = [*self._waiting]
            self._answer(asked)
            self._closed.wait(POLL_SECONDS)

    def _answer(self, asked: list[_Waiter]) -> None:
        try:
            position = self._read()
        except Exception as error:  # noqa: BLE001 - each who waits must get an answer
            for it in self._taken(asked):
                it.reached.set_exception(error)
            return
        for it in self._taken([it for it in asked if it.position <= position]):
            it.reached.set_result(None)

    def _taken(self, asked: list[_Waiter]) -> list[_Waiter]:
        """Those of them who still wait; they do so no longer."""
        with self._changed:
            taken = [it for it in asked if it in self._waiting]
            self._waiting.difference_update(taken)
        return taken
