"""Queries of the Search API: what they ask for, and what they say of parts that do not come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from projector.infrastructure.clock import DAY_MS, HOUR_MS, now_ms
from projector.webex.api_answers import EndlessPages
from projector.webex.api_client import ApiClient
from projector.webex.search_queries import LOOK_BACK_MS, SEARCH_SPAN_MS, SearchQueries
from projector.webex.simulator.api_faults import Faults
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.rest_schema import SCHEMAS
from projector.webex.simulator.vendor_rows import VendorRows
from tests.integration.reconciling import credentials

START = (now_ms() // DAY_MS - 3) * DAY_MS
END = START + DAY_MS
SCHEMA = build_schema((SCHEMAS / "search.graphql").read_text())


class RecordingClient(ApiClient):
    """Also keeps the body of each query."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.asked: list[dict[str, Any]] = []

    def query(self, path: str, body: Any, **params: str) -> Any:
        self.asked.append(body)
        return super().query(path, body, **params)


def session(id_: str, start: int, end: int, *times: int, channel: str = "c") -> dict[str, Any]:
    """A session with one channel, and an activity at each time."""
    activities = [
        {"id": f"{channel}-{id_}-{at}-{time}", "state": "idle", "startTime": time, "endTime": time}
        for at, time in enumerate(times)
    ]
    return {
        "agentSessionId": id_,
        "agentId": f"agent-{id_}",
        "teamId": "red",
        "startTime": start,
        "endTime": end,
        "isActive": end == -1,
        "channelInfo": [
            {
                "channelId": f"{channel}-{id_}",
                "channelType": "telephony",
                "activities": activities,
            }
        ],
    }


def task(id_: str, created: int, ended: int, *times: int) -> dict[str, Any]:
    """A task with a row at each time."""
    return {
        "id": id_,
        "channelType": "telephony",
        "createdTime": created,
        "endedTime": ended,
        "isActive": ended == -1,
        "direction": "inbound",
        "activities": [
            {"id": f"{id_}-{at}-{time}", "eventName": "connect", "createdTime": time}
            for at, time in enumerate(times)
        ],
    }


def rows(*owners: dict[str, Any]) -> VendorRows:
    tasks = {it["id"]: it for it in owners if "id" in it}
    return VendorRows(sessions=[it for it in owners if "id" not in it], tasks=tasks)


@contextmanager
def asking(
    tmp_path: Any, stored: VendorRows, **more: Any
) -> Iterator[tuple[SearchQueries, list[str], RecordingClient]]:
    """The queries over some rows, what they say is missing, and their client."""
    missing: list[str] = []
    with serving(ApiServer(stored, **more)) as root:
        client = RecordingClient(root, credentials(root, tmp_path), sleep=lambda _: None)
        yield SearchQueries(client, missing.append), missing, client
        client.close()


def ids(pages: Iterator[list[Any]], name: str) -> list[str]:
    return sorted(row[name] for page in pages for row in page)


def test_every_query_keeps_to_the_published_schema(tmp_path):
    """Also those of later pages, and of single agents and tasks."""
    times = range(START, START + 150)
    stored = rows(session("s", START, END, *times), task("t", START, END, *times))
    with asking(tmp_path, stored) as (queries, missing, client):
        for agent_ids in ([], ["agent-s"], ["agent-s", "agent-t"]):
            assert ["s"] == ids(queries.agent_sessions(START, END, agent_ids), "agentSessionId")
        for task_id in (None, "t"):
            assert ["t"] == ids(queries.task_details(START, END, task_id), "id")
    assert [] == missing
    texts = {body["query"] for body in client.asked}
    assert 10 < len(texts)
    assert [] == [error.message for text in texts for error in validate(SCHEMA, parse(text))]


@pytest.mark.parametrize("wrong", ["timeComparator: createdTime, ", "agent: 1, "])
def test_the_schema_refuses_what_is_not_published(wrong):
    """So the test above can fail."""
    query = "{ agentSession(from: 1, to: 2, %s) { agentSessions { agentId } } }"
    assert validate(SCHEMA, parse(query % wrong))
    assert [] == validate(SCHEMA, parse(query % ""))


def test_sessions_that_overlap_the_window_are_found(tmp_path):
    """The vendor compares a window with their beginning alone."""
    stored = rows(
        session("in it", START + 1, START + 2),
        session("ends in it", START - 20 * DAY_MS, START + 1),
        session("around it", START - DAY_MS, END + 1),
        session("running", START - DAY_MS, -1),
        session("over before", START - DAY_MS, START - 1),
        session("begun after", END + HOUR_MS, -1),
        session("too old", START - LOOK_BACK_MS - 1, -1),
    )
    with asking(tmp_path, stored) as (queries, missing, _):
        found = ids(queries.agent_sessions(START, END), "agentSessionId")
    assert ["around it", "ends in it", "in it", "running"] == found
    assert [] == missing


