"""Real calls: what they did is normal, and each is over when it was over."""

from __future__ import annotations

import random

import pytest

from projector.domain.counters import CONFERENCES, CONSULTS, HOLDS, OFFERS
from projector.domain.fold import Fold, fold
from projector.projection.read_models import AGENTS, TASKS, Table
from tests.examples import DAWN
from tests.laws.memory import MemoryLog, deliver_all
from tests.real_lives import REAL_LIVES, STEPS_WITH_WEBHOOK, RealLife, webhooks

LATER = DAWN + 10 * 3_600_000
each_life = pytest.mark.parametrize("life", REAL_LIVES, ids=str)
each_shape = pytest.mark.parametrize("shape", ["v1", "v2"])


def stories(life: RealLife, shape: str, table: Table) -> list[Fold]:
    """Each subject's, whatever the order in which its webhooks came."""
    bodies = list(webhooks(life, shape))
    random.Random(life.number).shuffle(bodies)
    log = deliver_all(MemoryLog(), bodies, LATER)
    return [fold(table.fresh(), events).advance_to(LATER) for events in log.of(table).values()]


@each_shape
@each_life
def test_a_real_life_is_never_unexpected(life, shape):
    """Neither the task nor any of its agents raises an anomaly of any kind."""
    for table in (TASKS, AGENTS):
        for story in stories(life, shape, table):
            assert [] == story.anomalies
            assert 0 == story.state.anomaly_count


@each_shape
@each_life
def test_a_real_life_completes_or_says_why_not(life, shape):
    """By all parties' wrap-up, not by the passing hour."""
    words = [name for name, _ in life.steps if name in STEPS_WITH_WEBHOOK or name == "ended"]
    told = stories(life, shape, TASKS)
    if not words:
        assert ([], True) == (told, bool(life.open_since))
        return
    (state,) = [story.state for story in told]
    assert (not life.open_since, False) == (state.complete, state.wrapup_missing)
    status = "completed" if "connected" in words else "abandoned"
    assert (life.open_since != "" or state.status() == status) is True
    expected = [words.count(word) for word in ("connect", "on-hold", "consulting", "conferencing")]
    assert expected == [state.counters[name] for name in (OFFERS, HOLDS, CONSULTS, CONFERENCES)]


@each_shape
@each_life
def test_after_a_real_life_nobody_is_busy(life, shape):
    """Every leg is closed; who was on the call is available again."""
    for story in stories(life, shape, AGENTS):
        assert {} == story.state.legs
