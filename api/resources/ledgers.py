"""The ledgers: what was odd about the events, what late ones changed, and what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from flask import Blueprint
from pydantic import BaseModel, Field

from api.auth.authorization import scope_of
from api.http.exports import Export
from api.http.pagination import ListMeta, envelope
from api.http.parameters import (
    ConflictCursor,
    LedgerCursor,
    Limit,
    Names,
    OneQuery,
    QuarantineCursor,
    Time,
)
from api.http.routing import read
from api.service import service
from projector.contract.schemas import AnomalyRow, ConflictRow, CorrectionRow, QuarantineRow, Shape
from projector.infrastructure.settings import Token
from projector.query.audit.ledgers import LedgerQuestion, Place
from projector.query.scope import Scope

blueprint = Blueprint("ledgers", __name__)
EXPORTED_TOGETHER = 1_000  # rows that are read at a time


class LedgerQuery(OneQuery):
    """Rows of any of the subjects named, whose time overlaps ``[from, to)``."""

    agent_id: Names = ()
    task_id: Names = ()
    from_: Time = Field(default=0, alias="from")
    to: Time | None = None
    limit: Limit = 100


class SubjectLedgerQuery(LedgerQuery):
    cursor: LedgerCursor | None = None


class ConflictQuery(LedgerQuery):
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


def _register(
    name: str, summary: str, query: type[LedgerQuery], answers: type[Shape], row: type[Shape]
) -> None:
    """The route of one ledger, as pages and as an export."""

    def ledger() -> Callable[[Scope, LedgerQuestion], tuple[Sequence[Shape], Place | None]]:
        return getattr(service().ledgers, name)  # type: ignore[no-any-return]

    def page(query: LedgerQuery, token: Token) -> BaseModel:
        asked = _question(query, limit=query.limit)
        rows, place = ledger()(scope_of(token, query.org_id), asked)
        return answers.model_construct(**envelope(rows, place))

    def export(query: LedgerQuery, token: Token) -> Export:
        store, ask = service().store, ledger()
        position = service().views.position()
        scope, asked = scope_of(token, query.org_id), _question(query, limit=EXPORTED_TOGETHER)

        def rows() -> Iterator[Shape]:
            place: Place | None = ()
            while place is not None:
                found, place = ask(scope, replace(asked, after=place or None))
                yield from found

        return Export(
            name=name,
            model=row,
            rows=rows(),
            query=query,
            recorded_to=store.recorded_at(position),
            position=position,
        )

    path = f"/api/v1/{name}"
    serve = read(blueprint, path, summary=summary, answers=answers, query=query, export=export)
    serve(page)


def _question(query: LedgerQuery, *, limit: int) -> LedgerQuestion:
    return LedgerQuestion(
        agent_ids=query.agent_id,
        task_ids=query.task_id,
        start=query.from_,
        end=query.to,
        after=getattr(query, "cursor", None),
        limit=limit,
    )


_register(
    "anomalies",
    "Steps that were not expected, by time.",
    SubjectLedgerQuery,
    AnomalyList,
    AnomalyRow,
)
_register(
    "corrections",
    "What late events changed of what had been shown, by the time that they change.",
    SubjectLedgerQuery,
    CorrectionList,
    CorrectionRow,
)
_register(
    "conflicts",
    "Bodies that say something else under the key of an event, by when they first came.",
    ConflictQuery,
    ConflictList,
    ConflictRow,
)
_register(
    "quarantine",
    "Authentic bodies that make no event, by when they first came.",
    QuarantineQuery,
    QuarantineList,
    QuarantineRow,
)
