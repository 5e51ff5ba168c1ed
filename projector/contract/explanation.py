"""The explanation of a view: which event set each field."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import Field

if TYPE_CHECKING:
    pass


from projector.contract.base import Shape


class FieldShape(Shape):
    """A field's value and the event that set it; nulls where none did, or only time passed."""

    value: Any
    event_id: str | None
    position: int | None
    time: int | None = Field(description="When it was set.")


class Effect(StrEnum):
    """What an event did to what was thought before."""

    LATE = "late"
    CONFLICT = "conflict"
    RESTATEMENT = "restatement"
    CORRECTION = "correction"


class AroundShape(Shape):
    """An event that was not simply the next one."""

    event_id: str
    position: int
    time: int
    recorded_time: int = Field(description="Of a conflict: of its first delivery.")
    effect: Effect


class Explanation(Shape):
    """Why a view shows what it shows."""

    fields: dict[str, FieldShape]
    around: list[AroundShape] = Field(description="Since what is shown began, by time.")
    looked_from: int | None = Field(
        description="What was set up to this time is not looked up; null: all was looked at."
    )
