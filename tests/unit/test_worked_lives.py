"""The worked lives through the pure core alone, without a database or HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from projector.contract.intervals import interval_rows
from projector.domain.fold import fold
from projector.projection.read_models import AGENTS, TASKS, Table
from tests.examples import LIVES, NOW, ORG, RECORDED, Life, look_up
from tests.laws.memory import MemoryLog, deliver_all


def read_subjects(log: MemoryLog, table: Table[Any]) -> dict[str, tuple[dict[str, Any], list[Any]]]:
    """The view and the history of each subject, as the API shows them."""
    read = {}
    for (org, subject), events in log.of(table).items():
        assert org == ORG
        result = fold(table.fresh(), events).advance_to(NOW)
        view = table.view(org, subject, result.state, settled=False)
        rows = interval_rows(table.interval, result.intervals)
        read[subject] = (
            view.model_dump(by_alias=True),
            [row.model_dump(by_alias=True) for row in rows],
        )
    return read


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_a_worked_life_folds_as_worked_out(life: Life):
    """Each expected value of views and intervals is what the core answers."""
    log = deliver_all(MemoryLog(), life.bodies(), RECORDED)
    for table, views, histories in (
        (AGENTS, life.agents, life.agent_intervals),
        (TASKS, life.tasks, life.task_intervals),
    ):
        read = read_subjects(log, table)
        for subject, expected in views.items():
            assert expected == {path: look_up(read[subject][0], path) for path in expected}
        for subject, rows in histories.items():
            names = list(rows[0])
            assert rows == [{name: row[name] for name in names} for row in read[subject][1]]
