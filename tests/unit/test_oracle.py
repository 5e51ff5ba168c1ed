"""The oracle itself: the situations worked out by hand, and the laws that it must not break."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cases import CASES
from tests.examples import LIVES, ORG, RECORDED, Life, at, look_up
from tests.oracle import HOUR, MINUTE, Oracle, judge, plain
from tests.strategies import arrivals, batches, believable_deliveries, noisy_deliveries
from tests.worked_v2 import TIMED_LIVES, Odd, TimedLife

ANY_ORDER = tuple(life for life in LIVES if not life.arrival_decides)
T0 = LIVES[0].events[0]["data"]["createdTime"]
NOW = RECORDED + 60_000  # so soon that no deadline of what was recorded late has passed

# A busy machine is no failure: neither the draws nor the folding are timed.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def told(bodies, recorded=RECORDED):
    """An oracle that was told these bodies, one a request, and the sum of its answers."""
    oracle = Oracle()
    total: dict[str, int] = {}
    for body in bodies:
        for name, count in oracle.deliver(body, recorded).items():
            total[name] = total.get(name, 0) + count
    return oracle, total


def answers(oracle, **asked):
    """Every answer there is."""
    return (
        oracle.agents(NOW, **asked),
        oracle.tasks(NOW, **asked),
        oracle.agent_intervals(NOW, **asked),
        oracle.task_intervals(NOW, **asked),
        sorted(map(repr, oracle.anomalies(NOW, **asked))),
    )


def anomaly_count(oracle, subject):
    """The page's own kinds only; the situations that name a count are clean."""
    return len([one for one in oracle.anomalies(NOW) if one.subject == subject])


def assert_life(life: Life, oracle: Oracle) -> None:
    """All expected fields and intervals of a situation."""
    for kind, views, expected in (
        ("agent", oracle.agents(NOW), life.agents),
        ("task", oracle.tasks(NOW), life.tasks),
    ):
        for name, fields in expected.items():
            view = views[ORG, name] | {"anomalyCount": anomaly_count(oracle, (kind, ORG, name))}
            assert fields == {path: look_up(view, path) for path in fields}
    for intervals, expected in (
        (oracle.agent_intervals(NOW), life.agent_intervals),
        (oracle.task_intervals(NOW), life.task_intervals),
    ):
        for name, rows in expected.items():
            got = [{column: row[column] for column in rows[0]} for row in intervals[ORG, name]]
            assert rows == got


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_a_situation_is_answered_as_worked_out(life):
    """In its own order of arrival each situation gives its expected answers and counts."""
    oracle, counts = told(life.bodies())
    assert_life(life, oracle)
    if life.counts is not None:
        assert life.counts == counts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("life", ANY_ORDER, ids=lambda life: life.name)
def test_a_situation_is_answered_alike_in_any_order(life, seed):
    """Another order of arrival changes no answer."""
    bodies = life.bodies()
    random.Random(seed).shuffle(bodies)
    assert_life(life, told(bodies)[0])


@untimed
@given(st.data())
def test_order_batches_and_repeats_do_not_matter(data):
    """However a day is delivered, all answers are equal."""
    bodies = data.draw(
        st.one_of(believable_deliveries(), noisy_deliveries(arrival_decides=False)), label="bodies"
    )
    oracle = Oracle()
    for request in data.draw(batches(data.draw(arrivals(bodies)))):
        oracle.deliver(request, RECORDED)
    assert answers(told(bodies)[0]) == answers(oracle)


@untimed
@given(st.one_of(believable_deliveries(), noisy_deliveries()))
def test_intervals_are_whole(bodies):
    """Intervals have no gap, no overlap, no length of zero; neighbours differ; the last is open."""
    oracle, counts = told(bodies)
    assert counts.get("received", 0) == sum(counts.values()) - counts.get("received", 0)
    for intervals in (*oracle.agent_intervals(NOW).values(), *oracle.task_intervals(NOW).values()):
        assert [row["to"] for row in intervals] == [row["from"] for row in intervals[1:]] + [None]
        assert all(row["to"] is None or row["durationMs"] > 0 for row in intervals)


@untimed
@given(noisy_deliveries(), st.integers(-1, 2 * HOUR))
def test_at_is_a_store_that_stops_there(bodies, offset):
    """`at` = T is answered as if later events had never come and it were T."""
    oracle, _ = told(bodies)
    then = Oracle()
    then.accepted = [event for event in oracle.accepted if event.time <= T0 + offset]
    assert oracle.agents(NOW, at=T0 + offset) == then.agents(T0 + offset)
    assert oracle.tasks(NOW, at=T0 + offset) == then.tasks(T0 + offset)
    assert oracle.task_intervals(NOW, at=T0 + offset) == then.task_intervals(T0 + offset)


