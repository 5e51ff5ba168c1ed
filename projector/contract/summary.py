"""The summary of a floor, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

if TYPE_CHECKING:
    pass


from projector.contract.base import Shape


class AgentsShape(Shape):
    """Agents at the moment."""

    total: int
    logged_in: int
    by_status: dict[str, int]


class TasksShape(Shape):
    """Tasks that are open at the moment, or of which something happened in the window."""

    open: int
    waiting: int
    by_status: dict[str, int]
    longest_wait_ms: int | None = Field(description="Null where none waits.")


class FigureShape(Shape):
    value: float | None = Field(description="Null where nothing was counted.")
    count: int = Field(description="How many the value rests on.")
    formula: str = Field(description="A heading of docs/figures.md.")
    settled: bool = Field(description="Later arrivals are unlikely to change what is counted.")


class Summary(Shape):
    """A floor: what it is at a moment, and the figures of a window up to it."""

    agents: AgentsShape
    tasks: TasksShape
    service_level: FigureShape
    asa_ms: FigureShape
    aht_ms: FigureShape
    talk_ms: FigureShape
    hold_ms: FigureShape
    wrap_up_ms: FigureShape
    occupancy: FigureShape
    abandonment: FigureShape
    rona: FigureShape
