"""The law of adherence: it says what the view and the history of the same times say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.events import plain_word
from tests.conftest import Site, over_http, slow
from tests.integration.driving import arrived, moments
from tests.integration.test_two_times import without_settled
from tests.strategies import believable_deliveries, noisy_deliveries

PATH = "/api/v1/reports/adherence"
SAME = ("agentId", "orgId", "teamId", "status", "currentState", "loggedIn")


@pytest.mark.parametrize("lives", [believable_deliveries(), *slow(noisy_deliveries())],
                         ids=["believable", "noise"])  # fmt: skip
@over_http
@given(data=st.data())
def test_adherence_is_what_view_and_history_tell(timed, lives, data):
    """As of any two times: a status with its reason began with the first such interval."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    for _ in range(3):
        at, known_at = moments(data, log, clock)
        times = {name: it for name, it in (("at", at), ("knownAt", known_at)) if it is not None}
        now = next(it for it in (at, known_at, clock.now) if it is not None)
        query = times | {"limit": 1000}
        rows = [without_settled(it) for it in site.get(PATH, query_string=query).json["data"]]
        views = site.get("/api/v1/agents", query_string=query).json["data"]
        assert [view["agentId"] for view in views] == [row["agentId"] for row in rows]
        for view, row in zip(views, rows, strict=True):
            if "/" not in view["agentId"]:  # no path can have such an id
                assert expected(site, view, now, times) == row
        headers = {"Accept": "application/x-ndjson"}
        lines = site.get(PATH, headers=headers, query_string=times).data.splitlines()
        assert rows == [without_settled(json.loads(line)) for line in lines]


def expected(site: Site, view: dict[str, Any], now: int, times: dict[str, int]) -> dict[str, Any]:
    since = status_since(site, view, times)
    return {name: view[name] for name in SAME} | {
        "reasonCode": view["idleCodeId"],
        "reasonName": view["idleCodeName"],
        "since": since,
        "durationMs": max(0, now - since),
        "time": now,
    }


def status_since(site: Site, view: dict[str, Any], times: dict[str, int]) -> int:
    """The start of the last intervals with one status and one idle code."""
    path = f"/api/v1/agents/{view['agentId']}/history"
    query = times | {"orgId": view["orgId"], "limit": 1000}
    intervals = site.get(path, query_string=query).json["data"]
    kinds = [(plain_word(it["status"]), it["idleCodeId"]) for it in intervals]
    first = len(kinds) - 1
    while first > 0 and kinds[first - 1] == kinds[-1]:
        first -= 1
    return int(intervals[first]["from"])
