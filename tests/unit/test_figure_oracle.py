"""The reference counts of figures: a floor counted by hand, and the law of windows."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from tests.cases import CASES
from tests.examples import ORG, at
from tests.fact_oracle import TaskFact
from tests.figure_oracle import (
    COUNTS,
    TimesOfAgent,
    agent_times,
    covered,
    offer_figures,
    queue_figures,
)
from tests.oracle import Anomaly, Oracle
from tests.worked_facts import FACT_LIVES, contact, offer, wait
from tests.worked_v2 import DAY, HOUR, MINUTE, TIMED_LIVES, TimedLife

FLOOR = {
    "a": [
        wait(0, 20_000, "answered"),
        offer(5_000, 20_000, "accepted"),
        contact(20_000, 80_000, 90_000, talk=40_000, hold=15_000, consult=5_000, wrap_up=10_000),
    ],
    "b": [wait(10_000, 30_001, "answered"), contact(30_001, None, None)],
    "c": [wait(10_000, 14_999, "abandoned"), offer(11_000, 14_999, "withdrawn")],
    "d": [wait(10_000, 15_000, "abandoned")],
    "e": [wait(20_000, 99_999, "abandoned", channel_type="chat")],
    "f": [wait(30_000, 95_000, "unknown"), wait(95_000, queue="q2")],
    "g": [
        wait(0, 40_000, "moved"),
        wait(40_000, 50_000, "unanswered", queue="q2"),
        offer(41_000, 45_000, "refused", queue="q2"),
        offer(46_000, 100_000, "refused", queue="q2"),
    ],
    "h": [contact(0, 10_000, 70_000, talk=10_000, doubtful=True)],
}


def counted(**some: int) -> dict[str, int]:
    return dict.fromkeys(COUNTS, 0) | some


def test_a_floor_is_counted_as_by_hand():
    """Each wait and contact once, in its queue and channel type."""
    expected = {
        ("q1", "telephony"): counted(
            offered=6,
            answered=2,
            answeredInTime=1,
            abandoned=1,
            shortAbandoned=1,
            moved=1,
            unknown=1,
            waitMs=40_001,
            maxWaitMs=65_000,
            abandonedWaitMs=5_000,
            handled=2,
            talkMs=50_000,
            holdMs=15_000,
            consultMs=5_000,
            wrapUpMs=10_000,
            doubtful=2,
        ),
        ("q1", "chat"): counted(offered=1, abandoned=1, maxWaitMs=79_999, abandonedWaitMs=79_999),
        ("q2", "telephony"): counted(offered=2, unanswered=1, maxWaitMs=10_000),
    }
    found = queue_figures(
        FLOOR, at(0), at(100_000), service_level=20_000, short_abandon={"*": 5_000, "chat": 0}
    )
    assert expected == found


def test_a_window_holds_its_beginning_and_not_its_end():
    """What is at the end of one window is in the next."""
    waits = {"a": [wait(10_000, 20_000, "answered")]}
    assert {} == queue_figures(waits, at(0), at(10_000))
    (first,) = queue_figures(waits, at(10_000), at(20_000)).values()
    assert counted(offered=1) == first
    (second,) = queue_figures(waits, at(20_000), at(20_001)).values()
    assert counted(answered=1, answeredInTime=1, waitMs=10_000, maxWaitMs=10_000) == second


@pytest.mark.parametrize(
    ("thresholds", "in_time"),
    [
        (10_000, 1),
        (9_999, 0),
        ({"telephony": 10_000, "*": 1}, 1),
        ({"Telephony": 10_000, "*": 1}, 1),
        ({"chat": 10_000, "*": 1}, 0),
        ({"chat": 1, "*": 10_000}, 1),
        ({"chat": 10_000}, 0),
    ],
)
def test_in_time_is_by_channel_type(thresholds, in_time):
    """Within a threshold is not longer than it; `*` stands for the types that are not named."""
    waits = {"a": [wait(0, 10_000, "answered")]}
    (row,) = queue_figures(waits, at(0), at(HOUR), service_level=thresholds).values()
    assert in_time == row["answeredInTime"]
    waits = {"a": [wait(0, 10_000, "answered", channel_type="TELEPHONY")]}
    (row,) = queue_figures(waits, at(0), at(HOUR), service_level=thresholds).values()
    assert in_time == row["answeredInTime"]


def test_a_filter_leaves_the_others_out():
    """By queue, and by channel type."""
    everything = queue_figures(FLOOR, at(0), at(DAY))
    assert {("q2", "telephony")} == {*queue_figures(FLOOR, at(0), at(DAY), "q2")}
    assert (
        everything["q1", "chat"] == queue_figures(FLOOR, at(0), at(DAY), None, "chat")["q1", "chat"]
    )
    assert {("q1", "chat")} == {*queue_figures(FLOOR, at(0), at(DAY), None, "chat")}


def test_offers_are_counted_when_they_end():
    """By outcome, in their own queue; an offer that is open counts nowhere."""
    assert {
        ("q1", "telephony"): {"accepted": 1, "refused": 0, "withdrawn": 1},
        ("q2", "telephony"): {"accepted": 0, "refused": 1, "withdrawn": 0},
    } == offer_figures(FLOOR | {"i": [offer(0)]}, at(0), at(100_000))
    assert {
        ("q2", "telephony"): {"accepted": 0, "refused": 1, "withdrawn": 0},
    } == offer_figures(FLOOR, at(0), at(100_000), "q2", "telephony")


# --- the law of windows ---------------------------------------------------------------------------

WORKED: dict[str, list[TaskFact]] = {life.name: [*life.answers[-1].facts] for life in FACT_LIVES}
FROM, TO = at(-1), at(40 * DAY)


def cuts(seed: int) -> list[tuple[int, int]]:
    """Windows side by side from FROM to TO, many of them at moments at which facts count."""
    rng = random.Random(seed)
    moments = [
        moment
        for facts in WORKED.values()
        for fact in facts
        for moment in (fact.start, fact.counted)
        if moment is not None
    ]
    inner = {rng.choice(moments) + rng.choice((-1, 0, 1)) for _ in range(12)} - {FROM, TO}
    edges = [FROM, *sorted(inner), TO]
    return list(pairwise(edges))


@pytest.mark.parametrize("seed", range(10))
def test_windows_side_by_side_add_up(seed):
    """Every count and sum over windows is that of the whole, and the longest is the longest."""
    thresholds = {"service_level": 6_000, "short_abandon": {"telephony": 9_000, "*": 0}}
    whole = queue_figures(WORKED, FROM, TO, **thresholds)
    parts = [queue_figures(WORKED, *window, **thresholds) for window in cuts(seed)]
    assert len(parts) > 5
    for place, row in whole.items():
        rows = [part[place] for part in parts if place in part]
        added = {name: sum(it[name] for it in rows) for name in COUNTS}
        added["maxWaitMs"] = max(it["maxWaitMs"] for it in rows)
        assert row == added
    assert {*whole} == {place for part in parts for place in part}


def test_every_wait_that_was_offered_is_told_in_the_end():
    """Offered is the sum of the outcomes and of those that still wait, over all time."""
    waits = [fact for facts in WORKED.values() for fact in facts if fact.kind == "wait"]
    total = Counter()
    for row in queue_figures(WORKED, FROM, TO, short_abandon=9_000).values():
        total.update(row)
    outcomes = ("answered", "abandoned", "shortAbandoned", "unanswered", "moved", "unknown")
    assert 0 not in [total[name] for name in outcomes]
    assert len(waits) == total["offered"]
    waiting = sum(fact.end is None for fact in waits)
    assert total["offered"] == waiting + sum(total[name] for name in outcomes)


# --- agents' times --------------------------------------------------------------------------------


def times_of(life: TimedLife, agent: str, frm: int, to: int, clock: int) -> TimesOfAgent:
    oracle = Oracle()
    for told in life.told:
        oracle.deliver(told.body, at(told.recorded), origin=told.origin)
    anomalies = [one for one in oracle.anomalies(at(clock)) if one.subject == ("agent", ORG, agent)]
    rows = oracle.agent_intervals(at(clock))[ORG, agent]
    return agent_times(rows, anomalies, at(frm), at(to), at(clock))


def timed_life(name: str) -> TimedLife:
    return next(life for life in TIMED_LIVES if life.name == name)


def test_no_figure_counts_the_silence_of_an_agent():
    """Case 13: the second before the last event counts, and the day after it is doubtful."""
    expected = TimesOfAgent(
        by_status={"idle": 1_000, "logged-out": HOUR - 1_000},
        by_idle_code={None: 1_000},
        doubtful=DAY,
    )
    assert expected == times_of(CASES[13], "a", 0, 25 * HOUR, 25 * HOUR)
    before = TimesOfAgent(
        by_status={"idle": 1_000, "available": 23 * HOUR - 1_000}, by_idle_code={None: 1_000}
    )
    assert before == times_of(CASES[13], "a", 0, 30 * HOUR, 23 * HOUR)


def test_a_ring_without_an_end_is_doubtful():
    """Case 12: from the ring on until it is overdue."""
    expected = TimesOfAgent(
        by_status={"idle": 10_000, "unknown": 50_000}, by_idle_code={None: 10_000},
        doubtful=5 * MINUTE,
    )  # fmt: skip
    assert expected == times_of(CASES[12], "a", 0, 5 * MINUTE + 60_000, HOUR)
    part = TimesOfAgent(by_status={"idle": 1_000}, by_idle_code={None: 1_000}, doubtful=20_000)
    assert part == times_of(CASES[12], "a", 9_000, 30_000, HOUR)


def test_a_silence_that_several_deadlines_tell_is_doubtful_once():
    """Three legs and the session end by time, all after the same last event."""
    life = timed_life("several-pass-one-after-the-other")
    month = 10_000 + 30 * DAY
    expected = TimesOfAgent(
        by_status={"available": 10_000, "connected": 20_000, "logged-out": 31 * DAY - month},
        doubtful=month - 30_000,
    )
    assert expected == times_of(life, "ann", 0, 31 * DAY, 31 * DAY)


def test_times_by_idle_code_and_what_is_cut():
    """Intervals are cut to the window; an open one ends at the clock."""
    rows = [
        {"from": 0, "to": 10, "status": "idle", "idleCodeId": "lunch"},
        {"from": 10, "to": 25, "status": "idle", "idleCodeId": None},
        {"from": 25, "to": 30, "status": "connected", "idleCodeId": None},
        {"from": 30, "to": 50, "status": "idle", "idleCodeId": "lunch"},
        {"from": 50, "to": None, "status": "available", "idleCodeId": None},
    ]
    expected = TimesOfAgent(
        by_status={"idle": 7 + 15 + 20, "connected": 5, "available": 30},
        by_idle_code={"lunch": 27, None: 15},
    )
    assert expected == agent_times(rows, [], 3, 100, 80)
    assert TimesOfAgent() == agent_times(rows, [], 90, 100, 80)


def test_a_missing_logout_that_an_event_tells_is_not_doubtful():
    """A second login says that a logout was lost, and nothing of when."""
    rows = [{"from": 0, "to": None, "status": "idle", "idleCodeId": None}]
    by_time = {"subject": ("agent", ORG, "ann"), "gap": (10, 30)}
    told = Anomaly(kind="missing-logout", event_id="login-2", **by_time)
    raised = Anomaly(kind="missing-logout", event_id=None, **by_time)
    other = Anomaly(kind="missing-end", event_id=None, **by_time)
    assert 0 == agent_times(rows, [told, other], 0, 50, 50).doubtful
    expected = TimesOfAgent(by_status={"idle": 30}, by_idle_code={None: 30}, doubtful=20)
    assert expected == agent_times(rows, [told, other, raised], 0, 50, 50)


@pytest.mark.parametrize("life", TIMED_LIVES, ids=lambda life: life.name)
def test_times_of_windows_side_by_side_add_up(life):
    """The law of windows holds for times too, and all time since the first event is told."""
    clock = 100 * DAY
    oracle = Oracle()
    for told in life.told:
        oracle.deliver(told.body, at(told.recorded), origin=told.origin)
    for subject, rows in oracle.agent_intervals(at(clock)).items():
        anomalies = [one for one in oracle.anomalies(at(clock)) if one.subject[1:] == subject]
        whole = agent_times(rows, anomalies, at(-DAY), at(clock), at(clock))
        edges = [-DAY, 5_000, 10_000, 10_001, MINUTE, HOUR + 7, DAY, 20 * DAY, clock]
        parts = [
            agent_times(rows, anomalies, at(frm), at(to), at(clock)) for frm, to in pairwise(edges)
        ]
        total: Counter[str] = Counter()
        for part in parts:
            total.update(part.by_status)
        assert whole.by_status == dict(total)
        assert whole.doubtful == sum(part.doubtful for part in parts)
        assert at(clock) - rows[0]["from"] == sum(total.values()) + whole.doubtful


@pytest.mark.parametrize(
    ("gaps", "length"),
    [
        ([], 0),
        ([(0, 100)], 10),
        ([(12, 15), (13, 14)], 3),
        ([(12, 15), (14, 17)], 5),
        ([(16, 18), (5, 11)], 3),
        ([(0, 10), (20, 30)], 0),
    ],
)
def test_gaps_that_overlap_cover_once(gaps, length):
    """How much of [10, 20) they cover."""
    assert length == covered(gaps, 10, 20)
