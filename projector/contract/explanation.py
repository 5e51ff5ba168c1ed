"""The explanation of a view: which event set each field."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from projector.contract.base import Shape


class FieldShape(Shape):
    """A field's value and the event that set it.

    Null where no event did, and where the token's teams do not see the moment at which it was set.
    """

    value: Any
    event_id: str | None
    position: int | None
    time: int | None = Field(description="When it was set.")


class Effect(StrEnum):
    """Why an event is in the explanation beside those that set fields."""

    LATE = "late"
    CONFLICT = "conflict"
    RESTATEMENT = "restatement"
    CORRECTION = "correction"


class AroundShape(Shape):
    """An event that was late, in conflict, a restatement or the cause of a correction."""

    event_id: str
    position: int
    time: int
    recorded_time: int = Field(description="Of a conflict: of its first delivery.")
    effect: Effect


class Explanation(Shape):
    """Why a view shows what it shows."""

    fields: dict[str, FieldShape]
    around: list[AroundShape] = Field(description="Since the shown interval began, by time.")
    looked_from: int | None = Field(
        description="Events up to this time were not examined; null: all events were."
    )