def test_known_at_is_what_was_stored_by_then():
    """A late event is unknown to questions about the time before it was stored."""
    life = LIVES[0]
    oracle = Oracle()
    for place, body in enumerate(life.bodies()):
        oracle.deliver(body, RECORDED + place)
    early, _ = told(life.bodies()[:4])
    asked = {"known_at": RECORDED + 3}
    assert answers(early, **asked)[:4] == answers(oracle, **asked)[:4]


def test_a_reconciled_fact_gives_way_to_its_webhook():
    """A fact fetched within two seconds of a webhook's counts nowhere, whichever came first."""
    webhook = LIVES[1].events[1]
    fetched = webhook | {"id": "fetched", "data": webhook["data"] | {"createdTime": T0 + 3_999}}
    other = webhook | {"id": "other", "data": webhook["data"] | {"createdTime": T0 + 4_001}}
    oracle = Oracle()
    oracle.deliver(fetched, RECORDED, origin="reconciliation")
    oracle.deliver(other, RECORDED, origin="reconciliation")
    oracle.deliver(webhook, RECORDED)
    view = oracle.agents(NOW)[ORG, "bob"]
    assert view["eventCount"] == 2
    assert view["lastEvent"] == {"id": "other", "type": webhook["type"], "createdTime": T0 + 4_001}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b'{"id": NaN}', "not-json"),
        (b'[{"id": 1' + b"0" * 4_300 + b"}]", "not-json"),
        (b"7", "no-id"),
        (b'{"type": "agent:login"}', "no-id"),
        (b'{"id": "e"}', "no-type"),
        (b'{"id": "e", "type": "task:new", "data": {"agentId": "ann"}}', "no-subject"),
        (b'{"id": "e", "type": "flow:error"}', "no-organisation"),
        (b'{"id": "e\\u0000", "type": "flow:error", "comciscoorgid": "acme"}', "bad-name"),
    ],
)
def test_an_unusable_body_is_quarantined(body, reason):
    """What cannot be an event is kept aside with its reason."""
    assert [reason] == [verdict.reason for verdict in judge(body, RECORDED)]


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (5, 5),
        (5.0, 5),
        ("005", 5),
        (None, None),
        (-1, "bad-time"),
        (True, "bad-time"),
        (1.5, "bad-time"),
        ("", "bad-time"),
        ("\u0663", "bad-time"),
        (RECORDED + 24 * HOUR, RECORDED + 24 * HOUR),
        (RECORDED + 24 * HOUR + 1, "future"),
        ("9" * 5_000, "future"),
    ],
)
def test_a_created_time_is_read_strictly(created, expected):
    """Integers, integral floats and ASCII digits place an event; nothing else does."""
    oracle = Oracle("acme")
    oracle.deliver({"id": "e", "type": "flow:error", "data": {"createdTime": created}}, RECORDED)
    assert [expected] == [*oracle.quarantined, *(event.created for event in oracle.accepted)]


def test_an_hour_after_its_end_a_task_is_complete():
    """The passing hour is told by the question's clock, names no event and is an anomaly."""
    life = next(life for life in LIVES if life.name == "a-chat-whose-wrapup-done-is-lost")
    oracle, _ = told(life.bodies())
    hour = T0 + 49_900 + HOUR
    assert not oracle.tasks(hour - 1)[ORG, "chat-1"]["complete"]
    assert oracle.tasks(hour)[ORG, "chat-1"]["complete"]
    last = oracle.task_intervals(hour)[ORG, "chat-1"][-1]
    assert (last["from"], last["eventId"]) == (hour, None)
    kinds = [(one.kind, one.event_id) for one in oracle.anomalies(hour)]
    assert kinds == [("wrapup-missing", None)]


def timed(life: TimedLife) -> Oracle:
    """An oracle that was told a life, each event at its recorded time."""
    oracle = Oracle()
    for told in life.told:
        oracle.deliver(told.body, at(told.recorded), origin=told.origin)
    return oracle


def odd_ones(oracle: Oracle, **asked) -> tuple[list[Odd], tuple[str, ...]]:
    """The anomalies with moments after dawn, and the events of unexpected transitions."""
    odd, unexpected = [], []
    for one in oracle.anomalies(**asked):
        if one.kind == "unexpected-transition":
            unexpected.append(one.event_id)
            continue
        gap = None if one.gap is None else (one.gap[0] - at(0), one.gap[1] - at(0))
        subject = f"{one.subject[0]}:{one.subject[2]}"
        odd.append(Odd(kind=one.kind, subject=subject, event_id=one.event_id, gap=gap))
    return sorted(odd, key=repr), tuple(unexpected)


