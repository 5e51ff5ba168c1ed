"""Waits, offers and contacts: the core has those that were worked out by hand."""

from __future__ import annotations

import pytest

from projector.domain.events import Origin
from projector.projection.read_models import TASKS
from tests.examples import ORG, at
from tests.facts import by_beginning, facts_at
from tests.laws.memory import MemoryLog
from tests.unit.test_fact_oracle import clock_of
from tests.worked_facts import FACT_LIVES, FactLife


@pytest.mark.parametrize("life", FACT_LIVES, ids=lambda life: life.name)
def test_a_life_has_its_facts(life: FactLife):
    """Each question of a life has all facts worked out from the page, and no other."""
    log = MemoryLog()
    for told in life.told:
        log.deliver(told.body, at(told.recorded), Origin(told.origin))
    events = log.of(TASKS)[ORG, "t"]
    for answer in life.answers:
        known_at = answer.known_at
        known = [it for it in events if known_at is None or it.recorded_time <= at(known_at)]
        assert by_beginning(answer.facts) == facts_at(known, clock_of(answer))
