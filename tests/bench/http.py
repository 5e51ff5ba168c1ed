"""Durable intake over HTTP: the real web server, beside the same one that appends nothing.

The projection follows the same log in its own process; it is held (SIGSTOP) except in the turns
that are measured with it, and has always caught up before a turn begins.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

from tests.bench.committer import SECRET, sign
from tests.bench.ground import Bodies
from tests.bench.measure import Case, Comparison, Sample

PART = "http"
SERVED, NOTHING, FOLLOWED = "served", "no append", "served, projection follows"
START_SECONDS = 30.0
TURN_SECONDS = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


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
        environment = _environment(url, folder)
        stack.enter_context(_server(["-m", "projector", "serve"], environment, real))
        stack.enter_context(_server(["-m", "tests.bench.wsgi"], environment, stub))
        follower = stack.enter_context(_process(["-m", "projector", "follow"], environment))
        for port in (real, stub):
            _turn(bodies, port, connections, 10)
        for _ in range(rounds):
            with _held(url, follower):
                case.add(SERVED, _turn(bodies, real, connections, each))
                case.add(NOTHING, _turn(bodies, stub, connections, each))
            _await_projection(url)
            case.add(FOLLOWED, _turn(bodies, real, connections, each))
    yield from case.comparisons()


# --- Processes of ours -------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def _environment(url: str, folder: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROJECTOR_")}
    return kept | {
        "DATABASE_URL": url,
        "HOST": "127.0.0.1",
        "PROJECTOR_DATA_DIR": folder,
        "PROJECTOR_WEBHOOK_SECRETS": json.dumps({"*": [SECRET]}),
    }


@contextmanager
def _process(
    arguments: Sequence[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)  # a held process would not hear the next one
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _server(arguments: Sequence[str], environment: dict[str, str], port: int) -> Iterator[None]:
    with _process(arguments, environment | {"PORT": str(port)}) as process:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, "the server does not start"
            assert time.monotonic() < deadline, "the server does not answer"
            try:
                urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
                break
            except (URLError, OSError):
                time.sleep(0.05)
        yield


@contextmanager
def _held(url: str, process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Once it has caught up, the process does not run."""
    _await_projection(url)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _await_projection(url: str) -> None:
    behind = (
        "SELECT (SELECT coalesce(max(notification_id), 0) FROM projector.events)"
        " > (SELECT min(position) FROM projector.projections)"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(behind).fetchone() != (False,):
            time.sleep(0.1)


# --- Requests ----------------------------------------------------------------------------------


def _turn(bodies: Bodies, port: int, connections: int, each: int) -> Sample:
    requests = [[_request(body) for body in bodies.take(each)] for _ in range(connections)]
    seconds = asyncio.run(asyncio.wait_for(_post_all(port, requests), TURN_SECONDS))
    return Sample(events=connections * each, seconds=seconds)


def _request(body: bytes) -> bytes:
    head = (
        "POST /webhooks/webex HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-WebexCC-Signature: {sign(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _post_all(port: int, requests: Sequence[Sequence[bytes]]) -> float:
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(partial(_Client, own), "127.0.0.1", port))[1]
        for own in requests
    ]
    begin = time.monotonic()
    for client in opened:
        client.go_on()
    await asyncio.gather(*(client.done for client in opened))
    seconds = time.monotonic() - begin
    for client in opened:
        client.transport.close()
    return seconds


class _Client(asyncio.Protocol):
    """One connection: the next request follows the answer. Cheap, since it shares the cores."""

    transport: asyncio.Transport

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._left = iter(requests)
        self._answer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def go_on(self) -> None:
        request = next(self._left, None)
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
        self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the server closed a connection"))

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
