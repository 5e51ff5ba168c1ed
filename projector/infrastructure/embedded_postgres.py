"""The PostgreSQL that comes with the package: started, adopted, recovered and stopped in order.

The rule: whether a server runs is asked of its socket, and whether its processes are gone is asked
of the kernel. A process id found in a file is not believed: the file outlives the process, and
the number is given to others. A lock on the data folder keeps a second supervisor out.
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

from projector.infrastructure.postgres_user import WHEEL, EmbeddedError, Footing, best_footing

DATABASE = "projector"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 107  # bytes, by the kernel; libpq takes a comma for the next host
START_SECONDS = 300  # a crash recovery after a long replay takes minutes on a slow disk
STOP_SECONDS = 60
LITTLE_ROOM = 64 << 20  # bytes; an empty cluster takes 40 MB
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "port": "5432",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}
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
        footing: Callable[[Path], Footing] = best_footing,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._log = self._data_dir / "postgres.log"
        self._options = OPTIONS if durable else OPTIONS | UNSAFE_OPTIONS
        self._choose_footing = footing
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
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(str(self._sockets / SOCKET))
            except OSError:
                return None
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
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
    def _footing(self) -> Footing:
        return self._choose_footing(self._data_dir)

    @property
    def _mark(self) -> str:
        """The name that every process of this cluster, and of no copy of it, carries."""
        folder = self._footing.cluster.stat()
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
        """Make the cluster where there is none, and refuse one that this server cannot open."""
        cluster, owner = self._footing.cluster, self._footing.owner
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
        """Make it under another name first: a killed initdb never leaves half a cluster."""
        cluster = self._footing.cluster
        for leftover in cluster.parent.glob("postgres.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=cluster.parent))
        _give(new, self._footing.owner)
        made = subprocess.run(
            self._command("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                          "--locale=C", "--no-instructions", "-D", str(new)),
            capture_output=True, check=False, cwd="/", env=_environment(), text=True,
        )  # fmt: skip
        if made.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise self._failure("make", made.stderr)
        new.rename(cluster)

    def _socket_folder(self) -> Path:
        """A folder that only the server's user can enter, so whoever listens in it is ours."""
        for folder in self._footing.sockets:
            if "," in str(folder) or len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET:
                continue
            if not os.path.lexists(folder):
                folder.mkdir(mode=0o700)
                _give(folder, self._footing.owner)
            if _private(folder, self._footing.owner):
                return folder
        raise EmbeddedError(
            f"{self._footing.sockets[0]} cannot hold the server's socket (not ours, too long, "
            "or with a comma): set TMPDIR to another folder."
        )

    def _wait_until_it_accepts(self) -> None:
        started = None
        deadline = time.monotonic() + START_SECONDS
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

        Children of a killed server exit by themselves. A server that has lost its socket is told
        to stop. One that listens is only starting: it is waited for.
        """
        left = self._processes()
        if not left:
            return self._spawn()
        if self._recorded_pid() in left and self.pid() is None:
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
        # The kernel knows no process of this cluster, so a live process with the recorded id is a
        # stranger. PostgreSQL ignores the id of its own grandparent; we say it is that one.
        environment = _environment() | {"PG_GRANDPARENT_PID": str(self._recorded_pid())}
        if self._child:
            self._child.wait()  # it is dead, or there would be a process; this lets go of its id
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                self._command("postgres", "-D", str(self._footing.cluster), *settings),
                cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C reaches us only, and we stop the server in order
            )  # fmt: skip
        return self._child

    def _create_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(known, [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [*self._footing.command, str(self._footing.programs / program), *arguments]

    def _recorded_pid(self) -> int:
        """The id in postmaster.pid, which may be anybody's by now; 0 without such a file."""
        try:
            return int((self._footing.cluster / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def _processes(self) -> set[int]:
        """The live processes of this cluster, as the kernel lists them."""
        return {pid for pid in _pids() if self._mark in _title(pid)}

    def _running_child(self) -> int | None:
        return self._child.pid if self._child and self._child.poll() is None else None

    def _end(self, pid: int | None) -> None:
        """Ask for an orderly stop, and insist when it takes too long: the next start recovers."""
        if pid is None:
            return
        handle = os.pidfd_open(pid)
        try:
            for request in (signal.SIGINT, signal.SIGQUIT):
                signal.pidfd_send_signal(handle, request)
                if select.select([handle], [], [], STOP_SECONDS)[0]:
                    break
        finally:
            os.close(handle)
        if self._child:
            self._child.wait()

    def _failure(self, doing: str, output: str) -> EmbeddedError:
        cluster = self._footing.cluster
        full = shutil.disk_usage(cluster.parent).free < LITTLE_ROOM
        remedy = "free some space on its disk" if full else f"put that right (log: {self._log})"
        return EmbeddedError(
            f"PostgreSQL could not {doing} {cluster} ({_reason(output)}): {remedy}, "
            "or set PROJECTOR_DATA_DIR to another folder."
        )


def _environment() -> dict[str, str]:
    """Ours without libpq's and the server's variables, which would override the settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _give(folder: Path, owner: int) -> None:
    if owner != os.geteuid():
        os.chown(folder, owner, owner)


def _private(folder: Path, owner: int) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _title(pid: int) -> str:
    """What a PostgreSQL process says of itself; empty for other programs."""
    try:
        if Path(f"/proc/{pid}/comm").read_text() != "postgres\n":
            return ""
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _reason(output: str) -> str:
    lines = output.strip().splitlines() or ["it gave no reason"]
    said = [m[1] for line in lines if (m := re.search(r"(?:FATAL|PANIC|ERROR|error): +(.*)", line))]
    return (said or lines)[-1]
