"""Fixtures: each worker has an embedded server, each test a clone of a migrated database."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from api import create_app
from api.service import attach
from projector.bootstrap.service import Service, build_service
from projector.infrastructure.clock import now_ms
from projector.infrastructure.embedded_postgres import EmbeddedPostgres
from projector.infrastructure.gc_tuning import collect_rarely
from projector.infrastructure.migrations import migrate
from projector.infrastructure.settings import read_settings
from projector.projection.read_models import TABLES
from projector.projection.runner import Runner

TEMPLATE = "template_projector"

# No deadline: a shared machine is slow at times.
hypothesis.settings.register_profile("default", max_examples=12, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=2_000, deadline=None)
# Each mutant runs the same few examples, and a failure is not reported in detail.
hypothesis.settings.register_profile(
    "mutants",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
# For laws over HTTP and a database: their examples take longer, and each sends many requests.
over_http = hypothesis.settings(max_examples=max(5, hypothesis.settings.default.max_examples // 8))


MEMORY_DISK = Path("/dev/shm")
MIN_FREE_BYTES = 4 << 30  # more than the servers of two workers need
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = 1_000  # of each worker
FIRST_PORT = 20_000 + WORKER * PORTS  # the kernel assigns ports from 32768 on
_numbers = itertools.count(1)
_ports = (FIRST_PORT + number % PORTS for number in itertools.count(os.getpid()))


def pytest_collection_finish() -> None:
    """The tests themselves are many objects, and no garbage."""
    collect_rarely()


def slow(*values: Any) -> list[Any]:
    """Values of a parameter whose tests are slow ones; a tuple has those of several."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
        for value in values
    ]


def sample(values: Iterable[Any], *, every: int) -> list[Any]:
    """Values of a parameter; the tests of all but each n-th are slow ones."""
    parts = [[value] if number % every == 0 else slow(value) for number, value in enumerate(values)]
    return [*itertools.chain.from_iterable(parts)]


def on_database(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def free_port() -> int:
    """A port of loopback that nothing listens on, from a range that no other worker uses."""
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def database_of(url: str) -> str:
    """The name of an address's database."""
    return urlsplit(url).path[1:]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded server, started by the supervisor of the service.

    Its folder is in memory if there is space: cloning a database writes nine megabytes.
    """
    folder = tmp_path_factory.mktemp("server")
    if MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > MIN_FREE_BYTES:
        folder = Path(tempfile.mkdtemp(prefix="projector-tests-", dir=MEMORY_DISK))
    try:
        with EmbeddedPostgres(folder, durable=False) as embedded:
            url = embedded.start()
            with psycopg.connect(url, autocommit=True) as connection:
                # No database of a test lives long enough to be vacuumed.
                connection.execute("ALTER SYSTEM SET autovacuum = off")
                connection.execute("SELECT pg_reload_conf()")
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The server's address, once it has the migrated template database."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrate(on_database(server, TEMPLATE))
    return server


@pytest.fixture
def database_url(template: str) -> Iterator[str]:
    """A migrated database for one test."""
    with cloned(template) as url:
        yield url


@contextmanager
def cloned(server: str, template: str = TEMPLATE) -> Iterator[str]:
    """The address of a copy of a database, which is dropped after the block."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield on_database(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def clone(server: str, template: str = TEMPLATE) -> str:
    """The address of a copy of a database, which lives as long as the server."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return on_database(server, name)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The whole service in this process, without a web server."""

    url: str
    service: Service
    client: FlaskClient
    headers: dict[str, str]

    def post(self, body: Any, **kwargs: Any) -> TestResponse:
        """Deliver a webhook: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post("/webhooks/webex", data=raw, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        """Read with the operator's token."""
        return self.client.get(
            path, headers={**self.headers, **kwargs.pop("headers", {})}, **kwargs
        )

    def project(self, batch_events: int = 2_000) -> None:
        """Fold the whole log into the views."""
        Runner(self.service.store, self.url, batch_events=batch_events).catch_up()


_idle_apps: list[Flask] = []  # of closed sites: to compile the routes takes longer than most tests


@contextmanager
def open_site(
    url: str, data_dir: Path, *, clock: Callable[[], int] = now_ms, **environment: str
) -> Iterator[Site]:
    """The service over a database; its reads use the first token."""
    settings = read_settings({"PROJECTOR_DATA_DIR": str(data_dir), **environment})
    service = build_service(settings, url, clock=clock)
    configured = [token.token for token in settings.tokens]
    token = configured[0] if configured else (data_dir / "operator-token").read_text()
    app = _idle_apps.pop() if _idle_apps else create_app(service)
    attach(app, service)
    try:
        yield Site(
            url=url,
            service=service,
            client=app.test_client(),
            headers={"Authorization": f"Bearer {token}"},
        )
    finally:
        service.close()
        _idle_apps.append(app)


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    """A service with default settings: unsigned webhooks, one operator token."""
    with open_site(database_url, tmp_path) as default_site:
        yield default_site


# The tables of all subjects that are derived from the log.
DERIVED = [name for table in TABLES for name in table.all_names]
FORGET = f"""
    SET search_path = projector;
    TRUNCATE {", ".join(DERIVED)}, parked, arrival_delays;
    UPDATE arrival_delays_checkpoint SET position = 0;
    UPDATE projections SET position = 0, counted_position = 0;
    UPDATE bucket_counts SET stored = 0, projected = 0, anomalies = 0, corrections = 0;
"""


def forget(url: str) -> None:
    """Empty all derived tables, so that the next runner folds the log from its beginning."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FORGET.encode())


@contextmanager
def erasable(
    template: str, folder: Path, *, clock: Callable[[], int] = now_ms, **settings: str
) -> Iterator[Site]:
    """The service for many examples: ``erase`` can empty its log, which has no triggers."""
    with open_site(clone(template), folder, clock=clock, **settings) as site:
        with psycopg.connect(site.url, autocommit=True) as connection:
            for name in ("events", "duplicates"):
                connection.execute(f"DROP TRIGGER immutable ON projector.{name}".encode())
        yield site


def erase(url: str) -> None:
    """Empty the log and all derived tables."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = projector")
        connection.execute(
            "TRUNCATE events, duplicates, conflicts, quarantine, quarantine_attempts, skipped,"
            " reconciled_windows"
        )
        connection.execute("UPDATE ledger_counts SET count = 0")
    forget(url)


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(template: str, tmp_path: Path) -> Iterator[MakeSite]:
    """Makes services with given settings; each has its own database, unless ``url`` names one."""
    with ExitStack() as stack:

        def make(url: str | None = None, **environment: str) -> Site:
            folder = tmp_path / f"site{next(_numbers)}"
            database = url or stack.enter_context(cloned(template))
            return stack.enter_context(open_site(database, folder, **environment))

        yield make


@contextmanager
def served(app: Flask, port: int = 0) -> Iterator[str]:
    """The address of an application that is served on loopback."""
    with make_server("127.0.0.1", port, app, threaded=True) as server:
        thread = Thread(
            target=server.serve_forever, args=(0.01,)
        )  # seconds between checks for the shutdown
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()
            thread.join()
