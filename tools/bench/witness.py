"""Observers of the service: one of positions, by the database's notifications, one of the stream.

Each notes on its own thread what came and when. It is read when the turn is over.
"""

from __future__ import annotations

import json
import socket
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from itertools import accumulate
from threading import Event, Thread
from typing import Any, Self

import psycopg

from projector.infrastructure.database import EVENTS_CHANNEL, VIEWS_CHANNEL
from tools.bench.sender import Posted, Subject
from tools.bench.servers import TOKEN

MAX_SECONDS = 60.0
QUIET_SECONDS = 1.0
POLL_SECONDS = 0.05


class NotifiedPositions:
    """When the log and the views reached each position, by their notifications."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._notices: dict[str, list[tuple[float, int]]] = {EVENTS_CHANNEL: [], VIEWS_CHANNEL: []}
        self._stop, self._ready = Event(), Event()
        self._thread = Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(MAX_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _listen(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for channel in self._notices:
                connection.execute(f"LISTEN {channel}".encode())
            self._ready.set()
            while not self._stop.is_set():
                for notice in connection.notifies(timeout=POLL_SECONDS):
                    self._notices[notice.channel].append((time.monotonic(), int(notice.payload)))

    def await_view(self, position: int) -> None:
        deadline = time.monotonic() + MAX_SECONDS
        while max((it for _, it in self._notices[VIEWS_CHANNEL]), default=0) < position:
            assert time.monotonic() < deadline, "the views do not follow"
            time.sleep(POLL_SECONDS)

    def delays_ms(self, posted: Sequence[Posted]) -> list[float]:
        """The time of each delivery from the notification of its commit to that of its views."""
        committed, viewed = (
            _times(self._notices[channel], [it.position for it in posted])
            for channel in (EVENTS_CHANNEL, VIEWS_CHANNEL)
        )
        return [
            max(0.0, after - before) * 1_000
            for before, after in zip(committed, viewed, strict=True)
        ]


def _times(notices: Sequence[tuple[float, int]], positions: Sequence[int]) -> list[float]:
    reached = [*accumulate((position for _, position in notices), max)]
    return [notices[bisect_left(reached, position)][0] for position in positions]


class Screen:
    """A reader of the live stream; ``is_available`` says whether the service has one."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=MAX_SECONDS)
        self._lines: list[tuple[float, bytes]] = []
        self._read = 0  # of the lines
        self._thread = Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}
        self._connection.request("GET", "/api/v1/stream", headers=headers)
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        self.is_available = self._response.status != 404
        if self.is_available:
            assert self._response.status == 200, self._response.read()
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_available:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        self._connection.close()

    def _listen(self) -> None:
        with suppress(OSError, HTTPException, ValueError):
            while line := self._response.readline():
                if line.startswith((b"event:", b"data:")):
                    self._lines.append((time.monotonic(), line))

    def await_quiet(self) -> None:
        while self._lines and time.monotonic() - self._lines[-1][0] < QUIET_SECONDS:
            time.sleep(POLL_SECONDS)

    def delays_ms(self, posted: Sequence[Posted]) -> list[float]:
        """For each event and view, the time from due until the view showed it or a later one."""
        waiting: dict[Subject, list[tuple[str, float]]] = defaultdict(list)
        for it in posted:
            for event_id, subjects in it.delivery.events:
                for subject in subjects:
                    waiting[subject].append((event_id, it.delivery.due_time))
        delays = []
        for shown_at, subject, last in self._views():
            events = waiting[subject]
            index = next((at for at, (event_id, _) in enumerate(events) if event_id == last), -1)
            delays += [(shown_at - due_time) * 1_000 for _, due_time in events[: index + 1]]
            del events[: index + 1]
        missing = sum(map(len, waiting.values()))
        assert not missing, f"the stream has left out {missing} changes"
        return delays

    def _views(self) -> list[tuple[float, Subject, str]]:
        new, self._read = self._lines[self._read :], len(self._lines)
        views: list[tuple[float, Subject, str]] = []
        kind = ""
        for at, line in new:
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif kind in {"agent", "task"}:
                view: dict[str, Any] = json.loads(value)
                views.append((at, (kind, view[f"{kind}Id"]), view["lastEvent"]["id"]))
        return views