def assert_answers(life: TimedLife, oracle: Oracle) -> None:
    """All that the life says of each question, and nothing else is compared."""
    for answer in life.answers:
        times = {"at": answer.at, "known_at": answer.known_at}
        asked = {"now": at(answer.now)} | {
            name: None if moment is None else at(moment) for name, moment in times.items()
        }
        for views, expected in (
            (oracle.agents(**asked), answer.agents),
            (oracle.tasks(**asked), answer.tasks),
        ):
            for name, fields in expected.items():
                assert fields == {path: look_up(views[ORG, name], path) for path in fields}
        for intervals, expected in (
            (oracle.agent_intervals(**asked), answer.agent_intervals),
            (oracle.task_intervals(**asked), answer.task_intervals),
        ):
            for name, rows in expected.items():
                got = [{column: row[column] for column in rows[0]} for row in intervals[ORG, name]]
                assert rows == got
        odd, unexpected = odd_ones(oracle, **asked)
        if answer.anomalies is not None:
            assert sorted(answer.anomalies, key=repr) == odd
        assert answer.first_traces == unexpected
        if answer.open_tasks is not None:
            assert {(ORG, name) for name in answer.open_tasks} == oracle.open_tasks(**asked)


EVERY_LIFE = (*TIMED_LIVES, *CASES.values())


@pytest.mark.parametrize("life", EVERY_LIFE, ids=lambda life: life.name)
def test_a_timed_life_is_answered_as_worked_out(life):
    """Each question of what evidence and time end has the answer worked out from the page."""
    assert_answers(life, timed(life))


@pytest.mark.parametrize("life", EVERY_LIFE, ids=lambda life: life.name)
def test_a_timed_life_is_answered_alike_in_any_order(life):
    """The recorded times decide, and not the order in which the events stand in the log."""
    for seed in range(3):
        told = list(life.told)
        random.Random(seed).shuffle(told)
        assert_answers(life, timed(replace(life, told=tuple(told))))


def test_timed_lives_have_names_of_their_own():
    """A failure names one life."""
    names = [life.name for life in EVERY_LIFE]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("life", EVERY_LIFE, ids=lambda life: life.name)
def test_a_timed_life_is_asked_when_all_of_it_was_recorded(life):
    """A question without `knownAt` knows the whole log, so it is not asked before that."""
    assert max(told.recorded for told in life.told) <= min(answer.now for answer in life.answers)


# Recorded at once, after a deadline of each row of the table, and about a day later.
RECORDINGS = tuple(
    MINUTE * minutes for minutes in (0, 1, 6, 30, 61, 125, 12 * 60 + 1, 24 * 60, 25 * 60)
)
QUESTIONS = tuple(MINUTE * minutes for minutes in (0, 5, 60, 90, 180, 720, 1_440, 2_880, 50_000))


def told_in_time(data) -> list[tuple[Any, int]]:
    """The bodies of a day, each with its recorded time (epoch ms), in any order."""
    bodies = data.draw(
        st.one_of(believable_deliveries(), noisy_deliveries(arrival_decides=False)), label="bodies"
    )
    recordings = st.sampled_from(RECORDINGS)
    return [(body, T0 + data.draw(recordings)) for body in data.draw(st.permutations(bodies))]


@untimed
@given(st.data())
def test_known_at_is_a_store_of_that_moment(data):
    """`knownAt` = K is answered as by a store that has only what was recorded by then, at K."""
    told_bodies = told_in_time(data)
    known_at = T0 + data.draw(st.sampled_from(QUESTIONS), label="known at")
    oracle, then = Oracle(), Oracle()
    for body, recorded in told_bodies:
        oracle.deliver(body, recorded)
        if recorded <= known_at:
            then.deliver(body, recorded)
    for name in ("agents", "tasks", "agent_intervals", "task_intervals", "open_tasks"):
        ask, ask_then = getattr(oracle, name), getattr(then, name)
        assert ask_then(known_at) == ask(T0, known_at=known_at)


@untimed
@given(st.data())
def test_a_view_of_the_past_is_the_interval_of_then(data):
    """What `at` = T says is in the history: deadlines begin intervals when they are reached."""
    oracle = Oracle()
    for body, recorded in told_in_time(data):
        oracle.deliver(body, recorded)
    moment = T0 + data.draw(st.sampled_from(QUESTIONS), label="moment")
    for views, intervals in (
        (oracle.agents(T0, at=moment), oracle.agent_intervals(T0 + 400 * 24 * HOUR)),
        (oracle.tasks(T0, at=moment), oracle.task_intervals(T0 + 400 * 24 * HOUR)),
    ):
        for subject, view in views.items():
            row = next(
                row
                for row in intervals[subject]
                if row["from"] <= moment and (row["to"] is None or moment < row["to"])
            )
            assert plain(row["status"]) == plain(view["status"])


@untimed
@given(st.data())
def test_silence_ends_all_that_was_told_live(data):
    """A month after a day that was told live nobody is busy, logged in or waiting."""
    bodies = data.draw(believable_deliveries(), label="bodies")
    oracle = Oracle()
    for body in bodies:
        oracle.deliver(body, body["data"]["createdTime"] + 500)
    for view in oracle.agents(T0 + 32 * 24 * HOUR).values():
        assert ("logged-out", []) == (view["status"], view["interactions"])
    assert set() == oracle.open_tasks(T0 + 32 * 24 * HOUR)
