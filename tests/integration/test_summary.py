"""The law of the summary: it is what one counts in views and histories as of the same times."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.fold import Fold
from projector.projection.read_models import AGENTS, TASKS
from tests import counting
from tests.conftest import over_http
from tests.integration.driving import arrived, moments, stories
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
        at, known_at = moments(data, log, clock)
        now = next(time for time in (at, known_at, clock.now) if time is not None)
        window = data.draw(st.sampled_from(WINDOWS))
        part = data.draw(st.sampled_from(PARTS))
        agents, tasks = (stories(log, table, at, known_at, clock.now) for table in (AGENTS, TASKS))
        query = {"at": at, "knownAt": known_at, "window": window} | part
        told = site.get("/api/v1/summary", query_string=query).json
        assert counting.summary(*chosen(agents, tasks, part), now, window) == without_grounds(told)


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


def without_grounds(told: dict[str, Any]) -> dict[str, Any]:
    """A figure by its value and count."""
    grounds = {"formula", "settled"}
    return {
        name: {key: value for key, value in part.items() if key not in grounds}
        for name, part in told.items()
    }
