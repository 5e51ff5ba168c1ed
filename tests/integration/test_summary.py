"""The law of the summary: it is the count over views and histories as of the same two times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.events import Origin
from projector.domain.facts import Fact
from projector.domain.fold import Fold
from projector.projection.read_models import AGENTS, TASKS
from tests import independent_metrics
from tests.conftest import erase, over_http, slow
from tests.examples import RECORDED, at, login, story, v1
from tests.integration.driving import arrived, deliver, moments, stories
from tests.laws.memory import MemoryLog
from tests.strategies import believable_deliveries, noisy_deliveries

Key = tuple[str, str]
WINDOWS = (1, 1_000, 60_000, 1_800_000, 3_600_000, 7 * 24 * 3_600_000)


@pytest.mark.parametrize("lives", [believable_deliveries(), *slow(noisy_deliveries())],
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
        figures_clock = max(now, clock.now if known_at is None else known_at)
        window = data.draw(st.sampled_from(WINDOWS))
        part = data.draw(st.sampled_from(PARTS))
        agents, tasks = (
            stories(log, table, happened, known_at, clock.now) for table in (AGENTS, TASKS)
        )
        known_agents, known_tasks = (
            stories(log, table, None, known_at, figures_clock, advanced_to=figures_clock)
            for table in (AGENTS, TASKS)
        )
        query = {"at": happened, "knownAt": known_at, "window": window} | part
        answer = site.get("/api/v1/summary", query_string=query).json
        agents, tasks = chosen(agents, tasks, part)
        expected = independent_metrics.summary(
            agents,
            tasks,
            known_agents={
                key: it
                for key, it in known_agents.items()
                if key in agents and "queueId" not in part
            },
            facts=[*facts_of(known_tasks, agents, part)],
            moment=now,
            window=window,
            clock=figures_clock,
        )
        assert expected == without_formulas(answer)


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
    for moment, by_status in (
        (9_999, {"available": 2}),
        (10_000, {"available": 1, "ringing": 1}),
        (10_500, {"available": 1, "ringing": 1}),
        (10_899, {"available": 1, "ringing": 1}),
        (10_900, {"available": 1, "ringing": 1}),
        (12_000, {"available": 1, "ringing": 1}),
    ):
        for part in PARTS[:2]:
            summary = site.get("/api/v1/summary", query_string={"at": at(moment)} | part).json
            assert by_status == summary["agents"]["byStatus"]
            # Whatever the moment, figures are of all that is known: the webhook's time counts.
            assert {"value": 0, "count": 2, "doubtful": 0} == {
                name: summary["occupancy"][name] for name in ("value", "count", "doubtful")
            }


PARTS: list[dict[str, str]] = [
    {},
    {"teamId": "team-1"},
    {"queueId": "q-a"},
    {"channelType": "chat"},
    {"direction": "OUTBOUND"},
    {"orgId": "acme"},
    {"teamId": "team-2", "queueId": "q-b"},
]


FIELDS = {"queueId": "queue_id", "channelType": "channel_type", "direction": "direction"}


def facts_of(
    tasks: dict[Key, Fold[Any]], agents: dict[Key, Fold[Any]], part: dict[str, str]
) -> Iterator[Fact]:
    """The facts of a part of the floor: each as it was, whatever its task is now."""
    for (org, _), subject in tasks.items():
        if part.get("orgId") not in {None, org}:
            continue
        for fact in subject.facts().values():
            fits = all(
                getattr(fact, field) == part[name] for name, field in FIELDS.items() if name in part
            )
            of_team = "teamId" not in part or any(
                it.team_id == part["teamId"] if it.team_id is not None else (org, agent) in agents
                for agent, it in fact.parts.items()
            )
            if fits and of_team:
                yield fact


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
    for name, field in FIELDS.items():
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
