"""What every list answers: its rows, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.http.parameters import AsOfQuery, cursor
from projector.contract.schemas import Shape


class ListMeta(Shape):
    next_cursor: str | None
    count: int


class AsOfMeta(ListMeta):
    """Of a list as of a moment: what was asked for, null where it was not."""

    at: int | None
    known_at: int | None


def envelope(rows: Sequence[Any], place: object, query: AsOfQuery | None = None) -> dict[str, Any]:
    """The fields of a list; ``place`` is where the next page goes on, null at the end."""
    parts = place if isinstance(place, tuple) else (place,)
    next_cursor = None if place is None else cursor(*parts)
    meta = ListMeta(next_cursor=next_cursor, count=len(rows))
    if query is not None and (query.at, query.known_at) != (None, None):
        meta = AsOfMeta(**meta.model_dump(), at=query.at, known_at=query.known_at)
    return {"meta": meta, "data": rows}
