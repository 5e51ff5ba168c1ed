"""`projector run`: starts the database and the service's processes, and restarts those that die."""

from __future__ import annotations

import errno
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shlex import quote as quote_word
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import click

from projector.cli.database import database
from projector.cli.options import as_json
from projector.infrastructure.database import service_address
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.migrations import migrate
from projector.infrastructure.processes import Child, on_stop_signals
from projector.infrastructure.settings import Settings, settings_from_environment
from projector.infrastructure.tokens import local_tokens
from projector.operations.shadow_rebuild import empty_tables_of_another_fold
from projector.query.alerts.threshold_file import file_thresholds
from projector.webex.webhook_secrets import configured_secrets

# A server whose parent was killed lets go of the port within this time.
PORT_SECONDS = 4.0
START_SECONDS = 60.0
CHILDREN_POLL_SECONDS = 0.5


_FILLED_ANEW = (
    "The read models are of version {version} of the fold. This release folds the log anew: until"
    " it is done, /readyz says how far behind they are."
)


class RunError(ProjectorError):
    """The service cannot start; the sentence says what to do."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What the person who starts the service needs to know."""

    address: str  # to open, with the local operator's token where there is one
    webhooks: str
    database: str
    demo: str  # a command that sends webhooks

    def text(self) -> str:
        return (
            f"\n  Open       {self.address}\n  Webhooks   {self.webhooks}\n"
            f"  Database   {self.database}\n\n"
            f"  Try `{self.demo}` in another terminal. Ctrl-C stops everything.\n"
        )

    def json(self) -> str:
        return json.dumps(self.__dict__)


@click.command()
@as_json
def run(*, as_json: bool) -> None:
    """Start the whole service, database included, and stay in the foreground until Ctrl-C."""

    def announce(announcement: Announcement) -> None:
        click.echo(announcement.json() if as_json else announcement.text())

    run_service(settings_from_environment(), announce)


def run_service(settings: Settings, announce: Callable[[Announcement], None]) -> None:
    """Start all processes, announce them, restart those that die, and stop them in order."""
    file_thresholds(settings)
    configured_secrets(settings)
    stop = threading.Event()
    on_stop_signals(stop)
    with ExitStack() as stack:
        url, keep_database = stack.enter_context(database(settings))
        _await_port(settings.host, settings.port)
        migrate(url)
        version = empty_tables_of_another_fold(url)
        if version is not None:
            click.echo(_FILLED_ANEW.format(version=version), err=True)
        _keep_token(settings)
        embedded = settings.database_url is None
        environment = {"DATABASE_URL": service_address(url) if embedded else url}
        # They stop in reverse order: first the web server, so that no new webhook arrives.
        children = [Child([name], environment) for name in ("follow", "work", "serve")]
        for child in children:
            child.start()
            stack.callback(child.stop)
        _await_answer(settings, children, stop)
        if not stop.is_set():
            announce(_announcement(settings))
        while not stop.wait(CHILDREN_POLL_SECONDS):
            keep_database()
            for child in children:
                if child.has_died():
                    child.start()


def _keep_token(settings: Settings) -> None:
    """Make the operator's token before a process needs it; RunError if it cannot be written."""
    try:
        local_tokens(settings)
    except OSError as error:
        raise RunError(
            f"Cannot keep the operator's token in {settings.data_dir} ({error.strerror}): put that"
            " right, or set PROJECTOR_DATA_DIR to another folder."
        ) from error


def _await_port(host: str, port: int) -> None:
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        try:
            # Without SO_REUSEPORT, unlike the web server: else two services would share the port.
            with socket.create_server((host, port), family=_family(host)):
                return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise RunError(
                    f"Cannot listen on {host}:{port} ({error.strerror}): set HOST to an address of"
                    " this machine and PORT to one that you may use."
                ) from error
            if time.monotonic() > deadline:
                raise RunError(
                    f"Port {port} on {host} is taken: stop what listens there, or set PORT to"
                    " another one."
                ) from error
            time.sleep(0.1)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _await_answer(settings: Settings, children: list[Child], stop: threading.Event) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not stop.is_set():
        try:
            urlopen(f"{settings.root}/healthz", timeout=2).close()  # noqa: S310 - our own
        except (URLError, OSError) as error:
            dead = [child.name for child in children if child.has_died()]
            if dead or time.monotonic() > deadline:
                raise RunError(
                    f"`projector {' '.join(dead) or 'serve'}` does not start: the lines above say"
                    " why."
                ) from error
            stop.wait(0.05)
        else:
            return


def _announcement(settings: Settings) -> Announcement:
    tokens = local_tokens(settings)
    query = f"/?token={quote(tokens[0].token)}" if tokens else "/"
    embedded = f"embedded PostgreSQL in {settings.data_dir.resolve()}"
    return Announcement(
        address=f"{settings.root}{query}",
        webhooks=f"{settings.root}/webhooks/webex",
        database="as DATABASE_URL says" if settings.database_url else embedded,
        demo=_demo(settings),
    )


def _demo(settings: Settings) -> str:
    """The command, with the settings by which it finds the service and its token."""
    values = {"HOST": settings.host, "PORT": settings.port, "PROJECTOR_DATA_DIR": settings.data_dir}
    usual = {"HOST": "127.0.0.1", "PORT": 8080, "PROJECTOR_DATA_DIR": Path(".data")}
    changed = [
        f"{name}={quote_word(str(values[name]))}" for name in values if values[name] != usual[name]
    ]
    return " ".join([*changed, "make demo"])
