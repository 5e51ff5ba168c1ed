"""The ledgers: anomalies, corrections, conflicts and quarantine, as pages and as exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from flask import Blueprint
from pydantic import BaseModel, Field

from api.auth.authorization import Reach, scope_of
from api.http.exports import Export
from api.http.pagination import (
    ConflictCursor,
    LedgerCursor,
    ListMeta,
    QuarantineCursor,
    list_fields,
)
from api.http.parameters import Allowed, Limit, NamedQuery, Names, OrganisationQuery, Time
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.contract.events import ConflictKind
from projector.contract.ledgers import AnomalyRow, ConflictRow, CorrectionRow, QuarantineRow
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.audit.ledgers import LedgerKey, LedgerSelection
from projector.query.scope import Scope

blueprint = Blueprint("ledgers", __name__)
EXPORT_PAGE_ROWS = 1_000

ReadPage = Callable[[Scope, LedgerSelection], tuple[Sequence[Shape], LedgerKey | None]]


class LedgerQuery(OrganisationQuery):
    """Rows of any of the subjects named, whose time overlaps ``[from, to)``."""

    agent_id: Names = ()
    task_id: Names = ()
    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    limit: Limit = 100


class SubjectLedgerQuery(LedgerQuery, NamedQuery):
    cursor: LedgerCursor | None = None


class ConflictQuery(LedgerQuery, NamedQuery):
    kind: Annotated[tuple[ConflictKind, ...], Allowed("conflict or variation")] = ()
    cursor: ConflictCursor | None = None


class QuarantineQuery(LedgerQuery):
    cursor: QuarantineCursor | None = None


class AnomalyList(Shape):
    meta: ListMeta
    data: list[AnomalyRow]


class CorrectionList(Shape):
    meta: ListMeta
    data: list[CorrectionRow]


class ConflictList(Shape):
    meta: ListMeta
    data: list[ConflictRow]


class QuarantineList(Shape):
    meta: ListMeta
    data: list[QuarantineRow]


@dataclass(frozen=True, kw_only=True)
class LedgerResource:
    """One ledger: its models, and the functions that handle its requests."""

    name: str  # of the path, and of the method of ``Ledgers`` that reads it
    summary: str
    query: type[LedgerQuery]
    row_list: type[Shape]
    row: type[Shape]
    reach: Reach = Reach.TEAMS

    def register(self) -> None:
        """Declare the route of this ledger."""
        Route(
            blueprint,
            "get",
            f"/api/v1/{self.name}",
            role=Role.VIEWER,
            reach=self.reach,
            summary=self.summary,
            answers=self.row_list,
            query=self.query,
            export=self.export,
        )(self.list_rows)

    def list_rows(self, query: LedgerQuery, token: Token) -> BaseModel:
        question = _question(query, limit=query.limit)
        rows, last_key = self._read_page(scope_of(token, query.org_id), question)
        return self.row_list.model_construct(**list_fields(rows, last_key, query))

    def export(self, query: LedgerQuery, token: Token) -> Export:
        position = service().views.position()
        return Export(
            name=self.name,
            model=self.row,
            rows=_all_rows(
                self._read_page,
                scope_of(token, query.org_id),
                _question(query, limit=EXPORT_PAGE_ROWS),
            ),
            query=query,
            recorded_to=service().store.recorded_at(position),
            position=position,
        )

    @property
    def _read_page(self) -> ReadPage:
        return getattr(service().ledgers, self.name)  # type: ignore[no-any-return]


def _all_rows(read_page: ReadPage, scope: Scope, question: LedgerSelection) -> Iterator[Shape]:
    last_key: LedgerKey | None = ()
    while last_key is not None:
        rows, last_key = read_page(scope, replace(question, after=last_key or None))
        yield from rows


def _question(query: LedgerQuery, *, limit: int) -> LedgerSelection:
    return LedgerSelection(
        agent_ids=query.agent_id,
        task_ids=query.task_id,
        kinds=getattr(query, "kind", ()),
        start=query.from_,
        end=query.to,
        after=getattr(query, "cursor", None),
        limit=limit,
    )


for _ledger in (
    LedgerResource(
        name="anomalies",
        summary="Steps that were not expected, by time.",
        query=SubjectLedgerQuery,
        row_list=AnomalyList,
        row=AnomalyRow,
    ),
    LedgerResource(
        name="corrections",
        summary="What late events changed of what had been shown, by the time that they change.",
        query=SubjectLedgerQuery,
        row_list=CorrectionList,
        row=CorrectionRow,
    ),
    LedgerResource(
        name="conflicts",
        summary="Deliveries with the key of an event but another body, by first arrival.",
        query=ConflictQuery,
        row_list=ConflictList,
        row=ConflictRow,
    ),
    LedgerResource(
        name="quarantine",
        summary="Authentic bodies that are no usable event, by first arrival.",
        query=QuarantineQuery,
        row_list=QuarantineList,
        row=QuarantineRow,
        reach=Reach.ORGANISATIONS,  # its bodies name no team
    ),
):
    _ledger.register()
