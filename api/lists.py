"""What every list answers: its rows, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.parameters import cursor
from projector.shapes import Shape


class ListMeta(Shape):
    next_cursor: str | None
    count: int


def envelope(rows: Sequence[Any], place: object) -> dict[str, Any]:
    """The fields of a list; ``place`` is where the next page goes on, null at the end."""
    parts = place if isinstance(place, tuple) else (place,)
    next_cursor = None if place is None else cursor(*parts)
    return {"meta": ListMeta(next_cursor=next_cursor, count=len(rows)), "data": rows}
