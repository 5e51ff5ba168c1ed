"""Connections to PostgreSQL, and the one place where the driver's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import Connection, Cursor, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, TupleRow, dict_row, tuple_row
from psycopg_pool import ConnectionPool

from projector.infrastructure.errors import ProjectorError

SCHEMA = "projector"
SHADOW_SCHEMA = "projector_shadow"  # the tables of a shadow rebuild
SERVICE_ROLE = "projector_service"
EVENTS_CHANNEL = "projector_events"
VIEWS_CHANNEL = "projector_views"

Pool = ConnectionPool[Connection[DictRow]]

# Of the reads within ``long_reads``; null: what the pool has.
_statement_ms: ContextVar[int | None] = ContextVar("statement_ms", default=None)


class StoreUnavailable(ProjectorError):  # noqa: N818 - named for what callers handle
    """The database cannot be reached or does not answer now. Trying again may help."""


class DatabaseRefused(ProjectorError):  # noqa: N818
    """The database refuses us: wrong address, name, password or rights."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours, by class and SQLSTATE."""
    try:
        yield
    except psycopg.Error as error:
        if is_transient(error):
            raise StoreUnavailable(f"The database does not answer: {first_line(error)}") from error
        raise


def is_transient(error: psycopg.Error) -> bool:
    """Whether trying again may help, since no data is at fault."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    # Connections, resources, an operator's shutdown, conflicts, locks, disk and files.
    return error.sqlstate[:2] in {"08", "53", "57", "40", "55", "58"}


def first_line(error: psycopg.Error) -> str:
    """The first line of the driver's message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def connect(url: str, **kwargs: Any) -> Connection[DictRow]:
    """A new connection, in autocommit mode, in our schema."""
    with translated():
        connection = psycopg.connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=5, **kwargs
        )
        enter_schema(connection)
        return connection


def open_pool(url: str, *, max_size: int, statement_ms: int = 0) -> Pool:
    """A pool of at most ``max_size`` connections, which work as the service's role if it exists.

    The server cancels a statement that takes longer than ``statement_ms``; 0: none.
    """
    return ConnectionPool(
        url,
        connection_class=Connection[DictRow],
        kwargs={"row_factory": dict_row, "autocommit": True, "connect_timeout": 5},
        min_size=1,
        max_size=max_size,
        open=True,
        timeout=4,
        configure=partial(_configure, statement_ms=statement_ms),
        check=ConnectionPool.check_connection,
    )


def _configure(connection: Connection[DictRow], *, statement_ms: int) -> None:
    become_service(connection)
    if statement_ms:
        connection.execute(_set_timeout("SET", statement_ms))


def _set_timeout(command: str, statement_ms: int) -> sql.Composed:
    return sql.SQL("{command} statement_timeout = {ms}").format(
        command=sql.SQL(command), ms=statement_ms
    )


@contextmanager
def long_reads(statement_ms: int) -> Iterator[None]:
    """Let the statements of consistent reads take so long (ms) within the block."""
    before = _statement_ms.set(statement_ms)
    try:
        yield
    finally:
        _statement_ms.reset(before)


@contextmanager
def consistent_read(pool: Pool) -> Iterator[Cursor[TupleRow]]:
    """A cursor whose queries all see the database at one moment, and change nothing."""
    with translated(), pool.connection() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if (statement_ms := _statement_ms.get()) is not None:
            connection.execute(_set_timeout("SET LOCAL", statement_ms))
        yield connection.cursor(row_factory=tuple_row)


def become_service(connection: Connection[DictRow], *schemas: str) -> None:
    """Give up all rights but those of the service's role, where the database has that role.

    A table name means the first of the schemas that has the table; without schemas, only ours.
    """
    enter_schema(connection, *schemas)
    if has_service_role(connection):
        # Only trying tells: a member of the role may lack the right to take it.
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("SET ROLE {role}").format(role=sql.Identifier(SERVICE_ROLE)))


def service_address(url: str) -> str:
    """The address at which the service's role signs in by itself, on a server of our own.

    Such a connection cannot take back rights that it never had. The server must trust whoever
    reaches its socket, as the embedded one does. Where the role is missing, nothing changes.
    """
    with connect(url) as connection, translated():
        if not has_service_role(connection):
            return url
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(SERVICE_ROLE)))
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{SERVICE_ROLE}@{host}"))


def has_service_role(connection: Connection[DictRow]) -> bool:
    """Whether the database has the role with the service's rights."""
    rows = connection.execute(
        "SELECT FROM pg_roles WHERE rolname = %(role)s", {"role": SERVICE_ROLE}
    )
    return rows.fetchone() is not None


def enter_schema(connection: Connection[DictRow], *schemas: str) -> None:
    """Look table names up in these schemas, in their order; without schemas, in ours."""
    names = [sql.Identifier(schema) for schema in schemas or (SCHEMA,)]
    connection.execute(
        sql.SQL("SET search_path = {schemas}").format(schemas=sql.SQL(", ").join(names))
    )


def check_address(url: str) -> None:
    """DatabaseRefused, with a sentence for the operator, where an address cannot be used."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        # The driver's message would repeat the address, password included.
        raise DatabaseRefused(
            "DATABASE_URL is no address of a PostgreSQL database: write it like"
            " postgresql://user:password@host:5432/name, special characters as %XX."
        ) from None
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        raise DatabaseRefused(
            f"DATABASE_URL cannot be used ({first_line(error)}): check the address, database, user"
            " and password, or unset it to use the embedded server."
        ) from error
