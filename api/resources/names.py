"""The directory of names: a page or a file of it, and an operator's import."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from flask import Blueprint
from pydantic import AfterValidator, Field, StringConstraints

from api.auth.authorization import Reach, scope_of
from api.http.exports import Export
from api.http.pagination import ListMeta, NameCursor, list_fields
from api.http.parameters import (
    Allowed,
    Limit,
    Names,
    OrganisationQuery,
    Parameters,
    Storable,
    StorableName,
)
from api.http.problems import ParameterError, Problem
from api.http.routing import Route
from api.service import service
from projector.contract.base import Shape
from projector.contract.names import (
    NAME_KINDS,
    ImportedNames,
    NameKind,
    NameRow,
)
from projector.infrastructure.clock import now_ms
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.operations.names import NameEntry
from projector.webex.webhook import NAME_BYTES, name_defect

blueprint = Blueprint("names", __name__)
MOST_NAMES = 10_000  # of one import
LONGEST_GIVEN_NAME = 500  # characters
_KINDS_ALLOWED = Allowed(f"one of {', '.join(NAME_KINDS)}")


def _visible(name: str | None) -> str | None:
    """A name without blanks around it, null where nothing is left."""
    return (name or "").strip() or None


def _sound(text: str) -> str:
    """What can be an id in our tables."""
    if name_defect(text) is not None:
        raise ValueError(text)
    return text


_Id = Annotated[StorableName, AfterValidator(_sound)]


class NamesQuery(OrganisationQuery):
    """A page of the directory."""

    kind: Annotated[tuple[NameKind, ...], _KINDS_ALLOWED] = ()
    id: Names = ()
    limit: Limit = 100
    cursor: NameCursor | None = None


class NameList(Shape):
    meta: ListMeta
    data: list[NameRow]


class NamedId(Parameters):
    """What the operator calls an id; null or empty: as the vendor does."""

    org_id: _Id | None = None
    kind: NameKind
    id: _Id
    name: Annotated[
        Annotated[Storable, StringConstraints(max_length=LONGEST_GIVEN_NAME)] | None,
        AfterValidator(_visible),
    ]


class NamesBody(Parameters):
    """Names to import; those of other ids stay."""

    names: Annotated[
        tuple[NamedId, ...],
        Field(max_length=MOST_NAMES),
        Allowed(
            f"a list of at most {MOST_NAMES} objects with kind ({', '.join(NAME_KINDS)}), id of at"
            f" most {NAME_BYTES} bytes, name of at most {LONGEST_GIVEN_NAME} characters, and orgId"
            " where there is no default one"
        ),
    ]


def _export(query: NamesQuery, token: Token) -> Export:
    rows = service().directory.rows(scope_of(token, query.org_id), kinds=query.kind, ids=query.id)
    return Export(
        name="names",
        model=NameRow,
        rows=rows,
        query=query,
        recorded_to=now_ms(),
        position=service().views.position(),
    )


@Route(
    blueprint,
    "get",
    "/api/v1/names",
    role=Role.VIEWER,
    summary="The directory: what people call the vendor's ids.",
    answers=NameList,
    query=NamesQuery,
    export=_export,
)
def list_names(query: NamesQuery, token: Token) -> NameList:
    rows, last_key = service().directory.page(
        scope_of(token, query.org_id),
        kinds=query.kind,
        ids=query.id,
        after=query.cursor,
        limit=query.limit,
    )
    return NameList.model_construct(**list_fields(rows, last_key, query))


@Route(
    blueprint,
    "put",
    "/api/v1/names",
    role=Role.OPERATOR,
    reach=Reach.ORGANISATIONS,
    summary="Import names: each replaces what the operator called the id before.",
    answers=ImportedNames,
    body=NamesBody,
)
def import_names(body: NamesBody, token: Token) -> ImportedNames:
    default = service().settings.default_org_id
    entries = [
        NameEntry(org_id=it.org_id or default or "", kind=it.kind, id=it.id, name=it.name)
        for it in body.names
    ]
    _require_organisations(token, {it.org_id for it in entries})
    return service().name_store.keep("import", entries)


def _require_organisations(token: Token, org_ids: Collection[str]) -> None:
    if "" in org_ids:
        error = ParameterError(
            parameter="names",
            given="a name without orgId",
            allowed="a list in which each name has an orgId, since PROJECTOR_DEFAULT_ORG_ID is not"
            " set",
        )
        raise Problem(400, "Bad body: a name has no orgId.", errors=[error])
    scope_of(token, sorted(org_ids))
