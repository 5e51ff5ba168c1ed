"""The service's processes: one parent starts and restarts them, and none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

CHILD_STOP_SECONDS = 8.0
PARENT_CHECK_SECONDS = 0.5
STARTED_BY = "PROJECTOR_STARTED_BY"  # from parent to child; not a setting


class Child:
    """One of the service's processes: it runs a `projector` command."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = arguments[0]
        self._command = [sys.executable, "-m", "projector", *arguments]
        self._environment = {**os.environ, **environment, STARTED_BY: str(os.getpid())}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches the parent alone, which stops all children in order.
        self._process = subprocess.Popen(
            self._command, env=self._environment, start_new_session=True, stdin=subprocess.DEVNULL
        )

    def has_died(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after 8 seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(CHILD_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def die_with_starter() -> None:
    """End this process when the `projector run` that started it ends; started by hand, it stays."""
    starter = os.environ.get(STARTED_BY)
    if starter is not None:
        _die_without(int(starter))


def die_with_parent() -> None:
    """End this process when its parent has ended, even by SIGKILL."""
    _die_without(os.getppid())


def _die_without(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        # All that was acknowledged is durable, and a new parent needs the port.
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def on_stop_signals(stop: threading.Event) -> None:
    """Set an event on Ctrl-C and SIGTERM, instead of ending at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
