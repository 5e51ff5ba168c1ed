"""How a read is answered: validated, then admitted, then fresh enough, then from one model.

Validation comes before every other refusal. Each route also leaves here what the OpenAPI document
says of it, so that the document is made from the models that answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel

from api.auth.authorization import admit
from api.http import exports, freshness
from api.http.exports import Export
from api.http.parameters import NUMBERS, Q, Query, read_body, read_number, read_query
from projector.infrastructure.settings import Role, Token

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, kw_only=True)
class Route:
    """What the OpenAPI document says of a route."""

    method: str
    path: str
    summary: str
    answers: type[BaseModel]
    query: type[Query] = Query
    body: type[Query] | None = None  # of a POST; null: the vendor's webhooks
    role: Role | None = None  # null: always open
    status: int = 200
    content_type: str = "application/json"
    exports: bool = False  # also as CSV and NDJSON
    headers: tuple[str, ...] = (freshness.MIN_POSITION,)  # of a GET: positions, each optional


ROUTES: list[Route] = []


def read(  # noqa: PLR0913 - what a route is
    blueprint: Blueprint,
    path: str,
    *,
    summary: str,
    answers: type[BaseModel],
    query: type[Q],
    role: Role = Role.VIEWER,
    export: Callable[[Q, Token], Export] | None = None,
) -> Callable[[Callable[..., BaseModel]], Callable[..., Response]]:
    """Register a GET route; its function takes the query, the caller and the path's parts.

    What it lists may also be had whole, by ``export``.
    """
    ROUTES.append(
        Route(
            method="get",
            path=path,
            summary=summary,
            answers=answers,
            query=query,
            role=role,
            exports=export is not None,
        )
    )

    def register(handler: Callable[..., BaseModel]) -> Callable[..., Response]:
        @wraps(handler)
        def view(**parts: Any) -> Response:
            asked, position = read_query(query), freshness.min_position()
            kind = exports.JSON if export is None else exports.wanted()
            _read_numbers(parts)
            token: Token = admit(role)
            freshness.wait_for(position)
            if export is None:
                return answer(handler(asked, token, **parts))
            if kind == exports.JSON:
                answered = answer(handler(asked, token, **parts))
            else:
                answered = exports.respond(export(asked, token), kind)
            answered.vary.add("Accept")
            return answered

        blueprint.add_url_rule(path, path, view, methods=["GET"])
        return view

    return register


def read_events(  # noqa: PLR0913 - what a route is
    blueprint: Blueprint,
    path: str,
    *,
    summary: str,
    answers: type[BaseModel],
    query: type[Q],
    role: Role = Role.VIEWER,
) -> Callable[[Callable[..., Response]], Callable[[], Response]]:
    """Register a GET route of server-sent events.

    Its function takes the query, the caller and the position to go on from, null: from now on.
    """
    ROUTES.append(
        Route(
            method="get",
            path=path,
            summary=summary,
            answers=answers,
            query=query,
            role=role,
            content_type=EVENT_STREAM,
            headers=(freshness.MIN_POSITION, freshness.LAST_EVENT_ID),
        )
    )

    def register(handler: Callable[..., Response]) -> Callable[[], Response]:
        @wraps(handler)
        def view() -> Response:
            asked, position, last = (
                read_query(query),
                freshness.min_position(),
                freshness.last_event_id(),
            )
            token: Token = admit(role)
            freshness.require_recorded(last)
            freshness.wait_for(position)
            return handler(asked, token, last)

        blueprint.add_url_rule(path, path, view, methods=["GET"])
        return view

    return register


def operate(  # noqa: PLR0913 - what a route is
    blueprint: Blueprint,
    path: str,
    *,
    summary: str,
    answers: type[BaseModel],
    body: type[Q],
    role: Role = Role.OPERATOR,
    location: str | None = None,
) -> Callable[[Callable[..., BaseModel]], Callable[..., Response]]:
    """Register a POST route; its function takes what the JSON body says, and the caller.

    With a ``location`` it begins what takes a while: the answer is 202, and says where that is.
    """
    status = 200 if location is None else 202
    ROUTES.append(
        Route(
            method="post",
            path=path,
            summary=summary,
            answers=answers,
            body=body,
            role=role,
            status=status,
        )
    )

    def register(handler: Callable[..., BaseModel]) -> Callable[..., Response]:
        @wraps(handler)
        def view() -> Response:
            read_query(Query)
            asked = read_body(body)
            model = handler(asked, admit(role))
            answered = answer(model, status)
            if location is not None:
                answered.headers["Location"] = location.format(model)
            return answered

        blueprint.add_url_rule(path, f"post {path}", view, methods=["POST"])
        return view

    return register


def stop(
    blueprint: Blueprint,
    path: str,
    *,
    summary: str,
    answers: type[BaseModel],
    role: Role = Role.OPERATOR,
) -> Callable[[Callable[..., BaseModel]], Callable[..., Response]]:
    """Register a DELETE route, which ends what goes on; its function takes the caller and parts."""
    ROUTES.append(Route(method="delete", path=path, summary=summary, answers=answers, role=role))

    def register(handler: Callable[..., BaseModel]) -> Callable[..., Response]:
        @wraps(handler)
        def view(**parts: Any) -> Response:
            read_query(Query)
            _read_numbers(parts)
            return answer(handler(admit(role), **parts))

        blueprint.add_url_rule(path, f"delete {path}", view, methods=["DELETE"])
        return view

    return register


def _read_numbers(parts: dict[str, Any]) -> None:
    """The parts of a path that are numbers, in place; Problem 400 where one is none."""
    for name in NUMBERS & parts.keys():
        parts[name] = read_number(name, parts[name])


def read_open(
    blueprint: Blueprint, path: str, *, summary: str, answers: type[BaseModel]
) -> Callable[[Callable[[], Response]], Callable[[], Response]]:
    """Register a GET route that needs no token and takes no parameters."""
    ROUTES.append(Route(method="get", path=path, summary=summary, answers=answers))

    def register(handler: Callable[[], Response]) -> Callable[[], Response]:
        @wraps(handler)
        def view() -> Response:
            read_query(Query)
            freshness.wait_for(freshness.min_position())
            return handler()

        blueprint.get(path)(view)
        return view

    return register


def answer(model: BaseModel, status: int = 200) -> Response:
    """A model as JSON, in the contract's spelling."""
    content = model.model_dump_json(by_alias=True)
    return Response(content, status=status, content_type="application/json")
