"""The base of all schemas: camel case in JSON, made from dataclasses or dicts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Shape(BaseModel):
    """A JSON object of the API."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True
    )


Base64 = Annotated[
    bytes,
    PlainSerializer(lambda body: base64.b64encode(body).decode(), return_type=str),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


def to_json(model: BaseModel | Mapping[str, Any]) -> bytes:
    """A model as JSON, in the contract's spelling; bodies in it may nest as deep as is accepted.

    A mapping has that spelling already: rows of which there are very many are no models.
    """
    try:
        if isinstance(model, BaseModel):
            return model.model_dump_json(by_alias=True).encode()
        return orjson.dumps(model)
    except (PydanticSerializationError, orjson.JSONEncodeError):
        # Both stop at 255 levels, and orjson at integers of more than 64 bits.
        text = json.dumps(model, default=_plain, ensure_ascii=False, separators=(",", ":"))
        return text.encode()


def _plain(value: object) -> object:
    """A model or bytes as the JSON encoder takes them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, BaseModel):
        return {
            field.serialization_alias or name: getattr(value, name)
            for name, field in type(value).model_fields.items()
        }
    raise TypeError(f"{type(value).__name__} has no JSON")


def fields_of(value: DataclassInstance) -> dict[str, Any]:
    """The fields of a dataclass by name. The values are not copied."""
    return {name: getattr(value, name) for name in _field_names(type(value))}


@cache
def _field_names(of: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(of))
