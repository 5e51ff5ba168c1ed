"""The Search API of the stand-in: the vendor's published schema, over raw rows.

What the schema does not have is refused as a whole. Pages and cursors are the vendor's, with their
traps: the cursor of a page of activities is the time of its last row, and the next page has only
rows strictly beyond that time. So rows of one millisecond at the edge of a page are never shown.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, cast
from uuid import uuid4

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLSyntaxError,
    IntValueNode,
    NoSchemaIntrospectionCustomRule,
    ValueNode,
    build_schema,
    execute_sync,
    parse,
    specified_rules,
    validate,
)

from projector.infrastructure.clock import DAY_MS
from projector.webex.simulator.rest_schema import SCHEMAS
from projector.webex.simulator.search_filters import SearchFilter, count_conditions, fits
from projector.webex.simulator.search_selection import (
    SortOrder,
    in_order,
    selection_of,
    value_at,
)
from projector.webex.simulator.vendor_rows import SimulatedRow, VendorRows

LONGEST_SPAN_MS = 365 * DAY_MS
LONGEST_ACTIVITIES_SPAN_MS = 30 * DAY_MS
OLDEST_MS = 1_096 * DAY_MS  # 36 months
SECONDS_BELOW = 100_000_000_000  # a smaller time is in seconds: nothing was then
DEFAULT_INNER, MOST_INNER = 25, 100
MOST_EXTENDED = 2_500  # rows that a filter of activities may look at for its first page
MOST_CONDITIONS = 1_000
FIRST_PAGE = {None, "", "NA"}
RULES = [*specified_rules, NoSchemaIntrospectionCustomRule]

RowChange = Callable[[SimulatedRow], SimulatedRow]


class SearchRefusal(GraphQLError):  # noqa: N818 - a signal inside the stand-in
    """A query that the vendor refuses as a whole, with an HTTP status."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class TimeWindow(NamedTuple):
    """Both ends belong to it."""

    start: int
    end: int

    def has(self, time: object) -> bool:
        return isinstance(time, int) and self.start <= time <= self.end


class SearchAnswer(NamedTuple):
    status: int
    body: SimulatedRow


@dataclass(frozen=True, kw_only=True)
class SearchApi:
    """Answers queries over some rows; ``change`` is applied to each activity.

    ``repeats`` and ``inner_repeats`` are faults: each page is the first one again, of sessions and
    tasks with a new cursor, of activities with the same one.
    """

    rows: VendorRows
    page_size: int
    now: Callable[[], int]
    change: RowChange = lambda row: row
    repeats: bool = False
    inner_repeats: bool = False

    def answer(self, query: Any, variables: Any) -> SearchAnswer:
        """The answer to the text of a query and its variables."""
        try:
            document = parse(query or "")
        except (GraphQLSyntaxError, TypeError) as error:
            return _refused(400, [str(error)])
        if errors := validate(search_schema(), document, RULES):
            return _refused(400, [it.message for it in errors])
        result = execute_sync(
            search_schema(), document, context_value=self, variable_values=variables or {}
        )
        errors = result.errors or []
        for refusal in (it.original_error for it in errors):
            if isinstance(refusal, SearchRefusal):
                return _refused(refusal.status, [refusal.message])
        if result.data is None:
            return _refused(400, [it.message for it in errors])
        return SearchAnswer(200, dict(result.formatted))

    def window(self, asked: Mapping[str, Any], *, has_activities: bool) -> TimeWindow:
        """The times that a query asks for; SearchRefusal where the vendor does not allow them."""
        start, end = asked["from"], min(asked["to"], self.now())
        if asked["to"] < SECONDS_BELOW:
            return TimeWindow(1, 0)
        if start > asked["to"]:
            raise SearchRefusal("from must not be after to")
        if start < self.now() - OLDEST_MS:
            raise SearchRefusal("from must not be older than 36 months")
        longest = LONGEST_ACTIVITIES_SPAN_MS if has_activities else LONGEST_SPAN_MS
        if end - start > longest:
            raise SearchRefusal(f"from and to are more than {longest // DAY_MS} days apart")
        return TimeWindow(start, end)

    def check_extent(
        self, candidates: Sequence[SimulatedRow], trimmed: Callable[[SimulatedRow], object]
    ) -> None:
        """SearchRefusal where a filter of activities finds no whole first page early enough."""
        if len(candidates) > MOST_EXTENDED:
            found = sum(trimmed(it) is not None for it in candidates[:MOST_EXTENDED])
            if found < self.page_size:
                raise SearchRefusal("The query looks at too many records", 413)


