"""Filters of the stand-in's Search API: `and`, `or`, and operators on the fields of a row.

Pure. A filter has the shape of the row that it is asked of: nested objects under their names. A
list fits where any of its elements fits.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from projector.webex.simulator.vendor_rows import SimulatedRow

SearchFilter = Mapping[str, Any]


def fits(row: SimulatedRow, filter_: SearchFilter) -> bool:
    """Whether a row passes a filter; all of its conditions must hold. An empty one lets all pass.

    Raises re.error for a pattern that is none.
    """
    return all(_holds(row, name, condition) for name, condition in filter_.items())


def count_conditions(filter_: Any) -> int:
    """How many operators a filter has."""
    if isinstance(filter_, list):
        return sum(map(count_conditions, filter_))
    if not isinstance(filter_, Mapping):
        return 0
    return sum(1 if name in OPERATORS else count_conditions(it) for name, it in filter_.items())


def _holds(row: SimulatedRow, name: str, condition: Any) -> bool:
    if condition is None:
        return True
    if name == "and":
        return all(fits(row, it) for it in condition)
    if name == "or":
        return any(fits(row, it) for it in condition)
    value = row.get(name)
    if condition.keys() <= OPERATORS.keys():
        return all(OPERATORS[it](value, limit) for it, limit in condition.items())
    if isinstance(value, list):
        return any(fits(it, condition) for it in value)
    return fits(value or {}, condition)


def _matches(value: Any, pattern: Any) -> bool:
    """Whether a pattern fits the whole text. The samples write "+1.+": that plus is a character."""
    pattern = re.sub(r"^[+*?]", r"\\\g<0>", pattern)
    return value is not None and re.fullmatch(pattern, str(value)) is not None


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda value, limit: value == limit,
    "notequals": lambda value, limit: value != limit,
    "gt": lambda value, limit: value is not None and value > limit,
    "gte": lambda value, limit: value is not None and value >= limit,
    "lt": lambda value, limit: value is not None and value < limit,
    "lte": lambda value, limit: value is not None and value <= limit,
    "match": _matches,
    "contains": lambda value, limit: value is not None and limit in str(value),
}
