"""`projector serve`: the web server's process.

A connection without a request holds no thread, and ends by itself. A body that does not come holds
a thread for as long as its connection lasts: the web server cannot end that, so a proxy stands
between it and whoever is not trusted (`deploy/nginx.conf`).
"""

from __future__ import annotations

import resource
import socket

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from projector.infrastructure.processes import die_with_starter
from projector.infrastructure.settings import Settings, settings_from_environment
from projector.infrastructure.slots import INTAKE_THREADS, REQUESTS_AT_ONCE
from projector.query.alerts.threshold_file import file_thresholds
from projector.webex.webhook_secrets import configured_secrets

BACKLOG = 1024
MOST_CONNECTIONS = 8_192  # also those without a request
OTHER_FILES = 512  # the most that a process has open beside its connections
HEAD_SECONDS = 10  # for the first byte, for a whole head, and between two requests
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
        # Each export and each stream holds one, after its request was answered.
        blocking_threads=INTAKE_THREADS + REQUESTS_AT_ONCE + settings.exports + settings.streams,
        backlog=BACKLOG,
        backpressure=most_connections(_allow_open_files()),
        http=HTTPModes.http1,  # while granian finds out which version a client speaks, no time ends
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1_000),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_enabled=True,
        log_level=LogLevels.error,  # its advice on thread counts is not for who runs us
    ).serve()


def most_connections(open_files: int) -> int:
    """As many as a process may have that may have so many files open."""
    return min(MOST_CONNECTIONS, max(open_files - OTHER_FILES, open_files // 2))


def _allow_open_files() -> int:
    """Let this process have as many files open as it may and needs; how many it then may."""
    needed = MOST_CONNECTIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    if soft == resource.RLIM_INFINITY or soft >= allowed:
        return allowed
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def _address(host: str) -> str:
    """The number of a host, since granian takes no names."""
    return host if ":" in host else socket.gethostbyname(host)
