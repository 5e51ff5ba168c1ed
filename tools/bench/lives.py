"""The life of one agent, so regular that the agent's state at any time is known beforehand.

A cycle takes a minute: free time, a chat and a short break, in six events. A shift has 480 cycles,
and one shift begins each day. A history ends in the middle of a shift, before the present time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any
from uuid import UUID, uuid5

from projector.infrastructure.clock import now_ms
from tools.bench.ground import compact

CYCLE_MS, SHIFT_CYCLES, DAY_MS = 60_000, 480, 86_400_000
CYCLE_EVENTS, SHIFT_EVENTS = 6, 480 * 6 + 2
MIDDLE = 240  # a history ends with this cycle of a shift
NAMES = UUID("0d6f4c0e-3f3b-4a53-9a1d-8f1f2f0a7c11")
BREAK = "break"
_CYCLE = (  # offset in ms, state word, and whether a task is named
    (20_000, "ringing", "chat"),
    (24_000, "connected", "chat"),
    (40_000, "wrapup", "chat"),
    (46_000, "wrapup-done", "chat"),
    (47_000, "idle", None),
    (60_000, "available", None),
)


class BenchLife:
    """The events of an agent in its own organisation: first a history, then cycle by cycle.

    A cycle ends with the state ``available``; the 13 seconds before it are a break.
    """

    def __init__(self, org_id: str, events: int) -> None:
        self.org_id = org_id
        cycles = events * SHIFT_CYCLES // SHIFT_EVENTS
        self._cycle = (MIDDLE - cycles) % SHIFT_CYCLES
        shifts = (self._cycle + cycles) // SHIFT_CYCLES
        self._day_start = now_ms() - DAY_MS - shifts * DAY_MS - MIDDLE * CYCLE_MS
        self._numbers = count()
        self.last_time = self._day_start + self._cycle * CYCLE_MS
        self._cycles = self._make_cycles()
        self._history_events = events

    def history(self) -> Iterator[bytes]:
        """At least as many events as were asked for, in whole cycles."""
        made = 0
        while made < self._history_events:
            cycle = self.next_cycle()
            made += len(cycle)
            yield from cycle

    def next_cycle(self) -> list[bytes]:
        """The events of the next minute."""
        return next(self._cycles)

    def late(self, time: int) -> bytes:
        """An event that begins a break at a time (epoch ms), with an idle code of its own."""
        return self._state(time, "idle", None, f"{BREAK} {next(self._numbers)}")

    def _make_cycles(self) -> Iterator[list[bytes]]:
        while True:
            start = self._day_start + self._cycle * CYCLE_MS
            first = [self._session(start + 1, "login", "idle")] if self._cycle == 0 else []
            if first:
                first.append(self._state(start + 2_000, "available", None))
            chat = str(uuid5(NAMES, f"{self.org_id} {start}"))
            events = [
                self._state(start + offset, word, has_task and chat, BREAK)
                for offset, word, has_task in _CYCLE
            ]
            self._cycle += 1
            self.last_time = start + CYCLE_MS
            if self._cycle == SHIFT_CYCLES:
                events.append(self._session(start + CYCLE_MS + 1_000, "logout", "logged-out"))
                self._cycle, self._day_start = 0, self._day_start + DAY_MS
            yield first + events

    def _session(self, time: int, event: str, word: str) -> bytes:
        return self._event(f"agent:{event}", {"currentState": word, "createdTime": time})

    def _state(self, time: int, word: str, task: str | None, code: str | None = None) -> bytes:
        data: dict[str, Any] = {"currentState": word, "createdTime": time, "channelType": "chat"}
        if task:
            data |= {"taskId": task, "channelId": "chat-1", "queueId": "queue"}
        if code and word == "idle":
            data["idleCodeId"] = code
        return self._event("agent:channel_state_change", data)

    def _event(self, type_: str, data: dict[str, Any]) -> bytes:
        return compact(
            {
                "id": str(uuid5(NAMES, f"{self.org_id} {next(self._numbers)}")),
                "specversion": "1.0",
                "type": type_,
                "source": "/com/cisco/wxcc/bench",
                "comciscoorgid": self.org_id,
                "datacontenttype": "application/json",
                "data": {"agentId": "one", "teamId": "team", "destination": "+15550100", **data},
            }
        )


def one_agent(org_id: str, events: int) -> list[bytes]:
    """The first ``events`` events of a life, in order."""
    return [*islice(BenchLife(org_id, events).history(), events)]
