"""Exports over the real web server, when something fails: nobody takes a part for the whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.examples import login, v1
from tests.integration.test_run import MAX_SECONDS, Command, await_

EVENTS = 6_000
RECEIVED_BYTES = 65_536  # that wait for a client: the rest of a file waits for it at the server
READERS = 60  # more than there are connections
NDJSON = {"Accept": "application/x-ndjson"}
# What reads the log for an export, amid a read or between two.
_READERS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE query LIKE '%FROM log AS e%' AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> Iterator[Command]:
    """A service whose log has some thousand events, about 12 MB as a file with bodies."""
    held = Command(
        tmp_path_factory.mktemp("cut") / "data",
        PROJECTOR_EXPORTS="2",
        PROJECTOR_EXPORTS_PER_TOKEN="2",
        PROJECTOR_STATEMENT_TIMEOUT_MS="8000",
    ).start()
    for start in range(0, EVENTS, 500):
        numbers = range(start, start + 500)
        held.post([v1(97 * n, "ann", "idle", note="x" * 1_000) | {"id": f"e{n}"} for n in numbers])
    yield held
    if held.runs:
        held.interrupt()


def export(command: Command, path: str = "events?body=true") -> httpx.Response:
    headers = {"Authorization": f"Bearer {command.token}", **NDJSON}
    return httpx.get(f"{command.root}/api/v1/{path}", headers=headers, timeout=MAX_SECONDS)


class RawExport:
    """An export that is asked for on a socket, whose body is read when the test wants it."""

    def __init__(self, command: Command) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        self.socket.settimeout(MAX_SECONDS)
        self.socket.connect(("127.0.0.1", command.port))
        self.socket.sendall(
            b"GET /api/v1/events?body=true HTTP/1.1\r\nHost: here\r\n"
            b"Accept: application/x-ndjson\r\nAuthorization: Bearer "
            + command.token.encode()
            + b"\r\n\r\n"
        )

    def head(self) -> bytes:
        """The bytes up to some of the body."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.socket.recv(2_048)
        return got

    def rest(self) -> bytes:
        """All that comes until the server ends the connection, whichever way."""
        got = bytearray()
        try:
            while more := self.socket.recv(65_536):
                got += more
        except ConnectionResetError:
            pass
        return bytes(got)


def test_a_whole_export_tells_its_length_and_digest(command):
    """On the same connection comes the next answer: it ends where its length says."""
    answer = export(command)
    assert 200 == answer.status_code
    assert "Transfer-Encoding" not in answer.headers
    assert str(len(answer.content)) == answer.headers["Content-Length"]
    assert hashlib.sha256(answer.content).hexdigest() == answer.headers["X-SHA-256"]
    assert str(EVENTS) == answer.headers["X-Row-Count"] == str(answer.content.count(b"\n"))


def test_a_backend_that_dies_amid_an_export_is_an_error(command):
    """Of many exports, while the backends that read are ended all the time: 503, or whole."""
    stop = threading.Event()

    def end_readers() -> None:
        with psycopg.connect(command.url, autocommit=True) as connection:
            while not stop.wait(0.02):
                connection.execute(_READERS)

    killer = threading.Thread(target=end_readers)
    whole = export(command).content
    killer.start()
    try:
        answers = [export(command) for _ in range(8)]
    finally:
        stop.set()
        killer.join()
    cut = [it for it in answers if it.status_code != 200]
    assert cut
    for answer in cut:
        assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
        assert "application/problem+json" == answer.headers["Content-Type"]
        assert "The database does not answer" in answer.json()["detail"]
    assert all(it.content == whole for it in answers if it not in cut)
    assert whole == export(command).content


def test_a_file_that_is_lost_while_it_is_sent_breaks_the_connection(command):
    """Less comes than the length says, and an HTTP client says so."""
    with ExitStack() as stack:
        raw = RawExport(command)
        stack.enter_context(closing(raw.socket))
        head, _, begun = raw.head().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"content-length: " in head.lower()
        client = http.client.HTTPConnection("127.0.0.1", command.port, timeout=MAX_SECONDS)
        stack.enter_context(closing(client))
        client.request(
            "GET",
            "/api/v1/events?body=true",
            headers={"Authorization": f"Bearer {command.token}", **NDJSON},
        )
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        answer = client.getresponse()
        assert 200 == answer.status
        assert 2 == len([_truncate(path) for path in _unnamed_files(command)])
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert len(begun) + len(raw.rest()) < length
        with pytest.raises(http.client.IncompleteRead):
            answer.read()


def _unnamed_files(command: Command) -> list[Path]:
    """Of the web server's process: they have the folder of the data, and no name in it."""
    files = Path(f"/proc/{command.part('worker')}/fd").iterdir()
    return [it for it in files if it.readlink().match(f"{command.data_dir}/*(deleted)")]


def _truncate(path: Path) -> None:
    os.truncate(path, 0)


def test_a_server_that_dies_while_it_sends_is_an_error(command):
    """The connection ends before the length, and the next server answers whole."""
    whole = export(command)
    raw = RawExport(command)
    with closing(raw.socket):
        begun = raw.head().partition(b"\r\n\r\n")[2]
        os.kill(command.part("worker"), signal.SIGKILL)
        got = len(begun) + len(raw.rest())
    assert got < len(whole.content)
    await_(lambda: _answers(command), "the next server")
    assert whole.content == export(command).content


def _answers(command: Command) -> bool:
    try:
        return command.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def test_an_exhausted_pool_is_503_and_intake_goes_on(command):
    """Reads wait for a lock, more than there are connections; webhooks do not wait."""
    answers: list[httpx.Response] = []

    def read() -> None:
        headers = {"Authorization": f"Bearer {command.token}"}
        address = f"{command.root}/api/v1/anomalies"
        answers.append(httpx.get(address, headers=headers, timeout=MAX_SECONDS))

    with psycopg.connect(command.url) as connection:
        connection.execute("LOCK projector.agent_anomalies IN ACCESS EXCLUSIVE MODE")
        readers = [threading.Thread(target=read) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        time.sleep(1.0)
        exhausted = export(command)
        begin = time.monotonic()
        receipt = command.post(login(1, "bob", "Available") | {"id": "bob"})
        took = time.monotonic() - begin
        for reader in readers:
            reader.join(MAX_SECONDS)
    assert (503, "1") == (exhausted.status_code, exhausted.headers["Retry-After"])
    assert "application/problem+json" == exhausted.headers["Content-Type"]
    assert 202 == receipt.status_code
    assert took < 2.0
    # Some had a connection and waited for the lock as long as the setting says, some had none.
    assert [503] * READERS == [it.status_code for it in answers]
    details = " ".join(it.json()["detail"] for it in answers)
    assert "statement timeout" in details
    assert "couldn't get a connection" in details
