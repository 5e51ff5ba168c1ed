"""The row worlds by themselves: webhooks and rows that the vendor could have made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from graphql import GraphQLList, GraphQLObjectType, get_nullable_type

from projector.domain.events import Offered
from projector.webex.simulator.search_api import search_schema
from projector.webex.webhook import judge
from tests.row_worlds.day import MINUTE_MS, VendorDay
from tests.row_worlds.shifts import SHIFTS, busy_desk, shift
from tests.row_worlds.strategies import CONTACTS

SCALARS = {"String": str, "Long": int, "Int": int, "Boolean": bool}
AT = VendorDay().start + 5 * MINUTE_MS


@pytest.fixture(params=[*CONTACTS, *SHIFTS, "busy desk"])
def day(request):
    """A day with one world."""
    made = VendorDay()
    if request.param in CONTACTS:
        shift(made, AT, [CONTACTS[request.param]])
    else:
        (SHIFTS | {"busy desk": busy_desk})[request.param](made, AT)
    return made


def misfits(value: Any, type_: Any, path: str) -> Iterator[str]:
    """Where a row has a field or a value that its GraphQL type has not."""
    type_ = get_nullable_type(type_)
    if value is None:
        return
    if isinstance(type_, GraphQLList):
        for place, item in enumerate(value):
            yield from misfits(item, type_.of_type, f"{path}.{place}")
    elif isinstance(type_, GraphQLObjectType):
        if isinstance(value, list):  # all activities; the API makes pages of them
            yield from misfits(value, type_.fields["nodes"].type, path)
            return
        for name, item in value.items():
            if name not in type_.fields:
                yield f"{path}.{name}"
            else:
                yield from misfits(item, type_.fields[name].type, f"{path}.{name}")
    elif type(value) is not SCALARS[type_.name]:
        yield f"{path} = {value!r}"


def test_rows_have_the_fields_and_types_of_the_search_api(day):
    """Under the names of its schema."""
    roots = search_schema().query_type.fields
    sessions = roots["agentSession"].type.fields["agentSessions"].type
    tasks = roots["taskDetails"].type.fields["tasks"].type
    assert [] == [*misfits(day.sessions, sessions, "sessions")]
    assert [] == [*misfits([*day.tasks.values()], tasks, "tasks")]


def test_webhooks_are_events_and_so_is_what_the_rows_tell_of_them(day):
    """None would go into quarantine."""
    told = [it.in_rows for it in day.webhooks if it.in_rows]
    for body in [*told, *(it.body for it in day.webhooks)]:
        raw = json.dumps(body).encode()
        assert isinstance(judge(raw, body, now=day.end, default_org=None), Offered)


def test_a_row_of_a_channel_ends_when_the_next_one_begins(day):
    """As the vendor's published rows do."""
    for session in day.sessions:
        for channel in session["channelInfo"]:
            rows = channel["activities"]
            assert [it["endTime"] for it in rows[:-1]] == [it["startTime"] for it in rows[1:]]
            assert all(it["startTime"] <= it["endTime"] for it in rows[:-1])


def test_rows_of_a_task_are_in_their_order(day):
    """From its first to its last."""
    for task in day.tasks.values():
        for row, following in pairwise(task["activities"]):
            assert row["createdTime"] <= following["createdTime"]


def test_no_id_of_a_row_comes_twice(day):
    """They are the ids of the events that a reconciliation appends."""
    lists = [it["activities"] for it in day.tasks.values()]
    lists += [it["activities"] for session in day.sessions for it in session["channelInfo"]]
    ids = [row["id"] for rows in lists for row in rows]
    assert sorted(set(ids)) == sorted(ids)


def test_a_day_that_is_cut_knows_nothing_of_later_times(day):
    """Neither the rows nor what they tell of the webhooks."""
    times = [it.body["data"].get("createdTime", day.start) for it in day.webhooks]
    now = day.until(sorted(times)[len(times) // 2])
    text = json.dumps([now.sessions, [*now.tasks.values()]])
    later = {str(it.in_rows["data"]["createdTime"]) for it in now.webhooks if it.in_rows}
    assert all(int(time) < now.end for time in later)
    for session in now.sessions:
        for channel in session["channelInfo"]:
            assert session["isActive"] == any(
                it["isCurrentActivity"] for it in channel["activities"]
            )
    assert all(str(time) not in text for time in times if time >= now.end)
