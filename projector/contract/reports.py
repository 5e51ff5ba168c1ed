"""Rows of the reports: what was counted of a queue or an agent in a period."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from projector.contract.base import Shape

_NOTHING_COUNTED = "Null where nothing was counted."


class QueueReportRow(Shape):
    """The waits and contacts of a queue and a channel type in a period.

    Waits are ``offered`` at their beginning and count in the others at their end, contacts when
    they have been handled. So rows of periods side by side add up.
    """

    from_: int = Field(alias="from")
    to: int
    org_id: str
    queue_id: str | None
    channel_type: str | None
    offered: int
    answered: int
    answered_in_time: int
    abandoned: int = Field(description="Without the short ones.")
    short_abandoned: int
    unanswered: int
    moved: int
    unknown: int = Field(description="Their end was not told. No figure counts them.")
    wait_ms: int = Field(description="Of the waits that were answered.")
    max_wait_ms: int | None = Field(
        description="The longest wait whose end was told; null where none was."
    )
    abandoned_wait_ms: int
    handled: int
    talk_ms: int
    hold_ms: int
    consult_ms: int
    wrap_up_ms: int
    service_level: float | None = Field(description=_NOTHING_COUNTED)
    abandonment: float | None = Field(description=_NOTHING_COUNTED)
    asa_ms: float | None = Field(description=_NOTHING_COUNTED)
    aht_ms: float | None = Field(description=_NOTHING_COUNTED)
    doubtful: int = Field(description="Waits and wrap-ups that are left out, in a count.")
    settled: bool = Field(description="Later arrivals will probably not change the row.")


class AgentReportRow(Shape):
    """The times of an agent in a period, and the agent's own part in offers and contacts."""

    from_: int = Field(alias="from")
    to: int
    org_id: str
    agent_id: str
    team_id: str | None = Field(description="The team as of the times of the question.")
    logged_in_ms: int = Field(description="The sum of `statusMs`.")
    status_ms: dict[str, int] = Field(description="By status, without logged-out.")
    idle_ms: dict[str, int] = Field(description="By idle code; `none` is without a code.")
    offers_accepted: int
    offers_refused: int
    handled: int = Field(description="Contacts in which the agent talked with the customer.")
    talk_ms: int
    hold_ms: int
    consult_ms: int
    wrap_up_ms: int
    occupancy: float | None = Field(description=_NOTHING_COUNTED)
    first_login: int | None
    last_logout: int | None
    doubtful_ms: int = Field(description="Left out, since what ended it was not told.")
    settled: bool = Field(description="Later arrivals will probably not change the row.")


class FigureChange(Shape):
    """A figure at both moments; null where the row was not there."""

    before: Any
    after: Any
    difference: float | None = Field(description="Null where the figure is no number.")


class ReasonEvent(Shape):
    event_id: str
    type: str
    time: int
    position: int


class ReportCorrection(Shape):
    """A request that changed what the row counts of an agent or a task."""

    position: int = Field(description="Of the first event of the request.")
    recorded_time: int
    agent_id: str | None
    task_id: str | None
    events: list[ReasonEvent] = Field(description="The request's events of that agent or task.")


class ReportDifference(Shape):
    """A row of a report that two moments of knowledge tell apart."""

    from_: int = Field(alias="from")
    to: int
    org_id: str
    queue_id: str | None = Field(description="Null in a report of agents.")
    channel_type: str | None = Field(description="Null in a report of agents.")
    agent_id: str | None = Field(description="Null in a report of queues.")
    existed: bool = Field(description="The row was there at the earlier moment.")
    exists: bool = Field(description="The row is there at the later moment.")
    changes: dict[str, FigureChange] = Field(
        description="By figure; of a status or an idle code as `statusMs.connected`."
    )
    corrections: list[ReportCorrection] = Field(description="The first hundred of them.")
    correction_count: int
    by_time: bool = Field(
        description="Nothing came that changed the row: a deadline lay between the two moments."
    )
