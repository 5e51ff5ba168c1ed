"""The document of all routes, made from their declarations and from their models."""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.auth.authorization import Reach
from api.auth.session import SECURE_COOKIE
from api.http.exports import EVENT_STREAM, EXPORT_TYPES, OF_A_PAGE
from api.http.freshness import LAST_EVENT_ID, MIN_POSITION
from api.http.parameters import PATH_NUMBERS, Parameters, allowed_value, repeatable
from api.http.problems import ProblemDocument
from api.http.routing import ROUTES, Route
from projector import __version__

blueprint = Blueprint("openapi", __name__)
_INTRODUCTION = """\
Agents, tasks and events of a Webex Contact Center, from its webhooks.
Names are in camel case, times in epoch milliseconds (UTC). Lists are `{"meta": …, "data": […]}`:
send `meta.nextCursor` as `cursor` for the next page. Errors are problem documents (RFC 9457).
"""
_HEADERS = {
    MIN_POSITION: "Wait, at most 5 s, until the views have reached this position; needs a token.",
    LAST_EVENT_ID: "Go on after the event of this id.",
}
_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of the service."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": "Of the pages, after sign-in. Without TLS the name has the port instead.",
    },
}
_LATER = {
    "description": (
        "Not now: the database does not answer, the views are behind, or as many ask as may."
    ),
    "headers": {
        "Retry-After": {
            "description": "The seconds after which it is worth another try.",
            "schema": {"type": "integer"},
        }
    },
}
_REACHES = {
    Reach.TEAMS: "A token sees what is of its organisations and teams.",
    **{it: f"Needs {it.value}." for it in (Reach.ORGANISATIONS, Reach.EVERYTHING)},
}
_REFERENCE = "#/components/schemas/{model}"


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
            "info": {
                "title": "Webex Contact Center projector",
                "version": __version__,
                "description": _INTRODUCTION,
            },
            "servers": [{"url": "/", "description": "This service."}],
            "tags": [
                {"name": _topic(it), "description": _about(it)}
                for it in dict.fromkeys(route.blueprint for route in ROUTES)
            ],
            "paths": paths,
            "components": {
                "schemas": _answer_schemas() | _parameter_schemas(),
                "securitySchemes": _SECURITY,
            },
        }
    )


def _topic(topic: Blueprint) -> str:
    return "OpenAPI" if topic is blueprint else topic.name.replace("_", " ")


def _about(topic: Blueprint) -> str:
    """What a topic is about: the first line of its file, without the topic's name in front."""
    line = _first_line(sys.modules[topic.import_name])
    name, _, rest = line.partition(": ")
    return (
        rest[:1].upper() + rest[1:]
        if name.casefold().removeprefix("the ") == _topic(topic)
        else line
    )


def _first_line(documented: object) -> str:
    """Of a docstring, as Markdown."""
    return (documented.__doc__ or "").partition("\n")[0].replace("``", "`")


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
        "tags": [_topic(route.blueprint)],
        "summary": route.summary,
        "parameters": [*_path_parameters(path), *_query_parameters(route)],
        "responses": {
            str(route.status): _content(route.content_type, route.answers),
            "503": _content("application/problem+json", ProblemDocument) | _LATER,
            "default": _content("application/problem+json", ProblemDocument),
        },
    }
    if route.export is not None:
        files = {content_type: {"schema": {"type": "string"}} for content_type in EXPORT_TYPES}
        if route.stream is not None:
            files[EVENT_STREAM] = {"schema": {"type": "string"}}
        operation["responses"][str(route.status)]["content"] |= files
    if route.role is not None:
        operation["security"] = [{name: []} for name in _SECURITY]
        operation["description"] = f"Needs the role {route.role.value}. {_REACHES[route.reach]}"
    if route.method in {"post", "put"}:
        schema = {} if route.body is None else {"schema": _described(route.body)}
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


def _described(model: type[Parameters]) -> dict[str, Any]:
    """The schema of a query or a body; each parameter says what is allowed or what it is for."""
    schema = _schema(model)
    for name, property_ in schema.get("properties", {}).items():
        property_.setdefault("description", allowed_value(model, name))
    return schema


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_NUMBERS.get(name, "an id without a slash"),
            "schema": {"type": "integer" if name in PATH_NUMBERS else "string"},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    query = _described(route.query)
    left_out = OF_A_PAGE if route.of_all_rows else ()
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in query.get("required", ()),
            "description": schema.pop("description"),
            "schema": _given(schema),
        }
        | ({"style": "form", "explode": True} if name in repeatable(route.query) else {})
        for name, schema in query.get("properties", {}).items()
        if name not in left_out
    ]
    position = {"type": "string", "pattern": "^[0-9]{1,18}$"}
    headers = [
        {"name": name, "in": "header", "description": _HEADERS[name], "schema": position}
        for name in route.headers
    ]
    others = [
        {"name": name, "in": "header", "schema": {"type": "string"}} for name in route.takes_headers
    ]
    return [*parameters, *headers, *others]


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that is given: null stands for one that is not.

    The title that pydantic makes of the name says nothing more.
    """
    given = [it for it in schema.get("anyOf", ()) if it != {"type": "null"}]
    if len(given) == 1:
        schema = {name: value for name, value in schema.items() if name != "anyOf"} | given[0]
    nothing = {"title": schema.get("title"), "default": None}
    return {name: value for name, value in schema.items() if nothing.get(name, ...) != value}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
