"""The journey of a task: cases worked out by hand, as of two times, and who may read it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Site, open_site
from tests.examples import NOW, RECORDED, Body, at, capture, ended, login, story, task, v1, v2
from tests.integration.driving import Clock

HOUR = 3_600_000
PART = "kind from to durationMs"
FACT = f"{PART} queueId channelType direction doubtful"
SUMS = "talkMs holdMs consultMs wrapUpMs"
FIELDS = {
    "wait": f"{FACT} outcome agents",
    "offer": f"{FACT} outcome agents",
    "contact": f"{FACT} handledTime {SUMS} agents",
    "stretch": f"{PART} state agentId teamId",
}
SHOWN = {  # in a brief row
    "wait": ("outcome", "queueId"),
    "offer": ("outcome", "queueId"),
    "contact": ("queueId", "handledTime", *SUMS.split()),
    "stretch": ("state",),
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(database_url, tmp_path, clock):
    """A service whose clock stands long after the events."""
    with open_site(database_url, tmp_path, clock=clock) as opened:
        clock.now = NOW
        yield opened


def deliver(site: Site, *bodies: Body) -> None:
    answer = site.post(list(story(*bodies)))
    assert len(bodies) == answer.json["appended"], answer.text
    site.project()


def journey(site: Site, name: str = "t", **query: Any) -> dict[str, Any]:
    answer = site.get(f"/api/v1/tasks/{name}/journey", query_string=query)
    assert 200 == answer.status_code, answer.text
    assert len(answer.json["data"]) == answer.json["meta"]["count"]
    return answer.json


def brief(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row in one line: kind, from and to in ms after dawn, its agents, and its own fields."""
    end = None if row["to"] is None else row["to"] - at(0)
    assert row["durationMs"] == (None if end is None else row["to"] - row["from"])
    assert FIELDS[row["kind"]].split() == [*row]
    values = [row[name] for name in SHOWN[row["kind"]]]
    if row["kind"] == "contact":
        values[1] = None if values[1] is None else values[1] - at(0)
    agents = " ".join(agent["agentId"] for agent in row.get("agents", [row]))
    return (row["kind"], row["from"] - at(0), end, agents, *values)


def rows(site: Site, name: str = "t", **query: Any) -> list[tuple[Any, ...]]:
    return [brief(row) for row in journey(site, name, **query)["data"]]


# --- cases worked out by hand ---


def test_a_transferred_call_waits_twice(site):
    """Case 1: each queue has its own wait and outcome; one contact, which parking ends."""
    deliver(
        site,
        task(0, "t", "parked", queueId="Q1"),
        task(3_000, "t", "connect", queueId="Q1"),
        task(5_000, "t", "connected"),
        task(60_000, "t", "parked", queueId="Q2"),
        ended(660_000, "t"),
    )
    assert [
        ("wait", 0, 5_000, "", "answered", "Q1"),
        ("offer", 3_000, 5_000, "", "accepted", "Q1"),
        ("contact", 5_000, 60_000, "", "Q1", 60_000, 55_000, 0, 0, 0),
        ("wait", 60_000, 660_000, "", "abandoned", "Q2"),
    ] == rows(site)


def test_a_reopened_call_has_two_contacts(site):
    """Case 6: the second connect begins a wait of its own."""
    deliver(
        site,
        task(0, "t", "parked", queueId="Q1"),
        task(10_000, "t", "connected"),
        ended(100_000, "t"),
        task(600_000, "t", "connect", queueId="Q1"),
        task(605_000, "t", "connected"),
        ended(900_000, "t"),
    )
    assert [
        ("wait", 0, 10_000, "", "answered", "Q1"),
        ("contact", 10_000, 100_000, "", "Q1", 100_000, 90_000, 0, 0, 0),
        ("wait", 600_000, 605_000, "", "answered", "Q1"),
        ("offer", 600_000, 605_000, "", "accepted", "Q1"),
        ("contact", 605_000, 900_000, "", "Q1", 900_000, 295_000, 0, 0, 0),
    ] == rows(site)


