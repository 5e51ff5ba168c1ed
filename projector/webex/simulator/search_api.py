"""The stand-in's Search API: GraphQL over the records, with the vendor's pages and cursors."""

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

from projector.webex.simulator.api_records import Records, Row

LONGEST_SPAN_MS = 30 * 86_400_000
MOST_INNER = 100
SCHEMA = build_schema("""
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
Change = Callable[[Row], Row]


@dataclass(frozen=True, kw_only=True)
class Search:
    """Answers queries over some records; ``change`` is what a fault makes of each row."""

    records: Records
    page: int
    now: Callable[[], int]
    change: Change = lambda row: row
    is_endless: bool = False

    def answer(self, query: str, variables: dict[str, Any]) -> ExecutionResult:
        """What the API answers, errors included."""
        root = {"agentSession": self._sessions, "taskDetails": self._tasks}
        return graphql_sync(SCHEMA, query, root, variable_values=variables)

    def _sessions(self, _: GraphQLResolveInfo, **asked: Any) -> Row:
        about = asked.get("filter") or {}
        channels = about.pop("channelInfo", {})
        found = [
            {**it, "createdTime": it["startTime"], "endedTime": it["endTime"]}
            for it in [*self.records.sessions]
        ]
        page = self._outer([it for it in found if _fits(it, about)], **asked)
        rows = [
            {**it, "channelInfo": [self._channel(one) for one in it["channelInfo"]]}
            for it in page["rows"]
            if any(_fits(one, channels) for one in it["channelInfo"])
        ]
        return {"agentSessions": rows, "pageInfo": page["pageInfo"]}

    def _channel(self, channel: Row) -> Row:
        return {**channel, "activities": self._inner(channel["activities"], "startTime")}

    def _tasks(self, _: GraphQLResolveInfo, **asked: Any) -> Row:
        found = [*self.records.tasks.values()]
        page = self._outer([it for it in found if _fits(it, asked.get("filter") or {})], **asked)
        rows = [
            {**it, "activities": self._inner(it["activities"], "createdTime")}
            for it in page["rows"]
        ]
        return {"tasks": rows, "pageInfo": page["pageInfo"]}

    def _outer(self, rows: list[Row], **asked: Any) -> Row:
        start, end, compared = int(asked["from"]), int(asked["to"]), asked["timeComparator"]
        end = min(end, self.now())
        if end - start > LONGEST_SPAN_MS:
            raise GraphQLError("The time range is longer than 30 days")
        rows = [it for it in rows if it[compared] is not None and start <= it[compared] <= end]
        cursor = (asked.get("pagination") or {}).get("cursor") or "NA"
        first = 0 if cursor == "NA" else int(cursor)
        return {
            "rows": rows[first : first + self.page],
            "pageInfo": {
                "hasNextPage": self.is_endless or len(rows) > first + self.page,
                "endCursor": "1" if self.is_endless else str(first + self.page),
            },
        }

    def _inner(self, rows: Sequence[Row], field: str) -> Callable[..., Row]:
        """Newest first unless sorted otherwise; a cursor is the time of a page's last row."""

        def page(info: GraphQLResolveInfo, first: int, after: str | None = None) -> Row:
            if not 1 <= first <= MOST_INNER:
                raise GraphQLError(f"first must be 1 to {MOST_INNER}")
            ascending = _is_ascending(info, field)
            ordered = sorted(rows, key=lambda row: row[field], reverse=not ascending)
            if after not in (None, "", "NA"):
                mark = int(after or 0)
                ordered = [
                    it for it in ordered if (it[field] > mark if ascending else it[field] < mark)
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


def _whole_times(rows: Sequence[Row], first: int, field: str) -> int:
    """How many rows a page has: a cursor that is a time must not part rows of one time."""
    size = min(first, len(rows))
    while 0 < size < len(rows) and rows[size - 1][field] == rows[size][field]:
        size -= 1
    return size or min(first, len(rows))


def _fits(row: Row, about: Row) -> bool:
    return all(it is None or row.get(name) == it["equals"] for name, it in about.items())


def _is_ascending(info: GraphQLResolveInfo, field: str) -> bool:
    found = [
        argument.value.value  # type: ignore[attr-defined]
        for node in _fields(info.field_nodes)
        if node.name.value == "nodes"
        for inner in _fields([node])
        if inner.name.value == field
        for argument in inner.arguments
    ]
    return found == ["asc"]


def _fields(nodes: Sequence[FieldNode]) -> list[FieldNode]:
    return [
        it
        for node in nodes
        if node.selection_set
        for it in node.selection_set.selections
        if isinstance(it, FieldNode)
    ]
