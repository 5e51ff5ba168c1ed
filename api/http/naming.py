"""Names in answers: what people call the ids that an answer has, for a caller who asks ``names``.

Rule: names are added where an answer leaves the house. No view, row or fold knows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from flask import Response
from pydantic import BaseModel

from api.auth.authorization import scope_of
from api.http.exports import CSV, Export, ExportRow
from api.http.parameters import Parameters
from api.service import service
from projector.contract.base import to_json
from projector.contract.names import KIND_OF_FIELD, NAME_KINDS, NameKind, NamesByKind, ids_in
from projector.infrastructure.tokens import Token
from projector.query.scope import Scope


def asks_names(query: Parameters) -> bool:
    """Whether the caller wants names."""
    return getattr(query, "names", None) == "true"


def named_answer(
    answer: BaseModel | Response, query: Parameters, token: Token
) -> Mapping[str, Any] | Response:
    """An answer with ``names``: by kind and id, those of all ids in it."""
    if isinstance(answer, Response):
        return answer
    content = json.loads(to_json(answer))
    names = service().directory.of_ids(_scope(query, token), ids_in(content))
    return {**content, "names": names}


def with_names(export: Export, query: Parameters, token: Token, content_type: str) -> Export:
    """An export whose rows have ``names``, where the caller asks for them.

    CSV has a column for each id that stands in a column. The names are read before the rows, so a
    whole file has those of one moment.
    """
    if not asks_names(query):
        return export
    directory, scope = service().directory, _scope(query, token)
    if content_type != CSV:
        names = directory.of_kinds(scope, NAME_KINDS)
        return replace(export, rows=_with_map(export, names))
    kinds = {field: KIND_OF_FIELD[field] for field in export.columns if field in KIND_OF_FIELD}
    return replace(
        export,
        rows=_with_columns(export, directory.of_kinds(scope, kinds.values()), kinds),
        more_columns=[_column(field) for field in kinds],
    )


def _scope(query: Parameters, token: Token) -> Scope:
    return scope_of(token, getattr(query, "org_id", ()))


def _with_map(export: Export, names: NamesByKind) -> Iterator[ExportRow]:
    for row in _plain_rows(export):
        own: dict[str, dict[str, str]] = {}
        for kind, id_ in ids_in(row):
            if id_ in names.get(kind, ()):
                own.setdefault(kind, {})[id_] = names[kind][id_]
        yield {**row, "names": own}


def _with_columns(
    export: Export, names: NamesByKind, kinds: Mapping[str, NameKind]
) -> Iterator[ExportRow]:
    for row in _plain_rows(export):
        own = {_column(field): names.get(kind, {}).get(row[field]) for field, kind in kinds.items()}
        yield {**row, **own}


def _column(field: str) -> str:
    return f"names.{field}"


def _plain_rows(export: Export) -> Iterator[Mapping[str, Any]]:
    """The rows as JSON shows them."""
    for row in export.rows:
        yield row if isinstance(row, Mapping) else json.loads(to_json(row))