def test_a_refused_offer_leaves_the_caller_waiting(site):
    """Case 8: one offer, refused when the agent does not respond; the wait goes on."""
    deliver(
        site,
        task(10_000, "t", "connect", queueId="Q1"),
        v1(10_000, "a", "ringing", "t"),
        v1(28_000, "a", "not-responding", "t"),
        task(29_000, "t", "parked", queueId="Q1"),
    )
    assert [
        ("wait", 10_000, None, "a", None, "Q1"),
        ("offer", 10_000, 28_000, "a", "refused", "Q1"),
        ("stretch", 10_000, 28_000, "a", "ringing"),
    ] == rows(site)


CONSULT = (
    login(0, "a"),
    login(0, "b"),
    task(1_000, "t", "connected"),
    v2(1_000, "a", "connected", "t", teamId="team-1"),
    v2(10_000, "a", "on-hold", "t"),
    task(10_000, "t", "on-hold"),
    v2(11_000, "a", "consulting", "t"),
    task(11_000, "t", "consulting"),
    v2(12_000, "b", "ringing", "t"),
    v2(15_000, "b", "consulting", "t"),
    v2(30_000, "b", "connected", "t", teamId="team-2"),
    task(30_000, "t", "connected"),
    v2(30_100, "a", "wrapup", "t"),
)


def test_a_consult_transfer_shows_who_did_what(site):
    """Case 15: each agent's states one after the other; the last ones go on."""
    deliver(site, *CONSULT)
    assert [
        ("contact", 1_000, None, "a b", None, None, 9_000, 1_000, 19_000, 0),
        ("stretch", 1_000, 10_000, "a", "connected"),
        ("stretch", 10_000, 11_000, "a", "on-hold"),
        ("stretch", 11_000, 30_100, "a", "consulting"),
        ("stretch", 12_000, 15_000, "b", "ringing"),
        ("stretch", 15_000, 30_000, "b", "consulting"),
        ("stretch", 30_000, None, "b", "connected"),
        ("stretch", 30_100, None, "a", "wrapup"),
    ] == rows(site)


def test_a_contact_says_what_each_agent_did_in_it(site):
    """With the team that the agent's events about the task carry, as a stretch's."""
    deliver(site, *CONSULT)
    data = journey(site)["data"]
    names = ("agentId", "teamId", "handled", "talkMs", "holdMs", "consultMs", "wrapUpMs")
    (contact,) = [row for row in data if row["kind"] == "contact"]
    assert [
        ("a", "team-1", True, 9_000, 1_000, 19_100, 0),
        ("b", "team-2", True, 0, 0, 15_000, 0),
    ] == [tuple(agent[name] for name in names) for agent in contact["agents"]]
    stretches = [row for row in data if row["kind"] == "stretch"]
    teams = [(it["agentId"], it["teamId"]) for it in stretches]
    ann, bob, bob_now = ("a", "team-1"), ("b", None), ("b", "team-2")
    assert [ann, ann, ann, bob, bob, bob_now, ann] == teams


# --- stretches ---


def test_words_without_a_part_in_the_task_have_no_stretch(site):
    """After wrapup-done, idle and the like an agent has left, and may come back."""
    deliver(
        site,
        v1(0, "a", "connected", "t"),
        v1(1_000, "a", "wrapup", "t"),
        v1(2_000, "a", "wrapup-done", "t"),
        v1(3_000, "a", "Available", "t"),
        v1(4_000, "a", "ringing", "t"),
        v1(5_000, "a", "RINGING", "t"),
        v1(6_000, "a", "idle", "t"),
        v1(7_000, "a", "logged-out", "t"),
    )
    assert [
        ("stretch", 0, 1_000, "a", "connected"),
        ("stretch", 1_000, 2_000, "a", "wrapup"),
        ("stretch", 4_000, 6_000, "a", "ringing"),
    ] == [row for row in rows(site) if row[0] == "stretch"]


