"""The summary over HTTP: the floor in one answer, now and as of two times."""

from __future__ import annotations

import pytest

from tests.conftest import Site, open_site
from tests.examples import DAWN, at, ended, login, story, task, v1
from tests.integration.driving import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def site(database_url, tmp_path, clock):
    with open_site(database_url, tmp_path, clock=clock) as opened:
        yield opened


def test_x(site, clock):
    bodies = story(
        login(0, "ann", "Available"),
        task(1000, "t", "new"),
        task(2000, "t", "parked"),
        task(9000, "t", "connect"),
        v1(9100, "ann", "ringing", "t"),
        task(12000, "t", "connected"),
        v1(12000, "ann", "connected", "t"),
        ended(30000, "t"),
        v1(30000, "ann", "wrapup", "t"),
        v1(40000, "ann", "available", "t"),
        task(20000, "u", "parked"),
    )
    clock.now = at(50_000)
    site.post([*bodies])
    site.project()
    import json

    for q in (
        {},
        {"at": at(11_000)},
        {"teamId": "team-1"},
        {"at": at(11_000), "teamId": "team-1"},
        {"knownAt": at(50_000)},
        {"queueId": "q"},
    ):
        r = site.get("/api/v1/summary", query_string=q)
        print(q, r.status_code, json.dumps(r.json, indent=1) if r.status_code != 200 else r.json)
    assert 0
