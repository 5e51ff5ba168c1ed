"""The OpenAPI document, made from the models that answer."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.http.exports import KINDS
from api.http.parameters import repeatable
from api.http.problems import ProblemDocument
from api.http.routing import ROUTES, Route, read_open
from projector import __version__

blueprint = Blueprint("openapi", __name__)
_REFERENCE = "#/components/schemas/{model}"


class Document(BaseModel):
    """An OpenAPI 3.1 document."""


@read_open(blueprint, "/openapi.json", summary="This document.", answers=Document)
def openapi() -> Response:
    return Response(_document(), content_type="application/json")


@cache
def _document() -> str:
    models = {route.answers for route in ROUTES} | {ProblemDocument}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "serialization") for model in ordered], by_alias=True, ref_template=_REFERENCE
    )
    taken = [model for route in ROUTES for model in (route.query, route.body) if model]
    named = {name: schema for it in taken for name, schema in _schema(it).get("$defs", {}).items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: f"{{{_camel(match[1])}}}", route.path)
        paths.setdefault(path, {})[route.method] = _operation(route, path)
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Webex Contact Center projector", "version": __version__},
            "paths": paths,
            "components": {
                "schemas": schemas["$defs"] | named,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(route: Route, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [*_path_parameters(path), *_query_parameters(route)],
        "responses": {
            str(route.status): _content(route.content_type, route.answers),
            "default": _content("application/problem+json", ProblemDocument),
        },
    }
    if route.exports:
        whole = {kind: {"schema": {"type": "string"}} for kind in KINDS}
        operation["responses"][str(route.status)]["content"] |= whole
    if route.role is not None:
        operation["security"] = [{"token": []}]
    if route.method == "post":
        schema = {} if route.body is None else {"schema": _schema(route.body)}
        operation["requestBody"] = {"required": True, "content": {"application/json": schema}}
    return operation


def _content(kind: str, model: type[BaseModel]) -> dict[str, Any]:
    reference = _REFERENCE.format(model=model.__name__)
    return {
        "description": (model.__doc__ or model.__name__).strip(),
        "content": {kind: {"schema": {"$ref": reference}}},
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a model takes; what it names stands among the components."""
    return model.model_json_schema(by_alias=True, ref_template=_REFERENCE)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if name in {"position", "id"} else "string"},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.method != "get":
        return []
    properties = _schema(route.query).get("properties", {})
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        | ({"style": "form", "explode": True} if name in repeatable(route.query) else {})
        for name, schema in properties.items()
    ]
    position = {"type": "string", "pattern": "^[0-9]{1,18}$"}
    headers = [{"name": name, "in": "header", "schema": position} for name in route.headers]
    return [*parameters, *headers]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
