"""Figures counted by hand over HTTP: the examples of docs/figures.md, and cases from the field.

Moments are milliseconds after dawn. All is told while it happens, so silence has its deadlines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_summary import when
from tests.conftest import Site, clone, open_site
from tests.examples import Body, at, ended, login, logout, task, v1
from tests.integration.driving import Clock

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
HALF_HOUR = 30 * MINUTE
DAY = 24 * HOUR
THRESHOLD = 20 * SECOND
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "figures.md").read_text()
Answer = dict[str, Any]


class Centre:
    """A contact centre that tells each event when it happens, and answers questions."""

    def __init__(self, site: Site, clock: Clock) -> None:
        self.site = site
        self.clock = clock
        self.clock.now = at(0)
        self._events = 0

    def tell(self, *bodies: Body) -> None:
        """Post some events, each at its own time."""
        for body in sorted(bodies, key=lambda it: it["data"]["createdTime"]):
            self._events += 1
            self.clock.now = max(self.clock.now, body["data"]["createdTime"])
            self.site.post(body | {"id": f"e{self._events}"})
        self.site.project()

    def wait_until(self, moment: int) -> None:
        """Let the clock go on to a moment, if it is not there yet."""
        self.clock.now = max(self.clock.now, at(moment))

    def summary(self, until: int, window: int, **query: Any) -> Answer:
        """The answer as of a moment, with the figures of the window before it."""
        return get(self.site, "/api/v1/summary", at=at(until), window=window, **query)

    def figures(self, start: int, end: int, **query: Any) -> Answer:
        """The answer whose window is `[start, end)`."""
        return self.summary(end, end - start, **query)

    def rows(self, report: str, start: int, end: int, **query: Any) -> list[Answer]:
        """The rows of a report over `[start, end)`: one period, if no interval is given."""
        span: dict[str, Any] = {"from": at(start), "to": at(end), "interval": end - start}
        answer = get(self.site, f"/api/v1/reports/{report}", **(span | query))
        rows: list[Answer] = answer["data"]
        return rows


def get(site: Site, path: str, **query: Any) -> Answer:
    answer = site.get(path, query_string=query)
    assert 200 == answer.status_code, answer.text
    told: Answer = answer.json
    return told


@pytest.fixture
def centre(database_url, tmp_path) -> Iterator[Centre]:
    clock = Clock()
    with open_site(database_url, tmp_path, clock=clock) as site:
        yield Centre(site, clock)


# --- what is read of an answer ---


def shown(told: Answer) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in told["counts"].items() if count}


def value(told: Answer, figure: str) -> tuple[float | None, int]:
    """A figure, and the number that it rests on."""
    return told[figure]["value"], told[figure]["count"]


def sums(told: Answer) -> Counter[str]:
    """Every count and sum of an answer that windows side by side add up to.

    Each figure but occupancy is a sum divided by its count.
    """
    added = Counter(told["counts"])
    for name, figure in told.items():
        if "formula" in figure:
            added[f"{name}, doubtful"] = figure["doubtful"]
            if name != "occupancy":
                added[f"{name}, count"] = figure["count"]
                added[name] = round((figure["value"] or 0) * figure["count"])
    return added


def half_hours(centre: Centre, until: int, **query: Any) -> list[Answer]:
    """The answers of the half hours from dawn on."""
    ends = range(HALF_HOUR, until + 1, HALF_HOUR)
    return [centre.summary(end, HALF_HOUR, **query) for end in ends]


def whole(centre: Centre, until: int, **query: Any) -> Answer:
    """The answer from dawn to a moment, asked then; windows of any length add up to it."""
    centre.wait_until(until)
    told = centre.summary(until, until, **query)
    for length in (HALF_HOUR, until // 2, until // 7 + 1):
        edges = [*range(0, until, length), until]
        parts = (centre.figures(start, end, **query) for start, end in pairwise(edges))
        assert sums(told) == sum((sums(part) for part in parts), Counter()), length
    return told


def example(formula: str) -> str:
    """The example that the page gives under the heading of a formula."""
    section = re.search(rf"^## {formula}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section
    told = re.search(r"^\*Example\.\*(.*?)(?:\n\n|\Z)", section[1], re.MULTILINE | re.DOTALL)
    assert told
    return " ".join(told[1].split())


# --- what happens ---


def step(moment: int, name: str, word: str, queue: str = "sales", **more: Any) -> Body:
    """A word of a task in its queue."""
    return task(moment, name, word, queueId=queue, **more)


def answered(name: str, begin: int, wait_ms: int, **more: Any) -> list[Body]:
    """A customer waits, is answered, and talks for a minute."""
    answer = begin + wait_ms
    return [
        step(begin, name, "parked", **more),
        step(answer, name, "connected", **more),
        ended(answer + MINUTE, name, **more),
    ]


def given_up(name: str, begin: int, wait_ms: int, **more: Any) -> list[Body]:
    """A customer waits and hangs up."""
    return [step(begin, name, "parked", **more), ended(begin + wait_ms, name, **more)]


def taken(name: str, agent: str, begin: int, end: int, **more: Any) -> list[Body]:
    """An agent answers a call that rings for five seconds, and is free when it ends."""
    return [
        step(begin - 5 * SECOND, name, "connect"),
        v1(begin - 5 * SECOND, agent, "ringing", name, **more),
        step(begin, name, "connected"),
        v1(begin, agent, "connected", name, **more),
        ended(end, name),
        v1(end, agent, "available", name, **more),
    ]


# --- the examples of the page: waits ---

SIX_CUSTOMERS = [
    *answered("ten", when(1), 10 * SECOND),
    *answered("twenty-five", when(3), 25 * SECOND),
    *answered("thirty", when(5), 30 * SECOND),
    *given_up("five", when(7), 5 * SECOND),
    *given_up("forty", when(9), 40 * SECOND),
    step(when(11), "overflow", "parked"),
    ended(when(11, 50), "overflow", "System", "Overflow"),
]


@pytest.fixture(scope="module")
def six_customers(template, tmp_path_factory) -> Iterator[Centre]:
    clock = Clock()
    folder = tmp_path_factory.mktemp("six-customers")
    with open_site(clone(template), folder, clock=clock) as site:
        centre = Centre(site, clock)
        centre.tell(*SIX_CUSTOMERS)
        yield centre


def test_six_customers_are_counted(six_customers):
    """Three are answered, two give up, and one is turned away by the system."""
    told = whole(six_customers, HALF_HOUR)
    assert {
        "offered": 6, "answered": 3, "answeredInTime": 1, "abandoned": 2, "unanswered": 1,
        "handled": 3,
    } == shown(told)  # fmt: skip
    assert (1 / 5, 5) == value(told, "serviceLevel")
    assert "1 / 5 = 0.2" in example("service-level")
    assert (65_000 / 3, 3) == value(told, "asaMs")
    assert "65,000 / 3 = 21,667 ms" in example("average-speed-of-answer")
    assert (2 / 5, 5) == value(told, "abandonment")
    assert "2 / 5 = 0.4" in example("abandonment-rate")


@pytest.mark.parametrize(
    ("short", "in_the_page", "formula"),
    [
        (0, "1 / 5 = 0.20", "answered in time / (answered + abandoned)"),
        (0, "1 / 6 = 0.17", "answered in time / offered"),
        (THRESHOLD + 1, "1 / 4 = 0.25", "answered in time / (answered + abandoned)"),
        (0, "1 / 3 = 0.33", "answered in time / answered"),
        (THRESHOLD + 1, "2 / 5 = 0.40",
         "(answered in time + short) / (answered + abandoned + short)"),
        (THRESHOLD + 1, "2 / 6 = 0.33", "(answered in time + short) / offered"),
    ],
)  # fmt: skip
def test_each_usual_service_level_can_be_had(six_customers, tmp_path, short, in_the_page, formula):
    """By the setting, or from the counts, as the page's table says."""
    options = {"PROJECTOR_SHORT_ABANDON_MS": str(short)}
    with open_site(six_customers.site.url, tmp_path, clock=six_customers.clock, **options) as site:
        told = get(site, "/api/v1/summary", at=at(HALF_HOUR))
    counts = told["counts"] | {
        "answered in time": told["counts"]["answeredInTime"],
        "short": told["counts"]["shortAbandoned"],
    }
    dividend, divisor = (
        sum(counts[name] for name in part.strip("()").split(" + ")) for part in formula.split(" / ")
    )
    assert in_the_page == f"{dividend} / {divisor} = {dividend / divisor:.2f}"
    assert in_the_page in PAGE
    if formula == "answered in time / (answered + abandoned)":
        assert (dividend / divisor, divisor) == value(told, "serviceLevel")


