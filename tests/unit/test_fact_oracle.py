"""The reference waits, offers and contacts: the lives worked out by hand."""

import random
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import ORG, at
from tests.fact_oracle import TaskFact, comparable, facts_of_task
from tests.oracle import HOUR, Event, Oracle
from tests.real_lives import REAL_LIVES, webhooks
from tests.strategies import believable_deliveries, noisy_deliveries
from tests.worked_facts import FACT_LIVES, FactAnswer, FactLife
from tests.worked_v2 import Told


def told_oracle(told: tuple[Told, ...]) -> Oracle:
    """An oracle that was told these bodies, each at its recorded time."""
    oracle = Oracle()
    for it in told:
        oracle.deliver(it.body, at(it.recorded), origin=it.origin)
    return oracle


def known_events(oracle: Oracle, answer: FactAnswer) -> list[Event]:
    """What is known of the task; `at` cuts nothing."""
    known_at = answer.known_at
    return [
        event
        for event in oracle.accepted
        if event.task == "t" and (known_at is None or event.recorded <= at(known_at))
    ]


def clock_of(answer: FactAnswer) -> int:
    """The later of `at` and `knownAt`, else of `at` and now."""
    known = answer.now if answer.known_at is None else answer.known_at
    return at(known if answer.at is None else max(answer.at, known))


def by_beginning(facts: list[TaskFact]) -> list[TaskFact]:
    return sorted(facts, key=lambda fact: (fact.start, fact.kind, fact.number))


def assert_facts(life: FactLife, oracle: Oracle) -> None:
    for answer in life.answers:
        found = facts_of_task(known_events(oracle, answer), clock_of(answer))
        assert by_beginning([*answer.facts]) == by_beginning([*map(comparable, found)])


@pytest.mark.parametrize("life", FACT_LIVES, ids=lambda life: life.name)
def test_a_life_has_the_facts_worked_out(life):
    """Each question of a life has all facts worked out from the page, and no other."""
    assert_facts(life, told_oracle(life.told))


@pytest.mark.parametrize("life", FACT_LIVES, ids=lambda life: life.name)
def test_a_life_has_its_facts_in_any_order_of_arrival(life):
    """The recorded times decide, and not the order in which the events stand in the log."""
    for seed in range(3):
        told = list(life.told)
        random.Random(seed).shuffle(told)
        assert_facts(life, told_oracle(tuple(told)))


def test_worked_facts_are_all_accepted():
    """No body of a life is in quarantine, so none is worth nothing."""
    for life in FACT_LIVES:
        oracle = told_oracle(life.told)
        assert (len(life.told), []) == (len(oracle.accepted), oracle.quarantined), life.name
        assert {ORG} == {event.org for event in oracle.accepted}


def test_lives_with_facts_have_names_of_their_own():
    """A failure names one life."""
    names = [life.name for life in FACT_LIVES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("life", FACT_LIVES, ids=lambda life: life.name)
def test_a_life_is_asked_when_all_of_it_was_recorded(life):
    """A question without `knownAt` knows the whole log, so it is not asked before that."""
    last = max(told.recorded for told in life.told)
    for answer in life.answers:
        assert answer.known_at is not None or last <= answer.now


# A busy machine is no failure: neither the draws nor the folding are timed.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUESTIONS = tuple(HOUR * hours for hours in (0, 1, 2, 25, 50, 40 * 24))


def drawn_lives(data) -> list[list[Event]]:
    """The accepted events of each task of a day that was told live."""
    bodies = data.draw(st.one_of(believable_deliveries(), noisy_deliveries()), label="bodies")
    oracle = Oracle("acme")
    for body in bodies:
        oracle.deliver(body, NOON)
    names = sorted({event.task for event in oracle.accepted if event.task is not None})
    return [[event for event in oracle.accepted if event.task == name] for name in names]


NOON = at(12 * HOUR)


@untimed
@given(st.data())
def test_facts_of_a_kind_lie_side_by_side(data):
    """A customer waits once at a time, is offered once at a time, and never waits in a contact."""
    for events in drawn_lives(data):
        facts = facts_of_task(events, NOON + data.draw(st.sampled_from(QUESTIONS)))
        for kinds in (("wait", "contact"), ("offer",)):
            row = [fact for fact in facts if fact.kind in kinds]
            for before, after in pairwise(row):
                assert before.end is not None
                assert before.start <= before.end <= after.start


@untimed
@given(st.data())
def test_a_fact_agrees_with_itself(data):
    """Its moments are in order, an end has an outcome, and its parts make its wrap-up."""
    for events in drawn_lives(data):
        for fact in facts_of_task(events, NOON + data.draw(st.sampled_from(QUESTIONS))):
            assert (fact.outcome is None) == (fact.end is None or fact.kind == "contact")
            assert fact.counted is None or fact.start <= fact.end <= fact.counted <= fact.end + HOUR
            assert fact.wrap_up == sum(part.wrap_up for part in fact.parts.values())
            if fact.counted is not None:
                assert fact.talk + fact.hold + fact.consult <= fact.end - fact.start
                for part in fact.parts.values():
                    assert part.talk + part.hold + part.consult <= fact.end - fact.start


@untimed
@given(st.data())
def test_what_is_counted_stays_counted(data):
    """The passing of time alone changes no fact that has been counted."""
    for events in drawn_lives(data):
        clock = NOON + data.draw(st.sampled_from(QUESTIONS))
        later = facts_of_task(events, clock + 40 * 24 * HOUR)
        counted = [fact for fact in facts_of_task(events, clock) if fact.counted is not None]
        assert [] == [fact for fact in counted if fact not in later]


@untimed
@given(st.data())
def test_facts_do_not_depend_on_arrival(data):
    """They are a function of the set of events with their recorded times."""
    for events in drawn_lives(data):
        shuffled = data.draw(st.permutations(events))
        assert facts_of_task(events, NOON) == facts_of_task(shuffled, NOON)


@pytest.mark.parametrize("shape", ["v1", "v2"])
def test_each_offer_of_a_real_task_is_refused_by_its_own_agent(shape):
    """Real task 6: eight agents are offered a call one after another, and the customer leaves."""
    real = next(life for life in REAL_LIVES if life.number == 6)
    oracle = Oracle()
    for body in webhooks(real, shape):
        oracle.deliver(body, body["data"]["createdTime"] + 500)
    (name,) = {event.task for event in oracle.accepted if event.task is not None}
    events = [event for event in oracle.accepted if event.task == name]
    facts = facts_of_task(events, NOON)
    offers = [(fact.outcome, [*fact.parts]) for fact in facts if fact.kind == "offer"]
    refused = [("refused", [f"agent-{number}"]) for number in range(1, 8)]
    assert [*refused, ("withdrawn", ["agent-8"])] == offers
    assert ["abandoned"] == [fact.outcome for fact in facts if fact.kind == "wait"]
