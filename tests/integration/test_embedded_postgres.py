"""The embedded PostgreSQL: its rows stay, however it or its supervisor ended."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from projector.infrastructure import embedded_postgres as embedded
from projector.infrastructure import postgres_user
from projector.infrastructure.embedded_postgres import EmbeddedPostgres
from projector.infrastructure.postgres_user import EmbeddedError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

ANOTHER_SUPERVISOR = """
import sys, time
from pathlib import Path
from projector.infrastructure.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid(), flush=True)
time.sleep(60)
"""


def insert_word(url, word):
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def words(url):
    with psycopg.connect(url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def setting(url, name):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]


def runs(pid):
    """Whether the process lives; a zombie has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def empty_cluster(tmp_path_factory):
    """A stopped server's data folder, to be copied: to make one takes longer than a test."""
    folder = tmp_path_factory.mktemp("embedded") / "data"
    with EmbeddedPostgres(folder):
        pass
    return folder


@pytest.fixture
def data_dir(empty_cluster, tmp_path):
    return Path(shutil.copytree(empty_cluster, tmp_path / "data"))


@pytest.fixture
def server(data_dir):
    supervisor = EmbeddedPostgres(data_dir)
    yield supervisor
    supervisor.stop()


@pytest.fixture
def other(data_dir):
    """Another process that runs a supervisor on the same data folder; gives (process, server)."""
    command = [sys.executable, "-c", ANOTHER_SUPERVISOR, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process, int(process.stdout.readline())
        process.kill()


@pytest.fixture
def stranger():
    """A live process that has nothing to do with PostgreSQL."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def test_rows_outlive_a_stop(server):
    """Start, stop and start again: the rows are there and the address is the same."""
    before = server.start()
    insert_word(before, "kept")
    server.stop()
    assert server.pid() is None
    assert server.start() == before
    assert words(before) == ["kept"]


def test_a_context_manager_starts_and_stops(data_dir):
    """Inside the block the server has a process id, after it none."""
    with EmbeddedPostgres(data_dir) as server:
        assert setting(server.url, "server_version").startswith("18.")
        assert server.pid() is not None
    assert server.pid() is None


def test_the_server_is_ours_alone_and_sorts_by_code_point(server):
    """UTF-8, locale C, UTC, and no TCP port."""
    url = server.start()
    names = ("server_encoding", "TimeZone", "listen_addresses", "fsync")
    assert [setting(url, name) for name in names] == ["UTF8", "UTC", "", "on"]
    with psycopg.connect(url) as connection:
        collations = connection.execute("SELECT DISTINCT datcollate FROM pg_database").fetchall()
    assert collations == [("C",)]


def test_durability_can_be_traded_for_speed(data_dir):
    """`durable=False` turns off all that helps only after a power cut."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        names = ("fsync", "synchronous_commit", "full_page_writes")
        assert [setting(server.url, name) for name in names] == ["off", "off", "off"]


def test_variables_of_other_servers_are_ignored(server, monkeypatch):
    """PGPORT and its like, set for another server, change nothing here."""
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGHOST", "/nowhere")
    assert setting(server.start(), "port") == "5432"


def test_the_server_has_no_secret_of_ours(server, monkeypatch):
    """Its environment can be read by whoever is the server's user, and may land in a core dump."""
    for name in ("PROJECTOR_TOKENS", "PROJECTOR_WEBHOOK_SECRETS", "DATABASE_URL"):
        monkeypatch.setenv(name, "sesame")
    server.start()
    assert b"sesame" not in Path(f"/proc/{server.pid()}/environ").read_bytes()


def test_ctrl_c_does_not_reach_the_server(server):
    """The server has a session of its own: only its supervisor stops it."""
    server.start()
    assert os.getsid(server.pid()) != os.getsid(0)


def test_a_killed_server_recovers(server):
    """kill -9 of the server: the next start finds every committed row."""
    url = server.start()
    insert_word(url, "committed")
    killed = server.pid()
    os.kill(killed, signal.SIGKILL)
    assert server.start() == url
    assert server.pid() != killed
    assert words(url) == ["committed"]


def test_a_stale_pid_file_that_names_another_program(server, data_dir, stranger):
    """Another program has the recorded process id now: the server starts all the same."""
    insert_word(server.start(), "kept")
    killed = server.pid()
    os.kill(killed, signal.SIGKILL)
    server._child.wait()
    for lock in (data_dir / "postgres/postmaster.pid", server._sockets / ".s.PGSQL.5432.lock"):
        lock.write_text(lock.read_text().replace(str(killed), str(stranger), 1))
    assert words(server.start()) == ["kept"]
    assert runs(stranger)


def test_a_server_without_its_supervisor_is_adopted(server, other):
    """kill -9 of a supervisor frees the lock; the next one takes its server over and stops it."""
    process, running = other
    process.kill()
    process.wait()
    server.start()
    assert server.pid() == running
    server.stop()
    assert not runs(running)


def test_an_orphan_that_lost_its_socket_is_replaced(server, other, data_dir):
    """The temporary folder was removed: the server is stopped and a new one starts."""
    process, running = other
    process.kill()
    process.wait()
    shutil.rmtree((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[4])
    server.start()
    assert server.pid() not in (None, running)


def test_a_second_supervisor_is_refused(server, other, data_dir):
    """One sentence names the data folder; the server runs on, for the next supervisor."""
    process, running = other
    with pytest.raises(EmbeddedError, match="already runs on") as refused:
        server.start()
    assert str(data_dir) in str(refused.value)
    assert runs(running)
    process.kill()
    process.wait()
    server.start()
    assert server.pid() == running


def test_a_copied_data_folder_is_another_cluster(server, data_dir, tmp_path):
    """A copy that was made while the server runs gets a server of its own."""
    insert_word(server.start(), "original")
    copy = Path(shutil.copytree(data_dir, tmp_path / "copy", ignore=shutil.ignore_patterns("run")))
    with EmbeddedPostgres(copy) as copied:
        assert copied.pid() != server.pid()


def test_another_version_is_refused(server, data_dir):
    """A cluster of another PostgreSQL release is not touched; the sentence names both."""
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 17 and this release brings 18"):
        server.start()


def test_a_socket_folder_of_others_is_not_used(data_dir, tmp_path, monkeypatch):
    """Others could listen in a folder that is open to them: another folder is used."""
    monkeypatch.setattr(embedded.tempfile, "gettempdir", lambda: str(tmp_path))
    squatted = postgres_user.as_current_user(data_dir).sockets[0]
    squatted.mkdir()
    squatted.chmod(0o777)
    with EmbeddedPostgres(data_dir) as server:
        assert str(squatted) not in server.url


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    """The sentence names the folder and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"Cannot use .*Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB; an empty cluster takes 40."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root outside a container may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_reported(small_disk):
    """The sentence has PostgreSQL's reason and asks for space; no half cluster stays."""
    with pytest.raises(EmbeddedError, match=r"No space left on device.*free some space"):
        EmbeddedPostgres(small_disk / "data").start()
    assert [path.name for path in (small_disk / "data").iterdir()] == ["lock"]


@pytest.fixture
def moved_home(tmp_path):
    """A data folder; the folder of the cluster of `nobody` is removed afterwards."""
    data_dir = tmp_path / "data"
    yield data_dir
    if (data_dir / "postgres").is_symlink():
        shutil.rmtree((data_dir / "postgres").readlink().parent)


@as_root
def test_root_without_user_namespaces(moved_home):
    """The server runs as `nobody` in a folder of its own, and survives a kill there too."""
    server = EmbeddedPostgres(moved_home, choose_user=postgres_user.as_nobody)
    url = server.start()
    insert_word(url, "kept")
    assert Path(f"/proc/{server.pid()}").stat().st_uid == postgres_user.NOBODY
    os.kill(server.pid(), signal.SIGKILL)
    assert words(server.start()) == ["kept"]
    server.stop()
    with EmbeddedPostgres(moved_home) as chosen:
        assert words(chosen.url) == ["kept"]


@as_root
def test_roots_cluster_is_not_abandoned(data_dir):
    """If namespaces are refused later, a sentence says so, and no empty cluster starts."""
    with pytest.raises(EmbeddedError, match="belongs to root"):
        EmbeddedPostgres(data_dir, choose_user=postgres_user.as_nobody).start()
