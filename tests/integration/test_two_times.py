"""The law of two times: an answer is a fold of what had happened and was known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.contract.intervals import interval_rows
from projector.domain.events import Recorded, facts_once
from projector.domain.fold import fold
from projector.projection.read_models import TABLES, Table
from tests.conftest import Site, over_http, slow
from tests.integration.driving import arrived, counts, moments, stories
from tests.laws.memory import MemoryLog
from tests.strategies import believable_deliveries, noisy_deliveries


@pytest.mark.parametrize("lives", [believable_deliveries(), *slow(noisy_deliveries())],
                         ids=["believable", "noise"])  # fmt: skip
@over_http
@given(data=st.data())
def test_an_answer_as_of_two_times_is_a_fold_of_what_had_happened_and_was_known(timed, lives, data):
    """Views, lists and histories, for any arrival and any two times, given or not."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    for _ in range(3):
        at, known_at = moments(data, log, clock)
        for table in TABLES:
            subjects = expected(log, table, at, known_at, clock.now)
            assert subjects == answered(site, table, at, known_at)
            name = data.draw(st.sampled_from(FILTERS[table.name]))
            values = {key: filter_value(view, name) for key, (view, _) in subjects.items()}
            value = data.draw(st.sampled_from(sorted({*values.values()} - {""}) or ["true"]))
            matching = sorted(key for key in values if values[key] == value)
            assert matching == listed(site, table, {name: value}, at, known_at)


FILTERS = {
    "agents": ["status", "currentState", "teamId", "queueId", "loggedIn"],
    "tasks": ["status", "currentState", "queueId", "channelType", "direction", "open"],
}


def filter_value(view: dict[str, Any], name: str) -> str:
    """The value by which a filter finds a view; empty where it has none."""
    if name == "open":
        is_over = view["complete"] or view["status"] == "failed" or view["stale"]
        is_recording_alone = view["eventCount"] == len(view["captures"])
        return str(not is_over and not is_recording_alone).lower()
    value = view[name]
    return str(value).lower() if isinstance(value, bool) else value or ""


def listed(
    site: Site, table: Table[Any], filters: dict[str, str], at: int | None, known_at: int | None
) -> list[tuple[str, str]]:
    """The keys that a filtered list finds, page by page."""
    query = {"at": at, "knownAt": known_at, "limit": 2} | filters
    keys = []
    cursor: str | None = ""
    while cursor is not None:
        page = query | ({"cursor": cursor} if cursor else {})
        answer = site.get(f"/api/v1/{table.name}", query_string=page).json
        keys += [(view["orgId"], view[f"{table.subject}Id"]) for view in answer["data"]]
        cursor = answer["meta"]["nextCursor"]
    return [key for key in keys if "/" not in key[1]]


@pytest.mark.parametrize("lives", [believable_deliveries(), *slow(noisy_deliveries())],
                         ids=["believable", "noise"])  # fmt: skip
@over_http
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
                answer = site.get(path, query_string=times | {"orgId": key[0]}).json
                positions = {name: it["position"] for name, it in answer["fields"].items()}
                assert changed_by(table, key, counted) == positions


def elapses(table: Table[Any], events: list[Recorded]) -> bool:
    """Whether the passing of time alone changes something at any time."""
    parts = [fold(table.fresh(), events[:size]) for size in range(1, len(events) + 1)]
    return any(part.state.deadline() is not None for part in parts)


def changed_by(
    table: Table[Any], key: tuple[str, str], events: list[Recorded]
) -> dict[str, int | None]:
    """The position of the event that changed each field last."""
    folded = facts_once(events)
    own = {"orgId": None, f"{table.subject}Id": None}
    before = view_of(table, key, []) | own
    positions: dict[str, int | None] = dict.fromkeys(before)
    for size, event in enumerate(folded, start=1):
        now = view_of(table, key, folded[:size])
        positions |= {name: event.position for name in now if now[name] != before[name]}
        before = now
    return positions


def view_of(table: Table[Any], key: tuple[str, str], events: list[Recorded]) -> dict[str, Any]:
    view = table.view(*key, fold(table.fresh(), events).state, settled=False)
    return view.model_dump(by_alias=True, mode="json")


def expected(
    log: MemoryLog, table: Table[Any], at: int | None, known_at: int | None, clock: int
) -> dict[Any, Any]:
    subjects = {}
    for key, story in stories(log, table, at, known_at, clock).items():
        if "/" not in key[1]:  # no path can have such an id
            view = table.view(*key, story.state, settled=False)
            rows = interval_rows(table.interval, story.intervals)
            subjects[key] = (
                without_settled(view.model_dump(by_alias=True, mode="json")),
                [row.model_dump(by_alias=True, mode="json") for row in rows],
            )
    return subjects


def without_settled(view: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name != "settled"}


def answered(site: Site, table: Table[Any], at: int | None, known_at: int | None) -> dict[Any, Any]:
    times = {"at": at, "knownAt": known_at}
    query = {name: time for name, time in times.items() if time is not None}
    path, name = f"/api/v1/{table.name}", f"{table.subject}Id"
    listed = site.get(path, query_string=query | {"limit": 1000}).json
    if query:
        assert times == {name: listed["meta"][name] for name in times}
    subjects = {}
    for view in listed["data"]:
        key = view["orgId"], view[name]
        if "/" in key[1]:
            continue
        of_org = query | {"orgId": key[0]}
        one = site.get(f"{path}/{key[1]}", query_string=of_org).json
        assert without_settled(view) == without_settled(one)
        rows = []
        cursor: str | None = ""
        while cursor is not None:
            page = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            answer = site.get(f"{path}/{key[1]}/history", query_string=of_org | page).json
            rows += answer["data"]
            cursor = answer["meta"]["nextCursor"]
        subjects[key] = without_settled(view), rows
    return subjects
