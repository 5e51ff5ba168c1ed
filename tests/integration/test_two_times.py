"""The law of two times: an answer is a fold of what had happened and was known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

import projector.events
from projector.body import read_delivery
from projector.database import connect
from projector.events import Offered, Origin, Recorded, restatements
from projector.machine import fold
from projector.shapes import interval_rows
from projector.store import Request
from projector.tables import TABLES, Table
from projector.webex import judge
from tests.conftest import Site, clone, forget, open_site
from tests.examples import RECORDED
from tests.integration.driving import Clock
from tests.laws.memory import MemoryLog, line
from tests.strategies import believable_deliveries, noisy_deliveries


@pytest.fixture(scope="module")
def timed(template, tmp_path_factory):
    """A site whose log may be emptied, and the clock by which it records and answers."""
    clock = Clock()
    with open_site(clone(template), tmp_path_factory.mktemp("timed"), clock=clock) as site:
        with connect(site.url) as connection:
            for name in ("events", "duplicates"):
                connection.execute(f"DROP TRIGGER immutable ON {name}".encode())
        yield site, clock


@pytest.fixture(autouse=True)
def _usual_spacing(monkeypatch):
    """Whatever a test makes of it, the next one finds it as it is."""
    monkeypatch.setattr(projector.events, "CHECKPOINT_EVENTS", projector.events.CHECKPOINT_EVENTS)


def arrived(site: Site, clock: Clock, data: Any, lives: Any) -> MemoryLog:
    """Some lives in any order of arrival, folded in pages as they come."""
    with connect(site.url) as connection:
        connection.execute("TRUNCATE events, duplicates, conflicts, quarantine, skipped")
    forget(site.url)
    projector.events.CHECKPOINT_EVENTS = data.draw(st.sampled_from([1, 2, 4, 32]))
    bodies = data.draw(st.permutations(data.draw(lives)))
    note("\n".join(line(body) for body in bodies))
    origins = st.sampled_from(Origin if data.draw(st.booleans()) else [Origin.WEBHOOK])
    log, clock.now = MemoryLog(), RECORDED
    while bodies:
        size, clock.now = data.draw(st.integers(1, 4)), clock.now + data.draw(st.integers(0, 2))
        deliver(site, log, bodies[:size], clock.now, data.draw(origins))
        bodies = bodies[size:]
        if data.draw(st.booleans()):
            site.project(page_events=data.draw(st.integers(1, 5)))
    site.project()
    clock.now += 10
    return log


def moments(data: Any, log: MemoryLog, clock: Clock) -> tuple[int | None, int | None]:
    """When it happened and when we knew, each near to something, or not given."""
    times = sorted({it.time for it in log.events.values()})
    near = st.sampled_from(times or [0]).flatmap(
        lambda time: st.sampled_from([0, -1, 1, 1_999, 2_000, 3_600_000]).map(
            lambda apart: min(max(0, time + apart), 2**53 - 1)
        )
    )
    known = st.integers(RECORDED - 1, clock.now)
    return data.draw(st.none() | near), data.draw(st.none() | known)


def deliver(site: Site, log: MemoryLog, bodies: list[Any], recorded: int, origin: Origin) -> None:
    """One publication, to the store and to the log in memory."""
    log.begin_request()
    elements = read_delivery(json.dumps(bodies).encode()).elements
    judged = [judge(own, it, now=recorded, default_org=None) for own, it in elements]
    offered = [it for it in judged if isinstance(it, Offered)]
    site.service.store.append([Request(events=offered, origin=origin)])
    for body in bodies:
        log.deliver(body, recorded, origin)


@pytest.mark.parametrize("lives", [believable_deliveries(), noisy_deliveries()],
                         ids=["believable", "noise"])  # fmt: skip
@given(data=st.data())
def test_an_answer_as_of_two_times_is_a_fold_of_what_had_happened_and_was_known(timed, lives, data):
    """Views, lists and histories, for any arrival and any two times, given or not."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    for _ in range(3):
        at, known_at = moments(data, log, clock)
        for table in TABLES:
            there = expected(log, table, at, known_at, clock.now)
            assert there == found(site, table, at, known_at)
            name = data.draw(st.sampled_from(FILTERS[table.name]))
            shown = {key: told_of(view, name) for key, (view, _) in there.items()}
            value = data.draw(st.sampled_from(sorted({*shown.values()} - {""}) or ["true"]))
            fitting = sorted(key for key in shown if shown[key] == value)
            assert fitting == listed(site, table, {name: value}, at, known_at)


FILTERS = {
    "agents": ["status", "currentState", "teamId", "queueId", "loggedIn"],
    "tasks": ["status", "currentState", "queueId", "channelType", "direction", "open"],
}


