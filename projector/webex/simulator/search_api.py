"""The Search API of the stand-in: GraphQL over the records, with the vendor's pages and cursors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    build_schema,
    graphql_sync,
)

from projector.webex.simulator.vendor_rows import SimulatedRow, VendorRows

LONGEST_SPAN_MS = 30 * 86_400_000
MOST_INNER = 100
SEARCH_SCHEMA = build_schema("""
    scalar Long
    enum TimeComparator { createdTime endedTime }
    enum Sort { asc desc }
    input Is { equals: String }
    input Page { cursor: String }
    input TaskFilter { id: Is channelType: Is }
    input ChannelFilter { channelId: Is channelType: Is }
    input SessionFilter { agentId: Is agentSessionId: Is teamId: Is channelInfo: ChannelFilter }
    type PageInfo { hasNextPage: Boolean! endCursor: String }
    type Named { id: String name: String }
    type AgentActivity {
        id: String startTime(sort: Sort): Long endTime: Long duration: Long state: String
        idleCode: Named taskId: String queue: Named wrapupCode: Named isOutdial: Boolean
        outboundType: String isCurrentActivity: Boolean isLoginActivity: Boolean
        isLogoutActivity: Boolean changedById: String changedByName: String
        contactAssignmentType: String
    }
    type AgentActivities { totalCount: Int nodes: [AgentActivity] pageInfo: PageInfo }
    type Channel {
        channelId: String channelType: String subChannelType: String
        activities(first: Int = 25, after: String): AgentActivities
    }
    type AgentSession {
        agentSessionId: String agentId: String teamId: String siteId: String startTime: Long
        endTime: Long isActive: Boolean channelInfo: [Channel]
    }
    type AgentSessions { agentSessions: [AgentSession] pageInfo: PageInfo }
    type TaskActivity {
        id: String eventName: String previousState: String nextState: String
        createdTime(sort: Sort): Long endedTime: Long duration: Long agentId: String
        agentSessionId: String agentChannelId: String queueId: String entrypointId: String
        teamId: String transferType: String destinationAgentId: String
        destinationQueueId: String childContactId: String childContactType: String
        terminationReason: String lastActivityTime: Long
    }
    type TaskActivities { totalCount: Int nodes: [TaskActivity] pageInfo: PageInfo }
    type Task {
        id: String channelType: String channelSubType: String origin: String destination: String
        direction: String status: String createdTime: Long endedTime: Long isActive: Boolean
        terminationReason: String terminatingEnd: String lastQueue: Named lastAgent: Named
        isCallback: Boolean isContactHandled: Boolean captureRequested: Boolean
        lastActivityTime: Long activities(first: Int = 25, after: String): TaskActivities
    }
    type Tasks { tasks: [Task] pageInfo: PageInfo }
    type Query {
        agentSession(from: Long!, to: Long!, timeComparator: TimeComparator = createdTime,
            filter: SessionFilter, pagination: Page): AgentSessions
        taskDetails(from: Long!, to: Long!, timeComparator: TimeComparator = createdTime,
            filter: TaskFilter, pagination: Page): Tasks
    }