@pytest.mark.parametrize(
    ("limits", "in_time", "abandoned"),
    [
        ((THRESHOLD, 0), 1, 1),
        ((THRESHOLD - 1, 0), 0, 1),
        ((THRESHOLD, THRESHOLD), 1, 1),
        ((THRESHOLD, THRESHOLD + 1), 1, 0),
    ],
)
def test_in_time_is_not_longer_and_short_is_shorter(
    database_url, tmp_path, limits, in_time, abandoned
):
    """Both customers wait for exactly 20 s; a short wait is in no figure, and in the counts."""
    clock = Clock()
    threshold, short = limits
    options = {
        "PROJECTOR_SERVICE_LEVEL_MS": str(threshold),
        "PROJECTOR_SHORT_ABANDON_MS": str(short),
    }
    with open_site(database_url, tmp_path, clock=clock, **options) as site:
        centre = Centre(site, clock)
        centre.tell(*answered("stays", 0, THRESHOLD), *given_up("leaves", 0, THRESHOLD))
        told = whole(centre, HALF_HOUR)
        (row,) = centre.rows("queues", 0, HALF_HOUR)
    assert (in_time / (1 + abandoned), 1 + abandoned) == value(told, "serviceLevel")
    assert (abandoned / (1 + abandoned), 1 + abandoned) == value(told, "abandonment")
    counts = {"abandoned": abandoned, "shortAbandoned": 1 - abandoned, "answeredInTime": in_time}
    assert counts.items() <= told["counts"].items()
    assert counts.items() <= row.items()
    # The time of the short one is left out, but it may be the longest wait.
    assert (abandoned * THRESHOLD, THRESHOLD) == (row["abandonedWaitMs"], row["maxWaitMs"])


