"""The vendor's REST APIs as its OpenAPI description has them: what they accept and reply.

A request may have only what is described. A reply may have more, and any of its values may be null:
the description itself says so of values that it does not call nullable.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

SCHEMAS = files("projector.webex.simulator") / "schemas"
UNPRINTED = 60  # characters of a wrong value that a sentence repeats

JsonSchema = Mapping[str, Any]


class ApiRefusal(Exception):  # noqa: N818 - a signal inside the stand-in
    """A refusal of the vendor's APIs: its HTTP status, its sentences, and more headers."""

    def __init__(
        self, status: int, *sentences: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, *sentences)
        self.status = status
        self.sentences = sentences
        self.headers = headers or {}


class BadRequest(ApiRefusal):
    """A request that is not allowed; its sentences say what is wrong."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(400, *sentences)


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """A call that keeps the description; ``fault`` is what its answer suffers, or empty."""

    in_path: Mapping[str, str]
    parameters: Mapping[str, Any]
    body: Any
    fault: str


ApiReply = tuple[int, Any]  # status, and the JSON of the body; None: no body


class RestOperation:
    """One path and method of the vendor's REST APIs."""

    def __init__(self, described: JsonSchema) -> None:
        parameters = described.get("parameters", ())
        self._query = {it["name"]: it for it in parameters if it["in"] == "query"}
        self._path = {it["name"]: it["schema"] for it in parameters if it["in"] == "path"}
        self._body = _json_schema(described.get("requestBody", {}))
        self._replies = {
            int(status): _json_schema(reply) for status, reply in described["responses"].items()
        }

    @property
    def has_body(self) -> bool:
        return self._body is not None

    def accept(
        self, in_path: Mapping[str, str], query: Mapping[str, str], body: Any, fault: str
    ) -> ApiCall:
        """The call with its values and their defaults; BadRequest where it is not as described.

        ``body`` is the decoded JSON.
        """
        self._check(in_path, body)
        parameters = self._parameters(query)
        return ApiCall(in_path=in_path, parameters=parameters, body=body, fault=fault)

    def _parameters(self, given: Mapping[str, str]) -> dict[str, Any]:
        unknown = given.keys() - self._query.keys()
        if unknown:
            raise BadRequest(f"{', '.join(sorted(unknown))}: no such parameter")
        found: dict[str, Any] = {}
        for name, it in self._query.items():
            if name in given:
                found[name] = _parsed(name, given[name], it["schema"])
            elif it["required"]:
                raise BadRequest(f"{name} is required")
            elif "default" in it["schema"]:
                found[name] = it["schema"]["default"]
        return found

    def _check(self, in_path: Mapping[str, str], body: Any) -> None:
        for name, schema in self._path.items():
            _refuse(_faults(in_path[name], schema, name, is_request=True))
        if self._body is not None:
            _refuse(_faults(body, self._body, "body", is_request=True))

    def reply_faults(self, status: int, reply: Any) -> list[str]:
        """What is wrong with the decoded body of a reply; empty where it is as described."""
        if status not in self._replies:
            return [f"{status} is not described"]
        schema = self._replies[status]
        return [] if schema is None else [*_faults(reply, schema, "reply", is_request=False)]


@cache
def rest_operations() -> dict[tuple[str, str], RestOperation]:
    """All described operations, by method ("GET") and path ("/v2/subscriptions/{id}")."""
    return {
        (method.upper(), path): RestOperation(described)
        for path, methods in _description()["paths"].items()
        for method, described in methods.items()
    }


@cache
def _description() -> Any:
    return json.loads((SCHEMAS / "rest.json").read_text())


def _json_schema(body: JsonSchema) -> JsonSchema | None:
    for content in body.get("content", {}).values():
        schema: JsonSchema | None = content.get("schema")
        return schema
    return None


def _parsed(name: str, text: str, schema: JsonSchema) -> Any:
    """A parameter's text as a value of its schema; the values of a list stand between commas."""
    value: Any = text
    if schema["type"] == "array":
        value = [it for it in text.split(",") if it]
    elif schema["type"] == "integer":
        value = int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) else text
    elif schema["type"] == "boolean":
        value = {"true": True, "false": False}.get(text, text)
    _refuse(_faults(value, schema, name, is_request=True))
    return value


def _refuse(faults: Iterator[str]) -> None:
    if sentences := [*faults]:
        raise BadRequest(*sentences)


def _faults(value: Any, schema: JsonSchema, where: str, *, is_request: bool) -> Iterator[str]:
    """Sentences about what is wrong with a value; ``where`` names it."""
    if "$ref" in schema:
        schema = _description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if value is None and not is_request:
        return
    kind = schema.get("type", "object")
    if not IS_OF_TYPE[kind](value):
        yield f"{where} must be of type {kind}, and is {str(value)[:UNPRINTED]!r}"
        return
    for name, keeps in LIMITS.items():
        if name in schema and not keeps(value, schema[name]):
            yield f"{where} must keep {name} {schema[name]}"
    if kind == "array":
        for number, it in enumerate(value):
            yield from _faults(it, schema["items"], f"{where}[{number}]", is_request=is_request)
    elif kind == "object":
        yield from _object_faults(value, schema, where, is_request=is_request)


def _object_faults(
    value: Mapping[str, Any], schema: JsonSchema, where: str, *, is_request: bool
) -> Iterator[str]:
    properties = schema.get("properties")
    yield from (f"{where}.{it} is required" for it in schema.get("required", ()) if it not in value)
    for name, it in value.items():
        if properties and name in properties:
            yield from _faults(it, properties[name], f"{where}.{name}", is_request=is_request)
        elif properties and is_request:
            yield f"{where}.{name} is not known"


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


IS_OF_TYPE: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
}
LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "enum": lambda value, limit: value in limit,
    "pattern": lambda value, limit: re.search(limit, value) is not None,
    "format": lambda value, limit: limit != "uuid" or _is_uuid(value),
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "uniqueItems": lambda value, limit: not limit or len({*map(str, value)}) == len(value),
}
