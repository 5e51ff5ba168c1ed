"""What a caller may give: parameters of the query, parts of the path, fields of a JSON body.

They are declared as models. What does not fit is refused as a whole, and the problem document names
each wrong parameter, what was given and what is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args

from flask import request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
)
from pydantic import ValidationError as PydanticError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from api.http.problems import ParameterError, Problem
from projector.event_log.reader import ReadOrder

MAX_TIME = 2**53 - 1  # epoch ms that JSON readers with double precision still hold exactly
MAX_WINDOW_MS = 7 * 24 * 3_600_000
MAX_POSITION_DIGITS = 18
WHOLE_NUMBER = "a whole number in plain digits"


class Parameters(BaseModel):
    """What a route takes in its query or its body; anything else is refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


@dataclass(frozen=True)
class Allowed:
    """Annotates a type with what is allowed, as a refusal says it."""

    text: str


P = TypeVar("P", bound=Parameters)


def plain_digits(value: Any) -> Any:
    """Nothing but digits: pydantic alone would also take signs, blanks and underscores."""
    if not (isinstance(value, str) and value.isascii() and value.isdigit()):
        raise ValueError(value)
    return value


def _storable(text: str) -> str:
    """No NUL and no lone surrogate: the database has neither."""
    if "\0" in text:
        raise ValueError(text)
    text.encode()
    return text


TIME_ALLOWED = f"epoch milliseconds, {WHOLE_NUMBER} from 0 to {MAX_TIME}"
POSITION_ALLOWED = f"a position, {WHOLE_NUMBER}"

# Of a query, where everything is a text.
Name = Annotated[str, StringConstraints(min_length=1)]
Names = tuple[Name, ...]
Flag = Annotated[str, StringConstraints(pattern="^(true|false)$"), Allowed("true or false")]
Limit = Annotated[
    int,
    Field(ge=1, le=1000),
    BeforeValidator(plain_digits),
    Allowed(f"{WHOLE_NUMBER} from 1 to 1000"),
]
Time = Annotated[
    int, Field(ge=0, le=MAX_TIME), BeforeValidator(plain_digits), Allowed(TIME_ALLOWED)
]
Window = Annotated[
    int,
    Field(ge=1, le=MAX_WINDOW_MS),
    BeforeValidator(plain_digits),
    Allowed(f"milliseconds, {WHOLE_NUMBER} from 1 to {MAX_WINDOW_MS}"),
]
Order = Annotated[ReadOrder, Allowed("created or recorded")]
PositionText = Annotated[
    int, Field(ge=0, lt=2**63), BeforeValidator(plain_digits), Allowed(POSITION_ALLOWED)
]

# Of a body or a cursor: JSON that is stored, or compared with what is stored.
Storable = Annotated[str, AfterValidator(_storable)]
StorableName = Annotated[str, StringConstraints(min_length=1), AfterValidator(_storable)]
StorableNames = Annotated[
    tuple[StorableName, ...], Field(max_length=1_000), Allowed("a list of ids")
]
Reason = Annotated[
    str,
    StringConstraints(max_length=500),
    AfterValidator(_storable),
    Allowed("a text of at most 500 characters"),
]
JsonFlag = Annotated[StrictBool, Allowed("true or false, not as a text")]
StorableTime = Annotated[StrictInt, Field(ge=0, le=MAX_TIME), Allowed(TIME_ALLOWED)]
Position = Annotated[StrictInt, Field(ge=0, lt=2**63)]

# The parts of paths that are numbers, and what is allowed.
PATH_NUMBERS = {
    "position": POSITION_ALLOWED,
    "id": f"the number of a run or of a quarantined body, {WHOLE_NUMBER}",
}


def read_query(model: type[P]) -> P:
    """The parameters of the request's query; Problem 400 names each that is wrong."""
    texts_by_name = request.args.to_dict(flat=False)
    try:
        return model.model_validate(
            {
                name: values if len(values) > 1 or name in repeatable(model) else values[0]
                for name, values in texts_by_name.items()
            }
        )
    except PydanticError as error:
        wrong = dict.fromkeys(str(item["loc"][0]) for item in error.errors())
        raise Problem(
            400,
            f"Bad parameters: {', '.join(wrong)}.",
            errors=[_parameter_error(model, name, texts_by_name.get(name, [])) for name in wrong],
        ) from None