def test_each_channel_type_has_its_threshold(database_url, tmp_path):
    """Calls within 20 s, chats within a minute, whatever else within an hour."""
    clock = Clock()
    table = '{"telephony": 20000, "chat": 60000, "*": 3600000}'
    with open_site(database_url, tmp_path, clock=clock, PROJECTOR_SERVICE_LEVEL_MS=table) as site:
        centre = Centre(site, clock)
        centre.tell(
            *answered("call", 0, 45 * SECOND),
            *answered("chat", 0, 45 * SECOND, channelType="chat"),
            *answered("slow-chat", 0, 61 * SECOND, channelType="chat"),
            *answered("mail", 0, 50 * MINUTE, channelType="email"),
        )
        told = {
            name: value(whole(centre, HOUR, channelType=name), "serviceLevel")
            for name in ("telephony", "chat", "email", "social")
        }
        assert (2 / 4, 4) == value(whole(centre, HOUR), "serviceLevel")
    assert {"telephony": (0, 1), "chat": (1 / 2, 2), "email": (1, 1), "social": (None, 0)} == told


# --- the examples of the page: contacts ---


def test_handle_times_are_averages_of_contacts(centre):
    """One of 120 + 30 s, and one of 70 s of talk, 20 of hold, 10 of consult and 10 of wrap-up."""
    centre.tell(
        step(0, "plain", "connected"),
        v1(0, "ann", "connected", "plain"),
        ended(when(2), "plain"),
        v1(when(2), "ann", "wrapup", "plain"),
        v1(when(2, 30), "ann", "wrapup-done", "plain"),
        step(when(5), "hard", "connected"),
        v1(when(5), "bob", "connected", "hard"),
        step(when(5, 30), "hard", "on-hold"),
        step(when(5, 40), "hard", "consulting"),
        step(when(5, 50), "hard", "consult-done"),
        step(when(6), "hard", "hold-done"),
        ended(when(6, 40), "hard"),
        v1(when(6, 40), "bob", "wrapup", "hard"),
        v1(when(6, 50), "bob", "wrapup-done", "hard"),
    )
    told = whole(centre, HALF_HOUR)
    assert (130_000, 2) == value(told, "ahtMs")
    assert "(150,000 + 110,000) / 2 = 130,000 ms" in example("average-handle-time")
    assert (95_000, 2) == value(told, "talkMs")
    assert "(120,000 + 70,000) / 2 = 95,000 ms" in example("average-talk-time")
    assert (10_000, 2) == value(told, "holdMs")
    assert "20,000 / 2 = 10,000 ms" in example("average-hold-time")
    assert (20_000, 2) == value(told, "wrapUpMs")
    assert "(30,000 + 10,000) / 2 = 20,000 ms" in example("average-wrap-up-time")
    (row,) = centre.rows("queues", 0, HALF_HOUR)
    assert {
        "handled": 2, "talkMs": 190_000, "holdMs": 20_000, "consultMs": 10_000, "wrapUpMs": 40_000,
        "ahtMs": 130_000,
    }.items() <= row.items()  # fmt: skip


# --- the examples of the page: agents ---


def test_occupancy_leaves_out_ringing_and_breaks(centre):
    """Ann works for 20 minutes, Bob for 5."""
    centre.tell(
        login(0, "ann", "Available"),
        login(0, "bob", "Available"),
        step(when(9, 45), "long", "connect"),
        v1(when(9, 45), "ann", "ringing", "long"),
        step(when(10), "long", "connected"),
        v1(when(10), "ann", "connected", "long"),
        v1(when(5), "bob", "connected", "short"),
        v1(when(8), "bob", "wrapup", "short"),
        v1(when(10), "bob", "idle", "short"),
        ended(when(30), "long"),
        v1(when(30), "ann", "available", "long"),
    )
    told = centre.summary(HALF_HOUR, HALF_HOUR)
    work, ready = when(20) + when(5), when(9, 45) + when(5)
    assert (work / (work + ready), 2) == value(told, "occupancy")
    assert 0 == told["occupancy"]["doubtful"]
    assert "1,500 / (1,500 + 885) = 0.63" in example("occupancy")
    ann, bob = centre.rows("agents", 0, HALF_HOUR)
    assert (when(20) / when(29, 45), when(5) / when(10)) == (ann["occupancy"], bob["occupancy"])
    assert {"available": when(9, 45), "ringing": 15_000, "connected": when(20)} == ann["statusMs"]


