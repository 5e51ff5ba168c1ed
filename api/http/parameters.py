"""Query parameters: declared as models, refused with what was given and what is allowed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from flask import request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)
from pydantic import ValidationError as PydanticError
from pydantic.alias_generators import to_camel

from api.http.problems import ParameterError, Problem

LAST_TIME = 2**53 - 1
LONGEST_WINDOW_MS = 7 * 24 * 3_600_000
LONGEST_POSITION = 18  # digits
WHOLE = "a whole number in plain digits"


class Query(BaseModel):
    """The parameters that a route takes; any other is refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)
    ALLOWED: ClassVar[dict[str, str]] = {}  # what may be given, where it is not as everywhere


def _plain_digits(given: Any) -> Any:
    """Nothing but digits: pydantic alone would also take signs, blanks and underscores."""
    if not (isinstance(given, str) and given.isascii() and given.isdigit()):
        raise ValueError(given)
    return given


def _place(given: Any) -> Any:
    """Where a cursor goes on, as ``cursor`` wrote it."""
    try:
        return json.loads(base64.urlsafe_b64decode(given))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise ValueError(given) from None


def _storable(text: str) -> str:
    """No NUL and no lone surrogate: the database has neither."""
    if "\0" in text:
        raise ValueError(text)
    text.encode()
    return text


def cursor(*place: object) -> str:
    """A cursor that goes on after a place."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


_AS_TEXT = WithJsonSchema({"type": "string"})
Name = Annotated[str, StringConstraints(min_length=1)]
Names = tuple[Name, ...]
Flag = Annotated[str, StringConstraints(pattern="^(true|false)$")]
Limit = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_plain_digits)]
Time = Annotated[int, Field(ge=0, le=LAST_TIME), BeforeValidator(_plain_digits)]
Window = Annotated[int, Field(ge=1, le=LONGEST_WINDOW_MS), BeforeValidator(_plain_digits)]
Stored = Annotated[str, AfterValidator(_storable)]
SubjectCursor = Annotated[tuple[Stored, Stored], BeforeValidator(_place), _AS_TEXT]
ParkedCursor = Annotated[tuple[Stored, Stored, Stored], BeforeValidator(_place), _AS_TEXT]
StoredName = Annotated[str, StringConstraints(min_length=1), AfterValidator(_storable)]
StoredNames = Annotated[tuple[StoredName, ...], Field(max_length=1_000)]
Reason = Annotated[str, StringConstraints(max_length=500), AfterValidator(_storable)]
StoredTime = Annotated[StrictInt, Field(ge=0, le=LAST_TIME)]
TimeCursor = Annotated[tuple[StoredTime], BeforeValidator(_place), _AS_TEXT]
Position = Annotated[StrictInt, Field(ge=0, lt=2**63)]
PositionCursor = Annotated[tuple[Position], BeforeValidator(_place), _AS_TEXT]
WholeNumber = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_plain_digits)]
LogCursor = Annotated[
    tuple[Position, StoredTime, StoredTime, Position], BeforeValidator(_place), _AS_TEXT
]
ConflictCursor = Annotated[
    tuple[StoredTime, Stored, Position, Stored], BeforeValidator(_place), _AS_TEXT
]
QuarantineCursor = Annotated[tuple[StoredTime, Position], BeforeValidator(_place), _AS_TEXT]
LedgerCursor = Annotated[
    tuple[StoredTime, Stored, Stored, Stored, Position], BeforeValidator(_place), _AS_TEXT
]

# What may be given instead, by the parameter's name; names of filters take any text.
_ALLOWED = {
    "limit": f"{WHOLE} from 1 to 1000",
    **dict.fromkeys(
        ("at", "knownAt", "from", "to", "recordedFrom", "recordedTo"),
        f"epoch milliseconds, {WHOLE} from 0 to {LAST_TIME}",
    ),
    "window": f"milliseconds, {WHOLE} from 1 to {LONGEST_WINDOW_MS}",
    "cursor": "the nextCursor of the answer before, unchanged",
    **dict.fromkeys(("body", "loggedIn", "open"), "true or false"),
    "order": "created or recorded",
    "origin": "webhook, reconciliation or import",
    "toPosition": f"a position, {WHOLE}",
    **dict.fromkeys(("agentIds", "taskIds"), "a list of ids"),
    **dict.fromkeys(("dryRun", "parked"), "true or false, not as a text"),
    "why": "a text of at most 500 characters",
}

# Parts of paths that are numbers.
NUMBERS_ALLOWED = {"position": f"a position, {WHOLE}", "id": f"the number of a run, {WHOLE}"}
NUMBERS = NUMBERS_ALLOWED.keys()
Q = TypeVar("Q", bound=Query)


def read_query(model: type[Q]) -> Q:
    """The request's parameters; Problem 400 naming each that is wrong."""
    given = request.args.to_dict(flat=False)
    try:
        return model.model_validate(
            {
                name: values if len(values) > 1 or name in repeatable(model) else values[0]
                for name, values in given.items()
            }
        )
    except PydanticError as error:
        wrong = dict.fromkeys(str(item["loc"][0]) for item in error.errors())
        raise Problem(
            400,
            f"Bad parameters: {', '.join(wrong)}.",
            errors=[_error(model, name, given.get(name, [])) for name in wrong],
        ) from None


