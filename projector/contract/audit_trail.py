"""The audit trail as the interface shows it: a row for each request."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from projector.contract.base import Shape


class TrailRow(Shape):
    """What a caller asked for beyond reading, or as a file, and how it was answered."""

    number: int
    time: int = Field(description="When it was asked for, before it was done. Epoch ms.")
    who: str = Field(description="The role and the token's id, or a command and its user.")
    address: str | None = Field(description="From where; null: from the service's own machine.")
    action: str = Field(description="The method and the route, or the command.")
    asked: dict[str, Any] = Field(description="The path, the query and the body; long texts cut.")
    answered_time: int | None = Field(description="Null: no answer is known, as after a crash.")
    answer: dict[str, Any] | None = Field(
        description="The status, a refusal's reason, a file's rows and SHA-256."
    )
