"""The oracle itself: the situations worked out by hand, and the laws that it must not break."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import LIVES, NOW, ORG, RECORDED, Life, look_up
from tests.oracle import HOUR, Oracle, judge
from tests.strategies import arrivals, batches, believable_deliveries, noisy_deliveries

ANY_ORDER = tuple(life for life in LIVES if not life.arrival_decides)
T0 = LIVES[0].events[0]["data"]["createdTime"]

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
