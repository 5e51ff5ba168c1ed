"""Pages of a list: its rows, and the cursor with which the next page begins.

A cursor is the sort key of the last row that was answered, so that rows which come or go in between
shift nothing. It is opaque to the caller, and a wrong one is refused as any other parameter.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from api.http.parameters import Allowed, AsOfQuery, Position, Storable, StorableTime
from projector.contract.base import Shape


class ListMeta(Shape):
    next_cursor: str | None
    count: int


class AsOfMeta(ListMeta):
    """Of a list as of two times: the times that were asked for, null where not."""

    at: int | None
    known_at: int | None


def list_fields(
    rows: Sequence[Any], last_key: object, query: AsOfQuery | None = None
) -> dict[str, Any]:
    """The fields of a list.

    ``last_key`` is the sort key after which the next page begins, null at the end of the list.
    """
    parts = last_key if isinstance(last_key, tuple) else (last_key,)
    next_cursor = None if last_key is None else encode_cursor(*parts)
    meta = ListMeta(next_cursor=next_cursor, count=len(rows))
    if query is not None and (query.at, query.known_at) != (None, None):
        meta = AsOfMeta(**meta.model_dump(), at=query.at, known_at=query.known_at)
    return {"meta": meta, "data": rows}


def encode_cursor(*key: object) -> str:
    """A cursor that begins after a key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decode_cursor(text: Any) -> Any:
    """The key in a cursor; its parts are validated by the type that is annotated."""
    try:
        return json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise ValueError(text) from None


_CURSOR = (
    BeforeValidator(_decode_cursor),
    WithJsonSchema({"type": "string"}),
    Allowed("the nextCursor of the answer before, unchanged"),
)

SubjectCursor = Annotated[tuple[Storable, Storable], *_CURSOR]  # organisation, id
ParkedSubjectCursor = Annotated[tuple[Storable, Storable, Storable], *_CURSOR]
TimeCursor = Annotated[tuple[StorableTime], *_CURSOR]
PositionCursor = Annotated[tuple[Position], *_CURSOR]
# Position and recorded time of the first page; time and position of the last row.
LogCursor = Annotated[tuple[Position, StorableTime, StorableTime, Position], *_CURSOR]
LedgerCursor = Annotated[tuple[StorableTime, Storable, Storable, Storable, Position], *_CURSOR]
ConflictCursor = Annotated[tuple[StorableTime, Storable, Position, Storable], *_CURSOR]
QuarantineCursor = Annotated[tuple[StorableTime, Position], *_CURSOR]
