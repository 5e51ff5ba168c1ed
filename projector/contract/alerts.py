"""Alerts: agents and queues that have reached a limit of the threshold that counts for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from projector.contract.base import Shape
from projector.contract.thresholds import AlertLevel, CountingThreshold, QueueMeasure

AlertSubject = Literal["agent", "queue"]
AlertMessageType = Literal["alert.raised", "alert.ended", "alert.test"]


class Alert(Shape):
    """An agent or a queue that is amber or red."""

    level: AlertLevel
    subject: AlertSubject
    org_id: str
    agent_id: str | None = Field(default=None, description="Null for a queue.")
    team_id: str | None = Field(default=None, description="Of the agent.")
    queue_id: str | None = Field(
        default=None, description="The queue, or that of the task which gives an agent's status."
    )
    channel_type: str | None = Field(default=None, description="Of the tasks that wait.")
    status: str | None = Field(default=None, description="Of the agent; null for a queue.")
    measure: QueueMeasure | None = Field(default=None, description="Null for an agent.")
    since: int = Field(description="When the level began; epoch ms.")
    value: int = Field(description="Milliseconds in the status or of waiting, or tasks.")
    limit: int = Field(description="Of the level, in the same unit.")
    rule: CountingThreshold

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What it is an alert of; at any time there is one of it at most."""
        if self.subject == "agent":
            return ("agent", self.org_id, self.agent_id, self.status)
        return ("queue", self.org_id, self.queue_id, self.channel_type, self.measure)


class AlertCounts(Shape):
    """How many alerts there are of each level."""

    amber: int
    red: int


class AlertPosts(Shape):
    """How many posts to the operator's address wait, and how many were given up."""

    pending: int
    failed: int
