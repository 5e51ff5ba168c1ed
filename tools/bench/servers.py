"""Processes of the service, started as an operator starts them, on the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

from tools.bench.committer import SECRET

START_SECONDS = 30.0
TOKEN = "bench"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def environment_of(url: str, folder: str) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("PROJECTOR_")
    }
    return inherited | {
        "DATABASE_URL": url,
        "HOST": "127.0.0.1",
        "PROJECTOR_DATA_DIR": folder,
        "PROJECTOR_WEBHOOK_SECRETS": json.dumps({"*": [SECRET]}),
        "PROJECTOR_TOKENS": json.dumps([{"token": TOKEN, "role": "operator"}]),
    }


@contextmanager
def process_of(
    arguments: Sequence[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)  # a paused process would not get SIGTERM
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def server_of(arguments: Sequence[str], environment: dict[str, str], port: int) -> Iterator[None]:
    with process_of(arguments, environment | {"PORT": str(port)}) as process:
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
def paused(url: str, process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Wait until the projection has caught up, then pause the process for the block."""
    await_projection(url)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def await_projection(url: str) -> None:
    """Wait until the projection has folded the whole log."""
    is_behind = (
        "SELECT (SELECT coalesce(max(position), 0) FROM projector.log)"
        " > (SELECT min(position) FROM projector.projections)"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(is_behind).fetchone() != (False,):
            time.sleep(0.1)
