"""What replays and reconciliations have in common: a run is listed, looked at and cancelled.

A run is a job that a worker does in the background. ``replays`` and ``reconciliations`` say what is
their own: how a run is started, and what its report shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint
from pydantic import BaseModel, Field

from api.auth.authorization import Reach
from api.http.pagination import PositionCursor, list_fields
from api.http.parameters import Limit, Parameters, Reason
from api.http.problems import Problem
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.job_queue import Job, JobKind, NotCancellable


class CancellationShape(Shape):
    """Who cancelled a run, why and when."""

    who: str
    why: str | None
    time: int


class RunShape(Shape):
    """Who asked for a run, why, and its progress; times are epoch ms."""

    id: int
    status: str
    who: str
    why: str | None
    created_time: int
    started_time: int | None
    finished_time: int | None
    error: str | None
    cancellation: CancellationShape | None = Field(
        description="Null where nobody cancelled it. A running one stops a moment later."
    )


class RunsQuery(Parameters):
    """A page of runs, the newest first."""

    limit: Limit = 100
    cursor: PositionCursor | None = None


class CancelQuery(Parameters):
    """Why a run is cancelled; it is kept with the run."""

    why: Reason | None = None


def run_fields(job: Job) -> dict[str, Any]:
    """The fields of ``RunShape``."""
    return {
        "id": job.id,
        "status": job.status,
        "who": job.who,
        "why": job.why,
        "created_time": job.created_time,
        "started_time": job.started_time,
        "finished_time": job.finished_time,
        "error": job.error,
        "cancellation": job.cancellation,
    }


@dataclass(frozen=True, kw_only=True)
class RunResource:
    """One kind of run: its models, and the functions that handle its requests."""

    kind: JobKind
    run_list: type[BaseModel]
    run: type[BaseModel]
    list_row: Callable[[Job], BaseModel]
    run_of: Callable[[Job], BaseModel]
    more_meta: Callable[[], Mapping[str, Any]] = dict  # fields of the list's meta beside the usual

    def register(self, blueprint: Blueprint) -> None:
        """Declare the routes that list runs of this kind, show one and cancel one."""
        many, kind = f"/api/v1/{self.kind}s", self.kind
        # A run may be of all that an organisation has.
        route = partial(Route, blueprint, role=Role.OPERATOR, reach=Reach.ORGANISATIONS)
        route(
            "get",
            many,
            summary=f"{kind.capitalize()}s, the newest first.",
            answers=self.run_list,
            query=RunsQuery,
        )(self.list_runs)
        one, run = f"{many}/<id>", self.run
        show = route("get", one, summary=f"One {kind} and its progress.", answers=run)
        show(self.show)
        cancel = route(
            "delete",
            one,
            summary=f"Cancel a {kind}.",
            answers=run,
            query=CancelQuery,
        )
        cancel(self.cancel)

    def list_runs(self, query: RunsQuery, token: Token) -> BaseModel:
        after = query.cursor[0] if query.cursor else None
        jobs, last_key = service().jobs.list(
            self.kind, orgs=token.org_ids, after=after, limit=query.limit
        )
        rows = [*map(self.list_row, jobs)]
        fields = list_fields(rows, last_key, query)
        meta = fields["meta"].model_dump(by_alias=True) | self.more_meta()
        return self.run_list.model_validate({**fields, "meta": meta})

    def show(self, token: Token, id: int) -> BaseModel:  # noqa: A002 - the path's name
        return self.run_of(self._find(token, id))

    def cancel(self, query: CancelQuery, token: Token, id: int) -> BaseModel:  # noqa: A002
        self._find(token, id)
        try:
            cancelled = service().jobs.cancel(self.kind, id, who=token.name, why=query.why)
        except NotCancellable as error:
            raise Problem(409, str(error)) from None
        return self.run_of(cancelled or self._find(token, id))

    def _find(self, token: Token, id_: int) -> Job:
        """A run of the caller's organisations; Problem 404 where there is none such."""
        job = service().jobs.find(self.kind, id_, orgs=token.org_ids)
        if job is None:
            raise Problem(404, f"There is no {self.kind} {id_}.")
        return job
