"""What evidence and the passing of time end: lives worked out by hand, and cases from the field.

The oracle is tested with the same data.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from projector.contract.intervals import interval_rows
from projector.domain.events import Origin
from projector.domain.fold import Fold, fold
from projector.projection.read_models import AGENTS, TASKS, Table
from tests.cases import CASES
from tests.examples import ORG, at, look_up
from tests.laws.memory import MemoryLog
from tests.worked_v2 import TIMED_LIVES, Answer, Odd, TimedLife

EVERY_LIFE = (*TIMED_LIVES, *CASES.values())


def logged(life: TimedLife) -> MemoryLog:
    log = MemoryLog()
    for told in life.told:
        log.deliver(told.body, at(told.recorded), Origin(told.origin))
    return log


def folded(log: MemoryLog, table: Table[Any], answer: Answer) -> dict[tuple[str, str], Fold[Any]]:
    """The folds of all subjects as of the answer's times."""
    upto = None if answer.at is None else at(answer.at)
    known = None if answer.known_at is None else at(answer.known_at)
    now = next(it for it in (upto, known, at(answer.now)) if it is not None)
    found = {}
    for key, events in log.of(table).items():
        counted = [
            it
            for it in events
            if (upto is None or it.time <= upto) and (known is None or it.recorded_time <= known)
        ]
        if counted:
            found[key] = fold(table.fresh(), counted).advance_to(now)
    return found


def assert_answers(life: TimedLife, log: MemoryLog) -> None:
    """All that the life says of each question."""
    for answer in life.answers:
        odd: list[Odd] = []
        traces: list[str | None] = []
        for table, expected, intervals in (
            (AGENTS, answer.agents, answer.agent_intervals),
            (TASKS, answer.tasks, answer.task_intervals),
        ):
            folds = folded(log, table, answer)
            for name, fields in expected.items():
                view = table.view(ORG, name, folds[ORG, name].state, settled=False)
                shown = view.model_dump(mode="json", by_alias=True)
                assert fields == {path: look_up(shown, path) for path in fields}
            for name, rows in intervals.items():
                shown_rows = [
                    row.model_dump(mode="json", by_alias=True)
                    for row in interval_rows(table.interval, folds[ORG, name].intervals)
                ]
                assert rows == [{column: row[column] for column in rows[0]} for row in shown_rows]
            for (_, name), it in folds.items():
                for one in it.all_anomalies():
                    if one.kind == "unexpected-transition":
                        traces.append(one.event_id)
                        continue
                    is_of_time = one.event_id is None and one.kind != "wrapup-missing"
                    gap = (one.gap_from - at(0), one.gap_to - at(0)) if is_of_time else None
                    subject = f"{table.subject}:{name}"
                    odd.append(
                        Odd(kind=one.kind.value, subject=subject, event_id=one.event_id, gap=gap)
                    )
            if table is TASKS and answer.open_tasks is not None:
                is_open = {name for (_, name), it in folds.items() if it.state.is_open()}
                assert {*answer.open_tasks} == is_open
        if answer.anomalies is not None:
            assert sorted(answer.anomalies, key=repr) == sorted(odd, key=repr)
        assert {*answer.first_traces} <= {*traces}


@pytest.mark.parametrize("life", EVERY_LIFE, ids=lambda life: life.name)
def test_a_timed_life_is_folded_as_worked_out(life):
    """Views, intervals, anomalies and open tasks."""
    assert_answers(life, logged(life))


@pytest.mark.parametrize("life", EVERY_LIFE, ids=lambda life: life.name)
def test_a_timed_life_is_folded_alike_in_any_order(life):
    """The recorded times decide, and not the order of arrival."""
    for seed in range(3):
        told = list(life.told)
        random.Random(seed).shuffle(told)
        assert_answers(life, logged(replace(life, told=tuple(told))))
