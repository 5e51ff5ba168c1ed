"""Private files: only their owner can read them, and no reader ever sees half of one.

A file is written whole under another name in the same folder, and then takes its own name. Missing
folders are made. OSError where that is impossible.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, in place of any that is there."""
    with _draft(path, text) as draft:
        draft.replace(path)


def create_private(path: Path, text: str) -> None:
    """Create a file with mode 0600 unless it exists; of several processes one creates it."""
    with _draft(path, text) as draft, suppress(FileExistsError):
        os.link(draft, path)


@contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = mkstemp(prefix=f"{path.name}.", dir=path.parent)  # its mode is 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
