"""Replays: fold subjects again from the log, and report what that changes."""

from __future__ import annotations

from typing import Any, Self

from flask import Blueprint
from pydantic import Field, model_validator

from api.auth.authorization import Reach, scope_of
from api.http.pagination import ListMeta
from api.http.parameters import (
    JsonFlag,
    Parameters,
    Reason,
    StorableName,
    StorableNames,
    StorableTime,
)
from api.http.routing import Route
from api.resources.runs import RunResource, RunShape, run_fields
from api.service import service
from projector.contract.base import Shape
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.job_queue import Job

blueprint = Blueprint("replays", __name__)


class ReplayRequest(Parameters):
    """Which subjects are replayed: all that fit every field given, without fields all."""

    org_id: StorableName | None = None
    agent_ids: StorableNames = ()
    task_ids: StorableNames = ()
    from_: StorableTime | None = Field(default=None, alias="from")
    to: StorableTime | None = None
    dry_run: JsonFlag = False
    parked: JsonFlag = Field(default=False, description="Only subjects that are parked.")
    why: Reason | None = None

    @model_validator(mode="after")
    def _validate_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise ValueError("from is after to")
        return self


class ChangedSubject(Shape):
    kind: str = Field(description="`agent` or `task`.")
    org_id: str
    id: str


class ChangedShape(Shape):
    """The first field of a subject that the replay changes, and the event that sets it now."""

    subject: ChangedSubject
    field: str
    before: Any
    after: Any
    event_id: str | None


class ChangesShape(Shape):
    """How many subjects the replay changes, and the first of them."""

    count: int
    first: list[ChangedShape]


class ReplayShape(RunShape):
    """A replay: its scope, its progress in events, and what it changed or would change."""

    org_ids: list[str] | None
    agent_ids: list[str]
    task_ids: list[str]
    from_: int | None = Field(alias="from")
    to: int | None
    dry_run: bool
    parked: bool
    processed: int
    total: int | None
    events_per_second: float | None
    eta_ms: int | None
    changed: ChangesShape


class ReplayList(Shape):
    meta: ListMeta
    data: list[ReplayShape]


def _replay(job: Job) -> ReplayShape:
    report, scope = job.report, job.parameters
    return ReplayShape.model_validate(
        {
            **run_fields(job),
            "org_ids": scope["orgIds"],
            "agent_ids": scope["agentIds"],
            "task_ids": scope["taskIds"],
            "from": scope["from"],
            "to": scope["to"],
            "dry_run": scope["dryRun"],
            "parked": scope["parked"],
            "processed": job.progress.get("processed", 0),
            "total": report.get("total"),
            "events_per_second": report.get("eventsPerSecond"),
            "eta_ms": report.get("etaMs"),
            "changed": report.get("changed", {"count": 0, "first": []}),
        }
    )


@Route(
    blueprint,
    "post",
    "/api/v1/replays",
    role=Role.OPERATOR,
    reach=Reach.ORGANISATIONS,
    summary="Fold subjects again from the log.",
    answers=ReplayShape,
    body=ReplayRequest,
    status=202,
    location="/api/v1/replays/{0.id}",
)
def start_replay(body: ReplayRequest, token: Token) -> ReplayShape:
    org_ids = scope_of(token, [body.org_id] if body.org_id else []).org_ids
    scope = body.model_dump(mode="json", by_alias=True, exclude={"org_id", "why"})
    scope["orgIds"] = None if org_ids is None else sorted(org_ids)
    return _replay(service().jobs.enqueue("replay", scope, who=token.name, why=body.why))


RunResource(
    kind="replay", run_list=ReplayList, run=ReplayShape, list_row=_replay, run_of=_replay
).register(blueprint)