""")
RowChange = Callable[[SimulatedRow], SimulatedRow]


@dataclass(frozen=True, kw_only=True)
class SearchApi:
    """Answers queries over some records; ``change`` makes the faults in each row."""

    records: VendorRows
    page: int
    now: Callable[[], int]
    change: RowChange = lambda row: row
    is_endless: bool = False

    def answer(self, query: str, variables: dict[str, Any]) -> ExecutionResult:
        """The answer to a query, or its errors."""
        root = {"agentSession": self._sessions, "taskDetails": self._tasks}
        return graphql_sync(SEARCH_SCHEMA, query, root, variable_values=variables)

    def _sessions(self, _: GraphQLResolveInfo, **arguments: Any) -> SimulatedRow:
        filter_ = arguments.get("filter") or {}
        channel_filter = filter_.pop("channelInfo", {})
        sessions = [
            {**it, "createdTime": it["startTime"], "endedTime": it["endTime"]}
            for it in [*self.records.sessions]
        ]
        page = self._page([it for it in sessions if _fits(it, filter_)], **arguments)
        rows = [
            {**it, "channelInfo": [self._channel(channel) for channel in it["channelInfo"]]}
            for it in page["rows"]
            if any(_fits(channel, channel_filter) for channel in it["channelInfo"])
        ]
        return {"agentSessions": rows, "pageInfo": page["pageInfo"]}

    def _channel(self, channel: SimulatedRow) -> SimulatedRow:
        return {**channel, "activities": self._activities(channel["activities"], "startTime")}

    def _tasks(self, _: GraphQLResolveInfo, **arguments: Any) -> SimulatedRow:
        filter_ = arguments.get("filter") or {}
        tasks = [it for it in [*self.records.tasks.values()] if _fits(it, filter_)]
        page = self._page(tasks, **arguments)
        rows = [
            {**it, "activities": self._activities(it["activities"], "createdTime")}
            for it in page["rows"]
        ]
        return {"tasks": rows, "pageInfo": page["pageInfo"]}

    def _page(self, rows: list[SimulatedRow], **arguments: Any) -> SimulatedRow:
        start, end, compared_time = (
            int(arguments["from"]),
            int(arguments["to"]),
            arguments["timeComparator"],
        )
        end = min(end, self.now())
        if end - start > LONGEST_SPAN_MS:
            raise GraphQLError("The time range is longer than 30 days")
        rows = [
            it for it in rows if it[compared_time] is not None and start <= it[compared_time] <= end
        ]
        cursor = (arguments.get("pagination") or {}).get("cursor") or "NA"
        first = 0 if cursor == "NA" else int(cursor)
        return {
            "rows": rows[first : first + self.page],
            "pageInfo": {
                "hasNextPage": self.is_endless or len(rows) > first + self.page,
                "endCursor": "1" if self.is_endless else str(first + self.page),
            },
        }

    def _activities(self, rows: Sequence[SimulatedRow], field: str) -> Callable[..., SimulatedRow]:
        """A page of activities, newest first unless the query sorts; its cursor is a row's time."""

        def page(info: GraphQLResolveInfo, first: int, after: str | None = None) -> SimulatedRow:
            if not 1 <= first <= MOST_INNER:
                raise GraphQLError(f"first must be 1 to {MOST_INNER}")
            ascending = _is_ascending(info, field)
            ordered = sorted(rows, key=lambda row: row[field], reverse=not ascending)
            if after not in (None, "", "NA"):
                cursor = int(after or 0)
                ordered = [
                    it
                    for it in ordered
                    if (it[field] > cursor if ascending else it[field] < cursor)
                ]
            size = _whole_times(ordered, first, field)
            cut = ordered[:size]
            return {
                "totalCount": len(rows),
                "nodes": [self.change(it) for it in cut],
                "pageInfo": {
                    "hasNextPage": len(ordered) > size,
                    "endCursor": str(cut[-1][field]) if cut else None,
                },
            }

        return page


def _whole_times(rows: Sequence[SimulatedRow], first: int, field: str) -> int:
    """The size of a page: its cursor is a time, so rows of one time are on one page."""
    size = min(first, len(rows))
    while 0 < size < len(rows) and rows[size - 1][field] == rows[size][field]:
        size -= 1
    return size or min(first, len(rows))


def _fits(row: SimulatedRow, filter_: SimulatedRow) -> bool:
    return all(it is None or row.get(name) == it["equals"] for name, it in filter_.items())


def _is_ascending(info: GraphQLResolveInfo, field: str) -> bool:
    orders = [
        argument.value.value  # type: ignore[attr-defined]
        for node in _fields(info.field_nodes)
        if node.name.value == "nodes"
        for inner in _fields([node])
        if inner.name.value == field
        for argument in inner.arguments
    ]
    return orders == ["asc"]


def _fields(nodes: Sequence[FieldNode]) -> list[FieldNode]:
    return [
        it
        for node in nodes
        if node.selection_set
        for it in node.selection_set.selections
        if isinstance(it, FieldNode)
    ]
