"""The status of the service: what it knows of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from projector.contract.alerts import AlertPosts
from projector.contract.base import Shape

HeardState = Literal[
    "heard", "quiet", "no-data", "never"
]  # what the silence of a subscription means


class HeadShape(Shape):
    position: int
    recorded_time: int | None


class PartitionShape(Shape):
    """How far one partition of a projection is behind the log."""

    partition: int
    position: int
    lag_events: int


class ProjectionShape(Shape):
    """How far a projection is behind the log; the partition furthest behind counts."""

    name: str
    position: int
    lag_events: int
    lag_seconds: float
    stored: int = Field(description="Events of agents and tasks in the log, up to the position.")
    projected: int = Field(description="Of these, how many were folded.")
    waiting: int = Field(description="Of these, how many wait for a subject that is parked.")
    skipped: int = Field(description="Neither folded nor waiting: always 0, else a defect.")
    skipped_buckets: list[str] = Field(description="Where they are missing.")
    parked: int = Field(description="Subjects whose next event cannot be folded.")
    partitions: list[PartitionShape]


class SubscriptionShape(Shape):
    """When a subscription was heard last, and what its silence means; null: never."""

    id: str
    last_heard_time: int | None
    silent_ms: int | None
    state: HeardState = Field(
        description="`heard` within a minute; `quiet`: nothing happens; `no-data`: nothing comes."
    )
    expected: float = Field(description="Deliveries to be expected since it was heard last.")
    vendor_status: str | None = Field(description="`active` or `inactive`, as last asked; or null.")


class LedgersShape(Shape):
    """Sizes: repeated deliveries, conflicting bodies, bodies in quarantine, odd events."""

    duplicates: int
    conflicts: int
    quarantine: int
    corrections: int
    anomalies: int = Field(description="Without those that the passing of time raised.")


class StatusShape(Shape):
    head: HeadShape
    projections: list[ProjectionShape]
    subscriptions: list[SubscriptionShape]
    ledgers: LedgersShape
    alert_posts: AlertPosts
    reconciled_up_to: int | None = Field(
        description="Whole reconciliations cover all time since the first of them up to this,"
        " epoch ms; null: there was none."
    )
    refused: dict[str, int] = Field(
        description="Deliveries refused since this process started, by reason."
    )
    log_protected_by: list[str]
    versions: dict[str, str]
