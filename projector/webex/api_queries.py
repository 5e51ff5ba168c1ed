"""Sources: how each of the vendor's APIs is walked through, within its limits, row by row.

The rule of this file: a window is cut until no answer can be cut off, and a cursor that does not
move on ends the walk with a sentence. What began before the window and still ran in it is read too:
the vendor compares the times of a session or a task, not those of what happened in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from projector.infrastructure.errors import ProjectorError
from projector.webex.api_client import Vendor

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ACTIVITIES_SPAN_MS = DAY_MS - 2  # less than a day, with the millisecond more on both sides
ACTIVITIES_ROWS = 10_000  # of one window; what is beyond them is not told
ACTIVITIES_PAGE = 1_000
AGENTS_A_CALL = 100
SEARCH_SPAN_MS = 30 * DAY_MS
LOOK_BACK_MS = DAY_MS  # how long before a window a session or a task may have begun
TASKS_PAGE = 1_000
TASKS_A_CAPTURE = 10
MOST_PAGES = 10_000

Row = Mapping[str, Any]


class Endless(ProjectorError):  # noqa: N818 - named for what is noticed
    """A cursor of the vendor's leads nowhere."""


class Foreign(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor answers for an organisation that was not asked for."""


class Unexpected(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor's answer has not the shape that its description says."""


class Sources:
    """The vendor's rows of one organisation; times are epoch ms, windows ``[start, end)``."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._org = vendor.org_id

    def activities(
        self, start: int, end: int, agent_ids: Sequence[str] = ()
    ) -> Iterator[list[Any]]:
        """Agents' activities that began in a window, by pages."""
        if end - start > ACTIVITIES_SPAN_MS:
            for since in range(start, end, ACTIVITIES_SPAN_MS):
                yield from self.activities(since, min(end, since + ACTIVITIES_SPAN_MS), agent_ids)
            return
        asked: list[Sequence[str]] = [
            agent_ids[first : first + AGENTS_A_CALL]
            for first in range(0, len(agent_ids), AGENTS_A_CALL)
        ]
        for some in asked or [()]:
            yield from self._activities(start, end, some)

    def _activities(self, start: int, end: int, agent_ids: Sequence[str]) -> Iterator[list[Any]]:
        # Read whole before any of it is told: a full window is read again in halves.
        pages: list[list[Any]] = []
        for page in range(ACTIVITIES_ROWS // ACTIVITIES_PAGE):
            rows = self._activities_page(start, end, agent_ids, page)
            pages.append(rows)
            if len(rows) < ACTIVITIES_PAGE:
                yield from pages
                return
        if end - start <= 1:
            raise Endless(
                f"More than {ACTIVITIES_ROWS} activities of one millisecond ({start}): the vendor"
                " tells no more of them."
            )
        middle = (start + end) // 2
        yield from self._activities(start, middle, agent_ids)
        yield from self._activities(middle, end, agent_ids)

    def _activities_page(
        self, start: int, end: int, agent_ids: Sequence[str], page: int
    ) -> list[Any]:
        # The vendor says "after" and "before": one millisecond more on both sides loses none.
        query = {
            "from": max(0, start - 1),
            "to": end,
            "agentIds": ",".join(agent_ids) or None,
            "pageSize": ACTIVITIES_PAGE,
            "page": page,
            "orgId": self._org,
        }
        return self._listed(self._vendor.get("/v1/agents/activities", query))

    def sessions(self, start: int, end: int, agent_ids: Sequence[str] = ()) -> Iterator[list[Row]]:
        """Agents' sessions that overlap a window, with all their activities, by pages."""
        seen: set[object] = set()
        filters = [_equals("agentId", it) for it in agent_ids] or [""]
        for window in _parents(start, end):
            for about in filters:
                for page in self._pages(_SESSIONS, "agentSessions", window, about):
                    fresh = [it for it in page if _new(seen, it.get("agentSessionId"))]
                    yield [self._whole_session(session, window) for session in fresh]

    def contacts(self, start: int, end: int, task_id: str | None = None) -> Iterator[list[Row]]:
        """Tasks that overlap a window, with all that happened to them, by pages."""
        seen: set[object] = set()
        about = _equals("id", task_id) if task_id else ""
        for window in _parents(start, end):
            records = {
                it.get("id"): it
                for page in self._pages(_RECORDS, "tasks", window, about)
                for it in page
            }
            for page in self._pages(_TASKS, "tasks", window, about):
                fresh = [it for it in page if _new(seen, it.get("id"))]
                whole = [self._whole_task(task, window) for task in fresh]
                yield [dict(records.get(task.get("id"), {})) | dict(task) for task in whole]

    def tasks(self, start: int, end: int) -> Iterator[list[Any]]:
        """Tasks that were created in a window, as they stand, by pages."""
        since, seen = start, set[object]()
        for _ in range(MOST_PAGES):
            query = {
                "from": max(0, since - 1),
                "to": end,
                "pageSize": TASKS_PAGE,
                "orgId": self._org,
            }
            rows = self._listed(self._vendor.get("/v1/tasks", query))
            fresh = [it for it in rows if not isinstance(it, Mapping) or _new(seen, it.get("id"))]
            yield fresh
            if len(rows) < TASKS_PAGE:
                return
            # It has no page to ask for: on from the time of the last, which is told again.
            times = [_created(it) for it in rows]
            if not fresh or max(times) <= since:
                raise Endless(
                    f"The vendor tells the same tasks of {since} again: more than {TASKS_PAGE} were"
                    " created in one millisecond."
                )
            since = max(times)
        raise Endless(f"The vendor tells more than {MOST_PAGES} pages of tasks.")

    def captures(self, task_ids: Sequence[str]) -> dict[str, list[Row]]:
        """The recordings of some tasks."""
        found: dict[str, list[Row]] = {}
        for first in range(0, len(task_ids), TASKS_A_CAPTURE):
            asked = list(task_ids[first : first + TASKS_A_CAPTURE])
            query = {"orgId": self._org, "urlExpiration": 1, "taskIds": asked}
            query |= {"includeSegments": False, "includeVARecordings": False}
            answer = self._vendor.query("/v1/captures/query", {"query": query})
            for it in self._listed(answer):
                if isinstance(it, Mapping) and isinstance(it.get("recording"), list):
                    found[str(it.get("taskId"))] = it["recording"]
        return found

    # --- the Search API ---

    def _pages(self, query: str, field: str, window: _Window, about: str) -> Iterator[list[Row]]:
        cursor, passed = "NA", {"NA"}
        while cursor:
            page = self._asked(query, window, about, cursor=cursor)
            yield _rows(page, field)
            cursor = _cursor(page.get("pageInfo"), passed)

    def _whole_session(self, session: Row, window: _Window) -> Row:
        channels = [
            dict(channel)
            | {"activities": _inner(channel, partial(self._more, session, channel, window))}
            for channel in _rows(session, "channelInfo")
        ]
        return dict(session) | {"channelInfo": channels}

    def _more(self, session: Row, channel: Row, window: _Window, cursor: str) -> Row:
        about = _equals("agentId", str(session.get("agentId")))
        page = self._asked(_MORE_SESSIONS, window, about, cursor)
        [same] = _having("agentSessionId", session, _rows(page, "agentSessions"))
        [found] = _having("channelId", channel, _rows(same, "channelInfo"))
        return found

    def _whole_task(self, task: Row, window: _Window) -> Row:
        return dict(task) | {"activities": _inner(task, partial(self._more_of_task, task, window))}

    def _more_of_task(self, task: Row, window: _Window, cursor: str) -> Row:
        page = self._asked(_MORE_TASKS, window, _equals("id", str(task.get("id"))), cursor)
        [found] = _having("id", task, _rows(page, "tasks"))
        return found

    def _asked(self, query: str, window: _Window, about: str, cursor: str) -> Row:
        whole = query.replace("COMPARED", window.compared).replace("ABOUT", about)
        variables = {"from": window.start, "to": window.end, "cursor": cursor}
        answer = self._vendor.query(
            "/search", {"query": whole, "variables": variables}, orgId=self._org
        )
        errors = answer.get("errors") if isinstance(answer, Mapping) else None
        if errors:
            said = [str(it.get("message")) for it in errors if isinstance(it, Mapping)]
            raise Unexpected(f"The vendor's Search API refuses: {'; '.join(said)[:300]}.")
        found = _object(answer).get("data")
        if not isinstance(found, Mapping) or len(found) != 1:
            raise Unexpected("The vendor's Search API answers without data.")
        return _object(next(iter(found.values())))

    def _listed(self, answer: Any) -> list[Any]:
        """The rows of a list, if it is of our organisation."""
        rows, meta = _object(answer).get("data"), _object(_object(answer).get("meta"))
        if not isinstance(rows, list):
            raise Unexpected("The vendor answers a list without data.")
        org_id = meta.get("orgId")
        if org_id is not None and org_id != self._org:
            raise Foreign(
                f"The vendor answers for the organisation {str(org_id)[:64]!r}, and was asked for"
                f" {self._org!r}: nothing of it is taken."
            )
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What the Search API compares with a window: when something was created, or ended."""

    start: int
    end: int
    compared: str


def _parents(start: int, end: int) -> Iterator[_Window]:
    """Windows in which what overlaps a window was created, or ended."""
    for first in range(max(0, start - LOOK_BACK_MS), end, SEARCH_SPAN_MS):
        yield _Window(start=first, end=min(end, first + SEARCH_SPAN_MS), compared="createdTime")
    for first in range(start, end, SEARCH_SPAN_MS):
        yield _Window(start=first, end=min(end, first + SEARCH_SPAN_MS), compared="endedTime")


def _equals(field: str, id_: str) -> str:
    # A literal, as in the vendor's samples: the types of its filters are not published.
    return f"filter: {{{field}: {{equals: {json.dumps(id_)}}}}}"


def _having(field: str, like: Row, rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.get(field) == like.get(field)]


def _inner(holder: Row, ask: Callable[[str], Row]) -> Row:
    """All activities of a channel or a task, beyond the first page of them."""
    told, passed = _object(holder.get("activities")), set[str]()
    found = _rows(told, "nodes")
    while cursor := _cursor(told.get("pageInfo"), passed):
        try:
            told = _object(ask(cursor).get("activities"))
        except ValueError:
            raise Unexpected(
                "The vendor's Search API does not find again what it told before."
            ) from None
        found += _rows(told, "nodes")
    return {"nodes": found}


def _new(seen: set[object], id_: object) -> bool:
    """Whether something is met for the first time; what has no name always is."""
    if not isinstance(id_, str):
        return True
    fresh = id_ not in seen
    seen.add(id_)
    return fresh


def _created(task: Any) -> int:
    time = _object(_object(task).get("attributes")).get("createdTime")
    return time if isinstance(time, int) else 0


def _cursor(info: Any, passed: set[str]) -> str:
    """Where a walk goes on, empty at its end; Endless where it was there before."""
    told = _object(info)
    cursor = str(told.get("endCursor") or "")
    if not told.get("hasNextPage") or not cursor:
        return ""
    if cursor in passed:
        raise Endless(f"The vendor's Search API leads back to its cursor {cursor[:64]!r}.")
    passed.add(cursor)
    if len(passed) > MOST_PAGES:
        raise Endless(f"The vendor's Search API tells more than {MOST_PAGES} pages.")
    return cursor


def _rows(holder: Any, field: str) -> list[Row]:
    rows = _object(holder).get(field)
    return [it for it in rows if isinstance(it, Mapping)] if isinstance(rows, list) else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# Fields of one kind of record only, as the vendor advises; names as in its data dictionary.
_AAR = """id startTime endTime state isCurrentActivity isLoginActivity isLogoutActivity taskId
    idleCode { id } queue { id } wrapupCode { id }"""
_CAR = "id eventName createdTime queueId terminationReason"
_PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_ASKED = "query($from: Long!, $to: Long!, $cursor: String)"
_COMPARED = "from: $from, to: $to, timeComparator: COMPARED, ABOUT"
_SESSIONS = f"""{_ASKED} {{ agentSession({_COMPARED} pagination: {{cursor: $cursor}}) {{
  agentSessions {{ agentId agentSessionId teamId channelInfo {{ channelId channelType
    activities(first: 100) {{ nodes {{ {_AAR} }} {_PAGE_INFO} }} }} }} {_PAGE_INFO} }} }}"""
_MORE_SESSIONS = f"""{_ASKED} {{ agentSession({_COMPARED}) {{
  agentSessions {{ agentSessionId channelInfo {{ channelId
    activities(first: 100, after: $cursor) {{ nodes {{ {_AAR} }} {_PAGE_INFO} }} }} }} }} }}"""
_TASKS = f"""{_ASKED} {{ taskDetails({_COMPARED} pagination: {{cursor: $cursor}}) {{
  tasks {{ id channelType origin destination
    activities(first: 100) {{ nodes {{ {_CAR} }} {_PAGE_INFO} }} }} {_PAGE_INFO} }} }}"""
_MORE_TASKS = f"""{_ASKED} {{ taskDetails({_COMPARED}) {{
  tasks {{ id
    activities(first: 100, after: $cursor) {{ nodes {{ {_CAR} }} {_PAGE_INFO} }} }} }} }}"""
_RECORDS = f"""{_ASKED} {{ taskDetails({_COMPARED} pagination: {{cursor: $cursor}}) {{
  tasks {{ id direction terminatingEnd isCallback }} {_PAGE_INFO} }} }}"""
