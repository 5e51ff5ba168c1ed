"""Pages of a list: its rows, and the cursor with which the next page begins.

A cursor is the sort key of the last row that was answered, so that rows which come or go in between
shift nothing. It is opaque to the caller, and a wrong one is refused as any other parameter.

Rule: a cursor belongs to its question, which is the path and all parameters but ``limit``. It
begins with a digest of the question and the key, so that one of another question is refused, and so
is one that was changed or cut off. The digest has no secret, since a cursor grants nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any

from flask import request
from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema

from api.http.parameters import (
    Allowed,
    AsOfQuery,
    Parameters,
    Position,
    Storable,
    StorableTime,
)
from api.http.problems import ParameterError, Problem
from projector.contract.base import Shape

_DIGEST_BYTES = 12
_PAGING = {"limit", "cursor"}  # parameters that say which rows of an answer, not which answer
_OWN_CURSOR = "the nextCursor of an answer to the same path and parameters; limit may change"


class ListMeta(Shape):
    next_cursor: str | None
    count: int


class AsOfMeta(ListMeta):
    """Of a list as of two times: the times that were asked for, null where not."""

    at: int | None
    known_at: int | None


def list_fields(rows: Sequence[Any], last_key: object, query: Parameters) -> dict[str, Any]:
    """The fields of a list that answers the request's query.

    ``last_key`` is the sort key after which the next page begins, null at the end of the list.
    """
    parts = last_key if isinstance(last_key, tuple) else (last_key,)
    next_cursor = None if last_key is None else _encode_cursor(query, parts)
    meta = ListMeta(next_cursor=next_cursor, count=len(rows))
    if isinstance(query, AsOfQuery) and (query.at, query.known_at) != (None, None):
        meta = AsOfMeta(**meta.model_dump(), at=query.at, known_at=query.known_at)
    return {"meta": meta, "data": rows}


def require_own_cursor(query: Parameters) -> None:
    """Problem 400 where the request's cursor is not one that an answer to its question gave."""
    key = getattr(query, "cursor", None)
    if key is None:
        return
    given = request.args["cursor"]
    if given != _encode_cursor(query, key):
        error = ParameterError(parameter="cursor", given=given, allowed=_OWN_CURSOR)
        raise Problem(400, "Bad parameters: cursor.", errors=[error])


def _encode_cursor(query: Parameters, key: Sequence[object]) -> str:
    """The cursor of the request's question that begins after a key."""
    content = json.dumps(key)
    digest = hashlib.sha256(f"{_question(query)}\0{content}".encode()).digest()[:_DIGEST_BYTES]
    return base64.urlsafe_b64encode(digest + content.encode()).decode()


def _question(query: Parameters) -> str:
    """What is asked, however it is spelled: in any order, with defaults given or left out."""
    parameters = query.model_dump(mode="json", exclude=_PAGING)
    return json.dumps([request.path, {name: _as_set(it) for name, it in parameters.items()}])


def _as_set(value: Any) -> Any:
    return sorted({*value}) if isinstance(value, list) else value


def _decode_cursor(text: Any) -> Any:
    """The key in a cursor; its parts are validated by the type that is annotated."""
    try:
        return json.loads(base64.urlsafe_b64decode(text)[_DIGEST_BYTES:])
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise ValueError(text) from None


_CURSOR = (
    BeforeValidator(_decode_cursor),
    WithJsonSchema({"type": "string"}),
    Allowed(_OWN_CURSOR),
)

SubjectCursor = Annotated[tuple[Storable, Storable], *_CURSOR]  # organisation, id
NameCursor = Annotated[tuple[Storable, Storable, Storable], *_CURSOR]  # organisation, kind, id
ParkedSubjectCursor = Annotated[tuple[Storable, Storable, Storable], *_CURSOR]
TimeCursor = Annotated[tuple[StorableTime], *_CURSOR]
PositionCursor = Annotated[tuple[Position], *_CURSOR]
# Position and recorded time of the first page; time and position of the last row.
LogCursor = Annotated[tuple[Position, StorableTime, StorableTime, Position], *_CURSOR]
# Beginning of the period, organisation, queue and channel type.
QueueReportCursor = Annotated[
    tuple[StorableTime, Storable, Storable | None, Storable | None], *_CURSOR
]
AgentReportCursor = Annotated[tuple[StorableTime, Storable, Storable], *_CURSOR]
# What the passing of time raised has a number below 0 in place of a position.
_RowNumber = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
LedgerCursor = Annotated[tuple[StorableTime, Storable, Storable, Storable, _RowNumber], *_CURSOR]
ConflictCursor = Annotated[tuple[StorableTime, Storable, Position, Storable], *_CURSOR]
QuarantineCursor = Annotated[tuple[StorableTime, Position], *_CURSOR]
