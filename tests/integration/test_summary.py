"""The law of the summary: it is the count over views and histories as of the same two times."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.events import Origin
from projector.domain.fold import Fold
from projector.projection.read_models import AGENTS, TASKS
from tests import independent_metrics
from tests.conftest import erase, over_http
from tests.examples import RECORDED, at, login, story, v1
from tests.integration.driving import arrived, deliver, moments, stories
from tests.laws.memory import MemoryLog
from tests.strategies import believable_deliveries, noisy_deliveries

Key = tuple[str, str]
WINDOWS = (1, 1_000, 60_000, 1_800_000, 3_600_000, 7 * 24 * 3_600_000)


@pytest.mark.parametrize("lives", [believable_deliveries(), noisy_deliveries()],
                         ids=["believable", "noise"])  # fmt: skip
@over_http
@given(data=st.data())
def test_a_summary_is_what_one_counts_in_views_and_histories(timed, lives, data):
    """For any arrival, any two times, any window and any part of the floor."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    for _ in range(3):
        happened, known_at = moments(data, log, clock)
        now = next(time for time in (happened, known_at, clock.now) if time is not None)
        window = data.draw(st.sampled_from(WINDOWS))
        part = data.draw(st.sampled_from(PARTS))
        agents, tasks = (
            stories(log, table, happened, known_at, clock.now) for table in (AGENTS, TASKS)
        )
        query = {"at": happened, "knownAt": known_at, "window": window} | part
        answer = site.get("/api/v1/summary", query_string=query).json
        assert independent_metrics.summary(
            *chosen(agents, tasks, part), now, window
        ) == without_formulas(answer)


def test_a_reconciled_event_that_a_later_webhook_restates_counts_until_then(timed):
    """Before the time of the webhook nothing restates it, so summary and views agree on it."""
    site, clock = timed
    erase(site.url)
    log, clock.now = MemoryLog(), RECORDED
    webhooks = story(login(0, "ann", "Available"), login(0, "bob", "Available"),
                     v1(10_900, "ann", "ringing", "call"), v1(60_000, "ann", "available", "call"),
                     v1(60_000, "bob", "idle"))  # fmt: skip
    reconciled = [v1(10_000, "ann", "ringing", "call") | {"id": "r1"}]
    deliver(site, log, [*webhooks], clock.now, Origin.WEBHOOK)
    deliver(site, log, reconciled, clock.now, Origin.RECONCILIATION)
    site.project()
    for moment, by_status, busy in (
        (9_999, {"available": 2}, 0),
        (10_000, {"available": 1, "ringing": 1}, 0),
        (10_500, {"available": 1, "ringing": 1}, 500),
        (10_899, {"available": 1, "ringing": 1}, 899),
        (10_900, {"available": 1, "ringing": 1}, 0),
        (12_000, {"available": 1, "ringing": 1}, 1_100),
    ):
        for part in PARTS[:2]:
            query = {"at": at(moment), "window": 8_000} | part
            summary = site.get("/api/v1/summary", query_string=query).json
            agents = stories(log, AGENTS, at(moment), None, clock.now)
            assert (
                independent_metrics.summary(agents, {}, at(moment), 8_000)["agents"]
                == summary["agents"]
            )
            assert by_status == summary["agents"]["byStatus"]
            assert {"value": busy / (min(moment, 8_000) * 2), "count": 2} == {
                name: summary["occupancy"][name] for name in ("value", "count")
            }


PARTS: list[dict[str, str]] = [
    {},
    {"teamId": "team-1"},
    {"queueId": "q-a"},
    {"channelType": "chat"},
    {"orgId": "acme"},
    {"teamId": "team-2", "queueId": "q-b"},
]


def chosen(
    agents: dict[Key, Fold[Any]], tasks: dict[Key, Fold[Any]], part: dict[str, str]
) -> tuple[dict[Key, Fold[Any]], dict[Key, Fold[Any]]]:
    """The agents of a team, and the tasks that one of them takes part in; the tasks of a queue."""
    if org := part.get("orgId"):
        agents = {key: it for key, it in agents.items() if key[0] == org}
        tasks = {key: it for key, it in tasks.items() if key[0] == org}
    if team := part.get("teamId"):
        agents = {key: it for key, it in agents.items() if it.state.team_id == team}
        tasks = {
            key: it
            for key, it in tasks.items()
            if any((key[0], agent) in agents for agent in it.state.participants)
        }
    for name, field in (("queueId", "queue_id"), ("channelType", "channel_type")):
        if value := part.get(name):
            tasks = {key: it for key, it in tasks.items() if getattr(it.state, field) == value}
    return agents, tasks


def without_formulas(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary whose metrics have a value and a count only."""
    left_out = {"formula", "settled"}
    return {
        name: {key: value for key, value in part.items() if key not in left_out}
        for name, part in summary.items()
    }
