"""Migrations are applied once each, whole or not at all, and the log is protected afterwards."""

import itertools
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.rows import tuple_row

from projector.cli.main import main
from projector.infrastructure.database import (
    SERVICE_ROLE,
    DatabaseRefused,
    StoreUnavailable,
    connect,
)
from projector.infrastructure.migrations import (
    FOLDER,
    MigrationError,
    migrate,
    pending,
    read_folder,
)
from tests.conftest import on_database, open_site
from tests.examples import ORG, login

NAMES = [migration.name for migration in read_folder()]
OWNER = "plain_owner"
_numbers = itertools.count(1)

MIGRATE = """
import json, sys
from pathlib import Path
from projector.infrastructure.migrations import migrate
print(json.dumps([migration.name for migration in migrate(sys.argv[1], Path(sys.argv[2]))]))
"""


def execute(url, query, *parameters):
    """The rows of a statement, in our schema."""
    with connect(url) as connection:
        cursor = connection.cursor(row_factory=tuple_row)
        cursor.execute(query.encode() if isinstance(query, str) else query, parameters)
        return cursor.fetchall() if cursor.description else []


def ledger(url):
    return [name for (name,) in execute(url, "SELECT name FROM schema_migrations ORDER BY version")]


def tables(url):
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'projector' ORDER BY 1"
    return [name for (name,) in execute(url, query)]


@pytest.fixture
def empty(server):
    """The address of a database with nothing in it."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return on_database(server, name)


@pytest.fixture
def folder(tmp_path):
    """Migrations of the test's own: two tables."""
    made = tmp_path / "migrations"
    made.mkdir()
    (made / "0001_one.sql").write_text("CREATE TABLE one (n integer);")
    (made / "0002_two.sql").write_text("CREATE TABLE two (n integer); INSERT INTO two VALUES (2);")
    return made


# --- the product's own files ---


def test_a_fresh_database_gets_everything_once(empty):
    """All files in order; a second time there is nothing to do."""
    assert NAMES == [migration.name for migration in migrate(empty)]
    assert NAMES == ledger(empty)
    assert [] == migrate(empty)
    assert [] == pending(empty)


def test_pending_applies_nothing(empty):
    """Asking what is pending leaves an empty database empty."""
    assert NAMES == [migration.name for migration in pending(empty)]
    query = "SELECT count(*) FROM pg_namespace WHERE nspname = 'projector'"
    assert [(0,)] == execute(empty, query)


def test_the_command_checks_and_applies(empty, monkeypatch):
    """`migrate --check` exits with 3 while anything is pending, and with 0 afterwards."""
    monkeypatch.setenv("DATABASE_URL", empty)
    lines = {word: "".join(f"{word} {name}\n" for name in NAMES) for word in ("pending", "applied")}
    runs = [CliRunner().invoke(main, ["migrate", *more]) for more in (["--check"], [], ["--check"])]
    assert [
        (3, lines["pending"]),
        (0, lines["applied"]),
        (0, "The schema is up to date.\n"),
    ] == [(run.exit_code, run.output) for run in runs]


def test_many_at_once_apply_each_file_once(empty):
    """Four processes that start together take turns: each file is applied by exactly one."""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATE, empty, str(FOLDER)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    told = [process.communicate(timeout=60) for process in started]
    assert [""] * 4 == [error for _, error in told]
    applied = sorted(name for name in NAMES for output, _ in told if f'"{name}"' in output)
    assert sorted(NAMES) == applied
    assert NAMES == ledger(empty)


def test_two_databases_of_one_server_at_once(server):
    """The role belongs to the whole server: two that make it at once do not fail."""
    urls = []
    with psycopg.connect(server, autocommit=True) as connection:
        for number in range(4):
            name = f"beside_{next(_numbers)}_{number}"
            connection.execute(f"CREATE DATABASE {name}".encode())
            urls.append(on_database(server, name))
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(migrate, urls))
    assert [NAMES] * 4 == [[migration.name for migration in applied] for applied in done]


# --- files that do not fit ---


def test_a_changed_file_is_refused(empty, folder):
    """The sentence names the file; nothing more is applied."""
    migrate(empty, folder)
    (folder / "0002_two.sql").write_text("CREATE TABLE two (n bigint);")
    (folder / "0003_three.sql").write_text("CREATE TABLE three (n integer);")
    for ask in (migrate, pending):
        with pytest.raises(MigrationError, match=r"^0002_two was changed after it was applied: "):
            ask(empty, folder)
    assert ["one", "schema_migrations", "two"] == tables(empty)