def test_rona_is_of_offers_that_were_accepted_or_refused(centre):
    """Ann lets it ring, Bob takes it and another; of the last one the customer leaves."""
    centre.tell(
        step(0, "twice", "connect"),
        v1(0, "ann", "ringing", "twice"),
        v1(18 * SECOND, "ann", "not-responding", "twice"),
        *taken("twice", "bob", when(1), when(2)),
        *taken("once", "bob", when(3), when(4)),
        step(when(5), "gone", "connect"),
        v1(when(5), "bob", "ringing", "gone"),
        ended(when(5, 9), "gone"),
    )
    told = whole(centre, HALF_HOUR)
    assert (1 / 3, 3) == value(told, "rona")
    assert "1 / 3 = 0.33" in example("rona-rate")
    ann, bob = centre.rows("agents", 0, HALF_HOUR)
    assert [(0, 1), (2, 0)] == [(it["offersAccepted"], it["offersRefused"]) for it in (ann, bob)]


# --- faults of figures that were drawn from views ---
#
# A reopened call was handled in two windows and once in the whole. One wait was abandoned in one
# window and answered in the next. A wrap-up of 70 minutes was in no half hour, and so was a refusal
# across it. A call transferred from queue 1 to queue 2 gave its answer to queue 2, and the ten
# minutes that the customer waited there before leaving were nowhere.


def test_a_reopened_call_is_two_contacts(centre):
    """Each is handled in its own half hour, and the whole hour has both."""
    centre.tell(
        *taken("t", "ann", when(10), when(25)),
        *taken("t", "bob", when(35), when(50)),
    )
    told = whole(centre, HOUR)
    assert (2, when(30)) == (told["counts"]["handled"], sums(told)["talkMs"])
    assert [1, 1] == [it["counts"]["handled"] for it in half_hours(centre, HOUR)]
    assert [1, 1] == [it["handled"] for it in centre.rows("agents", 0, HOUR)]


def test_a_task_that_ended_twice_is_two_contacts(centre):
    """Windows of any length add up to both (case 6)."""
    centre.tell(
        step(0, "t", "parked"),
        step(10 * SECOND, "t", "connected"),
        ended(100 * SECOND, "t"),
        step(600 * SECOND, "t", "connect"),
        step(605 * SECOND, "t", "connected"),
        ended(900 * SECOND, "t"),
    )
    told = whole(centre, HALF_HOUR)
    assert {"offered": 2, "answered": 2, "answeredInTime": 2, "handled": 2} == shown(told)
    assert (7_500, 2) == value(told, "asaMs")
    assert ((90_000 + 295_000) / 2, 2) == value(told, "ahtMs")


def test_a_customer_who_gives_up_and_comes_back_waits_twice(centre):
    """One wait is abandoned in the first half hour, the other answered in the next."""
    centre.tell(
        step(when(28), "t", "parked"),
        ended(when(29), "t"),
        step(when(31), "t", "parked"),
        step(when(31, 20), "t", "connected"),
        ended(when(40), "t"),
    )
    first, second = half_hours(centre, HOUR)
    assert ((0, 1), (1, 1)) == (value(first, "serviceLevel"), value(first, "abandonment"))
    assert ((1, 1), (0, 1)) == (value(second, "serviceLevel"), value(second, "abandonment"))
    told = whole(centre, HOUR)
    assert ((1 / 2, 2), (1 / 2, 2)) == (value(told, "serviceLevel"), value(told, "abandonment"))
    assert (20_000, 1) == value(told, "asaMs")


def wrapped_up(minutes: int) -> list[Body]:
    """A call of 110 s that ends at 2:00, and its wrap-up."""
    return [
        login(0, "ann", "Available"),
        step(0, "t", "parked"),
        step(10 * SECOND, "t", "connected"),
        v1(10 * SECOND, "ann", "connected", "t"),
        ended(when(2), "t"),
        v1(when(2), "ann", "wrapup", "t"),
        v1(when(2 + minutes), "ann", "wrapup-done", "t"),
        v1(when(2 + minutes), "ann", "available"),
    ]