def read_path(parts: Mapping[str, str]) -> dict[str, Any]:
    """The parts of the path by name, with numbers read; Problem 400 where one is no number."""
    return {
        name: _read_number(name, text) if name in PATH_NUMBERS else text
        for name, text in parts.items()
    }


def read_body(model: type[P]) -> P:
    """The request's JSON object; Problem 400 names each field that is wrong."""
    try:
        content = request.get_json(force=True, silent=True)
    except RecursionError:
        raise Problem(400, "The body nests too deep.") from None
    if not isinstance(content, dict):
        raise Problem(400, "The body is no JSON object.")
    try:
        return model.model_validate(content)
    except PydanticError as error:
        wrong: dict[str, Any] = {}
        for item in error.errors():
            name = str((*item["loc"], "body")[0])
            wrong.setdefault(name, _wrong_part(content.get(name), item["loc"]))
        raise Problem(
            400,
            f"Bad body: {', '.join(wrong)}.",
            errors=[
                _parameter_error(model, name, [json.dumps(given)]) for name, given in wrong.items()
            ],
        ) from None


def _wrong_part(given: Any, place: Sequence[int | str]) -> Any:
    """What was given, or of a list of objects the one that is wrong."""
    if len(place) > 2 and isinstance(place[1], int):
        return given[place[1]]
    return given


def is_position(text: str) -> bool:
    """Whether a text is a position, or the number of a run, in plain digits."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_POSITION_DIGITS


def _read_number(name: str, text: str) -> int:
    if not is_position(text):
        error = ParameterError(parameter=name, given=text, allowed=PATH_NUMBERS[name])
        raise Problem(400, f"Bad parameters: {name}.", errors=[error])
    return int(text)


def _parameter_error(model: type[Parameters], name: str, values: list[str]) -> ParameterError:
    fields = _fields(model)
    if name not in fields:
        allowed = f"one of the parameters {', '.join(sorted(fields)) or '(none)'}"
    else:
        allowed = allowed_value(model, name)
        if len(values) > 1 and name not in repeatable(model):
            allowed = f"once, {allowed}"
    return ParameterError(
        parameter=name, given=values[0] if len(values) == 1 else values, allowed=allowed
    )


def allowed_value(model: type[Parameters], name: str) -> str:
    """What the outermost ``Allowed`` of a parameter's type says."""
    field = _fields(model)[name]
    annotations = (*_annotations(field.annotation), *field.metadata)
    texts = [it.text for it in annotations if isinstance(it, Allowed)]
    return texts[-1] if texts else "a text that is not empty"


def _fields(model: type[Parameters]) -> dict[str, FieldInfo]:
    """The fields of a model by their names in requests."""
    return {field.alias or own_name: field for own_name, field in model.model_fields.items()}


def _annotations(type_: Any) -> Iterator[object]:
    """The annotations of the parts of a type, such as those of a union, then its own."""
    for part in get_args(type_):
        yield from _annotations(part)
    yield from getattr(type_, "__metadata__", ())


def repeatable(model: type[Parameters]) -> frozenset[str]:
    """The parameters that may be given several times; any of the values fits then."""
    return frozenset(
        field.alias or own_name
        for own_name, field in model.model_fields.items()
        if Ellipsis in get_args(field.annotation)
    )


def filters(query: Parameters, *, without: Collection[str]) -> dict[str, list[str]]:
    """The filters that were given, by their names in the query, except some fields of the model.

    A NUL becomes the replacement character, as in the views, which the filters are compared with.
    """
    values_by_name = query.model_dump(by_alias=True, exclude={*without})
    return {
        name: [value.replace("\0", "\N{REPLACEMENT CHARACTER}") for value in values]
        for name, values in values_by_name.items()
        if values
    }


class OrganisationQuery(Parameters):
    """The organisations that a read is of; without any, all that the token covers."""

    org_id: Names = ()


class AsOfQuery(Parameters):
    """The two times of a question, both inclusive: what had happened, and what was recorded."""

    at: Time | None = None
    known_at: Time | None = None


class NamedQuery(Parameters):
    """Whether the answer has the names of its ids too."""

    names: Flag = "false"