def test_a_newer_database_is_refused(empty, folder):
    """The sentence names the migration that this version does not know."""
    migrate(empty, folder)
    (folder / "0002_two.sql").unlink()
    for ask in (migrate, pending):
        with pytest.raises(MigrationError, match=r"has migration 0002_two, which this version"):
            ask(empty, folder)


def test_a_gap_in_the_numbers_is_refused(empty, folder):
    """1, 2, 4: the sentence asks for another number, and nothing is applied."""
    (folder / "0004_four.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=r"do not run 1, 2, 3: renumber the new one\.$"):
        migrate(empty, folder)
    assert ["schema_migrations"] == tables(empty)


def test_two_files_with_one_number_are_refused(folder):
    """Two authors took the same number: one of them has to take another."""
    (folder / "0002_other.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="renumber"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["3_three.sql", "0003-three.sql", "three.sql", "0003_.sql"])
def test_a_bad_name_is_refused(folder, name):
    """The sentence names the file and shows how a name looks."""
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=rf"^{name} is not named like 0001_what_it_does\.sql"):
        read_folder(folder)


@pytest.mark.parametrize(
    "fault",
    ["SELECT 1 / 0;", "CREATE TABEL three (n integer);", "INSERT INTO one VALUES ('x');"],
)
def test_a_failing_migration_leaves_nothing_half_done(empty, folder, fault):
    """The sentence names the file and the reason; earlier files stay applied."""
    (folder / "0003_three.sql").write_text(f"CREATE TABLE three (n integer); {fault}")
    with pytest.raises(MigrationError, match=r"^0003_three cannot be applied.*: put that right"):
        migrate(empty, folder)
    assert ["one", "schema_migrations", "two"] == tables(empty)
    assert ["0001_one", "0002_two"] == ledger(empty)
    (folder / "0003_three.sql").write_text("CREATE TABLE three (n integer);")
    assert ["0003_three"] == [migration.name for migration in migrate(empty, folder)]


def test_percent_signs_are_only_text(empty, folder):
    """A migration is sent as it is, without parameters."""
    (folder / "0003_three.sql").write_text("INSERT INTO one SELECT 7 % 4 WHERE 'a%s' LIKE 'a%';")
    migrate(empty, folder)
    assert [(3,)] == execute(empty, "SELECT n FROM one")


def test_a_command_that_fails_says_one_sentence(empty, folder, monkeypatch):
    """Exit code 1 and one line, without a traceback, where the database is not fit."""
    monkeypatch.setenv("DATABASE_URL", empty)
    execute(empty, "CREATE SCHEMA projector")
    execute(empty, "CREATE TABLE projector.events (n integer)")
    run = CliRunner().invoke(main, ["migrate"])
    assert (1, 1) == (run.exit_code, run.output.count("\n"))
    assert run.output.startswith("0001_event_log cannot be applied")


def test_a_database_that_is_gone(server):
    """The error says that the database does not answer: trying again may help."""
    with pytest.raises((StoreUnavailable, DatabaseRefused), match="never_made"):
        migrate(on_database(server, "never_made"))


def test_a_file_is_changed_by_its_bytes_only(empty, folder, tmp_path):
    """Another folder with the same files is the same."""
    migrate(empty, folder)
    assert [] == migrate(empty, shutil.copytree(folder, tmp_path / "copy"))


# --- who may do what ---


def owned(server, owner, rights):
    """An empty database of an ordinary role's own, as that role."""
    name = f"owned_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner])
        if known.fetchone() is None:
            connection.execute(f"CREATE ROLE {owner} LOGIN {rights}".encode())
        connection.execute(f"CREATE DATABASE {name} OWNER {owner}".encode())
    return on_database(server, name).replace("postgres@", f"{quote(owner)}@")


@pytest.fixture
def of_plain_owner(server):
    """An empty database whose owner may log in and nothing else."""
    return owned(server, OWNER, "")


@pytest.fixture
def without_role(template):
    """The server, while it has no role of the service's name."""
    rename = "ALTER ROLE {} RENAME TO {}"
    names = [sql.Identifier(SERVICE_ROLE), sql.Identifier("put_aside")]
    with psycopg.connect(template, autocommit=True) as connection:
        connection.execute(sql.SQL(rename).format(*names))
        yield template
        for (database,) in connection.execute(
            "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = 'role_maker'"
        ).fetchall():
            statement = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(statement.format(sql.Identifier(database)))
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(names[0]))
        connection.execute(sql.SQL(rename).format(*reversed(names)))


