"""Names: what people call the vendor's ids. They are for readers, and in no event, fold or view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from pydantic import Field

from projector.contract.base import Shape

NameKind = Literal["agent", "team", "queue", "site", "idleCode", "wrapUpCode", "entryPoint"]
NameSource = Literal["import", "configuration", "rows"]
NAME_KINDS: tuple[NameKind, ...] = get_args(NameKind)
# The fields of answers that hold ids. Of the last one the ids are the keys.
KIND_OF_FIELD: Mapping[str, NameKind] = {
    "agentId": "agent",
    "teamId": "team",
    "queueId": "queue",
    "siteId": "site",
    "idleCodeId": "idleCode",
    "wrapUpAuxCodeId": "wrapUpCode",
    "entryPointId": "entryPoint",
}
IDLE_TIMES = "idleMs"

NamesByKind = Mapping[str, Mapping[str, str]]  # kind to id to name


class NameRow(Shape):
    """The name that counts of an id."""

    org_id: str
    kind: NameKind
    id: str
    name: str
    source: NameSource = Field(
        description="`import`: an operator's word; `configuration`: the vendor's; `rows`: met in"
        " rows that reconciliation read. The first of them counts."
    )
    updated_time: int


class ImportedNames(Shape):
    """How many names of an import were kept, and how many ids no longer have one of it."""

    stored: int
    removed: int


def ids_in(answer: Any) -> Iterator[tuple[NameKind, str]]:
    """The ids in an answer as JSON shows it, however deep, with their kinds; in no order."""
    waiting = [answer]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            for field, value in part.items():
                if isinstance(value, str):
                    kind = KIND_OF_FIELD.get(field)
                    if kind is not None:
                        yield kind, value
                elif field == IDLE_TIMES and isinstance(value, dict):
                    yield from (("idleCode", code) for code in value)
                elif isinstance(value, dict | list):
                    waiting.append(value)
