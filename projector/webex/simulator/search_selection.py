"""What a query of the Search API selects, and the order of rows that it asks for."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLResolveInfo,
    get_argument_values,
    get_named_type,
)
from graphql.execution.collect_fields import collect_sub_fields

from projector.webex.simulator.vendor_rows import SimulatedRow


class SortOrder(NamedTuple):
    """A field by its path of names, and "asc" or "desc"."""

    path: tuple[str, ...]
    direction: str


class FieldSelection(NamedTuple):
    """Where a query selects fields of one type; they may stand in fragments."""

    info: GraphQLResolveInfo
    type: GraphQLObjectType
    nodes: list[FieldNode]

    def under(self, name: str) -> "FieldSelection":
        """What is selected of a field, which may have other names in the answer."""
        found = [node for fields in self._by_name() for node in fields if node.name.value == name]
        return FieldSelection(self.info, _object_type(self.type.fields[name].type), found)

    def has(self, name: str) -> bool:
        """Whether a field is selected."""
        return bool(self.under(name).nodes)

    def orders(self, path: tuple[str, ...] = ()) -> Iterator[SortOrder]:
        """How the fields sort rows, those of nested objects too; the most important one first."""
        for fields in self._by_name():
            name = fields[0].name.value
            field = self.type.fields.get(name)
            if field is None:
                continue
            asked = get_argument_values(field, fields[0], self.info.variable_values)
            if asked.get("sort"):
                yield SortOrder((*path, name), asked["sort"])
            if isinstance(field.type, GraphQLObjectType):
                yield from FieldSelection(self.info, field.type, fields).orders((*path, name))

    def _by_name(self) -> Iterable[list[FieldNode]]:
        return collect_sub_fields(
            self.info.schema,
            self.info.fragments,
            self.info.variable_values,
            self.type,
            self.nodes,
        ).values()


def selection_of(info: GraphQLResolveInfo) -> FieldSelection:
    """What is selected of the field that is resolved now."""
    return FieldSelection(info, _object_type(info.return_type), info.field_nodes)


def in_order(rows: Sequence[SimulatedRow], orders: Sequence[SortOrder]) -> list[SimulatedRow]:
    """Rows as some orders, at least one, want them; null is less than any value."""
    # Rows of one time come in opposite orders, too.
    ordered = [*rows] if orders[0].direction == "asc" else [*reversed(rows)]
    for path, direction in reversed(orders):
        ordered.sort(key=partial(_sort_key, path), reverse=direction == "desc")
    return ordered


def value_at(row: SimulatedRow, path: tuple[str, ...]) -> Any:
    """The value of a field by its path of names."""
    value: Any = row
    for name in path:
        value = (value or {}).get(name)
    return value


def _sort_key(path: tuple[str, ...], row: SimulatedRow) -> tuple[bool, float, str]:
    value = value_at(row, path)
    number = value if isinstance(value, int | float) else 0
    return value is not None, number, str(value)


def _object_type(type_: Any) -> GraphQLObjectType:
    """The type of a field, or of the rows that a field is a list of."""
    return cast(GraphQLObjectType, get_named_type(type_))
