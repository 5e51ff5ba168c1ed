"""Queries of the Search API: agents' sessions and tasks that overlap a window, with all their rows.

Rule: what was asked for and did not come is said, never taken for nothing. The vendor compares a
window with the beginning of a session or task. So those that began before it, and still ran in it,
have a query of their own that looks back.

Each query asks for fields of one kind of record, as the vendor advises. The names are those of its
data dictionary, and a test validates every query against the published schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from projector.infrastructure.clock import DAY_MS, HOUR_MS
from projector.webex.api_answers import MOST_PAGES, ApiRow, EndlessPages, UnexpectedAnswer
from projector.webex.api_client import ApiClient, VendorRefuses

SEARCH_SPAN_MS = 30 * DAY_MS  # the longest window that the vendor takes for rows of activities
LOOK_BACK_MS = 29 * DAY_MS  # how long before a window a session or a task may have begun
AFTER_END_MS = HOUR_MS  # how long after its end a task may still get rows, such as a recording
AGENTS_A_FILTER = 100
MOST_EMPTY_PAGES = 3  # in a row, before pages count as endless
FIRST_CURSOR = "NA"


class SearchQueries:
    """Reads sessions and tasks of one organisation.

    Times are epoch ms, windows ``[start, end)``. ``report_missing`` gets a sentence for each part
    of an answer that did not come. A method may raise EndlessPages, UnexpectedAnswer and whatever
    ``ApiClient`` raises.
    """

    def __init__(self, client: ApiClient, report_missing: Callable[[str], object]) -> None:
        self._client = client
        self._report = report_missing
        self._reported = 0

    def agent_sessions(
        self, start: int, end: int, agent_ids: Sequence[str] = ()
    ) -> Iterator[list[ApiRow]]:
        """Pages of agents' sessions that overlap a window, each with all its activities."""
        groups = [
            [*agent_ids[first : first + AGENTS_A_FILTER]]
            for first in range(0, len(agent_ids), AGENTS_A_FILTER)
        ]
        for group in groups or [[]]:
            of_agents = [_any_of(_equals("agentId", it) for it in group)] if group else []
            seen: set[str] = set()  # what began between two windows may be in both
            for window in _windows(start, end, _still_running("endTime", start)):
                details = self._by_id(_SESSION_DETAILS, window, of_agents)
                for page in self._pages(_SESSIONS, window, of_agents):
                    fresh = [it for it in page if _is_new(seen, it.get("agentSessionId"))]
                    yield [self._whole_session(session, details, window) for session in fresh]

    def task_details(
        self, start: int, end: int, task_id: str | None = None
    ) -> Iterator[list[ApiRow]]:
        """Pages of tasks that overlap a window, each with all that happened to it."""
        of_task = [_equals("id", task_id)] if task_id else []
        seen: set[str] = set()
        for window in _windows(start, end, _still_running("endedTime", start - AFTER_END_MS)):
            details = self._by_id(_TASK_DETAILS, window, of_task)
            for page in self._pages(_TASKS, window, of_task):
                fresh = [it for it in page if _is_new(seen, it.get("id"))]
                yield [self._whole_task(task, details, window) for task in fresh]

    def _report_missing(self, sentence: str) -> None:
        self._reported += 1
        self._report(sentence)

    # --- pages ---

    def _pages(
        self, query: _Query, window: _Window, filters: Iterable[str]
    ) -> Iterator[list[ApiRow]]:
        """Pages of what a query finds. A row that comes again is left out."""
        cursor, cursors, seen = FIRST_CURSOR, {FIRST_CURSOR}, set[str]()
        empty_pages = 0
        while cursor:
            page = self._search(query.text, window, filters, cursor)
            rows = self._rows(page, query.rows, "The Search API")
            fresh = [it for it in rows if _is_new(seen, it.get(query.id))]
            if rows and not fresh:
                raise EndlessPages(f"The vendor's Search API returns the same {query.rows} again.")
            yield fresh
            empty_pages = 0 if rows else empty_pages + 1
            if empty_pages > MOST_EMPTY_PAGES:
                raise EndlessPages(f"The vendor's Search API has pages without {query.rows}.")
            if not _says_what_follows(page):
                self._report_missing(
                    f"The Search API does not say whether more {query.rows} follow."
                )
            cursor = self._next_cursor(page.get("pageInfo"), cursors, f"more {query.rows}")

    def _by_id(
        self, query: _Query, window: _Window, filters: Iterable[str]
    ) -> dict[object, ApiRow]:
        pages = self._pages(query, window, filters)
        return {it.get(query.id): it for page in pages for it in page}

    def _details(
        self, query: _Query, owner: ApiRow, details: Mapping[object, ApiRow], window: _Window
    ) -> ApiRow:
        """What one more query says of a session or task; empty where it does not come."""
        id_ = owner.get(query.id)
        if id_ not in details and isinstance(id_, str):
            # It began after the details were read, or its details are missing.
            details = self._by_id(query, window, [_equals(query.id, id_)])
        if id_ not in details:
            self._report_missing(f"The Search API has no details of {query.rows} {id_}.")
        return details.get(id_, {})

    def _next_cursor(self, page_info: Any, cursors: set[str], what: str) -> str:
        """The cursor of the next page, empty after the last; EndlessPages where it comes again."""
        info = page_info if isinstance(page_info, Mapping) else {}
        if not info.get("hasNextPage"):
            return ""
        cursor = str(info.get("endCursor") or "")
        if not cursor:
            self._report_missing(f"The Search API has {what}, and no cursor to them.")
            return ""
        if cursor in cursors:
            raise EndlessPages(f"The vendor's Search API leads back to its cursor {cursor[:64]!r}.")
        cursors.add(cursor)
        if len(cursors) > MOST_PAGES:
            raise EndlessPages(f"The vendor's Search API returns more than {MOST_PAGES} pages.")
        return cursor

    def _search(self, text: str, window: _Window, filters: Iterable[str], cursor: str) -> ApiRow:
        """One page of the Search API: the object under the query's only field."""
        terms = [it for it in (*filters, window.filter) if it]
        filter_ = f"filter: {_all_of(terms)}" if terms else ""
        variables = {"from": window.start, "to": window.end, "cursor": cursor}
        answer = self._client.query(
            "/search",
            {"query": text.replace("FILTER", filter_), "variables": variables},
            orgId=self._client.org_id,
        )
        if not isinstance(answer, Mapping):
            raise UnexpectedAnswer("The vendor's Search API answers without an object.")
        refusals = _messages(answer.get("errors"))
        data = answer.get("data")
        found = next(iter(data.values())) if isinstance(data, Mapping) and len(data) == 1 else None
        if not isinstance(found, Mapping):
            said = f" and says: {refusals}" if refusals else ""
            raise UnexpectedAnswer(f"The vendor's Search API answers without data{said}.")
        if refusals:
            self._report_missing(f"The Search API says beside its answer: {refusals}.")
        return found

    def _rows(self, owner: ApiRow, name: str, whose: str) -> list[ApiRow]:
        """The objects of a list; what is no list, and what is no object in it, is missing."""
        rows = owner.get(name)
        if not isinstance(rows, list):
            self._report_missing(f"{whose} answers without {name}.")
            return []
        objects = [it for it in rows if isinstance(it, Mapping)]
        if len(objects) < len(rows):
            self._report_missing(f"{whose} has {name} that are empty.")
        return objects

    # --- the rows inside a session or a task ---

    def _whole_session(
        self, session: ApiRow, details: Mapping[object, ApiRow], window: _Window
    ) -> ApiRow:
        id_ = session.get("agentSessionId")
        channels = []
        for channel in self._rows(session, "channelInfo", f"The session {id_}"):

            def read_more(cursor: str, channel: ApiRow = channel) -> ApiRow:
                one = _equals("channelId", str(channel.get("channelId")))
                of_channel = [f"{{channelInfo: {one}}}"]
                page = self._search(
                    _MORE_OF_SESSION, replace(window, filter=""), of_channel, cursor
                )
                same = _with_same("agentSessionId", session, page.get("agentSessions"))
                return _with_same("channelId", channel, same.get("channelInfo"))

            whose = f"The channel {channel.get('channelId')} of the session {id_}"
            channels.append({**channel, **self._activities(channel, whose, read_more)})
        more = self._details(_SESSION_DETAILS, session, details, window)
        if more and not isinstance(more.get("isActive"), bool):
            self._report_missing(f"The session {id_} does not say whether it is over.")
        return {**more, **session, "channelInfo": channels}

    def _whole_task(
        self, task: ApiRow, details: Mapping[object, ApiRow], window: _Window
    ) -> ApiRow:
        id_ = str(task.get("id"))

        def read_more(cursor: str) -> ApiRow:
            unfiltered = replace(window, filter="")
            page = self._search(_MORE_OF_TASK, unfiltered, [_equals("id", id_)], cursor)
            return _with_same("id", task, page.get("tasks"))

        activities = self._activities(task, f"The task {id_}", read_more)
        more = self._details(_TASK_DETAILS, task, details, window)
        return {**more, **task, **activities}

    def _activities(self, owner: ApiRow, whose: str, read_more: Callable[[str], ApiRow]) -> ApiRow:
        """All activities of a channel or a task; ``owner`` has the first page of them.

        ``arePart`` says whether some of them did not come.
        """
        reported = self._reported
        page, read, cursors, total = owner.get("activities"), _ReadRows(), set[str](), None
        while True:
            if not isinstance(page, Mapping):
                self._report_missing(f"{whose} answers without activities.")
                break
            count = page.get("totalCount")
            total = count if total is None and isinstance(count, int) else total
            read.add(self._rows(page, "nodes", whose))
            try:
                cursor = self._next_cursor(page.get("pageInfo"), cursors, f"more rows of {whose}")
            except EndlessPages:
                page = {}  # whether all rows came is then known by their number alone
                break
            if not cursor:
                break
            try:
                page = read_more(cursor).get("activities")
            except VendorRefuses as error:
                self._report_missing(f"Not all rows of {whose.lower()} came. {error}")
                break
        # A cursor is the time of a page's last row. More rows of that time may lie behind it.
        for cursor in cursors:
            if (total is None or len(read) < total) and cursor.isdigit():
                edge = read_more(str(int(cursor) + 1)).get("activities")
                read.add(self._rows(edge, "nodes", whose) if isinstance(edge, Mapping) else [])
        if total is None and isinstance(page, Mapping) and not _says_what_follows(page):
            self._report_missing(f"{whose} does not say whether more rows follow.")
        if total is not None and len(read) < total:
            self._report_missing(f"{whose} has {total} rows, and {len(read)} came.")
        return {"activities": read.rows, "arePart": self._reported > reported}


