"""Durable intake over HTTP: the real web server beside one that appends nothing.

The projection follows the same log in its own process. It is paused (SIGSTOP) except in the turns
that are measured with it, and it has caught up before each turn.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from tools.bench.committer import sign
from tools.bench.ground import Bodies
from tools.bench.measure import Case, Comparison, Sample
from tools.bench.servers import (
    await_projection,
    environment_of,
    free_port,
    paused,
    process_of,
    server_of,
)

PART = "http"
SERVED, NOTHING, FOLLOWED = "served", "no append", "served, projection follows"
TURN_SECONDS = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
Requests = Sequence[Sequence[bytes]]


def measure(url: str, *, rounds: int, connections: int, each: int) -> Iterator[Comparison]:
    bodies = Bodies()
    case = Case(
        part=PART,
        name=f"{connections} connections",
        pairs=[(SERVED, NOTHING), (FOLLOWED, NOTHING)],
    )
    with ExitStack() as stack:
        real, stub = free_port(), free_port()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="projector-bench-"))
        environment = environment_of(url, folder)
        stack.enter_context(server_of(["-m", "projector", "serve"], environment, real))
        stack.enter_context(server_of(["-m", "tools.bench.wsgi"], environment, stub))
        follower = stack.enter_context(process_of(["-m", "projector", "follow"], environment))
        for port in (real, stub):
            _turn(bodies, port, connections, 10)
        for _ in range(rounds):
            with paused(url, follower):
                case.add(SERVED, _turn(bodies, real, connections, each))
                case.add(NOTHING, _turn(bodies, stub, connections, each))
            await_projection(url)
            case.add(FOLLOWED, _turn(bodies, real, connections, each))
    yield from case.comparisons()


def _turn(bodies: Bodies, port: int, connections: int, each: int) -> Sample:
    return post(port, signed_requests(bodies, connections, each))


def signed_requests(bodies: Bodies, connections: int, each: int) -> Requests:
    return [[signed_request(body) for body in bodies.take(each)] for _ in range(connections)]


def post(port: int, requests: Requests) -> Sample:
    """Send the requests of each connection, all connections at once."""
    seconds = asyncio.run(asyncio.wait_for(_post_all(port, requests), TURN_SECONDS))
    return Sample(events=sum(map(len, requests)), seconds=seconds)


def signed_request(body: bytes) -> bytes:
    head = (
        "POST /webhooks/webex HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-WebexCC-Signature: {sign(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _post_all(port: int, requests: Requests) -> float:
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(partial(_LoadClient, of_client), "127.0.0.1", port))[1]
        for of_client in requests
    ]
    begin = time.monotonic()
    for client in clients:
        client.send_next()
    await asyncio.gather(*(client.done for client in clients))
    seconds = time.monotonic() - begin
    for client in clients:
        client.transport.close()
    return seconds


class _LoadClient(asyncio.Protocol):
    """One connection, which sends a request after each answer.

    It does little work per request, since it shares the cores with the server.
    """

    transport: asyncio.Transport

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._remaining = iter(requests)
        self._answer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send_next(self) -> None:
        request = next(self._remaining, None)
        if request is not None:
            self.transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, _, rest = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None or len(rest) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 202"):
            self._fail(AssertionError(head.decode(errors="replace")))
            return
        self._answer = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the server closed a connection"))

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
