"""The summary of a floor, and its metrics."""

from __future__ import annotations

from pydantic import Field

from projector.contract.base import Shape


class AgentsShape(Shape):
    """The agents of a floor at a time."""

    total: int
    logged_in: int
    by_status: dict[str, int]


class TasksShape(Shape):
    """The tasks that are open at a time, or had an event in the window before it."""

    open: int
    waiting: int
    by_status: dict[str, int]
    longest_wait_ms: int | None = Field(description="Null where no task waits.")


class FigureShape(Shape):
    value: float | None = Field(description="Null where nothing was counted.")
    count: int = Field(description="The number of agents, tasks or offers that the value rests on.")
    formula: str = Field(description="A heading of docs/figures.md.")
    settled: bool = Field(description="Later arrivals will probably not change the value.")


class Summary(Shape):
    """A floor at a time, and the metrics of a window that ends then."""

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
