"""The supervisor of the PostgreSQL server that comes with the package.

Rule: the socket says whether a server runs, and the kernel says whether its processes are gone. A
process id in a file is not believed: the file outlives the process, and the id is given to another
one. A lock on the data folder keeps a second supervisor out.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg

from projector.infrastructure.postgres_user import (
    WHEEL,
    EmbeddedError,
    ServerUser,
    choose_server_user,
)

DATABASE = "projector"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 107  # bytes, by the kernel
SERVER_START_SECONDS = 300  # a crash recovery after a long replay takes minutes on a slow disk
SERVER_STOP_SECONDS = 60
LOW_DISK_BYTES = 64 << 20  # an empty cluster takes 40 MB
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "port": "5432",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}
PASSED_ON = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR")  # variables, to the server
UNSAFE_OPTIONS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class AlreadyRuns(EmbeddedError):  # noqa: N818 - named for what is noticed
    """Another process supervises the server of this data folder."""


class EmbeddedPostgres:
    """One PostgreSQL server for one data folder, reached over a Unix socket only.

    `durable=False` is for tests: such a server may lose rows in a power cut.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        choose_user: Callable[[Path], ServerUser] = choose_server_user,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._log = self._data_dir / "postgres.log"
        self._options = OPTIONS if durable else OPTIONS | UNSAFE_OPTIONS
        self._choose_user = choose_user
        self._lock: int | None = None
        self._sockets = Path()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Return the database's address once the server accepts connections.

        A server that a killed supervisor left behind is adopted; after a crash the rows come back.
        """
        try:
            self._take_lock()
            self._check_cluster()
            self._sockets = self._socket_folder()
            self._wait_until_it_accepts()
            self._create_database()
        except BaseException as error:
            self._end(self._running_child())
            self._release_lock()
            if isinstance(error, psycopg.Error):
                raise self._failure("open", str(error).partition("\n")[0]) from error
            if isinstance(error, OSError):
                raise EmbeddedError(
                    f"Cannot use {error.filename or self._data_dir} ({error.strerror}): put that "
                    "right, or set PROJECTOR_DATA_DIR to another folder."
                ) from error
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server, an adopted one too; transactions still open are rolled back."""
        if self._lock is None:
            return
        self._end(self._running_child() or self.pid())
        with suppress(OSError):
            self._sockets.rmdir()  # the server has emptied it, unless it had to be forced
        self._release_lock()

    def pid(self) -> int | None:
        """The process id of the server behind the socket; None where no server of ours listens."""
        if self._lock is None:
            return None
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self._sockets / SOCKET))
            except OSError:
                return None
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        listener = int(struct.unpack("3i", credentials)[0])
        return listener if listener in self._processes() else None

    def url_of_another(self) -> str:
        """The database's address where another process supervises the server."""
        self._sockets = self._socket_folder()
        return self.url

    @property
    def url(self) -> str:
        """The address of the database `projector`, for libpq and psycopg."""
        return self._url(DATABASE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @cached_property
    def _user(self) -> ServerUser:
        return self._choose_user(self._data_dir)

    @property
    def _mark(self) -> str:
        """The name in the titles of this cluster's processes; a copy of the cluster has another."""
        folder = self._user.cluster.stat()
        return f"projector-{folder.st_dev:x}-{folder.st_ino:x}"

    def _url(self, database: str) -> str:
        host = quote(str(self._sockets), safe="")
        return f"postgresql://postgres@/{database}?host={host}&port=5432"

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Python opens files close-on-exec, so the server does not inherit the lock.
        lock = os.open(self._data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise AlreadyRuns(
                f"Another projector already runs on {self._data_dir}: stop it, "
                "or set PROJECTOR_DATA_DIR to another folder."
            ) from None
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_cluster(self) -> None:
        """Make the cluster if there is none; EmbeddedError where this server cannot open it."""
        cluster, owner = self._user.cluster, self._user.owner
        if not cluster.exists():
            self._make_cluster()
        if cluster.stat().st_uid != owner:
            raise EmbeddedError(
                f"{cluster} belongs to another user: run as that user, "
                "or set PROJECTOR_DATA_DIR to another folder."
            )
        made_by = (cluster / "PG_VERSION").read_text().strip()
        ours = version(WHEEL).partition(".")[0]
        if made_by != ours:
            raise EmbeddedError(
                f"{cluster} was made by PostgreSQL {made_by} and this release brings {ours}: dump "
                "it with the older release, or set PROJECTOR_DATA_DIR to another folder."
            )

    def _make_cluster(self) -> None:
        """Make it under another name first, so that a killed initdb leaves no half cluster."""
        cluster = self._user.cluster
        for unfinished in cluster.parent.glob("postgres.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=cluster.parent))
        _change_owner(new, self._user.owner)
        initdb = subprocess.run(
            self._command("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                          "--locale=C", "--no-instructions", "-D", str(new)),
            capture_output=True, check=False, cwd="/", env=_environment(), text=True,
        )  # fmt: skip
        if initdb.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise self._failure("make", initdb.stderr)
        new.rename(cluster)

    def _socket_folder(self) -> Path:
        """A folder that only the server's user can enter, so that a server in it is ours."""
        for folder in self._user.sockets:
            # libpq takes a comma for the end of the host.
            if "," in str(folder) or len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET_PATH:
                continue
            if not os.path.lexists(folder):
                folder.mkdir(mode=0o700)
                _change_owner(folder, self._user.owner)
            if _is_private(folder, self._user.owner):
                return folder
        raise EmbeddedError(
            f"{self._user.sockets[0]} cannot hold the server's socket (not ours, too long, "
            "or with a comma): set TMPDIR to another folder."
        )

    def _wait_until_it_accepts(self) -> None:
        started = None
        deadline = time.monotonic() + SERVER_START_SECONDS
        while not self._accepts():
            if started is None:
                started = self._spawn_or_clear()
            elif started.poll() is not None:
                raise self._failure("start", self._log.read_text(errors="replace"))
            if time.monotonic() > deadline:
                raise self._failure("open in time", self._log.read_text(errors="replace"))
            time.sleep(0.05)

    def _accepts(self) -> bool:
        if self.pid() is None:
            return False
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _spawn_or_clear(self) -> subprocess.Popen[bytes] | None:
        """Start a server unless processes of an earlier one are left.

        Children of a killed server exit by themselves. A server that has lost its socket gets a
        signal to stop. A server that listens is still starting, and is waited for.
        """
        processes = self._processes()
        if not processes:
            return self._spawn()
        if self._recorded_pid() in processes and self.pid() is None:
            os.kill(self._recorded_pid(), signal.SIGINT)
        return None

    def _spawn(self) -> subprocess.Popen[bytes]:
        for stale in (SOCKET, f"{SOCKET}.lock"):
            (self._sockets / stale).unlink(missing_ok=True)
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.old"))
        options = self._options | {
            "cluster_name": self._mark,
            "unix_socket_directories": f'"{self._sockets}"',
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        # The kernel has no process of this cluster, so a live process with the recorded id is
        # another program. PostgreSQL ignores its grandparent's id: we say that it is that id.
        environment = _environment() | {"PG_GRANDPARENT_PID": str(self._recorded_pid())}
        if self._child:
            self._child.wait()  # it is dead, since there is no process; this frees its id
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                self._command("postgres", "-D", str(self._user.cluster), *settings),
                cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C reaches us only, and we stop the server in order
            )  # fmt: skip
        return self._child

    def _create_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            query = "SELECT FROM pg_database WHERE datname = %(name)s"
            if connection.execute(query, {"name": DATABASE}).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [*self._user.command, str(self._user.programs / program), *arguments]

    def _recorded_pid(self) -> int:
        """The id in postmaster.pid, which another process may have by now; 0 without a file."""
        try:
            return int((self._user.cluster / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def _processes(self) -> set[int]:
        """The live processes of this cluster, as the kernel lists them."""
        return {pid for pid in _pids() if self._mark in _title(pid)}

    def _running_child(self) -> int | None:
        return self._child.pid if self._child and self._child.poll() is None else None

    def _end(self, pid: int | None) -> None:
        """Stop in order; if that takes too long, at once, and the next start recovers."""
        if pid is None:
            return
        handle = os.pidfd_open(pid)
        try:
            for number in (signal.SIGINT, signal.SIGQUIT):
                signal.pidfd_send_signal(handle, number)
                if select.select([handle], [], [], SERVER_STOP_SECONDS)[0]:
                    break
        finally:
            os.close(handle)
        if self._child:
            self._child.wait()

    def _failure(self, action: str, output: str) -> EmbeddedError:
        cluster = self._user.cluster
        full = shutil.disk_usage(cluster.parent).free < LOW_DISK_BYTES
        remedy = "free some space on its disk" if full else f"put that right (log: {self._log})"
        return EmbeddedError(
            f"PostgreSQL could not {action} {cluster} ({_reason(output)}): {remedy}, "
            "or set PROJECTOR_DATA_DIR to another folder."
        )


def _environment() -> dict[str, str]:
    """What the programs need of our environment, and no token, secret or setting of libpq."""
    needed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return needed | {"LC_ALL": "C"}


def _change_owner(folder: Path, owner: int) -> None:
    if owner != os.geteuid():
        os.chown(folder, owner, owner)


def _is_private(folder: Path, owner: int) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner and not status.st_mode & 0o077


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _title(pid: int) -> str:
    """The title of a PostgreSQL process; empty for other programs."""
    try:
        if Path(f"/proc/{pid}/comm").read_text() != "postgres\n":
            return ""
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _reason(output: str) -> str:
    lines = output.strip().splitlines() or ["it gave no reason"]
    matches = (re.search(r"(?:FATAL|PANIC|ERROR|error): +(.*)", line) for line in lines)
    errors = [match[1] for match in matches if match]
    return (errors or lines)[-1]