def test_a_wrap_up_counts_whole_when_it_is_finished(centre):
    """It takes 50 minutes, and the contact is handled then."""
    centre.tell(*wrapped_up(50))
    assert [0, 1, 0] == [it["counts"]["handled"] for it in half_hours(centre, 90 * MINUTE)]
    told = whole(centre, 90 * MINUTE)
    assert ((when(50), 1), (when(51, 50), 1)) == (value(told, "wrapUpMs"), value(told, "ahtMs"))
    assert 0 == told["ahtMs"]["doubtful"] == told["occupancy"]["doubtful"]


def test_a_wrap_up_of_more_than_an_hour_counts_nothing(centre):
    """The contact is handled 60 minutes after its end; the wrap-up is doubtful (case 7)."""
    centre.tell(*wrapped_up(70))
    parts = half_hours(centre, 90 * MINUTE)
    assert [0, 0, 1] == [it["counts"]["handled"] for it in parts]
    assert [0, 0, 1] == [it["wrapUpMs"]["doubtful"] for it in parts]
    assert 1 == centre.figures(when(62), when(62) + 1)["counts"]["handled"]
    told = whole(centre, 90 * MINUTE)
    for figure, expected in (("ahtMs", 110_000), ("talkMs", 110_000), ("wrapUpMs", 0)):
        assert (expected, 1, 1) == (*value(told, figure), told[figure]["doubtful"])
    # Nor is it known what Ann did in that hour.
    assert HOUR == told["occupancy"]["doubtful"]
    (queue,), (ann,) = (centre.rows(name, 0, 90 * MINUTE) for name in ("queues", "agents"))
    assert (1, 1, 0) == (queue["handled"], queue["doubtful"], queue["wrapUpMs"])
    assert (1, HOUR, 0) == (ann["handled"], ann["doubtfulMs"], ann["wrapUpMs"])
    assert "wrapup" not in ann["statusMs"]


def test_a_refusal_across_the_half_hour_counts_where_it_ends(centre):
    """The phone begins to ring before, and stops after."""
    centre.tell(
        step(when(29, 50), "t", "connect"),
        v1(when(29, 50), "ann", "ringing", "t"),
        v1(when(30, 8), "ann", "not-responding", "t"),
        step(when(30, 9), "t", "parked"),
    )
    first, second = half_hours(centre, HOUR)
    assert ((None, 0), (1, 1)) == (value(first, "rona"), value(second, "rona"))
    assert (1, 1) == value(whole(centre, HOUR), "rona")
    # The wait goes on: it begins in the first, and has not ended.
    assert ({"offered": 1}, {}) == (shown(first), shown(second))
    assert when(30, 10) == second["tasks"]["longestWaitMs"]


@pytest.mark.parametrize("length", [SECOND, 14 * SECOND, 28 * SECOND, 29 * SECOND, MINUTE])
def test_a_refusal_counts_in_whatever_window_holds_it(centre, length):
    """Once, at 28 s; the wait goes on from 10 s (case 8)."""
    centre.tell(
        step(10 * SECOND, "t", "connect"),
        v1(10 * SECOND, "ann", "ringing", "t"),
        v1(28 * SECOND, "ann", "not-responding", "t"),
        step(29 * SECOND, "t", "parked"),
    )
    for start in range(0, 2 * MINUTE, length):
        told = centre.figures(start, start + length)
        refused = int(start <= 28 * SECOND < start + length)
        assert ((1, 1) if refused else (None, 0)) == value(told, "rona")
        begun = int(start <= 10 * SECOND < start + length)
        assert begun == told["counts"]["offered"]
    assert 50 * SECOND == centre.summary(MINUTE, MINUTE)["tasks"]["longestWaitMs"]


def test_a_transferred_call_waits_in_each_queue(centre):
    """Queue 1 keeps its answer, and the ten minutes are those of queue 2 (case 1)."""
    centre.tell(
        step(0, "t", "parked", "q1"),
        step(3 * SECOND, "t", "connect", "q1"),
        step(5 * SECOND, "t", "connected", "q1"),
        step(60 * SECOND, "t", "parked", "q2"),
        ended(660 * SECOND, "t", queueId="q2"),
    )
    first, second = (whole(centre, HALF_HOUR, queueId=name) for name in ("q1", "q2"))
    assert {"offered": 1, "answered": 1, "answeredInTime": 1, "handled": 1} == shown(first)
    assert ((1, 1), (0, 1)) == (value(first, "serviceLevel"), value(first, "abandonment"))
    assert (5_000, 1) == value(first, "asaMs")
    assert {"offered": 1, "abandoned": 1} == shown(second)
    assert ((0, 1), (1, 1)) == (value(second, "serviceLevel"), value(second, "abandonment"))
    assert ((1 / 2, 2), (55_000, 1)) == tuple(
        value(whole(centre, HALF_HOUR), figure) for figure in ("abandonment", "ahtMs")
    )
    assert [("q1", 5_000, 0), ("q2", 600_000, 600_000)] == [
        (row["queueId"], row["maxWaitMs"], row["abandonedWaitMs"])
        for row in centre.rows("queues", 0, HALF_HOUR)
    ]