CHANGES = [
    f"{verb} {table}{rest}"
    for table, column in (("events", "topic"), ("duplicates", "org_id"))
    for verb, rest in (("UPDATE", f" SET {column} = 'x'"), ("DELETE FROM", ""), ("TRUNCATE", ""))
]


def assert_it_works(site):
    """Post twice, project, read."""
    told = login(0, "ann") | {"id": "ann-0"}
    assert [1, 1] == [site.post(told).json[name] for name in ("appended", "duplicates")]
    assert 202 == site.post(b"no json").status_code
    site.project()
    view = site.get(f"/api/v1/agents/ann?orgId={ORG}")
    assert ("ann", True, 1) == tuple(view.json[f] for f in ("agentId", "loggedIn", "eventCount"))


def test_an_owner_without_the_role(of_plain_owner, template, tmp_path):
    """Another database made the role; the status says that here triggers alone protect."""
    assert_protected(of_plain_owner, tmp_path, ["trigger"])


def test_an_owner_who_may_make_no_roles(without_role, tmp_path):
    """Migrations work, the service works, and the status says that triggers alone protect."""
    assert_protected(owned(without_role, OWNER, ""), tmp_path, ["trigger"])


def test_an_owner_who_may_make_roles(without_role, tmp_path):
    """No superuser, as with hosted databases: the role is made and taken."""
    url = owned(without_role, "role_maker", "CREATEROLE")
    assert_protected(url, tmp_path, ["grants", "trigger"])


def assert_protected(url, folder, by):
    """Migrate, use, and ask the status."""
    assert NAMES == [migration.name for migration in migrate(url)]
    with open_site(url, folder) as site:
        assert_it_works(site)
        assert by == site.get("/api/v1/status").json["logProtectedBy"]
    assert [] == migrate(url)


@pytest.mark.parametrize("change", CHANGES)
def test_triggers_alone_refuse_every_change(of_plain_owner, tmp_path, change):
    """UPDATE, DELETE and TRUNCATE are refused to the owner too, with rows or without."""
    migrate(of_plain_owner)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the log is never changed"):
        execute(of_plain_owner, change)
    with open_site(of_plain_owner, tmp_path) as site:
        assert_it_works(site)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the log is never changed"):
        execute(of_plain_owner, change)
    counts = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM duplicates)"
    assert [(1, 1)] == execute(of_plain_owner, counts)


def as_service(site, change):
    """Try a statement over the service's own connections."""
    with site.service.pool.connection() as connection:
        connection.execute(change.encode())


def test_grants_refuse_every_change_to_the_role(empty, tmp_path):
    """With the role, grants refuse before triggers do, and the status names both."""
    migrate(empty)
    with open_site(empty, tmp_path) as site:
        assert_it_works(site)
        assert ["grants", "trigger"] == site.get("/api/v1/status").json["logProtectedBy"]
        for change in CHANGES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                as_service(site, change)


def test_the_service_cannot_take_the_protection_away(empty, tmp_path):
    """Its role owns nothing: no trigger is dropped or disabled, and no table."""
    migrate(empty)
    with open_site(empty, tmp_path) as site:
        for change in (
            "DROP TABLE events",
            "DROP TRIGGER immutable ON events",
            "ALTER TABLE events DISABLE TRIGGER immutable",
            "CREATE TABLE another (n integer)",
            "UPDATE schema_migrations SET sha256 = ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                as_service(site, change)


def test_a_database_that_may_not_be_changed(of_plain_owner, server):
    """A user that may not make a schema gets one sentence."""
    database = of_plain_owner.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(server, autocommit=True) as connection:
        statement = sql.SQL("ALTER DATABASE {} OWNER TO postgres")
        connection.execute(statement.format(sql.Identifier(database)))
    with pytest.raises(MigrationError, match="permission denied for database"):
        migrate(of_plain_owner)
