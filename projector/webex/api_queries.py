"""Queries of the vendor's REST APIs: all rows of a time window, page by page, within the limits.

Rule: no row of a window is missed unnoticed. A window is halved until the vendor cannot cut its
answer short, and pages that repeat themselves are an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from projector.infrastructure.clock import DAY_MS, now_ms
from projector.webex.api_answers import (
    MOST_PAGES,
    ApiRow,
    EndlessPages,
    ForeignOrganisation,
    UnexpectedAnswer,
)
from projector.webex.api_client import ApiClient

ACTIVITIES_SPAN_MS = DAY_MS - 2  # less than a day, also with a millisecond more on both sides
ACTIVITIES_ROWS = 10_000  # of one window; the vendor returns no more of them
ACTIVITIES_PAGE = 1_000
AGENTS_A_CALL = 100
TASKS_PAGE = 1_000
TASKS_A_CAPTURE = 10


class ApiQueries:
    """Reads the rows of one organisation.

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
            if pages and rows and rows == pages[-1]:
                raise EndlessPages(f"The vendor returns the same activities as page {page} again.")
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
        until = self._until(end)
        if until <= start:
            return []
        parameters = {
            "from": max(0, start - 1),
            "to": until,
            "agentIds": ",".join(agent_ids) or None,
            "pageSize": ACTIVITIES_PAGE,
            "page": page,
            "orgId": self._org,
        }
        return self._listed(self._client.get("/v1/agents/activities", parameters))

    def tasks(self, start: int, end: int) -> Iterator[list[Any]]:
        """Pages of tasks that were created in a window, as they are now."""
        since, seen = start, set[object]()
        for _ in range(MOST_PAGES):
            parameters = {
                "from": max(0, since - 1),
                "to": self._until(end),
                "pageSize": TASKS_PAGE,
                "orgId": self._org,
            }
            rows = self._listed(self._client.get("/v1/tasks", parameters))
            fresh = [it for it in rows if _id(it) is None or _id(it) not in seen]
            seen.update(map(_id, fresh))
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

    def _until(self, end: int) -> int:
        """The end of a window, at the latest now by the vendor's clock: a later one is refused."""
        return min(end, now_ms() - self._client.clock_ahead_ms)

    def _listed(self, answer: Any) -> list[Any]:
        """The rows of a list; ForeignOrganisation where they are not of ours."""
        fields = answer if isinstance(answer, Mapping) else {}
        rows, meta = fields.get("data"), fields.get("meta")
        if not isinstance(rows, list):
            raise UnexpectedAnswer("The vendor answers a list without data.")
        org_id = meta.get("orgId") if isinstance(meta, Mapping) else None
        if org_id is not None and org_id != self._org:
            raise ForeignOrganisation(
                f"The vendor answers for the organisation {str(org_id)[:64]!r}, and was asked for"
                f" {self._org!r}: none of it is used."
            )
        return rows


def _id(task: Any) -> str | None:
    id_ = task.get("id") if isinstance(task, Mapping) else None
    return id_ if isinstance(id_, str) else None


def _created_time(task: Any) -> int:
    attributes = task.get("attributes") if isinstance(task, Mapping) else None
    time = attributes.get("createdTime") if isinstance(attributes, Mapping) else None
    return time if isinstance(time, int) else 0
