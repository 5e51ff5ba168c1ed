"""Sends deliveries when they are due, over open connections, whether or not answers come."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

CONNECTIONS = 64
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_POSITION = re.compile(rb"\r\nx-position: *(\d+)", re.IGNORECASE)
Subject = tuple[str, str]  # a kind and an id
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, kw_only=True)
class SentDelivery:
    """A request, when it is due (monotonic s), and its events as ids with their subjects."""

    due_time: float
    request: bytes
    events: Sequence[tuple[str, Sequence[Subject]]]


@dataclass(frozen=True, kw_only=True)
class Posted:
    """An acknowledged delivery, the log's head after its commit, and when the answer was there."""

    delivery: SentDelivery
    position: int
    answered_time: float  # monotonic s


async def post_all(port: int, deliveries: Sequence[SentDelivery]) -> Sequence[Posted]:
    """Send deliveries, which are in the order in which they are due."""
    idle: asyncio.Queue[Streams] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    tasks = []
    for delivery in deliveries:
        await asyncio.sleep(max(0.0, delivery.due_time - time.monotonic()))
        tasks.append(asyncio.create_task(_post(idle, delivery)))
    posted = await asyncio.gather(*tasks)
    while not idle.empty():
        idle.get_nowait()[1].close()
    return posted


async def _post(idle: asyncio.Queue[Streams], delivery: SentDelivery) -> Posted:
    reader, writer = await idle.get()
    writer.write(delivery.request)
    head = await reader.readuntil(b"\r\n\r\n")
    length, position = _LENGTH.search(head), _POSITION.search(head)
    assert head.startswith(b"HTTP/1.1 202"), head
    assert length
    assert position
    await reader.readexactly(int(length[1]))
    answered = time.monotonic()
    idle.put_nowait((reader, writer))
    return Posted(delivery=delivery, position=int(position[1]), answered_time=answered)
