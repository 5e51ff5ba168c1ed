"""The loop of alerts, in a thread beside the worker's jobs: a job may take an hour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from projector.infrastructure.listening import keep_following
from projector.operations.alerts.posting import AlertPosting
from projector.operations.alerts.watch import AlertWatch
from projector.projection.partitions import OtherFold

ALERT_CHECK_SECONDS = 3.0


class AlertLoop:
    """Looks for alerts and posts what waits, every three seconds."""

    def __init__(self, watch: AlertWatch, posting: AlertPosting) -> None:
        self._watch = watch
        self._posting = posting

    def run(self, stop: Event) -> None:
        """Go on until ``stop`` is set; wait for a database that does not answer."""

        def follow() -> None:
            while not stop.is_set():
                self._posting.post_due(stops=stop.is_set)
                self._watch.check()
                self._posting.post_due(stops=stop.is_set)
                stop.wait(ALERT_CHECK_SECONDS)

        keep_following(
            follow,
            who="the watch over alerts",
            is_needed=lambda: not stop.is_set(),
            rest=lambda: stop.wait(ALERT_CHECK_SECONDS),
            waits_for=OtherFold,
        )


@contextmanager
def running(loop: AlertLoop | None, stop: Event) -> Iterator[None]:
    """Let a loop run beside the block, which ends after ``stop`` is set."""
    if loop is None:
        yield
        return
    thread = Thread(target=loop.run, args=(stop,), name="alerts")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
