"""What can go wrong with the vendor's APIs: the faults that the stand-in makes on demand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from projector.webex.simulator.vendor_rows import SimulatedRow

# What a call is refused with, whatever it asks for: the status and the sentences.
REFUSALS: dict[str, tuple[int, tuple[str, ...]]] = {
    "400": (400, ("The request is not valid", "Nothing of it was read")),
    "401": (401, ("The token is expired or not valid",)),
    "403": (403, ("The token has no access to this API",)),
    "413": (413, ("The answer is too large",)),
    "422": (422, ()),
    "429": (429, ("Too many requests",)),
    "500": (500, ("An unexpected error occurred",)),
}
# "400-errors" is a refusal in the other form of the Search API. "expired" also makes the token
# useless. "slow" only waits. "truncated" sends half of the body, and "cut" nothing. "repeat-pages"
# and "repeat-inner" return the first page again and again.
OTHER_FAULTS = {
    *("400-errors", "expired", "slow", "truncated", "cut"),
    *("repeat-pages", "repeat-inner"),
}


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong.

    ``plan`` names the fault of a call by its number, from 1. ``every`` names the fault of every
    n-th call. ``rows`` is wrong with all rows. ``retry_after`` is what a 429 says, as seconds or
    as a date; None leaves it out.
    """

    plan: Mapping[int, str] = field(default_factory=dict)
    every: Mapping[int, str] = field(default_factory=dict)
    rows: str = ""  # of ROW_FAULTS, or "endless", "foreign"
    slow_seconds: float = 1.0
    retry_after: int | str | None = 0

    def __post_init__(self) -> None:
        known = {*REFUSALS, *OTHER_FAULTS, *REPLY_FAULTS}
        if unknown := {*self.plan.values(), *self.every.values()} - known:
            raise ValueError(f"No such fault of a call: {', '.join(sorted(unknown))}")
        if self.rows not in {"", "endless", "foreign", *ROW_FAULTS}:
            raise ValueError(f"No such fault of rows: {self.rows}")

    def of(self, call: int) -> str:
        """The fault of a call by its number; empty where it has none."""
        periodic = (name for number, name in self.every.items() if call % number == 0)
        return self.plan.get(call) or next(periodic, "")

    def change_row(self, row: SimulatedRow) -> SimulatedRow:
        """A row as these faults leave it."""
        change = ROW_FAULTS.get(self.rows)
        return row if change is None else change(row)


def _nulled(*names: str) -> Callable[[Any], Any]:
    """A change of a reply: the values of these names are null, wherever they stand."""

    def change(value: Any) -> Any:
        if isinstance(value, list):
            return [change(it) for it in value]
        if isinstance(value, dict):
            return {name: None if name in names else change(it) for name, it in value.items()}
        return value

    return change


def _with_fewer_nodes(value: Any) -> Any:
    """One row less in each list of activities; its total count stays."""
    if isinstance(value, list):
        return [_with_fewer_nodes(it) for it in value]
    if isinstance(value, dict):
        return {
            name: it[:-1] if name == "nodes" and isinstance(it, list) else _with_fewer_nodes(it)
            for name, it in value.items()
        }
    return value


def _with_errors(reply: SimulatedRow) -> SimulatedRow:
    return reply | {"errors": [{"message": "A part of the data could not be read"}]}


def endless(reply: SimulatedRow) -> SimulatedRow:
    """Each page leads to one and the same cursor."""
    data = {
        name: {**it, "pageInfo": {"hasNextPage": True, "endCursor": "1"}}
        for name, it in (reply.get("data") or {}).items()
    }
    return {**reply, "data": data}


# What is wrong with the JSON of a good reply. The last two are for the Search API.
REPLY_FAULTS: dict[str, Callable[[SimulatedRow], SimulatedRow]] = {
    "null-nodes": _nulled("nodes"),
    "null-activities": _nulled("activities"),
    "null-channels": _nulled("channelInfo"),
    "null-rows": _nulled("agentSessions", "tasks"),
    "null-data": lambda reply: {**reply, "data": None},
    "null-page-info": _nulled("pageInfo"),
    "fewer-rows": _with_fewer_nodes,
    "errors": _with_errors,
    "endless": endless,
}
# What is wrong with a row: an activity of an agent or of a task, or a task of the tasks API.
ROW_FAULTS: dict[str, Callable[[SimulatedRow], SimulatedRow]] = {
    "seconds": lambda row: {
        name: value // 1_000 if name.endswith("Time") and value else value
        for name, value in row.items()
    },
    "missing": lambda row: {
        name: None if name in {"startTime", "createdTime", "agentId"} else value
        for name, value in row.items()
    },
    "strange": lambda row: {
        name: "supervising" if name in {"state", "currentState", "eventName"} else value
        for name, value in row.items()
    },
}
