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


class WindowCounts(Shape):
    """What was counted in the window: waits by their ends, and contacts.

    Waits are ``offered`` at their beginning and count in the others at their end, so the numbers of
    a window need not add up. Over all time those offered are the others and those who still wait.
    """

    offered: int
    answered: int
    answered_in_time: int
    abandoned: int = Field(description="Without the short ones.")
    short_abandoned: int
    unanswered: int
    moved: int
    unknown: int = Field(description="Their end was not told. No figure counts them.")
    handled: int


class FigureShape(Shape):
    value: float | None = Field(description="Null where nothing was counted.")
    count: int = Field(
        description="The number of agents, waits, contacts or offers that the value rests on."
    )
    doubtful: int = Field(
        description="What is left out since its end was not told: ms of agents for occupancy,"
        " else waits or contacts."
    )
    formula: str = Field(description="A heading of docs/figures.md.")
    settled: bool = Field(description="Later arrivals will probably not change the value.")


class Summary(Shape):
    """A floor at a time, and the metrics of a window that ends then."""

    agents: AgentsShape
    tasks: TasksShape
    counts: WindowCounts
    service_level: FigureShape
    asa_ms: FigureShape
    aht_ms: FigureShape
    talk_ms: FigureShape
    hold_ms: FigureShape
    wrap_up_ms: FigureShape
    occupancy: FigureShape
    abandonment: FigureShape
    rona: FigureShape
