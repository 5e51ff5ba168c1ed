"""Delays at fixed rates: from commit to view, and from delivery to the event of the live stream.

The service runs in its own processes. The sender keeps its rate whether or not answers come, and a
delay counts from the time at which its delivery was due, so a slow service cannot hide delays by
slowing the sender. The baseline is a single event with nothing else at work.
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
from tools.bench.sender import Posted, SentDelivery, post_all
from tools.bench.servers import environment_of, free_port, process_of, server_of
from tools.bench.witness import NotifiedPositions, Screen

PART = "tail"
IDLE = "a single event"
# Events per second, and events per POST.
RATES = {IDLE: (10, 1), "100 events/s": (100, 1), "1,000 events/s": (1_000, 10)}
START_SECONDS = 0.5  # from the making of events to the first of them


def measure(url: str, *, rounds: int, seconds: float) -> Iterator[CostComparison]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="projector-bench-"))
        environment, port = environment_of(url, folder), free_port()
        stack.enter_context(server_of(["-m", "projector", "serve"], environment, port))
        stack.enter_context(process_of(["-m", "projector", "follow"], environment))
        positions = stack.enter_context(NotifiedPositions(url))
        screen = stack.enter_context(Screen(port))
        if not screen.is_available:
            click.echo(
                "tail: the service has no /api/v1/stream, so delivery to stream is not measured",
                err=True,
            )
        yield from _measure(port, positions, screen, rounds, seconds)


def _measure(
    port: int, positions: NotifiedPositions, screen: Screen, rounds: int, seconds: float
) -> Iterator[CostComparison]:
    pairs = [(name, IDLE) for name in RATES if name != IDLE]
    viewed = CostCase(part=PART, name="commit to view", unit="ms", pairs=pairs)
    shown = CostCase(part=PART, name="delivery to stream", unit="ms", pairs=pairs)
    world = iter(Simulation(AGENTS, start_ms=now_ms() - HEAD_START_MS))
    _turn(port, positions, screen, deliveries(world, *RATES["100 events/s"], 2))
    for _ in range(rounds):
        for name, (rate, size) in RATES.items():
            due = deliveries(world, rate, size, seconds)
            posted = _turn(port, positions, screen, due)
            viewed.add(name, positions.delays_ms(posted))
            if screen.is_available:
                shown.add(name, screen.delays_ms(posted))
    yield from viewed.comparisons()
    if screen.is_available:
        yield from shown.comparisons()


def _turn(
    port: int, positions: NotifiedPositions, screen: Screen, due: Sequence[SentDelivery]
) -> Sequence[Posted]:
    posted = asyncio.run(post_all(port, due))
    positions.await_view(max(it.position for it in posted))
    screen.await_quiet()
    return posted


def deliveries(
    world: Iterator[dict[str, Any]], rate: int, size: int, seconds: float
) -> Sequence[SentDelivery]:
    """Events at a steady rate, in arrays; an array is due when its last event happens."""
    start, start_ms = time.monotonic() + START_SECONDS, now_ms() + START_SECONDS * 1_000
    events = []
    for number, body in enumerate(islice(world, max(size, round(rate * seconds)))):
        created = int(start_ms + number * 1_000 / rate)
        events.append({**body, "data": {**body["data"], "createdTime": created}})
    return [
        SentDelivery(
            due_time=start + (index + size - 1) / rate,
            request=signed_request(_body(events[index : index + size])),
            events=[(event["id"], _subjects(event)) for event in events[index : index + size]],
        )
        for index in range(0, len(events), size)
    ]


def _body(events: Sequence[dict[str, Any]]) -> bytes:
    if len(events) == 1:
        return compact(events[0])
    return b"[" + b",".join(map(compact, events)) + b"]"


def _subjects(body: dict[str, Any]) -> Sequence[tuple[str, str]]:
    """The subjects whose views the event changes: an agent, a task, or both."""
    data, is_availability = body["data"], body["type"] == "agent:channelType_state_change"
    agent = [("agent", data["agentId"])] if body["type"].startswith("agent:") else []
    task = [("task", data["taskId"])] if "taskId" in data and not is_availability else []
    return agent + task
