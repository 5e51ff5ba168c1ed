"""`projector export`: the log as a file, or as Parquet for other engines.

The rule of this file: an export is complete or it is not there. It is written in constant memory
under another name, and takes its own name when its SHA-256 is the one that the service told.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import Any

import click
import httpx

from projector.cli.options import filters, the_service
from projector.cli.service_client import service_client
from projector.infrastructure.errors import ProjectorError

ACCEPT = {"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/x-ndjson"}
BATCH_ROWS = 10_000
MOST_PARTITIONS = 100_000
LAST_TIME = 253_402_300_799_000  # epoch ms: 9999-12-31


class ExportError(ProjectorError):
    """The export is not complete, or cannot be written."""


@click.command()
@click.option("--format", "kind", type=click.Choice([*ACCEPT]), default="ndjson", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write to this file, or with Parquet to this new folder.  [default: print]",
)
@click.option(
    "--body", is_flag=True, help="Include the bodies as received; Parquet always has them."
)
@the_service
@filters
def export(*, kind: str, out: Path | None, body: bool, url: str | None, **filters: Any) -> None:
    """Export events of the log, complete or not at all.

    Parquet has a folder for each organisation and UTC day, and needs the extra
    webex-projector[parquet].
    """
    with_body = "true" if body or kind == "parquet" else None
    question = filters | {"body": with_body}
    client = service_client(url)
    with _whole(_needed(out) if kind == "parquet" else out) as draft:
        with client.stream("/api/v1/events", question, ACCEPT[kind]) as answer:
            if kind == "parquet" and draft is not None:
                digest = _to_parquet(answer, draft)
            else:
                digest = _to_file(answer, draft)
            as_of = answer.headers["X-As-Of-Position"]
        _check(digest, answer.headers["X-SHA-256"])
    click.echo(f"exported as of position {as_of}, sha256 {digest}", err=True)


def _needed(out: Path | None) -> Path:
    """The folder of a Parquet export; ExportError if it exists."""
    if out is None:
        raise click.UsageError("Parquet needs a folder: --out")
    if out.exists():
        raise ExportError(f"{out} is there already: an export begins with a folder of its own.")
    return out


def _check(digest: str, expected: str) -> None:
    if digest != expected:
        raise ExportError("The export differs from the log of the service: export again.")


@contextmanager
def _whole(out: Path | None) -> Iterator[Path | None]:
    """Where to write; it is renamed to ``out`` in the end. None means the standard output."""
    if out is None:
        yield None
        return
    draft = out.with_name(f"{out.name}.part")
    try:
        _remove(draft)
        yield draft
        draft.replace(out)
    except OSError as error:
        raise ExportError(f"Cannot write {out}: {error.strerror}.") from error
    finally:
        _remove(draft)


def _remove(draft: Path) -> None:
    with suppress(OSError):
        if draft.is_dir():
            rmtree(draft)
        else:
            draft.unlink(missing_ok=True)


def _to_file(answer: httpx.Response, draft: Path | None) -> str:
    hasher = hashlib.sha256()
    with nullcontext(sys.stdout.buffer) if draft is None else draft.open("wb") as file:
        for part in answer.iter_bytes():
            hasher.update(part)
            file.write(part)
        file.flush()
    return hasher.hexdigest()


def _to_parquet(answer: httpx.Response, draft: Path) -> str:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import dataset  # noqa: PLC0415
    except ImportError as error:
        raise ExportError("Parquet needs pyarrow: the extra webex-projector[parquet].") from error
    draft.mkdir()
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in _COLUMNS.items()])
    keys = pa.schema([("orgId", pa.string()), ("day", pa.string())])
    hasher = hashlib.sha256()
    rows = _rows(answer, hasher)
    batches = (
        pa.RecordBatch.from_pylist(batch, schema=schema)
        for batch in iter(lambda: list(islice(rows, BATCH_ROWS)), [])
    )
    dataset.write_dataset(
        batches,
        draft,
        schema=schema,
        format="parquet",
        partitioning=dataset.partitioning(keys, flavor="hive"),
        max_partitions=MOST_PARTITIONS,
        existing_data_behavior="overwrite_or_ignore",
    )
    return hasher.hexdigest()


def _rows(answer: httpx.Response, hasher: Any) -> Iterator[dict[str, Any]]:
    for line in _lines(answer.iter_bytes()):
        hasher.update(line)
        row = json.loads(line)
        yield row | {"day": _day(row["time"]), "body": base64.b64decode(row["body"])}


def _lines(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Lines with their ends; a text may have other characters at which Python would divide it."""
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        yield from (line + b"\n" for line in lines)


def _day(time: int) -> str:
    """The UTC day of a time (epoch ms); what calendars do not reach is of their last."""
    return datetime.fromtimestamp(min(time, LAST_TIME) / 1_000, UTC).date().isoformat()


_COLUMNS = {
    "position": "int64",
    "id": "string",
    "type": "string",
    "orgId": "string",
    "agentId": "string",
    "taskId": "string",
    "createdTime": "int64",
    "time": "int64",
    "timeSource": "string",
    "recordedTime": "int64",
    "origin": "string",
    "restates": "int64",
    "body": "binary",
    "day": "string",
}
