"""What replays and reconciliations have in common: they are asked for, looked at and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint
from pydantic import BaseModel

from api.http.pagination import envelope
from api.http.parameters import Limit, PositionCursor, Query
from api.http.problems import Problem
from api.http.routing import read, stop
from api.service import service
from projector.contract.schemas import Shape
from projector.infrastructure.settings import Role, Token
from projector.operations.job_queue import Job, JobKind, NotCancellable


class RunShape(Shape):
    """Who asked for a run, why, and how far it is; times are epoch ms."""

    id: int
    status: str
    who: str
    why: str | None
    created_time: int
    started_time: int | None
    finished_time: int | None
    error: str | None


class RunsQuery(Query):
    """A page of runs, the newest first."""

    limit: Limit = 100
    cursor: PositionCursor | None = None


def register(  # noqa: PLR0913 - the routes of a kind
    blueprint: Blueprint,
    kind: JobKind,
    *,
    listed: type[BaseModel],
    answers: type[BaseModel],
    row: Callable[[Job], BaseModel],
    shaped: Callable[[Job], BaseModel],
) -> None:
    """The routes that list runs of a kind, tell one and cancel one."""
    path = f"/api/v1/{kind}s"
    one = f"{path}/<id>"

    def page(query: RunsQuery, token: Token) -> BaseModel:
        after = query.cursor[0] if query.cursor else None
        found, place = service().jobs.list(kind, orgs=token.org_ids, after=after, limit=query.limit)
        return listed.model_construct(**envelope([*map(row, found)], place))

    def tell(_: Query, token: Token, id: int) -> BaseModel:  # noqa: A002 - the path's name
        return shaped(_found(kind, token, id))

    def cancel(token: Token, id: int) -> BaseModel:  # noqa: A002 - the path's name
        _found(kind, token, id)
        try:
            job = service().jobs.cancel(kind, id)
        except NotCancellable as error:
            raise Problem(409, str(error)) from None
        return shaped(job or _found(kind, token, id))

    kept = f"{kind.capitalize()}s, the newest first."
    read(blueprint, path, summary=kept, answers=listed, query=RunsQuery, role=Role.OPERATOR)(page)
    told = f"One {kind}, and how far it is."
    read(blueprint, one, summary=told, answers=answers, query=Query, role=Role.OPERATOR)(tell)
    stop(blueprint, one, summary=f"Cancel a {kind}.", answers=answers)(cancel)


def _found(kind: JobKind, token: Token, id_: int) -> Job:
    job = service().jobs.find(kind, id_, orgs=token.org_ids)
    if job is None:
        raise Problem(404, f"There is no {kind} {id_}.")
    return job


def about(job: Job) -> dict[str, Any]:
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
    }
