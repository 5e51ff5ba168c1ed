"""Slots: how many may do something at once, in all and for each caller.

Rule: whoever gets no slot is refused at once. To wait would take a thread, and threads are what
slots keep free.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable
from types import TracebackType
from typing import Self

from projector.infrastructure.errors import ProjectorError

REQUESTS_AT_ONCE = 256  # that are answered by a process, webhooks, exports and streams apart
INTAKE_THREADS = 32  # of the web server, which are free for webhooks whatever else is asked for


class NoSlot(ProjectorError):  # noqa: N818 - named for what callers handle
    """As many do it as may do it at once. After some seconds it is worth another try."""

    def __init__(self, sentence: str, *, retry_seconds: int) -> None:
        super().__init__(sentence)
        self.retry_seconds = retry_seconds


class Slots:
    """At most ``total`` at once, and at most ``per_caller`` of one caller. Thread-safe."""

    def __init__(
        self, name: str, total: int, *, per_caller: int | None = None, retry_seconds: int = 1
    ) -> None:
        self.name = name
        self._total = total
        self._per_caller = per_caller
        self._retry_seconds = retry_seconds
        self._lock = threading.Lock()
        self._taken: Counter[Hashable] = Counter()
        self._refused = 0

    @property
    def taken(self) -> int:
        """How many are taken now."""
        with self._lock:
            return self._taken.total()

    @property
    def refused(self) -> int:
        """How often there was none, since the start of the process."""
        return self._refused

    def take(self, caller: Hashable = None) -> Slot:
        """A slot until it is released; NoSlot where there is none."""
        with self._lock:
            of_caller, in_all = self._taken[caller], self._taken.total()
            if in_all >= self._total:
                raise self._refusal(f"{in_all} {self.name} are under way, and no more may be.")
            if self._per_caller is not None and of_caller >= self._per_caller:
                raise self._refusal(
                    f"{of_caller} {self.name} of this token are under way, and no more may be."
                )
            self._taken[caller] += 1
        return Slot(self, caller)

    def _refusal(self, sentence: str) -> NoSlot:
        self._refused += 1
        return NoSlot(sentence, retry_seconds=self._retry_seconds)

    def give_back(self, caller: Hashable) -> None:
        """Let another one have it."""
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


class Slot:
    """One that is taken; also a block that releases it."""

    def __init__(self, slots: Slots, caller: Hashable) -> None:
        self._slots = slots
        self._caller = caller
        self._is_released = False

    def release(self) -> None:
        """Give it back; once, however often it is called by its one user."""
        if not self._is_released:
            self._is_released = True
            self._slots.give_back(self._caller)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
