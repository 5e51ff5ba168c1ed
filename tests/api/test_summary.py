"""The summary over HTTP: a floor counted by hand, now and as of two times."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Site, clone, open_site
from tests.examples import at, ended, login, logout, story, task, v1
from tests.integration.driving import Clock

MINUTE = 60_000
TOKENS = [{"token": "all", "role": "operator"}] + [
    {"token": team, "role": "viewer", "teamIds": [team]} for team in ("team-1", "team-2")
]


def when(minute: int, second: int = 0) -> int:
    return minute * MINUTE + second * 1_000


def call(name: str, queue: str, *steps: tuple[int, str]) -> list[dict[str, Any]]:
    """The words of a task in its queue."""
    return [task(moment, name, word, queueId=queue) for moment, word in steps]


# Ten minutes before the window that ends at 40:00, then what happens in it.
FLOOR = [
    login(0, "ann", "Available"),
    login(0, "bob", "Available", teamId="team-2"),
    login(0, "cy"),
    logout(when(5), "cy", "AGENT"),
    # Before the window: waits 5 s, and is over at 2:00.
    *call("early", "sales", (when(1), "parked"), (when(1, 5), "connected")),
    v1(when(1, 5), "ann", "connected", "early"),
    ended(when(2), "early"),
    v1(when(2), "ann", "available", "early"),
    # Waits 10 s, talks 120 s, is wrapped up in 30 s.
    *call("quick", "sales", (when(12), "parked"), (when(12, 5), "connect"),
          (when(12, 10), "connected")),
    v1(when(12, 5), "ann", "ringing", "quick"),
    v1(when(12, 10), "ann", "connected", "quick"),
    ended(when(14, 10), "quick"),
    v1(when(14, 10), "ann", "wrapup", "quick"),
    v1(when(14, 40), "ann", "available", "quick"),
    # Waits 30 s, talks 30 + 40 s, is held 20 s and wrapped up in 10 s.
    *call("slow", "care", (when(15), "parked"), (when(15, 30), "connected"),
          (when(16), "on-hold"), (when(16, 20), "hold-done")),
    v1(when(15, 30), "bob", "connected", "slow"),
    ended(when(17), "slow"),
    v1(when(17), "bob", "wrapup", "slow"),
    v1(when(17, 10), "bob", "available", "slow"),
    # Gives up after 25 s.
    *call("gone", "care", (when(20), "parked")),
    ended(when(20, 25), "gone"),
    # Ann does not answer, Bob does: after 25 s, and talks on.
    *call("again", "sales", (when(22), "connect"), (when(22, 20), "connect"),
          (when(22, 25), "connected")),
    v1(when(22), "ann", "ringing", "again"),
    v1(when(22, 18), "ann", "not-responding", "again"),
    v1(when(22, 18), "ann", "idle"),
    ended(when(22, 18), "again", "System", "RONA Timer Expired"),
    v1(when(22, 20), "bob", "ringing", "again"),
    v1(when(22, 25), "bob", "connected", "again"),
    # Waits for two minutes.
    *call("patient", "care", (when(38), "parked")),
]  # fmt: skip


@pytest.fixture(scope="module")
def clock():
    return Clock()


@pytest.fixture(scope="module")
def floor(template, tmp_path_factory, clock):
    """All of it known at 40:00."""
    folder = tmp_path_factory.mktemp("floor")
    tokens = {"PROJECTOR_TOKENS": json.dumps(TOKENS)}
    with open_site(clone(template), folder, clock=clock, **tokens) as site:
        clock.now = at(when(40))
        site.post([*story(*FLOOR)])
        site.project()
        yield site


def asked(site: Site, token: str = "all", **query: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    answer = site.get("/api/v1/summary", query_string=query, headers=headers)
    assert 200 == answer.status_code, answer.text
    return answer.json


def values(told: dict[str, Any]) -> dict[str, tuple[Any, int]]:
    """The figures of which something was counted: value and count."""
    figures = {name: it for name, it in told.items() if "formula" in it}
    assert 9 == len(figures)
    return {name: (it["value"], it["count"]) for name, it in figures.items() if it["count"]}


# Ann: 150 s with the quick one, ready for 125 + 440 s, then idle. Bob: 100 s with the slow one and
# 1,055 s with the last, ready for 330 + 310 s. Ringing is neither.
WORK, READY = 150 + 100 + 1_055, 125 + 440 + 330 + 310


def test_a_floor_counted_by_hand(floor):
    """Each figure of half an hour, as the comments beside its events say."""
    told = asked(floor)
    assert {
        "total": 3,
        "loggedIn": 2,
        "byStatus": {"connected": 1, "idle": 1, "logged-out": 1},
    } == told["agents"]
    assert {
        "open": 2,
        "waiting": 1,
        "byStatus": {"abandoned": 1, "assigned": 1, "completed": 2, "queued": 1},
        "longestWaitMs": 2 * MINUTE,
    } == told["tasks"]
    assert {
        "serviceLevel": (1 / 4, 4),
        "asaMs": ((10_000 + 30_000 + 25_000) / 3, 3),
        "ahtMs": ((150_000 + 100_000) / 2, 2),
        "talkMs": ((120_000 + 70_000) / 2, 2),
        "holdMs": (10_000, 2),
        "wrapUpMs": (20_000, 2),
        "occupancy": (WORK / (WORK + READY), 2),
        "abandonment": (1 / 4, 4),
        "rona": (1 / 3, 3),
    } == values(told)
    assert {
        "offered": 5,
        "answered": 3,
        "answeredInTime": 1,
        "abandoned": 1,
        "shortAbandoned": 0,
        "unanswered": 0,
        "moved": 0,
        "unknown": 0,
        "handled": 2,
    } == told["counts"]


@pytest.mark.parametrize(
    ("moment", "waiting", "longest", "abandoned"),
    [
        (at(when(20)) - 1, 0, None, 0),
        (at(when(20)), 1, 0, 0),
        (at(when(20, 25)) - 1, 1, 24_999, 0),
        (at(when(20, 25)), 0, None, 1),
    ],
)
def test_a_moment_includes_what_happens_at_it(floor, moment, waiting, longest, abandoned):
    """To the millisecond; a window ends before it."""
    told = asked(floor, at=moment)
    assert (waiting, longest) == (told["tasks"]["waiting"], told["tasks"]["longestWaitMs"])
    told = asked(floor, at=moment + 1)
    assert (abandoned / (3 + abandoned), 3 + abandoned) == values(told)["abandonment"]


@pytest.mark.parametrize(("later", "count"), [(0, 0), (1, 1), (1_000, 1), (1_001, 0)])
@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("asaMs", when(12, 10)),
        ("abandonment", when(20, 25)),
        ("ahtMs", when(14, 40)),
        ("rona", when(12, 10)),
        ("rona", when(22, 18)),
    ],
)
def test_a_window_begins_with_its_first_moment(floor, name, moment, later, count):
    """And ends before its last: windows side by side count nothing twice."""
    told = asked(floor, at=at(moment + later), window=1_000)
    assert count == told[name]["count"]


@pytest.mark.parametrize(("threshold", "in_time"), [(9_999, 0), (10_000, 1), (30_000, 3)])
def test_the_service_level_is_met_at_its_threshold(floor, tmp_path, threshold, in_time, clock):
    """The setting is a wait that is still short enough."""
    options = {"PROJECTOR_SERVICE_LEVEL_MS": str(threshold)}
    with open_site(floor.url, tmp_path, clock=clock, **options) as site:
        told = site.get("/api/v1/summary").json
    assert (in_time / 4, 4) == values(told)["serviceLevel"]


def test_a_window_of_nothing_has_no_values(floor):
    """But for the agents, who are there all the time."""
    told = asked(floor, at=at(when(3)), window=1)
    assert {"occupancy": (0, 2)} == values(told)
    assert {None} == {
        told[name]["value"] for name in ("serviceLevel", "asaMs", "ahtMs", "abandonment", "rona")
    }
    assert {"total": 0, "loggedIn": 0, "byStatus": {}} == asked(floor, at=at(-1))["agents"]


def test_a_queue_has_tasks_and_all_agents(floor):
    """Which agents serve a queue is not known, so it has no occupancy."""
    whole, care = asked(floor), asked(floor, queueId="care")
    assert whole["agents"] == care["agents"]
    assert (None, 0) == (care["occupancy"]["value"], care["occupancy"]["count"])
    assert {"abandoned": 1, "completed": 1, "queued": 1} == care["tasks"]["byStatus"]
    assert (1 / 2, 2) == values(care)["abandonment"]
    both = asked(floor, queueId=["care", "sales"])
    assert whole | {"occupancy": None} == both | {"occupancy": None}
    assert 0 == asked(floor, channelType="chat")["tasks"]["open"]
    assert whole == asked(floor, channelType="telephony") == asked(floor, direction="INBOUND")
    assert 0 == asked(floor, direction="OUTBOUND")["counts"]["offered"]


@pytest.mark.parametrize("query", [{}, {"at": at(when(40))}, {"knownAt": at(when(40))}])
def test_a_team_has_its_agents_and_their_tasks(floor, query):
    """By the filter as by the token; who waits has no team."""
    told = asked(floor, teamId="team-1", **query)
    assert told == asked(floor, token="team-1", **query)
    # Cy is of this team too.
    assert {"idle": 1, "logged-out": 1} == told["agents"]["byStatus"]
    assert {"assigned": 1, "completed": 1} == told["tasks"]["byStatus"]
    assert 0 == told["tasks"]["waiting"]
    assert (17_500, 2) == values(told)["asaMs"]
    work = 150
    assert (work / (work + 125 + 440), 1) == values(told)["occupancy"]
    assert 0 == asked(floor, token="team-1", teamId="team-2")["agents"]["total"]


@pytest.mark.parametrize("given", ["", "0", "-1", "1.5", "x", str(7 * 24 * 60 * MINUTE + 1)])
def test_a_bad_window_is_named(floor, given):
    """With what was given and what is allowed."""
    answer = floor.get("/api/v1/summary", query_string={"window": given})
    (error,) = answer.json["errors"]
    assert (400, "window", given) == (answer.status_code, error["parameter"], error["given"])
    assert "from 1 to 604800000" in error["allowed"]


def test_what_depends_on_how_late_events_come_is_provisional(floor, clock):
    """Until those like the newest event of what was counted have come."""
    assert not asked(floor)["asaMs"]["settled"]
    assert asked(floor, at=at(-1))["asaMs"]["settled"]
    clock.now += 100 * 24 * 60 * MINUTE
    settled = {name: it["settled"] for name, it in asked(floor, at=at(when(40))).items()
               if "settled" in it}  # fmt: skip
    clock.now = at(when(40))
    assert {True} == {*settled.values()}


def test_what_came_later_unsettles_nothing(floor, clock):
    """As of three minutes past, no event of an agent is newer than that."""
    clock.now = at(when(58))
    now, then = asked(floor), asked(floor, at=at(when(3)))
    clock.now = at(when(40))
    assert (False, True) == (now["occupancy"]["settled"], then["occupancy"]["settled"])


def test_a_late_event_changes_what_was_but_not_what_was_known(floor, clock):
    """Somebody had taken the call that was thought to be given up; it is told ten minutes later."""
    before = {"at": at(when(21))}
    thought = asked(floor, **before)
    assert (1 / 4, 4) == values(thought)["abandonment"]
    clock.now = at(when(50))
    floor.post(task(when(20, 15), "gone", "connected") | {"id": "late"})
    floor.project()
    assert (0, 4) == values(asked(floor, **before))["abandonment"]
    assert ((5_000 + 10_000 + 30_000 + 15_000) / 4, 4) == values(asked(floor, **before))["asaMs"]
    assert values(thought) == values(asked(floor, **before, knownAt=at(when(50)) - 1))
    assert thought["tasks"] == asked(floor, **before, knownAt=at(when(50)) - 1)["tasks"]
    shown = {"abandoned": 1, "assigned": 1, "completed": 2, "queued": 1}
    assert shown == asked(floor, knownAt=at(when(40)))["tasks"]["byStatus"]


@pytest.fixture
def told(database_url, tmp_path):
    """Tells some events at moments of its clock."""
    clock = Clock()
    with open_site(database_url, tmp_path, clock=clock) as site:

        def tell(moment: int, *bodies: dict[str, Any]) -> Site:
            clock.now = at(moment)
            site.post([*story(*bodies)])
            site.project()
            return site

        yield tell


def summary(site: Site, **query: int) -> dict[str, Any]:
    answer: dict[str, Any] = site.get("/api/v1/summary", query_string=query).json
    return answer


def test_a_task_may_be_handled_by_the_passing_of_time(told):
    """An hour after its end, where a wrap-up never ends: nothing else happens in the window."""
    site = told(
        when(120),
        task(0, "t", "connected"),
        v1(1, "ann", "wrapup", "t"),
        ended(when(1), "t"),
    )
    before, after = (summary(site, at=at(when(61)) - 1 + late) for late in (0, 1))
    assert ({"assigned": 1}, 0) == (before["tasks"]["byStatus"], before["ahtMs"]["count"])
    assert ({"completed": 1}, 0) == (after["tasks"]["byStatus"], after["ahtMs"]["count"])
    figure = summary(site, at=at(when(61)) + 1)["ahtMs"]
    assert (1, 1) == (figure["count"], figure["doubtful"])
    assert {} == summary(site)["tasks"]["byStatus"]


def test_what_is_ahead_of_the_clock_waits_for_no_time(told):
    """Clocks differ by seconds."""
    site = told(0, task(2_000, "t", "parked"))
    assert (1, 0) == tuple(summary(site)["tasks"][name] for name in ("waiting", "longestWaitMs"))


def test_what_was_not_known_to_be_over_is_open(told):
    """However long ago both were, as seen from the moment asked for."""
    told(when(1), task(0, "t", "parked") | {"id": "first"})
    site = told(when(3), ended(when(2), "t") | {"id": "last"})
    query = {"at": at(when(100)), "knownAt": at(when(2))}
    assert (1, 100 * MINUTE) == tuple(
        summary(site, **query)["tasks"][name] for name in ("waiting", "longestWaitMs")
    )
    assert 0 == summary(site, at=at(when(100)))["tasks"]["open"]


def test_occupancy_is_settled_as_the_views_that_it_counts(site_of_one):
    """Though more happened to the agent since, long after the moment of the question."""
    site, now = site_of_one
    for times in ({"knownAt": now}, {"at": now, "knownAt": now}):
        (view,) = site.get("/api/v1/agents", query_string=times).json["data"]
        told = site.get("/api/v1/summary", query_string=times).json["occupancy"]
        assert (True, True, 1) == (view["settled"], told["settled"], told["count"])


@pytest.fixture
def site_of_one(database_url, tmp_path):
    """An agent to whom something happened three hours apart; and a moment in between."""
    clock = Clock()
    with open_site(database_url, tmp_path, clock=clock) as site:
        for moment, word in ((0, "available"), (180 * MINUTE, "idle")):
            clock.now = at(moment)
            site.post(v1(moment, "ann", word) | {"id": word})
            site.project()
        yield site, at(20 * MINUTE)
