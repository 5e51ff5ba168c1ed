"""Queries of the vendor's APIs: all rows of a time window, page by page, within the limits.

Rule: no row of a window is missed unnoticed. A window is halved until the vendor cannot cut its
answer short, and a cursor that does not move on is an error. The vendor compares a window with the
times of a whole session or task. So what began before the window and still ran in it is read too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from projector.infrastructure.clock import DAY_MS
from projector.infrastructure.errors import ProjectorError
from projector.webex.api_client import ApiClient

ACTIVITIES_SPAN_MS = DAY_MS - 2  # less than a day, also with a millisecond more on both sides
ACTIVITIES_ROWS = 10_000  # of one window; the vendor returns no more of them
ACTIVITIES_PAGE = 1_000
AGENTS_A_CALL = 100
SEARCH_SPAN_MS = 30 * DAY_MS
LOOK_BACK_MS = DAY_MS  # how long before a window a session or a task may have begun
TASKS_PAGE = 1_000
TASKS_A_CAPTURE = 10
MOST_PAGES = 10_000

ApiRow = Mapping[str, Any]


class EndlessPages(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor's pages do not come to an end."""


class ForeignOrganisation(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor answers for another organisation."""


class UnexpectedAnswer(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor's answer has another shape than its documentation says."""


class ApiQueries:
    """Reads the vendor's rows of one organisation.

    Times are epoch ms, windows ``[start, end)``. A method may raise EndlessPages,
    ForeignOrganisation, UnexpectedAnswer and whatever ``ApiClient`` raises.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._org = client.org_id

    def agent_activities(
        self, start: int, end: int, agent_ids: Sequence[str] = ()
    ) -> Iterator[list[Any]]:
        """Pages of what agents did, for activities that began in a window."""
        if end - start > ACTIVITIES_SPAN_MS:
            for since in range(start, end, ACTIVITIES_SPAN_MS):
                yield from self.agent_activities(
                    since, min(end, since + ACTIVITIES_SPAN_MS), agent_ids
                )
            return
        groups: list[Sequence[str]] = [
            agent_ids[first : first + AGENTS_A_CALL]
            for first in range(0, len(agent_ids), AGENTS_A_CALL)
        ]
        for group in groups or [()]:
            yield from self._activities(start, end, group)

    def _activities(self, start: int, end: int, agent_ids: Sequence[str]) -> Iterator[list[Any]]:
        # All pages are read before any is returned, since a full window is read again in halves.
        pages: list[list[Any]] = []
        for page in range(ACTIVITIES_ROWS // ACTIVITIES_PAGE):
            rows = self._activities_page(start, end, agent_ids, page)
            pages.append(rows)
            if len(rows) < ACTIVITIES_PAGE:
                yield from pages
                return
        if end - start <= 1:
            raise EndlessPages(
                f"More than {ACTIVITIES_ROWS} activities of one millisecond ({start}): the vendor"
                " returns no more of them."
            )
        middle = (start + end) // 2
        yield from self._activities(start, middle, agent_ids)
        yield from self._activities(middle, end, agent_ids)

    def _activities_page(
        self, start: int, end: int, agent_ids: Sequence[str], page: int
    ) -> list[Any]:
        # The vendor excludes both ends, so the window is a millisecond longer on both sides.
        parameters = {
            "from": max(0, start - 1),
            "to": end,
            "agentIds": ",".join(agent_ids) or None,
            "pageSize": ACTIVITIES_PAGE,
            "page": page,
            "orgId": self._org,
        }
        return self._listed(self._client.get("/v1/agents/activities", parameters))

    def agent_sessions(
        self, start: int, end: int, agent_ids: Sequence[str] = ()
    ) -> Iterator[list[ApiRow]]:
        """Pages of agents' sessions that overlap a window, each with all its activities."""
        seen: set[object] = set()
        filters = [_equals("agentId", it) for it in agent_ids] or [""]
        for window in _search_windows(start, end):
            for filter_ in filters:
                for page in self._pages(_SESSIONS_QUERY, "agentSessions", window, filter_):
                    fresh = [it for it in page if _is_new(seen, it.get("agentSessionId"))]
                    yield [self._whole_session(session, window) for session in fresh]

    def task_details(
        self, start: int, end: int, task_id: str | None = None
    ) -> Iterator[list[ApiRow]]:
        """Pages of tasks that overlap a window, each with all that happened to it."""
        seen: set[object] = set()
        filter_ = _equals("id", task_id) if task_id else ""
        for window in _search_windows(start, end):
            details = {
                it.get("id"): it
                for page in self._pages(_TASK_DETAILS_QUERY, "tasks", window, filter_)
                for it in page
            }
            for page in self._pages(_TASKS_QUERY, "tasks", window, filter_):
                fresh = [it for it in page if _is_new(seen, it.get("id"))]
                whole = [self._whole_task(task, window) for task in fresh]
                yield [dict(details.get(task.get("id"), {})) | dict(task) for task in whole]

    def tasks(self, start: int, end: int) -> Iterator[list[Any]]:
        """Pages of tasks that were created in a window, as they are now."""
        since, seen = start, set[object]()
        for _ in range(MOST_PAGES):
            parameters = {
                "from": max(0, since - 1),
                "to": end,
                "pageSize": TASKS_PAGE,
                "orgId": self._org,
            }
            rows = self._listed(self._client.get("/v1/tasks", parameters))
            fresh = [
                it for it in rows if not isinstance(it, Mapping) or _is_new(seen, it.get("id"))
            ]
            yield fresh
            if len(rows) < TASKS_PAGE:
                return
            # This API has no pages: the next call begins at the time of the last row.
            times = [_created_time(it) for it in rows]
            if not fresh or max(times) <= since:
                raise EndlessPages(
                    f"The vendor returns the same tasks of {since} again: more than {TASKS_PAGE}"
                    " were created in one millisecond."
                )
            since = max(times)
        raise EndlessPages(f"The vendor returns more than {MOST_PAGES} pages of tasks.")

    def captures(self, task_ids: Sequence[str]) -> dict[str, list[ApiRow]]:
        """The recordings of some tasks, by task id; a task without recordings is left out."""
        recordings: dict[str, list[ApiRow]] = {}
        for first in range(0, len(task_ids), TASKS_A_CAPTURE):
            group = list(task_ids[first : first + TASKS_A_CAPTURE])
            query = {"orgId": self._org, "urlExpiration": 1, "taskIds": group}
            query |= {"includeSegments": False, "includeVARecordings": False}
            answer = self._client.query("/v1/captures/query", {"query": query})
            for it in self._listed(answer):
                if isinstance(it, Mapping) and isinstance(it.get("recording"), list):
                    recordings[str(it.get("taskId"))] = it["recording"]
        return recordings

    # --- the Search API ---

    def _pages(
        self, query: str, field: str, window: _Window, filter_: str
    ) -> Iterator[list[ApiRow]]:
        cursor, seen = "NA", {"NA"}
        while cursor:
            page = self._search(query, window, filter_, cursor)
            yield _rows(page, field)
            cursor = _next_cursor(page.get("pageInfo"), seen)

    def _whole_session(self, session: ApiRow, window: _Window) -> ApiRow:
        channels = [
            dict(channel)
            | {
                "activities": _all_activities(
                    channel, partial(self._more_of_channel, session, channel, window)
                )
            }
            for channel in _rows(session, "channelInfo")
        ]
        return dict(session) | {"channelInfo": channels}

    def _more_of_channel(
        self, session: ApiRow, channel: ApiRow, window: _Window, cursor: str
    ) -> ApiRow:
        filter_ = _equals("agentId", str(session.get("agentId")))
        page = self._search(_MORE_OF_SESSION_QUERY, window, filter_, cursor)
        [same_session] = _with_same("agentSessionId", session, _rows(page, "agentSessions"))
        [same_channel] = _with_same("channelId", channel, _rows(same_session, "channelInfo"))
        return same_channel

    def _whole_task(self, task: ApiRow, window: _Window) -> ApiRow:
        return dict(task) | {
            "activities": _all_activities(task, partial(self._more_of_task, task, window))
        }

    def _more_of_task(self, task: ApiRow, window: _Window, cursor: str) -> ApiRow:
        filter_ = _equals("id", str(task.get("id")))
        page = self._search(_MORE_OF_TASK_QUERY, window, filter_, cursor)
        [same_task] = _with_same("id", task, _rows(page, "tasks"))
        return same_task

    def _search(self, query: str, window: _Window, filter_: str, cursor: str) -> ApiRow:
        """One page of the Search API: the object under the query's only field."""
        text = query.replace("COMPARED", window.compared_time).replace("FILTER", filter_)
        variables = {"from": window.start, "to": window.end, "cursor": cursor}
        answer = self._client.query(
            "/search", {"query": text, "variables": variables}, orgId=self._org
        )
        errors = answer.get("errors") if isinstance(answer, Mapping) else None
        if errors:
            messages = [str(it.get("message")) for it in errors if isinstance(it, Mapping)]
            raise UnexpectedAnswer(f"The vendor's Search API refuses: {'; '.join(messages)[:300]}.")
        data = _object(answer).get("data")
        if not isinstance(data, Mapping) or len(data) != 1:
            raise UnexpectedAnswer("The vendor's Search API answers without data.")
        return _object(next(iter(data.values())))

    def _listed(self, answer: Any) -> list[Any]:
        """The rows of a REST list; ForeignOrganisation where they are not of ours."""
        rows, meta = _object(answer).get("data"), _object(_object(answer).get("meta"))
        if not isinstance(rows, list):
            raise UnexpectedAnswer("The vendor answers a list without data.")
        org_id = meta.get("orgId")
        if org_id is not None and org_id != self._org:
            raise ForeignOrganisation(
                f"The vendor answers for the organisation {str(org_id)[:64]!r}, and was asked for"
                f" {self._org!r}: none of it is used."
            )
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A window, and the time of a session or task that the Search API compares with it."""

    start: int
    end: int
    compared_time: str


def _search_windows(start: int, end: int) -> Iterator[_Window]:
    """Windows that find what overlaps a window: what was created near it, and what ended in it."""
    for first in range(max(0, start - LOOK_BACK_MS), end, SEARCH_SPAN_MS):
        yield _Window(
            start=first, end=min(end, first + SEARCH_SPAN_MS), compared_time="createdTime"
        )
    for first in range(start, end, SEARCH_SPAN_MS):
        yield _Window(start=first, end=min(end, first + SEARCH_SPAN_MS), compared_time="endedTime")


def _equals(field: str, id_: str) -> str:
    # The value stands in the query's text, since the types of the vendor's filters are not public.
    return f"filter: {{{field}: {{equals: {json.dumps(id_)}}}}}"


def _with_same(field: str, like: ApiRow, rows: list[ApiRow]) -> list[ApiRow]:
    return [row for row in rows if row.get(field) == like.get(field)]


def _all_activities(owner: ApiRow, read_more: Callable[[str], ApiRow]) -> ApiRow:
    """All activities of a channel or a task; ``owner`` has the first page of them."""
    page, seen = _object(owner.get("activities")), set[str]()
    nodes = _rows(page, "nodes")
    while cursor := _next_cursor(page.get("pageInfo"), seen):
        try:
            page = _object(read_more(cursor).get("activities"))
        except ValueError:
            raise UnexpectedAnswer(
                "The vendor's Search API does not return again what it returned before."
            ) from None
        nodes += _rows(page, "nodes")
    return {"nodes": nodes}


def _is_new(seen: set[object], id_: object) -> bool:
    """Whether an id comes for the first time; a row without an id always counts as new."""
    if not isinstance(id_, str):
        return True
    fresh = id_ not in seen
    seen.add(id_)
    return fresh


def _created_time(task: Any) -> int:
    time = _object(_object(task).get("attributes")).get("createdTime")
    return time if isinstance(time, int) else 0


def _next_cursor(page_info: Any, seen: set[str]) -> str:
    """The cursor of the next page, empty after the last; EndlessPages where it comes again."""
    info = _object(page_info)
    cursor = str(info.get("endCursor") or "")
    if not info.get("hasNextPage") or not cursor:
        return ""
    if cursor in seen:
        raise EndlessPages(f"The vendor's Search API leads back to its cursor {cursor[:64]!r}.")
    seen.add(cursor)
    if len(seen) > MOST_PAGES:
        raise EndlessPages(f"The vendor's Search API returns more than {MOST_PAGES} pages.")
    return cursor


def _rows(owner: Any, field: str) -> list[ApiRow]:
    rows = _object(owner).get(field)
    return [it for it in rows if isinstance(it, Mapping)] if isinstance(rows, list) else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# Each query names fields of one kind of record, as the vendor advises. The names are those of its
# data dictionary. COMPARED and FILTER are filled in for each call.
_AGENT_ACTIVITY_FIELDS = """id startTime endTime state isCurrentActivity isLoginActivity
    isLogoutActivity taskId idleCode { id } queue { id } wrapupCode { id }"""
_TASK_ACTIVITY_FIELDS = "id eventName createdTime queueId terminationReason"
_PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_QUERY_HEAD = "query($from: Long!, $to: Long!, $cursor: String)"
_WINDOW_ARGUMENTS = "from: $from, to: $to, timeComparator: COMPARED, FILTER"
_PAGE = "pagination: {cursor: $cursor}"
_SESSIONS_QUERY = f"""{_QUERY_HEAD} {{ agentSession({_WINDOW_ARGUMENTS} {_PAGE}) {{
  agentSessions {{ agentId agentSessionId teamId channelInfo {{ channelId channelType
    activities(first: 100) {{ nodes {{ {_AGENT_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }} }}
  {_PAGE_INFO} }} }}"""
_MORE_OF_SESSION_QUERY = f"""{_QUERY_HEAD} {{ agentSession({_WINDOW_ARGUMENTS}) {{
  agentSessions {{ agentSessionId channelInfo {{ channelId
    activities(first: 100, after: $cursor) {{
      nodes {{ {_AGENT_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }} }} }} }}"""
_TASKS_QUERY = f"""{_QUERY_HEAD} {{ taskDetails({_WINDOW_ARGUMENTS} {_PAGE}) {{
  tasks {{ id channelType origin destination
    activities(first: 100) {{ nodes {{ {_TASK_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }}
  {_PAGE_INFO} }} }}"""
_MORE_OF_TASK_QUERY = f"""{_QUERY_HEAD} {{ taskDetails({_WINDOW_ARGUMENTS}) {{
  tasks {{ id
    activities(first: 100, after: $cursor) {{
      nodes {{ {_TASK_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }} }} }}"""
_TASK_DETAILS_QUERY = f"""{_QUERY_HEAD} {{ taskDetails({_WINDOW_ARGUMENTS} {_PAGE}) {{
  tasks {{ id direction terminatingEnd isCallback }} {_PAGE_INFO} }} }}"""
