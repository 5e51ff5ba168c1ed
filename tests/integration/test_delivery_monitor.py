"""DeliveryMonitor: silence that is a fault differs from a quiet hour, by the deliveries before."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.event_log.delivery_monitor import (
    EXPECTED_AT_LEAST,
    WEEK_HOURS,
    DeliveryMonitor,
    expected_since,
    rate,
    silence,
)
from projector.infrastructure.clock import HOUR_MS
from tests.conftest import open_site
from tests.examples import v2
from tests.integration.driving import Clock

NOW = 1_795_003_200_000 // HOUR_MS * HOUR_MS
HOUR = NOW // HOUR_MS
BUSY = dict.fromkeys(range(HOUR - 48, HOUR), 60)


@pytest.mark.parametrize(
    ("hours", "silent_ms", "state"),
    [
        (BUSY, 0, "heard"),
        (BUSY, 60_000, "heard"),
        (BUSY, 6 * 60_000, "quiet"),
        (BUSY, 7 * 60_000, "no-data"),
        (dict.fromkeys(BUSY, 1), 6 * HOUR_MS, "quiet"),
        (dict.fromkeys(BUSY, 1), 7 * HOUR_MS, "no-data"),
        ({}, 20 * HOUR_MS, "quiet"),
    ],
)
def test_silence_is_judged_by_what_was_to_be_expected(hours, silent_ms, state):
    """Seven deliveries: none of so many comes by chance once in a thousand times."""
    found = silence("s", hours, NOW, NOW + silent_ms)
    assert (state, NOW) == (found.state, found.last_time)
    assert math.exp(-EXPECTED_AT_LEAST) < 0.001


def test_a_subscription_without_deliveries_is_never_heard():
    """Neither silent nor quiet."""
    assert ("never", None, 0.0) == ((it := silence("s", {}, None, NOW)).state, it.last_time,
                                    it.expected)  # fmt: skip


def test_the_same_hour_of_the_week_counts_most():
    """A night that was always quiet is quiet; with a week's history the day before says nothing."""
    night, day = HOUR, HOUR + 10
    hours = {}
    for weeks in range(1, 4):
        hours |= {night - weeks * WEEK_HOURS: 0, day - weeks * WEEK_HOURS: 600}
    hours |= {HOUR - 1: 600}
    first = min(hours)
    assert 0.0 == rate(hours, night, first, HOUR)
    assert 600.0 == rate(hours, day, first, HOUR)
    assert 600.0 / 24 == rate({HOUR - 1: 600, HOUR - 24: 0}, HOUR, HOUR - 24, HOUR)


@given(
    hours=st.dictionaries(st.integers(HOUR - 900, HOUR), st.integers(0, 500)),
    spans=st.lists(st.integers(0, 30 * HOUR_MS), min_size=2, max_size=2).map(sorted),
)
def test_the_longer_the_silence_the_more_was_to_be_expected(hours, spans):
    """Never less, and never without bounds."""
    shorter, longer = (expected_since(hours, NOW, NOW + span) for span in spans)
    assert 0.0 <= shorter <= longer <= (spans[1] / HOUR_MS) * max([*hours.values(), 0]) + 1e-6


def test_deliveries_are_counted_over_restarts(database_url, tmp_path):
    """By the hour, of all processes; deliveries that are not written yet count too."""
    clock, pools = Clock(), []
    clock.now = NOW
    for number in range(3):
        with open_site(database_url, tmp_path, clock=clock) as site:
            body = v2(0, "ann", "idle") | {"source": "/com/cisco/wxcc/s"}
            for _ in range(2):
                assert 202 == site.post(body | {"id": f"{number}"}).status_code
            by_id = {it["id"]: it for it in site.get("/api/v1/status").json["subscriptions"]}
            assert ("heard", clock.now) == (by_id["s"]["state"], by_id["s"]["lastHeardTime"])
            pools.append(site.service.pool)
        clock.now += HOUR_MS
    with open_site(database_url, tmp_path, clock=clock) as site:
        rows = site.service.status._all("SELECT hour, deliveries FROM delivery_hours ORDER BY hour")
        assert [(HOUR + number, 2) for number in range(3)] == [
            (row["hour"], row["deliveries"]) for row in rows
        ]


def test_no_data_shows_in_status_readiness_and_metrics(database_url, tmp_path):
    """It differs from a quiet hour. The service stays ready: to stop traffic would not help."""
    clock = Clock()
    clock.now = NOW
    with open_site(database_url, tmp_path, clock=clock) as site:
        monitor: DeliveryMonitor = site.service.monitor
        for hour in range(1, 25):
            clock.now = NOW - hour * HOUR_MS
            for _ in range(20):
                monitor.count(["busy"])
            monitor.count(["calm"])
        clock.now = NOW
        monitor.count(["busy", "calm"])
        clock.now = NOW + HOUR_MS
        by_id = {it["id"]: it for it in site.get("/api/v1/status").json["subscriptions"]}
        assert {"busy": "no-data", "calm": "quiet"} == {it: by_id[it]["state"] for it in by_id}
        assert HOUR_MS == by_id["busy"]["silentMs"]
        ready = site.client.get("/readyz")
        assert (200, "ready") == (ready.status_code, ready.json["status"])
        assert ["the subscription busy is silent, though 20 deliveries were expected"] == (
            ready.json["warnings"])  # fmt: skip
        lines = site.client.get("/metrics").text.splitlines()
        assert 'projector_subscription_no_data{subscription="busy"} 1.0' in lines
        assert 'projector_subscription_no_data{subscription="calm"} 0.0' in lines
        assert 'projector_subscription_silent_seconds{subscription="calm"} 3600.0' in lines
        assert "projector_log_position 0.0" in lines
