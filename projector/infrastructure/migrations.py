"""Migrations: plain SQL files, forward only, each applied once and never changed afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from projector.infrastructure.database import SCHEMA, connect, first_line, translated
from projector.infrastructure.errors import ProjectorError

# setup.py says where this package is in a checkout; in a wheel it is below `projector`.
FOLDER = files("projector.migrations")
_NAME = re.compile(r"(\d{4})_\w+\.sql")
_MIGRATION_LOCK = 7_362_018_455  # any number, the same for all that migrate


class MigrationError(ProjectorError):
    """The database and the migration files do not fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of the folder."""

    version: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_folder(folder: Traversable = FOLDER) -> list[Migration]:
    """The migrations of a folder in order; their numbers must run 1, 2, 3 and so on."""
    migrations = []
    for file in sorted(folder.iterdir(), key=lambda it: it.name):
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise MigrationError(f"{file.name} is not named like 0001_what_it_does.sql: rename it.")
        name, text = file.name.removesuffix(".sql"), file.read_text("utf-8")
        migrations.append(Migration(version=int(match[1]), name=name, text=text))
    if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise MigrationError(
            f"The migrations in {folder} do not run 1, 2, 3: renumber the new one."
        )
    return migrations


def pending(url: str, folder: Traversable = FOLDER) -> list[Migration]:
    """The migrations to apply; MigrationError where an applied file was changed or is missing."""
    with translated(), connect(url) as connection:
        return _pending(connection, read_folder(folder))


def migrate(url: str, folder: Traversable = FOLDER) -> list[Migration]:
    """Apply the pending migrations, each in a transaction; several callers take turns.

    Returns those that were applied. MigrationError where one fails.
    """
    with translated(), connect(url) as connection:
        connection.execute("SELECT pg_advisory_lock(%(lock)s)", {"lock": _MIGRATION_LOCK})
        with _errors_of("The list of migrations"):
            _create_list(connection)
        migrations = _pending(connection, read_folder(folder))
        for migration in migrations:
            with _errors_of(migration.name):
                _apply(connection, migration)
        return migrations


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Turn the database's refusal into a MigrationError that names what was refused."""
    try:
        with translated():
            yield
    except psycopg.Error as error:
        raise MigrationError(
            f"{name} cannot be applied, and nothing of it was ({first_line(error)}): put that right"
            " and migrate again."
        ) from error


def _create_list(connection: Connection[DictRow]) -> None:
    connection.execute(
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {schema}").format(schema=sql.Identifier(SCHEMA)),
        prepare=False,
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        " version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )


def _applied(connection: Connection[DictRow]) -> Sequence[DictRow]:
    exists = connection.execute("SELECT to_regclass('schema_migrations') AS it").fetchone()
    if exists is None or exists["it"] is None:
        return []
    return connection.execute(
        "SELECT version, name, sha256 FROM schema_migrations ORDER BY version"
    ).fetchall()


def _pending(connection: Connection[DictRow], files: Sequence[Migration]) -> list[Migration]:
    applied = _applied(connection)
    for row, file in zip(applied, files, strict=False):
        if row["sha256"] != file.sha256:
            raise MigrationError(
                f"{file.name} was changed after it was applied: restore it and add a new file."
            )
    if len(applied) > len(files):
        raise MigrationError(
            f"The database has migration {applied[-1]['name']}, which this version does not know:"
            " run the version that made it, or a newer one."
        )
    return list(files[len(applied) :])


def _apply(connection: Connection[DictRow], migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.text.encode(), prepare=False)
        connection.execute(
            "INSERT INTO schema_migrations (version, name, sha256)"
            " VALUES (%(version)s, %(name)s, %(sha256)s)",
            {
                "version": migration.version,
                "name": migration.name,
                "sha256": migration.sha256,
            },
        )
