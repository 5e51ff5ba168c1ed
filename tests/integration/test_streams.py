"""Live streams over the real web server: many at once, beside requests, until it stops."""

import itertools
import socket
import time
from contextlib import ExitStack

import pytest

from tests.examples import login
from tests.integration.test_run import MAX_SECONDS, Command, await_

STREAMS = 300  # more than the threads that answer requests and webhooks
_moments = itertools.count(1)


class StreamClient:
    """A stream's client on a socket of its own, that reads when it is told to."""

    def __init__(self, command):
        self._socket = socket.create_connection(("127.0.0.1", command.port), timeout=MAX_SECONDS)
        self._socket.sendall(
            b"GET /api/v1/stream HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer "
            + command.token.encode()
            + b"\r\n\r\n"
        )

    def await_(self, text):
        """What came up to and with a text."""
        got, deadline = b"", time.monotonic() + MAX_SECONDS
        while text not in got:
            assert time.monotonic() < deadline, got[-500:]  # pings come all the same
            more = self._socket.recv(65_536)
            assert more, got[-500:]
            got += more
        return got

    def close(self):
        self._socket.close()


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """A service that may have so many streams open."""
    limits = {"PROJECTOR_STREAMS": str(STREAMS), "PROJECTOR_STREAMS_PER_TOKEN": str(STREAMS)}
    held = Command(tmp_path_factory.mktemp("streams") / "data", **limits)
    yield held.start()
    if held.runs:
        held.interrupt()


@pytest.mark.slow
def test_requests_are_answered_while_all_streams_are_open(command):
    """All are told; one more is refused; and SIGINT ends the service with all of them open."""
    with ExitStack() as stack:
        clients = []
        for _ in range(STREAMS):
            client = StreamClient(command)
            stack.callback(client.close)
            assert b" 200 OK" in client.await_(b"\nid: ")
            clients.append(client)
        assert 503 == command.get("/api/v1/stream").status_code
        for _ in range(20):
            assert 200 == command.get("/api/v1/status").status_code
        assert 202 == command.post(login(0, "ann") | {"id": "e1"}).status_code
        for client in clients:
            client.await_(b'"agentId":"ann"')
        # A client that leaves makes room, as soon as something was to be sent to it.
        clients[0].close()
        await_(lambda: has_room(command), "a stream of one that left")
        began = time.monotonic()
        assert 0 == command.interrupt()
        assert time.monotonic() - began < MAX_SECONDS


def has_room(command):
    command.post(login(next(_moments), "bob") | {"id": f"b{next(_moments)}"})
    client = StreamClient(command)
    try:
        return b" 200 OK" in client.await_(b"\r\n")
    finally:
        client.close()
