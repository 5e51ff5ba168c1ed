"""What a token of some teams sees, moment by moment: agents move, and what was before stays hidden.

The oracle looks at the events alone: an agent's team at a moment is the last one that an event of
the agent carried, and a task is of those who had a state in it by then. It cuts the rows that a
token of all teams gets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.query.as_of import views
from projector.query.audit import event_log
from tests.conftest import Site, erasable, erase, over_http
from tests.examples import NOW, RECORDED, Body, at, ended, login, task, v1
from tests.integration.driving import Clock

TOKENS = [
    {"token": "all", "role": "viewer"},
    {"token": "red", "role": "viewer", "teamIds": ["red"]},
]
AGENTS, TASKS, TEAMS = ("ann", "bob"), ("t", "u"), ("red", "blue")
STEP_MS = 1_000
Seen = Callable[[int], bool]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def emptied(
    template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Clock]]:
    clock = Clock()
    settings = {"PROJECTOR_TOKENS": json.dumps(TOKENS), "PROJECTOR_ALLOW_UNSIGNED": "1"}
    folder = tmp_path_factory.mktemp("moments")
    with erasable(template, folder, clock=clock, **settings) as site:
        yield site, clock


# --- worlds ---


@st.composite
def worlds(draw: st.DrawFn) -> list[Body]:
    """Events, each at a time of its own, in the order of their arrival."""
    bodies = []
    for number in range(1, draw(st.integers(2, 14)) + 1):
        moment = number * STEP_MS
        agent, name = draw(st.sampled_from(AGENTS)), draw(st.sampled_from(TASKS))
        team = {"teamId": draw(st.sampled_from((*TEAMS, None)))}
        word = draw(st.sampled_from(("ringing", "connected", "on-hold", "wrapup", "wrapup-done")))
        step = draw(st.sampled_from(("new", "parked", "connect", "connected")))
        body = draw(
            st.sampled_from(
                (
                    login(moment, agent, **team),
                    v1(moment, agent, draw(st.sampled_from(("idle", "available"))), **team),
                    v1(moment, agent, word, name, **team),
                    v1(moment, agent, word, name, **team),
                    task(moment, name, step),
                    ended(moment, name),
                )
            )
        )
        bodies.append(body | {"id": f"e{number}"})
    late = draw(st.lists(st.sampled_from(bodies), max_size=3, unique_by=lambda it: it["id"]))
    others = [it for it in bodies if it not in late]
    again = [it | {"data": it["data"] | {"profileType": "other"}} for it in late[:1]]
    return [*others, *late, *again]


# --- the oracle ---


@dataclass(frozen=True)
class World:
    """The events of a world, by time."""

    events: Sequence[Body]

    def team(self, agent: str, time: int) -> str | None:
        team = None
        for it in self.events:
            data = it["data"]
            if data.get("agentId") == agent and data["createdTime"] <= time:
                team = data.get("teamId") or team
        return team

    def agent_is_seen(self, agent: str | None, time: int) -> bool:
        return agent is not None and self.team(agent, time) == "red"

    def task_is_seen(self, name: str | None, time: int) -> bool:
        agents = {
            it["data"].get("agentId")
            for it in self.events
            if it["data"].get("taskId") == name and it["data"]["createdTime"] <= time
        }
        return name is not None and any(self.agent_is_seen(agent, time) for agent in agents)

    def last_of(self, name: str) -> int:
        times = (
            it["data"]["createdTime"] for it in self.events if it["data"].get("taskId") == name
        )
        return max(times, default=0)

    def seen(self, row: Row) -> bool:
        """Whether an event is."""
        time = row["time"]
        return self.agent_is_seen(row["agentId"], time) or self.task_is_seen(row["taskId"], time)

    def moments_of(self, kind: str, id_: str) -> Seen:
        """At which moments a subject is seen."""
        is_seen = self.agent_is_seen if kind == "agent" else self.task_is_seen
        return lambda time: is_seen(id_, time)

    def of(self, kind: str, id_: str, now: int) -> Seen:
        """When what goes on is seen: after the last event of a task it is as of the question."""
        if kind == "agent":
            return self.moments_of(kind, id_)
        last = self.last_of(id_)
        return lambda time: self.task_is_seen(id_, time if time <= last else now)

    def cut(self, seen: Seen, start: int, end: int | None) -> list[tuple[int, int | None]]:
        if start == end:
            return [(start, end)] if seen(start) else []
        times = {it["data"]["createdTime"] + more for it in self.events for more in (0, 1)}
        edges = [start, *sorted(it for it in times if it > start and (end is None or it < end))]
        parts: list[tuple[int, int | None]] = []
        for begin, finish in pairwise([*edges, end]):
            if begin is None or not seen(begin):
                continue
            if parts and parts[-1][1] == begin:
                parts[-1] = (parts[-1][0], finish)
            else:
                parts.append((begin, finish))
        return parts

    def cut_row(self, seen: Seen, row: Row) -> Iterator[Row]:
        """The parts of an interval, a span or a part of a journey."""
        for start, end in self.cut(seen, row["from"], row["to"]):
            part = row | {"from": start, "to": end}
            part["durationMs"] = None if end is None else end - start
            if "eventId" in row and start != row["from"]:
                part["eventId"] = None
            if end != row["to"]:
                part |= {it: None for it in ("outcome", "loggedOutBy") if it in row}
                part |= {it: False for it in ("byTime",) if it in row}
            if row.get("handledTime") is not None and not seen(row["handledTime"]):
                part["handledTime"] = None
            yield part


# --- asking ---


def ask(site: Site, token: str, path: str, **query: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return site.client.get(f"/api/v1/{path}", headers=headers, query_string=query)


def walk(site: Site, token: str, path: str, **query: Any) -> list[Row]:
    """The rows of all pages."""
    rows, cursor = list[Row](), {}
    while cursor is not None:
        answer = ask(site, token, path, **query, **cursor)
        assert 200 == answer.status_code, answer.text
        rows += answer.json["data"]
        following = answer.json["meta"]["nextCursor"]
        cursor = None if following is None else {"cursor": following}
    return rows


def by_start(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["from"], json.dumps(row, sort_keys=True)))


LATE = [
    login(0, "ann", teamId="blue") | {"id": "e1"},
    v1(10_000, "ann", "idle", teamId="red", idleCodeId="lunch") | {"id": "e2"},
    v1(20_000, "ann", "available") | {"id": "e3"},
    v1(5_000, "ann", "available", idleCodeId="blue-code") | {"id": "e4"},
    v1(15_000, "ann", "idle", idleCodeId="late") | {"id": "e5"},
]


def test_a_stream_tells_of_a_correction_what_the_team_sees(emptied: tuple[Site, Clock]) -> None:
    """As the ledger does, and nothing of one that is of another team's time alone."""
    site, clock = emptied
    erase(site.url)
    clock.now = RECORDED
    for body in LATE[:3]:
        site.post(body)
        site.project()
    everyone, red = (
        iter(
            site.client.get("/api/v1/stream", headers={"Authorization": f"Bearer {token}"}).response
        )
        for token in ("all", "red")
    )
    assert ["retry:", "retry:"] == [next(it).decode().split(" ")[0] for it in (everyone, red)]
    for body in LATE[3:]:
        site.post(body)
        site.project()
    told = {
        token: [correction_of(next_of(messages)) for _ in walk(site, token, "corrections")]
        for token, messages in (("all", everyone), ("red", red))
    }
    for token, corrections in told.items():
        assert by_start(walk(site, token, "corrections")) == by_start(corrections)
    assert len(told["red"]) < len(told["all"])
    assert "blue-code" not in json.dumps(told["red"])


