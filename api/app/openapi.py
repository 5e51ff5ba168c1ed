"""The OpenAPI document, made from the declarations of the routes and from their models."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.auth.session import PLAIN_COOKIE, SECURE_COOKIE
from api.http.exports import EVENT_STREAM, EXPORT_TYPES
from api.http.parameters import PATH_NUMBERS, repeatable
from api.http.problems import ProblemDocument
from api.http.routing import ROUTES, Route
from projector import __version__

blueprint = Blueprint("openapi", __name__)
_REFERENCE = "#/components/schemas/{model}"

_SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "token": {"type": "http", "scheme": "bearer"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": f"Without TLS its name is {PLAIN_COOKIE}.",
    },
}


class Document(BaseModel):
    """An OpenAPI 3.1 document."""


@Route(
    blueprint,
    "get",
    "/openapi.json",
    role=None,
    summary="This document.",
    answers=Document,
)
def openapi() -> Response:
    return Response(_document(), content_type="application/json")


@cache
def _document() -> str:
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
                "schemas": _answer_schemas() | _parameter_schemas(),
                "securitySchemes": _SECURITY_SCHEMES,
            },
        }
    )


def _answer_schemas() -> dict[str, Any]:
    models = {route.answers for route in ROUTES} | {ProblemDocument}
    in_order = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "serialization") for model in in_order], by_alias=True, ref_template=_REFERENCE
    )
    definitions: dict[str, Any] = schemas["$defs"]
    return definitions


def _parameter_schemas() -> dict[str, Any]:
    """The types that queries and bodies refer to by name."""
    models = [model for route in ROUTES for model in (route.query, route.body) if model]
    return {
        name: schema for model in models for name, schema in _schema(model).get("$defs", {}).items()
    }


def _operation(route: Route, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [*_path_parameters(path), *_query_parameters(route)],
        "responses": {
            str(route.status): _content(route.content_type, route.answers),
            "default": _content("application/problem+json", ProblemDocument),
        },
    }
    if route.export is not None:
        files = {content_type: {"schema": {"type": "string"}} for content_type in EXPORT_TYPES}
        if route.stream is not None:
            files[EVENT_STREAM] = {"schema": {"type": "string"}}
        operation["responses"][str(route.status)]["content"] |= files
    if route.role is not None:
        operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
    if route.method in {"post", "put"}:
        schema = {} if route.body is None else {"schema": _schema(route.body)}
        content = dict.fromkeys(route.takes, schema)
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _content(content_type: str, model: type[BaseModel]) -> dict[str, Any]:
    reference = _REFERENCE.format(model=model.__name__)
    return {
        "description": (model.__doc__ or model.__name__).strip(),
        "content": {content_type: {"schema": {"$ref": reference}}},
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model that refers to named types among the components."""
    return model.model_json_schema(by_alias=True, ref_template=_REFERENCE)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if name in PATH_NUMBERS else "string"},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    properties = _schema(route.query).get("properties", {})
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        | ({"style": "form", "explode": True} if name in repeatable(route.query) else {})
        for name, schema in properties.items()
    ]
    position = {"type": "string", "pattern": "^[0-9]{1,18}$"}
    headers = [{"name": name, "in": "header", "schema": position} for name in route.headers]
    others = [
        {"name": name, "in": "header", "schema": {"type": "string"}} for name in route.takes_headers
    ]
    return [*parameters, *headers, *others]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
