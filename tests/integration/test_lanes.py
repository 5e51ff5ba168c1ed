"""The laws of an agent's timeline: it agrees with history, views and the fold at every moment."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import projector.query.as_of.lanes as lanes_module
from projector.domain.agent import AgentState
from projector.domain.events import Origin, Recorded, facts_once
from projector.domain.fold import fold
from projector.projection.read_models import AGENTS
from tests.conftest import Site, over_http
from tests.integration.driving import arrived, counts, moments, stories
from tests.strategies import believable_deliveries, noisy_deliveries

both = pytest.mark.parametrize(
    "lives", [believable_deliveries(), noisy_deliveries()], ids=["believable", "noise"]
)
DAY = 24 * 3_600_000
KINDS = ["session", "status", "leg", "channel"]


@both
@over_http
@given(data=st.data())
def test_at_each_moment_the_rows_are_what_the_fold_shows(timed, lives, data):
    """Session, legs and channel types as of any two times, whenever each row began and ended."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    at, known_at = moments(data, log, clock)
    now = next(time for time in (at, known_at, clock.now) if time is not None)
    for key in stories(log, AGENTS, at, known_at, clock.now):
        if "/" in key[1]:
            continue
        events = [it for it in log.of(AGENTS)[key] if counts(it, at, known_at)]
        window = drawn_window(data, events)
        rows = timeline(site, key, window, at, known_at)["data"]
        check_rows(rows, window, events)
        for moment in moments_of(window, rows, events):
            if moment <= now:
                assert parts_of(state_at(events, moment)) == parts_at(rows, moment)


@both
@over_http
@given(data=st.data())
def test_the_status_rows_of_a_timeline_are_the_history(timed, lives, data):
    """Of the same window and the same two times."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    at, known_at = moments(data, log, clock)
    for key in stories(log, AGENTS, at, known_at, clock.now):
        if "/" in key[1]:
            continue
        window = drawn_window(data, log.of(AGENTS)[key])
        rows = timeline(site, key, window, at, known_at)["data"]
        history = site.get(
            f"/api/v1/agents/{key[1]}/history",
            query_string=query(key, window, at, known_at) | {"limit": 1000},
        ).json["data"]
        own = ("kind", "byTime", "idleCodeName")
        assert history == [
            {name: value for name, value in row.items() if name not in own}
            for row in rows
            if row["kind"] == "status"
        ]
        for row, following in pairwise(history):
            (told,) = [it for it in rows if it["kind"] == "status" and it["from"] == row["from"]]
            assert (following["eventId"] is None) == told["byTime"]


@both
@over_http
@given(data=st.data())
def test_at_each_moment_the_rows_are_those_of_the_view(timed, lives, data):
    """Over HTTP, where no reconciled event gives way to what comes later."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    if any(it.origin is Origin.RECONCILIATION for it in log.events.values()):
        return
    for key in stories(log, AGENTS, None, None, clock.now):
        if "/" in key[1]:
            continue
        events = log.of(AGENTS)[key]
        window = drawn_window(data, events)
        rows = timeline(site, key, window, None, None)["data"]
        some = moments_of(window, rows, events)[:6]
        for moment in (it for it in some if events[0].time <= it <= clock.now):
            view = site.get(
                f"/api/v1/agents/{key[1]}", query_string={"orgId": key[0], "at": moment}
            ).json
            covering = [it for it in rows if covers(it, moment)]
            (status,) = [it["status"] for it in covering if it["kind"] == "status"]
            assert (view["status"], view["loggedIn"]) == (
                status,
                "session" in {it["kind"] for it in covering},
            )
            assert {(it["taskId"], it["state"]) for it in view["interactions"]} == {
                (it["taskId"], it["state"]) for it in covering if it["kind"] == "leg"
            }
            assert {
                (name, it["currentState"], it["idleCodeName"])
                for name, it in view["channels"].items()
            } == {
                (it["channelType"], it["state"], it["idleCodeName"])
                for it in covering
                if it["kind"] == "channel"
            }


