"""The shipped configuration of nginx, run before a service on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import free_port

SHIPPED = Path(__file__).resolve().parents[2] / "deploy/nginx.conf"
START_SECONDS = 20.0
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """An nginx that runs, and the folder with its logs."""

    port: int
    folder: Path
    trust: ssl.SSLContext  # of its certificate

    @property
    def root(self) -> str:
        return f"https://127.0.0.1:{self.port}"


def program(name: str) -> str:
    """The path of a program; without it the test is skipped loudly, but never in the checks."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        missing = f"NO PROXY: {name} is missing; `apt-get install nginx openssl` brings it."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def proxied(service_port: int, folder: Path, **changes: str) -> Iterator[Proxy]:
    """nginx with the shipped configuration; ``changes`` are directives with another value."""
    nginx, port = program("nginx"), free_port()
    folder.mkdir()
    _make_certificate(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(_adapted(service_port, port, folder, changes))
    # The folder of a test is its owner's alone, so the workers run as the owner, too.
    as_owner = "user root; " if os.geteuid() == 0 else ""
    options = f"{as_owner}daemon off; pid {folder}/pid;"
    command = [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)]
    tried = subprocess.run(
        [*command, "-g", options, "-t"], capture_output=True, text=True, check=False
    )
    assert 0 == tried.returncode, tried.stderr
    assert "warn" not in tried.stderr, tried.stderr
    process = subprocess.Popen([*command, "-g", options])
    try:
        _await_port(port)
        trust = ssl.create_default_context(cafile=folder / "fullchain.pem")
        yield Proxy(port=port, folder=folder, trust=trust)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _adapted(service_port: int, port: int, folder: Path, changes: Mapping[str, str]) -> str:
    """The shipped text with the addresses and paths of a test."""
    text = SHIPPED.read_text()
    temporary = "".join(f"    {it}_temp_path {folder}/{it};\n" for it in _TEMPORARY)
    for shipped, own in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen [::]:443 ssl;": "",
        "server 127.0.0.1:8080;": f"server 127.0.0.1:{service_port};",
        "/etc/ssl/projector/fullchain.pem": f"{folder}/fullchain.pem",
        "/etc/ssl/projector/key.pem": f"{folder}/key.pem",
        "/var/log/nginx/access.log": f"{folder}/access.log",
        "/var/log/nginx/error.log": f"{folder}/error.log",
        "http {\n": f"http {{\n{temporary}",
        **changes,
    }.items():
        assert 1 == text.count(shipped), shipped
        text = text.replace(shipped, own)
    return text


def _make_certificate(folder: Path) -> None:
    command = [
        *(program("openssl"), "req", "-x509", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "fullchain.pem")),
    ]
    subprocess.run(command, check=True, capture_output=True)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline, "nginx does not listen"
        time.sleep(0.05)