@dataclass(slots=True)
class _ReadRows:
    """Rows of one list. A row that comes again is left out; a row without an id never does."""

    rows: list[ApiRow] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def add(self, rows: Iterable[ApiRow]) -> None:
        self.rows += [it for it in rows if _is_new(self._seen, it.get("id"))]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """The text of a query with FILTER in it, the name of its list, and of an id in the list."""

    text: str
    rows: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A window that the vendor compares with beginnings, and a filter beside it (may be empty)."""

    start: int
    end: int
    filter: str = ""


def _windows(start: int, end: int, still_running: str) -> Iterator[_Window]:
    """Windows of all that began in ``[start, end)``, and of what began before and still ran."""
    yield _Window(start=max(0, start - LOOK_BACK_MS), end=start, filter=still_running)
    for first in range(start, end, SEARCH_SPAN_MS):
        yield _Window(start=first, end=min(end, first + SEARCH_SPAN_MS))


# The values of filters stand in the query's text, since the names of their types are not public.


def _equals(name: str, value: str) -> str:
    return f"{{{name}: {{equals: {json.dumps(value)}}}}}"


def _still_running(end_field: str, time: int) -> str:
    return f"{{or: [{{{end_field}: {{gte: {time}}}}}, {{isActive: {{equals: true}}}}]}}"


def _any_of(terms: Iterable[str]) -> str:
    return _combined("or", [*terms])


def _all_of(terms: Iterable[str]) -> str:
    return _combined("and", [*terms])


def _combined(operator: str, terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"{{{operator}: [{', '.join(terms)}]}}"


def _says_what_follows(page: ApiRow) -> bool:
    info = page.get("pageInfo")
    return isinstance(info, Mapping) and isinstance(info.get("hasNextPage"), bool)


def _with_same(name: str, like: ApiRow, rows: Any) -> ApiRow:
    """The row with the same id; UnexpectedAnswer where the vendor does not return it again."""
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, Mapping) and row.get(name) == like.get(name):
            return row
    raise UnexpectedAnswer("The vendor's Search API does not return again what it returned before.")


def _is_new(seen: set[str], id_: object) -> bool:
    """Whether an id comes for the first time; a row without an id always counts as new."""
    if not isinstance(id_, str):
        return True
    fresh = id_ not in seen
    seen.add(id_)
    return fresh


def _messages(errors: Any) -> str:
    """The sentences of the ``errors`` of an answer, empty where there are none."""
    if not errors:
        return ""
    listed = errors if isinstance(errors, list) else [errors]
    said = [str(it.get("message") if isinstance(it, Mapping) else it) for it in listed]
    return "; ".join(said)[:300].rstrip(".")


_AGENT_ACTIVITY_FIELDS = """id startTime endTime state isCurrentActivity isLoginActivity
    isLogoutActivity taskId idleCode { id name } queue { id name } wrapupCode { id name }"""
_TASK_ACTIVITY_FIELDS = """id eventName createdTime queueId terminationReason consultEpId
    childContactId"""
_PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_QUERY_HEAD = "query($from: Long!, $to: Long!, $cursor: String)"
_ARGUMENTS = "from: $from, to: $to, FILTER"
_OF_CREATED = f"{_ARGUMENTS} timeComparator: createdTime,"  # agentSession has no such argument
_PAGE = "pagination: {cursor: $cursor}"
_SESSIONS = _Query(
    text=f"""{_QUERY_HEAD} {{ agentSession({_ARGUMENTS} {_PAGE}) {{
  agentSessions {{ agentId agentSessionId teamId agentName teamName siteId siteName
    channelInfo {{ channelId channelType agentPhoneNumber activities(first: 100) {{
      totalCount nodes {{ {_AGENT_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }} }}
  {_PAGE_INFO} }} }}""",
    rows="agentSessions",
    id="agentSessionId",
)
_MORE_OF_SESSION = f"""{_QUERY_HEAD} {{ agentSession({_ARGUMENTS}) {{
  agentSessions {{ agentSessionId channelInfo {{ channelId
    activities(first: 100, after: $cursor) {{
      totalCount nodes {{ {_AGENT_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }} }} }} }}"""
_SESSION_DETAILS = _Query(
    text=f"""{_QUERY_HEAD} {{ agentSession({_ARGUMENTS} {_PAGE}) {{
  agentSessions {{ agentSessionId startTime endTime isActive agentSignOutReason
    multiMediaProfileType }}
  {_PAGE_INFO} }} }}""",
    rows="agentSessions",
    id="agentSessionId",
)
_TASKS = _Query(
    text=f"""{_QUERY_HEAD} {{ taskDetails({_OF_CREATED} {_PAGE}) {{
  tasks {{ id channelType origin destination isOutdial activities(first: 100) {{
    totalCount nodes {{ {_TASK_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }}
  {_PAGE_INFO} }} }}""",
    rows="tasks",
    id="id",
)
_MORE_OF_TASK = f"""{_QUERY_HEAD} {{ taskDetails({_OF_CREATED}) {{
  tasks {{ id activities(first: 100, after: $cursor) {{
    totalCount nodes {{ {_TASK_ACTIVITY_FIELDS} }} {_PAGE_INFO} }} }} }} }}"""
_TASK_DETAILS = _Query(
    text=f"""{_QUERY_HEAD} {{ taskDetails({_OF_CREATED} {_PAGE}) {{
  tasks {{ id direction endedTime isActive terminatingEnd isCallback }} {_PAGE_INFO} }} }}""",
    rows="tasks",
    id="id",
)
