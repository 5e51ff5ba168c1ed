"""The reference waits, offers and contacts: the lives worked out by hand."""

import random

import pytest

from tests.examples import ORG, at
from tests.fact_oracle import TaskFact, comparable, facts_of_task
from tests.oracle import Event, Oracle
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