def test_a_consulted_agent_who_is_released_has_left(site):
    """The consult-done of an agent who was only consulted ends the stretch and begins none."""
    deliver(
        site,
        v1(0, "a", "ringing", "t"),
        v1(1_000, "a", "consulting", "t"),
        v1(9_000, "a", "consult-done", "t"),
    )
    assert [
        ("stretch", 0, 1_000, "a", "ringing"),
        ("stretch", 1_000, 9_000, "a", "consulting"),
    ] == [row for row in rows(site) if row[0] == "stretch"]


def test_what_lasts_no_time_is_no_stretch(site):
    """Two words of one millisecond: the later one is shown."""
    deliver(site, v1(0, "a", "ringing", "t"), v1(0, "a", "connected", "t"))
    assert [("stretch", 0, None, "a", "connected")] == [
        row for row in rows(site) if row[0] == "stretch"
    ]


def test_the_open_stretches_are_the_participants_of_the_view(site):
    """Who is in the task now, in which state and since when."""
    deliver(site, *CONSULT)
    view = site.get("/api/v1/tasks/t").json
    told = {(p["agentId"], p["state"], p["since"]) for p in view["participants"] if p["open"]}
    data = journey(site)["data"]
    going_on = [it for it in data if it["kind"] == "stretch" and it["to"] is None]
    assert 2 == len(told)
    assert told == {(it["agentId"], it["state"], it["from"]) for it in going_on}


# --- two times and the clock ---


def test_what_had_happened_by_then(site):
    """``at`` is inclusive, and what has not ended by then goes on."""
    deliver(
        site,
        task(0, "t", "parked", queueId="Q1"),
        task(3_000, "t", "connect", queueId="Q1"),
        task(5_000, "t", "connected"),
        ended(60_000, "t"),
    )
    waiting = ("wait", 0, None, "", None, "Q1")
    assert [waiting] == rows(site, at=at(2_999))
    assert [waiting, ("offer", 3_000, None, "", None, "Q1")] == rows(site, at=at(4_999))
    assert [
        ("wait", 0, 5_000, "", "answered", "Q1"),
        ("offer", 3_000, 5_000, "", "accepted", "Q1"),
        ("contact", 5_000, None, "", "Q1", None, 0, 0, 0, 0),
    ] == rows(site, at=at(5_000))
    assert 404 == site.get(f"/api/v1/tasks/t/journey?at={at(0) - 1}").status_code


def test_what_was_known_then(site, clock):
    """A connect that came late was not known before, and shortens nothing then."""
    parked, done, connected = story(
        task(0, "t", "parked", queueId="Q1"),
        ended(60_000, "t"),
        task(5_000, "t", "connected"),
    )
    for clock.now, bodies in ((RECORDED, [parked, done]), (RECORDED + 1_000, [connected])):
        assert 202 == site.post(bodies).status_code
        site.project()
    clock.now = NOW
    assert [("wait", 0, 60_000, "", "abandoned", "Q1")] == rows(site, knownAt=RECORDED + 999)
    assert ["wait", "contact"] == [row[0] for row in rows(site, knownAt=RECORDED + 1_000)]
    assert rows(site) == rows(site, knownAt=RECORDED + 1_000)
    both = {"at": at(30_000), "knownAt": RECORDED}
    answer = journey(site, **both)
    assert both.items() <= answer["meta"].items()
    assert [("wait", 0, None, "", None, "Q1")] == [brief(row) for row in answer["data"]]