def read_number(name: str, given: str) -> int:
    """A number in a path; Problem 400 where it is none."""
    if not (given.isascii() and given.isdigit() and len(given) <= LONGEST_POSITION):
        error = ParameterError(parameter=name, given=given, allowed=NUMBERS_ALLOWED[name])
        raise Problem(400, f"Bad parameters: {name}.", errors=[error])
    return int(given)


def read_body(model: type[Q]) -> Q:
    """What the request's JSON object says; Problem 400 naming each part that is wrong."""
    given = request.get_json(force=True, silent=True)
    if not isinstance(given, dict):
        raise Problem(400, "The body is no JSON object.")
    try:
        return model.model_validate(given)
    except PydanticError as error:
        wrong = dict.fromkeys(str((*item["loc"], "body")[0]) for item in error.errors())
        raise Problem(
            400,
            f"Bad body: {', '.join(wrong)}.",
            errors=[_error(model, name, [json.dumps(given.get(name))]) for name in wrong],
        ) from None


def _error(model: type[Query], name: str, values: list[str]) -> ParameterError:
    known = [field.alias or own for own, field in model.model_fields.items()]
    usual = _ALLOWED.get(name, "a text that is not empty")
    allowed = model.ALLOWED.get(name, usual)
    if name not in known:
        allowed = f"one of the parameters {', '.join(sorted(known)) or '(none)'}"
    elif len(values) > 1 and name not in repeatable(model):
        allowed = f"once, {allowed}"
    return ParameterError(
        parameter=name, given=values[0] if len(values) == 1 else values, allowed=allowed
    )


def repeatable(model: type[Query]) -> frozenset[str]:
    """The parameters that may be given several times; any of the values fits then."""
    return frozenset(
        field.alias or own
        for own, field in model.model_fields.items()
        if Ellipsis in get_args(field.annotation)
    )


def filters(query: Query, *, without: Collection[str]) -> dict[str, list[str]]:
    """The filters that were given, by name, as values are shown: no NUL is."""
    given = query.model_dump(by_alias=True, exclude={*without})
    return {
        name: [value.replace("\0", "\N{REPLACEMENT CHARACTER}") for value in values]
        for name, values in given.items()
        if values
    }


class AsOfQuery(Query):
    """The two times of a question: what had happened, and when we knew; both inclusive."""

    at: Time | None = None
    known_at: Time | None = None


class ListQuery(AsOfQuery):
    """What every list of views takes."""

    org_id: Names = ()
    limit: Limit = 100
    cursor: SubjectCursor | None = None


class OneQuery(Query):
    """What every single subject takes."""

    org_id: Names = ()
