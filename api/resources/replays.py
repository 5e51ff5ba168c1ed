"""Replays: subjects folded anew from the log, and what that changed."""

from __future__ import annotations

from typing import Any, Self

from flask import Blueprint
from pydantic import Field, StrictBool, model_validator

from api.auth.authentication import caller_name
from api.auth.authorization import require_all_teams, scope_of
from api.http.pagination import ListMeta
from api.http.parameters import Query, Reason, StoredName, StoredNames, StoredTime
from api.http.routing import operate
from api.resources import runs
from api.service import service
from projector.contract.schemas import Shape
from projector.infrastructure.settings import Token
from projector.operations.job_queue import Job

blueprint = Blueprint("replays", __name__)


class ReplayQuery(Query):
    """Which subjects; what is left out leaves nothing out."""

    org_id: StoredName | None = None
    agent_ids: StoredNames = ()
    task_ids: StoredNames = ()
    from_: StoredTime | None = Field(default=None, alias="from")
    to: StoredTime | None = None
    dry_run: StrictBool = False
    parked: StrictBool = Field(default=False, description="Only subjects that are parked.")
    why: Reason | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise ValueError("from is after to")
        return self


class ChangedSubject(Shape):
    kind: str = Field(description="`agent` or `task`.")
    org_id: str
    id: str


class ChangedShape(Shape):
    """The first field of a subject that the replay shows otherwise, and the event behind it."""

    subject: ChangedSubject
    field: str
    before: Any
    after: Any
    event_id: str | None


class ChangesShape(Shape):
    """How many subjects are shown otherwise, and the first of them."""

    count: int
    first: list[ChangedShape]


class ReplayShape(runs.RunShape):
    """A replay: its scope, how far it is (events), and what it changed, or would."""

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


def _shaped(job: Job) -> ReplayShape:
    report, asked = job.report, job.parameters
    return ReplayShape.model_validate(
        {
            **runs.about(job),
            "org_ids": asked["orgIds"],
            "agent_ids": asked["agentIds"],
            "task_ids": asked["taskIds"],
            "from": asked["from"],
            "to": asked["to"],
            "dry_run": asked["dryRun"],
            "parked": asked["parked"],
            "processed": job.progress.get("processed", 0),
            "total": report.get("total"),
            "events_per_second": report.get("eventsPerSecond"),
            "eta_ms": report.get("etaMs"),
            "changed": report.get("changed", {"count": 0, "first": []}),
        }
    )


@operate(
    blueprint,
    "/api/v1/replays",
    summary="Fold subjects anew from the log.",
    answers=ReplayShape,
    body=ReplayQuery,
    location="/api/v1/replays/{0.id}",
)
def begin(asked: ReplayQuery, token: Token) -> ReplayShape:
    require_all_teams(token)
    scope = scope_of(token, [asked.org_id] if asked.org_id else [])
    given = asked.model_dump(mode="json", by_alias=True, exclude={"org_id", "why"})
    given["orgIds"] = None if scope.org_ids is None else sorted(scope.org_ids)
    job = service().jobs.ask("replay", given, who=caller_name(token), why=asked.why)
    return _shaped(job)


runs.register(
    blueprint, "replay", listed=ReplayList, answers=ReplayShape, row=_shaped, shaped=_shaped
)
