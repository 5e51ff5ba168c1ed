"""Exports: all rows of an answer as CSV or NDJSON, streamed; one question has the same bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, request

from api.http.parameters import Query
from api.http.problems import ParameterError, Problem
from projector.contract.schemas import Shape

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
KINDS = (CSV, NDJSON)
# A spreadsheet would run what begins so, in its own or in full width.
_FORMULA = (*"=+-@", *"\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
_FLUSH = 64 * 1024  # bytes, about, that are sent at a time


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is exported: rows of one model, of a question as of a moment."""

    name: str
    model: type[Shape]
    rows: Iterator[Shape]
    query: Query
    recorded_to: int  # epoch ms
    position: int

    def bytes(self, kind: str) -> Iterator[bytes]:
        """The file, in parts."""
        lines = _csv(self) if kind == CSV else _ndjson(self)
        part = bytearray()
        for line in lines:
            part += line
            if len(part) > _FLUSH:
                yield bytes(part)
                part.clear()
        yield bytes(part)

    def headers(self, kind: str) -> Mapping[str, str]:
        """What the file is of: it has nothing but rows in it."""
        suffix = "csv" if kind == CSV else "ndjson"
        return {
            "Content-Disposition": f'attachment; filename="{self.name}.{suffix}"',
            "X-Filters": json.dumps(_given(self.query)),
            "X-As-Of": str(self.recorded_to),
            "X-As-Of-Position": str(self.position),
            "X-Time-Zone": "UTC",
        }


def wanted() -> str:
    """The kind of answer that the caller prefers; Problem 400 where a page of an export is asked.

    An export is of all rows.
    """
    kind = request.accept_mimetypes.best_match((JSON, *KINDS), default=JSON)
    paging = [name for name in ("limit", "cursor") if name in request.args]
    if kind != JSON and paging:
        raise Problem(
            400,
            f"Bad parameters: {', '.join(paging)}.",
            errors=[
                ParameterError(
                    parameter=name,
                    given=request.args[name],
                    allowed=f"not with {kind}: it is whole",
                )
                for name in paging
            ],
        )
    return kind


def respond(export: Export, kind: str) -> Response:
    """The file, streamed; where a part of it fails the connection ends without its end."""
    content_type = f"{kind}; charset=utf-8"
    return Response(export.bytes(kind), content_type=content_type, headers=export.headers(kind))


def digest(export: Export, kind: str) -> tuple[int, str]:
    """How many rows it has, and the SHA-256 of the file."""
    count, sha256 = 0, hashlib.sha256()

    def counted() -> Iterator[Shape]:
        nonlocal count
        for row in export.rows:
            count += 1
            yield row

    for part in replace(export, rows=counted()).bytes(kind):
        sha256.update(part)
    return count, sha256.hexdigest()


def _ndjson(export: Export) -> Iterator[bytes]:
    for row in export.rows:
        yield row.model_dump_json(by_alias=True).encode() + b"\n"


def _csv(export: Export) -> Iterator[bytes]:
    names = [field.alias or name for name, field in export.model.model_fields.items()]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    for row in export.rows:
        cells = row.model_dump(mode="json", by_alias=True)
        writer.writerow([_cell(cells[name]) for name in names])
        yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    line = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return line


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list | bool):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _given(query: Query) -> dict[str, Any]:
    return query.model_dump(mode="json", by_alias=True, exclude_defaults=True)