def test_a_customer_who_is_moved_waits_anew(centre):
    """Nobody answered in the first queue, so it has neither an answer nor an abandonment."""
    centre.tell(
        step(0, "t", "parked", "q1"),
        step(30 * SECOND, "t", "parked", "q2"),
        step(35 * SECOND, "t", "connected", "q2"),
        ended(60 * SECOND, "t", queueId="q2"),
    )
    first, second = (whole(centre, HALF_HOUR, queueId=name) for name in ("q1", "q2"))
    assert ({"offered": 1, "moved": 1}, (None, 0)) == (shown(first), value(first, "serviceLevel"))
    assert ((1, 1), (5_000, 1)) == (value(second, "serviceLevel"), value(second, "asaMs"))


# --- ends that are nobody's giving up, or were not told ---


def test_an_end_by_an_agent_hints_at_an_answer(centre):
    """Nobody gave up, and how long the customer waited is not known (case 2)."""
    centre.tell(
        step(0, "t", "new"),
        step(1 * SECOND, "t", "parked"),
        ended(300 * SECOND, "t", "Agent", "Agent Left"),
    )
    told = whole(centre, HALF_HOUR)
    assert {"offered": 1, "unknown": 1} == shown(told)
    for figure in ("serviceLevel", "abandonment", "asaMs"):
        assert (None, 0, 1) == (*value(told, figure), told[figure]["doubtful"])
    assert (None, 0) == value(told, "ahtMs")
    assert {"completed": 1} == told["tasks"]["byStatus"]
    (row,) = centre.rows("queues", 0, HALF_HOUR)
    assert (1, None, 0) == (row["doubtful"], row["maxWaitMs"], row["abandonedWaitMs"])


@pytest.mark.parametrize(
    "rest",
    [
        # A callback that the customer does not answer (case 9).
        [
            task(900 * SECOND, "t", "connect", direction="OUTBOUND",
                 outboundType="COURTESY_CALLBACK"),
            ended(960 * SECOND, "t", "System", "Customer Busy", direction="OUTBOUND"),
        ],
        # A call that the system turns away (case 10).
        [ended(100 * SECOND, "t", "System", "Overflow")],
    ],
    ids=["callback", "overflow"],
)  # fmt: skip
def test_an_end_by_the_system_is_no_abandonment(centre, rest):
    """The wait ends unanswered: that is in the counts, and in no figure."""
    centre.tell(step(0, "t", "parked"), *rest)
    told = whole(centre, HALF_HOUR)
    assert {"offered": 1, "unanswered": 1} == shown(told)
    for figure in ("serviceLevel", "abandonment", "asaMs", "rona"):
        assert (None, 0, 0) == (*value(told, figure), told[figure]["doubtful"])
    assert {"unanswered": 1} == told["tasks"]["byStatus"]


def test_a_wait_without_news_for_a_day_is_doubtful(centre):
    """Nobody waits any more, and nobody knows since when (case 11)."""
    centre.tell(step(0, "t", "parked"))
    before = centre.summary(DAY - 1, DAY - 1)
    assert (1, DAY - 1, {"offered": 1}) == (
        *(before["tasks"][name] for name in ("waiting", "longestWaitMs")),
        shown(before),
    )
    told = whole(centre, 25 * HOUR)
    assert {"offered": 1, "unknown": 1} == shown(told)
    assert (None, 0, 1) == (*value(told, "serviceLevel"), told["serviceLevel"]["doubtful"])
    assert (0, 0, None, {"queued": 1}) == tuple(
        told["tasks"][name] for name in ("open", "waiting", "longestWaitMs", "byStatus")
    )
    assert {"unknown": 1} == shown(centre.figures(DAY, DAY + 1))


def test_ringing_without_news_is_doubtful(centre):
    """After five minutes Ann rings no more, and nobody knows since when (case 12)."""
    centre.tell(
        login(0, "ann", "Available"),
        v1(10 * SECOND, "ann", "ringing", "t", channelType="telephony"),
    )
    told = whole(centre, HALF_HOUR)
    assert {"unknown": 1} == told["agents"]["byStatus"]
    assert (0, 1, 5 * MINUTE) == (*value(told, "occupancy"), told["occupancy"]["doubtful"])
    assert 5 * MINUTE == centre.figures(10 * SECOND, 310 * SECOND)["occupancy"]["doubtful"]
    assert 0 == centre.figures(310 * SECOND, HALF_HOUR)["occupancy"]["doubtful"]
    (row,) = centre.rows("agents", 0, HALF_HOUR)
    assert ({"available": 10_000}, 5 * MINUTE) == (
        {name: ms for name, ms in row["statusMs"].items() if name in {"available", "ringing"}},
        row["doubtfulMs"],
    )