def test_a_wrap_up_that_goes_on_is_handled_after_the_hour(site):
    """Case 7: not handled before, and nothing is doubtful yet; then it is, 60 min after the end."""
    deliver(
        site,
        task(0, "t", "parked", queueId="Q1"),
        task(10_000, "t", "connected"),
        v1(10_000, "a", "connected", "t"),
        ended(120_000, "t"),
        v1(120_000, "a", "wrapup", "t"),
        v1(4_320_000, "a", "wrapup-done", "t"),
    )

    def contact(time):
        (row,) = [it for it in journey(site, at=time)["data"] if it["kind"] == "contact"]
        return row["to"] - at(0), row["handledTime"], row["wrapUpMs"], row["doubtful"]

    assert (120_000, None, 0, False) == contact(at(120_000 + HOUR) - 1)
    assert (120_000, at(120_000 + HOUR), 0, True) == contact(at(120_000 + HOUR))
    assert (120_000, at(120_000 + HOUR), 0, True) == contact(at(5_000_000))


def test_the_passing_of_time_ends_a_wait(site, clock):
    """A day without news: the wait ends then, doubtful, and not a millisecond before."""
    clock.now = at(0)
    deliver(site, task(0, "t", "parked", queueId="Q1"))
    day = 24 * HOUR
    for now, end, outcome in (
        (at(day) - 1, None, None),
        (at(day), at(day), "unknown"),
        (at(day) + 7, at(day), "unknown"),
    ):
        clock.now = now
        for answer in (journey(site), journey(site, at=now)):
            (wait,) = answer["data"]
            assert (end, outcome) == (wait["to"], wait["outcome"])
            assert (end is not None) == wait["doubtful"]
            assert now == answer["meta"]["time"]


# --- the route ---


def test_a_task_without_a_journey_has_an_empty_one(site):
    """Of a recording alone; the usual shape of a list."""
    deliver(site, capture(0, "t", "/x"))
    meta = {"nextCursor": None, "count": 0, "taskId": "t", "orgId": "acme", "time": NOW}
    nulls = {"at": None, "knownAt": None, "lookedFrom": None}
    assert {"meta": meta | nulls, "data": []} == journey(site)


def test_of_very_many_events_only_the_last_are_folded(site, monkeypatch):
    """``lookedFrom`` says since when the journey is whole; what went on then is told."""
    monkeypatch.setattr("projector.query.as_of.journey.MOST_SNAPSHOTS_BACK", 1)
    monkeypatch.setattr("projector.domain.events.EVENTS_PER_SNAPSHOT", 1)
    deliver(
        site,
        task(0, "t", "parked", queueId="Q1"),
        task(5_000, "t", "connected"),
        v1(6_000, "a", "connected", "t"),
        task(7_000, "t", "on-hold"),
        task(8_000, "t", "hold-done"),
        ended(60_000, "t"),
        v1(60_000, "a", "wrapup", "t"),
    )
    answer = journey(site)
    assert at(8_000) == answer["meta"]["lookedFrom"]
    assert [
        ("contact", 5_000, 60_000, "a", "Q1", None, 54_000, 1_000, 0, 0),
        ("stretch", 6_000, 60_000, "a", "connected"),
        ("stretch", 60_000, None, "a", "wrapup"),
    ] == [brief(row) for row in journey(site, at=at(61_000))["data"]]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"limit": 1}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"at": "-1"}, "at"),
        ({"knownAt": "soon"}, "knownAt"),
        ({"orgId": ""}, "orgId"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(site, query, wrong):
    """400, by name, before the task is looked for."""
    answer = site.get("/api/v1/tasks/none/journey", query_string=query)
    assert 400 == answer.status_code
    assert [wrong] == [error["parameter"] for error in answer.json["errors"]]


def test_who_is_unknown_or_known_twice_is_refused(site):
    """404 and 409, as for the view; orgId decides."""
    assert 404 == site.get("/api/v1/tasks/t/journey").status_code
    ours = task(0, "t", "parked", queueId="Q1")
    deliver(site, ours, ours | {"comciscoorgid": "other"})
    assert 409 == site.get("/api/v1/tasks/t/journey").status_code
    assert "other" == journey(site, orgId="other")["meta"]["orgId"]