def _task_details(_: object, info: GraphQLResolveInfo, **asked: Any) -> SimulatedRow:
    search: SearchApi = info.context
    selection = selection_of(info).under("tasks")
    times = search.window(asked, has_activities=selection.has("activities"))
    compared = asked.get("timeComparator") or "createdTime"
    tasks = [it for it in [*search.rows.tasks.values()] if times.has(it.get(compared))]
    tasks = [it for it in tasks if _passes(it, asked.get("filter"))]
    tasks = in_order(tasks, [*selection.orders()] or [SortOrder(("createdTime",), "desc")])
    number = _page_number(asked)
    if ext_filter := asked.get("extFilter"):
        if number == 0:
            search.check_extent(tasks, lambda it: _trimmed_task(it, ext_filter))
        tasks = [row for it in tasks if (row := _trimmed_task(it, ext_filter)) is not None]
    first = 0 if search.repeats else number * search.page_size
    has_next = search.repeats or len(tasks) > first + search.page_size
    return {
        "tasks": tasks[first : first + search.page_size],
        "pageInfo": _page_info(str(number + 1), has_next=has_next),
    }


def _agent_session(_: object, info: GraphQLResolveInfo, **asked: Any) -> SimulatedRow:
    search: SearchApi = info.context
    selection = selection_of(info).under("agentSessions").under("channelInfo")
    times = search.window(asked, has_activities=selection.has("activities"))
    sessions = [it for it in [*search.rows.sessions] if times.has(it.get("startTime"))]
    sessions = [
        row
        for it in sorted(sessions, key=lambda it: str(it["agentSessionId"]))
        if (row := _trimmed_session(it, asked.get("filter"))) is not None
    ]
    cursor = None if search.repeats else _cursor(asked)
    if ext_filter := asked.get("extFilter"):
        if cursor is None:
            search.check_extent(sessions, lambda it: _trimmed_channels(it, ext_filter))
        sessions = [
            row for it in sessions if (row := _trimmed_channels(it, ext_filter)) is not None
        ]
    rest = [it for it in sessions if cursor is None or it["agentSessionId"] > cursor]
    shown = rest[: search.page_size]
    has_next = search.repeats or len(rest) > len(shown)
    last = str(uuid4()) if search.repeats or not shown else shown[-1]["agentSessionId"]
    return {"agentSessions": shown, "pageInfo": _page_info(last, has_next=has_next)}


def _task_activities(task: SimulatedRow, info: GraphQLResolveInfo, **asked: Any) -> SimulatedRow:
    return _activities(task["activities"], "createdTime", info, **asked)


def _channel_activities(
    channel: SimulatedRow, info: GraphQLResolveInfo, **asked: Any
) -> SimulatedRow:
    return _activities(channel["activities"], "startTime", info, **asked)


def _activities(
    rows: Sequence[SimulatedRow],
    time_field: str,
    info: GraphQLResolveInfo,
    first: int | None = None,
    after: str | None = None,
) -> SimulatedRow:
    """A page of activities: newest first, unless the query sorts them."""
    search: SearchApi = info.context
    size = DEFAULT_INNER if first is None else first
    if not 1 <= size <= MOST_INNER:
        raise SearchRefusal(f"first must be 1 to {MOST_INNER}")
    newest_first = SortOrder((time_field,), "desc")
    orders = [*selection_of(info).under("nodes").orders()] or [newest_first]
    ordered = in_order(rows, orders)
    if after not in FIRST_PAGE and not search.inner_repeats:
        ordered = [*_beyond(ordered, str(after), orders[0])]
    shown = ordered[:size]
    has_next = len(ordered) > size or (search.inner_repeats and bool(shown))
    last = value_at(shown[-1], orders[0].path) if shown else None
    return {
        "totalCount": len(rows),
        "nodes": [search.change(it) for it in shown],
        "pageInfo": _page_info(str(last), has_next=has_next),
    }