def test_a_day_without_news_is_no_working_time(centre):
    """Ann is logged out after 24 hours, and no figure counts her silence (case 13)."""
    centre.tell(login(0, "ann", "Available"), v1(0, "ann", "available"))
    # As long as that may still be told, she is ready.
    thought = centre.summary(12 * HOUR, 12 * HOUR, knownAt=at(12 * HOUR))
    assert (0, 1, 0) == (*value(thought, "occupancy"), thought["occupancy"]["doubtful"])
    assert 1 == thought["agents"]["loggedIn"]
    told = whole(centre, 25 * HOUR)
    assert (None, 0, DAY) == (*value(told, "occupancy"), told["occupancy"]["doubtful"])
    assert {"logged-out": 1} == told["agents"]["byStatus"]
    silences = [it["occupancy"]["doubtful"] for it in half_hours(centre, 25 * HOUR)]
    assert 48 * [HALF_HOUR] + 2 * [0] == silences
    (row,) = centre.rows("agents", 0, 25 * HOUR)
    assert (0, DAY, None) == (row["loggedInMs"], row["doubtfulMs"], row["lastLogout"])
    # What was thought at noon is still told.
    again = centre.summary(12 * HOUR, 12 * HOUR, knownAt=at(12 * HOUR))
    assert (0, 1, 0) == (*value(again, "occupancy"), again["occupancy"]["doubtful"])
    assert (thought["agents"], thought["counts"]) == (again["agents"], again["counts"])


def test_what_was_thought_is_told_again(centre):
    """A late event changes a past window, but not what was known of it."""
    centre.tell(*given_up("t", when(10), 30 * SECOND))
    centre.wait_until(when(40))
    centre.tell(step(when(10, 15), "t", "connected"))
    first = {"knownAt": at(when(40)) - 1}
    assert (1, 1) == value(centre.figures(0, HALF_HOUR, **first), "abandonment")
    assert (0, 1) == value(centre.figures(0, HALF_HOUR), "abandonment")
    assert (1, 1) == value(whole(centre, HALF_HOUR), "serviceLevel")


# --- consults and transfers ---


def consult(asked: list[Body]) -> list[Body]:
    """Ann talks for a minute, asks Bob for 30 s, and talks for another minute."""
    return [
        *taken("t", "ann", when(1), when(3, 30)),
        step(when(2), "t", "on-hold"),
        v1(when(2), "ann", "on-hold", "t"),
        step(when(2), "t", "consulting"),
        v1(when(2), "ann", "consulting", "t"),
        *asked,
        step(when(2, 30), "t", "consult-done"),
        v1(when(2, 30), "ann", "consult-done", "t"),
        step(when(2, 30), "t", "hold-done"),
        v1(when(2, 30), "ann", "hold-done", "t"),
    ]


def test_a_colleague_who_is_asked_handles_nothing(centre):
    """Bob is in the contact, and it is Ann's."""
    centre.tell(
        *consult([
            v1(when(2), "bob", "consulting", "t"),
            v1(when(2, 30), "bob", "consult-done", "t"),
        ])
    )  # fmt: skip
    ann, bob = centre.rows("agents", 0, HALF_HOUR)
    fields = ("agentId", "handled", "talkMs", "consultMs")
    assert ("ann", 1, 120_000, 30_000) == tuple(ann[name] for name in fields)
    assert ("bob", 0, 0, 30_000) == tuple(bob[name] for name in fields)
    (queue,) = centre.rows("queues", 0, HALF_HOUR)
    assert (1, 120_000, 30_000) == (queue["handled"], queue["talkMs"], queue["consultMs"])
    assert (150_000, 1) == value(whole(centre, HALF_HOUR), "ahtMs")
    told = example("The report of agents")
    assert "`handled` 1, `talkMs` 120,000 and `consultMs` 30,000" in told
    assert "`handled` 0 and `consultMs` 30,000" in told


def test_an_offer_amid_a_conversation_is_never_accepted(centre):
    """Who takes it joins the conversation; who lets it ring has refused it."""
    centre.tell(
        *consult([
            step(when(2), "t", "connect"),
            v1(when(2), "bob", "ringing", "t"),
            v1(when(2, 10), "bob", "consulting", "t"),
            v1(when(2, 30), "bob", "consult-done", "t"),
        ])
    )  # fmt: skip
    assert (0, 1) == value(whole(centre, HALF_HOUR), "rona")
    ann, bob = centre.rows("agents", 0, HALF_HOUR)
    assert [1, 0] == [it["offersAccepted"] for it in (ann, bob)]
    assert {"offered": 1, "answered": 1, "answeredInTime": 1, "handled": 1} == shown(
        centre.figures(0, HALF_HOUR)
    )


# --- a part of the floor ---


