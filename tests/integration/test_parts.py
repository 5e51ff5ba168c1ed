"""The parts on their own, as an operator starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_part_started_by_hand_outlives_its_shell(database_url):
    """Only what `projector run` started ends with it."""
    shell = f'"{sys.executable}" -m projector follow >/dev/null 2>&1 & echo $!; sleep 1.5'
    environment = {**os.environ, "DATABASE_URL": database_url}
    environment.pop("PROJECTOR_STARTED_BY", None)
    started = subprocess.run(
        ["sh", "-c", shell], env=environment, capture_output=True, check=True, text=True
    )
    pid = int(started.stdout)
    try:
        time.sleep(1.5)  # its watch would have ended it within half a second
        assert is_running(pid)
    finally:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
