"""The tail: from commit to view, and from delivery to the stream's event, at fixed rates.

Real processes on loopback. The sender keeps its rate whether or not answers come, and a delivery's
delay counts from the moment it was due, so a slow service cannot hide by slowing the sender. What
is compared with is a single event when nothing else is going on.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any

import click

from projector.infrastructure.clock import now_ms
from projector.webex.simulator import Simulation
from tools.bench.costs import CostCase, CostComparison
from tools.bench.ground import AGENTS, HEAD_START_MS, compact
from tools.bench.http import signed_request
from tools.bench.sender import Delivery, Posted, post_all
from tools.bench.servers import environment_of, free_port, process_of, server_of
from tools.bench.witness import Positions, Screen

PART = "tail"
IDLE = "a single event"
RATES = {IDLE: (10, 1), "100 events/s": (100, 1), "1,000 events/s": (1_000, 10)}  # rate, of a POST
START_SECONDS = 0.5  # between the making of events and the first of them


def measure(url: str, *, rounds: int, seconds: float) -> Iterator[CostComparison]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="projector-bench-"))
        environment, port = environment_of(url, folder), free_port()
        stack.enter_context(server_of(["-m", "projector", "serve"], environment, port))
        stack.enter_context(process_of(["-m", "projector", "follow"], environment))
        positions = stack.enter_context(Positions(url))
        screen = stack.enter_context(Screen(port))
        if not screen.is_there:
            click.echo("tail: no GET /api/v1/stream here, so no delivery to stream", err=True)
        yield from _measure(port, positions, screen, rounds, seconds)


def _measure(
    port: int, positions: Positions, screen: Screen, rounds: int, seconds: float
) -> Iterator[CostComparison]:
    pairs = [(name, IDLE) for name in RATES if name != IDLE]
    viewed = CostCase(part=PART, name="commit to view", unit="ms", pairs=pairs)
    shown = CostCase(part=PART, name="delivery to stream", unit="ms", pairs=pairs)
    world = iter(Simulation(AGENTS, start_ms=now_ms() - HEAD_START_MS))
    _turn(port, positions, screen, _deliveries(world, *RATES["100 events/s"], 2))
    for _ in range(rounds):
        for name, (rate, size) in RATES.items():
            lot = _deliveries(world, rate, size, seconds)
            posted = _turn(port, positions, screen, lot)
            viewed.add(name, positions.delays_ms(posted))
            if screen.is_there:
                shown.add(name, screen.delays_ms(posted))
    yield from viewed.comparisons()
    if screen.is_there:
        yield from shown.comparisons()


def _turn(
    port: int, positions: Positions, screen: Screen, lot: Sequence[Delivery]
) -> Sequence[Posted]:
    posted = asyncio.run(post_all(port, lot))
    positions.await_view(max(one.position for one in posted))
    screen.await_quiet()
    return posted


def _deliveries(
    world: Iterator[dict[str, Any]], rate: int, size: int, seconds: float
) -> Sequence[Delivery]:
    """Events that happen at a steady rate from soon on, each array due when its last happened."""
    start, start_ms = time.monotonic() + START_SECONDS, now_ms() + START_SECONDS * 1_000
    events = []
    for number, body in enumerate(islice(world, max(size, round(rate * seconds)))):
        created = int(start_ms + number * 1_000 / rate)
        events.append({**body, "data": {**body["data"], "createdTime": created}})
    return [
        Delivery(
            due=start + (at + size - 1) / rate,
            request=signed_request(_body(events[at : at + size])),
            events=[(one["id"], _subjects(one)) for one in events[at : at + size]],
        )
        for at in range(0, len(events), size)
    ]


def _body(events: Sequence[dict[str, Any]]) -> bytes:
    if len(events) == 1:
        return compact(events[0])
    return b"[" + b",".join(map(compact, events)) + b"]"


def _subjects(body: dict[str, Any]) -> Sequence[tuple[str, str]]:
    """The views that the event changes: of agents, of tasks, or of both."""
    data, is_channels = body["data"], body["type"] == "agent:channelType_state_change"
    agent = [("agent", data["agentId"])] if body["type"].startswith("agent:") else []
    task = [("task", data["taskId"])] if "taskId" in data and not is_channels else []
    return agent + task
