"""`projector serve`: the web server's process."""

from __future__ import annotations

import socket

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from projector.infrastructure.processes import die_with_starter
from projector.infrastructure.settings import Settings, settings_from_environment
from projector.infrastructure.slots import INTAKE_THREADS, REQUESTS_AT_ONCE
from projector.query.alerts.threshold_file import file_thresholds

BACKLOG = 1024
STOP_SECONDS = 3


@click.command()
def serve() -> None:
    """Run the web server alone, on DATABASE_URL."""
    settings = settings_from_environment()
    settings.require_database_url()
    file_thresholds(settings)  # a wrong file ends this process, and not the one it starts
    serve_http(settings)


def serve_http(settings: Settings) -> None:
    """Answer HTTP until SIGTERM or SIGINT."""
    die_with_starter()
    Granian(
        "api.app.wsgi:create",
        factory=True,
        address=_address(settings.host),
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,  # counters and the committer's batches are a process's own
        # Each export and each stream holds one, after its request was answered.
        blocking_threads=INTAKE_THREADS + REQUESTS_AT_ONCE + settings.exports + settings.streams,
        backlog=BACKLOG,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_enabled=True,
        log_level=LogLevels.error,  # its advice on thread counts is not for who runs us
    ).serve()


def _address(host: str) -> str:
    """The number of a host, since granian takes no names."""
    return host if ":" in host else socket.gethostbyname(host)
