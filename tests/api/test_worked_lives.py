"""The worked lives, delivered over HTTP and read back over HTTP."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.conftest import Site, sample
from tests.examples import LIVES, Life, look_up

IDS = [life.name for life in LIVES]


def deliver(site: Site, life: Life, bodies: list[Any]) -> None:
    counts = [site.post(body).json for body in bodies]
    site.project()
    if life.counts is not None:
        assert life.counts == {name: sum(it[name] for it in counts) for name in life.counts}


def assert_right(site: Site, life: Life) -> None:
    """Each expected value of views and intervals is what a reader gets."""
    for folder, views in (("agents", life.agents), ("tasks", life.tasks)):
        for id_, expected in views.items():
            view = site.get(f"/api/v1/{folder}/{id_}").json
            assert expected == {path: look_up(view, path) for path in expected}
    for folder, lives in (("agents", life.agent_intervals), ("tasks", life.task_intervals)):
        for id_, expected_rows in lives.items():
            rows = site.get(f"/api/v1/{folder}/{id_}/history").json["data"]
            names = list(expected_rows[0])
            assert expected_rows == [{name: row[name] for name in names} for row in rows]


@pytest.mark.parametrize("life", LIVES, ids=IDS)
def test_a_worked_life_comes_out_right(site, life):
    """In its own order of arrival."""
    deliver(site, life, life.bodies())
    assert_right(site, life)


@pytest.mark.parametrize(
    "life",
    sample((life for life in LIVES if not life.arrival_decides), every=3),
    ids=lambda life: life.name,
)
def test_a_worked_life_comes_out_right_in_any_order(site, life):
    """Shuffled, in pages of two events, so that nearly every event is late."""
    bodies = life.bodies()
    random.Random(life.name).shuffle(bodies)
    for body in bodies:
        site.post(body)
    site.project(batch_events=2)
    assert_right(site, life)
