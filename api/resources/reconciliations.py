"""Reconciliations: what the vendor was asked, what the log lacked, and what still differs."""

from __future__ import annotations

from typing import Any, ClassVar

from flask import Blueprint
from pydantic import Field, StrictBool, ValidationInfo, field_validator

from api.auth.authentication import caller_name
from api.auth.authorization import require_all_teams
from api.http.pagination import ListMeta
from api.http.parameters import Query, Reason, StoredNames, StoredTime
from api.http.problems import Problem
from api.http.routing import operate
from api.resources import runs
from api.service import service
from projector.contract.schemas import Shape
from projector.event_log.store import now_ms
from projector.infrastructure.settings import Token
from projector.operations.job_queue import Job

blueprint = Blueprint("reconciliations", __name__)


class ReconciliationQuery(Query):
    """The window ``[from, to)``, and which agents; without these all, and tasks."""

    from_: StoredTime = Field(alias="from")
    to: StoredTime
    agent_ids: StoredNames = ()
    dry_run: StrictBool = False
    why: Reason | None = None
    ALLOWED: ClassVar[dict[str, str]] = {"to": "epoch milliseconds after from, up to now"}

    @field_validator("to")
    @classmethod
    def _is_a_window_of_the_past(cls, to: int, given: ValidationInfo) -> int:
        if not given.data.get("from_", 0) < to <= now_ms():
            raise ValueError(to)
        return to


class TypeCounts(Shape):
    matched: int
    appended: int


class SourceCounts(Shape):
    """What one of the vendor's APIs told: rows, and facts by what the log has of them."""

    fetched: int
    matched: int
    appended: int = Field(description="In a dry run: would be.")
    indistinct: int = Field(description="Too near to another webhook to be told apart from it.")
    differing: int = Field(description="Stretches of time that the vendor tells otherwise.")
    unusable: int
    types: dict[str, TypeCounts]


class ReconciliationRow(runs.RunShape):
    """A reconciliation, in counts; those that are null are not known (yet)."""

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
    sources: dict[str, SourceCounts]


class FactShape(Shape):
    """A fact of the vendor's."""

    kind: str
    id: str
    type: str
    state: str | None
    task_id: str | None
    time: int
    event_id: str
    source: str


class StretchShape(Shape):
    """An interval, as one of both tells it."""

    from_: int = Field(alias="from")
    to: int | None
    status: str
    current_state: str
    task_id: str | None
    idle_code_id: str | None
    event_id: str | None


class DifferingShape(Shape):
    """A stretch of time that the vendor tells otherwise: both versions."""

    kind: str
    id: str
    from_: int = Field(alias="from")
    to: int
    ours: list[StretchShape]
    vendors: list[StretchShape]


class UnusableShape(Shape):
    """Rows that could not be used, why, and the first of them."""

    source: str
    reason: str
    count: int
    row: str | None


class FailureShape(Shape):
    """A source that could not be read to its end, and why."""

    source: str
    reason: str


class ReconciliationShape(ReconciliationRow):
    """A reconciliation with what it found: of each list the first hundred."""

    missing: list[FactShape] = Field(description="What the log lacked.")
    indistinct: list[FactShape]
    differing: list[DifferingShape]
    unusable: list[UnusableShape]
    failures: list[FailureShape]
    unknown: dict[str, dict[str, int]] = Field(description="Words that no webhook has, by source.")
    untold: list[str] = Field(description="What no API of the vendor tells.")


class ReconciliationList(Shape):
    meta: ListMeta
    data: list[ReconciliationRow]


def _fields(job: Job) -> dict[str, Any]:
    report, asked = job.report, job.parameters
    return {
        **runs.about(job),
        "org_id": report.get("orgId"),
        "from": asked["from"],
        "to": asked["to"],
        "agent_ids": asked["agentIds"],
        "dry_run": asked["dryRun"],
        "step": report.get("step", 0),
        "steps": report.get("steps"),
        "requests": report.get("requests"),
        "gaps_found": report.get("gapsFound"),
        "gaps_closed": report.get("gapsClosed"),
        "corrections_made": report.get("correctionsMade"),
        "sources": report.get("sources", {}),
    }


def _row(job: Job) -> ReconciliationRow:
    return ReconciliationRow.model_validate(_fields(job))


def _shaped(job: Job) -> ReconciliationShape:
    lists = ("missing", "indistinct", "differing", "unusable", "failures", "untold")
    found = {name: job.report.get(name, []) for name in lists}
    return ReconciliationShape.model_validate(
        {**_fields(job), **found, "unknown": job.report.get("unknown", {})}
    )


@operate(
    blueprint,
    "/api/v1/reconciliations",
    summary="Ask the vendor for a window, and append what the log lacks of it.",
    answers=ReconciliationShape,
    body=ReconciliationQuery,
    location="/api/v1/reconciliations/{0.id}",
)
def begin(asked: ReconciliationQuery, token: Token) -> ReconciliationShape:
    require_all_teams(token)
    settings = service().settings
    org_id = settings.webex_org_id
    if token.org_ids is not None and org_id not in token.org_ids:
        raise Problem(403, "The token does not cover the organisation that is reconciled.")
    if not settings.asks_vendor:
        raise Problem(
            409,
            "Nothing is configured with which the vendor could be asked: set"
            " PROJECTOR_WEBEX_CLIENT_ID, PROJECTOR_WEBEX_CLIENT_SECRET and"
            " PROJECTOR_WEBEX_REFRESH_TOKEN.",
        )
    given = asked.model_dump(mode="json", by_alias=True, exclude={"why"})
    given["orgIds"] = None if org_id is None else [org_id]
    job = service().jobs.ask("reconciliation", given, who=caller_name(token), why=asked.why)
    return _shaped(job)


runs.register(
    blueprint,
    "reconciliation",
    listed=ReconciliationList,
    answers=ReconciliationShape,
    row=_row,
    shaped=_shaped,
)
