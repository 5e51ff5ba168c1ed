"""The names that rows of the vendor's APIs have beside ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from projector.contract.names import NameKind
from projector.webex.webhook import name_defect

# Fields of a row with the id and with the name.
_FLAT: Mapping[str, tuple[NameKind, str]] = {
    "agentId": ("agent", "agentName"),
    "teamId": ("team", "teamName"),
    "siteId": ("site", "siteName"),
    "queueId": ("queue", "queueName"),
    "idleCode": ("idleCode", "idleCodeName"),
}
# Fields with an object that has id and name.
_NESTED: Mapping[str, NameKind] = {
    "queue": "queue",
    "idleCode": "idleCode",
    "wrapupCode": "wrapUpCode",
}

NamedRowId = tuple[NameKind, str, str]  # kind, id and name


def names_in(row: Any) -> Iterator[NamedRowId]:
    """The names in a row, however deep; what is no text names nothing."""
    if isinstance(row, list):
        for part in row:
            yield from names_in(part)
    if not isinstance(row, Mapping):
        return
    for field, (kind, name_field) in _FLAT.items():
        yield from named_id(kind, row.get(field), row.get(name_field))
    for field, value in row.items():
        if isinstance(value, Mapping) and field in _NESTED:
            yield from named_id(_NESTED[field], value.get("id"), value.get("name"))
        elif isinstance(value, list | Mapping):
            yield from names_in(value)


def named_id(kind: NameKind, id_: object, name: object) -> Iterator[NamedRowId]:
    """An id with its name; nothing where either is no text of a name's form."""
    if not (isinstance(id_, str) and isinstance(name, str)):
        return
    name = name.strip()
    if id_ and name and name_defect(id_) is None and name_defect(name) is None:
        yield kind, id_, name
