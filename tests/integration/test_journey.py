"""The laws of the journey: it agrees with the stored facts, and with the fold of its events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.facts import FactKind
from projector.domain.fold import Fold
from projector.domain.task import TaskState
from projector.infrastructure.database import connect
from projector.projection.read_models import FACT_COLUMNS, TASKS
from tests.conftest import Site, over_http
from tests.integration.driving import arrived, moments, stories
from tests.strategies import believable_deliveries, noisy_deliveries

both = pytest.mark.parametrize(
    "lives", [believable_deliveries(), noisy_deliveries()], ids=["believable", "noise"]
)
STORED_FACTS = f"""
    SELECT org_id, id, {", ".join(FACT_COLUMNS.types)} FROM task_facts
    WHERE known_from <= %(position)s AND (known_to IS NULL OR known_to > %(position)s)
"""


@both
@over_http
@given(data=st.data())
def test_the_facts_of_a_journey_are_the_stored_ones(timed, lives, data):
    """As known at any time: those that have ended, and the wait that goes on."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    for known_at in (moments(data, log, clock)[1], None):
        now = clock.now if known_at is None else known_at
        known = [it for it in log.events.values() if it.recorded_time <= now]
        stored = stored_facts(site, max((it.position for it in known), default=0), now)
        for key in stories(log, TASKS, None, known_at, clock.now):
            if "/" not in key[1]:
                rows = [it for it in journey(site, key, None, known_at) if is_stored(it)]
                assert stored.get(key, []) == in_order(as_stored(it, now) for it in rows)


@both
@over_http
@given(data=st.data())
def test_the_open_parts_of_a_journey_are_those_of_the_view(timed, lives, data):
    """Who is in which state since when, who waits, and what was answered, as of any two times."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    for _ in range(3):
        at, known_at = moments(data, log, clock)
        for key, fold in stories(log, TASKS, at, known_at, clock.now).items():
            if "/" not in key[1]:
                rows = journey(site, key, at, known_at)
                assert open_parts(fold) == {part(it) for it in rows if it["to"] is None}
                assert rows == sorted(rows, key=lambda it: (it["from"], KINDS.index(it["kind"])))
                check_stretches(rows, fold.state)


KINDS = ["wait", "offer", "contact", "stretch"]


def journey(
    site: Site, key: tuple[str, str], at: int | None, known_at: int | None
) -> list[dict[str, Any]]:
    times = {"at": at, "knownAt": known_at}
    given_times = {name: time for name, time in times.items() if time is not None}
    query = given_times | {"orgId": key[0]}
    answer = site.get(f"/api/v1/tasks/{key[1]}/journey", query_string=query).json
    assert times == {name: answer["meta"][name] for name in times}
    return answer["data"]


# --- facts ---


def stored_facts(site: Site, position: int, now: int) -> dict[tuple[str, str], list[Any]]:
    """The rows of each task that were known at a position, ends that are to come left out."""
    facts: dict[tuple[str, str], list[Any]] = {}
    with connect(site.url) as connection:
        for row in connection.execute(STORED_FACTS.encode(), {"position": position}):
            (kind, start, _, end, counted, outcome, *names_and_durations, doubtful, parts) = [
                row[name] for name in FACT_COLUMNS.types
            ]
            fact = (
                *(kind, start, *past(end, outcome, now), past(counted, doubtful, now)),
                *names_and_durations,
                sorted((agent_id, part["team_id"]) for agent_id, part in parts.items()),
            )
            facts.setdefault((row["org_id"], row["id"]), []).append(fact)
    return {key: in_order(rows) for key, rows in facts.items()}


def is_stored(row: dict[str, Any]) -> bool:
    """Offers and contacts are stored once they have ended."""
    return row["kind"] == "wait" or (row["kind"] != "stretch" and row["to"] is not None)


def as_stored(row: dict[str, Any], now: int) -> tuple[Any, ...]:
    """A row of a journey as a fact is stored."""
    counted = row["handledTime"] if row["kind"] == "contact" else row["to"]
    return (
        row["kind"],
        row["from"],
        *past(row["to"], row.get("outcome"), now),
        past(counted, row["doubtful"], now),
        row["queueId"],
        row["channelType"],
        row["direction"],
        *(row.get(name, 0) for name in ("talkMs", "holdMs", "consultMs", "wrapUpMs")),
        sorted((it["agentId"], it["teamId"]) for it in row["agents"]),
    )


def past(time: int | None, told: Any, now: int) -> tuple[Any, Any]:
    """A time and what it brought; neither where it has not come."""
    return (None, None) if time is None or time > now else (time, told)


def in_order(facts: Any) -> list[Any]:
    return sorted(facts, key=repr)


# --- what goes on ---


def part(row: dict[str, Any]) -> tuple[Any, ...]:
    own = (row["state"], row["agentId"]) if row["kind"] == "stretch" else (None,)
    return row["kind"], row["from"], *own


def open_parts(fold: Fold[TaskState]) -> set[tuple[Any, ...]]:
    """What goes on, as the state tells it."""
    state = fold.state
    parts = {
        ("stretch", it.since, it.state, agent_id)
        for agent_id, it in state.participants.items()
        if it.is_open()
    }
    if (waiting_since := state.waiting_since()) is not None:
        parts.add(("wait", waiting_since, None))
    going_on = state.journey.uncounted_facts(state)
    return parts | {(it.kind.value, it.start, None) for it in going_on}


def check_stretches(rows: list[dict[str, Any]], state: TaskState) -> None:
    """The stretches of an agent follow each other, none before joining, and none is empty."""
    for agent_id, participant in state.participants.items():
        own = [it for it in rows if part(it)[3:] == (agent_id,)]
        assert all(it["from"] >= participant.joined_time for it in own)
        assert all(it["to"] is None or it["from"] < it["to"] for it in own)
        ends = [it["to"] for it in own[:-1]]
        assert all(
            end is not None and end <= following["from"]
            for end, following in zip(ends, own[1:], strict=True)
        )
    assert {FactKind(kind) for kind in KINDS[:3]} == {*FactKind}
