"""A simulated clock: each process says how long it waits, and the earliest goes next."""

from collections.abc import Generator
from heapq import heappop, heappush
from itertools import count

# A process yields the milliseconds until it wants to go on.
Process = Generator[int, None, None]


class Timeline:
    """Processes and the time, in epoch ms, at which each goes on."""

    def __init__(self, start_ms: int) -> None:
        self.now = start_ms
        self._waiting: list[tuple[int, int, Process]] = []
        self._order = count()  # of two processes with one time, the first to wait goes first

    def start(self, process: Process, after: int = 0) -> None:
        """Have a process go on after some milliseconds."""
        heappush(self._waiting, (self.now + after, next(self._order), process))

    def step(self) -> None:
        """Move the clock to the next process, and run it until it waits again."""
        self.now, _, process = heappop(self._waiting)
        wait = next(process, None)
        if wait is not None:
            self.start(process, wait)