def told_of(view: dict[str, Any], name: str) -> str:
    """What a filter finds a view by; empty where it has no such value."""
    if name == "open":
        return str(not view["complete"] and view["status"] != "failed").lower()
    value = view[name]
    return str(value).lower() if isinstance(value, bool) else value or ""


def listed(
    site: Site, table: Table[Any], wanted: dict[str, str], at: int | None, known_at: int | None
) -> list[tuple[str, str]]:
    """The keys that a filtered list finds, page by page."""
    query = {"at": at, "knownAt": known_at, "limit": 2} | wanted
    keys = []
    cursor: str | None = ""
    while cursor is not None:
        page = query | ({"cursor": cursor} if cursor else {})
        answer = site.get(f"/api/v1/{table.name}", query_string=page).json
        keys += [(view["orgId"], view[f"{table.subject}Id"]) for view in answer["data"]]
        cursor = answer["meta"]["nextCursor"]
    return [key for key in keys if "/" not in key[1]]


@pytest.mark.parametrize("lives", [believable_deliveries(), noisy_deliveries()],
                         ids=["believable", "noise"])  # fmt: skip
@given(data=st.data())
def test_what_set_a_field_is_the_last_event_that_changed_it(timed, lives, data):
    """As found by folding one event more at a time."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    at, known_at = moments(data, log, clock)
    times = {name: time for name, time in (("at", at), ("knownAt", known_at)) if time is not None}
    for table in TABLES:
        for key, events in log.of(table).items():
            counted = [it for it in events if counts(it, at, known_at)]
            if counted and "/" not in key[1] and not elapses(table, counted):
                path = f"/api/v1/{table.name}/{key[1]}/explain"
                told = site.get(path, query_string=times | {"orgId": key[0]}).json
                found = {name: it["position"] for name, it in told["fields"].items()}
                assert changed_by(table, key, counted) == found


def elapses(table: Table[Any], events: list[Recorded]) -> bool:
    """Whether the passing of time alone changes something at any time."""
    parts = [fold(table.fresh(), events[:size]) for size in range(1, len(events) + 1)]
    return any(part.state.due() is not None for part in parts)


def changed_by(
    table: Table[Any], key: tuple[str, str], events: list[Recorded]
) -> dict[str, int | None]:
    """The position of the event that changed each field last."""
    repeats = restatements(events)
    told = [it for it in events if it.position not in repeats]
    own = {"orgId": None, f"{table.subject}Id": None}
    before = view_of(table, key, []) | own
    found: dict[str, int | None] = dict.fromkeys(before)
    for size, event in enumerate(told, start=1):
        now = view_of(table, key, told[:size])
        found |= {name: event.position for name in now if now[name] != before[name]}
        before = now
    return found


def view_of(table: Table[Any], key: tuple[str, str], told: list[Recorded]) -> dict[str, Any]:
    view = table.view(*key, fold(table.fresh(), told).state, settled=False)
    return view.model_dump(by_alias=True, mode="json")


def counts(it: Recorded, at: int | None, known_at: int | None) -> bool:
    """Whether an event had happened and was known."""
    had_happened = at is None or it.time <= at
    return had_happened and (known_at is None or it.recorded_time <= known_at)


def expected(
    log: MemoryLog, table: Table[Any], at: int | None, known_at: int | None, clock: int
) -> dict[Any, Any]:
    now = next(time for time in (at, known_at, clock) if time is not None)
    told = {}
    for key, events in log.of(table).items():
        counted = [it for it in events if counts(it, at, known_at)]
        if counted and "/" not in key[1]:  # such an id is reached by the list's filter alone
            story = fold(table.fresh(), counted).until(now)
            view = table.view(*key, story.state, settled=False)
            rows = interval_rows(table.interval, story.intervals)
            told[key] = (
                without_settled(view.model_dump(by_alias=True, mode="json")),
                [row.model_dump(by_alias=True, mode="json") for row in rows],
            )
    return told


def without_settled(view: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name != "settled"}


def found(site: Site, table: Table[Any], at: int | None, known_at: int | None) -> dict[Any, Any]:
    times = {"at": at, "knownAt": known_at}
    query = {name: time for name, time in times.items() if time is not None}
    path, name = f"/api/v1/{table.name}", f"{table.subject}Id"
    listed = site.get(path, query_string=query | {"limit": 1000}).json
    if query:
        assert times == {name: listed["meta"][name] for name in times}
    told = {}
    for view in listed["data"]:
        key = view["orgId"], view[name]
        if "/" in key[1]:
            continue
        asked = query | {"orgId": key[0]}
        assert view == site.get(f"{path}/{key[1]}", query_string=asked).json
        rows = []
        cursor: str | None = ""
        while cursor is not None:
            page = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            answer = site.get(f"{path}/{key[1]}/history", query_string=asked | page).json
            rows += answer["data"]
            cursor = answer["meta"]["nextCursor"]
        told[key] = without_settled(view), rows
    return told
