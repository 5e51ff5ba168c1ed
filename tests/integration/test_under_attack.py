"""Intake goes on while somebody holds connections, bodies and waits: directly, and behind nginx.

Attackers come from another address of loopback than the honest sender. All attacks have bounds.
"""

from __future__ import annotations

import itertools
import resource
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from tests.conftest import slow
from tests.examples import login
from tests.integration.nginx import SHIPPED, Proxy, proxied
from tests.integration.test_run import Command

ATTACKER = "127.0.0.2"
POST = b"POST /webhooks/webex HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
WAIT = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Min-Position: 999999999999\r\n\r\n"
HALF_A_HEAD = b"POST /webhooks/webex HTTP/1.1\r\nHost: x\r\nX-Some"
DELIVERIES = 10  # of the honest sender during an attack
DRIP_SECONDS = 0.5
MOST_FILES = 4_096
_ids = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def _open_files() -> Iterator[None]:
    """The attackers' ends of the connections are open in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= before[0] < MOST_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The real service, as `projector run` starts it."""
    command = Command(tmp_path_factory.mktemp("attacked") / "data").start()
    yield command
    command.interrupt()


@pytest.fixture(scope="module")
def proxy(service: Command, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx before it, as it is shipped."""
    with proxied(service.port, tmp_path_factory.mktemp("proxy") / "nginx") as running:
        yield running


@contextmanager
def attackers(
    port: int, number: int, sent: bytes = b"", *, drips: bool = False, tls: Proxy | None = None
) -> Iterator[list[socket.socket]]:
    """Connections that send some bytes and then nothing, or a byte now and then."""
    stop = threading.Event()
    with ExitStack() as stack:
        held: list[socket.socket] = []
        for _ in range(number):
            plain = socket.create_connection(("127.0.0.1", port), 10, (ATTACKER, 0))
            one = stack.enter_context(plain)
            if tls is not None and sent:
                one = tls.trust.wrap_socket(plain, server_hostname="127.0.0.1")
                stack.enter_context(one)
            if sent:
                one.sendall(sent)
            held.append(one)

        def drip() -> None:
            while not stop.wait(DRIP_SECONDS):
                for one in held:
                    with suppress(OSError):
                        one.sendall(b" ")

        thread = threading.Thread(target=drip)
        if drips:
            thread.start()
        try:
            yield held
        finally:
            stop.set()
            if drips:
                thread.join()


def delivered(root: str, trust: ssl.SSLContext | None = None) -> list[float]:
    """How long each of some deliveries takes until its 202, each over a connection of its own."""
    times = []
    for _ in range(DELIVERIES):
        body = login(0, "ann") | {"id": f"honest-{next(_ids)}"}
        began = time.monotonic()
        answer = httpx.post(f"{root}/webhooks/webex", json=body, timeout=10, verify=trust or True)
        times.append(time.monotonic() - began)
        assert (202, 1) == (answer.status_code, answer.json()["appended"])
    return times


def ended(held: list[socket.socket], seconds: float) -> int:
    """How many of the connections the server has ended by then."""
    deadline = time.monotonic() + seconds
    count = 0
    for one in held:
        one.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            while one.recv(4096):
                pass
        except TimeoutError:
            continue
        except OSError:
            pass
        count += 1
    return count


# --- Directly ----------------------------------------------------------------------------------

DIRECT = {
    "silent": (1_100, b"", False),
    "half a head": (1_100, HALF_A_HEAD, False),
    "a wait for a far position": (300, WAIT, False),
    "an endless body": (60, POST, True),  # each holds a thread: more of them need the proxy
}


@pytest.mark.parametrize("attack", DIRECT)
def test_intake_goes_on_directly(service: Command, attack: str) -> None:
    """An honest sender is answered within a second."""
    number, sent, drips = DIRECT[attack]
    with attackers(service.port, number, sent, drips=drips):
        assert statistics.median(delivered(service.root)) < 1


@pytest.mark.parametrize("sent", slow(b"", HALF_A_HEAD))
def test_a_connection_without_a_request_ends(service: Command, sent: bytes) -> None:
    """After the time for a head, whether or not its first byte has come."""
    with attackers(service.port, 50, sent) as held:
        assert 50 == ended(held, 20)


# --- Behind nginx ------------------------------------------------------------------------------

BEHIND = {
    "silent": (1_100, b"", False),
    "half a head": (300, HALF_A_HEAD, False),
    "a wait for a far position": (200, WAIT, False),
    "an endless body": (200, POST, True),
    "a body that does not come": (200, POST, False),
}


@pytest.mark.parametrize("attack", BEHIND)
def test_intake_goes_on_behind_nginx(proxy: Proxy, attack: str) -> None:
    """An honest sender is answered within a second."""
    number, sent, drips = BEHIND[attack]
    with attackers(proxy.port, number, sent, drips=drips, tls=proxy):
        assert statistics.median(delivered(proxy.root, proxy.trust)) < 1


@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, POST])
def test_nginx_ends_what_does_not_come(proxy: Proxy, sent: bytes) -> None:
    """First byte, head and body: each within its time."""
    with attackers(proxy.port, 20, sent, tls=proxy) as held:
        assert 20 == ended(held, 15)


def test_an_address_has_only_so_many_requests_at_a_time(proxy: Proxy) -> None:
    """Further ones get 503, as a problem and with Retry-After; other addresses notice nothing."""
    with attackers(proxy.port, 256, POST, tls=proxy):
        time.sleep(0.5)
        with attackers(proxy.port, 1, POST, tls=proxy) as (refused,):
            answer = refused.recv(4096).decode()
        assert answer.startswith("HTTP/1.1 503 ")
        assert "Retry-After: 1" in answer
        assert "application/problem+json" in answer
        assert statistics.median(delivered(proxy.root, proxy.trust)) < 1


def test_silent_connections_make_room(
    service: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """More of them than nginx may have open stop nobody."""
    folder = tmp_path_factory.mktemp("small") / "nginx"
    small = {"worker_connections 4096;": "worker_connections 128;"}
    with proxied(service.port, folder, **small) as proxy, attackers(proxy.port, 1_100):
        assert statistics.median(delivered(proxy.root, proxy.trust)) < 1


def test_the_service_answers_through_nginx(service: Command, proxy: Proxy) -> None:
    """Reads, a session over TLS, a stream that is not kept back, and problems as its own."""
    headers = {"Authorization": f"Bearer {service.token}"}
    with httpx.Client(base_url=proxy.root, verify=proxy.trust, timeout=20) as client:
        assert 200 == client.get("/api/v1/agents?agentId=secret", headers=headers).status_code
        signed_in = client.post(
            "/api/v1/session", json={"token": service.token}, headers={"Origin": proxy.root}
        )
        assert 201 == signed_in.status_code
        assert signed_in.headers["Set-Cookie"].startswith("__Host-projector-session=")
        removed = client.delete("/api/v1/session", headers={"Origin": proxy.root})
        assert removed.is_success, removed.text
        accepts = headers | {"Accept": "text/event-stream"}
        with client.stream("GET", "/api/v1/stream?snapshot=true", headers=accepts) as stream:
            assert next(stream.iter_bytes())
        large = client.post("/webhooks/webex", content=b" " * (1 << 20) + b" ")
        assert (413, "application/problem+json") == (
            large.status_code,
            large.headers["Content-Type"],
        )
        assert 413 == large.json()["status"]
        whole = client.post("/webhooks/webex", content=b" " * (1 << 20))
        assert (202, 1) == (whole.status_code, whole.json()["quarantined"])
    assert "secret" not in (proxy.folder / "access.log").read_text()


def test_without_the_service_nginx_says_to_come_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """503 and Retry-After, so that a webhook comes again."""
    nobody = 1  # no service listens there
    with proxied(nobody, tmp_path_factory.mktemp("alone") / "nginx") as proxy:
        answer = httpx.post(f"{proxy.root}/webhooks/webex", json={}, verify=proxy.trust)
    assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
    assert (503, "application/problem+json") == (
        answer.json()["status"],
        answer.headers["Content-Type"],
    )


def test_the_limit_of_a_body_is_that_of_the_service() -> None:
    """Unless an operator changes both."""
    assert "client_max_body_size 1m;" in SHIPPED.read_text()
