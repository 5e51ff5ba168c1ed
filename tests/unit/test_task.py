"""The task: what no worked life shows."""

from __future__ import annotations

import pytest

from projector.domain.fold import fold
from projector.projection.read_models import TASKS
from tests.examples import DAWN, story, task, v1
from tests.laws.memory import MemoryLog, deliver_all

HOUR = 3_600_000


def anomalies(bodies: list, until: int) -> int:
    """The number of anomalies for a reader ``until`` milliseconds after dawn."""
    log = deliver_all(MemoryLog(), story(*bodies), DAWN + 10 * HOUR)
    (events,) = log.of(TASKS).values()
    return fold(TASKS.fresh(), events).advance_to(DAWN + until).state.anomaly_count


@pytest.mark.parametrize("word", ["connect", "failed"])
def test_a_missing_wrapup_is_withdrawn(word):
    """It is raised when the hour passes, and withdrawn by a reopening or a failure."""
    life = [
        task(0, "t", "new"),
        task(1, "t", "connect"),
        task(2, "t", "connected"),
        v1(3, "ann", "connected", "t"),
        task(10, "t", "ended"),
    ]
    assert 0 == anomalies(life, HOUR)
    assert 1 == anomalies(life, HOUR + 10)
    expected = 0 if word == "connect" else 1  # to fail after an end is not expected either
    assert expected == anomalies([*life, task(HOUR + 40, "t", word)], 2 * HOUR)