@both
@over_http
@given(data=st.data())
def test_how_much_is_folded_changes_no_row(timed, lives, data):
    """But for what a row that began before that does not know: its event, and a start untold."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    at, known_at = moments(data, log, clock)
    for key in stories(log, AGENTS, at, known_at, clock.now):
        if "/" in key[1]:
            continue
        window = drawn_window(data, log.of(AGENTS)[key])
        whole = timeline(site, key, window, at, known_at)
        assert (None, None) == (whole["meta"]["lookedFrom"], whole["meta"]["lookedTo"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanes_module, "SNAPSHOTS_BEFORE", data.draw(st.integers(0, 3)))
            tails = data.draw(st.sets(st.sampled_from([0, 1, 2_000, 2_001, 60_000, DAY])))
            patch.setattr(lanes_module, "TAILS_MS", sorted(tails))
            few = timeline(site, key, window, at, known_at)
        assert few["meta"]["lookedTo"] is None
        since = few["meta"]["lookedFrom"]
        since = -1 if since is None else since
        assert [known_since(it, since) for it in in_order(whole["data"], since)] == [
            known_since(it, since) for it in in_order(few["data"], since)
        ]


# --- questions ---


def drawn_window(data: Any, events: list[Recorded]) -> tuple[int, int]:
    """A window near some event."""
    time = data.draw(st.sampled_from([it.time for it in events]))
    start = max(0, time - data.draw(st.sampled_from([0, 1, 2_000, 3_600_000, DAY])))
    return start, start + data.draw(st.sampled_from([1, 2, 2_000, 3_600_000, DAY, 7 * DAY]))


def query(
    key: tuple[str, str], window: tuple[int, int], at: int | None, known_at: int | None
) -> dict[str, Any]:
    given_times = {"from": window[0], "to": window[1], "at": at, "knownAt": known_at}
    return {"orgId": key[0]} | {k: v for k, v in given_times.items() if v is not None}


def timeline(
    site: Site,
    key: tuple[str, str],
    window: tuple[int, int],
    at: int | None,
    known_at: int | None,
) -> dict[str, Any]:
    answer = site.get(
        f"/api/v1/agents/{key[1]}/timeline", query_string=query(key, window, at, known_at)
    ).json
    assert "meta" in answer, answer
    assert [*key] == [answer["meta"][name] for name in ("orgId", "agentId")]
    assert answer["meta"]["count"] == len(answer["data"])
    return answer


# --- the fold at a moment ---


def state_at(events: list[Recorded], moment: int) -> AgentState:
    """The state at a moment, as it is known from all events."""
    folded = [it for it in facts_once(events) if it.time <= moment]
    return fold(AGENTS.fresh(), folded).advance_to(moment).state


def parts_of(state: AgentState) -> set[tuple[Any, ...]]:
    """What a state tells of session, legs and channel types, and since when."""
    parts: set[tuple[Any, ...]] = {
        ("leg", task_id, leg.state, leg.since) for task_id, leg in state.legs.items()
    }
    parts |= {
        ("channel", name, it.current_state, it.idle_code_name)
        for name, it in state.channels.items()
    }
    return parts | ({("session", state.session.profile_type)} if state.logged_in else set())


def parts_at(rows: list[dict[str, Any]], moment: int) -> set[tuple[Any, ...]]:
    """What the rows that cover a moment tell of it; no lane has two of them."""
    covering = [it for it in rows if covers(it, moment) and it["kind"] != "status"]
    parts = {
        {
            "leg": lambda it: ("leg", it["taskId"], it["state"], it["from"]),
            "channel": lambda it: ("channel", it["channelType"], it["state"], it["idleCodeName"]),
            "session": lambda it: ("session", it["profileType"]),
        }[row["kind"]](row)
        for row in covering
    }
    assert len(parts) == len(covering)
    return parts


def covers(row: dict[str, Any], moment: int) -> bool:
    return row["from"] <= moment and (row["to"] is None or moment < row["to"])


def moments_of(
    window: tuple[int, int], rows: list[dict[str, Any]], events: list[Recorded]
) -> list[int]:
    """The moments of a window at which something changes, or has just not changed."""
    times = {*window, *(it.time for it in events)}
    times |= {row[name] for row in rows for name in ("from", "to") if row[name] is not None}
    near = {time + apart for time in times for apart in (-1, 0)}
    return sorted(it for it in near if window[0] <= it < window[1])


# --- rows ---


def check_rows(rows: list[dict[str, Any]], window: tuple[int, int], events: list[Recorded]) -> None:
    """Each overlaps the window, lasts some time, and began with its event or by time alone."""
    times = {(it.event.id, it.time) for it in events}
    for row in rows:
        assert row["from"] < window[1]
        assert row["to"] is None or window[0] < row["to"] > row["from"]
        assert row["durationMs"] == (None if row["to"] is None else row["to"] - row["from"])
        assert row["eventId"] is None or (row["eventId"], row["from"]) in times
        assert not (row["byTime"] and row["to"] is None)
        if row["kind"] in ("session", "leg"):
            assert row["eventId"] is not None
    assert rows == sorted(rows, key=order)


def order(row: dict[str, Any]) -> tuple[int, int, str]:
    name = {"leg": "taskId", "channel": "channelType"}.get(row["kind"])
    return row["from"], KINDS.index(row["kind"]), row[name] if name else ""


def known_since(row: dict[str, Any], since: int) -> dict[str, Any]:
    """What a row tells that is known where the fold begins after ``since``."""
    if row["from"] > since:
        return row
    untold = {"eventId", *({"from", "durationMs"} if row["kind"] in ("session", "channel") else ())}
    return {name: value for name, value in row.items() if name not in untold}


def in_order(rows: list[dict[str, Any]], since: int) -> list[dict[str, Any]]:
    """The rows that were not over by ``since``, whatever is known of their start."""
    left = [it for it in rows if it["to"] is None or it["to"] > since]
    return sorted(left, key=lambda it: (it["from"] > since and it["from"], *order(it)[1:]))
