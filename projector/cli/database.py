"""The database that a command works on: the one of DATABASE_URL, or the embedded server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from psycopg import Connection
from psycopg.rows import DictRow

from projector.infrastructure.database import check_address, connect
from projector.infrastructure.embedded_postgres import AlreadyRuns, EmbeddedPostgres
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.migrations import pending
from projector.infrastructure.settings import Settings, settings_from_environment


class SchemaOutdated(ProjectorError):  # noqa: N818 - named for what is noticed
    """The database lacks migrations of this version."""


@contextmanager
def database(settings: Settings) -> Iterator[tuple[str, Callable[[], None]]]:
    """The database's address, and a function that restarts the server if it has died.

    The embedded server is started and stopped; AlreadyRuns if another process has started it.
    """
    if settings.database_url is not None:
        check_address(settings.database_url)
        yield settings.database_url, lambda: None
        return
    with EmbeddedPostgres(settings.data_dir) as embedded:

        def keep() -> None:
            if embedded.pid() is None:
                embedded.start()

        yield embedded.url, keep


def running_database(settings: Settings) -> str:
    """The address of the database that a running service works on; nothing is started."""
    return settings.database_url or EmbeddedPostgres(settings.data_dir).url_of_another()


@contextmanager
def current_database(settings: Settings) -> Iterator[str]:
    """The address of a database whose schema is up to date; SchemaOutdated where it is not."""
    with reachable_database(settings) as url:
        if pending(url):
            raise SchemaOutdated("The schema is not up to date: run `projector migrate`.")
        yield url


@contextmanager
def owners_connection() -> Iterator[Connection[DictRow]]:
    """A connection with the rights of the database's owner, whose schema is up to date."""
    with current_database(settings_from_environment()) as url, connect(url) as connection:
        yield connection


@contextmanager
def reachable_database(settings: Settings) -> Iterator[str]:
    """The address of the database: that of the running service, or started for the while."""
    with ExitStack() as stack:
        try:
            url, _ = stack.enter_context(database(settings))
        except AlreadyRuns:
            url = EmbeddedPostgres(settings.data_dir).url_of_another()
        yield url
