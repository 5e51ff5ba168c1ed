"""`projector serve`, `follow` and `work`: web server, projection and worker, a process each."""

from __future__ import annotations

import socket
import threading

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from projector.bootstrap import kinds_of_jobs, vendor_of
from projector.event_log.store import EventStore
from projector.infrastructure.database import open_pool
from projector.infrastructure.processes import die_with_starter, on_stop_signals
from projector.infrastructure.settings import Settings
from projector.operations.job_queue import Jobs
from projector.operations.reconciliation.schedule import Schedule
from projector.operations.reconciliation.subscription_watch import Watch
from projector.operations.worker import Worker
from projector.projection.runner import Runner
from projector.webex.webhook_secrets import WebhookSecrets

REQUEST_THREADS = 64
BACKLOG = 1024
STOP_SECONDS = 3


def serve(settings: Settings) -> None:
    """Answer HTTP until SIGTERM or SIGINT."""
    die_with_starter()
    Granian(
        "api.app.wsgi:create",
        factory=True,
        address=_address(settings.host),
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,  # counters and the committer's batches are a process's own
        blocking_threads=REQUEST_THREADS + settings.streams,  # each stream holds one
        backlog=BACKLOG,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_enabled=True,
        log_level=LogLevels.error,  # its advice on thread counts is not for who runs us
    ).serve()


def _address(host: str) -> str:
    """The number of a host, since granian takes no names."""
    return host if ":" in host else socket.gethostbyname(host)


def follow(database_url: str, *, beside: bool = False) -> None:
    """Fold the log into the views until SIGTERM or SIGINT; or into those beside."""
    die_with_starter()
    stop = threading.Event()
    on_stop_signals(stop)
    pool = open_pool(database_url, max_size=2)
    Runner(EventStore(pool), database_url, beside=beside).run(stop)
    pool.close()


def work(settings: Settings, database_url: str) -> None:
    """Do what is asked for, and what is due, until SIGTERM or SIGINT."""
    die_with_starter()
    stop = threading.Event()
    on_stop_signals(stop)
    pool = open_pool(database_url, max_size=4)
    kinds = kinds_of_jobs(settings, pool, EventStore(pool), database_url)
    schedule = Schedule(Jobs(pool), pool, settings)
    watch = Watch(pool, vendor_of(settings), WebhookSecrets(settings))

    def between() -> None:
        schedule.ask_if_due()
        watch.look_if_due()

    Worker(pool, database_url, kinds, between=between).run(stop)
    pool.close()
