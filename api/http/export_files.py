"""Files of exports: made as a whole on this machine, and only then sent.

Rule: nobody takes a part for the whole. What fails while a file is made is an answer of its own, a
problem document. What fails while it is sent leaves the answer shorter than its Content-Length. A
slow reader holds no connection to the database.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import SpooledTemporaryFile

from flask import Response, request

from api.http.exports import Digest, Export, digest
from api.service import service
from projector.infrastructure.database import StoreUnavailable, long_reads
from projector.infrastructure.slots import Slot

STATEMENT_MS = 600_000  # of an export: its slot bounds what it takes
IN_MEMORY_BYTES = 1 << 20  # a larger file is on the disk, without a name
FREE_BYTES = 1 << 30  # of the disk that a file leaves to others, as to the database
_CHECKED_EVERY_BYTES = 16 << 20
_SENT_TOGETHER_BYTES = 64 << 10


class ExportFile:
    """The bytes of an export, which are gone when it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115 - see close
        self.size = 0
        self._checked_size = 0

    def write(self, part: bytes) -> None:
        """Add a part. OSError where the disk lacks the space."""
        self.size += len(part)
        if self.size > IN_MEMORY_BYTES and self.size > self._checked_size:
            self._folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self._folder).free < FREE_BYTES:
                raise OSError(errno.ENOSPC, "too little space is free")
            self._checked_size = self.size + _CHECKED_EVERY_BYTES
        self._file.write(part)

    def parts(self) -> Iterator[bytes]:
        """The bytes from the beginning."""
        self._file.seek(0)
        while part := self._file.read(_SENT_TOGETHER_BYTES):
            yield part

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


def respond(slot: Slot, export: Export, content_type: str) -> Response:
    """The file as a download, once it is whole; it holds the slot until it was sent.

    StoreUnavailable where the file cannot be made.
    """
    file = ExportFile(service().settings.data_dir)
    try:
        with long_reads(STATEMENT_MS):
            count, sha256 = digest(export, content_type, file.write)
        response = Response(
            _sent(file, slot),
            content_type=f"{content_type}; charset=utf-8",
            headers={
                **export.headers(content_type),
                "X-Row-Count": str(count),
                "X-SHA-256": sha256,
                "Content-Length": str(file.size),
            },
        )
    except OSError as error:
        file.close()
        raise StoreUnavailable(f"The file has no room on the disk: {error.strerror}.") from error
    except BaseException:
        file.close()
        raise
    response.vary.add("Accept")
    # Nothing of a reader who has left before the first part is sent.
    response.call_on_close(file.close)
    response.call_on_close(slot.release)
    if request.method == "HEAD":  # nobody reads its body, so nothing would close it
        response.close()
    return response


def _sent(file: ExportFile, slot: Slot) -> Iterator[bytes]:
    with slot, closing(file):
        yield from file.parts()


def told_digest(export: Export, content_type: str) -> Digest:
    """What the file would be, without a file."""
    with long_reads(STATEMENT_MS):
        count, sha256 = digest(export, content_type)
    return Digest(
        count=count,
        sha256=sha256,
        format=content_type,
        position=export.position,
        recorded_to=export.recorded_to,
    )
