"""The base of all schemas: camel case in JSON, made from dataclasses or dicts."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

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


def fields_of(value: DataclassInstance) -> dict[str, Any]:
    """The fields of a dataclass by name. The values are not copied."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
