"""The adherence of agents: what workforce tools compare with a schedule."""

from __future__ import annotations

from pydantic import Field

from projector.contract.base import Shape
from projector.contract.views import AgentView


class AdherenceRow(Shape):
    """What an agent does at a time, for how long, and why."""

    agent_id: str
    org_id: str
    team_id: str | None
    status: str = Field(description="As in the agent's view.")
    reason_code: str | None = Field(description="The idle code while the agent is `idle`.")
    reason_name: str | None
    since: int | None = Field(
        description="When this status, with this reason, began: another reason begins anew."
    )
    duration_ms: int | None = Field(description="From `since` to `time`.")
    time: int = Field(description="The clock of the answer.")
    current_state: str
    logged_in: bool
    settled: bool = Field(description="Later arrivals will probably not change this row.")


def adherence_row(view: AgentView, *, interval_start: int | None, time: int) -> AdherenceRow:
    """The row of an agent at a time; ``interval_start`` is needed of an idle agent (epoch ms).

    A new idle code begins a new interval, but no new status.
    """
    since = view.status_since
    if since is not None and view.status == "idle" and interval_start is not None:
        since = max(since, interval_start)
    return AdherenceRow(
        agent_id=view.agent_id,
        org_id=view.org_id,
        team_id=view.team_id,
        status=view.status,
        reason_code=view.idle_code_id,
        reason_name=view.idle_code_name,
        since=since,
        duration_ms=None if since is None else max(0, time - since),
        time=time,
        current_state=view.current_state,
        logged_in=view.logged_in,
        settled=view.settled,
    )
