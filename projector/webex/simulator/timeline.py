"""A clock that only its processes move: each says how long to wait, the earliest goes next."""

from collections.abc import Generator
from heapq import heappop, heappush
from itertools import count

# A process yields the milliseconds until it wants to go on.
Process = Generator[int, None, None]


class Timeline:
    def __init__(self, start_ms: int) -> None:
        self.now = start_ms
        self._waiting: list[tuple[int, int, Process]] = []
        self._order = count()  # processes due at one moment go in the order they asked

    def start(self, process: Process, after: int = 0) -> None:
        heappush(self._waiting, (self.now + after, next(self._order), process))

    def step(self) -> None:
        self.now, _, process = heappop(self._waiting)
        wait = next(process, None)
        if wait is not None:
            self.start(process, wait)
