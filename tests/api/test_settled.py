"""Settled or provisional: whether later arrivals are unlikely to change what is shown."""

from __future__ import annotations

import threading

import pytest

from projector.infrastructure.database import connect
from projector.operations.reconciliation.coverage import cover
from projector.projection.arrival_delays import count_delays, quantile
from tests.conftest import Site, open_site
from tests.examples import DAWN, ORG, at, body, story, task, v1
from tests.integration.driving import Clock, eventually, follow

MINUTE = 60_000


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def site(database_url, tmp_path, clock):
    with open_site(database_url, tmp_path, clock=clock) as opened:
        yield opened


def tell(site: Site, clock: Clock, delay: int, *bodies: dict) -> None:
    """Each arrives so long after it happened."""
    for number, it in enumerate(bodies):
        clock.now = it["data"]["createdTime"] + delay
        assert 202 == site.post(it | {"id": f"{it['id']} {number}"}).status_code
    site.project()
    site.service.delays._read_at = float("-inf")


def is_settled(site: Site, path: str, **times: int) -> bool:
    return site.get(f"/api/v1/{path}", query_string=times).json["settled"]


def test_a_view_is_settled_once_events_of_its_newest_type_have_come(site, clock):
    """As late as those before it were; five seconds at least, of a type that was never late."""
    tell(site, clock, 0, *story(*(task(49_000, f"t{n}", "new") for n in range(50))))
    tell(site, clock, MINUTE, *story(*(v1(1_000 * n, "ann", "idle") for n in range(50))))
    newest = at(49_000)
    for moment, agent, other in (
        (newest + 5_000, False, False),
        (newest + 5_001, False, True),
        (newest + MINUTE, False, True),
        (newest + 2 * MINUTE, True, True),
    ):
        clock.now = moment
        assert (agent, other) == (is_settled(site, "agents/ann"), is_settled(site, "tasks/t7"))
        (view,) = site.get("/api/v1/agents?agentId=ann").json["data"]
        assert agent == view["settled"]


def test_it_is_of_the_moment_at_which_we_knew(site, clock):
    """As of a past moment of knowledge a view may be provisional that is settled now."""
    tell(site, clock, 0, *story(v1(0, "ann", "idle"), v1(10_000, "ann", "available")))
    clock.now = at(MINUTE)
    assert is_settled(site, "agents/ann")
    assert not is_settled(site, "agents/ann", knownAt=at(12_000))
    assert is_settled(site, "agents/ann", knownAt=at(12_000), at=at(5_000))


def test_what_has_no_time_of_its_own_says_nothing_of_delays(site, clock):
    """Nor does what came before it happened make later ones seem early."""
    clock.now = at(0)
    timeless = body("agent:state_change", 0, id="n", agentId="ann", currentState="idle")
    del timeless["data"]["createdTime"], timeless["comciscotimestamp"]
    site.post(timeless)
    ahead = v1(9_000_000, "ann", "idle") | {"id": "x"}
    site.post(ahead)
    site.project()
    with connect(site.url) as connection:
        rows = connection.execute("SELECT * FROM arrival_delays").fetchall()
    assert [{"type": "agent:state_change", "bucket": 0, "events": 1}] == rows


def test_a_running_follower_counts_as_it_goes(site, clock):
    """Each event once, also beside others who would count."""
    stop = threading.Event()
    runner = follow(site, stop)
    clock.now = DAWN + MINUTE
    for number in range(20):
        site.post(v1(number, "ann", "idle") | {"id": str(number)})
        with connect(site.url) as connection:
            count_delays(connection)

    def counted() -> bool:
        with connect(site.url) as connection:
            row = connection.execute("SELECT sum(events) AS n FROM arrival_delays").fetchone()
        return row is not None and row["n"] == 20

    eventually(counted)
    stop.set()
    runner.join()
    assert counted()


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([], 0.999, 0),
        ([(0, 10)], 0.999, 1),
        ([(0, 999), (40, 1)], 0.999, 1),
        ([(0, 998), (40, 2)], 0.999, 1_024),
        ([(4, 5), (8, 5)], 0.5, 2),
        ([(4, 5), (8, 6)], 0.5, 4),
        ([(41, 1)], 0.999, 1_218),
    ],
)
def test_a_quantile_is_the_end_of_its_bucket(counts, share, expected):
    """So it is never under what was observed, and at most a fifth above it."""
    assert expected == quantile(counts, share)


def test_a_reconciliation_settles_the_views_that_it_covers(site, clock):
    """Of its organisation and window, from when it was done; another's and later ones not."""
    tell(site, clock, MINUTE, *story(*(v1(1_000 * n, "ann", "idle") for n in range(50))))
    newest, pool = at(49_000), site.service.pool
    cover(pool, 1, "another", newest, newest + 1, now=newest)
    cover(pool, 2, ORG, newest - 9, newest, now=newest)
    for job, done, settled in ((3, newest + 8_000, False), (4, newest + 7_000, True)):
        cover(pool, job, ORG, newest, newest + 1, now=done)
        site.service.delays._read_at = float("-inf")
        clock.now = newest + 7_000
        assert settled == is_settled(site, "agents/ann")
