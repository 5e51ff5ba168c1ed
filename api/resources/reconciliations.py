"""Reconciliations: ask the vendor for a window of time, and append what the log lacks of it."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field, ValidationInfo, field_validator

from api.auth.authorization import Reach
from api.auth.errors import AccessDenied
from api.http.pagination import ListMeta
from api.http.parameters import (
    Allowed,
    JsonFlag,
    Parameters,
    Reason,
    StorableNames,
    StorableTime,
)
from api.http.problems import Problem
from api.http.routing import Route
from api.resources.runs import RunResource, RunShape, run_fields
from api.service import service
from projector.contract.base import Shape
from projector.infrastructure.clock import DAY_MS, now_ms
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.job_queue import Job
from projector.operations.reconciliation.report import LISTS
from projector.webex.credential_store import NOTHING_CONFIGURED, has_credentials

blueprint = Blueprint("reconciliations", __name__)


class ReconciliationRequest(Parameters):
    """The window ``[from, to)``, and which agents: without ``agentIds`` all of them, and tasks."""

    from_: StorableTime = Field(alias="from")
    to: Annotated[
        StorableTime,
        Allowed("epoch milliseconds after from, up to now; less than a day ahead becomes now"),
    ]
    agent_ids: StorableNames = ()
    dry_run: JsonFlag = False
    why: Reason | None = None

    @field_validator("to")
    @classmethod
    def _validate_window(cls, to: int, info: ValidationInfo) -> int:
        now = now_ms()  # the caller's clock may be ahead of it
        if to >= now + DAY_MS or min(to, now) <= info.data.get("from_", 0):
            raise ValueError(to)
        return min(to, now)


class TypeCounts(Shape):
    matched: int
    appended: int


class SourceCounts(Shape):
    """What one of the vendor's APIs returned, and how its facts compare with the log."""

    requests: int = Field(description="How many requests were sent to it.")
    fetched: int
    matched: int
    appended: int = Field(description="In a dry run: would be.")
    indistinct: int = Field(description="A webhook of the same fact has another time.")
    doubtful: int = Field(description="Perhaps of another contact: never appended.")
    differing: int = Field(description="Intervals for which the vendor says something else.")
    unusable: int
    types: dict[str, TypeCounts]


class ReconciliationRow(RunShape):
    """A reconciliation in counts; a count or the verdict is null until it is known."""

    org_id: str | None
    from_: int = Field(alias="from")
    to: int
    agent_ids: list[str]
    dry_run: bool
    step: int
    steps: int | None
    requests: int | None
    gaps_found: int | None
    gaps_closed: int | None
    corrections_made: int | None
    clock_difference_ms: int | None = Field(
        description="How much later the vendor's rows are than its webhooks, where that is much."
    )
    verdict: str | None = Field(description="whole, incomplete or nothing to compare")
    sources: dict[str, SourceCounts]


class FactShape(Shape):
    """A fact that the vendor reports."""

    kind: str
    id: str
    type: str
    state: str | None
    task_id: str | None
    idle_code_id: str | None
    channel_id: str | None
    time: int
    event_id: str
    source: str
    sign_out_reason: str | None = Field(description="Of a logout: the session's, as it comes.")


class IndistinctShape(FactShape):
    """A fact, and the webhook that may state it at another time."""

    webhook_id: str
    webhook_time: int
    difference_ms: int = Field(description="How much later the vendor's row is.")


class StretchShape(Shape):
    """An interval, in our version or in the vendor's."""

    from_: int = Field(alias="from")
    to: int | None
    status: str
    current_state: str
    task_id: str | None
    idle_code_id: str | None
    event_id: str | None


class DifferingShape(Shape):
    """A time for which the vendor says something else: both versions."""

    kind: str
    id: str
    from_: int = Field(alias="from")
    to: int
    ours: list[StretchShape]
    vendors: list[StretchShape]


class UnusableShape(Shape):
    """Rows of a source that cannot be read for one reason: the first one, and up to a hundred."""

    source: str
    reason: str
    count: int
    row: str | None
    rows: list[str]


class FailureShape(Shape):
    """What could not be read, and why: a source, or a part of its answers."""

    source: str
    reason: str
    is_part: bool


class ReconciliationShape(ReconciliationRow):
    """A reconciliation with its findings, of each list the first hundred."""

    missing: list[FactShape] = Field(description="What the log lacked.")
    indistinct: list[IndistinctShape]
    doubtful: list[FactShape]
    differing: list[DifferingShape]
    unusable: list[UnusableShape]
    failures: list[FailureShape]
    unknown: dict[str, dict[str, int]] = Field(
        description="States and events that are not known, by source."
    )
    untold: list[str] = Field(description="What webhooks report and no API of the vendor does.")


class ReconciliationsMeta(ListMeta):
    can_ask_vendor: bool = Field(description="Whether credentials of the vendor are configured.")


class ReconciliationList(Shape):
    meta: ReconciliationsMeta
    data: list[ReconciliationRow]


def _fields(job: Job) -> dict[str, Any]:
    report, window = job.report, job.parameters
    return {
        **run_fields(job),
        "org_id": report.get("orgId"),
        "from": window["from"],
        "to": window["to"],
        "agent_ids": window["agentIds"],
        "dry_run": window["dryRun"],
        "step": report.get("step", 0),
        "steps": report.get("steps"),
        "requests": report.get("requests"),
        "gaps_found": report.get("gapsFound"),
        "gaps_closed": report.get("gapsClosed"),
        "corrections_made": report.get("correctionsMade"),
        "clock_difference_ms": report.get("clockDifferenceMs"),
        "verdict": report.get("verdict"),
        "sources": report.get("sources", {}),
    }


def _row(job: Job) -> ReconciliationRow:
    return ReconciliationRow.model_validate(_fields(job))


def _reconciliation(job: Job) -> ReconciliationShape:
    lists = {name: job.report.get(name, []) for name in (*LISTS, "untold")}
    return ReconciliationShape.model_validate(
        {**_fields(job), **lists, "unknown": job.report.get("unknown", {})}
    )


@Route(
    blueprint,
    "post",
    "/api/v1/reconciliations",
    role=Role.OPERATOR,
    reach=Reach.ORGANISATIONS,
    summary="Ask the vendor for a window of time, and append what the log lacks of it.",
    answers=ReconciliationShape,
    body=ReconciliationRequest,
    status=202,
    location="/api/v1/reconciliations/{0.id}",
)
def start_reconciliation(body: ReconciliationRequest, token: Token) -> ReconciliationShape:
    settings = service().settings
    org_id = settings.webex_org_id
    if token.org_ids is not None and org_id not in token.org_ids:
        raise AccessDenied(403, "The token does not cover the organisation that is reconciled.")
    if not has_credentials(settings):
        raise Problem(409, NOTHING_CONFIGURED)
    window = body.model_dump(mode="json", by_alias=True, exclude={"why"})
    window["orgIds"] = None if org_id is None else [org_id]
    job = service().jobs.enqueue("reconciliation", window, who=token.name, why=body.why)
    return _reconciliation(job)


RunResource(
    kind="reconciliation",
    run_list=ReconciliationList,
    run=ReconciliationShape,
    list_row=_row,
    run_of=_reconciliation,
    more_meta=lambda: {"canAskVendor": has_credentials(service().settings)},
).register(blueprint)