def next_of(messages: Iterator[bytes]) -> str:
    """The next message about a correction."""
    return next(it for it in (one.decode() for one in messages) if "event: correction" in it)


def correction_of(message: str) -> Row:
    (data,) = [line[6:] for line in message.splitlines() if line.startswith("data: ")]
    row: Row = json.loads(data)
    return row


def test_the_wait_of_a_pages_rows_is_bounded(
    emptied: tuple[Site, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a team sees little, pages are short, and all of them together are whole."""
    site, clock = emptied
    erase(site.url)
    clock.now = RECORDED
    moved = [v1(n * STEP_MS, "ann", "idle", idleCodeId=f"c{n}") for n in range(1, 40)]
    for number, body in enumerate(moved):
        body["data"]["teamId"] = "red" if number % 13 == 12 else "blue"
    site.post([it | {"id": f"e{n}"} for n, it in enumerate(moved)])
    site.project()
    whole = {path: walk(site, "red", path, limit=1_000) for path in BOUNDED}
    assert [3, 3, 3] == [*map(len, whole.values())]
    for module, name in (
        (views, "INTERVALS_PER_PAGE"),
        (event_log, "EVENTS_PER_PAGE"),
        (event_log, "ROWS_PER_TEAM_PAGE"),
        (event_log, "ROWS_TOGETHER"),
    ):
        monkeypatch.setattr(module, name, 4)
    for path, rows in whole.items():
        first = ask(site, "red", path, limit=2).json
        assert ([], True) == (first["data"], first["meta"]["nextCursor"] is not None), path
        assert rows == walk(site, "red", path, limit=2), path


BOUNDED = ("agents/ann/history", "agents/ann/events", "events")


@over_http
@given(data=st.data())
def test_nothing_is_told_of_other_teams_moments(
    emptied: tuple[Site, Clock], data: st.DataObject
) -> None:
    """By any route about agents, tasks, the log or the ledgers, however it is paged."""
    site, clock = emptied
    erase(site.url)
    arrived, clock.now = data.draw(worlds()), RECORDED
    for body in arrived:
        assert 202 == site.post(body).status_code
        site.project()
    clock.now = NOW
    unique = {it["id"]: it for it in reversed(arrived)}  # the first of each id counts
    world = World(sorted(unique.values(), key=lambda it: it["data"]["createdTime"]))
    paged = {"limit": data.draw(st.sampled_from((1, 2, 1_000)))}
    check_log(site, world, paged, data.draw(st.sampled_from(("created", "recorded"))))
    check_ledgers(site, world, paged)
    times = {} if data.draw(st.booleans()) else {"at": at(data.draw(st.integers(0, 15)) * STEP_MS)}
    for kind, ids in (("agent", AGENTS), ("task", TASKS)):
        for id_ in ids:
            check_subject(site, world, (kind, id_), paged, times)


def check_log(site: Site, world: World, paged: dict[str, int], order: str) -> None:
    everything = walk(site, "all", "events", order=order)
    expected = [row for row in everything if world.seen(row)]
    assert expected == walk(site, "red", "events", order=order, **paged)
    for row in everything:
        answer = ask(site, "red", f"events/{row['position']}")
        assert (200 if row in expected else 404) == answer.status_code
    headers = {"Authorization": "Bearer red", "Accept": "application/x-ndjson"}
    lines = site.client.get(f"/api/v1/events?order={order}", headers=headers).text.splitlines()
    assert expected == [json.loads(line) for line in lines]
    assert len(expected) == ask(site, "red", "events/digest").json["count"]


def check_ledgers(site: Site, world: World, paged: dict[str, int]) -> None:
    anomalies, corrections = list[Row](), list[Row]()
    for row in walk(site, "all", "anomalies"):
        seen = world.moments_of(*row["subject"].split(":"))
        if seen(row["to"]):
            start = row["to"] if row["from"] is None else row["from"]
            begin = world.cut(seen, start, row["to"] + 1)[-1][0]
            anomalies.append(row | {"from": row["from"] if begin == start else begin})
    assert anomalies == walk(site, "red", "anomalies", **paged)
    for row in walk(site, "all", "corrections"):
        seen = world.of(*row["subject"].split(":"), NOW)
        parts = world.cut(seen, row["from"], row["to"])
        events = [it for it in row["events"] if seen(it["time"])]
        if parts:
            corrections.append(
                row
                | {"from": parts[0][0], "to": parts[-1][1], "events": events}
                | {it: [*cut_all(world, seen, row[it])] for it in ("before", "after")}
                | {"eventId": events[0]["eventId"] if events else None}
            )
    assert corrections == walk(site, "red", "corrections", **paged)
    times = {it["position"]: it["time"] for it in walk(site, "all", "events")}
    conflicts = [
        row
        for row in walk(site, "all", "conflicts")
        if world.seen(row | {"time": times[row["position"]]})
    ]
    assert conflicts == walk(site, "red", "conflicts", **paged)


def cut_all(world: World, seen: Seen, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        yield from world.cut_row(seen, row)


def check_subject(
    site: Site,
    world: World,
    subject: tuple[str, str],
    paged: dict[str, int],
    times: dict[str, int],
) -> None:
    kind, id_ = subject
    path, now = f"{kind}s/{id_}", times.get("at", NOW)
    events = f"{path}/events"
    if not world.of(kind, id_, NOW)(NOW):
        assert 403 == ask(site, "red", events).status_code
    else:
        expected = [row for row in walk(site, "all", events) if world.seen(row)]
        assert expected == walk(site, "red", events, **paged)
    until_now = World([it for it in world.events if it["data"]["createdTime"] <= now])
    seen = until_now.of(kind, id_, now)
    lanes = {"agent": "timeline", "task": "journey"}[kind]
    window = {"from": at(0), "to": at(20 * STEP_MS)} if kind == "agent" else {}
    if not seen(now):
        for part in ("", "/history", "/explain", f"/{lanes}"):
            asked = ask(site, "red", path + part, **times, **(window if "line" in part else {}))
            assert 403 == asked.status_code, (path + part, asked.text)
        return
    expected = [*cut_all(until_now, seen, walk(site, "all", f"{path}/history", **times))]
    assert expected == walk(site, "red", f"{path}/history", **paged, **times)
    everything, some = (
        ask(site, token, f"{path}/{lanes}", **times, **window).json["data"]
        for token in ("all", "red")
    )
    assert by_start(cut_all(until_now, seen, everything)) == by_start(some)
    assert [row["from"] for row in some] == sorted(row["from"] for row in some)
    everything, some = (ask(site, it, f"{path}/explain", **times).json for it in ("all", "red"))
    seen = until_now.moments_of(kind, id_)
    hidden = {"eventId": None, "position": None, "time": None}
    assert some == everything | {
        "fields": {
            name: it if it["time"] is None or seen(it["time"]) else it | hidden
            for name, it in everything["fields"].items()
        },
        "around": [it for it in everything["around"] if seen(it["time"])],
    }
