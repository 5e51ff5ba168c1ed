"""One decorator for every route: what it takes, who may ask, and what it answers.

The rule of this file: validation comes before every other refusal, but for that of a process that
answers too many requests already. ``Route._respond`` leads a request through its four steps:
validate, admit, wait, answer. ``ROUTES`` lists the declarations, so that the OpenAPI document is
made from what the requests really meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import BaseModel

from api.auth.authentication import authenticate, end_stream_with_session, identify
from api.auth.authorization import Reach, require
from api.http import export_files, exports, freshness, naming, trail
from api.http.pagination import require_own_cursor
from api.http.parameters import Parameters, read_body, read_path, read_query
from api.service import service
from projector.contract.base import to_json
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token

Handler = Callable[..., BaseModel | Response]
Answer = BaseModel | Mapping[str, Any] | Response


@dataclass(frozen=True)
class Route:
    """The declaration of a route, and the decorator of the function that handles its requests.

    The function takes what its route has, in this order: the query, the body, the caller's token,
    then by name the parts of the path and ``last_event_id``. It returns the model that is answered
    as JSON, or a response of its own.
    """

    blueprint: Blueprint
    method: Literal["get", "post", "put", "delete"]
    path: str
    _: KW_ONLY
    role: Role | None  # the lowest that may ask; null: everyone may, without a token
    reach: Reach = Reach.TEAMS  # of a route with a role: which tokens may ask
    summary: str
    answers: type[BaseModel]
    query: type[Parameters] = Parameters
    body: type[Parameters] | None = None
    status: int = 200
    location: str | None = None  # the header Location, formatted with the model that is answered
    takes: Sequence[str] = (exports.JSON,)  # content types of the body, for the document
    takes_headers: Sequence[str] = ()  # that the handler reads, for the document
    content_type: str = exports.JSON
    # Takes what the function takes. Then there is a route of the digest, too.
    export: Callable[[Any, Token], exports.Export] | None = None
    of_all_rows: bool = False  # not of a page: ``limit`` and ``cursor`` are refused
    has_threads: bool = False  # of its own, so that it needs no slot of other requests
    # Server-sent events, for a caller who accepts them; then only it takes ``last_event_id``.
    stream: Callable[..., Response] | None = None
    resumes: bool = False  # a stream, which goes on after the header Last-Event-ID

    def __call__(self, handler: Handler) -> Handler:
        ROUTES.append(self)

        def view(**path: str) -> Response:
            slots = service().request_slots
            with nullcontext() if self.has_threads else slots.take():
                response = self._respond(handler, path)
            if response.mimetype == exports.EVENT_STREAM:
                end_stream_with_session(response)
            return response

        endpoint = f"{self.method} {self.path}".replace(".", "_")  # Flask allows no dot
        self.blueprint.add_url_rule(self.path, endpoint, view, methods=[self.method])
        if self.export is not None:
            self._offer_digest(self.export)
        return handler

    @property
    def headers(self) -> tuple[str, ...]:
        """The request headers that name a position; each is optional."""
        waits = (freshness.MIN_POSITION,) if self.method == "get" else ()
        return (*waits, freshness.LAST_EVENT_ID) if self.resumes else waits

    def _respond(self, handler: Handler, path: dict[str, str]) -> Response:
        # Validate, else 400.
        query = read_query(self.query)
        if self.of_all_rows:
            exports.refuse(exports.OF_A_PAGE, "not with a digest: it is of all rows")
        require_own_cursor(query)
        body = None if self.body is None else read_body(self.body)
        min_position = freshness.min_position() if self.method == "get" else None
        last_event_id = freshness.last_event_id() if self.resumes else None
        accepted = exports.JSON
        if self.export is not None:
            accepted = exports.accepted(streams=self.stream is not None)
        named: dict[str, Any] = read_path(path)

        # Admit, else 401 or 403. Where the log ends is only for those who are admitted.
        token = None if self.role is None else self._admit(self.role, body, accepted)
        if self.resumes:
            freshness.require_recorded(last_event_id)

        # Wait for the views, else 503. To wait holds a thread, so nobody unknown may.
        if min_position is not None and token is None:
            authenticate()
        freshness.wait_for(min_position)

        # Answer.
        declared = (query if self.query.model_fields else None, body, token)
        arguments = [value for value in declared if value is not None]
        resumed = {"last_event_id": last_event_id} if self.resumes else {}
        if self.stream is not None and accepted == exports.EVENT_STREAM:
            return self.stream(*arguments, **named, **resumed)
        if self.stream is None:
            named |= resumed
        if self.export is not None and token is not None and accepted != exports.JSON:
            return _file(self.export, query, token, accepted)
        answer = handler(*arguments, **named)
        if token is not None and naming.asks_names(query):
            return self._response(naming.named_answer(answer, query, token))
        return self._response(answer)

    def _admit(self, role: Role, body: BaseModel | None, accepted: str) -> Token:
        """The caller's token; what changes something or takes a file leaves a trail before."""
        caller = identify()
        if self.method != "get" or accepted in exports.EXPORT_TYPES:
            trail.begin(f"{self.method.upper()} {self.path}", caller, body)
        require(caller.token, role, self.reach)
        return caller.token

    def _offer_digest(self, export: Callable[[Any, Token], exports.Export]) -> None:
        def digest(query: Parameters, token: Token) -> Response:
            content_type = exports.accepted()
            if content_type == exports.JSON:
                content_type = exports.NDJSON
            with service().export_slots.take(token):
                whole = naming.with_names(export(query, token), query, token, content_type)
                return json_response(export_files.told_digest(whole, content_type))

        Route(
            self.blueprint,
            "get",
            f"{self.path}/digest",
            role=self.role,
            reach=self.reach,
            summary="Row count and SHA-256 of what the same filters export.",
            answers=exports.Digest,
            query=self.query,
            of_all_rows=True,
        )(digest)

    def _response(self, answer: Answer) -> Response:
        if isinstance(answer, Response):
            return answer
        response = json_response(answer, self.status)
        if self.location is not None:
            response.headers["Location"] = self.location.format(answer)
        if self.export is not None:
            response.vary.add("Accept")
        return response


def _file(
    export: Callable[[Any, Token], exports.Export], query: Parameters, token: Token, accepted: str
) -> Response:
    """The whole file, sent while it holds a slot."""
    slot = service().export_slots.take(token)
    try:
        whole = naming.with_names(export(query, token), query, token, accepted)
        return export_files.respond(slot, whole, accepted)
    except BaseException:
        slot.release()
        raise


ROUTES: list[Route] = []


def json_response(answer: BaseModel | Mapping[str, Any], status: int = 200) -> Response:
    """A model as JSON, in the contract's spelling."""
    return Response(to_json(answer), status=status, content_type=exports.JSON)