def _beyond(rows: Sequence[SimulatedRow], cursor: str, order: SortOrder) -> Iterator[SimulatedRow]:
    """The rows strictly beyond the time of a cursor."""
    if not re.fullmatch(r"-?\d+", cursor, re.ASCII):
        raise SearchRefusal("after is no cursor of activities")
    time = int(cursor)
    for row in rows:
        value = value_at(row, order.path)
        is_ascending = order.direction == "asc"
        if isinstance(value, int) and (value > time if is_ascending else value < time):
            yield row


# --- what passes a filter ---


def _passes(row: SimulatedRow, filter_: SearchFilter | None) -> bool:
    if filter_ is None:
        return True
    if count_conditions(filter_) > MOST_CONDITIONS:
        raise SearchRefusal(f"A filter has more than {MOST_CONDITIONS} arguments")
    try:
        return fits(row, filter_)
    except re.error as error:
        raise SearchRefusal(f"match: {error}") from None


def _trimmed_session(session: SimulatedRow, filter_: SearchFilter | None) -> SimulatedRow | None:
    """A session with those of its channels that pass, each alone; None where none passes."""
    channels = session.get("channelInfo") or []
    passing = [it for it in channels if _passes({**session, "channelInfo": it}, filter_)]
    if not passing and (channels or not _passes(session, filter_)):
        return None
    return {**session, "channelInfo": passing}


def _trimmed_channels(session: SimulatedRow, filter_: SearchFilter) -> SimulatedRow | None:
    """A session with those of its activities that pass; channels without any are left out."""
    channels = [
        {**channel, "activities": rows}
        for channel in session["channelInfo"]
        if (
            rows := [
                it
                for it in channel["activities"]
                if _passes({"channelInfo": {"activities": {"nodes": it}}}, filter_)
            ]
        )
    ]
    return {**session, "channelInfo": channels} if channels else None


def _trimmed_task(task: SimulatedRow, filter_: SearchFilter) -> SimulatedRow | None:
    """A task with those of its activities that pass; None where none passes."""
    rows = [it for it in task["activities"] if _passes({"activities": {"nodes": it}}, filter_)]
    return {**task, "activities": rows} if rows else None


# --- cursors ---


def _cursor(asked: Mapping[str, Any]) -> str | None:
    """The cursor of a query; None for the first page."""
    cursor = (asked.get("pagination") or {}).get("cursor")
    return None if cursor in FIRST_PAGE else str(cursor)


def _page_number(asked: Mapping[str, Any]) -> int:
    cursor = _cursor(asked) or "0"
    if not re.fullmatch(r"\d{1,9}", cursor, re.ASCII):
        raise SearchRefusal("The cursor is not one of taskDetails")
    return int(cursor)


def _page_info(cursor: str, *, has_next: bool) -> SimulatedRow:
    return {"hasNextPage": has_next, "endCursor": cursor if has_next else None}


# --- the schema ---


def _refused(status: int, sentences: Sequence[str]) -> SearchAnswer:
    return SearchAnswer(status, {"errors": [{"message": it} for it in sentences]})


@cache
def search_schema() -> GraphQLSchema:
    """The vendor's schema with our resolvers."""
    schema = build_schema((SCHEMAS / "search.graphql").read_text())
    for (type_, field), resolve in RESOLVERS.items():
        cast(GraphQLObjectType, schema.type_map[type_]).fields[field].resolve = resolve
    long: Any = schema.type_map["Long"]
    long.parse_value, long.parse_literal = _long, _long_literal
    return schema


def _long(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise GraphQLError(f"Long cannot represent {value!r}")
    return value


def _long_literal(node: ValueNode, _variables: Any = None) -> int:
    if not isinstance(node, IntValueNode):
        raise GraphQLError("Long cannot represent a value that is no whole number", node)
    return int(node.value)


RESOLVERS: dict[tuple[str, str], Callable[..., SimulatedRow]] = {
    ("Query", "taskDetails"): _task_details,
    ("Query", "agentSession"): _agent_session,
    ("TaskDetails", "activities"): _task_activities,
    ("AgentSessionChannelInfo", "activities"): _channel_activities,
}