def test_tasks_that_overlap_the_window_are_found(tmp_path):
    """A task has rows for some time after its end, such as those of its recording."""
    stored = rows(
        task("in it", START + 1, START + 2),
        task("ends in it", START - 20 * DAY_MS, START + 1),
        task("recorded in it", START - DAY_MS, START - 1),
        task("running", START - DAY_MS, -1),
        task("over before", START - DAY_MS, START - 2 * HOUR_MS),
        task("begun after", END + HOUR_MS, -1),
    )
    with asking(tmp_path, stored) as (queries, missing, _):
        found = ids(queries.task_details(START, END), "id")
    assert ["ends in it", "in it", "recorded in it", "running"] == found
    assert [] == missing


def test_a_long_window_is_asked_for_in_parts(tmp_path):
    """Of which none is longer than the vendor allows."""
    stored = rows(session("first", START - 70 * DAY_MS, START), session("last", START, END))
    with asking(tmp_path, stored) as (queries, _, client):
        found = ids(queries.agent_sessions(START - 70 * DAY_MS, END), "agentSessionId")
    assert ["first", "last"] == found
    spans = [it["variables"]["to"] - it["variables"]["from"] for it in client.asked]
    assert max(spans) <= SEARCH_SPAN_MS


def edge(times: Sequence[int]) -> list[int]:
    """The times of a list whose hundredth and next rows, newest first, have one millisecond."""
    return [time if index not in {98, 99, 100, 101} else times[100] for index, time in
            enumerate(times)]  # fmt: skip


def test_rows_of_one_millisecond_at_the_edge_of_a_page_come(tmp_path):
    """The cursor of a page is the time of its last row, and the next page is beyond it."""
    times = edge(range(START + 250, START, -1))
    stored = rows(session("s", START, END, *times), task("t", START, END, *times))
    with asking(tmp_path, stored) as (queries, missing, _):
        [[found]] = [page for page in queries.agent_sessions(START, END) if page]
        [[details]] = [page for page in queries.task_details(START, END) if page]
    assert sorted(times) == sorted(
        row["startTime"] for row in found["channelInfo"][0]["activities"]
    )
    assert sorted(times) == sorted(row["createdTime"] for row in details["activities"])
    assert [] == missing


def test_later_pages_are_asked_for_by_channel(tmp_path):
    """As in the vendor's samples. A filter by agent would return all of the agent's channels."""
    stored = rows(session("s", START, END, *range(START, START + 120)))
    with asking(tmp_path, stored) as (queries, _, client):
        [*queries.agent_sessions(START, END)]
    [inner] = [it["query"] for it in client.asked if "after" in it["query"]]
    assert 'filter: {channelInfo: {channelId: {equals: "c-s"}}}' in inner
    assert "agentId:" not in inner


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("null-rows", "answers without"),
        ("null-channels", "answers without channelInfo"),
        ("null-activities", "answers without activities"),
        ("null-nodes", "answers without nodes"),
        ("null-page-info", "does not say whether more"),
        ("fewer-rows", "has 1 rows, and 0 came"),
        ("errors", "says beside its answer: A part of the data could not be read"),
    ],
)
def test_what_does_not_come_is_said(tmp_path, fault, said):
    """A part that is missing is never taken for nothing."""
    stored = rows(session("s", START, END, START), task("t", START, END, START))
    faults = Faults(every={1: fault})
    with asking(tmp_path, stored, faults=faults) as (queries, missing, _):
        for read in (queries.agent_sessions, queries.task_details):
            missing.clear()
            [*read(START, END)]
            of_sessions_alone = fault == "null-channels" and read == queries.task_details
            assert any(said in it for it in missing) or of_sessions_alone, missing


@pytest.mark.parametrize("fault", ["endless", "repeat-pages"])
def test_pages_without_an_end_are_an_error(tmp_path, fault):
    """Where a cursor comes again, or the same rows."""
    stored = rows(*(session(f"s{at}", START, END, START) for at in range(3)))
    faults = Faults(every={1: fault})
    with (
        asking(tmp_path, stored, faults=faults, search_page=2) as (queries, *_),
        pytest.raises(EndlessPages),
    ):
        [*queries.agent_sessions(START, END)]


def test_rows_that_repeat_inside_a_task_do_not_hide_other_tasks(tmp_path):
    """What came of the task is used, and the rest is said to be missing."""
    stored = rows(task("t", START, END, *range(START, START + 150)), task("u", START, END, START))
    faults = Faults(every={1: "repeat-inner"})
    with asking(tmp_path, stored, faults=faults) as (queries, missing, _):
        assert ["t", "u"] == ids(queries.task_details(START, END), "id")
    assert ["The task t has 150 rows, and 100 came."] == missing
