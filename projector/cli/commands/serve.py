"""`projector serve`: the web server's process."""

from __future__ import annotations

import socket

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from projector.infrastructure.processes import die_with_starter
from projector.infrastructure.settings import Settings, settings_from_environment
from projector.query.alerts.threshold_file import file_thresholds
from projector.webex.webhook_secrets import configured_secrets

REQUEST_THREADS = 64
BACKLOG = 1024
STOP_SECONDS = 3


@click.command()
def serve() -> None:
    """Run the web server alone, on DATABASE_URL."""
    settings = settings_from_environment()
    settings.require_database_url()
    # What is wrong in them ends this process, and not the one it starts.
    file_thresholds(settings)
    configured_secrets(settings)
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
