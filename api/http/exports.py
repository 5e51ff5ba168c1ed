"""Exports: all rows of an answer, as a file of CSV or NDJSON, and the digest of that file.

The rule of this file: an export of the same question as of the same position has the same bytes. So
it holds rows only; what the rows are of stands in the headers of the response.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from pydantic import Field

from api.http.parameters import Parameters
from api.http.problems import ParameterError, Problem
from projector.contract.base import Shape, to_json

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
EXPORT_TYPES = (CSV, NDJSON)
EVENT_STREAM = "text/event-stream"
# Of a page, or of a question about the past: no stream takes these.
_NOT_WITH_STREAM = ("limit", "cursor", "at", "knownAt")
OF_A_PAGE = ("limit", "cursor")
ExportRow = Shape | Mapping[str, Any]  # a model, or a row as JSON shows it
# A spreadsheet takes a cell for a formula that begins so, in plain or in full-width characters.
_FORMULA_STARTS = (*"=+-@", *"\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
_CHUNK_BYTES = 64 * 1024
_ROWS_WRITTEN_TOGETHER = 50
_nested = json.JSONEncoder(separators=(",", ":")).encode


class Digest(Shape):
    """Row count and SHA-256 of the file that the same question exports."""

    count: int
    sha256: str
    format: str = Field(description="The file's type: what `Accept` says, or else NDJSON.")
    position: int
    recorded_to: int


@dataclass(frozen=True, kw_only=True)
class Export:
    """The rows of one model that answer a question as of a position of the log."""

    name: str
    model: type[Shape]
    rows: Iterator[ExportRow]
    query: Parameters
    recorded_to: int  # epoch ms
    position: int
    time_zone: str = "UTC"
    more_columns: Sequence[str] = ()  # of rows that have more than their model

    @property
    def columns(self) -> Sequence[str]:
        """The columns of CSV."""
        own = [field.alias or name for name, field in self.model.model_fields.items()]
        return [*own, *self.more_columns]

    def chunks(self, content_type: str) -> Iterator[bytes]:
        """The bytes of the file."""
        lines = _csv_lines(self) if content_type == CSV else _ndjson_lines(self)
        chunk = bytearray()
        for line in lines:
            chunk += line
            if len(chunk) > _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk)

    def headers(self, content_type: str) -> Mapping[str, str]:
        """What the rows are of, and the name of the file."""
        suffix = "csv" if content_type == CSV else "ndjson"
        filters = self.query.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {
            "Content-Disposition": f'attachment; filename="{self.name}.{suffix}"',
            "X-Filters": json.dumps(filters),
            "X-As-Of": str(self.recorded_to),
            "X-As-Of-Position": str(self.position),
            "X-Time-Zone": self.time_zone,
        }


def accepted(*, streams: bool = False) -> str:
    """The content type that the caller prefers, JSON where the caller does not care.

    A stream is among the choices where ``streams`` says so. Raises Problem 400 where a page of an
    export or a stream is asked for: an export has all rows.
    """
    choices = (JSON, *EXPORT_TYPES, *([EVENT_STREAM] if streams else []))
    content_type = request.accept_mimetypes.best_match(choices, default=JSON)
    if content_type == EVENT_STREAM:
        refuse(_NOT_WITH_STREAM, f"not with {EVENT_STREAM}: it goes on from now")
    elif content_type != JSON:
        refuse(OF_A_PAGE, f"not with {content_type}: it is whole")
    return content_type


def refuse(parameters: Sequence[str], allowed: str) -> None:
    """Problem 400 where one of these parameters is given."""
    given = [name for name in parameters if name in request.args]
    if given:
        raise Problem(
            400,
            f"Bad parameters: {', '.join(given)}.",
            errors=[
                ParameterError(parameter=name, given=request.args[name], allowed=allowed)
                for name in given
            ],
        )


def digest(
    export: Export, content_type: str, keep: Callable[[bytes], object] | None = None
) -> tuple[int, str]:
    """How many rows the file has, and its SHA-256 in hex. ``keep`` gets the file, part by part."""
    count, sha256 = 0, hashlib.sha256()

    def counted_rows() -> Iterator[ExportRow]:
        nonlocal count
        for row in export.rows:
            count += 1
            yield row

    for chunk in replace(export, rows=counted_rows()).chunks(content_type):
        sha256.update(chunk)
        if keep is not None:
            keep(chunk)
    return count, sha256.hexdigest()


def _ndjson_lines(export: Export) -> Iterator[bytes]:
    for row in export.rows:
        yield to_json(row) + b"\n"


def _csv_lines(export: Export) -> Iterator[bytes]:
    columns = export.columns
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for number, row in enumerate(export.rows, 1):
        cells = row if isinstance(row, Mapping) else json.loads(to_json(row))
        # Most cells are numbers, and a report has very many.
        writer.writerow(
            [
                value if (value := cells[name]) is None or type(value) is int else _cell(value)
                for name in columns
            ]
        )
        if number % _ROWS_WRITTEN_TOGETHER == 0:
            yield _drain(buffer)
    yield _drain(buffer)  # without rows, the header line


def _drain(buffer: io.StringIO) -> bytes:
    lines = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return lines


def _cell(value: Any) -> Any:
    """What is nested becomes JSON; a formula becomes a text, by an apostrophe in front."""
    if isinstance(value, dict | list | bool):
        return _nested(value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