def test_a_queue_has_no_occupancy(centre):
    """Which agents serve it is not known; all its other figures are its own."""
    centre.tell(login(0, "ann", "Available"), *taken("t", "ann", when(1), when(2)))
    told = centre.figures(0, HALF_HOUR, queueId="sales")
    assert (None, 0, 0) == (*value(told, "occupancy"), told["occupancy"]["doubtful"])
    every = centre.figures(0, HALF_HOUR)
    assert every["occupancy"]["count"] == 1
    assert every == told | {"occupancy": every["occupancy"]}
    assert {} == shown(centre.figures(0, HALF_HOUR, queueId="care"))


def test_the_team_of_a_part_is_the_one_that_its_events_carried(centre):
    """Else the agent's own team as of the question."""
    centre.tell(
        login(0, "ann", "Available", teamId="north"),
        *taken("named", "ann", when(1), when(2), teamId="north"),
        *taken("unnamed", "ann", when(3), when(4)),
        logout(when(10), "ann", "AGENT"),
        login(when(40), "ann", "Available", teamId="south"),
    )
    for until, north, south in ((HALF_HOUR, 2, 0), (HOUR, 1, 1)):
        handled = [
            centre.figures(0, until, teamId=team)["counts"]["handled"]
            for team in ("north", "south", "east")
        ]
        assert [north, south, 0] == handled


def test_a_direction_chooses_what_is_counted(centre):
    """A call that an agent makes has no wait, and is handled."""
    out = {"direction": "OUTBOUND"}
    centre.tell(
        *answered("in", when(1), 10 * SECOND),
        step(when(5), "out", "connect", **out),
        step(when(6), "out", "connected", **out),
        ended(when(8), "out", **out),
    )
    inbound, outbound = (
        whole(centre, HALF_HOUR, direction=name) for name in ("INBOUND", "OUTBOUND")
    )
    assert ((10_000, 1), (60_000, 1)) == (value(inbound, "asaMs"), value(inbound, "ahtMs"))
    assert ({"handled": 1}, (120_000, 1)) == (shown(outbound), value(outbound, "ahtMs"))
    assert (180_000 / 2, 2) == value(whole(centre, HALF_HOUR), "ahtMs")


# --- the reports ---


def test_sums_of_waits_stand_beside_the_figures(centre):
    """Of the answered, of the abandoned, and the longest."""
    centre.tell(*answered("stays", 0, 20 * SECOND), *given_up("leaves", 0, 90 * SECOND))
    centre.wait_until(HALF_HOUR)
    (row,) = centre.rows("queues", 0, HALF_HOUR)
    fields = ("waitMs", "abandonedWaitMs", "maxWaitMs", "serviceLevel", "abandonment")
    assert (20_000, 90_000, 90_000, 0.5, 0.5) == tuple(row[name] for name in fields)
    told = example("The report of queues")
    assert "`waitMs` is 20,000, `abandonedWaitMs` and `maxWaitMs` are 90,000" in told
    assert "`serviceLevel` and `abandonment` 0.5" in told


def test_rows_of_half_hours_are_the_summaries(centre):
    """A row has the counts and figures that the summary of its period has."""
    centre.tell(
        login(0, "ann", "Available"),
        *answered("a", when(29, 50), 15 * SECOND),
        *given_up("b", when(29), 90 * SECOND),
        *taken("c", "ann", when(10), when(45)),
        logout(when(70), "ann", "AGENT"),
    )
    centre.wait_until(90 * MINUTE)
    rows = {row["from"]: row for row in centre.rows("queues", 0, 90 * MINUTE, interval="30m")}
    assert [at(0), at(HALF_HOUR)] == [*rows]
    for start, row in rows.items():
        told = centre.summary(start - at(0) + HALF_HOUR, HALF_HOUR)
        assert told["counts"].items() <= row.items()
        for figure in ("serviceLevel", "abandonment", "asaMs", "ahtMs"):
            assert told[figure]["value"] == row[figure]
    ann = centre.rows("agents", 0, 90 * MINUTE, interval="30m")
    assert [(at(0), None), (None, None), (None, at(when(70)))] == [
        (row["firstLogin"], row["lastLogout"]) for row in ann
    ]
    assert [HALF_HOUR, HALF_HOUR, when(10)] == [row["loggedInMs"] for row in ann]


def test_the_page_names_every_field_of_a_row(centre):
    """Of both reports, and every count and figure of the summary."""
    centre.tell(login(0, "ann", "Available"), *taken("t", "ann", when(1), when(2)))
    told = centre.figures(0, HALF_HOUR)
    names = {*told["counts"], *(name for name, it in told.items() if "formula" in it)}
    for report in ("queues", "agents"):
        (row,) = centre.rows(report, 0, HALF_HOUR)
        names |= {*row}
    assert set() == {name for name in names if not re.search(rf"\b{name}\b", PAGE)}
